"""Two runs over the same bytes beside each other: which measurements are in both, and by how much they differ."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dsp.catalogue import CATALOGUE
from gateway.model.measurement import Measurement

SAME_EVENT_US = 150_000
"""Two measurements whose windows end closer than this are of the same event: steps are never less than 0.3 s apart."""
MICRO = 1_000_000
RELATIVE = 1e-12
"""Within which two processors compute the same value, of the value or of one unit, whichever is more. What was measured
of it, and why it is not nothing: docs/reproduce.md, section 3."""
TIME_US = 1
"""And the same instant: a difference far below that may be rounded to the neighbouring microsecond."""

Key = tuple[str, str, str]
Pair = tuple[Measurement, Measurement]
By = Callable[[Measurement], Hashable]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one side in one bed, in both runs. Differences are what is tried less what was recorded.

    Attributes:
        slot: The bed.
        metric: Id of the catalogue.
        side: Which side.
        unit: Of the differences; of an event they are of its time, in seconds.
        both: How many are in both runs.
        same: How many of these are equal, value and quality.
        only_recorded: How many only the run as it was recorded has.
        only_tried: How many only what is tried has.
        mean: Mean difference; None where no pair has values.
        median: Median difference.
        largest: The difference of the largest size, with its sign.
    """

    slot: str
    metric: str
    side: str
    unit: str
    both: int
    same: int
    only_recorded: int
    only_tried: int
    mean: float | None
    median: float | None
    largest: float | None

    @property
    def is_same(self) -> bool:
        """Whether the two runs say the same."""
        return self.same == self.both and not self.only_recorded and not self.only_tried


def compare_runs(recorded: Iterable[Measurement], tried: Iterable[Measurement]) -> list[Row]:
    """Return a row for each bed, metric and side that either run has, in this order."""
    ours, theirs = _groups(recorded), _groups(tried)
    return [_row(key, ours.get(key, []), theirs.get(key, [])) for key in sorted(ours.keys() | theirs.keys())]


def furthest_apart(one: Sequence[Measurement], other: Sequence[Measurement]) -> float:
    """Return the largest difference of two values, relative as `RELATIVE` is.

    Infinite where the runs differ in anything but the last digits of values and of instants.
    """
    if len(one) != len(other):
        return math.inf
    return max((_relative(a, b) for a, b in zip(one, other, strict=True)), default=0.0)


def _relative(a: Measurement, b: Measurement) -> float:
    if a == b:
        return 0.0
    alike = replace(a, value=b.value, start_us=b.start_us, end_us=b.end_us, sync_ms=b.sync_ms)
    moved_us = max(abs(a.start_us - b.start_us), abs(a.end_us - b.end_us))
    if alike != b or moved_us > TIME_US or (a.value is None, a.sync_ms is None) != (b.value is None, b.sync_ms is None):
        return math.inf
    numbers = ((a.value, b.value), (a.sync_ms, b.sync_ms))
    apart = (abs(x - y) / max(abs(x), abs(y), 1.0) for x, y in numbers if x is not None and y is not None)
    return max(apart, default=0.0)


def pair(recorded: Sequence[Measurement], tried: Sequence[Measurement]) -> list[Pair]:
    """Return those of the same event of the same person: first within one algorithm and its devices, then the rest."""
    exact = _paired(recorded, tried, lambda m: (m.subject, m.algorithm, m.devices))
    ours, theirs = {id(a) for a, _ in exact}, {id(b) for _, b in exact}
    rest = [m for m in recorded if id(m) not in ours], [m for m in tried if id(m) not in theirs]
    return exact + _paired(*rest, lambda m: (m.subject,))


def _paired(recorded: Sequence[Measurement], tried: Sequence[Measurement], by: By) -> list[Pair]:
    ours: dict[Hashable, list[Measurement]] = defaultdict(list)
    theirs: dict[Hashable, list[Measurement]] = defaultdict(list)
    for groups, run in ((ours, recorded), (theirs, tried)):
        for measurement in run:
            groups[by(measurement)].append(measurement)
    return [found for key in ours for found in _in_time(ours[key], theirs.get(key, []))]


def _in_time(recorded: list[Measurement], tried: list[Measurement]) -> Iterator[Pair]:
    """Yield pairs in order of time; each measurement is in one at most, with the nearest that is free."""
    waiting = sorted(tried, key=_end)
    at = 0
    for measurement in sorted(recorded, key=_end):
        while at < len(waiting) and _end(waiting[at]) < _end(measurement) - SAME_EVENT_US:
            at += 1
        while at + 1 < len(waiting) and _apart(waiting[at + 1], measurement) < _apart(waiting[at], measurement):
            at += 1
        if at < len(waiting) and _apart(waiting[at], measurement) <= SAME_EVENT_US:
            yield measurement, waiting[at]
            at += 1


def _row(key: Key, recorded: list[Measurement], tried: list[Measurement]) -> Row:
    slot, metric, side = key
    known = CATALOGUE[metric]
    pairs = pair(recorded, tried)
    if is_event := known.kind == "event":
        differences = [(b.end_us - a.end_us) / MICRO for a, b in pairs]
    else:
        differences = [b.value - a.value for a, b in pairs if a.value is not None and b.value is not None]
    return Row(
        slot, metric, side, "s" if is_event else known.unit, len(pairs), sum(_is_same(a, b) for a, b in pairs),
        len(recorded) - len(pairs), len(tried) - len(pairs),
        statistics.fmean(differences) if differences else None,
        statistics.median(differences) if differences else None,
        max(differences, key=abs) if differences else None,
    )  # fmt: skip


def _groups(measurements: Iterable[Measurement]) -> dict[Key, list[Measurement]]:
    groups: dict[Key, list[Measurement]] = defaultdict(list)
    for measurement in measurements:
        groups[measurement.slot, measurement.metric, measurement.side].append(measurement)
    return groups


def _is_same(a: Measurement, b: Measurement) -> bool:
    return (a.value, a.quality, a.start_us, a.end_us) == (b.value, b.quality, b.start_us, b.end_us)


def _end(measurement: Measurement) -> int:
    return measurement.end_us


def _apart(a: Measurement, b: Measurement) -> int:
    return abs(a.end_us - b.end_us)
