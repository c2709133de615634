"""The heart rate at rest: the lowest mean of five minutes in which nobody walked, of the last day."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from dsp.result import Quality, Result

ALGORITHM: Final = "resting-rate/1"
MINUTE_S: Final = 60.0
MINUTES: Final = 5
LEAST_A_MINUTE: Final = 30
"""Heart rates, of sixty: a minute with fewer is none."""
LATE_S: Final = 15.0
"""After a minute: by then it is known whether anybody walked in it."""
DAY_S: Final = 86400.0
ENOUGH_S: Final = 3600.0
"""Of observation: a shorter one may hold no rest at all."""
RATE: Final = "heart_rate"
MOVING: Final = frozenset({"initial_contact", "cadence", "exercise_cadence"})
"""Metrics of somebody who moves."""


class RestingRate:
    """The resting rate of one person.

    Args:
        at_rest: Whether the session is one of rest: then a few minutes are enough.
    """

    def __init__(self, *, at_rest: bool = False) -> None:
        self._enough_s = 0.0 if at_rest else ENOUGH_S
        self._begin_s = math.nan
        self._sums: dict[int, list[float]] = {}  # by minute: sum and number of rates
        self._moved: set[int] = set()
        self._due = 0  # the next minute to close
        self._means: deque[tuple[float, float]] = deque()  # end and mean of each five minutes of rest, of a day
        self._shown: tuple[float, str] | None = None

    def process(self, results: Sequence[Result]) -> Iterator[Result]:
        """Look at heart rates and at what shows movement; yield the resting rate where it is another one."""
        for result in results:
            if result.metric in MOVING:
                if result.value:
                    self._moved.update(range(int(result.start_s // MINUTE_S), int(result.end_s // MINUTE_S) + 1))
            elif result.metric == RATE:
                yield from self._until(result.end_s)
                if result.value is not None and result.quality == "ok":
                    both = self._sums.setdefault(int(result.end_s // MINUTE_S), [0.0, 0.0])
                    both[0] += result.value
                    both[1] += 1.0

    def mark(self, text: str, at_s: float) -> Iterator[Result]:
        """Marks say nothing to it."""
        del text, at_s
        yield from ()

    def end(self, at_s: float) -> Iterator[Result]:
        """Yield nothing more: what is lowest was shown when it came."""
        del at_s
        yield from ()

    def finish(self) -> Iterator[Result]:
        """Yield nothing more."""
        yield from ()

    def _until(self, now_s: float) -> Iterator[Result]:
        if math.isnan(self._begin_s):
            self._begin_s, self._due = now_s, int(now_s // MINUTE_S)
        while now_s >= (self._due + 1) * MINUTE_S + LATE_S:
            if now_s > (self._due + 2 * MINUTES) * MINUTE_S:  # nobody wore it: those minutes hold nothing
                self._due = max(self._due, int(now_s // MINUTE_S) - 2 * MINUTES)
            yield from self._close(self._due)
            self._due += 1

    def _close(self, minute: int) -> Iterator[Result]:
        last = range(minute - MINUTES + 1, minute + 1)
        sums = [self._sums.get(each, [0.0, 0.0]) for each in last]
        end_s = (minute + 1) * MINUTE_S
        if all(n >= LEAST_A_MINUTE for _, n in sums) and self._moved.isdisjoint(last):
            self._means.append((end_s, sum(s for s, _ in sums) / sum(n for _, n in sums)))
        while self._means and self._means[0][0] <= end_s - DAY_S:
            self._means.popleft()
        self._sums = {each: both for each, both in self._sums.items() if each > minute - MINUTES}
        self._moved = {each for each in self._moved if each > minute - MINUTES}
        if not self._means:
            return
        lowest_s, lowest = min(self._means, key=lambda mean: mean[1])
        short = end_s - self._begin_s < self._enough_s
        reason = f"of less than {ENOUGH_S / 60:.0f} min: there may have been no rest" if short else ""
        shown = (round(lowest, 1), reason)
        if shown != self._shown:
            self._shown = shown
            quality: Quality = "degraded" if reason else "ok"
            n = int(sum(n for _, n in sums))
            yield Result("hr_rest", lowest, "none", lowest_s - MINUTES * MINUTE_S, lowest_s, n, ALGORITHM,
                         quality=quality, reason=reason)  # fmt: skip
