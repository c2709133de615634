"""What can be read of an outbox that was set aside, made into a whole file of the same life.

Rows keep their epoch and number, so a history that has some of them already takes none twice. Numbers between them that
cannot be read become gaps, told for that epoch like any other.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from gateway.machine.set_aside import CORRUPT
from gateway.model.row import Gap, Row
from gateway.outbox.errors import FileError
from gateway.outbox.eviction import NO_END
from gateway.outbox.file import OutboxFile
from gateway.outbox.group import Group
from gateway.outbox.log import last_commit_in_log
from gateway.outbox.move import clear, move_durably
from gateway.outbox.opening import ROWS_OF_A_PAGE
from gateway.outbox.schema import SCHEMA_VERSION, TABLES
from gateway.wire.receipt import EPOCH, MAX_SEQ, Contiguous

CHUNK = 2_000
"""Rows of one commit."""
FIRST_LEAP = 16
"""Numbers passed over where rows cannot be read; twice as many each time, until they can."""
MOST_BEYOND = 100_000
"""Numbers beyond the last row that a spoilt state may claim: more than a slow disk keeps in memory."""
BUSY_TIMEOUT_S = 5.0
MX_FRAME = slice(16, 20)
"""Where the index of a log (``-shm``) says how many of its frames are good (walIndexHdr of SQLite)."""

SOURCES = {
    SCHEMA_VERSION: TABLES,
    1: ("(SELECT * FROM rows WHERE NOT event)", "(SELECT * FROM rows WHERE event)"),
}
"""Where the rows of each class lie, by version of the schema."""


class SalvageError(Exception):
    """Nothing of the file can be brought over; the message says why."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was brought over: the epoch, how many rows, and how many numbers could not be read."""

    epoch: str
    rows: int
    lost: int


def epoch_of(path: Path) -> str:
    """Return whose life a file was; raises SalvageError where that cannot be read."""
    with _reading(path) as db:
        return _Damaged(db, path).epoch


def salvage(path: Path, fresh: Path) -> Salvaged:
    """Make ``fresh`` of what can be read of a damaged file, which stays as it is.

    Raises:
        SalvageError: It is no outbox of a version that is known, or its state cannot be read.
        OSError, sqlite3.Error: There is no room, say.
    """
    part = fresh.with_name(f"{fresh.name}.part")
    clear(part)
    with _reading(path) as db:
        damaged = _Damaged(db, path)
        file = OutboxFile(part, epoch=damaged.epoch)
        try:
            n, lost = _copy(damaged, file)
        except BaseException:
            file.abandon()
            raise
        file.close(clean=True)
    move_durably(part, fresh)
    return Salvaged(damaged.epoch, n, lost)


def _copy(damaged: _Damaged, file: OutboxFile) -> tuple[int, int]:
    """Copy all whole rows, and gaps; return how many rows there were, and how many numbers are neither."""
    there, n, lowest = Contiguous(), 0, damaged.last + 1
    for rank in range(len(damaged.sources)):
        for chunk in damaged.whole_rows(rank):
            file.commit(Group(chunk, last_seq=damaged.last), released=0, max_bytes=NO_END)
            for row, _ in chunk:
                there.add(row.seq)
            n += len(chunk)
            lowest = min(lowest, chunk[0][0].seq)
    gaps = damaged.gaps()
    for gap in gaps:
        there.add(gap.first, gap.last)
        lowest = min(lowest, gap.first)
    there.add(1, lowest - 1)  # what had left before
    holes = [Gap(*hole, CORRUPT) for hole in there.missing(damaged.last)]
    file.commit(Group(gaps=[*gaps, *holes], last_seq=damaged.last), released=0, max_bytes=NO_END)
    return n, sum(hole.last - hole.first + 1 for hole in holes)


class _Damaged:
    """A file that was set aside, as far as it can be read.

    Attributes:
        epoch: Whose life it was.
        last: The last number that it may have given.
        sources: Where the rows of each class lie.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            found = db.execute("SELECT epoch, last_seq FROM state").fetchone()
        except FileError as error:
            raise SalvageError(str(error)) from error
        if version not in SOURCES:
            raise SalvageError(f"schema version {version} is not known")
        if found is None or not isinstance(found[0], str) or not EPOCH.fullmatch(found[0]):
            raise SalvageError("its epoch cannot be read")
        if type(found[1]) is not int or not 0 <= found[1] < MAX_SEQ:
            raise SalvageError("its last number cannot be read")
        self.sources = SOURCES[version]
        self.epoch: str = found[0]
        highest = max(self._highest(), default=0)
        claimed = min(found[1], highest + MOST_BEYOND) if highest else found[1]
        self.last = max(claimed, highest) + ROWS_OF_A_PAGE * _frames_forgotten(path)

    def whole_rows(self, rank: int) -> Iterator[list[tuple[Row, int]]]:
        """Yield the rows of a class that are as they were written, in order, each with its time."""
        after, leap, limit = 0, FIRST_LEAP, CHUNK
        query = f"SELECT seq, slot, made_us, crc, payload FROM {self.sources[rank]} WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        while after < self.last:
            try:
                found = self._db.execute(query, (after, limit)).fetchall()
            except FileError:
                if limit > 1:
                    limit = max(1, limit // 8)  # up to the bad page first
                else:
                    after, leap = after + leap, leap * 2
                continue
            if not found:
                return
            after = found[-1][0]
            limit, leap = min(CHUNK, limit * 2), FIRST_LEAP
            good = [
                (Row(seq, slot, rank, payload), made_us)
                for seq, slot, made_us, crc, payload in found
                if type(payload) is bytes and crc32(payload) == crc and type(slot) is str and type(made_us) is int
                and 0 < seq <= self.last
            ]  # fmt: skip
            if good:
                yield good

    def gaps(self) -> list[Gap]:
        """Return the gaps that it knew of."""
        try:
            found = self._db.execute("SELECT first, last, reason FROM gaps ORDER BY first").fetchall()
        except FileError:
            return []
        return [
            Gap(first, last, reason)
            for first, last, reason in found
            if type(first) is int and type(last) is int and isinstance(reason, str) and 0 < first <= last <= self.last
        ]

    def _highest(self) -> Iterator[int]:
        for source in self.sources:
            try:
                seq = self._db.execute(f"SELECT max(seq) FROM {source}").fetchone()[0]  # noqa: S608
            except FileError:
                continue
            if type(seq) is int and 0 < seq < MAX_SEQ:
                yield seq


def _reading(path: Path) -> closing[sqlite3.Connection]:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    except sqlite3.Error as error:
        raise SalvageError(str(error)) from error
    return closing(db)


def _frames_forgotten(path: Path) -> int:
    """Return how many frames of the log, valid once, SQLite has left out; it has just made the log's index."""
    logged = last_commit_in_log(path)
    index = path.with_name(f"{path.name}-shm")
    good = int.from_bytes(index.read_bytes()[MX_FRAME], sys.byteorder) if logged and index.exists() else 0
    return max(0, logged - good)
