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

MDC95_OF_SEM = 1.96 * math.sqrt(2.0)
"""Smallest detectable change, at 95 %, in standard errors of measurement: both measurements have one."""
ROUNDING = 1e-9
"""Of a change against its band, relative: the difference of 0.8 and 0.7 is not less than 0.1."""

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
        return Comparison(None, why_not="nothing earlier")
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
        return "within measurement error" if error else "less than the smallest change that matters"
    way = {True: ", for the better", False: ", for the worse", None: ""}[judgement.better]
    return f"{'more than measurement error' if error else 'at least the smallest change that matters'}{way}"


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
    for one, which in ((now, "this one"), (earlier, "the earlier one")):
        if one.quality != "ok" or one.value is None:
            return f"not compared: {which} is {'without a value' if one.value is None else one.quality}"
    other = [
        what
        for what, mine, its in (
            ("another unit", now.unit, earlier.unit),
            (f"by {earlier.algorithm} then", now.algorithm, earlier.algorithm),
            ("by other sensors or in other places", now.sensors, earlier.sensors),
        )
        if mine != its
    ]
    return f"measured otherwise: not compared ({', '.join(other)})" if other else ""
