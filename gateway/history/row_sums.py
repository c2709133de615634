"""Sums of rows: by which a row whose bytes rotted on the disk is known, though it still is a row.

A measurement and a series each hold a CRC-32 of their content, made by the one writer. A connection that is prepared
here sees only what is as it was written: the views ``sound`` and ``sound_series``, and ``readable`` made of them; one
that only reads finds them under the names of the tables too. What an older version wrote has no sum, and is taken as it
is: up to ``upkeep.unsummed_id`` and ``upkeep.unsummed_series``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from struct import Struct, error
from typing import Any
from zlib import crc32

from gateway.history.schema import READABLE, SUMMED_FROM

ROW = (
    "epoch", "seq", "series", "start_us", "end_us", "value", "sync_ms", "n", "n_rejected", "quality", "moved_us",
    "clock", "made_series", "reason",
)  # fmt: skip
"""What the sum of a measurement is of, in its order. Not of ``id``, which says only when a row goes to the store."""
_OPTIONAL = ("value", "sync_ms", "made_series")
SERIES = (
    "slot", "session", "subject", "metric", "side", "unit", "algorithm", "devices", "placement", "simulated",
)  # fmt: skip
_INSERT = [
    f"INSERT INTO measurements (id, {', '.join(names)}) VALUES (?{', ?' * len(names)})"  # noqa: S608 - our own names
    for names in (ROW, (*ROW, "sum"))
]
_ALL = str(2**62)
_LOWEST = 2**31
"""Taken from a CRC-32, so that SQLite needs four bytes for it, and not six."""
_pack = Struct("<qqqqqddqqqqqqB").pack


def row_sum(  # noqa: PLR0917 - SQLite calls it
    epoch: int, seq: int, series: int, start_us: int, end_us: int, value: float | None, sync_ms: float | None, n: int,
    n_rejected: int, quality: int, moved_us: int, clock: int, made_series: int | None, reason: bytes,
) -> int | None:  # fmt: skip
    """Return the sum of a measurement; None of what no writer can have written, for SQLite stores anything anywhere."""
    # Neither a number that is none nor the sign of a zero comes back from SQLite as it went in.
    absent = (value is None or value != value) | (sync_ms is None or sync_ms != sync_ms) << 1  # noqa: PLR0124 - NaN
    try:
        packed = _pack(
            epoch, seq, series, start_us, end_us, 0.0 if absent & 1 else value or 0.0,
            0.0 if absent & 2 else sync_ms or 0.0, n, n_rejected, quality, moved_us, clock, made_series or 0,
            absent | (made_series is None) << 2,
        )  # fmt: skip
        return crc32(reason, crc32(packed)) - _LOWEST
    except (error, TypeError, OverflowError):
        return None


def series_sum(*texts: bytes) -> int | None:
    """Return the sum of a series, of its columns as bytes; None where one is missing."""
    try:
        return crc32(b"\0".join(texts)) - _LOWEST
    except TypeError:
        return None


def carried_sum(known: int | None, was: int | None, now: int | None) -> int | None:
    """Return the sum after a change: right if it was right, wrong if it was wrong, and none where there was none."""
    if known is None or was is None or now is None:
        return known
    return known ^ was ^ now


def has_sums(db: sqlite3.Connection) -> bool:
    """Whether the rows of a history have sums: one that is kept in its older form has none."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= SUMMED_FROM


def carried(db: sqlite3.Connection, **changes: str) -> str:
    """Return the end of an UPDATE of measurements, by which the sum stays right; ``changes`` are what is set.

    It never makes a sum right that was wrong before.
    """
    if not has_sums(db):
        return ""
    return f", sum = carried_sum(sum, {sum_of_row()}, {sum_of_row(changes=changes)})"


def renumbered(db: sqlite3.Connection) -> str:
    """Return the end of an UPDATE that gives measurements a new id: beyond those without a sum, where each has one."""
    if not has_sums(db):
        return ""
    of_old = "sum IS NULL AND id <= (SELECT unsummed_id FROM main.upkeep)"
    return f", sum = CASE WHEN {of_old} THEN {sum_of_row()} ELSE sum END"


def insert_row(db: sqlite3.Connection, row: tuple[Any, ...], *, summed: bool, number: int | None = None) -> None:
    """Write a measurement, of which ``row`` has the columns ``ROW``; ``summed`` is whether there are sums."""
    made = row_sum(*(*row[:-1], row[-1].encode())) if summed else None
    db.execute(_INSERT[summed], (number, *row, made) if summed else (number, *row))


def sum_of_row(of: str = "", changes: Mapping[str, str] | None = None) -> str:
    """Return the SQL of the sum of a measurement; ``of`` is the table with its dot, ``changes`` stand for columns."""
    found = {name: f"{of}{name}" for name in ROW} | dict(changes or {})
    *numbers, reason = found.values()
    # Rot makes texts and blobs of numbers, which SQLite sorts behind them; a text that is none raises in our function.
    kinds = ", ".join(f"ifnull({found[name]}, 0)" if name in _OPTIONAL else found[name] for name in ROW[:-1])
    return (
        f"CASE WHEN max({kinds}) < '' AND {reason} >= '' AND {reason} < x''"
        f" THEN row_sum({', '.join(numbers)}, CAST({reason} AS BLOB)) END"
    )


def sum_of_series(of: str = "", changes: Mapping[str, str] | None = None) -> str:
    """Return the SQL of the sum of a series, as ``sum_of_row`` does."""
    found = {name: f"{of}{name}" for name in SERIES} | dict(changes or {})
    *texts, simulated = found.values()
    kinds = ", ".join(texts)
    columns = ", ".join(f"CAST({each} AS BLOB)" for each in found.values())
    return f"CASE WHEN min({kinds}) >= '' AND max({kinds}) < x'' AND {simulated} < '' THEN series_sum({columns}) END"


def sound_row(of: str = "", upto: str = "(SELECT unsummed_id FROM main.upkeep)") -> str:
    """Return the condition that a measurement is as it was written, or, up to an id, as an older version left it."""
    return f"coalesce({of}sum = {sum_of_row(of)}, {of}id <= {upto})"


def sound_series(of: str = "", upto: str = "(SELECT unsummed_series FROM main.upkeep)") -> str:
    """Return the condition that a series is as it was written, or, up to a number, as an older version left it."""
    return f"coalesce({of}sum = {sum_of_series(of)}, {of}id <= {upto})"


def prepare(db: sqlite3.Connection, *, reads_only: bool) -> bool:
    """Have a connection see only what is sound under the names of the views; return whether there are sums.

    Args:
        db: A connection to a history.
        reads_only: Whether the names of the tables may be those of such views, too.
    """
    summed = has_sums(db)
    db.create_function("row_sum", len(ROW), row_sum, deterministic=True)
    db.create_function("series_sum", len(SERIES), series_sum, deterministic=True)
    db.create_function("carried_sum", 3, carried_sum, deterministic=True)
    for name in ("readable", "series", "measurements", "sound_series", "sound"):
        db.execute(f"DROP VIEW IF EXISTS temp.{name}")
    rows, series = _unsummed(db) if summed else ("", "")
    for name, table, condition in (
        ("sound", "measurements", sound_row(upto=rows)), ("sound_series", "series", sound_series(upto=series))
    ):  # fmt: skip
        db.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM main.{table}{_where(summed, condition)}")  # noqa: S608
    if summed:
        readable = READABLE.format(measurements="temp.sound", series="temp.sound_series", every_series="main.series")
        made = _where(summed, f"m.made_series IS NULL OR {sound_series('o.', series)}")
        db.execute(f"CREATE TEMP VIEW readable AS {readable}{made}")
        if reads_only:
            db.execute("CREATE TEMP VIEW measurements AS SELECT * FROM temp.sound")
            db.execute("CREATE TEMP VIEW series AS SELECT * FROM temp.sound_series")
    return summed


def _unsummed(db: sqlite3.Connection) -> tuple[str, str]:
    """Return up to which measurement, and which series, sums may be missing; of a damaged file that may be all."""
    try:
        rows, series = db.execute("SELECT unsummed_id, unsummed_series FROM main.upkeep").fetchone()
        return str(int(rows)), str(int(series))
    except (sqlite3.Error, TypeError, ValueError):
        return _ALL, _ALL


def _where(summed: bool, condition: str) -> str:
    return f" WHERE {condition}" if summed else ""
