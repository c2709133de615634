"""Both wrists side by side, second by second, as what is known of them comes: the newest hour of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from dsp.arms.use import Arm

ARMS: Final[tuple[Arm, ...]] = get_args(Arm)
WINDOW_S: Final = 3600
"""Arms rest for minutes: a ratio of less than an hour is one activity's."""
AHEAD_S: Final = 600
"""How far the newest second may lie behind one that is asked for."""
UNKNOWN: Final = -1
"""In place of whether somebody walks."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Steps = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Seconds:
    """What is known of some seconds.

    Attributes:
        start: Number of the first.
        counts: Of each arm (n,) activity counts; NaN where there are none.
        still: Of each arm (n,) whether it had hardly moved for so long that nobody knows whether it is worn.
        walking: (n,) 1 where somebody walks, 0 where nobody does, `UNKNOWN`.
    """

    start: int
    counts: dict[Arm, Floats]
    still: dict[Arm, Flags]
    walking: Steps

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.walking)


class PairedWrists:
    """Keeps what is known of two wrists; memory is that of one window.

    Seconds are those of one clock, which both sensors' seconds have been brought to. What comes of seconds that are
    kept no more is left out.

    Args:
        window_s: Seconds that are kept.
    """

    def __init__(self, window_s: int = WINDOW_S) -> None:
        self._room = window_s + AHEAD_S
        self._first: int | None = None
        self._counts = {arm: np.full(self._room, math.nan) for arm in ARMS}
        self._still = {arm: np.zeros(self._room, np.bool_) for arm in ARMS}
        self._walking = np.full(self._room, UNKNOWN, np.int8)
        self._walks_on = UNKNOWN

    def add(self, arm: Arm, second: int, counts: float, *, still: bool = False) -> None:
        """Take the counts of a second of one wrist."""
        at = self._place(second)
        if at >= 0:
            self._counts[arm][at], self._still[arm][at] = counts, still

    def erase(self, arm: Arm, start: int, end: int) -> None:
        """Take back the counts from one second to before another: nobody wore the sensor."""
        if self._first is not None:
            part = slice(max(0, start - self._first), max(0, end - self._first))
            self._counts[arm][part] = math.nan
            self._still[arm][part] = False

    def walk(self, start: int, end: int) -> None:
        """Take it that somebody walks from one second to before another."""
        if self._first is not None:
            self._walking[max(0, start - self._first) : max(0, end - self._first)] = 1

    def walk_from(self, start: float, walking: int) -> None:
        """Take it that from a second on somebody walks (1), does not (0), or nobody knows (`UNKNOWN`), until told."""
        self._walks_on = walking
        begin = 0 if self._first is None else round(max(0.0, start - self._first))
        self._walking[begin:] = walking

    def between(self, start: int, end: int) -> Seconds:
        """Return what is known of the seconds from one to before another; those that are not kept are left out."""
        kept = end if self._first is None else self._first
        first = min(max(start, kept), end)
        part = slice(first - kept, end - kept) if end > kept else slice(0, 0)
        return Seconds(
            first, {arm: self._counts[arm][part].copy() for arm in ARMS},
            {arm: self._still[arm][part].copy() for arm in ARMS}, self._walking[part].copy(),
        )  # fmt: skip

    def _place(self, second: int) -> int:
        """Return where a second is kept; below 0 where it is kept no more."""
        if self._first is None:
            self._first = second - self._room // 2
        if second - self._first >= self._room:
            self._forget(min(self._room, max(AHEAD_S // 2, second - self._first - self._room + 1)))
            if second - self._first >= self._room:
                self._first = second - self._room // 2
        return second - self._first

    def _forget(self, n: int) -> None:
        """Make room for n seconds behind the newest."""
        assert self._first is not None
        self._first += n
        kept = self._room - n
        for columns, empty in ((self._counts, math.nan), (self._still, False)):
            for column in columns.values():
                column[:kept] = column[n:]
                column[kept:] = empty
        self._walking[:kept] = self._walking[n:]
        self._walking[kept:] = self._walks_on
