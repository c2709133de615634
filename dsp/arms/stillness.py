"""Whether a wrist has moved at all in the last minutes: what lies on a table has not, and a resting arm hardly.

The border is that of wear time (`dsp.activity.still`). An arm in use is looked at sooner than after an hour: after ten
such minutes nobody can tell an arm that rests from a sensor that was taken off, and that is said.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dsp.activity.still import is_still, sums_of

MINUTE_S: Final = 60
DOUBTED: Final = 10
"""Minutes."""
OFF: Final = 60
"""Minutes."""
LEAST_SHARE: Final = 0.5
"""With fewer of their samples nobody knows of some minutes."""

State = Literal["moves", "doubtful", "off"]
Floats = NDArray[np.float64]


class Stillness:
    """Takes the samples of one wrist; the same in any chunking.

    Args:
        rate_hz: Samples a second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._minute: int | None = None
        self._rows: list[Floats] = []
        self._sums: deque[tuple[int, Floats]] = deque()
        self._states: deque[tuple[int, State]] = deque()

    def process(self, index: NDArray[np.int64], acc: Floats) -> None:
        """Take samples.

        Args:
            index: (n,) numbers on the sensor's grid, ascending.
            acc: (n, 3) specific force, m/s²; a row with NaN is lost.
        """
        minutes = (index / (MINUTE_S * self._rate_hz)).astype(np.int64)
        edges = (minutes[1:] != minutes[:-1]).nonzero()[0] + 1
        for first, end in pairwise([0, *edges.tolist(), len(index)]):
            if first == end:
                continue
            if int(minutes[first]) != self._minute:
                self._close()
                self._minute = int(minutes[first])
            self._rows.append(acc[first:end].copy())

    def state(self, second: int) -> State:
        """Return what was known when a second began, which must not lie before one that was asked for earlier."""
        minute = second // MINUTE_S
        while len(self._states) > 1 and self._states[1][0] < minute:
            self._states.popleft()
        return self._states[0][1] if self._states and self._states[0][0] < minute else "moves"

    def _close(self) -> None:
        """Judge the minutes up to the one that is over."""
        if self._minute is None:
            return
        rows = np.concatenate(self._rows)
        rows = rows[np.isfinite(rows).all(axis=1)]
        self._rows = []
        self._sums.append((self._minute, sums_of(rows)))
        while self._sums[0][0] <= self._minute - OFF:
            self._sums.popleft()
        state: State = "off" if self._still(OFF) else "doubtful" if self._still(DOUBTED) else "moves"
        self._states.append((self._minute, state))

    def _still(self, minutes: int) -> bool:
        """Whether so many minutes were spent without moving; no, where too little is known of them."""
        assert self._minute is not None
        newest: Floats = np.sum([sums for minute, sums in self._sums if minute > self._minute - minutes], axis=0)
        return bool(newest[0, 0] >= LEAST_SHARE * minutes * MINUTE_S * self._rate_hz) and is_still(newest)
