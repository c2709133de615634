"""Episodes of freezing: when a leg's freeze index says so for long enough, and what share of the time that is.

An index is of four seconds of movement; its window's middle is when it holds. A leg that hardly moves neither trembles
nor walks, so freezing without trembling is not found: this counts what trembles.

With the threshold as it is, on ankles of three people with Parkinson's disease rated from video (nothing tuned to
single people): sensitivity .88, specificity .88, second by second; on another set, where an episode trembles less, .13
and .99. A person's own threshold is better where there is a rated recording. Feet of healthy people
who walk: .5 % of the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from dsp.freezing.freeze_index import EVERY_S, WINDOW_S, FreezeValue

ALGORITHM: Final = "freezing_episodes/1"
THRESHOLD: Final = math.log(2.0)
"""Of the multitaper index: a leg that trembles with twice the power that it walks with."""
LEAST_POWER: Final = 0.5
"""(m/s²)²: less is a shift of weight or a sensor's noise, whatever its frequencies."""
MERGE_S: Final = 1.0
"""A pause of an episode; a foot that steps on takes longer."""
SHORTEST_S: Final = 1.0
"""Shorter ones raters do not agree on (Mancini 2021)."""
LOST: Final = "samples lost"
LOST_SHARE: Final = 0.2
"""With more of the time without an index the share of time is degraded."""


class FreezingEpisode(NamedTuple):
    """An episode: numbers of samples from the sensor's grid, which may be fractions, and the greatest index in it."""

    start: float
    end: float
    greatest: float


class FreezingEpisodes:
    """Finds episodes among the values of a freeze index, as they come.

    Args:
        rate_hz: Samples a second of the sensor.
        every_s: From value to value, seconds.
        threshold: Of the index.
    """

    def __init__(self, rate_hz: float, *, every_s: float = EVERY_S, threshold: float = THRESHOLD) -> None:
        self._half_window = WINDOW_S * rate_hz / 2
        self._half_hop = every_s * rate_hz / 2
        self._merge = MERGE_S * rate_hz
        self._shortest = SHORTEST_S * rate_hz
        self._threshold = threshold
        self._open: FreezingEpisode | None = None

    def add(self, value: FreezeValue) -> Iterator[FreezingEpisode]:
        """Take the next value; yield the episode before it, once it is known to be over."""
        middle = value.last - self._half_window
        yield from self.until(middle)
        if not self.freezes(value):
            return
        if self._open is None:
            self._open = FreezingEpisode(middle - self._half_hop, middle + self._half_hop, value.value)
        else:
            greatest = max(self._open.greatest, value.value)
            self._open = self._open._replace(end=middle + self._half_hop, greatest=greatest)

    def until(self, middle: float) -> Iterator[FreezingEpisode]:
        """Yield an episode that was over before so many samples."""
        if self._open is not None and middle - self._half_hop - self._open.end > self._merge:
            yield from self.flush()

    def flush(self) -> Iterator[FreezingEpisode]:
        """Yield the episode that a recording ends in, if it was long enough."""
        found, self._open = self._open, None
        if found is not None and found.end - found.start >= self._shortest:
            yield found

    def freezes(self, value: FreezeValue) -> bool:
        """Return whether an index is one of freezing; NaN is not."""
        return value.power >= LEAST_POWER and value.value > self._threshold


@dataclass(frozen=True, slots=True)
class TimeFrozen:
    """Freezing in a stretch of time.

    Attributes:
        n_fog: Episodes.
        pct_time_frozen: Their share of the time that there is an index of, %; NaN where there is none.
        reason: Why it is degraded; empty if it is not.
    """

    n_fog: int
    pct_time_frozen: float
    reason: str = ""


def time_frozen(episodes: Iterable[FreezingEpisode], first: float, last: float, measured: float) -> TimeFrozen:
    """Return how much of a stretch was freezing.

    Args:
        episodes: Of this sensor.
        first: Number of the stretch's first sample.
        last: Of its last.
        measured: How many of its samples an index stands for.
    """
    inside = [(max(e.start, first), min(e.end, last)) for e in episodes if e.end > first and e.start < last]
    frozen = sum(end - start for start, end in inside)
    whole = last - first
    lost = whole > 0 and measured < (1 - LOST_SHARE) * whole
    share = min(100.0, 100 * frozen / measured) if measured > 0 else math.nan
    return TimeFrozen(len(inside), share, LOST if lost else "")


def share_of_values(values: Sequence[FreezeValue], episodes: Iterable[FreezingEpisode], rate_hz: float) -> TimeFrozen:
    """Return how much of the time from the first to the last value was freezing."""
    if not values:
        return TimeFrozen(0, math.nan, LOST)
    hop = EVERY_S * rate_hz
    before = (WINDOW_S * rate_hz + hop) / 2
    return time_frozen(episodes, values[0].last - before, values[-1].last - before + hop, len(values) * hop)
