"""The newest rows of one sensor, side by side: what a decision looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.walk_tests.stretches import EDGE_S, Levels, find_levels, find_offset, movement
from dsp.walk_tests.ticks import Tick

BRIDGE_S: Final = 0.5
"""What is lost for no longer is drawn straight across without a word: it hides no step and no turn."""

Floats = NDArray[np.float64]


class Rows:
    """Rows from number ``first`` on, without a hole: what is lost is drawn straight across and remembered.

    Attributes:
        first: Number of the oldest row.
        known: (n,) whether anything of the row arrived.
        up: (n,) upward force beyond rest, m/s².
        rms: (n,) strength of movement about each row, m/s².
        quick: (n,) the same over a shorter time.
        heading: (n,) to the left, from the oldest row on, the offset at rest taken out, not wrapped, rad.
        yaw: (n,) rate of it, rad/s.
        levels: How strongly this person moves.
    """

    def __init__(self, ticks: Sequence[Tick], tick_s: float) -> None:
        table = np.array([(t.number, t.yaw, t.up, *t.force) for t in ticks], float).reshape(-1, 6)
        self.tick_s = tick_s
        self.first = ticks[0].number
        self.known = np.array([t.known for t in ticks], bool)
        at, here = table[:, 0], self.known
        yaw, up, *force = (np.interp(at, at[here], table[here, column]) for column in range(1, 6))
        self.up: Floats = up
        self.rms: Floats = movement(force, tick_s)
        self.quick: Floats = movement(force, tick_s, EDGE_S)
        self.levels: Levels = find_levels(self.rms)
        self.yaw: Floats = yaw - find_offset(yaw, self.rms, self.levels.quiet, tick_s)
        self.heading: Floats = np.cumsum(self.yaw) * tick_s

    def __len__(self) -> int:
        return len(self.known)

    def end_of_known(self) -> int:
        """Return the row from which on nothing arrived."""
        return int(np.flatnonzero(self.known)[-1]) + 1

    def longest_gap_s(self, start: int, end: int) -> float:
        """Return for how long nothing arrived between two rows, at most."""
        lost = np.flatnonzero(~self.known[start:end])
        if not len(lost):
            return 0.0
        runs = np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1)
        return max(len(run) for run in runs) * self.tick_s

    def doubt(self, start: int, end: int) -> str:
        """Return why what happened between two rows is in doubt; empty if it is not."""
        gap_s = self.longest_gap_s(start, end)
        return f"a gap of {gap_s:.1f} s" if gap_s > BRIDGE_S else ""
