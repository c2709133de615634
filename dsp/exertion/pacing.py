"""Pacing: how long the heart rate was above the ceiling that was set for a person, and when somebody should know.

For people whom exertion harms later, as after Covid: below the ceiling there is no target, and more is not better.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from dsp.result import Result

ALGORITHM: Final = "pacing/1"
ONSET_S: Final = 30.0
"""Above the ceiling without a break, before anybody is called: a rate overshoots when somebody stands up."""
RELEASE_S: Final = 60.0
"""Below it, before it counts as another time."""
SHOWN_EVERY_S: Final = 60.0
LONGEST_STEP_S: Final = 5.0
"""From one rate to the next: what lies between two that are further apart is not known."""
RATE: Final = "heart_rate"


class Pacing:
    """The heart rate of one person against their ceiling.

    Args:
        ceiling: Beats a minute.
    """

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._begin_s = math.nan
        self._newest_s = math.nan
        self._above = False
        self._since_s = math.nan  # it is on this side of the ceiling
        self._called = False
        self._total_s = 0.0
        self._n = 0
        self._shown_s = -math.inf
        self._shown_total_s = -1.0

    def process(self, results: Sequence[Result]) -> Iterator[Result]:
        """Look at heart rates; yield when the rate stays above the ceiling, and each minute for how long it was."""
        for result in results:
            if result.metric == RATE and result.value is not None and result.quality == "ok":
                yield from self._rate(result.end_s, result.value)

    def mark(self, text: str, at_s: float) -> Iterator[Result]:
        """Marks say nothing to it."""
        del text, at_s
        yield from ()

    def end(self, at_s: float) -> Iterator[Result]:
        """Yield the time above the ceiling of the whole session."""
        del at_s
        if self._n and self._shown_s != self._newest_s:
            yield self._time()

    def finish(self) -> Iterator[Result]:
        """Yield nothing more."""
        yield from ()

    def _rate(self, at_s: float, rate: float) -> Iterator[Result]:
        step_s = at_s - self._newest_s
        if math.isnan(step_s):
            self._begin_s = self._shown_s = at_s
        elif step_s < 0:
            return
        known = step_s <= LONGEST_STEP_S
        if known and self._above:
            self._total_s += step_s
        above = rate > self._ceiling
        if above != self._above or not known:
            self._above, self._since_s = above, at_s
        self._newest_s = at_s
        self._n += 1
        lasted_s = at_s - self._since_s
        if above and lasted_s >= ONSET_S and not self._called:
            self._called = True
            yield Result("ceiling_exceeded", rate, "none", at_s, at_s, 1, ALGORITHM)
        elif not above and lasted_s >= RELEASE_S:
            self._called = False
        if at_s - self._shown_s >= SHOWN_EVERY_S and self._total_s != self._shown_total_s:
            yield self._time()

    def _time(self) -> Result:
        self._shown_s, self._shown_total_s = self._newest_s, self._total_s
        return Result("time_above_ceiling", self._total_s, "none", self._begin_s, self._newest_s, self._n, ALGORITHM)
