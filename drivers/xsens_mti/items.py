"""What stands in a data message (MTData2): items of ``identifier size data``, in four number formats and three frames.

The lowest digit of an identifier says how its numbers are written (bits 0 and 1) and in which frame an orientation is
(bits 2 and 3). Some items are whole numbers whatever that digit says: a barometer that was asked for doubles sends
32 bits all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError

KIND: Final = 0xF8F0  # of an identifier: what it is, without format and frame; bits 8 to 10 are reserved
FORMAT, FRAME = 0x3, 0xC
FLOAT32, FP12_20, FP16_32, FLOAT64 = range(4)
ENU, NED, NWU = 0x0, 0x4, 0x8

TEMPERATURE: Final = 0x0810
UTC_TIME, COUNTER, TIME_FINE, TIME_COARSE = 0x1010, 0x1020, 0x1060, 0x1070
QUATERNION, MATRIX, EULER = 0x2010, 0x2020, 0x2030
PRESSURE: Final = 0x3010
DELTA_V, ACCELERATION, FREE_ACCELERATION, ACCELERATION_HR = 0x4010, 0x4020, 0x4030, 0x4040
ALTITUDE, POSITION_ECEF, LAT_LON = 0x5020, 0x5030, 0x5040
RATE_OF_TURN, DELTA_Q, RATE_OF_TURN_HR = 0x8020, 0x8030, 0x8040
MAGNETIC_FIELD: Final = 0xC020
VELOCITY: Final = 0xD010
STATUS_BYTE, STATUS_WORD = 0xE010, 0xE020

REALS: Final = {
    TEMPERATURE: 1, QUATERNION: 4, MATRIX: 9, EULER: 3, DELTA_V: 3, ACCELERATION: 3, FREE_ACCELERATION: 3,
    ACCELERATION_HR: 3, ALTITUDE: 1, POSITION_ECEF: 3, LAT_LON: 2, RATE_OF_TURN: 3, DELTA_Q: 4, RATE_OF_TURN_HR: 3,
    MAGNETIC_FIELD: 3, VELOCITY: 3,
}  # fmt: skip
"""How many numbers the items with a number format have."""

WHOLE: Final = {COUNTER: 2, TIME_FINE: 4, TIME_COARSE: 4, PRESSURE: 4, STATUS_BYTE: 1, STATUS_WORD: 4}
"""How many bytes the items have that are one whole number."""

_FIXED_48 = np.dtype([("fraction", ">u4"), ("whole", ">i2")])
_NUMBERS: Final = {
    FLOAT32: np.dtype(">f4"),
    FP12_20: np.dtype(">i4"),
    FP16_32: _FIXED_48,
    FLOAT64: np.dtype(">f8"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a data message.

    Attributes:
        id: Identifier as sent.
        at: Where its data begin in the data of the message.
        size: How many bytes they are.
    """

    id: int
    at: int
    size: int

    @property
    def kind(self) -> int:
        """The identifier without format and frame."""
        return self.id & KIND

    @property
    def known(self) -> bool:
        """Whether it is of a kind that is read here, and as long as one is."""
        if (count := REALS.get(self.kind)) is not None:
            return self.size == count * self.number.itemsize
        return WHOLE.get(self.kind) == self.size

    @property
    def number(self) -> np.dtype[np.generic]:
        """How its numbers are written."""
        return _NUMBERS[self.id & FORMAT]


def items(data: bytes) -> Iterator[Item]:
    """Yield the items of a data message; raises MalformedFrameError at one that does not end in it."""
    at = 0
    while at < len(data):
        if at + 3 > len(data) or at + 3 + data[at + 2] > len(data):
            raise MalformedFrameError("truncated item of a data message")
        yield Item(data[at] << 8 | data[at + 1], at + 3, data[at + 2])
        at += 3 + data[at + 2]


def record_of(size: int, own: Iterable[Item]) -> np.dtype[np.void]:
    """Return the structured type of so many bytes that hold these items, named by their kind."""
    names, formats, offsets = [], [], []
    for item in own:
        count = REALS.get(item.kind)
        names.append(str(item.kind))
        formats.append((item.number, (count,)) if count is not None else np.dtype(f">u{item.size}"))
        offsets.append(item.at)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


def reals(records: NDArray[np.void], item: Item) -> NDArray[Any]:
    """Return the numbers (n, count) of one item of messages that are laid out alike, in some type of real numbers."""
    block = records[str(item.kind)]
    match item.id & FORMAT:
        case 1:
            return block / float(1 << 20)
        case 2:
            return block["whole"] + block["fraction"] / float(1 << 32)
        case _:
            return block


def whole(records: NDArray[np.void], item: Item) -> NDArray[np.int64]:
    """Return the whole numbers (n,) of one item of messages that are laid out alike."""
    return records[str(item.kind)].astype(np.int64)
