"""The line protocol of time-series stores: one measurement, one line.

A line of the store is one measurement::

    cadence,site=s,gateway=g,slot=bay-1,session=s-1,subject=p-01,side=both,algorithm=cadence/1,devices=dot-1+dot-2,\
simulated=true value=101.5,n=12i,n_rejected=0i,quality=0i,duration_ms=10000,sync_ms=2.5 1760000000000

The measurement's name is the catalogue's metric, the tags are its stable identity, the time is the end of its window in
milliseconds (the one unit that every store takes). The same measurement always gives the same line, so writing it again
changes nothing. Fields are numbers only. ``quality`` is 0 ok, 1 degraded, 2 invalid. A measurement without a value has
no field ``value``: an absence is not a number. One whose wall time is in doubt, and stays so, has the tag
``clock=doubtful``. VictoriaMetrics calls the fields ``cadence_value``, ``cadence_n`` …
and keeps some twelve decimal digits of them.
"""

from __future__ import annotations

import re

from gateway.history.schema import QUALITY, Stored

CANARY = "rehab_gateway_store_check"
CANARY_MS = 1_735_689_600_000
"""The beginning of 2025: one point for ever, however often it is written."""

METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

_TAG = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\ ", "\r": r"\ "})


def tags_of(row: Stored, site: str) -> dict[str, str]:
    """Return the stable identity of the series of a measurement; a store drops an empty tag, or refuses the line."""
    m = row.measurement
    tags = {
        "site": site, "gateway": row.gateway, "slot": m.slot, "session": m.session, "subject": m.subject,
        "side": m.side, "algorithm": m.algorithm, "devices": "+".join(m.devices),
        "simulated": "true" if m.simulated else "false",
        # A series of its own, which can be deleted once the times are known: then it is written again without.
        "clock": "doubtful" if row.clock == "doubtful" else "",
    }  # fmt: skip
    # A backslash would escape what follows it, differently in each store: it becomes a slash.
    return {key: value.replace("\\", "/") for key, value in tags.items() if value}


def unfit(row: Stored) -> str:
    """Return why a measurement cannot be a line that every store takes as it is meant; empty if it can.

    VictoriaMetrics answers 204 to lines that it skips, such as one that begins with ``#``.
    """
    m = row.measurement
    if not METRIC.fullmatch(m.metric):
        return "the metric is not a name"
    if not all(value.isprintable() for value in tags_of(row, "s").values()):
        return "a tag is not printable"
    return ""


def line(row: Stored, site: str) -> str:
    """Return the line of one measurement."""
    m = row.measurement
    fields = [] if m.value is None else [f"value={m.value!r}"]
    fields += [f"n={m.n}i", f"n_rejected={m.n_rejected}i", f"quality={QUALITY.index(m.quality)}i"]
    fields += [f"duration_ms={(m.end_us - m.start_us) / 1000!r}"]
    fields += [] if m.sync_ms is None else [f"sync_ms={m.sync_ms!r}"]
    named = "".join(f",{key}={value.translate(_TAG)}" for key, value in tags_of(row, site).items())
    return f"{m.metric}{named} {','.join(fields)} {m.end_us // 1000}"


def canary(site: str) -> str:
    """Return a line that every store takes, to tell a wrong line from a wrong address: always the same one."""
    return f"{CANARY},site={site.translate(_TAG)} value=1 {CANARY_MS}"
