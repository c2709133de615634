"""The freeze index of one sensor as metrics: once a second while the leg moves, and a word when it does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.found import Found
from dsp.freezing.freeze_index import WINDOW_S, FreezeIndex

METRIC: Final = "freeze_index_multitaper"
METRIC_EVERY_S: Final = 1.0
STILL_POWER: Final = 0.05
"""(m/s²)²: a leg that moves less neither walks nor trembles; .2 m/s² is what breathing and a shift of weight give."""
STILL: Final = "the leg hardly moves: the index says nothing of that"
LOST: Final = "samples lost"


class FreezingMetrics:
    """The freeze index of one sensor on a shank, foot or lower back; the same in any chunking.

    Args:
        rate_hz: Samples a second.

    Raises:
        ValueError: the rate is too low for what is looked for.
    """

    algorithm = "freeze-index/1"

    def __init__(self, rate_hz: float) -> None:
        self._freeze_index = FreezeIndex(rate_hz, every_s=METRIC_EVERY_S, still=STILL_POWER)
        self._length = round(WINDOW_S * rate_hz)
        self._longest_gap = METRIC_EVERY_S * rate_hz
        self._before: int | None = None
        self._still = False

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the index of each window that samples complete, and once that there is none, and why."""
        del gyr
        at = np.asarray(index, np.int64)
        yield from self._gaps(at)
        for window in self._freeze_index.process(at, acc):
            first = window.last - self._length + 1
            if not math.isnan(window.value):
                self._still = False
                yield Found(METRIC, window.value, first, window.last, self._length)
            elif not self._still:
                self._still = True
                yield Found(METRIC, None, first, window.last, self._length, quality="invalid", reason=STILL)

    def _gaps(self, index: np.ndarray) -> Iterator[Found]:
        if not len(index):
            return
        numbers = index if self._before is None else np.concatenate([[self._before], index])
        self._before = int(index[-1])
        for i in np.flatnonzero(np.diff(numbers) > self._longest_gap).tolist():
            self._still = False
            yield Found(METRIC, None, int(numbers[i]), int(numbers[i + 1]), 0, quality="invalid", reason=LOST)
