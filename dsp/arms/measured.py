"""How much one wrist moves, as metrics: each second its activity counts, and whether it is worn at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.activity.still import OFF_BODY
from dsp.arms.counts import ALGORITHM, LOST, ActivityCounts
from dsp.arms.stillness import MINUTE_S, OFF, State, Stillness
from dsp.found import Found

METRIC: Final = "activity_counts"
HARDLY: Final = "hardly moved for ten minutes: an arm at rest, or a sensor that is not worn"


class WristCounts:
    """Counts of one wrist, second by second; the same in any chunking.

    A second of which nothing is known has no value and the reason. When an hour has gone by without a movement, a
    finding of that whole hour takes back what its seconds told.

    Args:
        rate_hz: Samples a second.

    Raises:
        ValueError: the rate is too low.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float) -> None:
        self._counts = ActivityCounts(rate_hz)
        self._stillness = Stillness(rate_hz)
        self._rate_hz = rate_hz
        self._state: State = "moves"

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the counts of each second that samples complete."""
        del gyr
        at = np.asarray(index, np.int64)
        force = np.asarray(acc, float).reshape(len(at), 3)
        self._stillness.process(at, force)
        for second in self._counts.process(at, force):
            first, last = second.second * self._rate_hz, (second.second + 1) * self._rate_hz
            n = round(self._rate_hz)
            before, self._state = self._state, self._stillness.state(second.second)
            if self._state == "off":
                if before != "off":
                    first = max(0.0, (second.second // MINUTE_S - OFF) * MINUTE_S * self._rate_hz)
                yield Found(METRIC, None, first, last, 0, n, "invalid", OFF_BODY)
            elif math.isnan(second.counts):
                yield Found(METRIC, None, first, last, 0, n, "invalid", second.reason or LOST)
            elif self._state == "doubtful":
                yield Found(METRIC, second.counts, first, last, n, 0, "degraded", HARDLY)
            else:
                yield Found(METRIC, second.counts, first, last, n)
