"""What an OpenExo sends, as text: messages of numbers, and the table of names that it begins with.

A message is ``S``, a letter for what it is, a decimal count, ``c``, and so many fields, each a whole number of
hundredths and ``n``: ``S?11c123n-50n...``. The firmware leaves a field empty (or sends a lone minus) where the value is
10000.00 or more. There is no check sum, no counter and no time. Facts: OpenExo firmware, ExoCode/src/BleParser.cpp and
ExoBLE.cpp, and bytes that its own parser made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError

REAL_TIME: Final = "?"
BATTERY: Final = "~"
READY: Final = b"READY"
TABLE_END: Final = b"\n"
ROW_END: Final = "|"
NAMES_ROW, VALUES_ROW = "t", "v"
LONGEST_TABLE: Final = 1 << 16  # bytes; the firmware keeps some thousand characters of its settings

_MESSAGE = re.compile(rb"S([\x21-\x7e])(\d{1,3})c((?:-?+\d{0,9}+n)*+)")
_FAULT = re.compile(rb"(\d{1,5}):(\d{1,3})\0?")
_GAP = re.compile(rb"(?<![\d-])-?(?=n)")
HUNDREDTHS: Final = 100.0
NOTHING: Final = 10**9  # written into an empty field, to be read as one: a field has at most nine digits


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        command: The letter that says what it is.
        values: Its fields; None where the firmware left one empty.
    """

    command: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What the device tells of itself on subscribing.

    Attributes:
        names: Of the fields of a real-time message, in order; none where the table names none.
        values: The other rows of numbers, each without its first letter.
        joints: Numbers of the joints that it has, as in `joint_of`.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    joints: tuple[int, ...]


def parse_message(data: bytes) -> Message:
    """Read one message; raises MalformedFrameError where a part is missing or the count does not fit."""
    command, _, body = split_message(data)
    values = numbers([body]).tolist()
    return Message(command, tuple(None if math.isnan(value) else value for value in values))


def split_message(data: bytes) -> tuple[str, int, bytes]:
    """Return the letter of a message, how many fields it has, and these as they came, for `numbers`.

    Raises:
        MalformedFrameError: as `parse_message`.
    """
    found = _MESSAGE.fullmatch(data)
    if found is None:
        raise MalformedFrameError("no whole message")
    command, announced, fields = found.groups()
    count = int(announced)
    if fields.count(b"n") != count:
        raise MalformedFrameError("another number of fields than announced")
    return chr(command[0]), count, fields


def numbers(fields: Sequence[bytes]) -> NDArray[np.float64]:
    """Return the fields of messages, one after the other; NaN where the firmware left one empty."""
    text = b"".join(fields)
    if not text:
        return np.empty(0)
    gaps = b"nn" in text or b"-n" in text or text.startswith(b"n")
    counts = np.fromstring(_GAP.sub(b"%d" % NOTHING, text) if gaps else text, np.int64, sep="n")
    values: NDArray[np.float64] = counts / HUNDREDTHS
    if gaps:
        values[counts == NOTHING] = np.nan
    return values


def parse_fault(data: bytes) -> tuple[int, int]:
    """Read a notification of the error characteristic: code and joint, in decimal, with a colon between."""
    found = _FAULT.fullmatch(data)
    if found is None:
        raise MalformedFrameError("malformed error message")
    return int(found[1]), int(found[2])


def parse_handshake(chunks: Sequence[bytes]) -> Table:
    """Read a whole handshake: READY, and the table in as many pieces as it came in."""
    data = b"".join(chunks)
    if not data.startswith(READY) or not data.endswith(TABLE_END):
        raise MalformedFrameError("no whole table of names")
    return parse_table(data[len(READY) :])


def parse_table(data: bytes) -> Table:
    """Read the table without READY; what is no text is replaced, and rows that mean nothing are passed over."""
    rows = [
        [cell.strip() for cell in row.split(",")]
        for row in data.decode("ascii", "replace").replace("\r", "").strip("\n").split(ROW_END)
    ]
    names = next((tuple(row[1:]) for row in rows if row[0] == NAMES_ROW), ())
    while names and names[-1] in {"", "z"}:  # how some versions end the row
        names = names[:-1]
    values = tuple(tuple(row[1:]) for row in rows if row[0] == VALUES_ROW)
    numbers = [int(row[1]) for row in rows if row[0] != NAMES_ROW and len(row) > 1 and row[1].isdecimal()]
    joints = dict.fromkeys(number for number in numbers if joint_of(number) is not None)
    return Table(names, values, tuple(joints))


_JOINTS: Final = {0x01: "hip", 0x02: "knee", 0x04: "ankle", 0x08: "elbow", 0x10: "arm_1", 0x80: "arm_2"}
_SIDES: Final = {0x40: "left", 0x20: "right"}


def joint_of(number: int) -> tuple[str, str] | None:
    """Return side and joint of a joint's number (bits 0x40 left, 0x20 right, and one for the joint); None if none."""
    for side_bit, side in _SIDES.items():
        if number & 0x60 == side_bit and number & ~0x60 in _JOINTS:
            return side, _JOINTS[number & ~0x60]
    return None
