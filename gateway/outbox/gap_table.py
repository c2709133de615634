"""The gaps in a file of the outbox: numbers that are rows no more, or never were, and why."""

from __future__ import annotations

import sqlite3

from gateway.model.row import Gap
from gateway.outbox.errors import whole

OUTBOX_FULL = "outbox full"
DISK_SLOW = "disk slow"
WANT_OF_ROOM = frozenset({OUTBOX_FULL, DISK_SLOW})
"""Reasons that alternate for days when nothing can be sent: what follows each other of these is one gap, or a history
would be told of millions that no row parts. How many rows went for which of them is counted beside."""
GAP_BYTES = 32
"""What one takes on disk: what lies between kept rows may be as many gaps as rows, and counts towards the cap."""


class GapTable:
    """Gaps that follow each other and have the same reason, or want of room in any form, are one.

    Args:
        db: The connection that writes; the caller has begun the transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, gap: Gap) -> int:
        """Add a gap, as one with those beside it that belong to it; return what it takes."""
        size = GAP_BYTES
        left = self.begun_by(gap.first - 1)
        if left and left.last == gap.first - 1 and _are_one(left, gap):
            gap, size = _joined(left, gap), size - GAP_BYTES
        found = self._db.execute("SELECT last, reason FROM gaps WHERE first = ?", (gap.last + 1,)).fetchone()
        if found and _are_one(gap, right := Gap(gap.last + 1, whole(found[0]), str(found[1]))):
            self._db.execute("DELETE FROM gaps WHERE first = ?", (right.first,))
            gap, size = _joined(gap, right), size - GAP_BYTES
        self._db.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?)", (gap.first, gap.last, gap.reason))
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


def _are_one(left: Gap, right: Gap) -> bool:
    return left.reason == right.reason or {left.reason, right.reason} <= WANT_OF_ROOM


def _joined(left: Gap, right: Gap) -> Gap:
    """Return two gaps as one, with the reason of the longer."""
    longer = max(left, right, key=lambda gap: gap.last - gap.first)
    return Gap(left.first, right.last, longer.reason)
