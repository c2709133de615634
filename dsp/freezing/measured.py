"""Freezing under one sensor as metrics: the index once a second while the leg moves, episodes, and their share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.found import Found
from dsp.freezing.episodes import LEAST_POWER, FreezingEpisode, FreezingEpisodes
from dsp.freezing.freeze_index import WINDOW_S, FreezeIndex, FreezeValue

METRIC: Final = "freeze_index_multitaper"
METRIC_EVERY_S: Final = 1.0
STILL_POWER: Final = 0.05
"""(m/s²)²: a leg that moves less neither walks nor trembles; .2 m/s² is what breathing and a shift of weight give."""
LEAST_MOVING: Final = 10
"""Seconds in which a leg moves, below which a session says nothing of freezing."""
STILL: Final = "the leg hardly moves: the index says nothing of that"
LOST: Final = "samples lost"


def index_of(rate_hz: float) -> FreezeIndex:
    """Return the freeze index of a sensor that the metrics are of.

    Raises:
        ValueError: the rate is too low.
    """
    return FreezeIndex(rate_hz, every_s=METRIC_EVERY_S, still=STILL_POWER)


class FreezingMetrics:
    """The freeze index of one sensor on a shank, foot or lower back; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        episodes: Whether the sensor is on a leg, whose index tells episodes.
        freeze_index: Of the sensor (`index_of`), where it is fed together with others; None: its own.

    Raises:
        ValueError: the rate is too low for what is looked for.
    """

    algorithm = "freeze-index/1"

    def __init__(self, rate_hz: float, *, episodes: bool = True, freeze_index: FreezeIndex | None = None) -> None:
        self._rate_hz = rate_hz
        self._episodes = FreezingEpisodes(rate_hz, every_s=METRIC_EVERY_S) if episodes else None
        self._n_episodes, self._n_moving, self._frozen_s = 0, 0, 0.0
        self._first, self._last = 0, 0
        """Of the windows in which the leg moves."""
        self._freeze_index = freeze_index or index_of(rate_hz)
        self._length = round(WINDOW_S * rate_hz)
        self._longest_gap = METRIC_EVERY_S * rate_hz
        self._before: int | None = None
        self._still = False

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the index of each window that samples complete, and once that there is none, and why."""
        del gyr
        at, force = np.asarray(index, np.int64), np.asarray(acc, float)
        if not len(at):
            return
        before = int(at[0]) if self._before is None else self._before
        gaps = self._gaps(before, at)
        for first, end in pairwise(sorted({0, *gaps, len(at)})):
            if first in gaps:
                self._still = False
                lost_from = int(at[first - 1]) if first else before
                yield Found(METRIC, None, lost_from, int(at[first]), 0, quality="invalid", reason=LOST)
            for window in self._freeze_index.process(at[first:end], force[first:end]):
                yield from self._of_window(window)
        self._before = int(at[-1])

    def _gaps(self, before: int, at: NDArray[np.int64]) -> list[int]:
        """Return which samples come after a gap."""
        n_lost = int(at[-1]) - before - len(at)
        if n_lost <= self._longest_gap - 2:  # all of them together: so it is in most seconds
            return []
        return np.flatnonzero(np.diff(at, prepend=before) > self._longest_gap).tolist()

    def _of_window(self, window: FreezeValue) -> Iterator[Found]:
        first = window.last - self._length + 1
        yield from self._episode(window)
        if not math.isnan(window.value):
            self._still = False
            yield Found(METRIC, window.value, first, window.last, self._length)
        elif not self._still:
            self._still = True
            yield Found(METRIC, None, first, window.last, self._length, quality="invalid", reason=STILL)

    def finish(self) -> Iterator[Found]:
        """Yield the episode that the session ends in, and what the session comes to."""
        if self._episodes is None:
            return
        yield from self._note(self._episodes.flush())
        n = self._n_moving
        if n >= LEAST_MOVING:
            share = min(100.0, 100 * self._frozen_s / (n * METRIC_EVERY_S))
            for metric, value in (("n_fog", float(self._n_episodes)), ("pct_time_frozen", share)):
                yield Found(metric, value, self._first, self._last, n)
        self._n_episodes, self._n_moving, self._frozen_s = 0, 0, 0.0

    def _episode(self, window: FreezeValue) -> Iterator[Found]:
        if self._episodes is None:
            return
        if window.power >= LEAST_POWER:
            self._first = self._first if self._n_moving else window.last - self._length + 1
            self._n_moving, self._last = self._n_moving + 1, window.last
        yield from self._note(self._episodes.add(window))

    def _note(self, episodes: Iterator[FreezingEpisode]) -> Iterator[Found]:
        for episode in episodes:
            duration_s = (episode.end - episode.start) / self._rate_hz
            self._n_episodes, self._frozen_s = self._n_episodes + 1, self._frozen_s + duration_s
            yield Found("freezing_episode", duration_s, episode.start, episode.end, 1)
