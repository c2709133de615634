"""The history: every measurement once, in SQLite, beside the gaps that explain what is missing.

The key of a measurement is its identity ``(gateway, epoch, seq)``: storing it again changes nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.history.clock_book import HOLD_S, ClockBook
from gateway.history.reader import HistoryReader
from gateway.history.schema import (
    CLOCKS,
    DOUBTFUL,
    FROM_1,
    HELD,
    QUALITY,
    RECORDS,
    SCHEMA,
    SCHEMA_VERSION,
    SEPARATOR,
    Stored,
    as_text,
    read_stored,
)
from gateway.machine.facts import TRUE_FROM_US
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.outbox.file import FileError, set_aside
from gateway.wire.payload import Message, Told
from gateway.wire.receipt import Contiguous, Receipt

__all__ = ["History", "HistoryError", "HistoryReader", "Stored"]

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 10.0
"""Readers never block the writer in this journal mode; another writer (retention by hand) may, for a moment."""
WAL_LIMIT = 32 * 2**20
NEVER_CAME = "released before it was stored"
RETENTION_CHUNK = 5_000
"""Rows deleted in one transaction, so that new measurements never wait long."""


class HistoryError(Exception):
    """The history cannot be used: it is another kind of database, or a newer one."""


def is_corrupt(error: Exception) -> bool:
    """Tell a damaged file from everything else: a history is not set aside on a mere suspicion."""
    if isinstance(error, UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return (code & 0xFF) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(slots=True)
class _Epoch:
    """One life of a gateway's outbox: what has been received, and what of it has been copied to the remote store."""

    id: int
    received: Contiguous
    copied: Contiguous


class History:
    """The writing side. Safe for several threads; every method is one transaction that is on disk when it returns.

    Args:
        path: The database; its folder must exist.
        copying: Whether a remote store is fed: then a receipt waits until it has the measurement too.
        sharing: Whether other historians get the rest of the measurements: then what does not come is no gap.
        now: Wall clock, seconds: when a correction came.
        clock: Monotonic seconds: how long what is doubtful is held back from the remote store.

    Attributes:
        replaced: How many damaged files were set aside; ids begin again with each.

    Raises:
        HistoryError: The file is not a history of a version that this program knows.
        sqlite3.Error: The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        copying: bool = False,
        sharing: bool = False,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.copying = copying
        self.sharing = sharing
        self._now = now
        self._clock = clock
        self.replaced = 0
        self._lock = threading.RLock()
        self._epochs: dict[tuple[str, str], _Epoch] = {}
        self._series: dict[tuple[str | bool, ...], int] = {}
        try:
            self._open()
        except FileError as error:
            # A start needs little memory: a spoilt length asks for the impossible.
            if not (is_corrupt(error) or isinstance(error, MemoryError)):
                raise
            self.replace(error)

    def replace(self, error: Exception) -> None:
        """Set a damaged file aside and go on with a new one: what the outboxes still hold comes again."""
        with self._lock:
            self._db.close()
            kept = set_aside(self.path)
            self.replaced += 1
            log.error("the history is damaged (%s): kept as %s, starting a new one", error, kept.name)
            self._epochs.clear()
            self._series.clear()
            self._open()

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        # One text that rotted on the disk must not hold up all that come after it.
        self._db.text_factory = as_text
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._run(SCHEMA + CLOCKS + RECORDS)
        elif version == 1:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._run(FROM_1)
        elif version != SCHEMA_VERSION:
            raise HistoryError(f"{self.path} has schema {version}, this program reads {SCHEMA_VERSION}")
        self._clocks: ClockBook | None = None

    def _run(self, statements: str) -> None:
        for statement in statements.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def verify(self) -> None:
        """Read the whole file, which may take minutes, beside the work of the others; replace it if it is damaged."""
        file, replaced = f"{self.path.absolute().as_uri()}?mode=ro", self.replaced
        try:
            with closing(sqlite3.connect(file, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as db:
                db.text_factory = as_text
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except FileError as error:
            if not is_corrupt(error):
                raise
            verdict = str(error)
        with self._lock:
            if verdict != "ok" and replaced == self.replaced:
                self.replace(HistoryError(verdict.splitlines()[-1]))

    def store(self, messages: Iterable[Message]) -> int:
        """Store what messages bring; return how many measurements were new."""
        with self._lock:
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    return sum(self._store(message) for message in messages)
            except BaseException:
                # What is in memory may be ahead of the file now: it is read again when it is needed.
                self._epochs.clear()
                self._series.clear()
                self._clocks = None
                raise

    def receipt(self, gateway: str, epoch: str) -> Receipt:
        """Return what of this epoch is here, and what is stored for good (remotely too, if so configured)."""
        with self._lock:
            known = self._epoch(gateway, epoch)
            received, stored = known.received, known.copied if self.copying else known.received
            beyond = (stored.beyond(), received.beyond()) if self.sharing else (0, 0)
            return Receipt(epoch, stored.upto, received.upto, *beyond)

    def epochs(self) -> list[tuple[str, str]]:
        """Return gateway and epoch of every outbox that has been heard of, the latest last."""
        with self._lock:
            return list(self._db.execute("SELECT gateway, epoch FROM epochs ORDER BY id"))

    def copied_upto(self) -> int:
        """Return the id up to which the remote store has everything."""
        with self._lock:
            return self._copied_id()

    def not_copied(self, limit: int, *, after: int | None = None, upto: int = 2**62) -> list[Stored]:
        """Return measurements in the order of storing: those beyond ``copied_upto()``, or beyond ``after``.

        Those whose wall time is doubtful are left out until it is mended, or ``let_go`` has given up on it.
        """
        with self._lock:
            after = self._copied_id() if after is None else after
            return read_stored(
                self._db, "WHERE id > ? AND id <= ? AND clock <> 'held' ORDER BY id LIMIT ?", (after, upto, limit)
            )

    def mark_copied(self, batch: Sequence[Stored]) -> set[tuple[str, str]]:
        """Note that the remote store has these; return whose receipts may have moved."""
        with self._lock:
            touched: dict[tuple[str, str], _Epoch] = {}
            for row in batch:
                known = touched[row.gateway, row.epoch] = self._epoch(row.gateway, row.epoch)
                known.copied.add(row.seq)
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.execute("UPDATE copying SET upto = ?", (batch[-1].id,))
                    for known in touched.values():
                        self._db.execute("UPDATE epochs SET copied = ? WHERE id = ?", (known.copied.upto, known.id))
            except BaseException:
                self._epochs.clear()
                raise
            return set(touched)

    def reject(self, row: Stored, reason: str, payload: bytes) -> None:
        """Keep what the remote store refuses, with the reason, in the table of rejected measurements."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            known = self._epoch(row.gateway, row.epoch)
            self._db.execute("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", (known.id, row.seq, reason, payload))

    def let_go(self, hold_s: float = HOLD_S) -> int:
        """Let the remote store have what was doubtful for too long; return of how many sessions that was."""
        with self._lock:
            overdue = self._book().overdue(hold_s)
            for of in overdue:
                log.warning("the wall times of %s in %s stay doubtful: copied as they are", of[1], of[0])
                try:
                    with self._db:
                        self._db.execute("BEGIN IMMEDIATE")
                        self._book().let_go(of)
                except BaseException:
                    self._clocks = None
                    raise
            return len(overdue)

    def forget(self, before_us: int) -> int:
        """Delete up to some thousand measurements that ended before that time; return how many there were."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            gone = 0
            # A measurement of 1970 is not old: what is doubtful goes by when we heard that it is.
            lately = {session for (session,) in self._db.execute(
                "SELECT session FROM clocks WHERE noted_us >= ?", (before_us,)
            )}  # fmt: skip
            for series, session in self._db.execute("SELECT id, session FROM series").fetchall():
                kept = (HELD, DOUBTFUL) if session in lately else (None, None)
                gone += self._db.execute(
                    "DELETE FROM measurements WHERE id IN"
                    " (SELECT id FROM measurements WHERE series = ? AND end_us < ?"
                    " AND clock IS NOT ? AND clock IS NOT ? ORDER BY end_us LIMIT ?)",
                    (series, before_us, *kept, RETENTION_CHUNK - gone),
                ).rowcount
                if gone >= RETENTION_CHUNK:
                    break
            else:
                self._db.execute(
                    "DELETE FROM sessions WHERE last_us < ? AND session NOT IN"
                    " (SELECT session FROM clocks WHERE noted_us >= ?)", (before_us, before_us)
                )  # fmt: skip
                self._db.execute("DELETE FROM records WHERE time_us BETWEEN ? AND ?", (TRUE_FROM_US, before_us - 1))
            return gone

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _store(self, message: Message) -> int:
        known = self._epoch(message.gateway, message.epoch)
        new: list[Measurement] = []
        for seq, measurement in message.measurements:
            if measurement.slot == wall_correction.SLOT:
                self._correct(message.gateway, known, seq, measurement)
            elif (inserted := self._insert(message.gateway, known, seq, measurement)) is not None:
                new.append(inserted)
        self._note_sessions(new)
        for told in message.records:
            self._insert_record(known, told)
        for bad in message.rejected:
            self._db.execute(
                "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", (known.id, bad.seq, bad.reason, bad.payload)
            )
            known.received.add(bad.seq)
            known.copied.add(bad.seq)
        for gap in message.gaps:
            self._add_gap(known, gap.first, gap.last, gap.reason)
        if self.sharing:
            # What the outbox let go is stored by one of us, or is a gap that one of us was told.
            known.received.add(1, message.released)
            known.copied.add(1, message.released)
        # What the outbox let go before, with a receipt of another history or by configuration, will not come again.
        for first, last in known.received.missing(message.released):
            self._add_gap(known, first, last, NEVER_CAME)
        self._db.execute("UPDATE epochs SET received = ? WHERE id = ?", (known.received.upto, known.id))
        return len(new)

    def _correct(self, gateway: str, known: _Epoch, seq: int, m: Measurement) -> None:
        """Take a word about the gateway's wall clock, which is no measurement of a patient."""
        correction = wall_correction.read(m) if m.metric == wall_correction.METRIC else None
        noted_us = int(self._now() * 1e6)
        if correction is None:
            self._db.execute(
                "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)",
                (known.id, seq, "no correction of a wall clock", f"{m!r}".encode()),
            )
        else:
            new = self._book().note((gateway, m.session), (known.id, seq), correction, noted_us=noted_us)
            if new and seq in known.received:
                self._mend_gap(known, seq)
        known.received.add(seq)
        known.copied.add(seq)

    def _insert(self, gateway: str, known: _Epoch, seq: int, m: Measurement) -> Measurement | None:
        """Insert a measurement with the times that its wall clock is known to have meant; None if it was there."""
        moved_us, clock = self._book().place((gateway, m.session), (known.id, seq))
        if moved_us:
            m = replace(m, start_us=m.start_us + moved_us, end_us=m.end_us + moved_us)
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO measurements (epoch, seq, series, start_us, end_us, value, sync_ms, n, n_rejected,"
            " quality, reason, moved_us, clock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (known.id, seq, self._series_of(m), m.start_us, m.end_us, m.value, m.sync_ms, m.n, m.n_rejected,
             QUALITY.index(m.quality), m.reason, moved_us, clock),
        ).rowcount  # fmt: skip
        if inserted and seq in known.received:
            self._mend_gap(known, seq)
        known.received.add(seq)
        return m if inserted == 1 else None

    def _insert_record(self, known: _Epoch, told: Told) -> None:
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?)",
            (known.id, told.seq, told.kind, told.what, told.time_us, told.body.decode()),
        ).rowcount
        if inserted and told.seq in known.received:
            self._mend_gap(known, told.seq)
        known.received.add(told.seq)
        known.copied.add(told.seq)  # the remote store is for measurements

    def _mend_gap(self, known: _Epoch, seq: int) -> None:
        """A number came after all that had been said to be lost: take it out of its gap."""
        found = self._db.execute(
            "SELECT first, last, reason FROM gaps WHERE epoch = ? AND first <= ? AND last >= ?", (known.id, seq, seq)
        ).fetchall()
        for first, last, reason in found:
            self._db.execute("DELETE FROM gaps WHERE epoch = ? AND first = ? AND last = ?", (known.id, first, last))
            pieces = [piece for piece in ((first, seq - 1), (seq + 1, last)) if piece[0] <= piece[1]]
            self._db.executemany(
                "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)", [(known.id, *piece, reason) for piece in pieces]
            )

    def _add_gap(self, known: _Epoch, first: int, last: int, reason: str) -> None:
        # An outbox that dropped a measurement cannot know whether it had arrived; we do.
        pieces = known.received.missing(last, after=first - 1)
        self._db.executemany(
            "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)", [(known.id, *piece, reason) for piece in pieces]
        )
        known.received.add(first, last)
        for piece in pieces:
            known.copied.add(*piece)

    def _note_sessions(self, measurements: Iterable[Measurement]) -> None:
        spans: dict[tuple[str, str, str, bool], tuple[int, int, int]] = {}
        for m in measurements:
            key = (m.session, m.slot, m.subject, m.simulated)
            first, last, n = spans.get(key, (m.start_us, m.end_us, 0))
            spans[key] = (min(first, m.start_us), max(last, m.end_us), n + 1)
        self._db.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " first_us = min(first_us, excluded.first_us), last_us = max(last_us, excluded.last_us),"
            " measurements = measurements + excluded.measurements",
            [(*key, *span) for key, span in spans.items()],
        )

    def _series_of(self, m: Measurement) -> int:
        key = (m.slot, m.session, m.subject, m.metric, m.side, m.unit, m.algorithm,
               SEPARATOR.join(m.devices), SEPARATOR.join(m.placement), m.simulated)  # fmt: skip
        if (found := self._series.get(key)) is None:
            self._db.execute(
                "INSERT OR IGNORE INTO series (slot, session, subject, metric, side, unit, algorithm, devices,"
                " placement, simulated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", key
            )  # fmt: skip
            found = self._db.execute(
                "SELECT id FROM series WHERE slot = ? AND session = ? AND subject = ? AND metric = ? AND side = ?"
                " AND unit = ? AND algorithm = ? AND devices = ? AND placement = ? AND simulated = ?", key
            ).fetchone()[0]  # fmt: skip
            self._series[key] = found
        return found

    def _epoch(self, gateway: str, epoch: str) -> _Epoch:
        key = (gateway, epoch)
        if (known := self._epochs.get(key)) is None:
            self._db.execute("INSERT OR IGNORE INTO epochs (gateway, epoch) VALUES (?, ?)", key)
            number, received, copied = self._db.execute(
                "SELECT id, received, copied FROM epochs WHERE gateway = ? AND epoch = ?", key
            ).fetchone()
            known = self._epochs[key] = _Epoch(
                number,
                self._walk(number, received, upto_id=None),
                self._walk(number, copied, upto_id=self._copied_id()),
            )
        return known

    def _book(self) -> ClockBook:
        if self._clocks is None:
            self._clocks = ClockBook(self._db, hold=self.copying, clock=self._clock)
        return self._clocks

    def _copied_id(self) -> int:
        return int(self._db.execute("SELECT upto FROM copying").fetchone()[0])

    def _walk(self, number: int, upto: int, *, upto_id: int | None) -> Contiguous:
        """Rebuild what has arrived beyond ``upto`` from the tables."""
        arrived = Contiguous(upto)
        stored = self._db.execute(
            "SELECT seq FROM measurements WHERE epoch = ? AND seq > ?"
            " AND (? IS NULL OR (id <= ? AND clock <> ?)) ORDER BY seq",
            (number, upto, upto_id, upto_id, HELD),
        )
        for (seq,) in stored:
            arrived.add(seq)
        for first, last in self._db.execute("SELECT first, last FROM gaps WHERE epoch = ?", (number,)):
            arrived.add(first, last)
        for table in ("rejected", "clocks", "records"):
            for (seq,) in self._db.execute(f"SELECT seq FROM {table} WHERE epoch = ?", (number,)):  # noqa: S608 - ours
                arrived.add(seq)
        return arrived
