"""Numbers that come again with other content: both are kept, and somebody is told.

A measurement is the same when every field of it is, as the gateway made it. Where a number came first as something else
(a record, a word about the clock, what could not be understood) it is another content, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import orjson

from gateway.history.books.clock_book import SURE
from gateway.history.schema import QUALITY
from gateway.model.measurement import Measurement

MOST_BYTES = 4_096
"""Of each content; a measurement has some five hundred."""
SAME = (
    "SELECT coalesce(made_series, series), start_us - moved_us, end_us - moved_us, value, sync_ms, n, n_rejected,"
    " quality, reason FROM sound WHERE epoch = ? AND seq = ?"
)
CONTENTS = {
    "measurements": "SELECT m.value, m.start_us - m.moved_us AS start_us, m.end_us - m.moved_us AS end_us, m.n,"
                    " m.n_rejected, m.sync_ms, m.quality, m.reason, s.slot, s.session, s.subject, s.metric, s.side,"
                    " s.unit, s.algorithm, s.devices, s.placement, s.simulated FROM sound m"
                    " JOIN series s ON s.id = coalesce(m.made_series, m.series) WHERE m.epoch = ? AND m.seq = ?",
    "records": "SELECT body FROM records WHERE epoch = ? AND seq = ?",
    "clocks": "SELECT session, by_us, believed FROM clocks WHERE epoch = ? AND seq = ?",
    "rejected": "SELECT reason, payload FROM rejected WHERE epoch = ? AND seq = ?",
}  # fmt: skip
"""What may stand under a number, by table."""
AS_CAME = {"records": "body", "rejected": "payload"}
"""Which are kept as they came, and in which column."""


def same_measurement(db: sqlite3.Connection, epoch: int, seq: int, series: int | None, m: Measurement) -> bool | None:
    """Tell whether what is stored under a number is this measurement; None if nothing is."""
    found: tuple[object, ...] | None = db.execute(SAME, (epoch, seq)).fetchone()
    if found is None:
        return None
    return found == (series, m.start_us, m.end_us, m.value, m.sync_ms, m.n, m.n_rejected, QUALITY.index(m.quality),
                     m.reason)  # fmt: skip


def same_content(db: sqlite3.Connection, epoch: int, seq: int, table: str, content: bytes) -> bool:
    """Tell whether a record, a word about the clock or what was rejected is stored under a number like this."""
    if table == "records":
        found = db.execute(CONTENTS["records"], (epoch, seq)).fetchone()
        return found is not None and found[0].encode() == content
    if table == "clocks":
        found = db.execute(CONTENTS["clocks"], (epoch, seq)).fetchone()
        if found is not None:
            return as_json("clocks", {"session": found[0], "by_us": found[1], "believed": found[2] == SURE}) == content
    found = db.execute(CONTENTS["rejected"], (epoch, seq)).fetchone()
    return found is not None and found[1] == content


def other_content(db: sqlite3.Connection, epoch: int, seq: int) -> bytes | None:
    """Return what is stored under a number, as JSON; None if nothing is, or only a gap."""
    for table, query in CONTENTS.items():
        cursor = db.execute(query, (epoch, seq))
        if (row := cursor.fetchone()) is not None:
            return as_json(table, dict(zip((column[0] for column in cursor.description), row, strict=True)))
    return None


def keep(db: sqlite3.Connection, epoch: int, seq: int, contents: Sequence[bytes], noted_us: int) -> bool:
    """Keep the content that was first and the one that came later; False if that is known already."""
    first, later = contents
    return bool(
        db.execute(
            "INSERT OR IGNORE INTO conflicts VALUES (?, ?, ?, ?, ?, ?)",
            (epoch, seq, sum_of(later), first[:MOST_BYTES], later[:MOST_BYTES], noted_us),
        ).rowcount
    )


def is_new(db: sqlite3.Connection, epoch: int, seq: int, later: bytes) -> bool:
    """Tell whether this content of a number is not among the conflicts yet."""
    query = "SELECT 1 FROM conflicts WHERE epoch = ? AND seq = ? AND later_sum = ?"
    return db.execute(query, (epoch, seq, sum_of(later))).fetchone() is None


def is_rejected(content: bytes) -> bool:
    """Tell whether a content is one that could not be understood."""
    return content.startswith(b'{"kind":"rejected"')


def sum_of(content: bytes) -> bytes:
    """Return by what a content is known again."""
    return sha256(content).digest()[:8]


def as_json(kind: str, fields: Mapping[str, Any] | Measurement) -> bytes:
    """Return a content for the table of conflicts."""
    plain = asdict(fields) if isinstance(fields, Measurement) else fields
    return orjson.dumps({"kind": kind, **{key: _text(value) for key, value in sorted(plain.items())}})


def body_of(content: bytes) -> str:
    """Return the record that a content of the table of conflicts is; empty if it is none, or was cut short."""
    try:
        fields = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    return str(fields.get("body", "")) if fields.get("kind") == "records" else ""


def _text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
