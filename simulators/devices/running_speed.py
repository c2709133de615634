"""A foot pod: Bluetooth SIG Running Speed and Cadence Service 1.0 (0x1814)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar

from simulators.body.exercise import Exercise
from simulators.devices.periodic import PeriodicDevice
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub

RUNNING_FROM_MPS = 2.0
_HAS_STRIDE, _HAS_DISTANCE, _RUNNING = 0x01, 0x02, 0x04


def encode_measurement(speed_mps: float, cadence: float, stride_m: float, distance_m: float) -> bytes:
    """Return an RSC Measurement (section 3.1) with stride length and distance."""
    flags = _HAS_STRIDE | _HAS_DISTANCE | (_RUNNING if speed_mps >= RUNNING_FROM_MPS else 0)
    return struct.pack(
        "<BHBHI", flags, round(speed_mps * 256), round(cadence), round(stride_m * 100), round(distance_m * 10)
    )


class FootPod(PeriodicDevice):
    """A simulated foot pod.

    Args:
        exercise: What the wearer does.
    """

    service: ClassVar[int] = 0x1814
    measurement: ClassVar[str] = "2A53"
    model: ClassVar[str] = "Foot pod"

    def __init__(self, *, name: str, timeline: Timeline, hub: Hub, address: str, exercise: Exercise) -> None:
        super().__init__(name=name, timeline=timeline, hub=hub, address=address)
        self._exercise = exercise

    def records(self, now_s: float) -> Sequence[bytes]:
        """Return the measurement of a moment."""
        exercise, works = self._exercise, self._exercise.works(now_s)
        cadence = exercise.cadence if works else 0.0
        stride_m = 2 * 60.0 * exercise.speed_mps / cadence if cadence else 0.0
        return [encode_measurement(exercise.speed(now_s), cadence, stride_m, exercise.distance_m(now_s))]
