"""The file of the outbox: rows numbered 1, 2, 3 … that survive a power cut, and the gaps where rows had to go.

SQLite, write-ahead log, ``synchronous=FULL``: the one setting of SQLite that lost nothing in power-cut tests. One
connection writes (the outbox's own thread), one reads. A file that cannot be trusted is set aside, never deleted, and a
new one with a new epoch takes its place.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from zlib import crc32

from gateway.machine.damage import look, suspicious
from gateway.machine.file_header import Header
from gateway.machine.private_files import make_private
from gateway.model.row import AUDIT, UNKNOWN, Chain, Gap, Row
from gateway.outbox.log import last_commit_in_log
from gateway.outbox.schema import FACTS, SCHEMA_VERSION, TABLES, create, migrate

__all__ = ["DamagedError", "FileError", "Gap", "OutboxFile", "Row", "UnopenedFile", "set_aside"]

ROW_OVERHEAD = 48
"""Bytes that one row takes on disk beside its payload: header, slot, time, and its share of half-full pages."""
GAP_BYTES = 32
"""The same of a gap: what lies between kept rows may be as many gaps as rows, and counts towards the cap."""
BUSY_TIMEOUT_S = 5.0
"""Nobody else writes to the file; a reader of ours can hold a checkpoint up for a moment."""
OUTBOX_FULL = "outbox full"
TOO_OLD = "too old"
CORRUPT = "corrupt"
WAL_LIMIT = 8 * 2**20
"""The write-ahead log is cut back to this many bytes after a checkpoint."""
ROWS_OF_A_PAGE = 16
"""The most rows on one page of 4 KiB: a row takes well over 256 bytes. Of the audit there may be a few more; the page
of the state, which every commit writes too, makes up for them."""
SPARE_PAGES = 256
"""Free pages kept for the rows to come; beyond them pages go back to the disk."""
VACUUM_PAGES = 512
"""Pages (of 4 KiB) given back to the disk with one commit: bounded, so that a commit stays short."""
CHUNK = 5_000
"""Rows that one commit trims, or drops for their age, so that it stays well below a second on a slow card."""
NO_END = 2**62
"""Beyond all numbers."""

_INSERT = [f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)" for table in TABLES]  # noqa: S608 - our own names
_EVERY_SEQ = " UNION ALL ".join(f"SELECT seq FROM {table} WHERE seq <= :upto" for table in TABLES)  # noqa: S608
_EVERY_ROW = " UNION ALL ".join(
    f"SELECT seq, slot, {rank} AS rank, payload, crc FROM {table} WHERE seq > :after"  # noqa: S608
    for rank, table in enumerate(TABLES)
)
_READ = f"{_EVERY_ROW} ORDER BY seq LIMIT :limit"


class DamagedError(Exception):
    """The file is not a whole outbox of this version; it should be set aside.

    Args:
        reason: What was found.
        kind: ``corrupt``; or ``version`` and ``foreign`` for a whole file that another program wrote.
    """

    def __init__(self, reason: str, kind: str = CORRUPT) -> None:
        super().__init__(reason)
        self.kind = kind


FileError = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""What reading and writing may raise: the second when SQLite quotes a rotten name, the third at a rotten length."""


def whole(value: object) -> int:
    """Return a number of the file; raises sqlite3.DatabaseError where something else stands in its place."""
    if type(value) is not int:
        raise sqlite3.DatabaseError(f"{value!r:.40} stands where a number should")
    return value


def set_aside(path: Path, kind: str = CORRUPT) -> Path:
    """Rename a file that cannot be gone on with, and its log, to ``<name>.<kind>-<n>``; return the new name."""
    n = 1
    while any((kept := path.with_name(f"{path.name}.{kind}-{n}")).parent.glob(f"{kept.name}*")):
        n += 1
    for suffix in ("", "-wal", "-shm"):
        piece = path.with_name(path.name + suffix)
        if piece.exists():
            piece.rename(kept.with_name(kept.name + suffix))
    return kept


class _Stock:
    """What a transaction leaves in the file, while it runs."""

    def __init__(self, depths: Sequence[int], total: int) -> None:
        self.depths = list(depths)
        self.bytes = total

    def less(self, rank: int, rows: int, payload_bytes: int) -> None:
        """Note that rows have gone."""
        self.depths[rank] -= rows
        self.bytes -= payload_bytes + rows * ROW_OVERHEAD


class OutboxFile:
    """Read and write one outbox file. Not for several threads, except ``read`` and ``gaps`` in one other.

    Attributes:
        header: What shows that somebody wrote over the file.
        epoch: The life of this file, 16 hexadecimal digits.
        last_seq: The last number given.
        depths: How many rows of each class there are.
        bytes: What they and the gaps take, with overhead.
        oldest_us: When the oldest row of each class was made, UTC microseconds; None if there is none.
        first_kept: The lowest number that a row or a gap holds; one beyond the last number if there is none.
        dropped: Rows dropped in the life of this file, by reason and class.
        chain: How far the audit has come.

    Args:
        path: The file.
        epoch: Of a new file; a random one if left out.
        recount: Check the whole file, and count its rows anew where they do not agree with the state: another process
            has written to it, which is no damage.

    Raises:
        DamagedError: The file is there but is not a whole outbox.
        OSError: It cannot be made.
        sqlite3.OperationalError: The folder cannot be written, the disk is full, or the like.
    """

    def __init__(self, path: Path, *, epoch: str | None = None, recount: bool = False) -> None:
        self.path = path
        self._new_epoch = epoch or secrets.token_hex(8)
        self._recounting = recount
        logged = last_commit_in_log(path)
        make_private(path)
        self._spoilt: deque[tuple[int, int]] = deque()  # class and number; filled by the reader, emptied by the writer
        self._write = _connect(path)
        try:
            self._prepare(logged)
            self._read = _connect(path)
            self.header = Header(self._write, path)
        except BaseException as error:
            self._write.close()
            if isinstance(error, MemoryError):  # a start needs little: a spoilt length asks for the impossible
                raise DamagedError("it asks for more memory than there is") from error
            if isinstance(error, UnicodeDecodeError):  # SQLite quotes names in what it says, and they are spoilt
                raise DamagedError("names that are not text") from error
            # Nobody else has the file: a constraint that fails while it is being opened is one that its own rows break.
            if isinstance(error, sqlite3.Error) and (suspicious(error) or isinstance(error, sqlite3.IntegrityError)):
                raise DamagedError(str(error)) from error
            raise

    @property
    def depth(self) -> int:
        """Return how many rows there are."""
        return sum(self.depths)

    def _prepare(self, logged: int) -> None:
        self._write.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._write.execute("PRAGMA journal_mode=WAL")
        self._write.execute("PRAGMA synchronous=FULL")
        self._write.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        recovered = self._open_schema()
        state = self._write.execute(
            "SELECT epoch, chain_head, last_seq, metrics, events, audits, bytes, chain_n, clean FROM state"
        ).fetchone()
        if state is None:
            raise DamagedError("the state is missing")
        epoch, head, *numbers = state
        if not all(isinstance(text, str) for text in (epoch, head)) or not all(isinstance(n, int) for n in numbers):
            raise DamagedError("the state is not what its columns say")
        self.epoch: str = epoch
        self.last_seq, *self.depths, self.bytes, chain_n, clean = numbers
        self.chain = Chain(chain_n, head)
        # Checking half a gigabyte takes seconds: only after an end that was not orderly.
        if not clean or self._recounting:
            self._check()
        if recovered is None:
            recovered = self._recovered()
        torn = 0 if clean else ROWS_OF_A_PAGE * max(0, logged - recovered)
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            self._write.execute("UPDATE state SET clean = 0")
            if torn:
                # Numbers that may have been given, and seen by others, must not be given again.
                self.bytes += self._add_gap(Gap(self.last_seq + 1, self.last_seq + torn, CORRUPT))
                self._count(CORRUPT, UNKNOWN, torn)
                self.last_seq += torn
                self._write.execute("UPDATE state SET last_seq = ?, bytes = ?", (self.last_seq, self.bytes))
            self.oldest_us, self.first_kept, self.dropped = self._take_stock(self.last_seq)
            self._write.execute(FACTS)
            self.facts = dict(self._write.execute("SELECT key, value FROM facts").fetchall())
        self.torn = torn

    def _open_schema(self) -> int | None:
        """Make or migrate the tables; return what SQLite took of the log, where that had to be asked before."""
        version = self._write.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            if self._write.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise DamagedError("another kind of database", self._kind("foreign"))
            with self._write:
                self._write.execute("BEGIN IMMEDIATE")
                create(self._write, self._new_epoch)
        elif version == 1:
            recovered = self._recovered()
            migrate(self._write, gap_bytes=GAP_BYTES)
            return recovered
        elif version != SCHEMA_VERSION:
            raise DamagedError(f"schema version {version} is not {SCHEMA_VERSION}", self._kind("version"))
        return None

    def _kind(self, kind: str) -> str:
        """Return what a file of another program is, or ``corrupt`` where it is damaged besides."""
        return CORRUPT if look(self.path) else kind

    def _recovered(self) -> int:
        """Return how many frames of the log SQLite took: it forgets the rest, from the first bad page on."""
        return int(self._write.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])

    def _check(self) -> None:
        verdict = self._write.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedError(verdict)
        found = [
            self._write.execute(f"SELECT coalesce(max(seq), 0), count(*) FROM {table}").fetchone()  # noqa: S608
            for table in TABLES
        ]
        last, rows = max(last for last, _ in found), [count for _, count in found]
        told = self._write.execute("SELECT coalesce(max(last), 0) FROM gaps").fetchone()[0]
        if rows == self.depths and (not any(rows) or max(last, told) == self.last_seq):
            return
        if not self._recounting:
            raise DamagedError(f"{rows} rows up to {last} do not agree with the state: {self.depths}, {self.last_seq}")
        self._recount(max(last, told))

    def _recount(self, last_seq: int) -> None:
        """Have the state say what the rows are."""
        self.last_seq = max(self.last_seq, last_seq)
        counts = [
            self._write.execute(f"SELECT count(*), coalesce(sum(length(payload)), 0) FROM {table}").fetchone()  # noqa: S608
            for table in TABLES
        ]
        gaps = self._write.execute("SELECT count(*) FROM gaps").fetchone()[0]
        self.depths = [n for n, _ in counts]
        self.bytes = sum(whole(size) + n * ROW_OVERHEAD for n, size in counts) + gaps * GAP_BYTES
        with self._write:
            self._write.execute(
                "UPDATE state SET last_seq = ?, metrics = ?, events = ?, audits = ?, bytes = ?",
                (self.last_seq, *self.depths, self.bytes),
            )

    def commit(
        self,
        rows: Sequence[tuple[Row, int]],
        gaps: Iterable[Gap],
        *,
        last_seq: int,
        released: int,
        max_bytes: int,
        lost: Mapping[tuple[str, int], int] | None = None,
        chain: Chain | None = None,
        made_before: tuple[int, int] | None = None,
        given_up: Mapping[int, tuple[int, str]] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> int:
        """Add rows and gaps, trim and drop, in one transaction that is on disk when this returns.

        Args:
            rows: In the order of their numbers, each with the time when it was made, UTC microseconds.
            gaps: Numbers among those of the rows that never were rows.
            last_seq: The last number given with them.
            released: Rows and gaps up to this number go, as many as one commit can take.
            max_bytes: Beyond this the oldest rows of the lowest class go and leave gaps. What this commit brings goes
                after what was there, except the audit: a full outbox still hands on what is live.
            lost: What the gaps were, by reason and class; unknown if left out.
            chain: How far the audit has come with these rows.
            made_before: Rows that were made in this span, UTC microseconds, are too old, and those before them.
            given_up: Class and reason, by number, of rows that nobody can take.
            facts: What else is to be kept, by name; a text replaces the one before it.

        Returns:
            How many rows were dropped for want of room or for their age.
        """
        if self._write.execute("PRAGMA freelist_count").fetchone()[0] > SPARE_PAGES:
            # As a script: execute() would stop after the first page. Before the rows: its failure must cost none.
            self._write.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
        chain = chain or self.chain
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            stock = _Stock(self.depths, self.bytes)
            if released >= self.first_kept:
                self._trim(stock, released)
            self._insert(stock, rows)
            self._drop_spoilt(stock)
            for seq, (rank, reason) in (given_up or {}).items():
                self._take_out(stock, rank, seq, reason)
            for gap in gaps:
                stock.bytes += self._add_gap(gap)
                if lost is None:
                    self._count(gap.reason, UNKNOWN, gap.last - gap.first + 1)
            for (reason, rank), n in (lost or {}).items():
                self._count(reason, rank, n)
            dropped = self._drop_old(stock, *made_before) if made_before else 0
            if stock.bytes > max_bytes:
                dropped += self._make_room(stock, rows[0][0].seq if rows else last_seq + 1, max_bytes)
            self._write.execute(
                "UPDATE state SET last_seq = ?, metrics = ?, events = ?, audits = ?, bytes = ?, chain_n = ?,"
                " chain_head = ?",
                (last_seq, *stock.depths, stock.bytes, chain.n, chain.head),
            )
            for key, value in (facts or {}).items():
                self._write.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))
            self.header.mark(self._write)
            # Before the commit: nothing may fail between it and the numbers below.
            taken = self._take_stock(last_seq)
        self.last_seq, self.depths, self.bytes, self.chain = last_seq, stock.depths, stock.bytes, chain
        self.oldest_us, self.first_kept, self.dropped = taken
        self.facts.update(facts or {})
        return dropped

    def _insert(self, stock: _Stock, rows: Sequence[tuple[Row, int]]) -> None:
        sorted_out: list[list[tuple[int, str, int, int, bytes]]] = [[] for _ in TABLES]
        size = 0
        for row, made_us in rows:
            payload = row.payload
            sorted_out[row.rank].append((row.seq, row.slot, made_us, crc32(payload), payload))
            size += len(payload)
        stock.bytes += size + len(rows) * ROW_OVERHEAD
        for rank, mine in enumerate(sorted_out):
            if mine:
                self._write.executemany(_INSERT[rank], mine)
                stock.depths[rank] += len(mine)

    def _trim(self, stock: _Stock, released: int) -> None:
        if released - self.first_kept >= CHUNK:  # it may be one long gap, though
            beyond = self._write.execute(
                f"SELECT seq FROM ({_EVERY_SEQ}) ORDER BY seq LIMIT 1 OFFSET :chunk",  # noqa: S608
                {"upto": released, "chunk": CHUNK},
            ).fetchone()
            released = released if beyond is None else whole(beyond[0]) - 1
        for rank, table in enumerate(TABLES):
            if stock.depths[rank]:
                gone, freed = self._write.execute(
                    f"SELECT count(*), coalesce(sum(length(payload)), 0) FROM {table} WHERE seq <= ?",  # noqa: S608
                    (released,),
                ).fetchone()
                if gone:
                    self._write.execute(f"DELETE FROM {table} WHERE seq <= ?", (released,))  # noqa: S608
                    stock.less(rank, gone, freed)
        last_one = self._gap_by(released)
        gone = self._write.execute("DELETE FROM gaps WHERE first <= ?", (released,)).rowcount
        if last_one and last_one.last > released:
            self._write.execute("INSERT INTO gaps VALUES (?, ?, ?)", (released + 1, last_one.last, last_one.reason))
            gone -= 1
        stock.bytes -= gone * GAP_BYTES

    def _drop_spoilt(self, stock: _Stock) -> None:
        while self._spoilt:
            rank, seq = self._spoilt.popleft()
            self._take_out(stock, rank, seq, CORRUPT)

    def _take_out(self, stock: _Stock, rank: int, seq: int, reason: str) -> None:
        """Make a gap of a row, if it is still there."""
        query = f"SELECT length(payload) FROM {TABLES[rank]} WHERE seq = ?"  # noqa: S608
        for (size,) in self._write.execute(query, (seq,)).fetchall():
            self._write.execute(f"DELETE FROM {TABLES[rank]} WHERE seq = ?", (seq,))  # noqa: S608
            stock.less(rank, 1, whole(size))
            stock.bytes += self._add_gap(Gap(seq, seq, reason))
            self._count(reason, rank, 1)

    def _drop_old(self, stock: _Stock, from_us: int, before_us: int) -> int:
        """Drop rows up to the last that is surely too old: what lies before it is older, whatever its clock said."""
        dropped = 0
        for rank, table in enumerate(TABLES):
            (upto,) = self._write.execute(
                f"SELECT max(seq) FROM (SELECT seq, made_us FROM {table} ORDER BY seq LIMIT ?)"  # noqa: S608
                " WHERE made_us >= ? AND made_us < ?",
                (CHUNK, from_us, before_us),
            ).fetchone()
            if upto is not None:
                dropped += self._drop(stock, rank, TOO_OLD, before=upto + 1, excess=stock.bytes)
        return dropped

    def _make_room(self, stock: _Stock, first_new: int, max_bytes: int) -> int:
        dropped = 0
        lower = [(rank, first_new) for rank in range(AUDIT)]
        for rank, before in [*lower, *((rank, NO_END) for rank in range(len(TABLES)))]:
            if stock.bytes <= max_bytes:
                break
            dropped += self._drop(stock, rank, OUTBOX_FULL, before=before, excess=stock.bytes - max_bytes)
        return dropped

    def _drop(self, stock: _Stock, rank: int, reason: str, *, before: int, excess: int) -> int:
        """Drop the oldest rows of a class below a number until so many bytes are free, or none is left."""
        if not stock.depths[rank]:
            return 0
        freed = size_of_all = n = last = 0
        runs: list[tuple[int, int]] = []  # first and last of numbers that follow each other
        table = TABLES[rank]
        query = f"SELECT seq, length(payload) FROM {table} WHERE seq < ? ORDER BY seq"  # noqa: S608
        for seq, size in self._write.execute(query, (before,)):
            if runs and seq == last + 1:
                runs[-1] = runs[-1][0], seq
            else:
                runs.append((whole(seq), seq))
            last, n, size_of_all = seq, n + 1, size_of_all + whole(size)
            freed += size + ROW_OVERHEAD - GAP_BYTES  # it may leave a gap of its own
            if freed >= excess:
                break
        if n:
            self._write.execute(f"DELETE FROM {table} WHERE seq <= ?", (last,))  # noqa: S608
            stock.less(rank, n, size_of_all)
            stock.bytes += sum(self._add_gap(Gap(first, end, reason)) for first, end in runs)
            self._count(reason, rank, n)
        return n

    def _add_gap(self, gap: Gap) -> int:
        """Add a gap, as one with those beside it that have the same reason; return what it takes."""
        first, last, size = gap.first, gap.last, GAP_BYTES
        left = self._gap_by(first - 1)
        if left and (left.last, left.reason) == (first - 1, gap.reason):
            first, size = left.first, size - GAP_BYTES
        right = self._write.execute("SELECT last, reason FROM gaps WHERE first = ?", (last + 1,)).fetchone()
        if right and right[1] == gap.reason:
            self._write.execute("DELETE FROM gaps WHERE first = ?", (last + 1,))
            last, size = right[0], size - GAP_BYTES
        self._write.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?)", (first, last, gap.reason))
        return size

    def _gap_by(self, seq: int) -> Gap | None:
        """Return the last gap that begins at or before a number."""
        found = self._write.execute(
            "SELECT first, last, reason FROM gaps WHERE first <= ? ORDER BY first DESC LIMIT 1", (seq,)
        ).fetchone()
        return found and Gap(whole(found[0]), whole(found[1]), str(found[2]))

    def _count(self, reason: str, rank: int, n: int) -> None:
        self._write.execute(
            "INSERT INTO dropped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", (reason, rank, n)
        )

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return up to ``limit`` committed rows beyond ``after_seq``, in order.

        A row that is not what was written is left out, and becomes a gap with the next commit.
        """
        while True:
            found = self._read.execute(_READ, {"after": after_seq, "limit": limit}).fetchall()
            good: list[Row] = []
            for seq, slot, rank, payload, crc in found:
                if type(payload) is bytes and crc32(payload) == crc and type(slot) is str:
                    good.append(Row(seq, slot, rank, payload))
                else:
                    self._spoilt.append((rank, whole(seq)))
            if good or len(found) < limit:
                return good
            after_seq = found[-1][0]

    def read_aged(self, after_seq: int, limit: int) -> list[tuple[Row, int]]:
        """Return whole rows beyond ``after_seq``, in order, with when they were made, UTC microseconds."""
        rows = self.read(after_seq, limit)
        made = {
            seq: made_us
            for table in TABLES if rows
            for seq, made_us in self._read.execute(
                f"SELECT seq, made_us FROM {table} WHERE seq BETWEEN ? AND ?", (rows[0].seq, rows[-1].seq)  # noqa: S608
            )
        }  # fmt: skip
        return [(row, whole(made[row.seq])) for row in rows]

    @property
    def spoilt(self) -> bool:
        """Whether rows were found that are not what was written."""
        return bool(self._spoilt)

    def gaps(self, limit: int, *, after: int = 0, upto: int = NO_END) -> list[Gap]:
        """Return the first ``limit`` gaps with numbers beyond ``after`` and up to ``upto``, in order."""
        found = self._read.execute(
            "SELECT first, last, reason FROM gaps WHERE first <= :upto AND last > :after AND first >="
            " coalesce((SELECT first FROM gaps WHERE first <= :after ORDER BY first DESC LIMIT 1), 0)"
            " ORDER BY first LIMIT :limit",
            {"after": after, "upto": upto, "limit": limit},
        )
        return [Gap(*row) for row in found]

    def _take_stock(self, last_seq: int) -> tuple[list[int | None], int, dict[tuple[str, int], int]]:
        first = last_seq + 1
        oldest: list[int | None] = []
        for table in TABLES:
            query = f"SELECT seq, made_us FROM {table} ORDER BY seq LIMIT 1"  # noqa: S608
            found = self._write.execute(query).fetchone()
            first = min(first, whole(found[0])) if found else first
            oldest.append(whole(found[1]) if found else None)
        (gap,) = self._write.execute("SELECT min(first) FROM gaps").fetchone()
        counts = self._write.execute("SELECT reason, class, n FROM dropped")
        dropped = {(str(reason), whole(rank)): whole(n) for reason, rank, n in counts}
        return oldest, first if gap is None else min(first, whole(gap)), dropped

    def copy_to(self, path: Path) -> None:
        """Write all that is committed into a new file: the open one has a name no more. Raises sqlite3.Error."""
        make_private(path)
        with closing(_connect(path)) as copy:
            self._write.backup(copy)

    def checkpoint(self) -> None:
        """Write the log into the file: the log has a name no more. Raises sqlite3.Error."""
        self._write.execute("PRAGMA wal_checkpoint(FULL)")

    def abandon(self) -> None:
        """Let go of a damaged file without writing to it."""
        self._read.close()
        self._write.close()
        self.header.close()

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
    spoilt = False
    chain = Chain()

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.depths = [0] * len(TABLES)
        self.oldest_us: list[int | None] = [None] * len(TABLES)
        self.dropped: dict[tuple[str, int], int] = {}
        self.facts: dict[str, str] = {}

    def commit(self, rows: Sequence[tuple[Row, int]], gaps: Iterable[Gap], **more: object) -> int:
        """Fail: there is nowhere to write to."""
        del rows, gaps, more
        raise sqlite3.OperationalError(self.reason)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return nothing."""
        del after_seq, limit
        return []

    def gaps(self, limit: int, *, after: int = 0, upto: int = NO_END) -> list[Gap]:
        """Return nothing."""
        del limit, after, upto
        return []

    def abandon(self) -> None:
        """Have nothing to let go of."""

    def close(self, *, clean: bool) -> None:
        """Have nothing to close."""
        del clean


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit, with BEGIN written out: Python's own transaction handling differs between 3.11 and 3.12.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
