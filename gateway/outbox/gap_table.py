"""The gaps in a file of the outbox: numbers that are rows no more, or never were, and why."""

from __future__ import annotations

import sqlite3

from gateway.model.row import Gap
from gateway.outbox.errors import whole

GAP_BYTES = 32
"""What one takes on disk: what lies between kept rows may be as many gaps as rows, and counts towards the cap."""


class GapTable:
    """Gaps that follow each other and have the same reason are one.

    Args:
        db: The connection that writes; the caller has begun the transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, gap: Gap) -> int:
        """Add a gap, as one with those beside it that have the same reason; return what it takes."""
        first, last, size = gap.first, gap.last, GAP_BYTES
        left = self.begun_by(first - 1)
        if left and (left.last, left.reason) == (first - 1, gap.reason):
            first, size = left.first, size - GAP_BYTES
        right = self._db.execute("SELECT last, reason FROM gaps WHERE first = ?", (last + 1,)).fetchone()
        if right and right[1] == gap.reason:
            self._db.execute("DELETE FROM gaps WHERE first = ?", (last + 1,))
            last, size = right[0], size - GAP_BYTES
        self._db.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?)", (first, last, gap.reason))
        return size

    def begun_by(self, seq: int) -> Gap | None:
        """Return the last gap that begins at or before a number."""
        found = self._db.execute(
            "SELECT first, last, reason FROM gaps WHERE first <= ? ORDER BY first DESC LIMIT 1", (seq,)
        ).fetchone()
        return found and Gap(whole(found[0]), whole(found[1]), str(found[2]))

    def trim(self, released: int) -> int:
        """Remove gaps up to a number; return the bytes that this frees."""
        last_one = self.begun_by(released)
        gone = self._db.execute("DELETE FROM gaps WHERE first <= ?", (released,)).rowcount
        if last_one and last_one.last > released:
            self._db.execute("INSERT INTO gaps VALUES (?, ?, ?)", (released + 1, last_one.last, last_one.reason))
            gone -= 1
        return int(gone * GAP_BYTES)
