"""What sessions gave: the value of each metric and side, with what measured it and how good it is.

Of numbers that are measured again and again a value is the mean of those of good quality; where fewer than half are,
the mean of all, and degraded itself. Of counts and hours it is the sum. Where retention has deleted the rows, minute
values stand for them, which are kept for ever: of these the minutes count in which nothing was degraded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dsp.catalogue import CATALOGUE, METRICS
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.history.schema import SEPARATOR
from gateway.history.trends import UNCOUNTED_MOST
from gateway.model.entered import is_entered
from gateway.model.measurement import Quality
from gateway.results.by_hand import standing, sums_of
from gateway.results.change import Result, Sensors
from gateway.results.past_sessions import PastSession
from gateway.results.plans import has_table

LEFT_OUT = frozenset({"event", "device"})
"""Kinds and groups that say nothing of how a session went: contacts, batteries."""
GOOD_SHARE = 0.5
"""Of the values of a session: where fewer are of good quality, the session's value is degraded. A proposal of ours."""
NOT_EVENTS = [metric.id for metric in METRICS if not {metric.kind, metric.group} & LEFT_OUT]
PLACES = {metric: place for place, metric in enumerate(CATALOGUE)}
AT_ONCE = 400
"""Sessions of one query: SQLite takes some thousand values."""

Key = tuple[str, str]
"""Metric and side."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way of measuring gave of one metric in a session.

    Attributes:
        metric: Id.
        side: Which side.
        result: The value, as it is compared.
        devices: Ids of the devices.
        n: Measurements; ``ok``, ``degraded`` and ``invalid`` of them.
        ok: Of good quality.
        degraded: Of doubtful quality.
        invalid: Without a value that says anything.
        first_us: When the first began, UTC microseconds.
        series: Ids of the series in the history.
    """

    metric: str
    side: str
    result: Result
    devices: tuple[str, ...]
    n: int
    ok: int
    degraded: int
    invalid: int
    first_us: int
    series: tuple[int, ...]

    @property
    def key(self) -> Key:
        """Metric and side."""
        return self.metric, self.side


ROW_SUMS = (
    "SELECT series, count(*), sum(quality = 1), sum(quality = 2), sum(quality < 2 AND value IS NOT NULL),"
    " sum(CASE WHEN quality < 2 THEN value END), sum(quality = 0 AND value IS NOT NULL),"
    " sum(CASE WHEN quality = 0 THEN value END), min(start_us), max(end_us) FROM measurements"
)
MINUTE_SUMS = (
    "SELECT series, sum(n), sum(degraded), sum(invalid), sum(valued), sum(total),"
    " sum(CASE WHEN degraded = 0 THEN valued END), sum(CASE WHEN degraded = 0 THEN total END), min(first_us),"
    " max(last_us) FROM minutes"
)
"""Series; how many there are, degraded, invalid, with a value; sum of these; the good ones and their sum; from, to."""


def kinds_of_sensors(reader: HistoryReader) -> dict[str, str]:
    """Return the driver of each device that was ever worn: one sensor of a kind is as good as another."""
    if not has_table(reader, "ward_placements"):
        return {}
    return dict(reader.rows("SELECT device, driver FROM ward_placements ORDER BY from_us", ()))


def measured_in(
    reader: HistoryReader, sessions: Sequence[PastSession], kinds: dict[str, str], metrics: Sequence[str] = NOT_EVENTS
) -> dict[str, list[Measured]]:
    """Return what each session of a subject gave, by its id; of each metric and side what measured most is first."""
    owners = {(part, one.simulated): one for one in sessions for part in one.parts}
    found: dict[str, list[Measured]] = {one.session: [] for one in sessions}
    rows: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in _rows(reader, sessions, metrics):
        number, part, simulated, metric, side, unit, algorithm, devices, placement, _, *sums = row
        if (owner := owners.get((part, bool(simulated)))) is None:
            continue
        if is_entered(algorithm) and len(held := standing(reader, [number], algorithm)) < sums[0] and held:
            sums = sums_of(held)
        key = (owner.session, metric, side, unit, algorithm, _sensors(devices, placement, kinds))
        rows[key].append((number, devices, sums))
    for key, parts in rows.items():
        found[key[0]].append(_measured(key, parts))
    for measured in found.values():
        measured.sort(key=lambda one: (order(one.metric), one.side, -one.n))
    return found


def order(metric: str) -> int:
    """Return the place of a metric in the catalogue, tests first."""
    return (0 if CATALOGUE[metric].kind == "test" else 1000) + PLACES[metric]


def _sensors(devices: str, placement: str, kinds: dict[str, str]) -> Sensors:
    return tuple(sorted(zip(
        (kinds.get(device, device) for device in devices.split(SEPARATOR)), placement.split(SEPARATOR), strict=False
    )))  # fmt: skip


def _measured(key: tuple[Any, ...], parts: Iterable[Any]) -> Measured:
    session, metric, side, unit, algorithm, sensors = key
    series, devices, sums = zip(*parts, strict=True)
    n, degraded, invalid, valued, total, good, good_total = (sum(part[i] or 0 for part in sums) for i in range(7))
    if CATALOGUE[metric].is_summed:
        value, fine = (total if valued else None), not degraded
    elif good and n - degraded - invalid >= GOOD_SHARE * (n - invalid):
        value, fine = good_total / good, True
    else:
        value, fine, good = (total / valued if valued else None), False, 0
    graded: Quality = "invalid" if value is None else "ok" if fine else "degraded"
    last_us = max(part[8] for part in sums)
    result = Result(session, last_us, value, unit, graded, good or valued, algorithm, sensors)
    named = dict.fromkeys(device for one in devices for device in one.split(SEPARATOR))
    return Measured(
        metric, side, result, tuple(named), n, n - degraded - invalid, degraded, invalid,
        min(part[7] for part in sums), series,
    )  # fmt: skip


def _rows(reader: HistoryReader, sessions: Sequence[PastSession], metrics: Sequence[str]) -> Iterable[Any]:
    """Yield the sums of each series: those of its rows, and those of the minutes whose rows were deleted."""
    parts = [part for one in sessions for part in one.parts]
    for at in range(0, len(parts), AT_ONCE):
        ids = parts[at : at + AT_ONCE]
        which = series_of(ids, metrics)
        of = (*ids, sessions[0].subject, *metrics)
        yield from reader.rows(
            "SELECT s.id, s.session, s.simulated, s.metric, s.side, s.unit, s.algorithm, s.devices, s.placement, m.*"  # noqa: S608
            f" FROM ({ROW_SUMS} WHERE series IN ({which}) GROUP BY series"
            f" UNION ALL {MINUTE_SUMS} WHERE kept = 0 AND series IN ({which}) GROUP BY series) m"
            " JOIN series s ON s.id = m.series", (*of, *of),
        )  # fmt: skip


def series_of(parts: Sequence[str], metrics: Sequence[str]) -> str:
    """Return a query for the series of parts of sessions: values are the parts, the subject, the metrics."""
    # By the sessions, which are few, and not by the subject, who has tens of thousands of series after years.
    return (
        f"SELECT id FROM series WHERE session IN ({_marks(parts)}) AND +subject = ?"  # noqa: S608 - our own text
        f" AND +metric IN ({_marks(metrics)})"
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def counted(reader: HistoryReader, which: str) -> str:
    """Return a query for the minutes of series (``which``), with the rows that are not counted in them yet."""
    columns = "series, minute, valued, total, first_us, last_us"
    return (
        f"SELECT {columns} FROM minutes WHERE series IN ({which})"  # noqa: S608 - our own text
        f" UNION ALL SELECT {columns} FROM {uncounted(reader).rows} WHERE series IN ({which})"
    )


def uncounted(reader: HistoryReader) -> Uncounted:
    """Return the rows that are in no minute yet."""
    found = reader.rows("SELECT rolled_id, (SELECT coalesce(max(id), 0) FROM measurements) FROM upkeep", ())
    rolled, newest = found[0] if found else (0, 0)
    few = newest - rolled <= UNCOUNTED_MOST
    return Uncounted(
        f"(SELECT series, end_us / {MINUTE_US} AS minute, 1 AS n, quality = 1 AS degraded, quality = 2 AS invalid,"  # noqa: S608 - our own text
        " quality < 2 AND value IS NOT NULL AS valued, CASE WHEN quality < 2 THEN coalesce(value, 0.0) ELSE 0.0 END"
        " AS total, CASE WHEN quality < 2 THEN value END AS low, CASE WHEN quality < 2 THEN value END AS high,"
        f" start_us AS first_us, end_us AS last_us FROM measurements WHERE id > {rolled})",
        # Read once, without their sums: whoever has thousands of series need not look for rows in each.
        f"s.id IN (SELECT series FROM main.measurements WHERE id > {rolled})" if few else "TRUE",  # noqa: S608
    )


class Uncounted(NamedTuple):
    """Rows that are in no minute yet, for a query.

    Attributes:
        rows: A table of them, as if each were a minute; to be asked by series.
        has_some: The condition that a series ``s`` may have such; always true where there are very many.
    """

    rows: str
    has_some: str


def nearest(measured: Iterable[Measured], algorithm: str) -> Measured | None:
    """Return of what one metric was measured by that which an algorithm measured, in whatever version; else any."""
    family = algorithm.rpartition("/")[0] or algorithm
    found = list(measured)
    same = [one for one in found if (one.result.algorithm.rpartition("/")[0] or one.result.algorithm) == family]
    exact = [one for one in same if one.result.algorithm == algorithm]
    return next(iter([*exact, *same, *found]), None)
