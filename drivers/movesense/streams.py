"""What a Movesense can stream: names as in a configuration, the resources behind them, and their references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from drivers.movesense.messages import ECG_MV_A_COUNT, MV
from drivers.packet import StreamSpec

STEPS_A_MS: Final = 1024
TICK_HZ: Final = 1000.0 * STEPS_A_MS
TICK_BITS: Final = 42
"""Stamps are 32 bits of milliseconds, of the first sample of a notification: they go round after 49.7 days. Ticks are
those with ten binary places behind them, for the samples between two stamps, and go round as they do."""

MOTION_HZ: Final = (13, 26, 52, 104, 208, 416, 833, 1666)
ECG_HZ: Final = (125, 128, 200, 250, 256, 500, 512)

_DEGREE = np.pi / 180
_ACC, _GYR, _MAG = (tuple(f"{name}_{axis}" for axis in "xyz") for name in ("acc", "gyr", "mag"))
_ACC_UNITS, _GYR_UNITS, _MAG_UNITS = ("m/s2",) * 3, ("rad/s",) * 3, ("uT",) * 3
_ACC_LIMIT, _GYR_LIMIT, _MAG_LIMIT = (320.0,) * 3, (70.0,) * 3, (10_000.0,) * 3  # twice the widest ranges


class Source(NamedTuple):
    """Something that may be subscribed to.

    Attributes:
        reference: Number of its subscription.
        path: Of its resource; ``{rate}`` stands for the rate.
        stream: What it is called in the gateway.
        channels: Of the stream.
        units: Of the channels.
        scale: From the wire's units, by channel.
        limits: Largest magnitudes that the sensor can mean.
        rates: Which there are; none of what comes when it comes.
        rate_hz: Unless the configuration says otherwise.
    """

    reference: int
    path: str
    stream: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    scale: tuple[float, ...]
    limits: tuple[float, ...]
    rates: tuple[int, ...] = MOTION_HZ
    rate_hz: int = 104

    def spec(self, rate_hz: float) -> StreamSpec:
        """Return the stream at a rate; 0 for one that comes when it comes."""
        stamped = self.stream != "heart_rate"
        return StreamSpec(
            self.stream, self.channels, self.units, rate_hz or None, TICK_HZ if stamped else None,
            TICK_BITS if stamped else 32,
        )  # fmt: skip


_ONE, _TURN = (1.0,) * 3, (_DEGREE,) * 3
SOURCES: Final[Mapping[str, Source]] = {
    "imu": Source(
        1, "/Meas/IMU6/{rate}", "imu", _ACC + _GYR, _ACC_UNITS + _GYR_UNITS, _ONE + _TURN, _ACC_LIMIT + _GYR_LIMIT
    ),
    "imu9": Source(
        2, "/Meas/IMU9/{rate}", "imu", _ACC + _GYR + _MAG, _ACC_UNITS + _GYR_UNITS + _MAG_UNITS, _ONE + _TURN + _ONE,
        _ACC_LIMIT + _GYR_LIMIT + _MAG_LIMIT,
    ),
    "acceleration": Source(3, "/Meas/Acc/{rate}", "acceleration", _ACC, _ACC_UNITS, _ONE, _ACC_LIMIT),
    "rotation": Source(4, "/Meas/Gyro/{rate}", "rotation", _GYR, _GYR_UNITS, _TURN, _GYR_LIMIT),
    "magnetic_field": Source(5, "/Meas/Magn/{rate}", "magnetic_field", _MAG, _MAG_UNITS, _ONE, _MAG_LIMIT),
    "ecg": Source(
        6, "/Meas/ECG/{rate}", "ecg", ("ecg_1",), ("mV",), (ECG_MV_A_COUNT,), (2.0**31,), ECG_HZ, 200
    ),
    "ecg_mv": Source(7, "/Meas/ECG/{rate}/mV", "ecg", ("ecg_1",), ("mV",), (MV,), (2.0**31,), ECG_HZ, 200),
    "heart_rate": Source(8, "/Meas/HR", "heart_rate", ("heart_rate",), ("/min",), (1.0,), (65_535.0,), (), 0),
    "sensor_temperature": Source(
        9, "/Meas/Temp", "sensor_temperature", ("temperature",), ("Cel",), (1.0,), (1000.0,), (), 0
    ),
}  # fmt: skip
KELVIN: Final = 273.15
BY_DEFAULT: Final = ("imu", "heart_rate")
"""What is measured by: walking, wherever it is worn, and a heart where it sits on a strap."""
