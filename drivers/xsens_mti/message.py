"""Messages of Xbus: ``FA FF message-id length data check-sum``, big-endian; behind a length FF stand two bytes of it.

The bytes behind the preamble add up to 0 in a byte. FA occurs in data too. Facts: Xsens, MT Low-Level Communication
Protocol (MT0101P), whose messages are read here and mostly never sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.framing import Form

PREAMBLE: Final = 0xFA
MARK: Final = b"\xfa\xff"  # preamble and the address of the device itself
EXTENDED: Final = 0xFF
HEAD_BYTES, EXTENDED_HEAD_BYTES = 4, 6
MOST_DATA: Final = 2048  # bytes: the protocol's own limit; a longer one is no message

REQ_DID, DEVICE_ID = 0x00, 0x01
GO_TO_MEASUREMENT, GO_TO_CONFIG = 0x10, 0x30
REQ_FIRMWARE, FIRMWARE = 0x12, 0x13
REQ_PRODUCT, PRODUCT = 0x1C, 0x1D
DATA: Final = 0x36
WAKE_UP, WAKE_UP_ACK = 0x3E, 0x3F
ERROR: Final = 0x42
OUTPUT_CONFIGURATION: Final = 0xC0
ERRORS: Final = {
    0x03: "the period is invalid", 0x04: "the message is invalid", 0x1E: "a timer overflowed",
    0x20: "the baud rate is invalid", 0x21: "a parameter is invalid", 0x28: "a device error",
}  # fmt: skip
"""Codes of error messages, for people."""


def acknowledged(mid: int) -> int:
    """Return the message id of the answer to a message."""
    return mid + 1


def message(mid: int, data: bytes = b"") -> bytes:
    """Return a message of up to 254 bytes of data, as it goes over the port."""
    body = bytes((0xFF, mid, len(data))) + data
    return bytes((PREAMBLE,)) + body + bytes((-sum(body) & 0xFF,))


def _size(data: bytes, at: int) -> int:
    if len(data) - at < HEAD_BYTES:
        return 0
    size = data[at + 3]
    if size != EXTENDED:
        return HEAD_BYTES + size + 1
    if len(data) - at < EXTENDED_HEAD_BYTES:
        return 0
    size = data[at + 4] << 8 | data[at + 5]
    return EXTENDED_HEAD_BYTES + size + 1 if size <= MOST_DATA else HEAD_BYTES + 1  # not whole: its sum is wrong


def _whole(data: bytes) -> bool:
    return not (sum(data) - PREAMBLE) & 0xFF and (data[3] != EXTENDED or len(data) > EXTENDED_HEAD_BYTES)


def _whole_rows(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = rows.sum(axis=1, dtype=np.uint8) == PREAMBLE
    return good if rows.shape[1] > EXTENDED_HEAD_BYTES else good & (rows[:, 3] != EXTENDED)


XBUS: Final = Form(MARK, EXTENDED_HEAD_BYTES, _size, _whole, _whole_rows)


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message.

    Attributes:
        mid: What it is.
        data: Its data.
    """

    mid: int
    data: bytes


def parse_message(data: bytes) -> Message:
    """Read exactly one message; raises MalformedFrameError."""
    whole = XBUS.message(data)
    return Message(whole[2], whole[data_at(whole) : -1])


def data_at(whole: bytes) -> int:
    """Return where the data of a whole message begin."""
    return EXTENDED_HEAD_BYTES if whole[3] == EXTENDED else HEAD_BYTES


@dataclass(frozen=True, slots=True)
class Output:
    """One entry of an output configuration.

    Attributes:
        id: Data identifier, with format and frame in its lowest digit.
        rate_hz: Times a second; 0 and 65535 say with every message, or as often as there is any.
    """

    id: int
    rate_hz: int


EVERY: Final = 0xFFFF


def parse_outputs(data: bytes) -> list[Output]:
    """Read the data of an output configuration; raises MalformedFrameError where it is cut."""
    if len(data) % 4:
        raise MalformedFrameError("truncated output configuration")
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    return [Output(*pair) for pair in zip(words[::2], words[1::2], strict=True)]


def outputs_data(outputs: Sequence[Output]) -> bytes:
    """Return the data of an output configuration."""
    return b"".join(o.id.to_bytes(2, "big") + o.rate_hz.to_bytes(2, "big") for o in outputs)
