"""Frames of one length behind a mark, out of a stream of bytes that may begin, break and be spoilt anywhere.

Where frame follows frame, a frame is believed when it holds. After bytes that belong to no frame, one that has no check
sum is believed only when the next one begins behind it: its mark may stand among the values of another.
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
        checked: Whether `holds` goes by a check sum.
    """

    def __init__(
        self, mark: bytes, size: int, holds: Callable[[bytes], bool], faults: Counter[str], *, checked: bool
    ) -> None:
        self._mark = mark
        self._size = size
        self._holds = holds
        self._faults = faults
        self._checked = checked
        self._rest = b""
        self._follows = True  # a frame ended here, or the connection begins

    def cut(self, data: bytes) -> list[bytes]:
        """Return the frames that these bytes complete."""
        rest, size = self._rest + data, self._size
        found: list[bytes] = []
        at = 0
        while len(rest) - at >= size:
            frame = rest[at : at + size]
            if frame.startswith(self._mark) and self._holds(frame):
                behind = rest[at + size : at + size + len(self._mark)]
                if not self._follows and not self._checked:
                    if not self._mark.startswith(behind):
                        at = self._skipped(rest, at)
                        continue
                    if len(behind) < len(self._mark):
                        break
                found.append(frame)
                at += size
                self._follows = True
            else:
                at = self._skipped(rest, at)
        self._rest = rest[at:]
        return found

    def _skipped(self, rest: bytes, at: int) -> int:
        """Return where a frame could begin behind ``at``, and count what lies between."""
        self._follows = False
        found = rest.find(self._mark, at + 1)
        if found < 0:
            found = next(
                begin
                for begin in range(max(at + 1, len(rest) - len(self._mark) + 1), len(rest) + 1)
                if self._mark.startswith(rest[begin:])
            )
        self._faults[STRAY] += found - at
        return found
