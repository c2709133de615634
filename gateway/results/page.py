"""A report as one HTML page: read on a screen, printed on A4, a PDF made of it. Every text is escaped."""

# ruff: noqa: RUF001 - people read this: spans have real dashes

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from dsp.catalogue import CATALOGUE
from gateway.model.entered import item_answered
from gateway.results import wording
from gateway.results.appendix import appendix, bands_section
from gateway.results.change import Comparison
from gateway.results.charts import chart
from gateway.results.notes import Body, Sensor
from gateway.results.past_sessions import STAY, PastSession
from gateway.results.report import Line, Report
from gateway.results.wording import (
    clock,
    day,
    duration,
    metric_words,
    moment,
    number,
    place_words,
    result_words,
    safe,
    side_words,
    span,
    when,
    with_unit,
)
from gateway.results.wording import quality_words as quality
from gateway.texts.languages import driver_title, protocol_title, spoken, text


def render(report: Report, *, head: str, tools: str = "") -> str:
    """Return the page.

    Args:
        report: What stands in it.
        head: The style: links to style sheets, or the styles themselves.
        tools: What stands above it on a screen only: the way back, the choice of the baseline.
    """
    session = report.session
    title = text("report.title", subject=session.subject, day=day(session.started_us))
    parts = (
        _heading(report), _facts(report), _results(report), _sensors(report), _marks(report), _curves(report),
        _quality(report), _corrections(report), bands_section(report), _signature(),
        appendix(report),
    )  # fmt: skip
    draft = f'<p class="draft">{safe(spoken().draft)}</p>' if spoken().draft else ""
    return (
        '<!doctype html>\n<html lang="' + spoken().locale + '"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{safe(title)}</title>{head}</head>'
        f'<body class="page-report">{tools}<main id="main">{"".join(parts)}</main>'
        f"<footer><p>{safe(text('shell.statement'))}</p>{draft}</footer></body></html>\n"
    )


def tools(report: Report, *, root: str, pdf: bool, query: str, languages: str = "") -> str:
    """Return what stands above a report on a screen: ways back and to the trend, the PDF, the choice of a baseline."""
    session = report.session
    subject = quote(session.subject, safe="")
    options = "".join(_option(one, report.baseline) for one in report.choices)
    first = "" if report.baseline else " selected"
    print_ = f'<a class="button" href="{safe(quote(session.session))}/pdf{safe(query)}">PDF</a>' if pdf else ""
    trend = text("report.trend_of", subject=session.subject)
    return (
        f'<header class="top"><a class="brand" href="{root}">'
        f'<img src="{root}static/icon.svg" alt="" width="28" height="28">rehab-gateway</a></header>'
        f'<nav class="tools" aria-label="{safe(text("report.report"))}">'
        f'<a class="button" href="{root}trend/{subject}">{safe(trend)}</a>{print_}'
        f'<form method="get"><input type="hidden" name="subject" value="{safe(session.subject)}">'
        f'<label>{safe(text("report.baseline"))} <select name="baseline">'
        f'<option value=""{first}>{safe(text("report.first_there_is"))}</option>{options}'
        f'</select></label><button type="submit">{safe(text("report.show"))}</button></form>'
        f'<span class="languages">{languages}</span></nav>'
    )


def _option(one: PastSession, chosen: str) -> str:
    mark = " selected" if one.session == chosen else ""
    return f'<option value="{safe(one.session)}"{mark}>{moment(one.started_us)}</option>'


def protocol_words(session: PastSession) -> str:
    """Return what was done, as people say it."""
    return protocol_title(session.protocol) or text("report.no_protocol")


def _heading(report: Report) -> str:
    session = report.session
    banners = []
    if session.simulated:
        banners.append(text("report.simulated"))
    if session.discarded:
        banners.append(text("report.was_discarded"))
    if session.ended_us is None:
        banners.append(text("report.not_over"))
    said = "".join(f'<p class="banner">{safe(one)}</p>' for one in banners)
    heading = text("report.heading", subject=session.subject, protocol=protocol_words(session))
    return f"<h1>{safe(heading)}</h1>{said}"


def _facts(report: Report) -> str:
    session = report.session
    until = text("report.now") if session.ended_us is None else when(session.ended_us, session.started_us)
    length = duration((session.ended_us or report.made_us) - session.started_us)
    facts = [
        (text("report.pseudonym"), session.subject),
        (
            text("report.when"),
            text(
                "report.when_words",
                day=day(session.started_us),
                begun=clock(session.started_us),
                until=until,
                length=length,
            ),
        ),
        (
            text("report.session"),
            text("report.a_stay", session=session.session) if session.state == STAY else session.session,
        ),
        (text("report.protocol"), protocol_words(session)),
        *(
            [(text("report.interrupted"), text("report.times", n=len(session.parts) - 1))]
            if len(session.parts) > 1
            else []
        ),
        *_body(report.notes.body),
        *_made_with(report),
        *([(text("report.notes"), session.notes)] if session.notes else []),
        (text("report.bands"), _bands_words(report)),
        (
            text("report.made"),
            text("report.made_words", moment=moment(report.made_us), zone=wording.zone(report.made_us)),
        ),
    ]
    return f'<dl class="facts">{"".join(f"<div><dt>{safe(a)}</dt><dd>{safe(b)}</dd></div>" for a, b in facts)}</dl>'


def _body(body: Body | None) -> list[tuple[str, str]]:
    if body is None:
        return []
    lengths = ((text("report.height"), body.height_m), (text("report.leg_length"), body.leg_length_m))
    found = [(name, f"{number(value, 2)} m") for name, value in lengths if value is not None]
    found += [(text("report.mass"), f"{number(body.mass_kg, 1)} kg")] if body.mass_kg is not None else []
    found += [(text("report.affected_side"), side_words(body.affected_side))] if body.affected_side != "none" else []
    return [*found, *([(text("report.aids"), body.aids)] if body.aids else [])]


def _made_with(report: Report) -> list[tuple[str, str]]:
    """Return whose lengths the numbers were computed with, where that is not whose session it is."""
    notes = report.notes
    if not notes.made_of or notes.made_body == notes.body:
        return []
    said = ", ".join(f"{name} {value}" for name, value in _body(notes.made_body)) or "–"
    return [(text("report.computed_with"), f"{notes.made_of}: {said}")]


def _bands_words(report: Report) -> str:
    if report.bands:
        return f"{report.bands.group}: {report.bands.population}"
    if report.bands_missing:
        return text("report.bands_missing", bands=report.bands_missing)
    return text("report.no_bands")


def _results(report: Report) -> str:
    tests = [line for line in report.lines if line.metric.kind == "test"]
    others = [line for line in report.lines if line.metric.kind != "test"]
    if not report.lines:
        return (
            f"<section><h2>{safe(text('report.results'))}</h2><p>{safe(text('report.nothing_measured'))}</p></section>"
        )
    return _table(text("report.tests"), tests, report) + _table(text("report.over_the_session"), others, report)


def _table(title: str, lines: Sequence[Line], report: Report) -> str:
    if not lines:
        return ""
    columns = "".join(f'<th scope="col">{safe(one)}</th>' for one in _columns(report))
    rows = "".join(_row(line, report) for line in lines)
    return (
        f'<section><h2>{safe(title)}</h2><div class="scroll" role="region" aria-label="{safe(title)}" tabindex="0">'
        f'<table class="results"><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _columns(report: Report) -> tuple[str, ...]:
    beside = (
        (text("report.the_baseline"), text("report.from_the_baseline"))
        if report.baseline
        else (text("report.the_first"), text("report.from_the_first"))
    )
    return (
        text("report.measure"),
        text("report.this_session"),
        text("report.previous"),
        text("report.from_the_previous"),
        *beside,
        text("report.source"),
    )


def _row(line: Line, report: Report) -> str:
    which = side_words(line.measured.side) or item_answered(line.measured.result.algorithm)
    name = safe(metric_words(line.metric)) + (f" <small>{safe(which)}</small>" if which else "")
    chosen = report.bands is not None
    more = wording.more_digits(line.measured.result, line.metric)
    return (
        f'<tr><th scope="row">{name}</th>'
        f"<td>{safe(result_words(line.measured.result, line.metric, more))}{_trials(line)}</td>"
        f"{_compared(line.previous, line, chosen=chosen)}{_compared(line.baseline, line, chosen=chosen)}"
        f'<td><a href="#source-{line.source}">[{line.source}]</a></td></tr>'
    )


def _trials(line: Line) -> str:
    if len(line.trials) < 2:
        return ""
    values = ", ".join(
        number(one.value, line.metric.digits) + ("" if one.quality == "ok" else f" ({quality(one.quality)})")
        for one in line.trials
    )
    return f"<small>{safe(text('report.mean_of', n=line.measured.result.n, values=values))}</small>"


def _compared(comparison: Comparison, line: Line, *, chosen: bool) -> str:
    earlier, more = comparison.earlier, wording.more_digits(line.measured.result, line.metric)
    value = (
        "–"
        if earlier is None
        else f"{safe(result_words(earlier, line.metric, more))}<small>{day(earlier.at_us)}</small>"
    )
    change = (
        ""
        if comparison.change is None
        else f"<b>{safe(with_unit(comparison.change, line.metric, signed=True, more=more))}</b>"
    )
    said = "".join(f"<small>{safe(one)}</small>" for one in wording.verdicts(comparison, chosen=chosen))
    return f"<td>{value}</td><td>{change}{said}</td>"


def _listed(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], without: str) -> str:
    made = [
        f'<tr><th scope="row">{safe(row[0])}</th>{"".join(f"<td>{safe(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    ]
    if not made:
        return f"<section><h2>{safe(title)}</h2><p>{safe(without)}</p></section>"
    head = "".join(f'<th scope="col">{safe(name)}</th>' for name in heads)
    return (
        f'<section><h2>{safe(title)}</h2><div class="scroll" role="region" aria-label="{safe(title)}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(made)}</tbody></table></div></section>"
    )


def _sensors(report: Report) -> str:
    session = report.session
    if report.notes.sensors:
        rows = [_worn(one, session.started_us, session.ended_us or report.made_us) for one in report.notes.sensors]
        heads = (
            text("report.placement"),
            text("report.sensor"),
            text("report.kind"),
            text("report.from_head"),
            text("report.to_head"),
        )
        return _listed(text("report.sensors"), heads, rows, "")
    known = dict.fromkeys(
        (place_words(place), kind) for line in report.lines for kind, place in line.measured.result.sensors
    )
    return _listed(
        text("report.sensors"), (text("report.placement"), text("report.sensor")), known, text("report.none_known")
    )


def _worn(one: Sensor, begin_us: int, end_us: int) -> tuple[str, ...]:
    """Return a sensor, and from when to when it was worn where that is not the whole session."""
    return (
        place_words(one.placement),
        one.device,
        driver_title(one.driver),
        "" if one.from_us <= begin_us else text("report.from", clock=when(one.from_us, begin_us)),
        "" if one.to_us is None or one.to_us >= end_us else text("report.to", clock=when(one.to_us, begin_us)),
    )


def _marks(report: Report) -> str:
    rows = [(when(one.at_us, report.session.started_us), one.text) for one in report.notes.marks]
    return _listed(
        text("report.marks"), (text("report.at"), text("report.what_happened")), rows, text("report.nothing_marked")
    )


def _curves(report: Report) -> str:
    drawn = "".join(chart(curve, report.session, report.notes.marks) for curve in report.curves)
    words = "" if drawn else f"<p>{safe(text('report.nothing_over_three'))}</p>"
    return f"<section><h2>{safe(text('report.within_the_session'))}</h2>{drawn}{words}</section>"


def _quality(report: Report) -> str:
    doubtful = [
        text(
            "report.doubtful",
            metric=metric_words(line.metric),
            side=side_words(line.measured.side) or text("report.no_side"),
            degraded=line.measured.degraded,
            invalid=line.measured.invalid,
            n=line.measured.n,
        )
        for line in report.lines
        if line.measured.degraded or line.measured.invalid
    ]
    if report.notes.cut_off:
        names = ", ".join(metric_words(CATALOGUE[one]) for one in report.notes.cut_off)
        doubtful.append(text("report.cut_off", metrics=names))
    begin_us = report.session.started_us
    rows = [
        (when(gap.from_us, begin_us), when(gap.to_us, begin_us), duration(gap.to_us - gap.from_us))
        for gap in report.gaps
    ]
    gaps = _listed(
        text("report.gaps_and_quality"),
        (text("report.nothing_from"), text("report.to_head"), text("report.for")), rows,
        text("report.nothing_missing"),
    )  # fmt: skip
    listed = "".join(f"<li>{safe(one)}</li>" for one in doubtful)
    told = f"<ul>{listed}</ul>" if listed else f"<p>{safe(text('report.all_good'))}</p>"
    return gaps.replace("</section>", f"{told if report.lines or doubtful else ''}</section>")


def _corrections(report: Report) -> str:
    rows, day_us = [], report.session.started_us
    for one in report.notes.corrections:
        what = []
        if one.subject != one.subject_before:
            before = one.subject_before or text("report.erased")
            what.append(text("report.whose", before=before, after=one.subject))
        if (one.started_us, one.ended_us) != (one.started_before_us, one.ended_before_us):
            before = span(one.started_before_us, one.ended_before_us, day_us)
            after = span(one.started_us, one.ended_us, day_us)
            what.append(text("report.times_to", before=before, after=after))
        if one.discarded != one.discarded_before:
            what.append(text("report.discarded") if one.discarded else text("report.taken_back"))
        rows.append((moment(one.at_us), one.person, "; ".join(what), one.why))
    heads = (text("report.at"), text("report.by"), text("report.what"), text("report.why"))
    return _listed(text("report.corrections"), heads, rows, text("report.nothing_corrected"))


def _signature() -> str:
    return (
        f'<section class="signature"><h2>{safe(text("report.comment"))}</h2><p class="lines"></p>'
        f"<p>{safe(text('report.signature'))}</p></section>"
    )
