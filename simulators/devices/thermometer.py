"""A thermometer: Bluetooth SIG Health Thermometer Service 1.0 (0x1809)."""

from __future__ import annotations

from typing import ClassVar

from simulators.devices.common import date_time
from simulators.devices.ieee11073 import float32
from simulators.devices.periodic import UsedDevice

EAR = 3
_HAS_TIME, _HAS_TYPE = 0x02, 0x04


def encode_measurement(celsius: float, time: bytes) -> bytes:
    """Return a Temperature Measurement (section 3.1) of an ear."""
    return bytes([_HAS_TIME | _HAS_TYPE]) + float32(celsius, 2) + time + bytes([EAR])


class Thermometer(UsedDevice):
    """A simulated thermometer; what is measured are degrees Celsius."""

    service: ClassVar[int] = 0x1809
    measurement: ClassVar[str] = "2A1C"
    model: ClassVar[str] = "Thermometer"

    def record(self, at_s: float, value: float) -> bytes:
        """Return one temperature."""
        return encode_measurement(value, date_time(at_s))
