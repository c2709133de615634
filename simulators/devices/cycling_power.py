"""A power meter: Bluetooth SIG Cycling Power Service 1.1 (0x1818), with balance, turns of the crank and energy."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar

from simulators.body.exercise import Exercise
from simulators.devices.cycling_speed import moment
from simulators.devices.periodic import PeriodicDevice
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub

LEFT_SHARE_PCT = 47.5
_HAS_BALANCE, _OF_LEFT, _HAS_CRANK, _HAS_ENERGY = 0x0001, 0x0002, 0x0020, 0x0800


def encode_measurement(power_w: float, left_pct: float, crank: tuple[int, float], energy_kj: float) -> bytes:
    """Return a Cycling Power Measurement (section 3.2)."""
    return struct.pack(
        "<HhBHHH", _HAS_BALANCE | _OF_LEFT | _HAS_CRANK | _HAS_ENERGY, round(power_w), round(2 * left_pct),
        crank[0] & 0xFFFF, moment(crank[1]), round(energy_kj),
    )  # fmt: skip


class PowerMeter(PeriodicDevice):
    """A simulated power meter.

    Args:
        exercise: What the rider does.
    """

    service: ClassVar[int] = 0x1818
    measurement: ClassVar[str] = "2A63"
    model: ClassVar[str] = "Power"

    def __init__(self, *, name: str, timeline: Timeline, hub: Hub, address: str, exercise: Exercise) -> None:
        super().__init__(name=name, timeline=timeline, hub=hub, address=address)
        self._exercise = exercise

    def records(self, now_s: float) -> Sequence[bytes]:
        """Return the measurement of a moment."""
        exercise = self._exercise
        power_w = exercise.power_w if exercise.works(now_s) else 0.0
        energy_kj = exercise.power_w * exercise.lasted_s(now_s) / 1000.0
        return [encode_measurement(power_w, LEFT_SHARE_PCT, exercise.crank(now_s), energy_kj)]
