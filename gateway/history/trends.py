"""Trends: what a metric did over any stretch of time, in buckets, quickly also after years.

A narrow window is made from the rows, a wide one from the minute values and the rows that are not counted in them yet.
Minute values outlive the rows: where retention has deleted these, a narrow window is made of minutes, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from gateway.history.minutes import MINUTE_US

NARROW_US = 2 * 3_600 * 1_000_000
"""Up to here rows are read: at two a second some ten thousand."""
UNCOUNTED_MOST = 50_000
"""Rows that are not in minute values yet: more than so many are being caught up with, and rows are read instead."""

Chosen = tuple[str, Sequence[object]]
"""A condition on ``series`` (our own text), and its values."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the measurements that end in ``[start_us, start_us + width)`` say; times in UTC microseconds.

    Attributes:
        start_us: Begin of the bucket.
        n: Measurements.
        degraded: How many of them are degraded.
        invalid: How many are invalid; these say nothing of the values.
        mean: Mean of the values; None without any, as ``low``, ``high`` and ``sd``.
        low: The least value.
        high: The largest.
        sd: Standard deviation of the values.
    """

    start_us: int
    n: int
    degraded: int
    invalid: int
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None


def trend(db: sqlite3.Connection, chosen: Chosen, from_us: int, to_us: int, buckets: int) -> list[Bucket]:
    """Return the buckets of a window that hold anything, oldest first; at most about ``buckets`` of them."""
    condition, values = chosen
    series = f"series IN (SELECT id FROM series WHERE {condition})"  # noqa: S608 - our own text
    width_us = max(1, -(-(to_us - from_us) // buckets))
    rolled, newest = db.execute(
        "SELECT rolled_id, (SELECT coalesce(max(id), 0) FROM measurements) FROM upkeep"
    ).fetchone()
    if to_us - from_us <= NARROW_US or newest - rolled > UNCOUNTED_MOST:
        kept, rows, width = "AND kept = 0", f"{series} AND end_us >= ? AND end_us < ?", width_us
    else:
        # Of the rows only those beyond the cursor, which are few: found by id, not by time.
        kept, rows = "", f"id > {rolled} AND +{series} AND +end_us >= ? AND +end_us < ?"
        width = -(-width_us // MINUTE_US) * MINUTE_US
    found = db.execute(
        "SELECT at, sum(n), sum(degraded), sum(invalid), sum(valued), sum(total), sum(squares), min(low), max(high)"  # noqa: S608 - our own text
        f" FROM (SELECT max(0, minute * {MINUTE_US} - ?) / ? AS at, n, degraded, invalid, valued, total, squares, low,"
        f" high FROM minutes WHERE {series} AND minute >= ? AND minute < ? {kept} UNION ALL"
        " SELECT (end_us - ?) / ?, 1, quality = 1, quality = 2, quality < 2 AND value IS NOT NULL,"
        " CASE WHEN quality < 2 THEN coalesce(value, 0.0) ELSE 0.0 END,"
        " CASE WHEN quality < 2 THEN coalesce(value * value, 0.0) ELSE 0.0 END,"
        " CASE WHEN quality < 2 THEN value END, CASE WHEN quality < 2 THEN value END"
        f" FROM measurements WHERE {rows}) GROUP BY at ORDER BY at",
        (from_us, width, *values, from_us // MINUTE_US, -(-to_us // MINUTE_US),
         from_us, width, *values, from_us, to_us),
    )  # fmt: skip
    return [_bucket(from_us + at * width, row) for at, *row in found]


def _bucket(start_us: int, row: Sequence[Any]) -> Bucket:
    n, degraded, invalid, valued, total, squares, low, high = row
    if not valued:
        return Bucket(start_us, n, degraded, invalid, None, None, None, None)
    mean = total / valued
    sd = sqrt(max(0.0, squares / valued - mean * mean))
    return Bucket(start_us, n, degraded, invalid, mean, low, high, sd)
