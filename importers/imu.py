"""Rows of an inertial sensor to the measurements of a Movella DOT (mode ``rate``), which a recording can hold."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

TICK_HZ: Final = 1_000_000
TICK_MASK: Final = 0xFFFFFFFF
_PAYLOAD = struct.Struct("<I6f")  # microseconds, acceleration in m/s2, rate of turn in deg/s
_RATE_AT, _CONTROL_BYTES = 24, 32
DEGREES: Final = 180.0 / math.pi


def control(rate_hz: int) -> bytes:
    """Return what the device control characteristic says of a rate."""
    return struct.pack("<H", rate_hz).rjust(_RATE_AT + 2, b"\0").ljust(_CONTROL_BYTES, b"\0")


def measurement(time_s: float, values: Sequence[float]) -> bytes | None:
    """Return a measurement of acceleration (m/s2) and rate of turn (rad/s); None where one of them is missing."""
    if any(map(math.isnan, values)):
        return None
    turning = [value * DEGREES for value in values[3:]]
    return _PAYLOAD.pack(round(time_s * TICK_HZ) & TICK_MASK, *values[:3], *turning)
