"""From the bytes of a serial port to whole parts: COBS, a check sum, and a zero byte at the end of each.

COBS (Cheshire and Baker 1999) takes the zero bytes out of a part at the cost of one byte, so that a zero is where a
part ends, wherever one begins to listen. The check sum is CRC-16/CCITT-FALSE, low byte first.
"""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Iterator
from typing import Final

from drivers.errors import MalformedFrameError
from drivers.exo_frame.frame import LONGEST_PART

END: Final = b"\0"
CRC_START: Final = 0xFFFF
CRC_BYTES: Final = 2
LONGEST_FRAME: Final = LONGEST_PART + CRC_BYTES + 1  # encoded, without its end


class Framing:
    """Cuts the bytes of one connection into parts; the same ones in any chunking.

    Args:
        faults: Where bad frames are counted, by reason.
    """

    def __init__(self, faults: Counter[str]) -> None:
        self._faults = faults
        self._rest = b""
        self._lost = False  # the frame that is coming is longer than any can be

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Yield the parts that these bytes complete."""
        *whole, rest = (self._rest + data).split(END)
        for frame in whole:
            if self._lost:
                self._lost = False
            elif frame:  # a zero too many separates nothing
                part = self._checked(frame)
                if part is not None:
                    yield part
        if self._lost or len(rest) > LONGEST_FRAME:
            if not self._lost:
                self._faults["oversized frame"] += 1
            self._lost, rest = True, b""
        self._rest = rest

    def _checked(self, frame: bytes) -> bytes | None:
        try:
            return checked_part(frame)
        except MalformedFrameError as problem:
            self._faults[str(problem)] += 1
            return None


def checked_part(frame: bytes) -> bytes:
    """Return the part in an encoded frame, without its zero; raises MalformedFrameError if it is damaged."""
    if len(frame) > LONGEST_FRAME:
        raise MalformedFrameError("oversized frame")
    data = uncobs(frame)
    part = data[:-CRC_BYTES]
    if not part or binascii.crc_hqx(part, CRC_START) != int.from_bytes(data[-CRC_BYTES:], "little"):
        raise MalformedFrameError("check sum")
    return part


def uncobs(frame: bytes) -> bytes:
    """Return the bytes that COBS encoded; raises MalformedFrameError."""
    pieces: list[bytes] = []
    at = 0
    while at < len(frame):
        code = frame[at]
        piece = frame[at + 1 : at + code]
        if code == 0 or len(piece) != code - 1 or 0 in piece:
            raise MalformedFrameError("malformed frame")
        at += code
        pieces.append(piece if code == 0xFF or at >= len(frame) else piece + b"\0")
    return b"".join(pieces)
