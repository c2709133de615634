"""The end of a report: what the bands are and who published them, and where each number is from."""

# ruff: noqa: RUF001 - people read this: spans have real dashes

from __future__ import annotations

from config.bands import Band
from dsp.catalogue import CATALOGUE
from gateway.results.change import MDC95_OF_SEM
from gateway.results.report import Report
from gateway.results.sources import Source
from gateway.results.wording import SIDES, clock, number, safe


def bands_section(report: Report) -> str:
    """Return the bands of the report with their citations."""
    if report.bands is None:
        return ""
    rows = "".join(_band(band) for band in report.bands.band)
    return (
        f'<section><h2>Bands: {safe(report.bands.population)}</h2><ul class="bands">{rows}</ul>'
        "<p><small>A change is compared where both results are of good quality, of the same protocol, and measured"
        f" alike. MDC is the smallest detectable change; a SEM counts {number(MDC95_OF_SEM, 2)} times, as MDC95 does."
        " MCID and MID say what matters, and nothing of measurement error.</small></p></section>"
    )


def _band(band: Band) -> str:
    unit = "% of the earlier value" if band.relative else CATALOGUE[band.measure].unit_text
    stratum = [
        *([f"from {band.least:g}"] if band.least is not None else []),
        *([f"below {band.below:g}"] if band.below is not None else []),
    ]
    where = f", earlier value {' and '.join(stratum)}" if stratum else ""
    protocol = f" ({band.protocol})" if band.protocol else ""
    text = (
        f"{CATALOGUE[band.measure].title}{protocol}: {band.kind} {band.value:g} {unit}{where}. {band.citation}."
        f" {band.note}"
    )
    return f"<li>{safe(text.strip())}</li>"


def appendix(report: Report) -> str:
    """Return the table of sources: each number of the report is of one of them."""
    if not report.sources:
        return ""
    heads = ("No.", "Metric", "Algorithm", "Devices", "Measurements", "Measured", "Numbers")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows = "".join(_source(source) for source in report.sources)
    return (
        '<section class="appendix"><h2>Where each number is from</h2>'
        '<div class="scroll" role="region" aria-label="Where each number is from" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<p><small>Numbers are those of the measurements in the outbox of their gateway, as the history keeps them. The"
        " value of a session is the mean of the measurements that are ok; where most are not, of all, and degraded. A"
        " count is the sum.</small></p></section>"
    )


def _source(source: Source) -> str:
    one = source.measured
    side = SIDES.get(one.side, "")
    places = dict.fromkeys(place.replace("_", " ") for _, place in one.result.sensors if place)
    counts = f"{one.n}: {one.ok} ok, {one.degraded} degraded, {one.invalid} invalid"
    left_out = f"; {source.rejected} left out" if source.rejected else ""
    sync = f"; synchronised to {number(source.sync_ms, 1)} ms" if source.sync_ms is not None else ""
    numbers = (
        "; ".join(f"{each.gateway} {each.epoch} {each.first}–{each.last} ({each.n})" for each in source.numbers)
        or "rows deleted by retention: minute values"
    )
    cells = (
        f"{one.metric}{f' {side}' if side else ''}", one.result.algorithm,
        f"{', '.join(one.devices)} ({', '.join(places)})", f"{counts}{left_out}{sync}",
        f"{clock(one.first_us)}–{clock(one.result.at_us)}", numbers,
    )  # fmt: skip
    return (
        f'<tr id="source-{source.number}"><th scope="row">[{source.number}]</th>'
        f"{''.join(f'<td>{safe(cell)}</td>' for cell in cells)}</tr>"
    )
