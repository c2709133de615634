"""Days and weeks of a person: postures, steps and wear, and walking bouts under the names of Mobilise-D.

What adds up over a day is the sum of its quarters, also where their rows were deleted, and of what several sensors told
of one time only what one of them did (`gateway.results.overlap`). Of hours that is the one that was worn for most of
that time; of those alike, the place that shows posture best. Of walking it is the one that saw most of that walk: radio
and noise take steps away, and seldom make any. So a sensor that falls silent, or comes off, is followed by the other.

Bouts are made of single rows: of a day of which rows were deleted there are none. A day of less than ten hours of wear
is degraded, and no part of its week (`dsp.activity.bouts.summarise_week`). Days are those of UTC, as those of trends
are; what is told of a stretch of time counts on the day in which that ends.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import orjson

from dsp.activity.bouts import VALID_WEAR_H, WalkingBout, summarise_bouts, summarise_week
from dsp.catalogue import CATALOGUE
from gateway.analysis.motions import MOTIONS
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Quality
from gateway.results.milestones import monday
from gateway.results.overlap import Stretch, believed_occasions, own_shares
from gateway.results.past_sessions import PastSession, shown_of
from gateway.results.trend import DAY_US
from gateway.texts.languages import text

MOST_DAYS: Final = 92
"""A quarter of a year: each bout is read, and a day of walking is some thousand strides."""
WEAR: Final = "wear_time"
STEPS: Final = "n_steps"
QUARTERS: Final = (WEAR, "upright_time", "sedentary_time", "transfer_count")
"""Metrics of which a day is the sum, told of one quarter of an hour after the other."""
OCCASIONS: Final = ("sedentary_bouts_30", STEPS)
"""Metrics of which a day is the sum, told when there was something."""
PLACES: Final[Mapping[str, int]] = {
    place: rank
    for motion in MOTIONS
    if WEAR in motion.metrics
    for rank, places in enumerate(motion.places)
    for place in places
}
"""Which place shows posture best, as sensors get their operators."""
HOUR_US: Final = 3_600_000_000
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
OF_WALKS: Final = frozenset({STEPS, BOUT, TURN, *OF_BOUT})
STEPS_A_STRIDE: Final = 2
WHEN: Final[Mapping[str, str]] = {"measurements": "end_us", "minutes": "minute"}
"""Columns of the history's tables that say when something was: UTC microseconds, and minutes."""

Outcomes = dict[str, float | None]
Teller = tuple[str, int, str]
"""Source, rank and metric of a series, as of a `Stretch`."""


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
    rows = _stretches(reader, shown, from_us, to_us)
    sums = _sums_of_days(rows)
    seen = [row for row in rows if row.metric == BOUT]
    bouts = _bouts_of_days(seen, _instants(reader, shown, seen, from_us, to_us)) if seen else {}
    for day in _partly_deleted(reader, shown, from_us, to_us) if bouts else ():
        bouts.pop(day, None)  # what is left of its bouts would look like all of them
    found = sorted(set(bouts).union(*sums.values()))
    days = [_day(day, {metric: of.get(day) for metric, of in sums.items()}, bouts.get(day)) for day in found]
    return Days(subject, simulated, from_us, to_us, days, _weeks(days))


def _day(day: int, sums: Mapping[str, tuple[float, bool] | None], bouts: dict[str, float] | None) -> Day:
    wear_h = sums[WEAR]
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
            (day.outcomes[WEAR] or 0.0,
             {name: math.nan if value is None else value for name, value in day.outcomes.items()})
            for day in of
        ]  # fmt: skip
        means = summarise_week(numbers)
        n_days = int(means.pop("n_days"))
        found.append(Week(at_us, n_days, {name: None if math.isnan(one) else one for name, one in means.items()}))
    return found


def _sums_of_days(rows: Sequence[Stretch]) -> dict[str, dict[int, tuple[float, bool]]]:
    """Return of each metric the sum of each day, and whether all of it is of good quality."""
    of: dict[str, list[Stretch]] = {metric: [] for metric in (*QUARTERS, *OCCASIONS)}
    for row in rows:
        if row.metric in of:
            of[row.metric].append(row)
    wear = _WearTime(of[WEAR])
    found: dict[str, dict[int, tuple[float, bool]]] = {}
    for metric, rows_of_it in of.items():
        days: dict[int, tuple[float, bool]] = {}
        for row, value in _counted_once(metric, rows_of_it, wear):
            total, is_good = days.get(row.end_us // DAY_US, (0.0, True))
            days[row.end_us // DAY_US] = total + value, is_good and row.is_good
        whole = CATALOGUE[metric].kind == "count"
        found[metric] = {day: (float(round(total)) if whole else total, good) for day, (total, good) in days.items()}
    return found


def _counted_once(metric: str, rows: Sequence[Stretch], wear: _WearTime) -> Iterator[tuple[Stretch, float]]:
    """Yield what counts of a metric, and how much of it, where several sensors may have told of one time."""
    if metric in QUARTERS:
        shares = own_shares(rows, lambda row: (-round(wear.share(row), 1), not row.is_good, row.rank, row.source))
        yield from ((row, row.value * share) for row, share in zip(rows, shares, strict=True) if share > 0.0)
    else:
        weight = _length_us if metric == STEPS else wear.duration_us
        yield from ((row, row.value) for row in believed_occasions(rows, weight))


def _length_us(row: Stretch) -> float:
    return row.end_us - row.start_us


class _WearTime:
    """For how much of some time a source was worn, by what it told of that itself."""

    def __init__(self, rows: Iterable[Stretch]) -> None:
        self._shares: dict[tuple[str, int, int], float] = {}  # all that a sensor tells of a quarter asks for the same
        self._rows: dict[str, list[Stretch]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row.end_us):
            self._rows[row.source].append(row)
        self._starts = {source: [row.start_us for row in of] for source, of in self._rows.items()}
        self._ends = {source: [row.end_us for row in of] for source, of in self._rows.items()}

    def duration_us(self, of: Stretch) -> float:
        """Return how much of the time of a stretch its source was worn; 0 where it did not tell."""
        total = 0.0
        if of.source not in self._rows:
            return total
        first = bisect_left(self._ends[of.source], of.start_us)
        for row in self._rows[of.source][first : bisect_left(self._starts[of.source], of.end_us)]:
            shared_us = min(row.end_us, of.end_us) - max(row.start_us, of.start_us)
            total += row.value * HOUR_US * max(0, shared_us) / max(1, row.end_us - row.start_us)
        return total

    def share(self, of: Stretch) -> float:
        """Return the same as a share of it."""
        key = of.source, of.start_us, of.end_us
        if (known := self._shares.get(key)) is None:
            known = self._shares[key] = self.duration_us(of) / max(1, of.end_us - of.start_us)
        return known


def _stretches(reader: HistoryReader, sessions: Sequence[PastSession], from_us: int, to_us: int) -> list[Stretch]:
    """Return what adds up, and bouts: of rows, and of those that were deleted what their minutes say."""
    in_minutes = from_us // MINUTE_US, -(-to_us // MINUTE_US)
    told_before = _tellers(reader, sessions, (*QUARTERS, *OCCASIONS), "minutes", in_minutes)
    deleted = reader.rows(
        "SELECT m.series, m.first_us, m.last_us, m.total, m.valued, m.degraded = 0"
        " FROM json_each(?) s CROSS JOIN minutes m ON m.series = s.value"
        " WHERE m.kept = 0 AND m.valued > 0 AND m.minute >= ? AND m.minute < ?",
        (orjson.dumps([*told_before]).decode(), *in_minutes),
    )
    rows = _rows(reader, _tellers(reader, sessions, (*QUARTERS, *OCCASIONS, BOUT), "measurements", (from_us, to_us)),
                 from_us, to_us)  # fmt: skip
    return [*(Stretch(*told_before[series], *values) for series, *values in deleted), *rows]


def _rows(reader: HistoryReader, of: Mapping[int, Teller], from_us: int, to_us: int) -> list[Stretch]:
    """Return the rows of some series within some time, by when they ended."""
    found = reader.rows(
        "SELECT m.series, m.start_us, m.end_us, m.value, m.n, m.quality = 0"
        " FROM json_each(?) s CROSS JOIN measurements m ON m.series = s.value"
        " WHERE m.end_us >= ? AND m.end_us < ? AND m.quality < 2 AND m.value IS NOT NULL ORDER BY m.end_us",
        (orjson.dumps([*of]).decode(), from_us, to_us),
    )
    return [Stretch(*of[series], *values) for series, *values in found]


def _tellers(
    reader: HistoryReader, sessions: Sequence[PastSession], metrics: Sequence[str], table: str, within: tuple[int, int]
) -> dict[int, Teller]:
    """Return source, rank and metric of each series that tells of some metrics in a table within some time."""
    if not sessions:
        return {}
    subject, simulated = sessions[0].subject, sessions[0].simulated
    # Of years there are thousands of series: only those that tell of that time are looked at, sum and all.
    told = reader.rows(
        f"SELECT id FROM main.series s WHERE subject = ? AND metric IN ({', '.join('?' * len(metrics))}) AND EXISTS"  # noqa: S608 - our own text
        f" (SELECT 1 FROM main.{table} m WHERE m.series = s.id AND {WHEN[table]} >= ? AND {WHEN[table]} < ?)",
        (subject, *metrics, *within),
    )
    parts = {part for one in sessions for part in one.parts}
    found = reader.rows(
        "SELECT id, session, devices, placement, metric, simulated FROM series"
        " WHERE id IN (SELECT value FROM json_each(?)) AND +subject = ?",
        (orjson.dumps([one for (one,) in told]).decode(), subject),
    )
    of = {row[0]: row for row in found if row[1] in parts and bool(row[5]) == simulated}
    return {one: _teller(*of[one][1:5]) for (one,) in told if one in of}


def _teller(session: str, devices: str, placement: str, metric: str) -> Teller:
    """Return source, rank and metric of a series: of hours a sensor; of walking the legs of a session, or its trunk."""
    if metric not in OF_WALKS:
        return f"{session}\n{devices}", PLACES.get(placement, len(PLACES)), metric
    trunk = placement == TRUNK
    return f"{session}\n{'trunk' if trunk else 'legs'}", int(trunk), metric


def _partly_deleted(reader: HistoryReader, sessions: Sequence[PastSession], from_us: int, to_us: int) -> list[int]:
    """Return the days of which retention has deleted rows that tell of bouts: it ends within a day, not with it."""
    within = from_us // MINUTE_US, -(-to_us // MINUTE_US)
    found = reader.rows(
        "SELECT DISTINCT m.minute / 1440 FROM json_each(?) s CROSS JOIN minutes m ON m.series = s.value"
        " WHERE m.kept = 0 AND m.minute >= ? AND m.minute < ?",
        (orjson.dumps([*_tellers(reader, sessions, (BOUT, *OF_BOUT), "minutes", within)]).decode(), *within),
    )
    return [day for (day,) in found]


def _instants(
    reader: HistoryReader, sessions: Sequence[PastSession], bouts: Sequence[Stretch], from_us: int, to_us: int
) -> Known:
    """Return what the sources of some bouts told, from the first bout to the last; nothing else of it is looked at."""
    within = max(from_us, min(bout.start_us for bout in bouts)), min(to_us, max(bout.end_us for bout in bouts) + 1)
    sources = {bout.source for bout in bouts}
    told = _tellers(reader, sessions, (TURN, *OF_BOUT), "measurements", within)
    values: dict[tuple[str, str], list[Stretch]] = defaultdict(list)
    for row in _rows(reader, {series: of for series, of in told.items() if of[0] in sources}, *within):
        values[row.source, row.metric].append(row)
    return {of: _Instants(found) for of, found in values.items()}


def _bouts_of_days(seen: Iterable[Stretch], known: Known) -> dict[int, dict[str, float]]:
    """Return the outcomes of each day; of a walk that legs and lower back saw, as that told it which saw most of it."""
    bouts: dict[int, list[WalkingBout]] = defaultdict(list)
    legs = set()
    for bout in believed_occasions(seen, _length_us):
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
