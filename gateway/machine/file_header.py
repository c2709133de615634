"""Whether an open database still has the contents that we gave it: hands also write over a file that is in use.

``cp backup.db history.db`` keeps name, device and inode; SQLite notices nothing, goes on from its memory and its log,
and mixes two files. What a copy cannot have is the mark of this opening in the header: a number at random, and SQLite's
own counter of changes, which every commit of ours moves on. Both are within the first hundred bytes of the file.

The header is read by a descriptor that stays open as long as the database: closing any descriptor of a file would drop
the locks that SQLite holds on it for this process (POSIX advisory locks).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import struct
import time
from pathlib import Path

from config import plain_file

HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"  # with which each database begins (SQLite file format, 1.3.1)
_COUNTER = struct.Struct(">I")
_COUNTER_AT = 24  # bytes into the header: file change counter (SQLite file format, 1.3.7)
_MARK_AT = 68  # application id (1.3.17), which is free for us
_HALF = 1 << 31  # the counter wraps: less than half a turn is forward
AGAIN_S = 0.05  # before a header that is not ours is believed to be so: it may be half written at that moment
UNCHANGED_S = 0.5  # a copy that has not grown or changed for so long is complete
UNCHANGED_MOST_S = 20.0  # a history of some gigabytes on a slow card


def is_database(path: Path) -> bool:
    """Whether a file begins as a database does; not for one that this process has open. Raises OSError."""
    return plain_file.read(path, len(MAGIC) - 1) == MAGIC


class Header:
    """The mark of one opening in the header of a database.

    Args:
        db: A connection to it in the journal mode WAL; its commits carry the mark by `mark`.
        path: Its path, which names the file at this moment.

    Raises:
        OSError: The file cannot be read.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(FileNotFoundError):  # one in memory has no name
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._mark = 1 + secrets.randbelow(_HALF - 1)
        found = self._read()
        self._seen = found[_COUNTER_AT : _COUNTER_AT + _COUNTER.size] if found else b""
        self._earlier = found[_MARK_AT : _MARK_AT + _COUNTER.size] if found else b""
        db.execute("BEGIN IMMEDIATE")
        self.mark(db)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def mark(self, db: sqlite3.Connection) -> None:
        """Write the mark with the transaction that runs: it moves SQLite's counter on."""
        db.execute(f"PRAGMA application_id={self._mark}")

    def is_ours(self) -> bool:
        """Whether the file still is what this opening has made of it; what cannot be read is not said to be changed."""
        if self._descriptor is None or self._fits(self._read()):
            return True
        time.sleep(AGAIN_S)
        return self._fits(self._read())

    def wait_until_unchanged(self) -> None:
        """Wait until whoever writes over the file is done, but not for ever."""
        until_s = time.monotonic() + UNCHANGED_MOST_S
        before = self._state()
        while time.monotonic() < until_s:
            time.sleep(UNCHANGED_S)
            now = self._state()
            if now == before:
                return
            before = now

    def close(self) -> None:
        """Let go of the file; only after every connection to it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _fits(self, header: bytes | None) -> bool:
        """Whether a header can be ours, and note how far it has come. A mark of before us stays until a checkpoint."""
        if header is None:
            return True
        counter = header[_COUNTER_AT : _COUNTER_AT + _COUNTER.size]
        mark = header[_MARK_AT : _MARK_AT + _COUNTER.size]
        ours = _COUNTER.pack(self._mark)
        if header[: len(MAGIC)] != MAGIC or len(header) < HEADER_BYTES or mark not in {ours, self._earlier}:
            return False
        if self._seen and (_COUNTER.unpack(counter)[0] - _COUNTER.unpack(self._seen)[0]) % (1 << 32) >= _HALF:
            return False
        self._seen = counter
        if mark == ours:
            self._earlier = ours
        return True

    def _read(self) -> bytes | None:
        if self._descriptor is None:
            return None
        try:
            return os.pread(self._descriptor, HEADER_BYTES, 0)
        except OSError:
            return None

    def _state(self) -> tuple[int, int] | None:
        if self._descriptor is None:
            return None
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns
