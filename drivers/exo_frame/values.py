"""What stands in the limb parts of the open exoskeleton frame: bytes to numbers, of many samples at once.

A row is what the limb parts of one sample have behind their heads, back to back: of each side two bytes of the leg,
then twelve of each joint. All rows that are read together have the same sides and joints in the same order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEG = struct.Struct("<BB")
JOINT = struct.Struct("<Bb5h")
WORDS: Final = JOINT.size // 2

NO_I16, NO_I8, NO_U8 = -0x8000, -0x80, 0xFF
END_I16: Final = 0x7FFF  # at the end of the range: it may have been more
STEPS: Final = (100.0, 10.0, 100.0, 100.0, 100.0)
"""To a degree (angle), a degree/s (velocity) and a Nm (measured, commanded and interaction torque)."""
PHASE_STEPS: Final = 200  # of a stride

NO_LEG: Final = LEG.pack(NO_U8, NO_U8)  # a gait state that no version has: unlike 0, it is no word on the gait

MOST_SHAPES: Final = 32  # that are kept: up to four joints a side

STATE, PHASE, TEMPERATURE = 0, 0x100, 0x200
_BYTES: Final = np.full(0x300, np.nan)
"""The meaning of a byte, by what it is of (`STATE`, `PHASE`, `TEMPERATURE`) and its value."""
_BYTES[STATE : STATE + 3] = range(3)
_BYTES[PHASE : PHASE + PHASE_STEPS + 1] = np.arange(PHASE_STEPS + 1) / PHASE_STEPS
_BYTES[TEMPERATURE : TEMPERATURE + 0x80] = range(0x80)
_BYTES[TEMPERATURE + 0x81 : TEMPERATURE + 0x100] = range(NO_I8 + 1, 0)


def no_joint(number: int) -> bytes:
    """Return the bytes of a joint of which nothing is measured."""
    return JOINT.pack(number, NO_I8, *[NO_I16] * len(STEPS))


class Rows:
    """Reads rows of one shape: gait state and phase of each side first, then the six numbers of each joint.

    Args:
        joints: How many joints each side of a row has.
    """

    def __init__(self, joints: Sequence[int]) -> None:
        legs: list[int] = []  # where they begin, in words
        places: list[int] = []
        at = 0
        for count in joints:
            legs.append(at)
            places += range(at + 1, at + 1 + WORDS * count, WORDS)
            at += 1 + WORDS * count
        self._width = 2 * at
        of_bytes = [*_bytes_of_legs(legs), *((2 * place + 1, TEMPERATURE) for place in places)]
        self._bytes_at = np.array([place for place, _ in of_bytes], np.intp)
        self._meaning = np.array([meaning for _, meaning in of_bytes], np.intp)
        self._words_at = np.array([place + k for place in places for k in range(1, WORDS)], np.intp)
        self._steps = np.tile(STEPS, len(places))
        legs_wide, words = 2 * len(legs), len(STEPS)
        first = legs_wide + len(places)  # of the words, behind the bytes
        order = list(range(legs_wide))
        for k in range(len(places)):
            order += [*range(first + words * k, first + words * (k + 1)), legs_wide + k]
        self._order = np.array(order, np.intp)

    def read(self, rows: Sequence[bytes]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the numbers of each row, NaN where there is none, and whether one is at the end of its range."""
        return self.numbers(np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), self._width))

    def numbers(self, raw: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the same of rows (n, bytes) without a gap between them."""
        words = raw.view("<i2").take(self._words_at, 1)
        numbers = words / self._steps
        numbers[words == NO_I16] = np.nan
        small = _BYTES.take(raw.take(self._bytes_at, 1) + self._meaning)
        clipped = (np.abs(words) == END_I16).any(1)
        return np.concatenate((small, numbers), 1).take(self._order, 1), clipped


rows_of = lru_cache(MOST_SHAPES)(Rows)
"""`Rows`, the same one for all devices of one shape: theirs are read together."""


def _bytes_of_legs(legs: Sequence[int]) -> Iterator[tuple[int, int]]:
    for place in legs:
        yield 2 * place, STATE
        yield 2 * place + 1, PHASE
