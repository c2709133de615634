"""The file of the outbox: rows numbered 1, 2, 3 … that survive a power cut, and the gaps where rows had to go.

SQLite, write-ahead log, ``synchronous=FULL``: the one setting of SQLite that lost nothing in power-cut tests. One
connection writes (the outbox's own thread), one reads. A file that cannot be trusted is set aside, never deleted, and a
new one with a new epoch takes its place.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from zlib import crc32

from gateway.machine.damage import suspicious
from gateway.machine.file_header import Header
from gateway.machine.private_files import make_private
from gateway.machine.set_aside import CORRUPT, set_aside
from gateway.model.row import UNKNOWN, Chain, Gap, Row
from gateway.outbox.errors import DamagedError, FileError, whole
from gateway.outbox.eviction import NO_END, ROW_OVERHEAD, Eviction, Stock
from gateway.outbox.gap_table import GapTable
from gateway.outbox.group import Group
from gateway.outbox.log import last_commit_in_log
from gateway.outbox.opening import Opening
from gateway.outbox.schema import FACTS, TABLES

__all__ = ["CORRUPT", "NO_END", "DamagedError", "FileError", "Gap", "OutboxFile", "Row", "set_aside"]

BUSY_TIMEOUT_S = 5.0
"""Nobody else writes to the file; a reader of ours can hold a checkpoint up for a moment."""
SPARE_PAGES = 256
"""Free pages kept for the rows to come; beyond them pages go back to the disk."""
VACUUM_PAGES = 512
"""Pages (of 4 KiB) given back to the disk with one commit: bounded, so that a commit stays short."""
_INSERT = [f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)" for table in TABLES]  # noqa: S608 - our own names
_EVERY_ROW = " UNION ALL ".join(
    f"SELECT seq, slot, {rank} AS rank, payload, crc FROM {table} WHERE seq > :after"  # noqa: S608
    for rank, table in enumerate(TABLES)
)
_READ = f"{_EVERY_ROW} ORDER BY seq LIMIT :limit"


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
        logged = last_commit_in_log(path)
        make_private(path)
        self._spoilt: deque[tuple[int, int]] = deque()  # class and number; filled by the reader, emptied by the writer
        self._write = _connect(path)
        try:
            self._gaps = GapTable(self._write)
            self._eviction = Eviction(self._write, self._gaps)
            self._prepare(logged, epoch=epoch or secrets.token_hex(8), recount=recount)
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

    def _prepare(self, logged: int, *, epoch: str, recount: bool) -> None:
        found = Opening(self._write, self.path, new_epoch=epoch, recount=recount).open(logged)
        self.epoch, self.last_seq, self.depths, self.bytes = found.epoch, found.last_seq, found.depths, found.bytes
        self.chain, self.torn = found.chain, found.torn
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            self._write.execute("UPDATE state SET clean = 0")
            if self.torn:
                # Numbers that may have been given, and seen by others, must not be given again.
                self.bytes += self._gaps.add(Gap(self.last_seq + 1, self.last_seq + self.torn, CORRUPT))
                self._eviction.count(CORRUPT, UNKNOWN, self.torn)
                self.last_seq += self.torn
                self._write.execute("UPDATE state SET last_seq = ?, bytes = ?", (self.last_seq, self.bytes))
            self.oldest_us, self.first_kept, self.dropped = self._count_stock(self.last_seq)
            self._write.execute(FACTS)
            self.facts = dict(self._write.execute("SELECT key, value FROM facts").fetchall())

    def commit(
        self, group: Group, *, released: int, max_bytes: int, made_before: tuple[int, int] | None = None,
        given_up: Mapping[int, tuple[int, str]] | None = None, facts: Mapping[str, str] | None = None,
    ) -> int:  # fmt: skip
        """Add a group, trim and drop, in one transaction that is on disk when this returns.

        Args:
            group: What to add.
            released: Rows and gaps up to this number go, as many as one commit can take.
            max_bytes: Beyond this the oldest rows of the lowest class go and leave gaps. What this commit brings goes
                after what was there, except the audit: a full outbox still hands on what is live.
            made_before: Rows that were made in this span, UTC microseconds, are too old, and those before them.
            given_up: Class and reason, by number, of rows that nobody can take.
            facts: What else is to be kept, by name; a text replaces the one before it.

        Returns:
            How many rows were dropped for want of room or for their age.
        """
        self._give_pages_back()
        stock = Stock(self.depths, self.bytes)
        chain = group.chain or self.chain
        with self._write:
            self._write.execute("BEGIN IMMEDIATE")
            if released >= self.first_kept:
                self._eviction.trim(stock, released, self.first_kept)
            self._insert(stock, group.rows)
            self._make_gaps(stock, group, given_up or {})
            dropped = self._eviction.drop_old(stock, *made_before) if made_before else 0
            if stock.bytes > max_bytes:
                dropped += self._eviction.make_room(stock, group.first_new, max_bytes)
            self._save_state(stock, group.last_seq, chain, facts or {})
            self.header.mark(self._write)
            # Before the commit: nothing may fail between it and the numbers below.
            taken = self._count_stock(group.last_seq)
        self.last_seq, self.depths, self.bytes, self.chain = group.last_seq, stock.depths, stock.bytes, chain
        self.oldest_us, self.first_kept, self.dropped = taken
        self.facts.update(facts or {})
        return dropped

    def _give_pages_back(self) -> None:
        if self._write.execute("PRAGMA freelist_count").fetchone()[0] > SPARE_PAGES:
            # As a script: execute() would stop after the first page. Before the rows: its failure must cost none.
            self._write.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")

    def _make_gaps(self, stock: Stock, group: Group, given_up: Mapping[int, tuple[int, str]]) -> None:
        """Make gaps of rows that are spoilt or given up, and add those of the group."""
        while self._spoilt:
            rank, seq = self._spoilt.popleft()
            self._eviction.make_gap(stock, rank, seq, CORRUPT)
        for seq, (rank, reason) in given_up.items():
            self._eviction.make_gap(stock, rank, seq, reason)
        for gap in group.gaps:
            stock.bytes += self._gaps.add(gap)
            if group.lost is None:
                self._eviction.count(gap.reason, UNKNOWN, gap.last - gap.first + 1)
        for (reason, rank), n in (group.lost or {}).items():
            self._eviction.count(reason, rank, n)

    def _save_state(self, stock: Stock, last_seq: int, chain: Chain, facts: Mapping[str, str]) -> None:
        self._write.execute(
            "UPDATE state SET last_seq = ?, metrics = ?, events = ?, audits = ?, bytes = ?, chain_n = ?,"
            " chain_head = ?",
            (last_seq, *stock.depths, stock.bytes, chain.n, chain.head),
        )
        for key, value in facts.items():
            self._write.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    def _insert(self, stock: Stock, rows: Sequence[tuple[Row, int]]) -> None:
        sorted_out: list[list[tuple[int, str, int, int, bytes]]] = [[] for _ in TABLES]
        size = 0
        for (seq, slot, rank, payload), made_us in rows:
            sorted_out[rank].append((seq, slot, made_us, crc32(payload), payload))
            size += len(payload)
        stock.bytes += size + len(rows) * ROW_OVERHEAD
        for rank, mine in enumerate(sorted_out):
            if mine:
                self._write.executemany(_INSERT[rank], mine)
                stock.depths[rank] += len(mine)

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

    def _count_stock(self, last_seq: int) -> tuple[list[int | None], int, dict[tuple[str, int], int]]:
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


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit, with BEGIN written out: Python's own transaction handling differs between 3.11 and 3.12.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
