"""The end of a report: what the bands are and who published them, and where each number is from."""

# ruff: noqa: RUF001 - people read this: spans have real dashes

from __future__ import annotations

from config.bands import Band
from dsp.catalogue import CATALOGUE
from gateway.results.change import MDC95_OF_SEM
from gateway.results.report import Report
from gateway.results.sources import Source
from gateway.results.wording import metric_words, number, place_words, safe, side_words, span, unit_words
from gateway.texts.languages import protocol_title, text


def bands_section(report: Report) -> str:
    """Return the bands of the report with their citations."""
    if report.bands is None:
        return ""
    rows = "".join(_band(band) for band in report.bands.band)
    title = text("report.bands_of", population=report.bands.population)
    return (
        f'<section><h2>{safe(title)}</h2><ul class="bands">{rows}</ul>'
        f"<p><small>{safe(text('report.bands_note', times=number(MDC95_OF_SEM, 2)))}</small></p></section>"
    )


def _band(band: Band) -> str:
    unit = text("report.of_the_earlier") if band.relative else unit_words(CATALOGUE[band.measure])
    stratum = [
        *([text("report.least", value=f"{band.least:g}")] if band.least is not None else []),
        *([text("report.below", value=f"{band.below:g}")] if band.below is not None else []),
    ]
    where = text("report.earlier_value", which=text("report.and").join(stratum)) if stratum else ""
    protocol = f" ({protocol_title(band.protocol)})" if band.protocol else ""
    said = f"{metric_words(CATALOGUE[band.measure])}{protocol}: {band.kind} {band.value:g} {unit}{where}."
    published = f"{band.citation}. {band.note}".strip()  # as those who published it wrote
    return f'<li>{safe(said)} <span lang="en">{safe(published)}</span></li>'


def appendix(report: Report) -> str:
    """Return the table of sources: each number of the report is of one of them."""
    if not report.sources:
        return ""
    title = safe(text("report.where_from"))
    head = "".join(f'<th scope="col">{safe(one)}</th>' for one in _heads())
    rows = "".join(_source(source, report.session.started_us) for source in report.sources)
    return (
        f'<section class="appendix"><h2>{title}</h2>'
        f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<p><small>{safe(text('report.numbers_note'))}</small></p></section>"
    )


def _heads() -> tuple[str, ...]:
    return (
        text("report.no"), text("report.metric"), text("report.algorithm"), text("report.devices"),
        text("report.measurements"), text("report.measured"), text("report.numbers"),
    )  # fmt: skip


def _source(source: Source, day_us: int) -> str:
    one = source.measured
    side = side_words(one.side)
    places = dict.fromkeys(place_words(place) for _, place in one.result.sensors if place)
    counts = text("report.counts", all=one.n, ok=one.ok, degraded=one.degraded, invalid=one.invalid)
    left_out = text("report.left_out", n=source.rejected) if source.rejected else ""
    sync = text("report.synchronised", ms=number(source.sync_ms, 1)) if source.sync_ms is not None else ""
    numbers = "; ".join(
        f"{each.gateway} {each.epoch} {each.first}–{each.last} ({each.n})" for each in source.numbers
    ) or text("report.rows_deleted")
    cells = (
        f"{one.metric}{f' {side}' if side else ''}", one.result.algorithm,
        f"{', '.join(one.devices)} ({', '.join(places)})", f"{counts}{left_out}{sync}",
        span(one.first_us, one.result.at_us, day_us), numbers,
    )  # fmt: skip
    return (
        f'<tr id="source-{source.number}"><th scope="row">[{source.number}]</th>'
        f"{''.join(f'<td>{safe(cell)}</td>' for cell in cells)}</tr>"
    )
