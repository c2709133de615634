"""The charge of devices: told when it changes."""

from __future__ import annotations

from typing import ClassVar

from dsp.result import Result
from gateway.analysis.ward_operators import INTAKE_ALGORITHM, EachDevice, channel
from gateway.intake.arrived import Arrived


class BatteryOfDevice:
    """The battery of one device."""

    def __init__(self) -> None:
        self._level: float | None = None

    def process(self, arrived: Arrived) -> list[Result]:
        """Take levels in percent; return the newest where it is another one than before."""
        level = float(channel(arrived, "level")[-1])
        if level == self._level:
            return []
        self._level = level
        at = arrived.timeline.newest_s
        return [Result("battery_pct", level, "none", at, at, 1, INTAKE_ALGORITHM)]


class BatteryOperators(EachDevice):
    """Batteries of a ward."""

    operator: ClassVar = BatteryOfDevice
