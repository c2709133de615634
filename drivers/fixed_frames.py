"""Frames of one length behind a mark, out of a stream of bytes that may begin, break and be spoilt anywhere.

A mark stands among the values of a frame too, and one that has lost some bytes takes those that are lacking from the
next. So a frame without a good check sum is believed when the next one begins right behind it: it waits for that, but
for the one that a connection begins with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

STRAY: Final = "bytes that belong to no frame"


class FixedFrames:
    """Cuts the bytes of one connection into frames; the same ones in any chunking.

    Args:
        mark: What a frame begins with; not empty.
        size: Bytes of a frame, mark and all.
        holds: Whether so many bytes, which begin with the mark, are a frame.
        faults: Where bytes that belong to no frame are counted.
        sure: Whether `holds` goes by a check sum of sixteen bits: one of eight is right by chance too often.
    """

    def __init__(
        self, mark: bytes, size: int, holds: Callable[[bytes], bool], faults: Counter[str], *, sure: bool
    ) -> None:
        self._mark = mark
        self._size = size
        self._holds = holds
        self._faults = faults
        self._sure = sure
        self._rest = b""
        self._believed = True  # whether the next frame needs no other behind it: the connection begins

    def cut(self, data: bytes) -> list[bytes]:
        """Return the frames that these bytes complete."""
        rest, size = self._rest + data, self._size
        found: list[bytes] = []
        at = 0
        while len(rest) - at >= size:
            frame = rest[at : at + size]
            if frame.startswith(self._mark) and self._holds(frame):
                behind = rest[at + size : at + size + len(self._mark)]
                if self._believed or self._sure or behind == self._mark:
                    found.append(frame)
                    at += size
                    self._believed = False
                    continue
                if self._mark.startswith(behind):
                    break
            at = self._skipped(rest, at)
        self._rest = rest[at:]
        return found

    def _skipped(self, rest: bytes, at: int) -> int:
        """Return where a frame could begin behind ``at``, and count what lies between."""
        self._believed = False
        found = rest.find(self._mark, at + 1)
        if found < 0:
            found = next(
                begin
                for begin in range(max(at + 1, len(rest) - len(self._mark) + 1), len(rest) + 1)
                if self._mark.startswith(rest[begin:])
            )
        self._faults[STRAY] += found - at
        return found
