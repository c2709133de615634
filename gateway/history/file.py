"""Which file a history is: its identity, and whether it still has the name under which it was opened.

The identity goes into every receipt. A gateway that meets another one than before, or an older copy, knows that what it
let go may be gone, and says so.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gateway.machine.file_header import Header
from gateway.machine.file_place import Change, Place
from gateway.outbox.file import set_aside
from gateway.outbox.move import move_durably

NEVER_CAME = "released before it was stored"
REMOVED = "stored in a history that was removed"
ROTTED = "rotted on the disk"
SIDES = ("-wal", "-shm")


class HistoryFile:
    """The file that a connection has just opened.

    Args:
        db: The connection; the tables are there.
        path: Its path.

    Attributes:
        history: Its identity, 16 hexadecimal digits, made with the file.
        opened: How often it has been opened, this time included.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._path = path
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE identity SET opened = opened + 1")
            self.history, self.opened = db.execute("SELECT history, opened FROM identity").fetchone()
        self._header = Header(db, path)
        self._place = Place(path, self._header)

    def mark(self, db: sqlite3.Connection) -> None:
        """Have the transaction that runs carry the mark of this opening."""
        self._header.mark(db)

    def release(self) -> None:
        """Let go of the file; after the connection has ended."""
        self._header.close()

    def rename(self, db: sqlite3.Connection) -> None:
        """Give the file a new identity: it took the place of one that had more."""
        self.history = secrets.token_hex(8)
        db.execute("UPDATE identity SET history = ?", (self.history,))

    def change(self) -> Change:
        """Return what became of the file since it was opened."""
        return self._place.change()

    def close(self, db: sqlite3.Connection, change: Change) -> None:
        """Close a connection whose file has lost its name, without touching what has the name now.

        SQLite removes the log by its name when the last connection ends: another file's log would go. Where only
        our own log was removed, it is written into the file first.
        """
        if change == "log removed":
            db.execute("PRAGMA wal_checkpoint(FULL)")
            db.close()
            self._header.close()
            return
        if change == "written over":
            self._place.empty_own_log()
        self._place.drop_own_log()
        hidden = [(piece, piece.with_name(f"{piece.name}.kept")) for piece in _pieces(self._path) if piece.exists()]
        for piece, kept in hidden:
            piece.rename(kept)
        db.close()
        for piece, kept in hidden:
            move_durably(kept, piece)
        self._header.close()


def put_aside(path: Path) -> Path:
    """Rename what took the place of a history and is none that this program reads; return the new name."""
    return set_aside(path, "replaced")


def explained(first: int, last: int, removed: int) -> Iterator[tuple[int, int, str]]:
    """Yield ranges of numbers that never will come, with why; up to ``removed`` they were in a removed file."""
    if first <= min(last, removed):
        yield first, min(last, removed), REMOVED
    if max(first, removed + 1) <= last:
        yield max(first, removed + 1), last, NEVER_CAME


def lost_of(db: sqlite3.Connection, epoch: int) -> int:
    """Return how many numbers of an epoch had left the outbox and are not in the history."""
    found = db.execute(
        "SELECT coalesce(sum(last - first + 1), 0) FROM gaps WHERE epoch = ? AND reason IN (?, ?, ?)",
        (epoch, NEVER_CAME, REMOVED, ROTTED),
    ).fetchone()
    return int(found[0])


def _pieces(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + side) for side in SIDES)]
