"""A blood pressure monitor: Bluetooth SIG Blood Pressure Service 1.1 (0x1810)."""

from __future__ import annotations

import struct
from typing import ClassVar

from simulators.devices.common import date_time
from simulators.devices.ieee11073 import sfloat
from simulators.devices.periodic import UsedDevice

DIASTOLIC_SHARE, PULSE = 0.6, 68.0
_HAS_TIME, _HAS_PULSE, _HAS_STATUS = 0x02, 0x04, 0x10


def encode_measurement(systolic: float, diastolic: float, time: bytes, pulse: float, status: int) -> bytes:
    """Return a Blood Pressure Measurement (section 3.1) in mmHg; the mean is a third of the way up."""
    mean = diastolic + (systolic - diastolic) / 3
    pressures = b"".join(sfloat(value) for value in (systolic, diastolic, mean))
    return (
        bytes([_HAS_TIME | _HAS_PULSE | _HAS_STATUS]) + pressures + time + sfloat(pulse, 1) + struct.pack("<H", status)
    )


class BloodPressureMonitor(UsedDevice):
    """A simulated monitor; what is measured are systolic pressures in mmHg."""

    service: ClassVar[int] = 0x1810
    measurement: ClassVar[str] = "2A35"
    model: ClassVar[str] = "Cuff"

    def record(self, at_s: float, value: float) -> bytes:
        """Return one blood pressure."""
        return encode_measurement(value, round(DIASTOLIC_SHARE * value), date_time(at_s), PULSE, 0)
