"""The newest seconds of blocks, kept in order of time: what a decision looks back on."""

from __future__ import annotations

from typing import Final

import numpy as np

from dsp.posture.blocks import TURN_BLOCKS, Floats, Turn


class Recent:
    """The newest blocks of one sensor; what was lost between them is NaN.

    Args:
        n_blocks: How many are kept, a multiple of ten.

    Attributes:
        end: Number of the block after the newest, on the sensor's own grid.
        acc: (n, 3) mean specific force, m/s².
        size: (n,) mean size of the force; ``peak`` its greatest.
        peak_at: (n,) number of the sample of the greatest force.
    """

    def __init__(self, n_blocks: int) -> None:
        self._length: Final = n_blocks
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.end = 0
        self._known = False
        self.acc: Floats = np.full((self._length, 3), np.nan)
        self.size: Floats = np.full(self._length, np.nan)
        self.peak: Floats = np.full(self._length, np.nan)
        self.peak_at = np.zeros(self._length, np.int64)

    def gap(self, turn: Turn) -> int:
        """Return how many blocks were lost between the newest and a turn."""
        return max(0, turn.number * TURN_BLOCKS - self.end) if self._known else 0

    def append(self, turn: Turn) -> None:
        """Add a turn, and before it what was lost; it must be later than all others."""
        lost = min(self.gap(turn), self._length)
        if lost:
            nothing = np.full(lost, np.nan)
            self._shift(Turn(turn.number, np.full((lost, 3), np.nan), nothing, nothing, np.zeros(lost, np.int64)))
        self._shift(turn)
        self.end = (turn.number + 1) * TURN_BLOCKS
        self._known = True

    def _shift(self, turn: Turn) -> None:
        self.acc, self.size = _after(self.acc, turn.acc), _after(self.size, turn.size)
        self.peak = _after(self.peak, turn.peak)
        self.peak_at = np.concatenate([self.peak_at[len(turn.peak_at) :], turn.peak_at])


def _after(kept: Floats, new: Floats) -> Floats:
    return np.concatenate([kept[len(new) :], new])
