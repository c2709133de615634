"""Change, not level: what a result is beside an earlier one, and whether a chosen band calls that more than error.

Pure: values in, words out. Only results whose quality is ok are compared, and only where both were measured alike: by
the same version of the same algorithm, from the same kinds of sensor in the same places. Without a band nothing is
judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from config.bands import Band
from gateway.model.measurement import Quality
from gateway.texts.languages import text

MDC95_OF_SEM = 1.96 * math.sqrt(2.0)
"""Smallest detectable change, at 95 %, in standard errors of measurement: both measurements have one."""
ROUNDING = 1e-9
"""Of a change against its band, relative: the difference of 0.8 and 0.7 is not less than 0.1."""

WHY_NOT = {
    ("this", "no value"): "report.this_no_value",
    ("this", "degraded"): "report.this_degraded",
    ("this", "invalid"): "report.this_invalid",
    ("earlier", "no value"): "report.earlier_no_value",
    ("earlier", "degraded"): "report.earlier_degraded",
    ("earlier", "invalid"): "report.earlier_invalid",
}
"""Keys of why a result is not held against another, by which of them and what it is."""

Sensors = tuple[tuple[str, str], ...]
"""Kind (or, where that is not known, id) and placement of each sensor, in order."""
Verdict = Literal["within", "beyond"]


@dataclass(frozen=True, slots=True)
class Result:
    """What one session gave of one metric.

    Attributes:
        session: Of which session.
        at_us: When its last measurement ended, UTC microseconds.
        value: The value, in ``unit``; None without any.
        unit: UCUM code.
        quality: ``ok``, ``degraded`` or ``invalid``.
        n: How many measurements it is of.
        algorithm: Name and version.
        sensors: What measured it.
    """

    session: str
    at_us: int
    value: float | None
    unit: str
    quality: Quality
    n: int
    algorithm: str
    sensors: Sensors


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one band says of a change.

    Attributes:
        band: Which.
        size: How large a change has to be by it, in the unit of the metric.
        verdict: ``within`` (less than that) or ``beyond`` (that or more).
        better: Whether the change is for the better; None where the band does not say which way that is.
    """

    band: Band
    size: float
    verdict: Verdict
    better: bool | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A result beside an earlier one.

    Attributes:
        earlier: The earlier one; None where there is none.
        change: By how much it is more now, in the unit of the metric; None where they cannot be compared.
        why_not: Why they cannot, in words; empty where they are compared.
        judgements: What the bands say; none without a band that is about it.
    """

    earlier: Result | None
    change: float | None = None
    why_not: str = ""
    judgements: tuple[Judgement, ...] = ()


def compare(
    now: Result, earlier: Result | None, bands: Iterable[Band] = (), *, measure: str = "", protocol: str = ""
) -> Comparison:
    """Return a result beside an earlier one.

    Args:
        now: The result.
        earlier: What it is beside; None where there is nothing earlier.
        bands: Those that were chosen for the patient.
        measure: Id of the metric, by which a band is found.
        protocol: What both sessions were.
    """
    if earlier is None:
        return Comparison(None, why_not=text("report.nothing_earlier"))
    if why_not := _why_not(now, earlier):
        return Comparison(earlier, why_not=why_not)
    assert now.value is not None
    assert earlier.value is not None
    change = now.value - earlier.value
    about = [band for band in bands if band.is_about(measure, protocol, earlier.value)]
    return Comparison(earlier, change, judgements=tuple(judge(change, earlier.value, band) for band in about))


def judge(change: float, earlier: float, band: Band) -> Judgement:
    """Return what a band says of a change from an earlier value."""
    size = band.value * (abs(earlier) / 100 if band.relative else 1.0)
    size *= MDC95_OF_SEM if band.kind == "SEM" else 1.0
    beyond = abs(change) >= size * (1 - ROUNDING) and change != 0
    way = {"higher": 1.0, "lower": -1.0}.get(band.better)
    better = None if way is None or not beyond else change * way > 0
    return Judgement(band, size, "beyond" if beyond else "within", better)


def words(judgement: Judgement) -> str:
    """Return what a judgement says: of error by MDC and SEM, of what matters by MCID and MID."""
    error = judgement.band.kind in ("MDC", "SEM")
    if judgement.verdict == "within":
        return text("report.within_error") if error else text("report.less_than_matters")
    said = text("report.beyond_error") if error else text("report.at_least_matters")
    if judgement.better is None:
        return said
    return text("report.better", said=said) if judgement.better else text("report.worse", said=said)


def newest_ok(results: Sequence[Result]) -> Result | None:
    """Return the latest result whose quality is ok; where there is none, the latest that there is."""
    ok = [one for one in results if one.quality == "ok" and one.value is not None]
    return max(ok or results, key=lambda one: one.at_us, default=None)


def oldest_ok(results: Sequence[Result]) -> Result | None:
    """Return the first result whose quality is ok; where there is none, the first that there is."""
    ok = [one for one in results if one.quality == "ok" and one.value is not None]
    return min(ok or results, key=lambda one: one.at_us, default=None)


def _why_not(now: Result, earlier: Result) -> str:
    """Return why two results cannot be compared; empty if they can."""
    for one, which in ((now, "this"), (earlier, "earlier")):
        if one.quality != "ok" or one.value is None:
            return text(WHY_NOT[which, "no value" if one.value is None else one.quality])
    other = [
        what
        for what, mine, its in (
            (text("report.another_unit"), now.unit, earlier.unit),
            (text("report.by_then", algorithm=earlier.algorithm), now.algorithm, earlier.algorithm),
            (text("report.other_sensors"), now.sensors, earlier.sensors),
        )
        if mine != its
    ]
    return text("report.measured_otherwise", why=", ".join(other)) if other else ""
