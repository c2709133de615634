"""Numbers, times and sides as reports write them."""

# ruff: noqa: RUF001 - people read this: spans have real dashes

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Final

from dsp.metric import Metric
from gateway.results.change import Comparison, Result, words

MICRO: Final = 1_000_000
SIDES: Final = {"left": "left", "right": "right", "both": "both", "none": ""}
STATEMENT: Final = (
    "Information for rehabilitation staff and researchers. Not a medical device. Not for diagnosis, treatment "
    "decisions or patient monitoring in place of clinical observation. Alerts may be late or missing."
)
"""What stands at the foot of every page."""
NO_VALUE: Final = "–"


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """Return a number with a real minus sign; a dash where there is none."""
    if value is None:
        return NO_VALUE
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if not text.strip("+-0."):
        text = text.lstrip("+-")
    return text.replace("-", "\u2212")


def with_unit(value: float | None, metric: Metric, *, signed: bool = False, more: int = 0) -> str:
    """Return a value with the unit of its metric; ``more`` decimals than one measurement has, of a mean."""
    text = number(value, metric.digits + more, signed=signed)
    joint = "" if metric.unit_text in ("", "°") else "\u00a0"
    return text if value is None else f"{text}{joint}{metric.unit_text}"


def local(at_us: int) -> datetime:
    """Return a time of this computer's zone."""
    return datetime.fromtimestamp(at_us / MICRO).astimezone()


def day(at_us: int) -> str:
    """Return a day, as 9 Oct 2025."""
    at = local(at_us)
    return f"{at.day} {at:%b %Y}"


def clock(at_us: int) -> str:
    """Return a time of day, to the second."""
    return f"{local(at_us):%H:%M:%S}"


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
        return f"{seconds} s"
    if seconds < 7200:
        rest = seconds % 60
        return f"{seconds // 60} min{f' {rest} s' if rest else ''}"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def more_digits(result: Result, metric: Metric) -> int:
    """Return how many more decimals a mean is worth: a change of means can be less than one measurement shows."""
    return int(result.n > 1 and metric.kind != "count")


def result_words(result: Result | None, metric: Metric, more: int) -> str:
    """Return a value, marked where its quality is not ok."""
    if result is None:
        return NO_VALUE
    text = with_unit(result.value, metric, more=more)
    return text if result.quality == "ok" else f"{text} ({result.quality})"


def verdicts(comparison: Comparison, *, chosen: bool) -> list[str]:
    """Return what is to be said of a change: of each band, or that none was chosen, or is about it."""
    if comparison.change is None:
        return [comparison.why_not]
    if not chosen:
        return ["no band chosen"]
    if not comparison.judgements:
        return ["no band for this"]
    return [f"{words(one)} ({one.band.kind} {one.size:.3g})" for one in comparison.judgements]


def safe(text: object) -> str:
    """Return a text for HTML."""
    return escape(str(text))
