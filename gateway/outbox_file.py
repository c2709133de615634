"""The file of the outbox: rows numbered 1, 2, 3 … that survive a power cut, and the gaps where rows had to go.

SQLite, write-ahead log, ``synchronous=FULL``: the one setting of SQLite that lost nothing in power-cut tests. One
connection writes (the outbox's own thread), one reads. A file that cannot be trusted is set aside, never deleted, and a
new one with a new epoch takes its place.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from gateway.outbox_log import last_commit_in_log

SCHEMA_VERSION = 1
ROW_OVERHEAD = 48
"""Bytes that one row takes on disk beside its payload: header, slot, time, and its share of half-full pages."""
BUSY_TIMEOUT_S = 5.0
"""Nobody else writes to the file; a reader of ours can hold a checkpoint up for a moment."""
OUTBOX_FULL = "outbox full"
CORRUPT = "corrupt"
WAL_LIMIT = 8 * 2**20
"""The write-ahead log is cut back to this many bytes after a checkpoint."""
ROWS_OF_A_PAGE = 16
"""The most rows on one page of 4 KiB: a row takes well over 256 bytes."""
SPARE_PAGES = 256
"""Free pages kept for the rows to come; beyond them pages go back to the disk."""
VACUUM_PAGES = 512
"""Pages (of 4 KiB) given back to the disk with one commit: bounded, so that a commit stays short."""

SCHEMA = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, last_seq INTEGER NOT NULL,
                    depth INTEGER NOT NULL, bytes INTEGER NOT NULL, clean INTEGER NOT NULL);
CREATE TABLE rows (seq INTEGER PRIMARY KEY, slot TEXT NOT NULL, event INTEGER NOT NULL, made_us INTEGER NOT NULL,
                   crc INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE dropped (reason TEXT PRIMARY KEY, n INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One durable measurement: its number, its slot, and its JSON with the number in it."""

    seq: int
    slot: str
    event: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers ``first`` to ``last``, both included, that never will come, and why."""

    first: int
    last: int
    reason: str


class DamagedError(Exception):
    """The file is not a whole outbox; it should be set aside."""


FileError = (sqlite3.Error, UnicodeDecodeError)
"""What reading and writing may raise; the latter when SQLite quotes a rotten name in its message."""


def is_damage(error: Exception) -> bool:
    """Tell damage of the file from trouble around it (disk full, no permission), which passes."""
    if isinstance(error, UnicodeDecodeError):
        return True
    if not isinstance(error, sqlite3.OperationalError):
        return isinstance(error, sqlite3.DatabaseError)
    # Python's own errors, such as text that is not UTF-8, have no code. The low byte is the primary code; a missing
    # table or column is the plain SQLITE_ERROR.
    return (getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF) in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,
    }


def set_aside(path: Path) -> Path:
    """Rename a damaged file, and its log, to ``<name>.corrupt-<n>``; return the new name."""
    n = 1
    while (kept := path.with_name(f"{path.name}.corrupt-{n}")).exists():
        n += 1
    for suffix in ("", "-wal", "-shm"):
        piece = path.with_name(path.name + suffix)
        if piece.exists():
            piece.rename(kept.with_name(kept.name + suffix))
    return kept


class OutboxFile:
    """Read and write one outbox file. Not for several threads, except ``read`` and ``gaps`` in one other.

    Attributes:
        epoch: The life of this file, 16 hexadecimal digits.
        last_seq: The last number given.
        depth: How many rows there are.
        bytes: What they take, with overhead.
        oldest_us: When the oldest row was made, UTC microseconds; None if there is none.
        first_kept: The lowest number that a row or a gap holds; one beyond the last number if there is none.
        dropped: Rows dropped in the life of this file, by reason.

    Raises:
        DamagedError: The file is there but is not a whole outbox.
        sqlite3.OperationalError: The folder cannot be written, the disk is full, or the like.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        logged = last_commit_in_log(path)
        self._spoilt: deque[int] = deque()  # filled by the reader, emptied by the writer
        self._write = _connect(path)
        try:
            self._prepare(logged)
            self._read = _connect(path)
        except BaseException as error:
            self._write.close()
            if isinstance(error, UnicodeDecodeError):  # SQLite quotes names in what it says, and they are spoilt
                raise DamagedError("names that are not text") from error
            if isinstance(error, FileError) and is_damage(error):
                raise DamagedError(str(error)) from error
            raise

    def _prepare(self, logged: int) -> None:
        self._write.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._write.execute("PRAGMA journal_mode=WAL")
        self._write.execute("PRAGMA synchronous=FULL")
        self._write.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        version = self._write.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._create()
        elif version != SCHEMA_VERSION:
            raise DamagedError(f"schema version {version} is not {SCHEMA_VERSION}")
        state = self._write.execute("SELECT epoch, last_seq, depth, bytes, clean FROM state").fetchone()
        if state is None:
            raise DamagedError("the state is missing")
        if not isinstance(state[0], str) or not all(isinstance(number, int) for number in state[1:]):
            raise DamagedError("the state is not what its columns say")
        self.epoch: str = state[0]
        self.last_seq: int = state[1]
        self.depth: int = state[2]
        self.bytes: int = state[3]
        # Checking half a gigabyte takes seconds: only after an end that was not orderly.
        if not state[4]:
            self._check()
        # SQLite takes the log up to the first bad page, and forgets the rest without a word.
        recovered = self._write.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        torn = ROWS_OF_A_PAGE * max(0, logged - recovered)
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            self._write.execute("UPDATE state SET clean = 0")
            if torn and not state[4]:
                # Numbers that may have been given, and seen by others, must not be given again.
                self._add_gap(Gap(self.last_seq + 1, self.last_seq + torn, CORRUPT))
                self.last_seq += torn
                self._write.execute("UPDATE state SET last_seq = ?", (self.last_seq,))
            self.oldest_us, self.first_kept, self.dropped = self._take_stock(self.last_seq)

    def _create(self) -> None:
        if self._write.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise DamagedError("another kind of database")
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";"):
                self._write.execute(statement)
            self._write.execute("INSERT INTO state VALUES (1, ?, 0, 0, 0, 1)", (secrets.token_hex(8),))
            self._write.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _check(self) -> None:
        verdict = self._write.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedError(verdict)
        last, rows = self._write.execute("SELECT coalesce(max(seq), 0), count(*) FROM rows").fetchone()
        told = self._write.execute("SELECT coalesce(max(last), 0) FROM gaps").fetchone()[0]
        if rows != self.depth or (rows and max(last, told) != self.last_seq):
            raise DamagedError(f"{rows} rows up to {last} do not agree with the state: {self.depth}, {self.last_seq}")

    def commit(
        self, rows: Sequence[tuple[Row, int]], gaps: Iterable[Gap], *, last_seq: int, released: int, max_bytes: int
    ) -> int:
        """Write rows (each with its time, UTC microseconds) and gaps, trim what is released, keep to the cap.

        All of it in one transaction that is on disk when this returns. ``released`` trims rows and gaps up to that
        number; the cap then drops the oldest rows and leaves a gap. Returns how many rows the cap dropped.
        """
        if self._write.execute("PRAGMA freelist_count").fetchone()[0] > SPARE_PAGES:
            # As a script: execute() would stop after the first page. Before the rows: its failure must cost none.
            self._write.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            gone, freed = self._trim(released)
            depth, total = self.depth - gone + len(rows), self.bytes - freed
            self._write.executemany(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
                ((row.seq, row.slot, row.event, made_us, crc32(row.payload), row.payload) for row, made_us in rows),
            )
            total += sum(len(row.payload) + ROW_OVERHEAD for row, _ in rows)
            gone_bad, freed = self._drop_spoilt()
            depth, total = depth - gone_bad, total - freed
            for gap in gaps:
                self._add_gap(gap)
            dropped = 0
            if total > max_bytes:
                dropped, freed = self._drop_oldest(total - max_bytes)
                depth, total = depth - dropped, total - freed
            self._write.execute("UPDATE state SET last_seq = ?, depth = ?, bytes = ?", (last_seq, depth, total))
            # Before the commit: nothing may fail between it and the numbers below.
            stock = self._take_stock(last_seq)
        self.last_seq, self.depth, self.bytes = last_seq, depth, total
        self.oldest_us, self.first_kept, self.dropped = stock
        return dropped

    def _trim(self, released: int) -> tuple[int, int]:
        gone, freed = self._write.execute(
            "SELECT count(*), coalesce(sum(length(payload) + ?), 0) FROM rows WHERE seq <= ?", (ROW_OVERHEAD, released)
        ).fetchone()
        if gone:
            self._write.execute("DELETE FROM rows WHERE seq <= ?", (released,))
        self._write.execute("DELETE FROM gaps WHERE last <= ?", (released,))
        self._write.execute("UPDATE gaps SET first = ? WHERE first <= ?", (released + 1, released))
        return gone, freed

    def _drop_spoilt(self) -> tuple[int, int]:
        gone = freed = 0
        while self._spoilt:
            seq = self._spoilt.popleft()
            for (size,) in self._write.execute("SELECT length(payload) FROM rows WHERE seq = ?", (seq,)).fetchall():
                self._write.execute("DELETE FROM rows WHERE seq = ?", (seq,))
                self._add_gap(Gap(seq, seq, CORRUPT))
                gone, freed = gone + 1, freed + size + ROW_OVERHEAD
        return gone, freed

    def _drop_oldest(self, excess: int) -> tuple[int, int]:
        freed = dropped = first = last = 0
        for seq, size in self._write.execute("SELECT seq, length(payload) FROM rows ORDER BY seq"):
            # A gap that is already told may lie between two rows: a range of dropped rows ends there.
            if last and seq != last + 1:
                self._add_gap(Gap(first, last, OUTBOX_FULL))
                first = 0
            first, last = first or seq, seq
            freed += size + ROW_OVERHEAD
            dropped += 1
            if freed >= excess:
                break
        if dropped:
            self._add_gap(Gap(first, last, OUTBOX_FULL))
            self._write.execute("DELETE FROM rows WHERE seq <= ?", (last,))
        return dropped, freed

    def _add_gap(self, gap: Gap) -> None:
        n = gap.last - gap.first + 1
        grown = self._write.execute(
            "UPDATE gaps SET last = ? WHERE last = ? AND reason = ?", (gap.last, gap.first - 1, gap.reason)
        )
        if not grown.rowcount:
            self._write.execute("INSERT INTO gaps VALUES (?, ?, ?)", (gap.first, gap.last, gap.reason))
        self._write.execute(
            "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET n = n + excluded.n", (gap.reason, n)
        )

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return up to ``limit`` committed rows beyond ``after_seq``, in order.

        A row that is not what was written is left out, and becomes a gap with the next commit.
        """
        found = self._read.execute(
            "SELECT seq, slot, event, payload, crc FROM rows WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit)
        ).fetchall()
        self._spoilt.extend(seq for seq, _, _, payload, crc in found if crc32(payload) != crc)
        return [
            Row(seq, slot, bool(event), payload) for seq, slot, event, payload, crc in found if crc32(payload) == crc
        ]

    @property
    def spoilt(self) -> bool:
        """Whether rows were found that are not what was written."""
        return bool(self._spoilt)

    def gaps(self, limit: int) -> list[Gap]:
        """Return the first ``limit`` gaps that no receipt has covered yet, in order."""
        found = self._read.execute("SELECT first, last, reason FROM gaps ORDER BY first LIMIT ?", (limit,))
        return [Gap(*row) for row in found]

    def _take_stock(self, last_seq: int) -> tuple[int | None, int, dict[str, int]]:
        oldest = self._write.execute("SELECT made_us FROM rows ORDER BY seq LIMIT 1").fetchone()
        first = self._write.execute(
            "SELECT min(seq) FROM (SELECT min(seq) AS seq FROM rows UNION ALL SELECT min(first) FROM gaps)"
        ).fetchone()[0]
        dropped = dict(self._write.execute("SELECT reason, n FROM dropped"))
        return oldest and oldest[0], last_seq + 1 if first is None else first, dropped

    def abandon(self) -> None:
        """Let go of a damaged file without writing to it."""
        self._read.close()
        self._write.close()

    def close(self, *, clean: bool) -> None:
        """Close; ``clean`` says that the next start needs no check."""
        try:
            if clean:
                with self._write:
                    self._write.execute("UPDATE state SET clean = 1")
        finally:
            self.abandon()


class UnopenedFile:
    """Stands in for a file that cannot be opened at present: it holds nothing, and each commit tries to open it.

    Attributes:
        reason: Why it cannot be opened.
    """

    epoch = ""
    last_seq = depth = bytes = 0
    first_kept = 1
    oldest_us: int | None = None
    spoilt = False

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.dropped: dict[str, int] = {}

    def commit(
        self, rows: Sequence[tuple[Row, int]], gaps: Iterable[Gap], *, last_seq: int, released: int, max_bytes: int
    ) -> int:
        """Fail: there is nowhere to write to."""
        del rows, gaps, last_seq, released, max_bytes
        raise sqlite3.OperationalError(self.reason)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return nothing."""
        del after_seq, limit
        return []

    def gaps(self, limit: int) -> list[Gap]:
        """Return nothing."""
        del limit
        return []

    def abandon(self) -> None:
        """Have nothing to let go of."""

    def close(self, *, clean: bool) -> None:
        """Have nothing to close."""
        del clean


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit, with BEGIN written out: Python's own transaction handling differs between 3.11 and 3.12.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
