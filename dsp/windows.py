"""Overlapping windows of one sensor's samples, as these come: the same in any chunking, whatever is lost between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LOST_SHARE: Final = 0.05
"""With more of its samples lost nothing is said of a window: what is drawn straight across a gap is no movement."""


class Window(NamedTuple):
    """One window.

    Attributes:
        last: Number of its last sample, on the sensor's own grid.
        length: How many samples it should hold.
        at: (n,) numbers of those that came.
        rows: (n, columns) the samples; NaN where a sensor said nothing.
    """

    last: int
    length: int
    at: NDArray[np.int64]
    rows: Floats

    def filled(self, first: int, end: int) -> Floats | None:
        """Return (end - first, length) columns on the whole grid, straight lines across what is lost.

        None when more than `LOST_SHARE` of them is lost.
        """
        at, columns = self.at, self.rows[:, first:end]
        if not np.isfinite(columns).all():
            known = np.isfinite(columns).all(axis=1)
            at, columns = at[known], columns[known]
        if len(at) < (1 - LOST_SHARE) * self.length:
            return None
        if len(at) == self.length:
            return columns.T.copy()
        grid = np.arange(self.last - self.length + 1, self.last + 1)
        return np.array([np.interp(grid, at, column) for column in columns.T])


class SlidingWindows:
    """Cuts a stream into windows of ``length`` samples, one each ``hop`` samples.

    Args:
        length: Samples of a window.
        hop: Samples from one to the next.
        columns: Numbers a sample holds.
    """

    def __init__(self, length: int, hop: int, columns: int) -> None:
        self._length, self._hop = length, hop
        self._index = np.zeros(0, np.int64)
        self._rows = np.zeros((0, columns))
        self._due: int | None = None

    def process(self, index: ArrayLike, rows: ArrayLike) -> Iterator[Window]:
        """Yield each window that samples complete; those that a gap leaves without any sample are passed over.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            rows: (n, columns) the samples.
        """
        new = np.asarray(index, np.int64)
        self._index = np.concatenate([self._index, new])
        self._rows = np.concatenate([self._rows, np.asarray(rows, float).reshape(len(new), self._rows.shape[1])])
        if self._due is None and len(self._index):
            self._due = int(self._index[0]) + self._length - 1
        while self._due is not None and len(self._index) and self._index[-1] >= self._due:
            newer = int(self._index[self._index.searchsorted(self._due)])
            if newer - self._due > self._length:  # a long gap holds no window
                self._due += (newer - self._due) // self._hop * self._hop
            yield self._window(self._due)
            self._due += self._hop
        begin = int(self._index.searchsorted((self._due or 0) - self._length, side="right"))
        self._index, self._rows = self._index[begin:], self._rows[begin:]

    def _window(self, last: int) -> Window:
        first, end = (int(self._index.searchsorted(at)) for at in (last - self._length + 1, last + 1))
        return Window(last, self._length, self._index[first:end], self._rows[first:end])
