"""Days and weeks of a person: postures, steps and wear, and walking bouts under the names of Mobilise-D.

What adds up over a day is told by `gateway.results.day_sums`, and of a walk that several sensors saw what the one told
that saw most of it.

Bouts are made of single rows: of a day of which rows were deleted there are none. A day of less than ten hours of wear
is degraded, and no part of its week (`dsp.activity.bouts.summarise_week`). Days are those of UTC, as those of trends
are; what is told of a stretch of time counts on the day in which that ends.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import orjson

from dsp.activity.bouts import VALID_WEAR_H, WalkingBout, summarise_bouts, summarise_week
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Quality
from gateway.results.day_sums import (
    BOUT,
    DAY_US,
    OF_BOUT,
    TURN,
    WEAR,
    DaySum,
    rows_of,
    stretches_of,
    sums_of_days,
    tellers,
)
from gateway.results.milestones import monday
from gateway.results.overlap import Stretch, believed_occasions, length_us
from gateway.results.past_sessions import PastSession, shown_of
from gateway.texts.languages import text

MOST_DAYS: Final = 92
"""A quarter of a year: each bout is read, and a day of walking is some thousand strides."""
TURNS: Final = "wb_all__n_turns__sum"
STEPS_A_STRIDE: Final = 2

Outcomes = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Day:
    """One day; hours of postures and wear, the others as they are named.

    Attributes:
        at_us: Its begin, UTC microseconds.
        outcomes: By metric, or Mobilise-D's name; None where it is not known.
        quality: degraded where it says little of the day.
        reason: Why, in the language that is spoken; empty otherwise.
    """

    at_us: int
    outcomes: Outcomes
    quality: Quality
    reason: str


@dataclass(frozen=True, slots=True)
class Week:
    """The mean of those days of a week that were worn for ten hours; from Monday, UTC microseconds."""

    at_us: int
    n_days: int
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Days:
    """Every day of a person on which anything was measured, the oldest first, and their weeks."""

    subject: str
    simulated: bool
    from_us: int
    to_us: int
    days: Sequence[Day]
    weeks: Sequence[Week]


def make_days(reader: HistoryReader, subject: str, from_us: int, to_us: int) -> Days:
    """Return the days of a subject, each whole, as `shown_of` chooses; raises UnknownSubjectError, sqlite3.Error."""
    shown, simulated, _ = shown_of(reader, subject)
    from_us = from_us // DAY_US * DAY_US
    rows = stretches_of(reader, shown, (from_us, to_us), single=(BOUT,))
    sums = sums_of_days(rows)
    seen = [row for row in rows if row.metric == BOUT]
    bouts = _bouts_of_days(seen, _instants(reader, shown, seen, from_us, to_us)) if seen else {}
    for day in _partly_deleted(reader, shown, from_us, to_us) if bouts else ():
        bouts.pop(day, None)  # what is left of its bouts would look like all of them
    found = sorted(set(bouts).union(*sums.values()))
    days = [_day(day, {metric: of.get(day) for metric, of in sums.items()}, bouts.get(day)) for day in found]
    return Days(subject, simulated, from_us, to_us, days, _weeks(days))


def _day(day: int, sums: Mapping[str, DaySum | None], bouts: dict[str, float] | None) -> Day:
    wear_h = sums[WEAR]
    is_worn_enough = wear_h is not None and wear_h.total >= VALID_WEAR_H
    reasons = [] if is_worn_enough else [text("days.no_wear" if wear_h is None else "days.few_hours")]
    if any(one is not None and not one.is_good for one in sums.values()):
        reasons.append(text("days.doubtful"))
    outcomes: Outcomes = {metric: None if one is None else one.total for metric, one in sums.items()}
    outcomes |= {name: None if math.isnan(value) else value for name, value in (bouts or {}).items()}
    return Day(day * DAY_US, outcomes, "degraded" if reasons else "ok", "; ".join(reasons))


def _weeks(days: Iterable[Day]) -> list[Week]:
    found = []
    for at_us, of in groupby(days, lambda day: monday(day.at_us)):
        numbers = [
            (day.outcomes[WEAR] or 0.0,
             {name: math.nan if value is None else value for name, value in day.outcomes.items()})
            for day in of
        ]  # fmt: skip
        means = summarise_week(numbers)
        n_days = int(means.pop("n_days"))
        found.append(Week(at_us, n_days, {name: None if math.isnan(one) else one for name, one in means.items()}))
    return found


def _partly_deleted(reader: HistoryReader, sessions: Sequence[PastSession], from_us: int, to_us: int) -> list[int]:
    """Return the days of which retention has deleted rows that tell of bouts: it ends within a day, not with it."""
    within = from_us // MINUTE_US, -(-to_us // MINUTE_US)
    found = reader.rows(
        "SELECT DISTINCT m.minute / 1440 FROM json_each(?) s CROSS JOIN minutes m ON m.series = s.value"
        " WHERE m.kept = 0 AND m.minute >= ? AND m.minute < ?",
        (orjson.dumps([*tellers(reader, sessions, (BOUT, *OF_BOUT), "minutes", within)]).decode(), *within),
    )
    return [day for (day,) in found]


def _instants(
    reader: HistoryReader, sessions: Sequence[PastSession], bouts: Sequence[Stretch], from_us: int, to_us: int
) -> Known:
    """Return what the sources of some bouts told, from the first bout to the last; nothing else of it is looked at."""
    within = max(from_us, min(bout.start_us for bout in bouts)), min(to_us, max(bout.end_us for bout in bouts) + 1)
    sources = {bout.source for bout in bouts}
    told = tellers(reader, sessions, (TURN, *OF_BOUT), "measurements", within)
    values: dict[tuple[str, str], list[Stretch]] = defaultdict(list)
    for row in rows_of(reader, {series: of for series, of in told.items() if of[0] in sources}, within):
        values[row.source, row.metric].append(row)
    return {of: _Instants(found) for of, found in values.items()}


def _bouts_of_days(seen: Iterable[Stretch], known: Known) -> dict[int, dict[str, float]]:
    """Return the outcomes of each day; of a walk that legs and lower back saw, as that told it which saw most of it."""
    bouts: dict[int, list[WalkingBout]] = defaultdict(list)
    legs = set()
    for bout in believed_occasions(seen, length_us):
        day = bout.end_us // DAY_US
        bouts[day].append(_bout(bout, known))
        if bout.rank == 0:
            legs.add(day)
    found = {day: summarise_bouts(of) for day, of in bouts.items()}
    for day in legs:
        found[day][TURNS] = math.nan  # legs tell no turns of the body
    return found


def _bout(bout: Stretch, known: Known) -> WalkingBout:
    """Return a bout of what ended within it, as its own source told that."""
    of = {metric: known.get((bout.source, metric), NOTHING) for metric in (TURN, *OF_BOUT)}
    means = {field: of[metric].mean(bout) for metric, field in OF_BOUT.items()}
    if math.isnan(means["stride_duration_s"]):
        means["stride_duration_s"] = 60.0 * STEPS_A_STRIDE / means["cadence_spm"]
    return WalkingBout(bout.value, bout.n, of[TURN].count(bout), **means)


class _Instants:
    """What one source told of one metric, the oldest first, by when it ended."""

    def __init__(self, rows: Sequence[Stretch]) -> None:
        good = [row for row in rows if row.is_good]
        self._ends = [row.end_us for row in rows]
        self._values = np.array([row.value for row in rows], float)
        self._good_ends = [row.end_us for row in good]
        self._good_values = np.array([row.value for row in good], float)

    def count(self, bout: Stretch) -> int:
        """Return how many ended within a bout."""
        return bisect_right(self._ends, bout.end_us) - bisect_right(self._ends, bout.start_us)

    def mean(self, bout: Stretch) -> float:
        """Return the mean of those of good quality within a bout; where there are none, of all: as a trend does."""
        for ends, values in ((self._good_ends, self._good_values), (self._ends, self._values)):
            within = values[bisect_right(ends, bout.start_us) : bisect_right(ends, bout.end_us)]
            if within.size:
                return float(np.add.reduce(within) / within.size)  # as np.mean, without its asking what it has got
        return math.nan


NOTHING: Final = _Instants(())
Known = Mapping[tuple[str, str], _Instants]
"""By source and metric."""
