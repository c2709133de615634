"""Exercise on a machine or with a sensor that counts: each by itself, whoever uses it."""

from __future__ import annotations

from typing import ClassVar

from dsp.exercise import ExerciseMetrics
from dsp.result import Result
from gateway.analysis.ward_operators import EachDevice, channel, seconds
from gateway.intake.intake import Arrived

CHANNELS = ("speed", "cadence", "power", "distance", "energy")
"""As `ExerciseMetrics.add` names them."""


class ExerciseOfDevice:
    """What one device counts."""

    def __init__(self) -> None:
        self._exercise = ExerciseMetrics()

    def process(self, arrived: Arrived) -> list[Result]:
        """Take samples."""
        return self._exercise.add(seconds(arrived), **{name: channel(arrived, name) for name in CHANNELS})


class ExerciseOperators(EachDevice):
    """Machines and sensors of a ward."""

    operator: ClassVar = ExerciseOfDevice
