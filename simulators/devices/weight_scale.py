"""A scale: Bluetooth SIG Weight Scale Service 1.0 (0x181D)."""

from __future__ import annotations

import struct
from typing import ClassVar

from simulators.devices.common import date_time
from simulators.devices.periodic import UsedDevice

_HAS_TIME, _HAS_USER = 0x02, 0x04


def encode_measurement(kg: float, time: bytes, user: int) -> bytes:
    """Return a Weight Measurement (section 3.2) in kilograms."""
    return struct.pack("<BH", _HAS_TIME | _HAS_USER, round(kg * 200)) + time + bytes([user])


class WeightScale(UsedDevice):
    """A simulated scale with one user; weights in kg."""

    service: ClassVar[int] = 0x181D
    measurement: ClassVar[str] = "2A9D"
    model: ClassVar[str] = "Scale"

    def record(self, at_s: float, value: float) -> bytes:
        """Return one weight."""
        return encode_measurement(value, date_time(at_s), 1)
