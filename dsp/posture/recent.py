"""The newest seconds of blocks, kept in order of time: what a decision looks back on."""

from __future__ import annotations

from typing import Final

import numpy as np

from dsp.posture.blocks import TURN_BLOCKS, Floats, Turn

ROOM: Final = 4
"""Times what is kept: so seldom it goes to the front."""
NOTHING: Final = Turn(
    -1, np.full((TURN_BLOCKS, 3), np.nan), *np.full((2, TURN_BLOCKS), np.nan), np.zeros(TURN_BLOCKS, np.int64)
)
"""What was lost."""


class Recent:
    """The newest blocks of one sensor; what was lost between them is NaN. What it shows holds until the next turn.

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
        self._first = 0
        self._acc: Floats = np.full((ROOM * self._length, 3), np.nan)
        self._size, self._peak = np.full((2, ROOM * self._length), np.nan)
        self._peak_at = np.zeros(ROOM * self._length, np.int64)
        self._look()

    def gap(self, turn: Turn) -> int:
        """Return how many blocks were lost between the newest and a turn."""
        return max(0, turn.number * TURN_BLOCKS - self.end) if self._known else 0

    def append(self, turn: Turn) -> None:
        """Add a turn, and before it what was lost; it must be later than all others."""
        for _ in range(0, min(self.gap(turn), self._length), TURN_BLOCKS):
            self._shift(NOTHING)
        self._shift(turn)
        self.end = (turn.number + 1) * TURN_BLOCKS
        self._known = True

    def _shift(self, turn: Turn) -> None:
        """Put a turn behind what is kept; where there is no room, what is kept goes to the front first."""
        kept = (self._acc, self._size, self._peak, self._peak_at)
        end = self._first + self._length
        if end + TURN_BLOCKS > len(self._size):
            for array in kept:
                array[: self._length] = array[self._first : end]
            self._first, end = 0, self._length
        for array, new in zip(kept, (turn.acc, turn.size, turn.peak, turn.peak_at), strict=True):
            array[end : end + TURN_BLOCKS] = new
        self._first += TURN_BLOCKS
        self._look()

    def _look(self) -> None:
        now = slice(self._first, self._first + self._length)
        self.acc, self.size = self._acc[now], self._size[now]
        self.peak, self.peak_at = self._peak[now], self._peak_at[now]
