"""Samples of one sensor to blocks of 50 ms, handed on ten at a time: what posture and falls look at.

A turn of ten blocks is worked out at once from all samples that came in it, so the same samples in any chunking give
the same blocks, bit for bit. What looks at blocks does not depend on the sensor's rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK_HZ: Final = 20
"""Fast enough for five times the quickest step, slow enough that a ward costs little."""
TURN_BLOCKS: Final = 10
"""Half a second: nobody is in a hurry to know that somebody sat down."""

Floats = NDArray[np.float64]


class Turn(NamedTuple):
    """Ten blocks; a block without a sample is NaN, and so is one without what is asked of it.

    Attributes:
        number: Of the turn on the sensor's own grid; a missing number is a turn without a sample.
        acc: (10, 3) mean specific force, m/s².
        size: (10,) mean size of the force.
        peak: (10,) greatest size of the force.
        peak_at: (10,) number of the sample of the greatest force; 0 where there is none.
    """

    number: int
    acc: Floats
    size: Floats
    peak: Floats
    peak_at: NDArray[np.int64]


class Blocks:
    """The blocks of one sensor, as its samples come.

    Args:
        rate_hz: Samples a second, at least one a block.

    Raises:
        ValueError: the rate is too low.
    """

    def __init__(self, rate_hz: float) -> None:
        if not rate_hz >= BLOCK_HZ:
            raise ValueError(f"posture and falls need {BLOCK_HZ} samples a second, not {rate_hz:g}")
        self._rate_hz = rate_hz
        self._rows: list[tuple[NDArray[np.int64], Floats]] = []
        self._ends: int | None = None
        self._newest = -1

    def process(self, index: ArrayLike, acc: ArrayLike) -> Iterator[Turn]:
        """Yield each turn that samples complete.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample. What
                is no later than a sample before it is passed over.
            acc: (n, 3) specific force, m/s²; a row with NaN is passed over.
        """
        at = np.asarray(index, np.int64)
        force = np.asarray(acc, float).reshape(len(at), 3)
        later = at > np.maximum.accumulate(np.r_[self._newest, at[:-1]]) if len(at) else np.zeros(0, bool)
        if not later.all():
            at, force = at[later], force[later]
        while len(at):
            if self._ends is None:
                self._ends = self._end_of(int(at[0]))
            within = int(np.searchsorted(at, self._ends))
            if within:
                self._rows.append((at[:within], force[:within]))
                self._newest = int(at[within - 1])
            at, force = at[within:], force[within:]
            if len(at) or self._newest == self._ends - 1:
                yield from self.finish()

    def finish(self) -> Iterator[Turn]:
        """Yield what is left of the open turn."""
        rows, self._rows, self._ends = self._rows, [], None
        if rows:
            yield self._turn(*(np.concatenate(part) for part in zip(*rows, strict=True)))

    def index_of(self, block: float) -> float:
        """Return the number of the first sample of a block, which counts from the grid's beginning."""
        return block * self._rate_hz / BLOCK_HZ

    def _end_of(self, index: int) -> int:
        """Return the first number that is no more in the turn of a sample."""
        samples = self._rate_hz * TURN_BLOCKS / BLOCK_HZ
        end = math.ceil((index // samples + 1) * samples)
        return end if end > index else end + math.ceil(samples)

    def _turn(self, index: NDArray[np.int64], acc: Floats) -> Turn:
        block = np.floor(index * (BLOCK_HZ / self._rate_hz)).astype(np.int64)
        number = int(block[0]) // TURN_BLOCKS
        place = np.clip(block - number * TURN_BLOCKS, 0, TURN_BLOCKS - 1)
        size = np.sqrt(np.einsum("ij,ij->i", acc, acc))
        fine = np.isfinite(size)
        if not fine.all():
            index, acc, place, size = index[fine], acc[fine], place[fine], size[fine]
        count = np.bincount(place, minlength=TURN_BLOCKS).astype(float)
        count[count == 0] = np.nan
        means = np.stack(
            [np.bincount(place, weights=of, minlength=TURN_BLOCKS) / count for of in (*acc.T, size)], axis=1
        )  # fmt: skip
        peak, peak_at = np.full(TURN_BLOCKS, np.nan), np.zeros(TURN_BLOCKS, np.int64)
        order = np.lexsort((size, place))
        ends = order[np.flatnonzero(np.diff(place, append=TURN_BLOCKS))] if len(place) else order
        peak[place[ends]], peak_at[place[ends]] = size[ends], index[ends]
        return Turn(number, means[:, :3], means[:, 3], peak, peak_at)
