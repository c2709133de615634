"""Days and weeks of a person: postures, steps and wear, and walking bouts under the names of Mobilise-D.

What adds up over a day is the sum of its quarters, also where their rows were deleted. Bouts are made of single rows:
of a day of which rows were deleted there are none. A day on which the sensor was worn for less than ten hours is
degraded, and no part of its week (`dsp.activity.bouts.summarise_week`). Days are those of UTC, as those of trends are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import orjson

from dsp.activity.bouts import VALID_WEAR_H, WalkingBout, summarise_bouts, summarise_week
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Quality
from gateway.results.milestones import monday
from gateway.results.past_sessions import PastSession, shown_of
from gateway.results.trend import DAY_US, TrendLine, Window, lines_of
from gateway.texts.languages import text

MOST_DAYS: Final = 92
"""A quarter of a year: each bout is read, and a day of walking is some thousand strides."""
SUMMED: Final = ("wear_time", "upright_time", "sedentary_time", "sedentary_bouts_30", "transfer_count", "n_steps")
"""Metrics of which a day is the sum."""
BOUT: Final = "walking_bout"
OF_BOUT: Final = {
    "cadence": "cadence_spm",
    "walking_speed": "walking_speed_mps",
    "stride_length": "stride_length_m",
    "stride_time": "stride_duration_s",
}
"""Metrics whose mean within a bout is one of `WalkingBout`."""
TURN: Final = "turn_angle"
TURNS: Final = "wb_all__n_turns__sum"
TRUNK: Final = "lower_back"
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


class _Row(NamedTuple):
    trunk: bool
    metric: str
    start_us: int
    end_us: int
    value: float
    n: int
    is_good: int


def make_days(reader: HistoryReader, subject: str, from_us: int, to_us: int) -> Days:
    """Return the days of a subject, each whole, as `shown_of` chooses; raises UnknownSubjectError, sqlite3.Error."""
    shown, simulated, _ = shown_of(reader, subject)
    from_us = from_us // DAY_US * DAY_US
    window = Window(from_us, to_us, by="day")
    sums = {metric: _sums_of_days(lines_of(reader, shown, metric, window)) for metric in SUMMED}
    bouts = _bouts_of_days(_rows(reader, shown, from_us, to_us))
    for day in _partly_deleted(reader, shown, from_us, to_us):
        bouts.pop(day, None)  # what is left of its bouts would look like all of them
    found = sorted(set(bouts).union(*sums.values()))
    days = [_day(day, {metric: of.get(day) for metric, of in sums.items()}, bouts.get(day)) for day in found]
    return Days(subject, simulated, from_us, to_us, days, _weeks(days))


def _day(day: int, sums: Mapping[str, tuple[float, bool] | None], bouts: dict[str, float] | None) -> Day:
    wear_h = sums["wear_time"]
    is_worn_enough = wear_h is not None and wear_h[0] >= VALID_WEAR_H
    reasons = [] if is_worn_enough else [text("days.no_wear" if wear_h is None else "days.few_hours")]
    if any(one is not None and not one[1] for one in sums.values()):
        reasons.append(text("days.doubtful"))
    outcomes: Outcomes = {metric: None if one is None else one[0] for metric, one in sums.items()}
    outcomes |= {name: None if math.isnan(value) else value for name, value in (bouts or {}).items()}
    return Day(day * DAY_US, outcomes, "degraded" if reasons else "ok", "; ".join(reasons))


def _weeks(days: Iterable[Day]) -> list[Week]:
    found = []
    for at_us, of in groupby(days, lambda day: monday(day.at_us)):
        numbers = [
            (day.outcomes["wear_time"] or 0.0,
             {name: math.nan if value is None else value for name, value in day.outcomes.items()})
            for day in of
        ]  # fmt: skip
        means = summarise_week(numbers)
        n_days = int(means.pop("n_days"))
        found.append(Week(at_us, n_days, {name: None if math.isnan(one) else one for name, one in means.items()}))
    return found


def _sums_of_days(lines: Iterable[TrendLine]) -> dict[int, tuple[float, bool]]:
    """Return the sum of each day, and whether all of it is of good quality.

    Feet and lower back both count steps: of several ways of measuring that which found most is taken, never their sum.
    """
    ways: dict[int, dict[str, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        way = line.algorithm.rpartition("/")[0]  # another version may take over in the middle of a day
        for point in line.points:
            if point.value is not None:
                ways[point.at_us // DAY_US][way].append((point.value, point.quality == "ok"))
    return {
        day: max((sum(value for value, _ in parts), all(good for _, good in parts)) for parts in of.values())
        for day, of in ways.items()
    }


def _rows(reader: HistoryReader, sessions: Sequence[PastSession], from_us: int, to_us: int) -> list[_Row]:
    """Return bouts and what tells of them, in order of their ends."""
    if not sessions:
        return []
    metrics = [BOUT, TURN, *OF_BOUT]
    parts = _parts(sessions)
    rows = reader.rows(
        "SELECT s.placement = ?, s.metric, m.start_us, m.end_us, m.value, m.n, m.quality = 0 FROM series s"
        " CROSS JOIN measurements m ON m.series = s.id WHERE s.subject = ? AND s.simulated = ?"
        " AND s.metric IN (SELECT value FROM json_each(?)) AND s.session IN (SELECT value FROM json_each(?))"
        " AND m.end_us >= ? AND m.end_us < ? AND m.quality < 2 AND m.value IS NOT NULL ORDER BY m.end_us",
        (TRUNK, sessions[0].subject, sessions[0].simulated, orjson.dumps(metrics).decode(), parts, from_us, to_us),
    )  # fmt: skip
    return [_Row(bool(trunk), *rest) for trunk, *rest in rows]


def _partly_deleted(reader: HistoryReader, sessions: Sequence[PastSession], from_us: int, to_us: int) -> list[int]:
    """Return the days of which retention has deleted rows that tell of bouts: it ends within a day, not with it."""
    if not sessions:
        return []
    found = reader.rows(
        "SELECT DISTINCT m.minute / 1440 FROM series s CROSS JOIN minutes m ON m.series = s.id WHERE s.subject = ?"
        " AND s.simulated = ? AND s.metric IN (SELECT value FROM json_each(?)) AND s.session IN"
        " (SELECT value FROM json_each(?)) AND m.kept = 0 AND m.minute >= ? AND m.minute < ?",
        (sessions[0].subject, sessions[0].simulated, orjson.dumps([BOUT, *OF_BOUT]).decode(), _parts(sessions),
         from_us // MINUTE_US, -(-to_us // MINUTE_US)),
    )  # fmt: skip
    return [day for (day,) in found]


def _parts(sessions: Iterable[PastSession]) -> str:
    return orjson.dumps([part for one in sessions for part in one.parts]).decode()


def _bouts_of_days(rows: Sequence[_Row]) -> dict[int, dict[str, float]]:
    """Return the outcomes of each day: of legs and lower back those of that which saw most walking."""
    ways = {trunk: _bouts([row for row in rows if row.trunk == trunk]) for trunk in (False, True)}
    found = {}
    for day in sorted(set().union(*ways.values())):
        walked = {trunk: sum(bout.duration_s for bout in of.get(day, ())) for trunk, of in ways.items()}
        trunk = walked[True] > walked[False]
        found[day] = summarise_bouts(ways[trunk][day])
        if not trunk:
            found[day][TURNS] = math.nan  # legs tell no turns of the body
    return found


def _bouts(rows: Sequence[_Row]) -> dict[int, list[WalkingBout]]:
    """Return the bouts that one way of measuring found, by the day in which they end."""
    told = {name: [row for row in rows if row.metric == name] for name in (TURN, *OF_BOUT)}
    ends = {name: np.array([row.end_us for row in of], np.int64) for name, of in told.items()}
    found = defaultdict(list)
    for bout in rows:
        if bout.metric != BOUT:
            continue
        within = {
            name: of[slice(*np.searchsorted(ends[name], (bout.start_us, bout.end_us), "right"))]
            for name, of in told.items()
        }
        means = {field: _mean(within[name]) for name, field in OF_BOUT.items()}
        if math.isnan(means["stride_duration_s"]):
            means["stride_duration_s"] = 60.0 * STEPS_A_STRIDE / means["cadence_spm"]
        found[bout.end_us // DAY_US].append(WalkingBout(bout.value, bout.n, len(within[TURN]), **means))
    return found


def _mean(rows: Sequence[_Row]) -> float:
    """Return the mean of those of good quality; where there are none, of all: as a trend does."""
    values = [row.value for row in rows if row.is_good] or [row.value for row in rows]
    return float(np.mean(values)) if values else math.nan
