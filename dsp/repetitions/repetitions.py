"""Repetitions of an exercise from a gyroscope on the limb that moves, strapped on anyhow.

The limb turns to and fro about one axis: that with most of the rotation over the last seconds. The angle about it is
what a repetition is cut out of: from where the limb rests or turns round, to the far end, and back. Two rules keep a
jerky movement one: an end counts when the limb has come back from it by a least angle (of the exercise, or a third of
what the last repetitions went), and a repetition takes half a second at least.

Half a second at a time is looked at, so a repetition is known up to that late after the next one has begun or the limb
has rested for a second. One that lost samples touch is none, and counted as rejected.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.repetitions.turning import Turn, TurnFinder
from dsp.smoothness import log_dimensionless_jerk, sparc

Floats = NDArray[np.float64]

ALGORITHM: Final = "repetitions/1"
BLOCK_S: Final = 0.5
LEAST_ROM_DEG: Final = 15.0
"""A smaller movement is none of an exercise, unless the exercise says so."""
ROM_SHARE: Final = 1 / 3
"""Of the median of the last repetitions: less of a way back is unevenness on the way."""
LAST: Final = 5
"""Repetitions that this median is of."""
RETURN_SHARE: Final = 0.5
"""Of the way there: whoever comes back less has not finished."""
SHORTEST_S: Final = 0.5
LONGEST_S: Final = 20.0
"""A repetition beyond is a posture; memory is bounded by it."""
RESTS_DPS: Final = 8.0
RESTS_S: Final = 1.0
"""A limb that has turned slower for so long has ended its repetition."""
EDGE_SHARE: Final = 0.05
"""Of the way: a repetition begins where the limb has left its place by so much, and ends where it is as near again."""
FORGETS_S: Final = 10.0
"""Of the rotation that tells the axis."""
LONGEST_GAP_S: Final = 0.2
"""Across a shorter gap a limb is taken to have turned evenly."""


class Repetition(NamedTuple):
    """One repetition, there and back.

    Attributes:
        start: Number of the sample with which it begins.
        end: Number of that with which it ends.
        duration_s: Between the two.
        rom_deg: Range of motion: mean of the ways there and back.
        peak_velocity_dps: Quickest rotation about the axis.
        sparc: Spectral arc length of its angular speed, there and back together.
        ldlj: Log dimensionless jerk of the same.
        n_rejected: What was begun since the last repetition and spoilt by lost samples.
    """

    start: int
    end: int
    duration_s: float
    rom_deg: float
    peak_velocity_dps: float
    sparc: float
    ldlj: float
    n_rejected: int = 0


class Repetitions:
    """Counts the repetitions of one limb, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 20.
        least_rom_deg: Smallest movement of the exercise that counts.

    Raises:
        ValueError: the rate is too low, or the range is none.
    """

    def __init__(self, rate_hz: float, *, least_rom_deg: float = LEAST_ROM_DEG) -> None:
        if not 20 <= rate_hz < math.inf:
            raise ValueError(f"repetitions need 20 samples a second, not {rate_hz:g}")
        if not 0 < least_rom_deg < math.inf:
            raise ValueError(f"the least range must be above 0 deg, not {least_rom_deg:g}")
        self._rate_hz = rate_hz
        self._least_rom_deg = least_rom_deg
        self._block = round(BLOCK_S * rate_hz)
        self._index = np.zeros(0, np.int64)
        self._gyr = np.zeros((0, 3))
        self._begin: int | None = None
        self._spread = np.zeros((3, 3))
        self._axis = np.zeros(3)
        self._roms: deque[float] = deque(maxlen=LAST)
        self._n_rejected = 0
        self._turns, self._angle, self._still = TurnFinder(), 0.0, 0
        self._ends: list[Turn] = []
        """Turns of the repetition that goes on: where it began, and its far end."""
        self._first = 0
        self._angles, self._rates = np.zeros(0), np.zeros(0)
        """From sample `_first` on."""

    def process(self, index: ArrayLike, gyr: ArrayLike) -> Iterator[Repetition]:
        """Yield the repetitions that samples end.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            gyr: (n, 3) angular rate, rad/s, in any frame that is fixed to the limb.
        """
        new = np.asarray(index, np.int64)
        self._index = np.concatenate([self._index, new])
        self._gyr = np.concatenate([self._gyr, np.asarray(gyr, float).reshape(len(new), 3)])
        if self._begin is None and len(self._index):
            self._begin = int(self._index[0])
        while self._begin is not None and self._index[-1] >= self._begin + self._block:
            first, last = np.searchsorted(self._index, [self._begin, self._begin + self._block])
            block = slice(int(first), int(last) + 1)
            yield from self._process_block(self._begin, self._block, self._index[block], self._gyr[block])
            self._begin += self._block
            behind = int(self._index[last]) - self._begin
            if behind >= self._block:  # a long gap: there is nothing in its blocks
                self._begin += behind // self._block * self._block
                self._reject()
        if self._begin is not None:
            kept = self._index >= self._begin
            self._index, self._gyr = self._index[kept], self._gyr[kept]

    @property
    def n_rejected(self) -> int:
        """How many were spoilt by lost samples since the last repetition."""
        return self._n_rejected

    def flush(self) -> Iterator[Repetition]:
        """Yield the repetition that the recording ends with, if the limb has come back."""
        if self._begin is not None and len(self._index):
            yield from self._process_block(self._begin, int(self._index[-1]) - self._begin + 1, self._index, self._gyr)
        yield from self._finish()
        self._restart()
        self._begin, self._index, self._gyr = None, self._index[:0], self._gyr[:0]

    def _process_block(self, begin: int, length: int, index: NDArray[np.int64], gyr: Floats) -> Iterator[Repetition]:
        known = np.isfinite(gyr).all(axis=1)
        at, turned = index[known], gyr[known]
        widest = np.diff(at, prepend=begin - 1, append=begin + length).max()
        if len(at) < 2 or widest > LONGEST_GAP_S * self._rate_hz + 1:
            self._reject()
            return
        grid = np.arange(begin, begin + length)
        rate = np.degrees(np.column_stack([np.interp(grid, at, axis) for axis in turned.T]))
        self._learn(rate)
        about = rate @ self._axis
        rests = bool((np.abs(about) < RESTS_DPS).all())
        # At rest the rate is the sensor's bias, which would add up to a movement.
        angle = self._angle + np.cumsum(np.zeros(length) if rests else about) / self._rate_hz
        self._keep(begin, angle, about)
        corners = np.flatnonzero(np.diff(np.signbit(about)))
        for corner in [*corners.tolist(), length - 1]:
            turn = self._turns.add(Turn(begin + corner, float(angle[corner])), self._least_deg())
            if turn is not None:
                yield from self._end(turn)
        self._still = self._still + length if rests else 0
        if self._still >= RESTS_S * self._rate_hz:
            yield from self._finish()
        self._forget(begin + length)

    def _keep(self, begin: int, angle: Floats, about: Floats) -> None:
        if not len(self._angles):
            self._first = begin
        self._angle = float(angle[-1])
        self._angles = np.concatenate([self._angles, angle])
        self._rates = np.concatenate([self._rates, about])

    def _learn(self, rate: Floats) -> None:
        """Turn the axis towards that of this block's rotation: the more of it there is, the more."""
        self._spread = math.exp(-BLOCK_S / FORGETS_S) * self._spread + rate.T @ rate
        axis = np.linalg.eigh(self._spread)[1][:, -1]
        before = self._axis if self._axis.any() else np.eye(3)[int(np.argmax(np.abs(axis)))]
        self._axis = axis if axis @ before >= 0 else -axis

    def _least_deg(self) -> float:
        usual = float(np.median(self._roms)) if self._roms else 0.0
        return max(self._least_rom_deg, ROM_SHARE * usual)

    def _end(self, turn: Turn) -> Iterator[Repetition]:
        """Take a turn that the movement has left: every second one ends a repetition."""
        self._ends.append(turn)
        if len(self._ends) == 3:
            yield from self._repetition(*self._ends)
            self._ends = [turn]

    def _finish(self) -> Iterator[Repetition]:
        """End a repetition with which the limb has come to rest."""
        back = self._turns.open_turn
        if len(self._ends) == 2 and back is not None:
            there = abs(self._ends[1].angle - self._ends[0].angle)
            if abs(back.angle - self._ends[1].angle) >= RETURN_SHARE * there:
                yield from self._repetition(self._ends[0], self._ends[1], back)
                self._ends, self._turns = [], TurnFinder()

    def _repetition(self, start: Turn, far: Turn, end: Turn) -> Iterator[Repetition]:
        there, back = abs(far.angle - start.angle), abs(end.angle - far.angle)
        first, middle, last = (turn.at - self._first for turn in (start, far, end))
        if first < 0 or back < RETURN_SHARE * there or there < RETURN_SHARE * back:
            return
        rom = (there + back) / 2
        left = np.flatnonzero(np.abs(self._angles[first:middle] - start.angle) <= EDGE_SHARE * there)
        come = np.flatnonzero(np.abs(self._angles[middle : last + 1] - end.angle) <= EDGE_SHARE * back)
        begin, stop = first + int(left[-1]), middle + int(come[0])
        duration_s = (stop - begin) / self._rate_hz
        if duration_s < SHORTEST_S:
            return
        speed = np.abs(self._rates[begin : stop + 1])
        self._roms.append(rom)
        n_rejected, self._n_rejected = self._n_rejected, 0
        yield Repetition(
            start=self._first + begin,
            end=self._first + stop,
            duration_s=duration_s,
            rom_deg=rom,
            peak_velocity_dps=float(speed.max()),
            sparc=sparc(speed, self._rate_hz),
            ldlj=log_dimensionless_jerk(speed, self._rate_hz),
            n_rejected=n_rejected,
        )

    def _forget(self, end: int) -> None:
        """Keep what the repetition that goes on needs, and no more than the longest one."""
        if self._ends and end - self._ends[0].at > LONGEST_S * self._rate_hz:
            self._ends = self._ends[1:]
        oldest = end - round(LONGEST_S * self._rate_hz) - self._block
        drop = max(0, oldest - self._first)
        self._first, self._angles, self._rates = self._first + drop, self._angles[drop:], self._rates[drop:]

    def _reject(self) -> None:
        self._n_rejected += len(self._ends) > 0
        self._restart()

    def _restart(self) -> None:
        self._turns, self._angle, self._still = TurnFinder(), 0.0, 0
        self._ends = []
        self._angles, self._rates = np.zeros(0), np.zeros(0)
