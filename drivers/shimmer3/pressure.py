"""Air pressure and temperature from the raw words of the Bosch sensors that Shimmers have, by their data sheets."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from drivers.errors import MalformedFrameError
from drivers.packet import Samples, Ticks
from drivers.shimmer3.protocol import BMP180_REPLY, BMP280_REPLY, PRESSURE_REPLY

BMP180, BMP280, BMP390, BMP581 = 0, 1, 2, 3
COEFFICIENT_BYTES: Final = {BMP180: 22, BMP280: 24, BMP390: 21, BMP581: 0}
_BLANK = (b"\x00", b"\x01", b"\xff")  # what firmware answers in place of coefficients that it does not have


@dataclass(frozen=True, slots=True)
class Barometer:
    """One sensor.

    Attributes:
        kind: Which, as the firmware numbers them.
        coefficients: As the maker stored them in it.
        oversampling: Setting of a BMP180 (0 to 3).
    """

    kind: int
    coefficients: bytes
    oversampling: int = 0

    def measure(self, temperature: Ticks, pressure: Ticks) -> tuple[Samples, Samples]:
        """Return degrees Celsius and pascals (n,) of raw words; NaN where a formula has no result."""
        raw = temperature.astype(np.float64), pressure.astype(np.float64)
        with np.errstate(all="ignore"):  # coefficients that make no sense
            celsius, pascals = self._formula(*raw)
        return _finite(celsius), _finite(pascals)

    def _formula(self, temperature: Samples, pressure: Samples) -> tuple[Samples, Samples]:
        if self.kind == BMP180:
            return _bmp180(self.coefficients, self.oversampling, temperature, pressure)
        if self.kind == BMP280:
            return _bmp280(self.coefficients, temperature, pressure)
        if self.kind == BMP390:
            return _bmp390(self.coefficients, temperature, pressure)
        return temperature / 65536.0, pressure / 64.0  # a BMP581 has done it itself


def parse_barometer(reply: bytes) -> Barometer:
    """Read the reply to 0xA7, or to the questions of older firmware; raises MalformedFrameError."""
    kind = reply[:1]
    if kind == bytes((PRESSURE_REPLY,)):
        if len(reply) < 3 or len(reply) != 2 + reply[1]:
            raise MalformedFrameError("pressure coefficients of wrong length")
        return _barometer(reply[2], reply[3:])
    if kind == bytes((BMP280_REPLY,)):
        return _barometer(BMP280, reply[1:])
    if kind == bytes((BMP180_REPLY,)):
        return _barometer(BMP180, reply[1:])
    raise MalformedFrameError("unexpected reply")


def _barometer(kind: int, coefficients: bytes) -> Barometer:
    size = COEFFICIENT_BYTES.get(kind)
    if size is None:
        raise MalformedFrameError("a pressure sensor that is not known")
    if len(coefficients) != size:
        raise MalformedFrameError("pressure coefficients of wrong length")
    if size and any(coefficients == blank * size for blank in _BLANK):
        raise MalformedFrameError("no pressure coefficients")
    return Barometer(kind, coefficients)


def _finite(values: Samples) -> Samples:
    return np.where(np.isfinite(values), values, np.nan)


def _bmp180(data: bytes, oversampling: int, ut: Samples, up: Samples) -> tuple[Samples, Samples]:
    """Of the BMP180; the pressure word has its bits at the upper end of 24."""
    ac1, ac2, ac3, ac4, ac5, ac6, b1, b2, _, mc, md = struct.unpack(">hhhHHHhhhhh", data)
    x1 = (ut - ac6) * ac5 / 2**15
    b5 = x1 + mc * 2**11 / (x1 + md)
    b6 = b5 - 4000.0
    b3 = ((ac1 * 4 + b2 * (b6**2 / 2**12) / 2**11 + ac2 * b6 / 2**11) * 2**oversampling + 2.0) / 4.0
    x3 = (ac3 * b6 / 2**13 + b1 * (b6**2 / 2**12) / 2**16 + 2.0) / 4.0
    b4 = ac4 * (x3 + 2**15) / 2**15
    p = (up / 2 ** (8 - oversampling) - b3) * (50000 >> oversampling) * 2.0 / b4
    p = p + ((p / 2**8) ** 2 * 3038 / 2**16 - 7357 * p / 2**16 + 3791) / 16.0
    return (b5 + 8.0) / 160.0, p


def _bmp280(data: bytes, ut: Samples, up: Samples) -> tuple[Samples, Samples]:
    """Of the BMP280; the temperature word lacks its lowest four bits, the pressure word has four too many."""
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9 = struct.unpack("<HhhHhhhhhhhh", data)
    ut, up = ut * 16.0, up / 16.0
    fine = (ut / 16384.0 - t1 / 1024.0) * t2 + (ut / 131072.0 - t1 / 8192.0) ** 2 * t3
    var1 = fine / 2.0 - 64000.0
    var2 = (var1**2 * p6 / 32768.0 + var1 * p5 * 2.0) / 4.0 + p4 * 65536.0
    var1 = (1.0 + (p3 * var1**2 / 524288.0 + p2 * var1) / 524288.0 / 32768.0) * p1
    p = (1048576.0 - up - var2 / 4096.0) * 6250.0 / var1
    return fine / 5120.0, p + (p9 * p**2 / 2.0**31 + p * p8 / 32768.0 + p7) / 16.0


def _bmp390(data: bytes, ut: Samples, up: Samples) -> tuple[Samples, Samples]:
    """Of the BMP390."""
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11 = struct.unpack("<HHbhhbbHHbbhbb", data)
    away = ut - t1 * 2.0**8
    t = away * t2 / 2.0**30 + away**2 * t3 / 2.0**48
    offset = p5 * 2.0**3 + p6 / 2.0**6 * t + p7 / 2.0**8 * t**2 + p8 / 2.0**15 * t**3
    slope = (p1 - 2**14) / 2.0**20 + (p2 - 2**14) / 2.0**29 * t + p3 / 2.0**32 * t**2 + p4 / 2.0**37 * t**3
    bend = (p9 / 2.0**48 + p10 / 2.0**48 * t) * up**2 + p11 / 2.0**65 * up**3
    return t, offset + up * slope + bend
