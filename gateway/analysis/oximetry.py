"""Oxygen saturation: each oximeter by itself, whoever wears it."""

from __future__ import annotations

from typing import ClassVar

from drivers.packet import Flag
from dsp.oximetry.oximetry import OximetryMetrics
from dsp.reported import PERHAPS_AGAIN
from dsp.result import Result
from gateway.analysis.ward_operators import EachDevice, channel, seconds
from gateway.intake.arrived import Arrived

CHANNELS = ("spo2", "pulse_rate", "perfusion", "status", "sensor_status", "age")
"""As `OximetryMetrics.add` takes them."""


class OximetryOfDevice:
    """What one oximeter measures."""

    def __init__(self) -> None:
        self._oximetry = OximetryMetrics()

    def process(self, arrived: Arrived) -> list[Result]:
        """Take measurements."""
        undated = (arrived.flags & Flag.UNDATED) != 0
        at_s = seconds(arrived)
        results = self._oximetry.add(at_s, **{name: channel(arrived, name) for name in CHANNELS}, undated=undated)
        again = set(at_s[(arrived.flags & Flag.PERHAPS_AGAIN) != 0].tolist())
        return [result.doubted(PERHAPS_AGAIN) if result.end_s in again else result for result in results]


class OximetryOperators(EachDevice):
    """Oximeters of a ward."""

    operator: ClassVar = OximetryOfDevice
