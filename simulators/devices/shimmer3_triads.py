"""Inertial sensors of a Shimmer3 and a 3R: how a quantity becomes raw counts, and how that is announced.

Ranges, sensitivities and mountings of the vendor's default calibration.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

INT16_MAX = 32767
DEG = 180.0 / math.pi

Quantity = Literal["acc", "gyr", "mag"]
Rows = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Triad:
    """A sensor of three axes: how a quantity becomes raw counts, and how that is announced.

    Attributes:
        quantity: What it measures.
        sensors: Bit of the sensor in the command that chooses sensors, little-endian.
        channels: Channel numbers of x, y and z.
        big: Whether counts are big-endian on the wire.
        sensitivity: Counts for one unit (m/s^2, deg/s or gauss).
        stored_scale: Factor by which the stored sensitivity is larger, as the firmware keeps it in whole numbers.
        alignment: Rows of the matrix from the body's axes to the chip's, as mounted on the board.
        offset: Counts at nought.
        bits: That are filled; of fewer than 16 the upper ones.
    """

    quantity: Quantity
    sensors: int
    channels: tuple[int, int, int]
    big: bool
    sensitivity: float
    stored_scale: int
    alignment: Rows
    offset: int = 0
    bits: int = 16

    def counts(self, value: Sequence[float]) -> bytes:
        """Return the raw counts of a value of three axes in the announced unit, cut at the ends of the range.

        In plain numbers, since a device sends a sample or two at a time.
        """
        raw = [
            round(sum(share * part for share, part in zip(row, value, strict=True)) * self.sensitivity) + self.offset
            for row in self.alignment
        ]
        empty = 16 - self.bits
        top = INT16_MAX >> empty
        return struct.pack(">3h" if self.big else "<3h", *(max(-top - 1, min(top, count)) << empty for count in raw))

    def calibration(self) -> bytes:
        """Return the 21 bytes that announce offset, sensitivity and alignment."""
        stored = round(self.sensitivity * self.stored_scale)
        rows = [100 * entry for row in self.alignment for entry in row]
        return struct.pack(">3h3h9b", *[self.offset] * 3, stored, stored, stored, *rows)


_BOARD: Final[Rows] = ((-1, 0, 0), (0, 1, 0), (0, 0, -1))
_CROSSED: Final[Rows] = ((0, -1, 0), (-1, 0, 0), (0, 0, -1))

# A Shimmer3, at 8 g, 500 deg/s and 1.3 gauss.
ACCELERATION = Triad("acc", 0x001000, (0x04, 0x05, 0x06), False, 408.0, 1, _BOARD)
ANGULAR_RATE = Triad("gyr", 0x000040, (0x0A, 0x0B, 0x0C), True, 65.5, 100, _CROSSED)
MAGNETIC = Triad("mag", 0x000020, (0x07, 0x08, 0x09), False, 1100.0, 1, _BOARD)
FIRST_MAGNETIC = Triad("mag", 0x000020, (0x07, 0x09, 0x08), True, 1100.0, 1, ((-1, 0, 0), (0, 0, -1), (0, 1, 0)))
"""Of the first units (LSM303DLHC): x, z, y, high byte first."""
LOW_NOISE_CALIBRATION = struct.pack(">3h3h9b", 2047, 2047, 2047, 83, 83, 83, 0, -100, 0, -100, 0, 0, 0, 0, -100)
CONFIGURATION = bytes([2 << 2, 0xFF, (1 << 5) | 1, 0x08])  # 8 g; mag gain 1, 500 deg/s; GSR range by itself

# A Shimmer3R, at 8 g (both), 500 deg/s and 4 gauss.
LOW_NOISE_3R = Triad("acc", 0x000080, (0x00, 0x01, 0x02), False, 418.0, 1, _BOARD)
ANGULAR_RATE_3R = Triad("gyr", 0x000040, (0x0A, 0x0B, 0x0C), False, 57.0, 100, _BOARD)
MAGNETIC_3R = Triad("mag", 0x000020, (0x07, 0x08, 0x09), False, 667.0, 1, ((-1, 0, 0), (0, -1, 0), (0, 0, -1)))
ACCELERATION_3R = Triad("acc", 0x001000, (0x04, 0x05, 0x06), False, 418.0, 1, _CROSSED)
HIGH_G_3R = Triad(
    "acc", 0x400000, (0x14, 0x15, 0x16), True, 1.0, 1, ((0, 1, 0), (1, 0, 0), (0, 0, -1)), offset=10, bits=12
)
SECOND_MAGNETIC_3R = Triad("mag", 0x200000, (0x17, 0x18, 0x19), False, 6842.0, 1, ((1, 0, 0), (0, -1, 0), (0, 0, -1)))
CONFIGURATION_3R = bytes([2 << 2, 0xFF, 2, 2 << 6 | 0x08, 0, 0, 0])
