"""What leaves a file of the outbox: rows that a receipt covers, and rows that have to go and leave gaps."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.model.row import AUDIT, Gap
from gateway.outbox.errors import whole
from gateway.outbox.gap_table import GAP_BYTES, OUTBOX_FULL, GapTable
from gateway.outbox.schema import TABLES

ROW_OVERHEAD = 48
"""Bytes that one row takes on disk beside its payload: header, slot, time, and its share of half-full pages."""
TOO_OLD = "too old"
CHUNK = 5_000
"""Rows that one commit trims, or drops for their age, so that it stays well below a second on a slow card."""
NO_END = 2**62
"""Beyond all numbers."""

_EVERY_SEQ = " UNION ALL ".join(f"SELECT seq FROM {table} WHERE seq <= :upto" for table in TABLES)  # noqa: S608


class Stock:
    """What a transaction leaves in the file, while it runs."""

    def __init__(self, depths: Sequence[int], total: int) -> None:
        self.depths = list(depths)
        self.bytes = total

    def less(self, rank: int, rows: int, payload_bytes: int) -> None:
        """Note that rows have gone."""
        self.depths[rank] -= rows
        self.bytes -= payload_bytes + rows * ROW_OVERHEAD


class Eviction:
    """Removes rows and keeps the books of it, within a transaction that the caller has begun.

    Args:
        db: The connection that writes.
        gaps: Where gaps are left.
    """

    def __init__(self, db: sqlite3.Connection, gaps: GapTable) -> None:
        self._db = db
        self._gaps = gaps

    def trim(self, stock: Stock, released: int, first_kept: int) -> None:
        """Remove rows and gaps up to a number, as many as one commit can take."""
        if released - first_kept >= CHUNK:  # it may be one long gap, though
            beyond = self._db.execute(
                f"SELECT seq FROM ({_EVERY_SEQ}) ORDER BY seq LIMIT 1 OFFSET :chunk",  # noqa: S608
                {"upto": released, "chunk": CHUNK},
            ).fetchone()
            released = released if beyond is None else whole(beyond[0]) - 1
        for rank, table in enumerate(TABLES):
            if stock.depths[rank]:
                gone, freed = self._db.execute(
                    f"SELECT count(*), coalesce(sum(length(payload)), 0) FROM {table} WHERE seq <= ?",  # noqa: S608
                    (released,),
                ).fetchone()
                if gone:
                    self._db.execute(f"DELETE FROM {table} WHERE seq <= ?", (released,))  # noqa: S608
                    stock.less(rank, gone, freed)
        stock.bytes -= self._gaps.trim(released)

    def make_gap(self, stock: Stock, rank: int, seq: int, reason: str) -> None:
        """Make a gap of a row, if it is still there."""
        query = f"SELECT length(payload) FROM {TABLES[rank]} WHERE seq = ?"  # noqa: S608
        for (size,) in self._db.execute(query, (seq,)).fetchall():
            self._db.execute(f"DELETE FROM {TABLES[rank]} WHERE seq = ?", (seq,))  # noqa: S608
            stock.less(rank, 1, whole(size))
            stock.bytes += self._gaps.add(Gap(seq, seq, reason))
            self.count(reason, rank, 1)

    def drop_old(self, stock: Stock, from_us: int, before_us: int) -> int:
        """Drop rows up to the last that is surely too old: what lies before it is older, whatever its clock said."""
        dropped = 0
        for rank, table in enumerate(TABLES):
            (upto,) = self._db.execute(
                f"SELECT max(seq) FROM (SELECT seq, made_us FROM {table} ORDER BY seq LIMIT ?)"  # noqa: S608
                " WHERE made_us >= ? AND made_us < ?",
                (CHUNK, from_us, before_us),
            ).fetchone()
            if upto is not None:
                dropped += self._drop(stock, rank, TOO_OLD, before=upto + 1, excess=stock.bytes)
        return dropped

    def make_room(self, stock: Stock, first_new: int, max_bytes: int) -> int:
        """Drop the oldest rows of the lowest class until all fits; those from ``first_new`` on go last, or not."""
        dropped = 0
        lower = [(rank, first_new) for rank in range(AUDIT)]
        for rank, before in [*lower, *((rank, NO_END) for rank in range(len(TABLES)))]:
            if stock.bytes <= max_bytes:
                break
            dropped += self._drop(stock, rank, OUTBOX_FULL, before=before, excess=stock.bytes - max_bytes)
        return dropped

    def _drop(self, stock: Stock, rank: int, reason: str, *, before: int, excess: int) -> int:
        """Drop the oldest rows of a class below a number until so many bytes are free, or none is left."""
        if not stock.depths[rank]:
            return 0
        freed = size_of_all = n = last = 0
        runs: list[tuple[int, int]] = []  # first and last of numbers that follow each other
        table = TABLES[rank]
        query = f"SELECT seq, length(payload) FROM {table} WHERE seq < ? ORDER BY seq"  # noqa: S608
        for seq, size in self._db.execute(query, (before,)):
            if runs and seq == last + 1:
                runs[-1] = runs[-1][0], seq
            else:
                runs.append((whole(seq), seq))
            last, n, size_of_all = seq, n + 1, size_of_all + whole(size)
            freed += size + ROW_OVERHEAD - GAP_BYTES  # it may leave a gap of its own
            if freed >= excess:
                break
        if n:
            self._db.execute(f"DELETE FROM {table} WHERE seq <= ?", (last,))  # noqa: S608
            stock.less(rank, n, size_of_all)
            stock.bytes += sum(self._gaps.add(Gap(first, end, reason)) for first, end in runs)
            self.count(reason, rank, n)
        return n

    def count(self, reason: str, rank: int, n: int) -> None:
        """Count rows that had to go, in the life of this file."""
        self._db.execute(
            "INSERT INTO dropped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", (reason, rank, n)
        )
