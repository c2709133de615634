"""A climb of stairs that is timed: how long, how many steps, and how many stairs a minute.

The time of a stair climb test runs from the word to go until both feet stand on the last stair (Bennell et al. 2011,
Arthritis Care & Research 63 S11, S350). Marks say so; without them it runs from the first foot that leaves the floor to
the last contact of the session, and what was walked to the stairs is in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from dsp.marks import START, STOP
from dsp.reported import implausible
from dsp.result import Result
from dsp.walk_tests.progress import Progress
from dsp.walk_tests.result import Window
from dsp.walk_tests.timed import SETTLED_S, with_doubt

ALGORITHM: Final = "stair-climb/2"
NOT_MARKED: Final = "start and stop not marked: what was walked to the stairs is in it"
BY_BACK: Final = "by the lower back alone: a step or two more or less"
NO_STEPS: Final = "no steps seen"


class StairClimb:
    """Flights of stairs of one person in one session: one at each pair of marks, else all of the session as one.

    Args:
        stairs: How many there are; NaN where nobody said.
        doubt: Why what is measured is in doubt; empty if it is not.
    """

    def __init__(self, stairs: float = math.nan, *, doubt: str = "") -> None:
        self._stairs = stairs
        self._doubt = doubt
        self._progress = Progress()
        self._start_s: float | None = None
        self._marked: list[tuple[float, float]] = []
        self._any_marked = False
        self._over = False

    def process(self, results: Iterable[Result]) -> Iterator[Result]:
        """Yield what a marked climb came to, once its last contacts are known."""
        if not self._over:
            self._progress.add(results)
            while self._marked and self._progress.newest_s > self._marked[0][1] + SETTLED_S:
                yield from self._measure(*self._marked.pop(0))

    def mark(self, text: str, at_s: float) -> Iterable[Result]:
        """Take a mark: ``start`` at the word to go, ``stop`` when both feet stand on the last stair."""
        if text == START:
            self._start_s = at_s
        elif text == STOP and self._start_s is not None:
            self._marked.append((self._start_s, at_s))
            self._start_s, self._any_marked = None, True
        return ()

    def end(self, at_s: float) -> Iterator[Result]:
        """Yield what is left: the session is over."""
        del at_s
        yield from self.finish()

    def finish(self) -> Iterator[Result]:
        """Do as `end`: nothing more comes."""
        if self._over:
            return
        self._over = True
        for span in self._marked:
            yield from self._measure(*span)
        if self._start_s is not None or not self._any_marked:
            yield from self._unmarked(self._start_s)

    def _unmarked(self, start_s: float | None) -> Iterator[Result]:
        """Yield a climb of which nobody marked the end, and perhaps not the start."""
        walks = self._progress.walks(-math.inf if start_s is None else start_s, to_and_fro=False)
        if walks:
            first_s = self._progress.steps(*walks[0]).start_s if start_s is None else start_s
            yield from self._measure(first_s, walks[-1][1], NOT_MARKED)

    def _measure(self, start_s: float, end_s: float, doubt: str = "") -> Iterator[Result]:
        times = self._progress.contact_times(start_s, end_s + 1e-6)
        if times:  # without what the lower back is not sure of
            times = self._progress.steps(start_s, end_s + 1e-6).time_s.tolist()
        by_back = self._progress.source(start_s, end_s + 1e-6) == "lower back"
        window = Window(start_s, end_s, len(times))
        values: dict[str, float | None] = {"stairs_time": end_s - start_s, "stairs_steps": float(len(times))}
        if self._stairs > 0.0:
            values["stairs_rate"] = 60.0 * self._stairs / (end_s - start_s) if end_s > start_s else None
        rate = values.get("stairs_rate")
        refusal = "" if rate is None else implausible("stairs_rate", rate)
        doubts = (doubt, NO_STEPS) if not times else (doubt,)
        for metric, value in values.items():
            weak = times and by_back and (metric == "stairs_steps" or NOT_MARKED in doubts)
            counted = (BY_BACK,) if weak else ()
            known = None if metric == "stairs_steps" and not times else value
            result = window.result(metric, known, *doubts, *counted)
            if refusal and metric == "stairs_time":  # of a flight that nobody climbs in that time
                result = window.result("stairs_rate", rate, *doubts)._replace(metric=metric)
            yield with_doubt(result, self._doubt)._replace(algorithm=ALGORITHM)
