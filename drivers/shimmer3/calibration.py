"""Shimmer3 calibration: raw counts to m/s^2, rad/s and magnetic field, cal = A^-1 K^-1 (raw - b).

The device stores offset b, sensitivity K and alignment A of four sensors, a Shimmer3R of six. A sensor that was never
calibrated has all bytes 0xFF or 0 there; then the nominal constants of the vendor's software for its range are used.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.packet import Samples
from drivers.shimmer3.channels import SHIMMER3R
from drivers.shimmer3.protocol import (
    CALIBRATION_BYTES,
    CALIBRATION_BYTES_3R,
    CALIBRATION_REPLY,
    Inquiry,
    body,
)

Matrix = NDArray[np.float64]

LOW_NOISE, GYRO, MAG, WIDE_RANGE = "acc_ln", "gyr", "mag", "acc_wr"
HIGH_G, SECOND_MAG = "acc_hg", "mag_wr"  # of a Shimmer3R
ORDER = (LOW_NOISE, GYRO, MAG, WIDE_RANGE)  # in the reply
ORDER_3R = (*ORDER, HIGH_G, SECOND_MAG)

_SENSOR_BYTES = 21
_GYRO_STORED_FACTOR = 100.0  # sensitivities below 327 LSB/(deg/s) are stored times 100, to keep two decimals
_ALIGNMENT_STORED_FACTOR = 100.0
_SMALLEST_DETERMINANT = 0.1  # of an alignment: three axes that lie nearly in a plane were never measured
_DEGREE = np.pi / 180


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one sensor.

    Attributes:
        offset: (3,) b, counts.
        matrix: (3, 3) A^-1 K^-1, SI units a count.
    """

    offset: Matrix
    matrix: Matrix

    def apply(self, raw: Samples) -> Samples:
        """Return calibrated (n, 3) of raw (n, 3)."""
        return calibrate(raw, self.offset[None], self.matrix[None])


def calibrate(raw: Samples, offset: Matrix, matrix: Matrix) -> Samples:
    """Return calibrated (..., 3) of raw (..., 3), with an offset (..., 3) and a matrix (..., 3, 3) for each row.

    Column by column rather than as a matrix product, whose rounding would depend on how many rows it gets.
    """
    x, y, z = np.split(raw - offset, 3, axis=-1)
    return matrix[..., 0] * x + matrix[..., 1] * y + matrix[..., 2] * z


def calibration(offset: Matrix, sensitivity: Matrix, alignment: Matrix, *, unit: float = 1.0) -> Calibration:
    """Return a calibration to SI; ``unit`` is what one unit of the sensitivity's denominator is in SI.

    Raises:
        MalformedFrameError: when it cannot be inverted.
    """
    if not (sensitivity > 0).all() or abs(np.linalg.det(alignment)) < _SMALLEST_DETERMINANT:
        raise MalformedFrameError("calibration that cannot be inverted")
    return Calibration(offset, np.linalg.inv(alignment) * (unit / sensitivity))


def parse_calibration(reply: bytes) -> Mapping[str, Calibration]:
    """Read the reply to 0x2C; sensors that were never calibrated are absent.

    Raises:
        MalformedFrameError: when the reply is cut.
    """
    more = len(reply) > 1 + CALIBRATION_BYTES
    data = body(reply, CALIBRATION_REPLY, CALIBRATION_BYTES_3R if more else CALIBRATION_BYTES)
    found = {}
    for at, sensor in enumerate(ORDER_3R if more else ORDER):
        part = data[at * _SENSOR_BYTES :][:_SENSOR_BYTES]
        try:
            found[sensor] = _sensor(part, sensor)
        except MalformedFrameError:
            continue
    return found


def _sensor(part: bytes, sensor: str) -> Calibration:
    numbers = np.array(struct.unpack(">6h9b", part), np.float64)
    offset, sensitivity, alignment = numbers[:3], numbers[3:6], numbers[6:].reshape(3, 3) / _ALIGNMENT_STORED_FACTOR
    if sensor == GYRO:
        return calibration(offset, sensitivity / _GYRO_STORED_FACTOR, alignment, unit=_DEGREE)
    return calibration(offset, sensitivity, alignment)


_LOW_NOISE_ALIGNMENT = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])  # also the gyroscope's
_WIDE_RANGE_ALIGNMENT = np.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])  # also the magnetometer's

_LOW_NOISE_OFFSET, _LOW_NOISE_LSB = 2253.0, 92.0  # KXTC9-2050, LSB/(m/s^2)
_WIDE_RANGE_LSB = (1631.0, 815.0, 408.0, 135.0)  # LSM303DLHC at 2, 4, 8, 16 g, LSB/(m/s^2)
_GYRO_LSB = (131.0, 65.5, 32.8, 16.4)  # MPU9x50 at 250, 500, 1000, 2000 deg/s, LSB/(deg/s)
_MAG_LSB = (  # LSM303DLHC by gain setting, LSB/gauss for x, y and for z; setting 0 is the LSM303AHTR
    (667.0, 667.0), (1100.0, 980.0), (855.0, 760.0), (670.0, 600.0),
    (450.0, 400.0), (400.0, 355.0), (330.0, 295.0), (230.0, 205.0),
)  # fmt: skip

_TURNED_ALIGNMENT = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
_HIGH_G_ALIGNMENT = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
_SECOND_MAG_ALIGNMENT = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
_LOW_NOISE_LSB_3R = (1672.0, 836.0, 418.0, 209.0)  # LSM6DSV at 2, 4, 8, 16 g, LSB/(m/s^2)
_WIDE_RANGE_LSB_3R = (1671.0, 836.0, 418.0, 209.0)  # LIS2DW12 likewise
_GYRO_LSB_3R = (229.0, 114.0, 57.0, 29.0, 14.0, 7.0)  # LSM6DSV at 125 to 4000 deg/s, LSB/(deg/s)
_HIGH_G_OFFSET, _HIGH_G_LSB = 10.0, 1.0197  # ADXL371: 100 mg a count
_MAG_LSB_3R = 667.0  # LIS2MDL, LSB/gauss
_SECOND_MAG_LSB_3R = (6842.0, 3421.0, 2281.0, 1711.0)  # LIS3MDL at 4, 8, 12, 16 gauss, LSB/gauss


def nominal(inquiry: Inquiry) -> Mapping[str, Calibration]:
    """Return constants for the ranges that the device is set to, for sensors that were never calibrated."""
    if inquiry.hardware == SHIMMER3R:
        return _nominal_3r(inquiry)
    zero, xy_z = np.zeros(3), _MAG_LSB[inquiry.mag_gain]
    wide, gyro = _WIDE_RANGE_LSB[inquiry.wide_range], _GYRO_LSB[inquiry.gyro_range]
    return {
        LOW_NOISE: calibration(np.full(3, _LOW_NOISE_OFFSET), np.full(3, _LOW_NOISE_LSB), _LOW_NOISE_ALIGNMENT),
        WIDE_RANGE: calibration(zero, np.full(3, wide), _WIDE_RANGE_ALIGNMENT),
        GYRO: calibration(zero, np.full(3, gyro), _LOW_NOISE_ALIGNMENT, unit=_DEGREE),
        MAG: calibration(zero, np.array([xy_z[0], xy_z[0], xy_z[1]]), _WIDE_RANGE_ALIGNMENT),
    }


def _nominal_3r(inquiry: Inquiry) -> Mapping[str, Calibration]:
    """A setting that there is not is taken for the widest there is."""
    zero = np.zeros(3)
    gyro = _GYRO_LSB_3R[min(inquiry.gyro_range, len(_GYRO_LSB_3R) - 1)]
    second = _SECOND_MAG_LSB_3R[min(inquiry.mag_gain, len(_SECOND_MAG_LSB_3R) - 1)]
    low, wide = _LOW_NOISE_LSB_3R[inquiry.low_noise_range], _WIDE_RANGE_LSB_3R[inquiry.wide_range]
    return {
        LOW_NOISE: calibration(zero, np.full(3, low), _WIDE_RANGE_ALIGNMENT),
        WIDE_RANGE: calibration(zero, np.full(3, wide), _LOW_NOISE_ALIGNMENT),
        GYRO: calibration(zero, np.full(3, gyro), _WIDE_RANGE_ALIGNMENT, unit=_DEGREE),
        MAG: calibration(zero, np.full(3, _MAG_LSB_3R), _TURNED_ALIGNMENT),
        HIGH_G: calibration(np.full(3, _HIGH_G_OFFSET), np.full(3, _HIGH_G_LSB), _HIGH_G_ALIGNMENT),
        SECOND_MAG: calibration(zero, np.full(3, second), _SECOND_MAG_ALIGNMENT),
    }
