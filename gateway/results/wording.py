"""Numbers, times and sides as reports write them."""

# ruff: noqa: RUF001 - people read this: spans have real dashes

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Final

from dsp.metric import Metric
from gateway.results.change import Comparison, Result, words
from gateway.texts.languages import metric_title, place_title, spoken, text, unit_title

MICRO: Final = 1_000_000
SIDES: Final = {"left": "common.left_small", "right": "words.right", "both": "words.both"}
QUALITIES: Final = {"ok": "words.ok", "degraded": "words.degraded", "invalid": "words.invalid"}
"""Keys of texts."""
NO_VALUE: Final = "–"


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """Return a number with a real minus sign; a dash where there is none."""
    if value is None:
        return NO_VALUE
    said = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if not said.strip("+-0."):
        said = said.lstrip("+-")
    return said.replace("-", "\u2212").replace(".", spoken().decimal)


def with_unit(value: float | None, metric: Metric, *, signed: bool = False, more: int = 0) -> str:
    """Return a value with the unit of its metric; ``more`` decimals than one measurement has, of a mean."""
    said = number(value, metric.digits + more, signed=signed)
    joint = "" if metric.unit_text in ("", "°") else "\u00a0"
    return said if value is None else f"{said}{joint}{unit_words(metric)}"


def local(at_us: int) -> datetime:
    """Return a time of this computer's zone."""
    return datetime.fromtimestamp(at_us / MICRO).astimezone()


def day(at_us: int) -> str:
    """Return a day, as 9 Oct 2025."""
    at = local(at_us)
    return f"{at.day} {text('words.months').split()[at.month - 1]} {at.year}"


def clock(at_us: int) -> str:
    """Return a time of day, to the second."""
    return f"{local(at_us):%H:%M:%S}"


def when(at_us: int, other_us: int) -> str:
    """Return a time of day, to the second, with its day where that is not the one of another time."""
    return clock(at_us) if day(at_us) == day(other_us) else f"{day(at_us)}, {clock(at_us)}"


def span(begin_us: int, end_us: int, other_us: int) -> str:
    """Return from when to when something was, with days where they are not the one of another time."""
    return f"{when(begin_us, other_us)}–{when(end_us, begin_us)}"


def moment(at_us: int) -> str:
    """Return a day and a time of day, to the minute."""
    return f"{day(at_us)}, {local(at_us):%H:%M}"


def zone(at_us: int) -> str:
    """Return the time zone of the times."""
    at = local(at_us)
    return f"{at:%Z} (UTC{at:%z})"


def duration(us: int) -> str:
    """Return a length of time, as 12 min 30 s."""
    seconds = max(0, round(us / MICRO))
    if seconds < 60:
        return text("report.seconds", seconds=seconds)
    if seconds < 7200:
        rest = seconds % 60
        return (
            text("report.minutes_seconds", minutes=seconds // 60, seconds=rest)
            if rest
            else text("report.minutes", minutes=seconds // 60)
        )
    return text("report.hours_minutes", hours=seconds // 3600, minutes=seconds % 3600 // 60)


def more_digits(result: Result, metric: Metric) -> int:
    """Return how many more decimals a mean is worth: a change of means can be less than one measurement shows."""
    return int(result.n > 1 and not metric.is_summed)


def result_words(result: Result | None, metric: Metric, more: int) -> str:
    """Return a value, marked where its quality is not ok."""
    if result is None:
        return NO_VALUE
    said = with_unit(result.value, metric, more=more)
    return said if result.quality == "ok" else f"{said} ({quality_words(result.quality)})"


def verdicts(comparison: Comparison, *, chosen: bool) -> list[str]:
    """Return what is to be said of a change: of each band, or that none was chosen, or is about it."""
    if comparison.change is None:
        return [comparison.why_not]
    if not chosen:
        return [text("report.no_band_chosen")]
    if not comparison.judgements:
        return [text("report.no_band_for_this")]
    return [f"{words(one)} ({one.band.kind} {one.size:.3g})" for one in comparison.judgements]


def side_words(side: str) -> str:
    """Return a side, empty for none."""
    return text(SIDES[side]) if side in SIDES else ""


def quality_words(quality: str) -> str:
    """Return how good a number is."""
    return text(QUALITIES[quality])


def place_words(placement: str) -> str:
    """Return where a sensor is worn."""
    return place_title(placement).lower()


def metric_words(metric: Metric) -> str:
    """Return the title of a metric."""
    return metric_title(metric.id, metric.title)


def unit_words(metric: Metric) -> str:
    """Return the unit of a metric as people write it."""
    return unit_title(metric.unit_text)


def safe(words: object) -> str:
    """Return a text for HTML."""
    return escape(str(words))
