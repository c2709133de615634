"""Where each number of a report is from: which measurements, by their numbers, by which algorithm, of which devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsp.catalogue import CATALOGUE
from gateway.history.reader import HistoryReader
from gateway.history.schema import QUALITY
from gateway.model.entered import BY_HAND
from gateway.model.measurement import Quality
from gateway.results.by_hand import standing
from gateway.results.values import Measured

TRIALS_MOST = 20
"""Single results of one test of a session that are shown."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Measurements by their identity: gateway, life of its outbox, first and last number, and how many there are."""

    gateway: str
    epoch: str
    first: int
    last: int
    n: int


@dataclass(frozen=True, slots=True)
class Source:
    """What one result is made of; ``numbers`` is empty where retention has deleted the rows.

    Attributes:
        number: By which the results name it.
        measured: What was measured.
        rejected: What the algorithm left out, in the rows that are there.
        sync_ms: Largest error of synchronisation told with them, milliseconds; None where none is.
        numbers: The measurements.
    """

    number: int
    measured: Measured
    rejected: int
    sync_ms: float | None
    numbers: Sequence[Numbers]


@dataclass(frozen=True, slots=True)
class Trial:
    """One result of a test."""

    at_us: int
    value: float | None
    quality: Quality
    reason: str


def sources_of(reader: HistoryReader, measured: Sequence[Measured]) -> list[Source]:
    """Return the source of each value, numbered from 1 in their order."""
    return [_source(reader, number, one) for number, one in enumerate(measured, 1)]


def _source(reader: HistoryReader, number: int, one: Measured) -> Source:
    marks = ", ".join("?" * len(one.series))
    rows = reader.rows(
        "SELECT e.gateway, e.epoch, min(m.seq), max(m.seq), count(*), sum(m.n_rejected), max(m.sync_ms)"  # noqa: S608 - our own text
        f" FROM measurements m JOIN epochs e ON e.id = m.epoch WHERE m.series IN ({marks}) GROUP BY m.epoch ORDER BY 1",
        one.series,
    )
    synced = [row[6] for row in rows if row[6] is not None]
    return Source(
        number, one, sum(row[5] for row in rows), max(synced, default=None), [Numbers(*row[:5]) for row in rows]
    )


def trials_of(reader: HistoryReader, measured: Sequence[Measured]) -> dict[tuple[int, ...], list[Trial]]:
    """Return the single results of each test, the oldest first, by its series."""
    found = {}
    for one in measured:
        if CATALOGUE[one.metric].kind != "test":
            continue
        if one.result.algorithm == BY_HAND:
            held = standing(reader, one.series)[:TRIALS_MOST]
            found[one.series] = [Trial(at, value, QUALITY[quality], reason) for at, value, quality, reason, _ in held]
            continue
        marks = ", ".join("?" * len(one.series))
        rows = reader.rows(
            f"SELECT end_us, value, quality, reason FROM measurements WHERE series IN ({marks})"  # noqa: S608
            " ORDER BY end_us LIMIT ?", (*one.series, TRIALS_MOST),
        )  # fmt: skip
        found[one.series] = [Trial(at, value, QUALITY[quality], reason) for at, value, quality, reason in rows]
    return found
