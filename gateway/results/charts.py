"""Curves of a report as inline SVG, each with a sentence and a table: no script, no style, it prints anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.history.minutes import MINUTE_US
from gateway.results.notes import Mark
from gateway.results.past_sessions import PastSession
from gateway.results.spans import Curve, Points
from gateway.results.wording import local, metric_words, number, safe, side_words, unit_words
from gateway.texts.languages import text

WIDTH, HEIGHT = 640, 150
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 24
"""Margins, in units of the drawing."""
SPANS_MOST = 12
"""Of the table beside a curve: spans of as many whole minutes as it takes."""
TICKS = 4


def chart(curve: Curve, session: PastSession, marks: Sequence[Mark]) -> str:
    """Return a curve as a figure: drawing, sentence and table."""
    said = sentence(curve)
    name = metric_words(curve.metric) + (f", {unit_words(curve.metric)}" if curve.metric.unit_text else "")
    return (
        f'<figure class="curve"><figcaption>{safe(name)}</figcaption>'
        f'<div class="scroll" role="region" aria-label="{safe(name)}" tabindex="0">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{safe(said)}">'
        f"{''.join(_drawing(curve, marks))}</svg>{table(curve, session)}</div><p>{safe(said)}</p></figure>"
    )


def sentence(curve: Curve) -> str:
    """Return what a curve shows, in a sentence."""
    parts = []
    for side, points in curve.sides.items():
        values = [value for _, value in points]
        digits = curve.metric.digits
        name = f"{side_words(side)}: " if side_words(side) else ""
        parts.append(name + text(
            "report.curve_part", n=len(points), least=number(min(values), digits), most=number(max(values), digits),
            unit=_unit(curve), first=number(values[0], digits), last=number(values[-1], digits),
        ))  # fmt: skip
    return text("report.curve", metric=metric_words(curve.metric), parts="; ".join(parts), algorithm=curve.algorithm)


def table(curve: Curve, session: PastSession) -> str:
    """Return the curve as a table: the mean of each span of minutes, and a dash where nothing was measured."""
    first = min(points[0][0] for points in curve.sides.values())
    last = max(points[-1][0] for points in curve.sides.values())
    span = -(-(last - first + 1) // SPANS_MOST)
    begins = range(first, last + 1, span)
    heads = "".join(f'<th scope="col">{local(begin * MINUTE_US):%H:%M}</th>' for begin in begins)
    rows = "".join(
        f'<tr><th scope="row">{safe(side_words(side) or text("report.mean"))}</th>'
        + "".join(f"<td>{number(_mean(points, at, at + span), curve.metric.digits)}</td>" for at in begins)
        + "</tr>"
        for side, points in curve.sides.items()
    )
    every = safe(text("report.every", n=span))
    name = safe(text("report.of_session", metric=metric_words(curve.metric), session=session.session))
    return (
        f'<table class="beside"><caption class="visually-hidden">{name}</caption>'
        f'<thead><tr><th scope="col">{every}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _mean(points: Points, begin: int, end: int) -> float | None:
    within = [value for minute, value in points if begin <= minute < end]
    return sum(within) / len(within) if within else None


def _unit(curve: Curve) -> str:
    return f" {unit_words(curve.metric)}" if curve.metric.unit_text else ""


def _drawing(curve: Curve, marks: Sequence[Mark]) -> Iterator[str]:
    every = [point for points in curve.sides.values() for point in points]
    first, last = min(minute for minute, _ in every), max(minute for minute, _ in every) + 1
    low, high = min(value for _, value in every), max(value for _, value in every)
    spare = (high - low or abs(high) or 1.0) * 0.1
    low, high = low - spare, high + spare

    def across(minute: float) -> float:
        return LEFT + (minute - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    for i in range(TICKS + 1):
        value = low + (high - low) * i / TICKS
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        label = number(value, max(curve.metric.digits, 1 if high - low < TICKS else 0))
        yield f'<text x="{LEFT - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{label}</text>'
        minute = first + (last - first) * i / TICKS
        anchor = "start" if i == 0 else "end" if i == TICKS else "middle"
        at = f"{local(int(minute * MINUTE_US)):%H:%M}"
        yield f'<text x="{across(minute):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{at}</text>'
    for mark in marks:
        if first <= (at_minute := mark.at_us / MINUTE_US) <= last:
            x = f"{across(at_minute):.1f}"
            yield f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    for side, points in curve.sides.items():
        for line in _lines(points):
            path = " ".join(f"{across(minute + 0.5):.1f},{up(value):.1f}" for minute, value in line)
            yield f'<polyline class="{side}" points="{path}"/>'
            yield from (
                f'<circle class="{side}" cx="{across(minute + 0.5):.1f}" cy="{up(value):.1f}" r="2.2"/>'
                for minute, value in line
            )


def _lines(points: Points) -> Iterator[Points]:
    """Yield the stretches without a gap."""
    line: Points = []
    for point in points:
        if line and point[0] > line[-1][0] + 1:
            yield line
            line = []
        line.append(point)
    if line:
        yield line
