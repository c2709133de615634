"""Samples of a sensor to blocks of 50 ms, handed on ten at a time: what posture and falls look at.

A turn of ten blocks is worked out at once from all samples that came in it, so the same samples in any chunking give
the same blocks, bit for bit; and so do any number of sensors at once, which costs little more than one of them. What
looks at blocks does not depend on the sensor's rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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


class Whole(NamedTuple):
    """The samples of turns that are complete.

    Attributes:
        numbers: Of the turns, which have samples each.
        place: (n,) block of each sample, counted from the first of the first turn as if none were missing between them.
        at: (n,) numbers of the samples.
        acc: (n, 3) specific force, m/s².
    """

    numbers: list[int]
    place: NDArray[np.int64]
    at: NDArray[np.int64]
    acc: Floats


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
        self._rows: tuple[NDArray[np.int64], Floats] | None = None
        self._newest = -1

    def complete(self, index: ArrayLike, acc: ArrayLike) -> Whole | None:
        """Return the samples of the turns that these complete; None where they complete none.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample. What
                is no later than a sample before it is passed over.
            acc: (n, 3) specific force, m/s²; a row with NaN is passed over.
        """
        at = np.asarray(index, np.int64)
        if not len(at) or at.max() <= self._newest:  # all of it was fed before: by another watcher, as a rule
            return None
        force = np.asarray(acc, float).reshape(len(at), 3)
        if not (at[0] > self._newest and (at[1:] > at[:-1]).all()):
            later = at > np.maximum.accumulate(np.r_[self._newest, at[:-1]])
            at, force = at[later], force[later]
        self._newest = int(at[-1])
        if self._rows:
            at, force = np.concatenate([self._rows[0], at]), np.concatenate([self._rows[1], force])
        edges, end = [0], self._end_of(int(at[0]))
        while end <= self._newest:
            edges.append(int(at.searchsorted(end)))
            end = self._end_of(int(at[edges[-1]]))
        if self._newest == end - 1:
            edges.append(len(at))
        self._rows = (at[edges[-1] :], force[edges[-1] :]) if edges[-1] < len(at) else None
        return self._whole(at, force, edges)

    def finish(self) -> Whole | None:
        """Return what is left of the open turn."""
        rows, self._rows = self._rows, None
        return self._whole(*rows, [0, len(rows[0])]) if rows else None

    def index_of(self, block: float) -> float:
        """Return the number of the first sample of a block, which counts from the grid's beginning."""
        return block * self._rate_hz / BLOCK_HZ

    def _end_of(self, index: int) -> int:
        """Return the first number that is no more in the turn of a sample."""
        samples = self._rate_hz * TURN_BLOCKS / BLOCK_HZ
        end = math.ceil((index // samples + 1) * samples)
        return end if end > index else end + math.ceil(samples)

    def _whole(self, index: NDArray[np.int64], acc: Floats, edges: list[int]) -> Whole | None:
        """Return the turns that lie between the edges of samples."""
        if len(edges) == 1:
            return None
        if edges[-1] < len(index):
            index, acc = index[: edges[-1]], acc[: edges[-1]]
        block = np.floor(index * (BLOCK_HZ / self._rate_hz)).astype(np.int64)
        numbers = [int(block[first]) // TURN_BLOCKS for first in edges[:-1]]
        place = np.empty_like(block)
        for at, (number, first, end) in enumerate(zip(numbers, edges, edges[1:], strict=False)):
            place[first:end] = block[first:end] + (at - number) * TURN_BLOCKS
            if place[end - 1] >= (at + 1) * TURN_BLOCKS:  # a rate of which a turn holds no whole number of samples
                np.minimum(place[first:end], (at + 1) * TURN_BLOCKS - 1, out=place[first:end])
        return Whole(numbers, place, index, acc)


def turns_of(wholes: Sequence[Whole]) -> Iterable[Turn]:
    """Return the turns of any number of sensors, those of each in order of time, sensor by sensor."""
    numbers = [number for whole in wholes for number in whole.numbers]
    before = np.cumsum([0, *(len(whole.numbers) * TURN_BLOCKS for whole in wholes)])
    place = np.concatenate([whole.place + first for whole, first in zip(wholes, before.tolist(), strict=False)])
    index = np.concatenate([whole.at for whole in wholes])
    rows = np.empty((len(index), 4))
    np.concatenate([whole.acc for whole in wholes], out=rows[:, :3])
    np.sqrt(np.einsum("ij,ij->i", rows[:, :3], rows[:, :3]), out=rows[:, 3])
    fine = np.isfinite(rows[:, 3])
    if not fine.all():
        index, place, rows = index[fine], place[fine], rows[fine]
    means, peak, peak_at = _blocks(len(numbers) * TURN_BLOCKS, index, place, rows)
    for at, number in enumerate(numbers):
        of = slice(at * TURN_BLOCKS, (at + 1) * TURN_BLOCKS)
        yield Turn(number, means[of, :3], means[of, 3], peak[of], peak_at[of])


def _blocks(
    n: int, index: NDArray[np.int64], place: NDArray[np.int64], rows: Floats
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return the means of the rows (force and its size) of ``n`` blocks, the greatest size, and its sample's number."""
    means, peak, peak_at = np.full((n, 4), np.nan), np.full(n, np.nan), np.zeros(n, np.int64)
    if len(place):
        firsts, counts = _runs(place)
        blocks = place[firsts]
        means[blocks] = np.add.reduceat(rows, firsts, axis=0) / counts[:, None]
        highest = np.maximum.reduceat(rows[:, 3], firsts)
        peak[blocks] = highest
        tops = rows[:, 3] == highest.repeat(counts)
        peak_at[place[tops]] = index[tops]  # of equals the last
    return means, peak, peak_at


def _runs(place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each run of equals begins, and how long it is."""
    edges = np.concatenate([[0], (place[1:] != place[:-1]).nonzero()[0] + 1, [len(place)]])
    return edges[:-1], edges[1:] - edges[:-1]
