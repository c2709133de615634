"""What docs/ has from the gateway's own tables: ``python -m gateway.reference`` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from dsp.catalogue import METRICS
from dsp.metric import LOINC, MDC, SNOMED, Metric
from gateway.topics import TABLE

_SYSTEMS = {LOINC: "LOINC", SNOMED: "SNOMED CT", MDC: "MDC"}

_BEGIN = "<!-- topics: made by make docs -->"
_END = "<!-- end of topics -->"

_METRICS = """\
# Metrics

Every number that the gateway publishes is one of these. What comes with each value (side, window, n, quality and
reason, algorithm and version) stands in [mqtt.md](mqtt.md). A value outside the plausible range is left out of means
and counted in `n_rejected`; the ranges say what a body can do, not what is healthy. A code stands here only where the
project has verified it; a metric without one is known by its own id.

*Kind*: **event** an instant, **stride** one a stride, **window** over a stretch of time, **count** how many.
The second range, where there is one, holds in exoskeleton sessions (`protocol = "exoskeleton"`). The catalogue is ahead
of the algorithms: the README says what is not computed yet.

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
    """Return docs/mqtt.md with the table between its two marks made anew; raises ValueError when it has no marks."""
    before, mark, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (mark and end):
        raise ValueError(f"docs/mqtt.md lacks {_BEGIN} or {_END}")
    return f"{before}{_BEGIN}\n\n{topics_table()}\n\n{_END}{after}"


def write(docs: Path) -> None:
    """Make the pages of a docs folder anew."""
    (docs / "metrics.md").write_text(metrics_page(), "utf-8")
    mqtt = docs / "mqtt.md"
    mqtt.write_text(with_topics(mqtt.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write(Path("docs"))
