"""What docs/ has from the gateway's own tables: ``python -m gateway.cli.reference`` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, starmap
from pathlib import Path

from config.protocol import EVERYWHERE, FIELDS, Allowed
from dsp.catalogue import METRICS
from dsp.metric import LOINC, MDC, SNOMED, Metric
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.modality import Modality
from gateway.dashboard import openapi
from gateway.status.notice_rules import RULES
from gateway.status.prometheus import METRICS as EXPOSED
from gateway.status.prometheus import PREFIX
from gateway.wire.topics import TABLE

_SYSTEMS = {LOINC: "LOINC", SNOMED: "SNOMED CT", MDC: "MDC"}


_METRICS = """\
# Metrics

Every number that the gateway publishes is one of these. What comes with each value (side, window, n, quality and
reason, algorithm and version) stands in [mqtt.md](mqtt.md). A value outside the plausible range is left out of means
and counted in `n_rejected`; the ranges say what a body can do, not what is healthy. A code stands here only where the
project has verified it; a metric without one is known by its own id.

*Kind*: **event** an instant, **stride** one a stride, **window** over a stretch of time, **count** how many,
**test** one for a whole timed test, **reported** what somebody said who was asked.
The second range, where there is one, holds in exoskeleton sessions (`protocol = "exoskeleton"`). Which sensors give
which of these stands in [architecture.md](architecture.md#which-sensors-give-what), and what is not there yet in the
README.

An hour of a day (`rehab-gateway days`) is one of the person, and not of a sensor. Hours worn are those that were
measured: from the first sample to the last, without gaps of more than two seconds, and without those in which the
sensor lay stiller than anybody does. Where several sensors told of the same time, it counts once, as the one tells it
that was worn for most of that time; of those alike, thigh before lower back, chest, wrist. A walk that feet and lower
back saw counts once too, as that tells it which saw most of it. What only one of them told counts as it is ([days and
weeks](reports.md#days-and-weeks)).

This page is made from `dsp/catalogue.py` by `make docs`; a test fails when the two differ.
"""


def topics_table() -> str:
    """Return the table of topics, as docs/mqtt.md has it between two marks."""
    rows = (
        (f"`{topic.pattern}`", str(topic.qos), "yes" if topic.retained else "no", topic.payload, topic.purpose)
        for topic in TABLE
    )
    return _table(("topic", "QoS", "retained", "payload", "what it says"), rows)


def metrics_page() -> str:
    """Return docs/metrics.md."""
    parts = [_METRICS]
    for group, metrics in groupby(METRICS, key=lambda metric: metric.group):
        parts.append(f"## {group.capitalize()}\n")
        header = ("id", "what it is", "UCUM", "kind", "side", "plausible", "codes")
        parts.append(_table(header, map(_metric, metrics)) + "\n")
    return "\n".join(parts)


def _metric(metric: Metric) -> tuple[str, ...]:
    codes = ", ".join(f"{_SYSTEMS[code.system]} {code.code}" for code in metric.codes)
    ranges = [_range(*metric.limits()), _range(*metric.limits(exoskeleton=True))]
    return (
        f"`{metric.id}`",
        f"**{metric.title}.** {metric.description}",
        f"`{metric.unit}`",
        metric.kind,
        ", ".join(metric.sides),
        "; ".join(dict.fromkeys(ranges)),
        codes,
    )


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f"≥ {low:g}"
    return f"≤ {high:g}" if low is None else f"{low:g} to {high:g}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(header)]
    cells += [["---"] * len(cells[0])]
    cells += [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def with_topics(page: str) -> str:
    """Return docs/mqtt.md with its table made anew; raises ValueError when it has no marks."""
    return _between(page, "topics", topics_table())


def with_notices_and_metrics(page: str) -> str:
    """Return docs/operations.md with its tables made anew; raises ValueError when it has no marks."""
    page = _between(page, "protocols", protocols_table())
    return _between(_between(page, "notices", notices_table()), "metrics", prometheus_table())


def protocols_table() -> str:
    """Return the table of the protocols with their fields."""
    rows = (
        (f"`{word}`", "; ".join(starmap(_field, {**fields, **EVERYWHERE}.items()))) for word, fields in FIELDS.items()
    )
    return _table(("protocol", "fields"), rows)


def _field(name: str, allowed: Allowed) -> str:
    if isinstance(allowed[0], str):
        return f"`{name}`: {', '.join(map(str, allowed))}"
    return f"`{name}`: {allowed[0]:g} to {allowed[1]:g}"


def with_modalities(page: str) -> str:
    """Return docs/architecture.md with its table made anew; raises ValueError when it has no marks."""
    return _between(page, "modalities", modalities_table())


def modalities_table() -> str:
    """Return the table of the kinds of signal."""
    return _table(("signal", "streams: channels and units", "worn", "metrics"), map(_modality, MODALITIES))


def _modality(modality: Modality) -> tuple[str, ...]:
    streams = [
        f"`{signal.stream}`: {', '.join(f'{c} ({u})' for c, u in zip(signal.channels, signal.units, strict=True))}"
        for signal in modality.signals
    ]
    placements = "" if modality.tells_of == "device" else ", ".join(modality.placements)
    metrics = ", ".join(f"`{metric}`" for metric in modality.metrics) or "none: recorded and drawn"
    return modality.name, "; ".join(streams), placements, metrics


def notices_table() -> str:
    """Return the table of notices."""
    rows = (
        (f"`{rule.code}`", rule.priority, rule.meaning, f"{rule.onset_s:g} s", f"{rule.recovery_s:g} s", rule.advice)
        for rule in RULES
    )
    return _table(("code", "priority", "raised when", "onset", "recovery", "advice"), rows)


def prometheus_table() -> str:
    """Return the table of the metrics for Prometheus."""
    rows = (
        (f"`{PREFIX}{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help)
        for metric in EXPOSED
    )
    return _table(("metric", "type", "labels", "what it says"), rows)


def _between(page: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name}: made by make docs -->", f"<!-- end of {name} -->"
    before, mark, rest = page.partition(begin)
    _, mark_too, after = rest.partition(end)
    if not (mark and mark_too):
        raise ValueError(f"the page lacks {begin} or {end}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def write(docs: Path) -> None:
    """Make the pages of a docs folder anew."""
    (docs / "metrics.md").write_text(metrics_page(), "utf-8")
    (docs / "openapi.json").write_text(openapi.text(), "utf-8")
    pages = {
        "architecture.md": with_modalities, "mqtt.md": with_topics, "operations.md": with_notices_and_metrics,
    }  # fmt: skip
    for name, renewed in pages.items():
        path = docs / name
        path.write_text(renewed(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write(Path("docs"))
