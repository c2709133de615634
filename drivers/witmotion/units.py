"""What the counts of a WitMotion sensor are worth, over Bluetooth and over a serial port alike.

Acceleration is specific force: a sensor that lies still shows 1 g upwards.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Flag, Samples, StreamSpec

FULL: Final = 32768
G_RANGE: Final = 16.0
DEGREES_S_RANGE: Final = 2000.0
DEGREES_RANGE: Final = 180.0
ENDS: Final = (-FULL, FULL - 1)  # a count there is a sensor at the end of its range
STANDARD_GRAVITY: Final = 9.80665  # m/s2
MICROTESLA_A_COUNT: Final = 0.1  # the manual calls counts milligauss
CELSIUS_A_COUNT: Final = 0.01
VOLTS_A_COUNT: Final = 0.01

_DEGREE = np.pi / 180
ACC_SCALE: Final = G_RANGE / FULL * STANDARD_GRAVITY
GYR_SCALE: Final = DEGREES_S_RANGE / FULL * _DEGREE
ANGLE_SCALE: Final = DEGREES_RANGE / FULL * _DEGREE

RATES_HZ: Final = {0x03: 1.0, 0x04: 2.0, 0x05: 5.0, 0x06: 10.0, 0x07: 20.0, 0x08: 50.0, 0x09: 100.0, 0x0B: 200.0}
"""Output rates by the code of register 03."""

IMU_CHANNELS: Final = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
IMU_UNITS: Final = ("m/s2",) * 3 + ("rad/s",) * 3
FIELD: Final = StreamSpec("magnetic_field", ("mag_x", "mag_y", "mag_z"), ("uT",) * 3)
TEMPERATURE: Final = StreamSpec("sensor_temperature", ("temperature",), ("Cel",))

FULL_FROM_V: Final = 3.96
LEVELS: Final = (
    (FULL_FROM_V, 100), (3.93, 90), (3.87, 75), (3.82, 60), (3.79, 50), (3.77, 40), (3.73, 30), (3.70, 20), (3.68, 15),
    (3.50, 10), (3.40, 5),
)  # fmt: skip
"""From so many volts on, so many percent: the steps in which the vendor's programs show one lithium cell."""


def imu(rate_hz: float | None) -> StreamSpec:
    """Return the stream of acceleration and rate of turn."""
    return StreamSpec("imu", IMU_CHANNELS, IMU_UNITS, rate_hz)


def imu_samples(counts: NDArray[Any]) -> Samples:
    """Return (n, 6) m/s2 and rad/s of counts (n, 6): acceleration, then rate of turn."""
    found = np.empty((len(counts), 6))
    np.multiply(counts[:, :3], ACC_SCALE, out=found[:, :3])
    np.multiply(counts[:, 3:], GYR_SCALE, out=found[:, 3:])
    return found


def imu_flags(counts: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (n,) flags of counts (n, 6): nothing tells of a loss, and an end of a range is one."""
    clipped = ((counts == ENDS[0]) | (counts == ENDS[1])).any(axis=1)
    return np.where(clipped, np.uint8(Flag.LOSS_UNKNOWN | Flag.CLIPPED), np.uint8(Flag.LOSS_UNKNOWN))


def percent(volts: float) -> float:
    """Return the level of the battery at a voltage, percent, in the vendor's steps."""
    return next((float(level) for least, level in LEVELS if volts >= least), 0.0)
