"""Oxygen saturation: each oximeter by itself, whoever wears it."""

from __future__ import annotations

from typing import ClassVar

from drivers.packet import Flag
from dsp.oximetry.oximetry import OximetryMetrics
from dsp.result import Result
from gateway.analysis.ward_operators import EachDevice, channel, seconds
from gateway.intake.intake import Arrived

CHANNELS = ("spo2", "pulse_rate", "perfusion", "status", "sensor_status", "age")
"""As `OximetryMetrics.add` takes them."""


class OximetryOfDevice:
    """What one oximeter measures."""

    def __init__(self) -> None:
        self._oximetry = OximetryMetrics()

    def process(self, arrived: Arrived) -> list[Result]:
        """Take measurements."""
        undated, again = ((arrived.flags & flag) != 0 for flag in (Flag.UNDATED, Flag.PERHAPS_AGAIN))
        return self._oximetry.add(
            seconds(arrived), **{name: channel(arrived, name) for name in CHANNELS}, undated=undated, again=again
        )


class OximetryOperators(EachDevice):
    """Oximeters of a ward."""

    operator: ClassVar = OximetryOfDevice
