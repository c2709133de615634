"""What changed within a session, minute by minute; and when nothing was measured for a minute or longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsp.catalogue import CATALOGUE
from dsp.metric import Metric
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.results.past_sessions import PastSession
from gateway.results.values import LEFT_OUT, Measured, counted, series_of

DRAWN = (
    "walking_speed", "cadence", "heart_rate", "spo2", "stride_time", "symmetry_ratio", "knee_rom", "walking_time",
)  # fmt: skip
"""Metrics that a report draws over the session, as far as it has them."""
DRAWN_MOST = 6
LEAST_MINUTES = 3
"""Fewer are no curve: the table of results has their mean."""

Points = list[tuple[int, float]]
"""Minute (UTC minutes since 1970) and mean."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Minute means of one metric by side, as one algorithm measured it."""

    metric: Metric
    algorithm: str
    sides: dict[str, Points]


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nothing was measured; UTC microseconds."""

    from_us: int
    to_us: int


def curves_of(reader: HistoryReader, measured: Sequence[Measured]) -> list[Curve]:
    """Return the curves of a session; none of what has too few minutes."""
    found = []
    for metric in DRAWN:
        same = [one for one in measured if one.metric == metric]
        if not same:
            continue
        algorithm = max(same, key=lambda one: one.n).result.algorithm
        sides: dict[str, Points] = {}
        for one in same:
            if one.result.algorithm == algorithm and one.side not in sides:
                points = _points(reader, one.series)
                if len(points) >= LEAST_MINUTES:
                    sides[one.side] = points
        if sides:
            found.append(Curve(CATALOGUE[metric], algorithm, sides))
    return found[:DRAWN_MOST]


def _points(reader: HistoryReader, series: tuple[int, ...]) -> Points:
    which = ", ".join("?" * len(series))
    rows = reader.rows(
        f"SELECT minute, sum(total) / nullif(sum(valued), 0) FROM ({counted(reader, which)}) GROUP BY minute"  # noqa: S608 - our own text
        " ORDER BY minute", (*series, *series),
    )  # fmt: skip
    return [(minute, mean) for minute, mean in rows if mean is not None]


def gaps_of(reader: HistoryReader, session: PastSession, now_us: int) -> list[Gap]:
    """Return the stretches of a minute and more within a session in which nothing was measured of a body."""
    kept = [metric for metric, about in CATALOGUE.items() if not {about.group} & LEFT_OUT]
    which = series_of(session.parts, kept)
    values = (*session.parts, session.subject, *kept)
    rows = reader.rows(
        f"SELECT min(first_us), max(last_us) FROM ({counted(reader, which)}) GROUP BY minute ORDER BY minute",  # noqa: S608 - our own text
        (*values, *values),
    )
    ends_us = session.ended_us or now_us
    found, until_us = [], session.started_us
    for first_us, last_us in [*rows, (ends_us, ends_us)]:
        if min(first_us, ends_us) - until_us >= MINUTE_US:
            found.append(Gap(until_us, min(first_us, ends_us)))
        until_us = max(until_us, last_us)
    return found
