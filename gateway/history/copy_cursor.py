"""What of a history the remote store has: a cursor over its rows as they were stored, and what the store refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.history.books.clock_book import HOLD_S
from gateway.history.books.epoch_book import Epoch, copied_upto
from gateway.history.database import Database
from gateway.history.minutes import newest_id
from gateway.history.row_check import check_between
from gateway.history.schema import Stored, read_stored

log = logging.getLogger(__name__)


class CopyCursor:
    """What the copying to the remote store reads and notes. Safe for several threads; a method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checked = (0, 0)  # of which file, and up to which id

    @property
    def replaced(self) -> int:
        """How many times another file has taken the place of the history; ids begin again with each."""
        return self._database.replaced

    def copied_upto(self) -> int:
        """Return the id up to which the remote store has everything."""
        with self._database.reading() as db:
            return copied_upto(db)

    def not_copied(self, limit: int, *, after: int | None = None, upto: int = 2**62) -> list[Stored]:
        """Return measurements in the order of storing: those beyond ``copied_upto()``, or beyond ``after``.

        Those whose wall time is doubtful are left out until it is mended, or ``release_overdue`` has given up on it.
        """
        with self._database.reading() as db:
            after = copied_upto(db) if after is None else after
            found = read_stored(
                db, "WHERE id > ? AND id <= ? AND clock <> 'held' ORDER BY id LIMIT ?", (after, upto, limit)
            )
        # What rotted is not among them; it becomes a gap now, for a receipt would wait for its copy.
        self._check(after, found[-1].id if len(found) == limit else upto)
        return found

    def _check(self, after: int, upto: int) -> None:
        file, checked = self._checked
        if file == self.replaced:
            after = max(after, checked)
        with self._database.reading() as db:
            upto = min(upto, newest_id(db))
        if after < upto:
            check_between(self._database, after, upto)
            self._checked = (self.replaced, upto)

    def mark_copied(self, batch: Sequence[Stored]) -> set[tuple[str, str]]:
        """Note that the remote store has these; return whose receipts may have moved."""
        with self._database.transaction() as db:
            touched: dict[tuple[str, str], Epoch] = {}
            for row in batch:
                epoch = touched[row.gateway, row.epoch] = self._database.books.epochs.get(row.gateway, row.epoch)
                epoch.copied.add(row.seq)
            db.execute("UPDATE copying SET upto = ?", (batch[-1].id,))
            for epoch in touched.values():
                db.execute("UPDATE epochs SET copied = ? WHERE id = ?", (epoch.copied.upto, epoch.id))
            return set(touched)

    def left_behind(self) -> list[tuple[str, str, str]]:
        """Return gateway, session and subject under which the remote store may have what is another person's."""
        with self._database.reading() as db:
            return db.execute("SELECT gateway, session, subject FROM left_behind").fetchall()

    def is_deleted(self, left: tuple[str, str, str]) -> None:
        """Note that the remote store has deleted what was left behind there."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM left_behind WHERE gateway = ? AND session = ? AND subject = ?", left)

    def reject(self, row: Stored, reason: str, payload: bytes) -> None:
        """Keep what the remote store refuses, with the reason, in the table of rejected measurements."""
        with self._database.transaction() as db:
            epoch = self._database.books.epochs.get(row.gateway, row.epoch)
            db.execute("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", (epoch.id, row.seq, reason, payload))

    def set_apart(self, limit: int, *, after: int = 0) -> list[Stored]:
        """Return measurements that the remote store has refused, in the order of storing, beyond an id."""
        with self._database.reading() as db:
            return read_stored(
                db,
                "WHERE id > ? AND clock <> 'held' AND id IN (SELECT m.id FROM rejected r JOIN measurements m"
                " ON m.epoch = r.epoch AND m.seq = r.seq) ORDER BY id LIMIT ?",
                (after, limit),
            )

    def clear_refused(self, rows: Sequence[Stored]) -> None:
        """Forget that the remote store has refused these: it has them now."""
        with self._database.transaction() as db:
            epochs = self._database.books.epochs
            db.executemany(
                "DELETE FROM rejected WHERE epoch = ? AND seq = ?",
                [(epochs.get(row.gateway, row.epoch).id, row.seq) for row in rows],
            )

    def release_overdue(self, hold_s: float = HOLD_S) -> int:
        """Let the remote store have what was doubtful for too long; return of how many sessions that was."""
        with self._database.reading():
            overdue = self._database.books.clocks.overdue(hold_s)
            for of in overdue:
                log.warning("the wall times of %s in %s stay doubtful: copied as they are", of[1], of[0])
                with self._database.transaction():
                    self._database.books.clocks.release(of)
            return len(overdue)
