"""Gaps of a history: the numbers that never will come, with the reason. Every method is part of a transaction."""

from __future__ import annotations

import sqlite3

from gateway.history.books.epoch_book import Epoch
from gateway.history.books.quota import Quotas


class GapBook:
    """The gaps, which only hold numbers that have not come otherwise."""

    def __init__(self, db: sqlite3.Connection, quotas: Quotas) -> None:
        self._db = db
        self._quotas = quotas

    def add(self, epoch: Epoch, first: int, last: int, reason: str) -> None:
        """Note that some numbers never will come, as far as they have not come already."""
        # An outbox that dropped a measurement cannot know whether it had arrived; we do.
        pieces = epoch.received.missing(last, after=first - 1)
        if pieces and not self._quotas.use(epoch.gateway, "gaps", len(pieces)):
            return
        self._db.executemany(
            "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)", [(epoch.id, *piece, reason) for piece in pieces]
        )
        epoch.received.add(first, last)
        for piece in pieces:
            epoch.copied.add(*piece)

    def mend(self, epoch: Epoch, seq: int) -> None:
        """A number came after all that had been said to be lost: take it out of its gap."""
        # Gaps do not overlap, so it can only be the last that begins before it. A flood leaves a hundred thousand.
        found = self._db.execute(
            "SELECT first, last, reason FROM gaps WHERE epoch = ? AND first <= ? ORDER BY first DESC LIMIT 1",
            (epoch.id, seq),
        ).fetchone()
        if found is None or found[1] < seq:
            return
        first, last, reason = found
        self._db.execute("DELETE FROM gaps WHERE epoch = ? AND first = ? AND last = ?", (epoch.id, first, last))
        pieces = [piece for piece in ((first, seq - 1), (seq + 1, last)) if piece[0] <= piece[1]]
        self._db.executemany("INSERT INTO gaps VALUES (?, ?, ?, ?)", [(epoch.id, *piece, reason) for piece in pieces])
