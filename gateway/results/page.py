"""A report as one HTML page: read on a screen, printed on A4, a PDF made of it. Every text is escaped."""

# ruff: noqa: RUF001 - people read this: spans have real dashes

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from gateway.results import wording
from gateway.results.appendix import appendix, bands_section
from gateway.results.change import Comparison
from gateway.results.charts import chart
from gateway.results.notes import Body, Correction
from gateway.results.past_sessions import STAY, PastSession
from gateway.results.report import Line, Report
from gateway.results.wording import STATEMENT, clock, day, duration, moment, number, result_words, safe, with_unit


def render(report: Report, *, head: str, tools: str = "") -> str:
    """Return the page.

    Args:
        report: What stands in it.
        head: The style: links to style sheets, or the styles themselves.
        tools: What stands above it on a screen only: the way back, the choice of the baseline.
    """
    session = report.session
    title = f"Session report · {session.subject} · {day(session.started_us)}"
    parts = (
        _heading(report), _facts(report), _results(report), _sensors(report), _marks(report), _curves(report),
        _quality(report), _corrections(report.notes.corrections), bands_section(report), _signature(),
        appendix(report),
    )  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{safe(title)}</title>{head}</head>'
        f'<body class="page-report">{tools}<main id="main">{"".join(parts)}</main>'
        f"<footer><p>{STATEMENT}</p></footer></body></html>\n"
    )


def tools(report: Report, *, root: str, pdf: bool, query: str) -> str:
    """Return what stands above a report on a screen: ways back and to the trend, the PDF, the choice of a baseline."""
    session = report.session
    subject = quote(session.subject, safe="")
    options = "".join(_option(one, report.baseline) for one in report.choices)
    first = "" if report.baseline else " selected"
    print_ = f'<a class="button" href="{safe(quote(session.session))}/pdf{safe(query)}">PDF</a>' if pdf else ""
    return (
        f'<header class="top"><a class="brand" href="{root}">rehab-gateway</a></header>'
        '<nav class="tools" aria-label="Report">'
        f'<a class="button" href="{root}trend/{subject}">◀ Trend of {safe(session.subject)}</a>{print_}'
        f'<form method="get"><input type="hidden" name="subject" value="{safe(session.subject)}">'
        f'<label>Baseline <select name="baseline"><option value=""{first}>The first there is</option>{options}'
        '</select></label><button type="submit">Show</button></form></nav>'
    )


def _option(one: PastSession, chosen: str) -> str:
    mark = " selected" if one.session == chosen else ""
    return f'<option value="{safe(one.session)}"{mark}>{moment(one.started_us)}</option>'


def protocol_words(session: PastSession) -> str:
    """Return what was done, as people say it."""
    return session.protocol.replace("_", " ") or "no protocol"


def _heading(report: Report) -> str:
    session = report.session
    banners = []
    if session.simulated:
        banners.append("Simulated data: nothing of this was measured of a person.")
    if session.discarded:
        banners.append("This session was discarded: it is not to be used.")
    if session.ended_us is None:
        banners.append("This session is not over: these are the numbers so far.")
    said = "".join(f'<p class="banner">{safe(text)}</p>' for text in banners)
    return f"<h1>Session report: {safe(session.subject)}, {safe(protocol_words(session))}</h1>{said}"


def _facts(report: Report) -> str:
    session = report.session
    until = "now" if session.ended_us is None else clock(session.ended_us)
    length = duration((session.ended_us or report.made_us) - session.started_us)
    facts = [
        ("Pseudonym", session.subject),
        ("When", f"{day(session.started_us)}, {clock(session.started_us)} to {until} ({length})"),
        ("Session", session.session + (" (a stay: nobody began it)" if session.state == STAY else "")),
        ("Protocol", protocol_words(session)),
        *([("Interrupted", f"{len(session.parts) - 1} times")] if len(session.parts) > 1 else []),
        *_body(report.notes.body),
        *([("Notes", session.notes)] if session.notes else []),
        ("Bands", _bands_words(report)),
        ("Report made", f"{moment(report.made_us)}; times are {wording.zone(report.made_us)}"),
    ]
    return f'<dl class="facts">{"".join(f"<div><dt>{safe(a)}</dt><dd>{safe(b)}</dd></div>" for a, b in facts)}</dl>'


def _body(body: Body | None) -> list[tuple[str, str]]:
    if body is None:
        return []
    lengths = (("Height", body.height_m), ("Leg length", body.leg_length_m))
    found = [(name, f"{number(value, 2)} m") for name, value in lengths if value is not None]
    found += [("Mass", f"{number(body.mass_kg, 1)} kg")] if body.mass_kg is not None else []
    found += [("Affected side", body.affected_side)] if body.affected_side != "none" else []
    return [*found, *([("Aids", body.aids)] if body.aids else [])]


def _bands_words(report: Report) -> str:
    if report.bands:
        return f"{report.bands.group}: {report.bands.population}"
    if report.bands_missing:
        return f"{report.bands_missing} was chosen, and no file of it is here: changes are not judged"
    return "no band chosen: changes are shown and not judged"


def _results(report: Report) -> str:
    tests = [line for line in report.lines if line.metric.kind == "test"]
    others = [line for line in report.lines if line.metric.kind != "test"]
    if not report.lines:
        return "<section><h2>Results</h2><p>Nothing was measured in this session.</p></section>"
    return _table("Tests", tests, report) + _table("Over the session", others, report)


def _table(title: str, lines: Sequence[Line], report: Report) -> str:
    if not lines:
        return ""
    which = "the baseline" if report.baseline else "the first"
    rows = "".join(_row(line, report) for line in lines)
    return (
        f'<section><h2>{title}</h2><div class="scroll" role="region" aria-label="{title}" tabindex="0">'
        f'<table class="results"><thead><tr><th scope="col">Measure</th><th scope="col">This session</th>'
        f'<th scope="col">Previous</th><th scope="col">Change from the previous</th>'
        f'<th scope="col">{which.capitalize()}</th><th scope="col">Change from {which}</th>'
        f'<th scope="col">Source</th></tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(line: Line, report: Report) -> str:
    side = wording.SIDES.get(line.measured.side, "")
    name = safe(line.metric.title) + (f" <small>{side}</small>" if side else "")
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
        number(one.value, line.metric.digits) + ("" if one.quality == "ok" else f" ({one.quality})")
        for one in line.trials
    )
    return f"<small>mean of {line.measured.result.n}: {safe(values)}</small>"


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
    said = "".join(f"<small>{safe(text)}</small>" for text in wording.verdicts(comparison, chosen=chosen))
    return f"<td>{value}</td><td>{change}{said}</td>"


def _listed(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], without: str) -> str:
    made = [
        f'<tr><th scope="row">{safe(row[0])}</th>{"".join(f"<td>{safe(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    ]
    if not made:
        return f"<section><h2>{title}</h2><p>{without}</p></section>"
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f'<section><h2>{title}</h2><div class="scroll" role="region" aria-label="{title}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(made)}</tbody></table></div></section>"
    )


def _sensors(report: Report) -> str:
    session = report.session
    if report.notes.sensors:
        rows = [
            (one.placement.replace("_", " "), one.device, one.driver.replace("_", " "),
             "" if one.from_us <= session.started_us else f"from {clock(one.from_us)}",
             "" if one.to_us is None or one.to_us >= (session.ended_us or report.made_us) else f"to {clock(one.to_us)}")
            for one in report.notes.sensors
        ]  # fmt: skip
        return _listed("Sensors", ("Placement", "Sensor", "Kind", "From", "To"), rows, "")
    known = dict.fromkeys(
        (place.replace("_", " "), kind) for line in report.lines for kind, place in line.measured.result.sensors
    )
    return _listed("Sensors", ("Placement", "Sensor"), known, "None is known.")


def _marks(report: Report) -> str:
    rows = [(clock(one.at_us), one.text) for one in report.notes.marks]
    return _listed("Marks", ("At", "What happened"), rows, "Nothing was marked.")


def _curves(report: Report) -> str:
    drawn = "".join(chart(curve, report.session, report.notes.marks) for curve in report.curves)
    words = "" if drawn else "<p>Nothing was measured over three minutes or longer.</p>"
    return f"<section><h2>Within the session</h2>{drawn}{words}</section>"


def _quality(report: Report) -> str:
    doubtful = [
        f"{line.metric.title} ({wording.SIDES.get(line.measured.side) or 'no side'}):"
        f" {line.measured.degraded} degraded, {line.measured.invalid} invalid of {line.measured.n}"
        for line in report.lines
        if line.measured.degraded or line.measured.invalid
    ]
    rows = [(clock(gap.from_us), clock(gap.to_us), duration(gap.to_us - gap.from_us)) for gap in report.gaps]
    gaps = _listed(
        "Gaps and quality", ("Nothing measured from", "To", "For"), rows,
        "Nothing was missing for a minute or longer.",
    )  # fmt: skip
    listed = "".join(f"<li>{safe(text)}</li>" for text in doubtful)
    told = f"<ul>{listed}</ul>" if listed else "<p>Every measurement is of good quality.</p>"
    return gaps.replace("</section>", f"{told if report.lines else ''}</section>")


def _corrections(corrections: Sequence[Correction]) -> str:
    rows = []
    for one in corrections:
        what = []
        if one.subject != one.subject_before:
            what.append(f"whose it was: {one.subject_before or 'erased'} to {one.subject}")
        if (one.started_us, one.ended_us) != (one.started_before_us, one.ended_before_us):
            before = f"{clock(one.started_before_us)}–{clock(one.ended_before_us)}"
            what.append(f"times: {before} to {clock(one.started_us)}–{clock(one.ended_us)}")
        if one.discarded != one.discarded_before:
            what.append("discarded" if one.discarded else "taken back")
        rows.append((moment(one.at_us), one.person, "; ".join(what), one.why))
    return _listed("Corrections", ("At", "By", "What", "Why"), rows, "Nothing was corrected.")


def _signature() -> str:
    return '<section class="signature"><h2>Comment</h2><p class="lines"></p><p>Name, date, signature</p></section>'
