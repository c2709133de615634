"""Packets of MIP: ``75 65 descriptor-set length fields check-sum``, big-endian; a field is ``length descriptor data``.

A field's length counts itself and the descriptor: 0 and 1 are invalid, and 255 is a field that fills the longest
packet. The check sum is Fletcher's over all bytes before it. Facts: the maker's mip_sdk (MIT), definitions and tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.framing import Form

MARK: Final = b"ue"
HEAD_BYTES, SUM_BYTES, FIELD_HEAD_BYTES = 4, 2, 2

BASE, COMMANDS_3DM, SENSOR, FILTER = 0x01, 0x0C, 0x80, 0x82
DATA_SETS: Final = range(0x80, 0x100)  # sets that are data; those below are commands and their answers
REPLY: Final = 0xF1  # of a command set: descriptor of the command, and 0 or why not
PING, SET_IDLE, DEVICE_INFO, RESUME = 0x01, 0x02, 0x03, 0x06
DEVICE_INFO_REPLY: Final = 0x81
BASE_RATE, MESSAGE_FORMAT, STREAM = 0x0E, 0x0F, 0x11
BASE_RATE_REPLY: Final = 0x8E
WRITE: Final = 0x01  # function selector: until it is switched off, and not saved
ERRORS: Final = {
    1: "unknown command", 2: "wrong check sum", 3: "invalid parameter", 4: "the command failed", 5: "timed out",
}  # fmt: skip
"""Why a device does not do what it was told, for people."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a packet.

    Attributes:
        descriptor: What it is, in its set.
        at: Where its data begin in the packet.
        size: How many bytes they are.
    """

    descriptor: int
    at: int
    size: int

    def of(self, whole: bytes) -> bytes:
        """Return its data in a packet."""
        return whole[self.at : self.at + self.size]


def checksum(data: bytes) -> bytes:
    """Return Fletcher's check sum: of the bytes, and of those sums."""
    return bytes((sum(data) & 0xFF, sum(accumulate(data)) & 0xFF))


def packet(descriptor_set: int, *fields: tuple[int, bytes]) -> bytes:
    """Return a packet of fields, each a descriptor and data, as it goes over the port."""
    payload = b"".join(bytes((len(data) + FIELD_HEAD_BYTES, descriptor)) + data for descriptor, data in fields)
    head = MARK + bytes((descriptor_set, len(payload))) + payload
    return head + checksum(head)


def _size(data: bytes, at: int) -> int:
    return data[at + 3] + HEAD_BYTES + SUM_BYTES if len(data) - at >= HEAD_BYTES else 0


def _whole(data: bytes) -> bool:
    return data[-SUM_BYTES:] == checksum(data[:-SUM_BYTES])


@lru_cache
def _weights(count: int) -> NDArray[np.float32]:
    """Return how often each of so many bytes is in the first and in the second sum."""
    return np.column_stack([np.ones(count), np.arange(count, 0, -1)]).astype(np.float32)


def _whole_rows(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bodies = rows[:, :-SUM_BYTES]
    sums = bodies.astype(np.float32) @ _weights(bodies.shape[1])  # of the longest packet below 2 ** 24: exact
    good: NDArray[np.bool_] = (sums.astype(np.int64) & 0xFF == rows[:, -SUM_BYTES:]).all(axis=1)
    return good


MIP: Final = Form(MARK, HEAD_BYTES, _size, _whole, _whole_rows)


def fields(whole: bytes) -> Iterator[Field]:
    """Yield the fields of a whole packet; raises MalformedFrameError at one that does not end in it."""
    at, end = HEAD_BYTES, len(whole) - SUM_BYTES
    while at < end:
        size = whole[at]
        if size < FIELD_HEAD_BYTES or at + size > end:
            raise MalformedFrameError("field of an impossible length")
        yield Field(whole[at + 1], at + FIELD_HEAD_BYTES, size - FIELD_HEAD_BYTES)
        at += size


def parse_packet(data: bytes) -> tuple[int, list[tuple[int, bytes]]]:
    """Return the descriptor set of exactly one packet, and descriptor and data of its fields.

    Raises:
        MalformedFrameError: if it is cut, too long, or its check sum or a field's length is wrong.
    """
    whole = MIP.message(data)
    return whole[2], [(field.descriptor, field.of(whole)) for field in fields(whole)]
