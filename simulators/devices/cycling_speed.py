"""A speed and cadence sensor of a bike: Bluetooth SIG Cycling Speed and Cadence Service 1.0 (0x1816)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar

from simulators.body.exercise import Exercise
from simulators.devices.periodic import PeriodicDevice
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub

TICK_HZ = 1024.0
_HAS_WHEEL, _HAS_CRANK = 0x01, 0x02


def moment(at_s: float, tick_hz: float = TICK_HZ) -> int:
    """Return a moment as 16 bits, which go round."""
    return round(at_s * tick_hz) & 0xFFFF


def encode_measurement(wheel: tuple[int, float], crank: tuple[int, float]) -> bytes:
    """Return a CSC Measurement (section 3.1): turns, and when the last one was, of wheel and crank."""
    return struct.pack(
        "<BIHHH", _HAS_WHEEL | _HAS_CRANK, wheel[0] & 0xFFFFFFFF, moment(wheel[1]), crank[0] & 0xFFFF, moment(crank[1])
    )


class CadenceSensor(PeriodicDevice):
    """A simulated sensor at wheel and crank.

    Args:
        exercise: What the rider does.
        turned: How often wheel and crank have turned before: counters go round.
    """

    service: ClassVar[int] = 0x1816
    measurement: ClassVar[str] = "2A5B"
    model: ClassVar[str] = "Cadence"

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, exercise: Exercise, turned: int = 65530
    ) -> None:
        super().__init__(name=name, timeline=timeline, hub=hub, address=address)
        self._exercise = exercise
        self._turned = turned

    def records(self, now_s: float) -> Sequence[bytes]:
        """Return the counters of a moment."""
        wheel, crank = self._exercise.wheel(now_s), self._exercise.crank(now_s)
        return [encode_measurement((wheel[0] + self._turned, wheel[1]), (crank[0] + self._turned, crank[1]))]
