"""Trends of a subject over weeks to years: a metric by session, day or week; gaps stay gaps; milestones; adherence.

Days and weeks are those of UTC, weeks begin on Monday: a session of a ward lies within one of either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

import orjson

from dsp.catalogue import CATALOGUE
from gateway.history.books.ward_book import NO_STAY
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.model.entered import is_entered
from gateway.model.measurement import Quality
from gateway.results.by_hand import DEGRADED, INVALID, OK, Row, standing
from gateway.results.day_sums import DAY_US, WEAR, Told, contested_days, stretches_of, sums_of_days, teller
from gateway.results.milestones import Milestone, Week, milestones_of, weeks_of
from gateway.results.past_sessions import STAY, PastSession, shown_of
from gateway.results.plans import plans_of
from gateway.results.values import LEFT_OUT, order, uncounted

By = Literal["session", "day", "week"]
WEEK_DAYS: Final = 7
MONDAY: Final = 4
"""Days from 1970-01-01, a Thursday, to the first Monday."""
BY_SESSION_DAYS, BY_DAY_DAYS = 45, 200
"""Up to so many days are shown by session, and by day; longer ones by week."""
LONGEST_DAYS: Final = 4000
LATE_US: Final = 60_000_000
"""So long after the end of a session what was measured in it may still be told."""
NEVER_US: Final = 2**62
MINUTES: Final = "minutes"
SUMS: Final = (
    "sum(n), sum(degraded), sum(valued), sum(total), sum(CASE WHEN degraded = 0 THEN valued END),"
    " sum(CASE WHEN degraded = 0 THEN total END), min(low), max(high), min(minute), min(first_us), max(last_us)"
)
FIRST_SHOWN = ("tmwt10_speed", "walking_speed", "tug_total", "mwt6_distance", "cadence", "heart_rate")
"""What is shown where nobody has chosen a metric, as far as there is such."""


Line = tuple[str, str]
"""Side and algorithm."""


class _Sums(NamedTuple):
    """Sums over a series, or a day of it, as `SUMS` asks for them."""

    n: int
    degraded: int
    valued: int
    total: float
    good: int | None
    good_total: float | None
    low: float | None
    high: float | None
    minute: int
    first_us: int
    last_us: int

    @property
    def day(self) -> int:
        """Days since 1970."""
        return self.minute * MINUTE_US // DAY_US


class _Part(NamedTuple):
    """What one series gives a line: the session whose it is, who told it, and sums."""

    session: str
    source: str
    sums: _Sums


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """What a metric was in one session, day or week; the value as ``gateway.results.values`` makes it."""

    at_us: int
    value: float | None
    low: float | None
    high: float | None
    n: int
    quality: Quality
    session: str = ""


@dataclass(frozen=True, slots=True)
class TrendLine:
    """The points of one side as one algorithm measured it, the oldest first."""

    side: str
    algorithm: str
    points: list[TrendPoint]


@dataclass(frozen=True, slots=True)
class Trend:
    """Everything that a trend page shows; times in UTC microseconds."""

    subject: str
    simulated: bool
    from_us: int
    to_us: int
    by: By
    metric: str
    metrics: Sequence[str]
    lines: Sequence[TrendLine]
    milestones: Sequence[Milestone]
    weeks: Sequence[Week]
    bands: str
    sessions: int = 0
    first_us: int | None = None
    both_kinds: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for.

    Attributes:
        from_us: From when, UTC microseconds.
        to_us: To when.
        metric: Id; empty: the first that there is.
        by: By what the values are put together; None: as fits the length.
    """

    from_us: int
    to_us: int
    metric: str = ""
    by: By | None = None

    @property
    def step(self) -> By:
        """By what the values are put together."""
        days = (self.to_us - self.from_us) / DAY_US
        return self.by or ("session" if days <= BY_SESSION_DAYS else "day" if days <= BY_DAY_DAYS else "week")


def make_trend(reader: HistoryReader, subject: str, window: Window) -> Trend:
    """Return the trend of a subject, as `shown_of` chooses; raises UnknownSubjectError, sqlite3.Error."""
    shown, simulated, both_kinds = shown_of(reader, subject)
    metrics = metrics_of(reader, subject)
    metric = window.metric or next((one for one in (*FIRST_SHOWN, *metrics) if one in metrics), "")
    plans = plans_of(reader, subject)
    return Trend(
        subject, simulated, window.from_us, window.to_us, window.step, metric, metrics,
        lines_of(reader, shown, metric, window) if metric else [],
        milestones_of(reader, subject, shown, window.from_us, window.to_us),
        weeks_of(shown, plans, window.from_us, window.to_us),
        plans[-1].bands if plans else "", len(shown), shown[0].started_us if shown else None,
        both_kinds,
    )  # fmt: skip


def metrics_of(reader: HistoryReader, subject: str) -> list[str]:
    """Return the metrics that there are of a subject, tests first."""
    # An index alone tells them; of years there are thousands of series, of which one with a right sum is enough.
    rows = reader.rows(
        "SELECT metric FROM (SELECT DISTINCT metric FROM main.series WHERE subject = ?1) AS m"
        " WHERE EXISTS (SELECT 1 FROM series s WHERE s.subject = ?1 AND s.metric = m.metric)", (subject,),
    )  # fmt: skip
    found = [
        metric
        for (metric,) in rows
        if (about := CATALOGUE.get(metric)) is not None and not {about.kind, about.group} & LEFT_OUT
    ]
    return sorted(found, key=order)


def lines_of(reader: HistoryReader, sessions: Sequence[PastSession], metric: str, window: Window) -> list[TrendLine]:
    """Return the lines of a metric within a window."""
    gone = cut_off_stays(reader, sessions, metric)
    owners = {part: one for one in sessions if one.session not in gone for part in one.parts}
    long = [part for part, one in owners.items() if _is_long(one, window.step)]
    lines: dict[Line, list[_Part]] = defaultdict(list)
    entered: set[tuple[int, str]] = set()
    for number, part, side, algorithm, devices, placement, *sums in _rows(reader, sessions, metric, window, long):
        if (owner := owners.get(part)) is None:
            continue
        held = standing(reader, [number], algorithm) if is_entered(algorithm) else []
        if held and (number, part) in entered:
            continue  # all of it was taken with the first of its days
        entered.add((number, part))
        of = [_sums_of(row) for row in held if window.from_us <= row[0] < window.to_us] if held else [_Sums(*sums)]
        source, *_ = teller(part, devices, placement, metric)
        lines[side, algorithm] += [_Part(owner.session, source, found) for found in of]
    asked = replace(window, metric=metric)
    once = CATALOGUE[metric].is_summed and window.step != "session"
    shown = [one for one in sessions if one.session not in gone]
    made = [
        _line(line, _counted_once(reader, shown, asked, line, of) if once else of, metric, window.step)
        for line, of in lines.items()
    ]
    return sorted(made, key=lambda line: (line.side, line.algorithm))


def _line(line: Line, of: Iterable[_Part], metric: str, step: By) -> TrendLine:
    buckets: dict[tuple[int, str], list[_Sums]] = defaultdict(list)
    for part in of:
        buckets[_bucket(part.sums.day, part.session, step)].append(part.sums)
    return TrendLine(*line, sorted((_point(at, sums, metric) for at, sums in buckets.items()), key=_when))


def _counted_once(
    reader: HistoryReader, sessions: Sequence[PastSession], window: Window, line: Line, of: Sequence[_Part]
) -> Iterator[_Part]:
    """Yield what a line is made of, of what several sensors told of one time once: as days count it."""
    told = (Told(part.sums.day, part.source, part.sums.first_us, part.sums.last_us) for part in of)
    contested = contested_days(told)
    yield from (part for part in of if part.sums.day not in contested)
    first_us, end_us = window.from_us // MINUTE_US * MINUTE_US, -(-window.to_us // MINUTE_US) * MINUTE_US
    for from_us, to_us in _runs(contested):
        within = max(from_us, first_us), min(to_us, end_us)
        rows = stretches_of(reader, sessions, within, (window.metric, WEAR), line=line)
        for day, found in sums_of_days(rows, (window.metric,))[window.metric].items():
            doubted = 0 if found.is_good else found.n
            sums = _Sums(
                found.n, doubted, found.n, found.total, found.n - doubted, found.total, found.low, found.high,
                day * DAY_US // MINUTE_US, day * DAY_US, (day + 1) * DAY_US,
            )  # fmt: skip
            yield _Part("", "", sums)


def _runs(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield from when to when days follow each other, UTC microseconds."""
    for _, of in groupby(enumerate(days), lambda numbered: numbered[1] - numbered[0]):
        run = [day for _, day in of]
        yield run[0] * DAY_US, (run[-1] + 1) * DAY_US


def cut_off_stays(reader: HistoryReader, sessions: Sequence[PastSession], metric: str) -> set[str]:
    """Return the stays that have of a test only what the corrected times of a session cut off: no result."""
    stays = [one.session for one in sessions if one.state == STAY]
    if CATALOGUE[metric].kind != "test" or not stays:
        return set()
    # Where retention has deleted the rows, the name says it, as far as no stay was told of.
    known = {f"{one.session}-{NO_STAY}" for one in sessions}
    rows = reader.rows(
        "SELECT s.session FROM series s JOIN measurements m ON m.series = s.id"
        " LEFT JOIN series made ON made.id = m.made_series WHERE s.subject = ? AND s.metric = ?"
        " AND s.session IN (SELECT value FROM json_each(?)) GROUP BY s.session"
        " HAVING min(made.session IS NOT NULL AND made.session <> s.session)",
        (sessions[0].subject, metric, orjson.dumps(stays).decode()),
    )
    return (known & set(stays)) | {session for (session,) in rows}


def _sums_of(row: Row) -> _Sums:
    """Return of one thing that people entered what `SUMS` are of many, in their order."""
    value, quality = row[1], row[2]
    valued = value is not None and quality != INVALID
    said, good = (value if valued else None), valued and quality == OK
    return _Sums(
        1, int(quality == DEGRADED), int(valued), said or 0.0, int(good), value if good else None, said, said,
        row[0] // MINUTE_US, row[0], row[0],
    )  # fmt: skip


def _is_long(one: PastSession, step: By) -> bool:
    """Whether a session may lie in two days, or weeks: only of such the minutes have to be told apart."""
    ends_us = NEVER_US if one.ended_us is None else one.ended_us + LATE_US
    return step != "session" and one.started_us // DAY_US != ends_us // DAY_US


def _when(point: TrendPoint) -> int:
    return point.at_us


def _bucket(day: int, session: str, step: By) -> tuple[int, str]:
    """Return where a day of a session is put: its begin in UTC microseconds, 0 where the session says it."""
    if step == "session":
        return 0, session
    first = day if step == "day" else day - (day - MONDAY) % WEEK_DAYS
    return first * DAY_US, ""


def _point(bucket: tuple[int, str], sums: Sequence[_Sums], metric: str) -> TrendPoint:
    at_us, session = bucket
    n, degraded, valued = sum(one.n for one in sums), sum(one.degraded for one in sums), sum(one.valued for one in sums)
    total, good = sum(one.total for one in sums), sum(one.good or 0 for one in sums)
    lows, highs = [one.low for one in sums if one.low is not None], [one.high for one in sums if one.high is not None]
    if CATALOGUE[metric].is_summed:
        value, fine = (total if valued else None), not degraded
    elif good:
        value, fine = sum(one.good_total or 0.0 for one in sums) / good, True
    else:
        value, fine = (total / valued if valued else None), False
    quality: Quality = "invalid" if value is None else "ok" if fine else "degraded"
    begin = at_us or min(one.minute for one in sums) * MINUTE_US
    return TrendPoint(begin, value, min(lows, default=None), max(highs, default=None), n, quality, session)


def _rows(
    reader: HistoryReader, sessions: Sequence[PastSession], metric: str, window: Window, long: Sequence[str]
) -> Iterable[Any]:
    """Yield what each series is and its sums: of a series at once, of those of long sessions day by day."""
    if not sessions:
        return
    of = (sessions[0].subject, metric, sessions[0].simulated)
    within = (window.from_us // MINUTE_US, -(-window.to_us // MINUTE_US))
    named = orjson.dumps(long).decode()
    by_day = "s.id, minute / 1440"
    rows, has_some = uncounted(reader)
    of_parts = "s.session {} (SELECT value FROM json_each(?))"
    for table, group, condition, values in (
        (MINUTES, "s.id", of_parts.format("NOT IN"), (named,)),
        *(((MINUTES, by_day, of_parts.format("IN"), (named,)),) if long else ()),
        (rows, by_day, has_some, ()),
    ):
        yield from reader.rows(
            f"SELECT s.id, s.session, s.side, s.algorithm, s.devices, s.placement, {SUMS}"  # noqa: S608 - our own text
            f" FROM series s CROSS JOIN {table} m ON m.series = s.id"
            f" WHERE s.subject = ? AND s.metric = ? AND s.simulated = ? AND {condition} AND minute >= ? AND minute < ?"
            f" GROUP BY {group}", (*of, *values, *within),
        )  # fmt: skip
