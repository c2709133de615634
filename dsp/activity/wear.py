"""Whether a sensor is worn at all: one that lies on a table for an hour hardly moves.

Van Hees et al. 2011 (doi 10.1371/journal.pone.0022922): an hour in which the acceleration of two axes of three has a
standard deviation below 13 mg is one without a wearer. Every quarter of an hour ends an hour, and a quarter counts as
not worn when any hour that holds it does: whether one was worn is known three quarters later.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALGORITHM: Final = "wear/1"
STILL: Final = 0.013 * 9.81
"""m/s², 13 mg: breathing alone moves a worn sensor more in an hour."""
STILL_AXES: Final = 2
QUARTER_S: Final = 900.0
HOUR: Final = 4
"""Quarters."""
LEAST_SHARE: Final = 0.5
"""With fewer of its samples nobody knows of a quarter."""

Floats = NDArray[np.float64]

NO_SAMPLES: Final = "too few samples"


class Wear(NamedTuple):
    """A quarter of an hour.

    Attributes:
        start: Number of its first sample on the sensor's own grid.
        end: Of the first after it.
        on_body: Whether somebody wore the sensor; None where that is not known.
        reason: Why not; empty otherwise.
    """

    start: int
    end: int
    on_body: bool | None
    reason: str


class WearTime:
    """The wear time of one sensor, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._length: Final = round(QUARTER_S * rate_hz)
        self._second: Final = max(1, round(rate_hz))
        self._rows: list[Floats] = []
        self._now: int | None = None
        self._sums: dict[int, Floats] = {}
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
            self._rows.append(force[first:end])
            yield from self._ready(number * self._second // self._length)

    def finish(self) -> Iterator[Wear]:
        """Yield what is left, judged by the hours that there were."""
        self._add()
        if self._undecided:
            yield from self._ready(self._undecided[-1] + HOUR)

    def _add(self) -> None:
        """Add the open second to its quarter."""
        if self._now is None:
            return
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, 3))
        total = rows.sum(axis=0)
        if not np.isfinite(total).all():
            rows = rows[np.isfinite(rows).all(axis=1)]
            total = rows.sum(axis=0)
        quarter = self._now * self._second // self._length
        if quarter not in self._sums:
            self._sums[quarter] = np.zeros((3, 3))
            self._undecided.append(quarter)
        sums = self._sums[quarter]
        sums[0] += len(rows)
        sums[1] += total
        sums[2] += np.einsum("ij,ij->j", rows, rows)
        self._rows = []

    def _ready(self, newest: int) -> Iterator[Wear]:
        """Yield the quarters whose last hour ends before the newest quarter, and forget what no hour holds any more."""
        while self._undecided and self._undecided[0] + HOUR <= newest:
            quarter = self._undecided.pop(0)
            yield self._judged(quarter)
            for old in [q for q in self._sums if q <= quarter - HOUR + 1]:
                del self._sums[old]

    def _judged(self, quarter: int) -> Wear:
        start, end = quarter * self._length, (quarter + 1) * self._length
        if self._sums[quarter][0, 0] < LEAST_SHARE * self._length:
            return Wear(start, end, None, NO_SAMPLES)
        still = any(self._is_still(first) for first in range(quarter - HOUR + 1, quarter + 1))
        return Wear(start, end, not still, "")

    def _is_still(self, first: int) -> bool:
        """Return whether nothing moved in the hour from a quarter on; no, where too little is known of it."""
        hour = sum((self._sums.get(q, np.zeros((3, 3))) for q in range(first, first + HOUR)), np.zeros((3, 3)))
        if hour[0, 0] < LEAST_SHARE * HOUR * self._length:
            return False
        n, total, squares = hour
        spread = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
        return int((spread < STILL).sum()) >= STILL_AXES
