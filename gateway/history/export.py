"""Everything that a history has of one person, row by row: for researchers and their programs.

Rows come series by series (metric, side, session), each in the order of time, a page at a time: a person of three years
is never held in memory, and the writer never waits. Discarded sessions are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gateway.history.row_sums import prepare
from gateway.history.schema import QUALITY, WRITABLE, as_text

PAGE = 5_000
"""Rows that are read at one time."""
BUSY_S = 10.0
COLUMNS = (
    "subject", "session", "slot", "metric", "side", "unit", "value", "quality", "reason", "n", "start_us", "end_us",
    "algorithm", "placement", "simulated", "clock",
)  # fmt: skip
CLOCKS = ("believed", "held", "mended", "doubtful")

Row = tuple[object, ...]


def rows_of(path: Path, subject: str, *, from_us: int = 0, to_us: int = 2**62) -> Iterator[list[Row]]:
    """Yield pages of rows that end in ``[from_us, to_us)``, as ``COLUMNS`` names them. Raises sqlite3.Error, OSError.

    Times are UTC microseconds, values in the unit beside them; a value that there is not is None.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S, check_same_thread=False)) as db:
        db.text_factory = as_text
        if db.execute("PRAGMA user_version").fetchone()[0] not in WRITABLE:
            raise sqlite3.DatabaseError("the history is of another version, or not made yet")
        prepare(db, reads_only=True)
        series = db.execute(
            "SELECT id, subject, session, slot, metric, side, unit, algorithm, placement, simulated FROM series"
            " WHERE subject = ? AND (session, subject) NOT IN (SELECT session, subject FROM discarded)"
            " ORDER BY metric, side, session, id",
            (subject,),
        ).fetchall()
        for one in series:
            yield from _pages(db, one, from_us, to_us)


def _pages(db: sqlite3.Connection, series: Row, from_us: int, to_us: int) -> Iterator[list[Row]]:
    """Yield the rows of one series, page by page, after the last one that was read."""
    number, subject, session, slot, metric, side, unit, algorithm, placement, simulated = series
    after = (from_us, -1)
    while True:
        found = db.execute(
            "SELECT id, value, quality, reason, n, start_us, end_us, clock FROM measurements"
            " WHERE series = ? AND end_us < ? AND (end_us, id) > (?, ?) ORDER BY end_us, id LIMIT ?",
            (number, to_us, *after, PAGE),
        ).fetchall()
        if not found:
            return
        after = (found[-1][6], found[-1][0])
        places = str(placement).replace("\n", " ")
        yield [
            (subject, session, slot, metric, side, unit, value, QUALITY[quality], reason, n, start_us, end_us,
             algorithm, places, bool(simulated), CLOCKS[clock])
            for _, value, quality, reason, n, start_us, end_us, clock in found
        ]  # fmt: skip
