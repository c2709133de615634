"""From the bytes of a serial port to whole parts: COBS, a check sum, and a zero byte at the end of each.

COBS (Cheshire and Baker 1999) takes the zero bytes out of a part at the cost of one byte, so that a zero is where a
part ends, wherever one begins to listen. The check sum is CRC-16/CCITT-FALSE, low byte first.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections import Counter
from typing import Final

from drivers.errors import MalformedFrameError
from drivers.exo_frame.frame import LONGEST_PART

END: Final = b"\0"
CRC_START: Final = 0xFFFF
CRC_BYTES: Final = 2
LONGEST_RUN: Final = 0xFF  # bytes with their code
LONGEST_FRAME: Final = LONGEST_PART + CRC_BYTES + 1  # encoded, without its end


class Framing:
    """Cuts the bytes of one connection into parts; the same ones in any chunking.

    Args:
        faults: Where bad frames are counted, by reason.

    Attributes:
        rest: Bytes of the frame that is coming.
        lost: The frame that is coming is longer than any can be.
    """

    def __init__(self, faults: Counter[str]) -> None:
        self._faults = faults
        self.rest = b""
        self.lost = False

    def parts(self, data: bytes) -> list[bytes]:
        """Return the parts that these bytes complete."""
        *whole, rest = (self.rest + data).split(END)
        found = []
        for frame in whole:
            if self.lost:
                self.lost = False
            elif frame:  # a zero too many separates nothing
                try:
                    found.append(checked_part(frame))
                except MalformedFrameError as problem:
                    self._faults[str(problem)] += 1
        if self.lost or len(rest) > LONGEST_FRAME:
            if not self.lost:
                self._faults["oversized frame"] += 1
            self.lost, rest = True, b""
        self.rest = rest
        return found


def checked_part(frame: bytes) -> bytes:
    """Return the part in an encoded frame, without its zero; raises MalformedFrameError if it is damaged."""
    if len(frame) > LONGEST_FRAME:
        raise MalformedFrameError("oversized frame")
    data = _zeroed(frame)
    part = bytes(data[1:-CRC_BYTES])
    if not part or crc_hqx(part, CRC_START) != data[-2] | data[-1] << 8:
        raise MalformedFrameError("check sum")
    return part


def uncobs(frame: bytes) -> bytes:
    """Return the bytes that COBS encoded; raises MalformedFrameError."""
    data = _zeroed(frame)
    for place in reversed(_behind_longest(frame)):
        del data[place]
    return bytes(data[1:])


def _zeroed(frame: bytes) -> bytearray:
    """Return a frame with zeros for its codes, each of which says where the next one stands."""
    data, at, size = bytearray(frame), 0, len(frame)
    if 0 in data:
        raise MalformedFrameError("malformed frame")
    while at < size:
        code = data[at]
        data[at] = 0
        at += code
    if at != size:
        raise MalformedFrameError("malformed frame")
    return data


def _behind_longest(frame: bytes) -> list[int]:
    """Return the places of the codes that stand for nothing, and not for a zero."""
    found, at = [], 0
    while frame and (end := at + frame[at]) < len(frame):
        if frame[at] == LONGEST_RUN:
            found.append(end)
        at = end
    return found
