"""What sessions gave: the value of each metric and side, with what measured it and how good it is.

A value is made of minute values, which are kept for ever, and of the rows that are not in them yet. Of numbers that
are measured again and again it is their mean, over the minutes in which none was degraded; where every minute has a
degraded one, the mean of all, and degraded itself. Of counts it is the sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dsp.catalogue import CATALOGUE
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.history.schema import SEPARATOR
from gateway.history.trends import UNCOUNTED_MOST
from gateway.model.measurement import Quality
from gateway.results.change import Result, Sensors
from gateway.results.past_sessions import PastSession
from gateway.results.plans import has_table

LEFT_OUT = frozenset({"event", "device"})
"""Kinds and groups that say nothing of how a session went: contacts, batteries."""
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


def kinds_of_sensors(reader: HistoryReader) -> dict[str, str]:
    """Return the driver of each device that was ever worn: one sensor of a kind is as good as another."""
    if not has_table(reader, "ward_placements"):
        return {}
    return dict(reader.rows("SELECT device, driver FROM ward_placements ORDER BY from_us", ()))


def measured_in(
    reader: HistoryReader, sessions: Sequence[PastSession], kinds: dict[str, str]
) -> dict[str, list[Measured]]:
    """Return what each session gave, by its id; of each metric and side what measured most stands first."""
    owners = {(part, one.simulated): one for one in sessions for part in one.parts}
    found: dict[str, list[Measured]] = {one.session: [] for one in sessions}
    rows: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in _rows(reader, sessions):
        number, part, simulated, metric, side, unit, algorithm, devices, placement, *sums = row
        about = CATALOGUE.get(metric)
        owner = owners.get((part, bool(simulated)))
        if about is None or owner is None or {about.kind, about.group} & LEFT_OUT:
            continue
        key = (owner.session, metric, side, unit, algorithm, _sensors(devices, placement, kinds))
        rows[key].append((number, devices, sums))
    for key, parts in rows.items():
        found[key[0]].append(_measured(key, parts))
    for measured in found.values():
        measured.sort(key=lambda one: (order(one.metric), one.side, -one.n))
    return found


def order(metric: str) -> int:
    """Return the place of a metric in the catalogue, tests first."""
    about = CATALOGUE[metric]
    return (0 if about.kind == "test" else 1000) + list(CATALOGUE).index(metric)


def _sensors(devices: str, placement: str, kinds: dict[str, str]) -> Sensors:
    return tuple(sorted(zip(
        (kinds.get(device, device) for device in devices.split(SEPARATOR)), placement.split(SEPARATOR), strict=False
    )))  # fmt: skip


def _measured(key: tuple[Any, ...], parts: Iterable[Any]) -> Measured:
    session, metric, side, unit, algorithm, sensors = key
    series, devices, sums = zip(*parts, strict=True)
    n, degraded, invalid, valued, total, good, good_total = (sum(part[i] or 0 for part in sums) for i in range(7))
    if CATALOGUE[metric].kind == "count":
        value, quality = (total if valued else None), ("ok" if not degraded else "degraded")
    elif good:
        value, quality = good_total / good, "ok"
    else:
        value, quality = (total / valued if valued else None), "degraded"
    graded: Quality = "invalid" if value is None else "ok" if quality == "ok" else "degraded"
    last_us = max(part[8] for part in sums)
    result = Result(session, last_us, value, unit, graded, good or valued, algorithm, sensors)
    named = dict.fromkeys(device for one in devices for device in one.split(SEPARATOR))
    return Measured(
        metric, side, result, tuple(named), n, n - degraded - invalid, degraded, invalid,
        min(part[7] for part in sums), series,
    )  # fmt: skip


def _rows(reader: HistoryReader, sessions: Sequence[PastSession]) -> Iterable[Any]:
    parts = [(part, one.subject) for one in sessions for part in one.parts]
    for at in range(0, len(parts), AT_ONCE):
        ids = [part for part, _ in parts[at : at + AT_ONCE]]
        marks = ", ".join("?" * len(ids))
        which = f"SELECT id FROM series WHERE session IN ({marks}) AND subject = ?"
        yield from reader.rows(
            "SELECT s.id, s.session, s.simulated, s.metric, s.side, s.unit, s.algorithm, s.devices, s.placement,"
            " sum(m.n), sum(m.degraded), sum(m.invalid), sum(m.valued), sum(m.total),"
            " sum(CASE WHEN m.degraded = 0 THEN m.valued END), sum(CASE WHEN m.degraded = 0 THEN m.total END),"
            f" min(m.first_us), max(m.last_us) FROM series s JOIN ({counted(reader, which)}) m ON m.series = s.id"
            " GROUP BY s.id",
            [*ids, parts[0][1], *ids, parts[0][1]],
        )


def counted(reader: HistoryReader, which: str) -> str:
    """Return a query for the minutes of series (``which``), with the rows that are not counted in them yet."""
    found = reader.rows("SELECT rolled_id, (SELECT coalesce(max(id), 0) FROM measurements) FROM upkeep", ())
    rolled, newest = found[0] if found else (0, 0)
    plus = "+" if newest - rolled <= UNCOUNTED_MOST else ""  # few: found by their ids, and not by their series
    return (
        "SELECT series, minute, n, degraded, invalid, valued, total, first_us, last_us, low, high FROM minutes"  # noqa: S608 - our own text
        f" WHERE series IN ({which}) UNION ALL SELECT series, end_us / {MINUTE_US}, 1, quality = 1, quality = 2,"
        " quality < 2 AND value IS NOT NULL, CASE WHEN quality < 2 THEN coalesce(value, 0.0) ELSE 0.0 END, start_us,"
        " end_us, CASE WHEN quality < 2 THEN value END, CASE WHEN quality < 2 THEN value END"
        f" FROM measurements WHERE id > {rolled} AND {plus}series IN ({which})"
    )


def nearest(measured: Iterable[Measured], algorithm: str) -> Measured | None:
    """Return of what one metric was measured by that which an algorithm measured, in whatever version; else any."""
    family = algorithm.rpartition("/")[0] or algorithm
    found = list(measured)
    same = [one for one in found if (one.result.algorithm.rpartition("/")[0] or one.result.algorithm) == family]
    exact = [one for one in same if one.result.algorithm == algorithm]
    return next(iter([*exact, *same, *found]), None)
