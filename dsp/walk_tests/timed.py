"""Timed walks of one person in one session: over 10 or 4 metres, for 6 or 2 minutes; from results, not samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from dsp.marks import LAP, START, STOP
from dsp.result import Result
from dsp.walk_tests.over_distance import Course, time_marked, time_walk
from dsp.walk_tests.over_time import Shuttle, measure_distance
from dsp.walk_tests.progress import PAUSE_S, Progress

SETTLED_S: Final = 4.0
"""After a walk or a test no contact comes that belongs to it: two of the longest steps."""


class DistanceWalk:
    """Walks over a set distance, one after the other: each gives a speed when it is over.

    Args:
        course: How the test is done.
        doubt: Why what is measured is in doubt; empty if it is not.
    """

    def __init__(self, course: Course, *, doubt: str = "") -> None:
        self._course = course
        self._doubt = doubt
        self._progress = Progress()
        self._done_s = -math.inf  # all walks up to then are told
        self._start_s: float | None = None
        self._marked: list[tuple[float, float]] = []  # not told yet
        self._over = False

    def process(self, results: Iterable[Result]) -> Iterator[Result]:
        """Yield what further results complete; nothing once the session is over."""
        if not self._over:
            self._progress.add(results)
            yield from self._found(over=False)

    def mark(self, text: str, at_s: float) -> Iterable[Result]:
        """Take a mark: ``start`` and ``stop`` are the crossing of two lines, and go before what is found."""
        if text == START:
            self._start_s = at_s
        elif text == STOP and self._start_s is not None:
            self._marked.append((self._start_s, at_s))
            self._start_s = None
        return ()

    def end(self, at_s: float) -> Iterator[Result]:
        """Yield the walk that was still going on: the session is over."""
        del at_s
        yield from self.finish()

    def finish(self) -> Iterator[Result]:
        """Do as `end`: nothing more comes."""
        if not self._over:
            self._over = True
            yield from self._found(over=True)

    def _found(self, *, over: bool) -> Iterator[Result]:
        while self._marked and (over or self._progress.newest_s > self._marked[0][1] + SETTLED_S):
            start_s, stop_s = self._marked.pop(0)
            self._done_s = stop_s + PAUSE_S
            yield from self._doubted(time_marked(self._progress, self._course, start_s, stop_s))
        if (self._start_s is not None or self._marked) and not over:
            return  # somebody marks where it ends
        if self._start_s is not None:
            self._done_s = max(self._done_s, self._start_s)  # nobody did: what was found since then is told
        for start_s, end_s in self._progress.walks(self._done_s):
            if not over and self._progress.newest_s - end_s < SETTLED_S and not self._turned(end_s):
                return
            self._done_s = end_s + 1e-6
            yield from self._doubted(time_walk(self._progress.steps(start_s, end_s), self._course))

    def _turned(self, end_s: float) -> bool:
        """Whether a U-turn ended the walk, and is over itself."""
        turns = self._progress.turns(end_s - SETTLED_S, self._progress.newest_s - SETTLED_S)
        return any(turn.end_s > end_s for turn in turns)

    def _doubted(self, results: Iterable[Result]) -> list[Result]:
        return [with_doubt(result, self._doubt) for result in results]


class TimeWalk:
    """A walk for a set time: distance, laps and stops, when the time is up or the session over.

    Args:
        shuttle: How the test is done.
        doubt: Why what is measured is in doubt; empty if it is not.
    """

    def __init__(self, shuttle: Shuttle, *, doubt: str = "") -> None:
        self._shuttle = shuttle
        self._doubt = doubt
        self._progress = Progress()
        self._laps: list[float] = []
        self._found_s: float | None = None
        self._start_s: float | None = None
        self._stop_s = math.inf
        self._over = False

    def process(self, results: Iterable[Result]) -> Iterator[Result]:
        """Yield the test's results once its time is up."""
        self._progress.add(results)
        begin_s = self._begin_s()
        if begin_s is not None and self._progress.newest_s > self._end_s(begin_s) + SETTLED_S:
            yield from self.finish()

    def mark(self, text: str, at_s: float) -> Iterable[Result]:
        """Take a mark: ``start`` and ``stop`` of the time, ``lap`` where a length of the course is done."""
        if text == START:
            self._start_s, self._stop_s, self._laps, self._over = at_s, math.inf, [], False
        elif text == STOP and (begin_s := self._begin_s()) is not None and at_s > begin_s:
            self._stop_s = min(self._stop_s, at_s)
        elif text == LAP:
            self._laps.append(at_s)
        return ()

    def end(self, at_s: float) -> Iterator[Result]:
        """Yield the results: the session is over, and with it the time."""
        self._stop_s = min(self._stop_s, at_s)
        yield from self.finish()
        self._over = True  # who walks only later walks no test

    def finish(self) -> Iterator[Result]:
        """Yield the results: the time is up, or the session over."""
        begin_s = self._begin_s()
        if self._over or begin_s is None:
            return
        self._over = True
        end_s = min(self._end_s(begin_s), max(self._progress.newest_s, begin_s))
        if math.isfinite(self._stop_s):
            end_s = self._stop_s
        for result in measure_distance(self._progress, self._shuttle, (begin_s, end_s), tuple(self._laps)):
            yield with_doubt(result, self._doubt)

    def _begin_s(self) -> float | None:
        """Return when the time began: as marked, or with the first foot that left the floor."""
        if self._start_s is not None:
            return self._start_s
        if self._found_s is None and (walks := self._progress.walks(to_and_fro=False)):
            self._found_s = self._progress.steps(*walks[0]).start_s
        return self._found_s

    def _end_s(self, begin_s: float) -> float:
        return min(self._stop_s, begin_s + self._shuttle.duration_s)


def with_doubt(result: Result, doubt: str) -> Result:
    """Return a result that is in doubt for one more reason; itself where there is none."""
    if not doubt:
        return result
    reason = "; ".join(filter(None, (doubt, result.reason)))
    return result._replace(quality="invalid" if result.value is None else "degraded", reason=reason)
