"""Means of short stretches of samples: what a transfer needs is slow, and twenty numbers a second are cheap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.limits import MOST_FORCE, MOST_SPIN

BINS_HZ: Final = 20.0
"""A body rises, turns and sits below 3 Hz; a mean over 50 ms keeps its integral exactly and drops the rest."""
BIN_S: Final = 1 / BINS_HZ
LEAST_RATE_HZ: Final = BINS_HZ
"""Slower sensors leave bins without a sample."""

Vector = tuple[float, float, float]


class Bin(NamedTuple):
    """The mean of the samples of one stretch.

    Attributes:
        number: Counts stretches of 50 ms from sample 0 of the grid.
        acc: Specific force, m/s².
        gyr: Angular velocity, rad/s.
    """

    number: int
    acc: Vector
    gyr: Vector


class Bins:
    """Samples of one sensor to means, the same in any chunking.

    Samples that are lost, or that no sensor can have measured, are left out.

    Args:
        rate_hz: Samples a second of the grid, at least 20.

    Raises:
        ValueError: the rate is too low, or not finite.
    """

    def __init__(self, rate_hz: float) -> None:
        if not LEAST_RATE_HZ <= rate_hz < np.inf:
            raise ValueError(f"transfers need at least {LEAST_RATE_HZ:g} samples a second, not {rate_hz:g}")
        self.rate_hz = rate_hz
        self._index = np.zeros(0, np.int64)
        self._rows = np.zeros((0, 6))
        self._newest = np.iinfo(np.int64).min // 2

    def index_of(self, place: float) -> float:
        """Return the fractional sample of a fractional bin, whose whole numbers are the bins' middles."""
        return (place + 0.5) * BIN_S * self.rate_hz - 0.5

    def place_of(self, index: float) -> float:
        """Return the fractional bin of a fractional sample."""
        return (index + 0.5) / self.rate_hz / BIN_S - 0.5

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Bin]:
        """Yield the bins that samples complete.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s².
            gyr: (n, 3) angular velocity, rad/s.

        Raises:
            ValueError: the lengths differ, or ``index`` does not ascend.
        """
        new = np.asarray(index, np.int64).ravel()
        if (np.diff(new, prepend=self._newest) <= 0).any():
            raise ValueError("index must ascend")
        rows = np.column_stack([np.asarray(x, float).reshape(len(new), 3) for x in (acc, gyr)])
        sound = (np.abs(rows[:, :3]) < MOST_FORCE).all(axis=1) & (np.abs(rows[:, 3:]) < MOST_SPIN).all(axis=1)
        self._index = np.concatenate([self._index, new[sound]])
        self._rows = np.concatenate([self._rows, rows[sound]])
        if not len(new):
            return
        self._newest = int(new[-1])
        whole = self._numbers(self._index) < self._numbers(new[-1:] + 1)[0]
        yield from self._means(int(np.count_nonzero(whole)))

    def finish(self) -> Iterator[Bin]:
        """Yield what is left at the end of the stream."""
        yield from self._means(len(self._index))

    def _numbers(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        numbers: NDArray[np.int64] = np.floor(index * BINS_HZ / self.rate_hz + 1e-9).astype(np.int64)
        return numbers

    def _means(self, n: int) -> Iterator[Bin]:
        if not n:
            return
        numbers = self._numbers(self._index[:n])
        first = np.flatnonzero(np.r_[True, np.diff(numbers) > 0])
        counts = np.diff(np.r_[first, n])
        means = np.add.reduceat(self._rows[:n], first, axis=0) / counts[:, None]
        self._index, self._rows = self._index[n:], self._rows[n:]
        for number, row in zip(numbers[first].tolist(), means.tolist(), strict=True):
            yield Bin(number, (row[0], row[1], row[2]), (row[3], row[4], row[5]))
