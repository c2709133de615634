"""Open a file of the outbox: make, migrate or check it, and say what it holds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gateway.machine.damage import look
from gateway.machine.kept_forms import KeptFormError, forms_are_kept
from gateway.machine.newer_file import refuse_newer
from gateway.machine.set_aside import CORRUPT
from gateway.model.row import Chain
from gateway.outbox.errors import DamagedError, whole
from gateway.outbox.eviction import ROW_OVERHEAD
from gateway.outbox.gap_table import GAP_BYTES
from gateway.outbox.schema import SCHEMA_VERSION, TABLES, create, migrate

WAL_LIMIT = 8 * 2**20
"""The write-ahead log is cut back to this many bytes after a checkpoint."""
ROWS_OF_A_PAGE = 16
"""The most rows on one page of 4 KiB: a row takes well over 256 bytes. Of the audit there may be a few more; the page
of the state, which every commit writes too, makes up for them."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a file holds: `OutboxFile` says what the fields are; ``torn`` are numbers that its log has lost."""

    epoch: str
    last_seq: int
    depths: list[int]
    bytes: int
    chain: Chain
    torn: int


class Opening:
    """One opening of a file.

    Args:
        db: The connection that writes.
        path: The file.
        new_epoch: Of a new file.
        recount: Check the whole file, and count its rows anew where they do not agree with the state.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, *, new_epoch: str, recount: bool) -> None:
        self._db = db
        self.path = path
        self._new_epoch = new_epoch
        self._recounting = recount
        self.last_seq = self.bytes = 0
        self.depths: list[int] = []

    def open(self, logged: int) -> Opened:
        """Return what the file holds, of whose log so many frames were whole.

        Raises:
            DamagedError, sqlite3.Error: It does not hold what it should.
            NewerFileError: A newer program wrote it; nothing in it was changed.
            KeptFormError: It is older, and has to stay so for now.
        """
        self._refuse_newer()
        self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        recovered = self._open_schema()
        state = self._db.execute(
            "SELECT epoch, chain_head, last_seq, metrics, events, audits, bytes, chain_n, clean FROM state"
        ).fetchone()
        if state is None:
            raise DamagedError("the state is missing")
        epoch, head, *numbers = state
        if not all(isinstance(text, str) for text in (epoch, head)) or not all(isinstance(n, int) for n in numbers):
            raise DamagedError("the state is not what its columns say")
        self.last_seq, *self.depths, self.bytes, chain_n, clean = numbers
        # Checking half a gigabyte takes seconds: only after an end that was not orderly.
        if not clean or self._recounting:
            self._check()
        if recovered is None:
            recovered = self._recovered()
        torn = 0 if clean else ROWS_OF_A_PAGE * max(0, logged - recovered)
        return Opened(epoch, self.last_seq, self.depths, self.bytes, Chain(chain_n, head), torn)

    def _refuse_newer(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION and not look(self.path):
            refuse_newer(self.path, version, SCHEMA_VERSION)

    def _open_schema(self) -> int | None:
        """Make or migrate the tables; return what SQLite took of the log, where that had to be asked before."""
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise DamagedError("another kind of database", self._kind("foreign"))
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                create(self._db, self._new_epoch)
        elif version == 1:
            if forms_are_kept(self.path.parent):
                raise KeptFormError(self.path, version, SCHEMA_VERSION)
            recovered = self._recovered()
            migrate(self._db, gap_bytes=GAP_BYTES)
            return recovered
        elif version != SCHEMA_VERSION:
            raise DamagedError(f"schema version {version} is not {SCHEMA_VERSION}", self._kind("version"))
        return None

    def _kind(self, kind: str) -> str:
        """Return what a file of another program is, or ``corrupt`` where it is damaged besides."""
        return CORRUPT if look(self.path) else kind

    def _recovered(self) -> int:
        """Return how many frames of the log SQLite took: it forgets the rest, from the first bad page on."""
        return int(self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])

    def _check(self) -> None:
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedError(verdict)
        found = [
            self._db.execute(f"SELECT coalesce(max(seq), 0), count(*) FROM {table}").fetchone()  # noqa: S608
            for table in TABLES
        ]
        last, rows = max(last for last, _ in found), [count for _, count in found]
        last_of_gaps = self._db.execute("SELECT coalesce(max(last), 0) FROM gaps").fetchone()[0]
        if rows == self.depths and (not any(rows) or max(last, last_of_gaps) == self.last_seq):
            return
        if not self._recounting:
            raise DamagedError(f"{rows} rows up to {last} do not agree with the state: {self.depths}, {self.last_seq}")
        self._recount(max(last, last_of_gaps))

    def _recount(self, last_seq: int) -> None:
        """Have the state say what the rows are."""
        self.last_seq = max(self.last_seq, last_seq)
        counts = [
            self._db.execute(f"SELECT count(*), coalesce(sum(length(payload)), 0) FROM {table}").fetchone()  # noqa: S608
            for table in TABLES
        ]
        gaps = self._db.execute("SELECT count(*) FROM gaps").fetchone()[0]
        self.depths = [n for n, _ in counts]
        self.bytes = sum(whole(size) + n * ROW_OVERHEAD for n, size in counts) + gaps * GAP_BYTES
        with self._db:
            self._db.execute(
                "UPDATE state SET last_seq = ?, metrics = ?, events = ?, audits = ?, bytes = ?",
                (self.last_seq, *self.depths, self.bytes),
            )
