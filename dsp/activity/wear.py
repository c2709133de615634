"""Whether a sensor is worn at all, and for how long: one that lies on a table for an hour hardly moves.

An hour in which nothing moved (`dsp.activity.still`) is one without a wearer. Every quarter of an hour ends an hour,
and a quarter counts as not worn when any hour that holds it does: that is known three quarters later.

A quarter is worth what was measured of it: from its first sample to its last, without the gaps between. Single samples
that are lost make no gap: a sensor of which only every second one arrives was worn all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.activity.still import AXES, STILL, STILL_AXES, is_still, sums_of
from dsp.posture.blocks import BLOCK_HZ
from dsp.posture.posture import LOST_BLOCKS

ALGORITHM: Final = "wear/2"
QUARTER_S: Final = 900.0
HOUR: Final = 4
"""Quarters."""
LEAST_SHARE: Final = 0.5
"""Of an hour of which less was measured nobody knows whether the sensor lay still."""
GAP_S: Final = LOST_BLOCKS / BLOCK_HZ
"""What is further apart has a gap between it: as of postures, so that hours of wear hold those upright and seated."""

SURELY: Final = 1.01
"""So much above the border no rounding of a sum makes an hour still."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_SAMPLES: Final = "no samples"


class Wear(NamedTuple):
    """A quarter of an hour, or what was measured of it.

    Attributes:
        start: Number of its first sample on the sensor's own grid.
        end: Of the first after its last.
        on_body: Whether somebody wore the sensor; None where that is not known.
        reason: Why not; empty otherwise.
        time: How much of it was measured, in samples of the grid.
        n: Samples that came.
    """

    start: int
    end: int
    on_body: bool | None
    reason: str
    time: int
    n: int


@dataclass(slots=True)
class _Quarter:
    """What was measured of a quarter: its first sample, that after its last, its time; and sums as of `sums_of`."""

    start: int = -1
    end: int = -1
    time: int = 0
    sums: Floats = field(default_factory=lambda: np.zeros((3, 3)))

    def add(self, at: Ints, sums: Floats, time: int) -> None:
        """Add samples, by their numbers, their sums, and the time that they stand for."""
        self.start = int(at[0]) if self.start < 0 else self.start
        self.end = int(at[-1]) + 1
        self.time += time
        self.sums += sums


class WearTime:
    """The wear time of one sensor, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._length: Final = round(QUARTER_S * rate_hz)
        self._second: Final = max(1, round(rate_hz))
        self._gap: Final = GAP_S * rate_hz
        self._parts: list[tuple[Ints, Floats]] = []
        self._now: int | None = None
        self._newest: int | None = None
        self._quarters: dict[int, _Quarter] = {}
        self._undecided: list[int] = []

    def process(self, index: ArrayLike, acc: ArrayLike) -> Iterator[Wear]:
        """Yield each quarter of an hour that can be judged now.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s²; a row with NaN is lost.
        """
        at = np.asarray(index, np.int64)
        force = np.asarray(acc, float).reshape(len(at), 3)
        if not len(at):
            return
        second = at // self._second
        edges = (second[1:] != second[:-1]).nonzero()[0] + 1
        for first, end in pairwise([0, *edges.tolist(), len(at)]):
            number = int(second[first])
            if self._now is not None and number < self._now:
                continue  # a sensor's numbers ascend
            if number != self._now:
                self._add()
                self._now = number
            self._parts.append((at[first:end], force[first:end]))
            yield from self._ready(number * self._second // self._length)

    def is_on_body(self, number: int) -> bool | None:
        """Return whether a quarter that `process` did not yield yet is worn, as far as that is known before.

        What moved much in one quarter moved in every hour that holds it: such an hour need not be waited for. So of who
        is up and about it is known at once, and of who lies still three quarters later.

        Args:
            number: Of the quarter, from sample 0.
        """
        complete = -1 if self._now is None else self._now * self._second // self._length - 1
        known: bool | None = True
        for first in range(number - HOUR + 1, number + 1):
            if first + HOUR - 1 <= complete:
                if self._is_still(first):
                    return False
            elif not self._has_moved(first):
                known = None
        return known

    def finish(self) -> Iterator[Wear]:
        """Yield what is left, judged by the hours that there were."""
        self._add()
        if self._undecided:
            yield from self._ready(self._undecided[-1] + HOUR)

    def _add(self) -> None:
        """Add the open second to its quarter."""
        if self._now is None or not self._parts:
            return
        number = self._now * self._second // self._length
        if number not in self._quarters:
            self._quarters[number] = _Quarter()
            self._undecided.append(number)
        at, rows = self._parts[0] if len(self._parts) == 1 else map(np.concatenate, zip(*self._parts, strict=True))
        self._parts = []
        sums = sums_of(rows)
        if not np.isfinite(sums).all():
            known = np.isfinite(rows).all(axis=1)
            at, rows = at[known], rows[known]
            sums = sums_of(rows)
        if len(at):
            self._quarters[number].add(at, sums, self._time_of(at))

    def _time_of(self, at: Ints) -> int:
        """Return how much time samples stand for: each for that since the one before it, or for itself after a gap."""
        before = int(at[0]) - 1 if self._newest is None else self._newest
        self._newest = int(at[-1])
        if self._newest - before == len(at):
            return len(at)  # nothing is missing, as nearly always
        since = np.diff(at, prepend=before)
        return int(np.where(since <= self._gap, since, 1).sum())

    def _ready(self, newest: int) -> Iterator[Wear]:
        """Yield the quarters whose last hour ends before the newest quarter, and forget what no hour holds any more."""
        while self._undecided and self._undecided[0] + HOUR <= newest:
            quarter = self._undecided.pop(0)
            yield self._judged(quarter)
            for old in [q for q in self._quarters if q <= quarter - HOUR + 1]:
                del self._quarters[old]

    def _judged(self, number: int) -> Wear:
        quarter = self._quarters[number]
        if not quarter.time:
            return Wear(number * self._length, (number + 1) * self._length, None, NO_SAMPLES, 0, 0)
        still = any(self._is_still(first) for first in range(number - HOUR + 1, number + 1))
        time = min(quarter.time, quarter.end - quarter.start, self._length)
        return Wear(quarter.start, quarter.end, not still, "", time, int(quarter.sums[0, 0]))

    def _has_moved(self, first: int) -> bool:
        """Return whether an hour cannot have been still, whatever is to come of it."""
        hour = [self._quarters[q].sums for q in range(first, first + HOUR) if q in self._quarters]
        # The spread about the mean of the hour is no less than that about the mean of each quarter.
        squares = sum(squares - total**2 / max(n[0], 1.0) for n, total, squares in hour)
        return int(np.sum(squares > SURELY * STILL**2 * HOUR * self._length)) > AXES - STILL_AXES

    def _is_still(self, first: int) -> bool:
        """Return whether nothing moved in the hour from a quarter on; no, where too little is known of it."""
        hour = [self._quarters[q] for q in range(first, first + HOUR) if q in self._quarters]
        if sum(quarter.time for quarter in hour) < LEAST_SHARE * HOUR * self._length:
            return False
        return is_still(np.sum([quarter.sums for quarter in hour], axis=0))
