"""What adds up over a day: hours of postures and wear, transfers, steps; what several sensors told of one time once.

A day is the sum of what it was told, also where the rows were deleted, and of one time only what one of the sensors
told counts (`gateway.results.overlap`). Of hours that is the one that was worn for most of that time; of those alike,
the place that shows posture best. Of walking it is the one that saw most of that walk: radio and noise take steps away,
and seldom make any. So a sensor that falls silent, or comes off, is followed by the other.

Days are those of UTC; what is told of a stretch of time counts on the day in which that ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from dsp.catalogue import CATALOGUE
from gateway.analysis.motions import MOTIONS
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.results.overlap import Stretch, believed_occasions, length_us, own_shares
from gateway.results.past_sessions import PastSession

DAY_US: Final = 86_400_000_000
WEAR: Final = "wear_time"
STEPS: Final = "n_steps"
WALKING_TIME: Final = "walking_time"
QUARTERS: Final = (WEAR, "upright_time", "sedentary_time", "transfer_count")
"""Metrics of which a day is the sum, told of one quarter of an hour after the other."""
OCCASIONS: Final = ("sedentary_bouts_30", STEPS, WALKING_TIME)
"""Metrics of which a day is the sum, told when there was something."""
BOUT: Final = "walking_bout"
TURN: Final = "turn_angle"
OF_BOUT: Final = {
    "cadence": "cadence_spm",
    "walking_speed": "walking_speed_mps",
    "stride_length": "stride_length_m",
    "stride_time": "stride_duration_s",
}
"""Metrics whose mean within a bout is one of `dsp.activity.bouts.WalkingBout`."""
PLACES: Final[Mapping[str, int]] = {
    place: rank
    for motion in MOTIONS
    if WEAR in motion.metrics
    for rank, places in enumerate(motion.places)
    for place in places
}
"""Which place shows posture best, as sensors get their operators."""
HOUR_US: Final = 3_600_000_000
TRUNK: Final = "lower_back"
SUMMED: Final = (*QUARTERS, "sedentary_bouts_30", STEPS)
"""What a day is told by: its walking time is that of its bouts, under the name of Mobilise-D."""
OF_WALKS: Final = frozenset({STEPS, WALKING_TIME, BOUT, TURN, *OF_BOUT})
WHEN: Final[Mapping[str, str]] = {"measurements": "end_us", "minutes": "minute"}
"""Columns of the history's tables that say when something was: UTC microseconds, and minutes."""
Teller = tuple[str, int, str]
"""Source, rank and metric of a series, as of a `Stretch`."""


class DaySum(NamedTuple):
    """What a metric came to in a day.

    Attributes:
        total: The sum, of counts a whole number.
        is_good: Whether all of it is of good quality.
        n: What was told that went in.
        low: The least of it.
        high: The greatest.
    """

    total: float
    is_good: bool
    n: int
    low: float
    high: float


class Told(NamedTuple):
    """From when to when a source told of a metric in one day, UTC microseconds; it may have been silent between."""

    day: int
    source: str
    start_us: int
    end_us: int


def contested_days(told: Iterable[Told]) -> list[int]:
    """Return the days, ascending, of which two sources may have told of one time: the sums of others are right."""
    found: set[int] = set()
    newest: list[Told] = []
    for one in sorted(told, key=lambda one: one.start_us):
        newest = [other for other in newest if other.end_us > one.start_us]
        others = [other.day for other in newest if other.source != one.source]
        found.update([one.day, *others] if others else ())
        newest.append(one)
    return sorted(found)


def sums_of_days(rows: Iterable[Stretch], metrics: Sequence[str] = SUMMED) -> dict[str, dict[int, DaySum]]:
    """Return of metrics that add up the sum of each day, of what several sources told of one time once.

    Args:
        rows: Of these metrics, and of `WEAR`, which says whom to believe; others are passed over.
        metrics: Of which.
    """
    of: dict[str, list[Stretch]] = {metric: [] for metric in (*metrics, WEAR)}
    for row in rows:
        if row.metric in of:
            of[row.metric].append(row)
    wear = _WearTime(of[WEAR])
    found: dict[str, dict[int, DaySum]] = {}
    for metric in metrics:
        days: dict[int, list[tuple[Stretch, float]]] = defaultdict(list)
        for row, value in _counted_once(metric, of[metric], wear):
            days[row.end_us // DAY_US].append((row, value))
        whole = CATALOGUE[metric].kind == "count"
        found[metric] = {day: _sum_of(parts, whole=whole) for day, parts in days.items()}
    return found


def _sum_of(parts: Sequence[tuple[Stretch, float]], *, whole: bool) -> DaySum:
    total, values = sum(value for _, value in parts), [row.value for row, _ in parts]
    is_good = all(row.is_good for row, _ in parts)
    return DaySum(float(round(total)) if whole else total, is_good, len(parts), min(values), max(values))


def _counted_once(metric: str, rows: Sequence[Stretch], wear: _WearTime) -> Iterator[tuple[Stretch, float]]:
    """Yield what counts of a metric, and how much of it, where several sensors may have told of one time."""
    if metric not in OCCASIONS:
        shares = own_shares(rows, lambda row: (-round(wear.share(row), 1), not row.is_good, row.rank, row.source))
        yield from ((row, row.value * share) for row, share in zip(rows, shares, strict=True) if share > 0.0)
    else:
        weight = length_us if metric in OF_WALKS else wear.duration_us
        yield from ((row, row.value) for row in believed_occasions(rows, weight))


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


def stretches_of(
    reader: HistoryReader, sessions: Sequence[PastSession], within: tuple[int, int], metrics: Sequence[str] = SUMMED,
    *, single: Sequence[str] = (), line: tuple[str, str] | None = None,
) -> list[Stretch]:  # fmt: skip
    """Return what some sessions told of metrics: rows, and of those that were deleted what their minutes say.

    Args:
        reader: Of the history.
        sessions: Of one subject, all simulated or none.
        within: From when to when it ended, UTC microseconds.
        metrics: Of which.
        single: And of which rows alone.
        line: Of one side and by one algorithm alone, but for `WEAR`; None: of all.
    """
    in_minutes = within[0] // MINUTE_US, -(-within[1] // MINUTE_US)
    told = tellers(reader, sessions, (*metrics, *single), "measurements", within, line=line)
    told_before = tellers(reader, sessions, metrics, "minutes", in_minutes, line=line)
    deleted = reader.rows(
        "SELECT m.series, m.first_us, m.last_us, m.total, m.valued, m.degraded = 0"
        " FROM json_each(?) s CROSS JOIN minutes m ON m.series = s.value"
        " WHERE m.kept = 0 AND m.valued > 0 AND m.minute >= ? AND m.minute < ?",
        (orjson.dumps([*told_before]).decode(), *in_minutes),
    )
    gone = [Stretch(*told_before[series], *values) for series, *values in deleted]
    return [*gone, *rows_of(reader, told, within)]


def rows_of(reader: HistoryReader, of: Mapping[int, Teller], within: tuple[int, int]) -> list[Stretch]:
    """Return the rows of some series within some time, by when they ended."""
    found = reader.rows(
        "SELECT m.series, m.start_us, m.end_us, m.value, m.n, m.quality = 0"
        " FROM json_each(?) s CROSS JOIN measurements m ON m.series = s.value"
        " WHERE m.end_us >= ? AND m.end_us < ? AND m.quality < 2 AND m.value IS NOT NULL ORDER BY m.end_us",
        (orjson.dumps([*of]).decode(), *within),
    )
    return [Stretch(*of[series], *values) for series, *values in found]


def tellers(
    reader: HistoryReader, sessions: Sequence[PastSession], metrics: Sequence[str], table: str,
    within: tuple[int, int], *, line: tuple[str, str] | None = None,
) -> dict[int, Teller]:  # fmt: skip
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
        "SELECT id, session, devices, placement, metric, simulated, side, algorithm FROM series"
        " WHERE id IN (SELECT value FROM json_each(?)) AND +subject = ?",
        (orjson.dumps([one for (one,) in told]).decode(), subject),
    )
    of = {
        row[0]: row
        for row in found
        if row[1] in parts and bool(row[5]) == simulated and (line is None or row[4] == WEAR or row[6:] == line)
    }
    return {one: teller(*of[one][1:5]) for (one,) in told if one in of}


def teller(session: str, devices: str, placement: str, metric: str) -> Teller:
    """Return source, rank and metric of a series: of hours a sensor; of walking the legs of a session, or its trunk."""
    if metric not in OF_WALKS:
        return f"{session}\n{devices}", PLACES.get(placement, len(PLACES)), metric
    trunk = placement == TRUNK
    return f"{session}\n{'trunk' if trunk else 'legs'}", int(trunk), metric
