"""Walks and the U-turns between them, from one sensor that is held in a hand or worn on the trunk, anyhow.

A U-turn ends a walk, and so does standing still. The angle of a U-turn is that between the directions walked before and
after it: whoever stands after a turn holds a phone otherwise than walking (here by 5 to 10 degrees). Turns have steps
of their own, as strong as those of a slow walk: strength alone does not tell them apart, the heading does.

On a course, the protocol of a walk test, it is known that there is one walk between two U-turns and none without:
what moves besides is somebody getting ready.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dsp.result import Quality
from dsp.walk_tests.rows import Rows
from dsp.walk_tests.sequence import Found, Search, find_sequence
from dsp.walk_tests.stretches import WINDOW_S, Stretch, find_steps, mean_over
from dsp.walk_tests.ticks import Tick, Ticks

ALGORITHM: Final = "course-walks/1"

DECIDE_EVERY: Final = 10
"""Rows: decisions are taken twice a second."""
PEAK_S: Final = 0.3
"""The highest rate of a turn is that over so much: a shake of the hand is none."""
FEW_STEPS: Final = 6
"""With fewer a walk is degraded: three strides."""
KEPT_S: Final = 120.0
"""Of what is over so much is kept, to know how quiet and how strong somebody is."""
LONGEST_WALK_S: Final = 600.0
"""A walk of ten minutes is told of in parts: memory is bounded."""


class Walk(NamedTuple):
    """One walk.

    Attributes:
        start: Its first movement, in samples on the sensor's own grid.
        end: Its last movement.
        steps: Counted; the first and the last are often too weak.
        cadence_spm: Of both feet; NaN for fewer than two steps.
        quality: ok or degraded.
        reason: Why not ok; empty otherwise.
    """

    start: float
    end: float
    steps: int
    cadence_spm: float
    quality: Quality = "ok"
    reason: str = ""


class UTurn(NamedTuple):
    """One U-turn.

    Attributes:
        start: Where the heading begins to change, in samples on the sensor's own grid.
        end: Where it has changed.
        angle_deg: To the left positive, from the direction walked before to that walked after.
        peak_deg_s: Highest rate, without sign.
        steps: Steps meanwhile.
        quality: ok, or degraded where it has no walk on both sides or samples were lost.
        reason: Why not ok; empty otherwise.
    """

    start: float
    end: float
    angle_deg: float
    peak_deg_s: float
    steps: int
    quality: Quality = "ok"
    reason: str = ""


class CourseWalks:
    """The walks and U-turns of one sensor, as its samples come; the same in any chunking.

    A walk is told of when a U-turn or `PAUSE_S` of standing has ended it (on a course by the U-turn or the end alone),
    a U-turn when the next walk is `DIRECTION_S` old or over.

    Args:
        rate_hz: Samples a second, at least 20.
        course: There is one walk between two U-turns, and no U-turn without a walk on either side.

    Raises:
        ValueError: the rate is too low.
    """

    def __init__(self, rate_hz: float, *, course: bool = False) -> None:
        self._ticks = Ticks(rate_hz)
        self._course = course
        self._kept: list[Tick] = []
        self._settled = 0  # number of the row up to which all is told
        self._before: Stretch | None = None  # the latest walk that was told of, in numbers of rows

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Walk | UTurn]:
        """Yield what samples settle.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s², in any frame; NaN is lost.
            gyr: (n, 3) angular velocity, rad/s, in the same frame; NaN is lost.
        """
        for tick in self._ticks.process(index, acc, gyr):
            yield from self._add(tick)

    def flush(self) -> Iterator[Walk | UTurn]:
        """Yield what was still open: the recording or the test is over."""
        for tick in self._ticks.flush():
            yield from self._add(tick)
        yield from self._end("")

    def _add(self, tick: Tick) -> Iterator[Walk | UTurn]:
        if self._kept:
            newest = self._kept[-1].number
            if tick.number > newest + 1:
                yield from self._end("a gap in the data")
            elif tick.number // DECIDE_EVERY > newest // DECIDE_EVERY:
                yield from self._decide(over=False)
        if self._kept or tick.known:
            self._kept.append(tick)

    def _end(self, why: str) -> Iterator[Walk | UTurn]:
        if self._kept:
            yield from self._decide(over=True, why=why)
        self._kept.clear()
        self._before = None

    def _decide(self, *, over: bool, why: str = "") -> Iterator[Walk | UTurn]:
        rows = Rows(self._kept, self._ticks.tick_s)
        begin = max(0, self._settled - rows.first)
        cut = (len(rows) - begin) * rows.tick_s > LONGEST_WALK_S
        before = self._before and Stretch(self._before.start - rows.first, self._before.end - rows.first)
        for found in find_sequence(rows, Search(begin, before, self._course, over or cut)):
            if not found.settled:
                break
            stretch = found.stretch
            self._settled = rows.first + found.until
            if stretch.angle:
                yield self._as_turn(rows, found)
            else:
                self._before = Stretch(rows.first + stretch.start, rows.first + stretch.end)
                margin = round(WINDOW_S / rows.tick_s)
                ending = why or ("longer than is kept" if cut else "")
                yield self._as_walk(rows, found, ending if stretch.end + margin >= rows.end_of_known() else "")
        if over or cut:
            self._settled = rows.first + len(rows)
        self._forget()

    def _forget(self) -> None:
        newest = self._kept[-1].number
        oldest = min(self._settled, newest - round(KEPT_S / self._ticks.tick_s))
        del self._kept[: max(0, oldest - self._kept[0].number)]

    def _sample(self, row: int) -> float:
        """Return the number of the sample at which a row begins."""
        return float((self._ticks.first or 0) + row * self._ticks.samples)

    def _as_walk(self, rows: Rows, found: Found, ending: str) -> Walk:
        start, end = found.stretch[:2]
        steps = find_steps(rows.up, found.stretch, rows.tick_s)
        cadence = 60.0 * (len(steps) - 1) / float((steps[-1] - steps[0]) * rows.tick_s) if len(steps) > 1 else math.nan
        reason = found.doubt or ending or (f"only {len(steps)} steps" if len(steps) < FEW_STEPS else "")
        quality: Quality = "degraded" if reason else "ok"
        return Walk(
            self._sample(rows.first + start), self._sample(rows.first + end), len(steps), cadence, quality, reason
        )

    def _as_turn(self, rows: Rows, found: Found) -> UTurn:
        start, end, angle = found.stretch
        steps = find_steps(rows.up, found.stretch, rows.tick_s)
        peak = float(np.abs(mean_over(rows.yaw, round(PEAK_S / rows.tick_s))[start:end]).max())
        return UTurn(
            self._sample(rows.first + start),
            self._sample(rows.first + end),
            math.degrees(angle),
            math.degrees(peak),
            len(steps),
            "degraded" if found.doubt else "ok",
            found.doubt,
        )
