"""The history: every measurement once, in SQLite, beside the gaps that explain what is missing.

The key of a measurement is its identity ``(gateway, epoch, seq)``: storing it again changes nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.history import conflicts
from gateway.history.clock_book import HOLD_S, ClockBook
from gateway.history.erased_subjects import ERASED, ErasedSubjects
from gateway.history.file import NEVER_CAME, HistoryFile, explained, lost_of, put_aside
from gateway.history.historian_notices import ITSELF, HistorianRecords, Standing
from gateway.history.kept_copy import StoppedError, keep_copy
from gateway.history.quota import QUOTAS, Quotas
from gateway.history.reader import HistoryReader
from gateway.history.schema import (
    ARCHIVE,
    CLOCKS,
    FROM_1,
    FROM_2,
    HELD,
    IDENTITY,
    INTAKE,
    QUALITY,
    RECORDS,
    SCHEMA,
    SCHEMA_VERSION,
    SEPARATOR,
    WARD,
    Stored,
    as_text,
    read_stored,
)
from gateway.history.ward_book import WardBook
from gateway.machine.damage import look
from gateway.machine.private_files import make_private
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.model.records import purged
from gateway.outbox.file import FileError, set_aside
from gateway.wire.payload import PARKED, Message, Rejected, Told
from gateway.wire.receipt import Contiguous, Receipt

__all__ = ["NEVER_CAME", "History", "HistoryError", "HistoryReader", "Stored"]

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 10.0
"""Readers never block the writer in this journal mode; another writer (retention by hand) may, for a moment."""
WAL_LIMIT = 32 * 2**20
CONFLICT = "{} sent numbers again with other content: two processes use one outbox, or it was restored"
CACHE_KIB = 16 * 1024
"""Of pages: each row is in three trees, and the ends that a ward writes at fit in here."""
SERIES_KNOWN = 50_000
"""Series whose numbers are kept in memory, some 30 MB: a ward of twenty begins so many in a month of daily starts."""
INTERRUPT_STEPS = 20_000
"""Instructions of SQLite between two looks whether to stop: some milliseconds."""


EPOCHS_KEPT = 1_000
"""Epochs in memory; beyond it all are forgotten, and read again when they are needed."""
MOST_RANGES = 250_000
"""Numbers beyond the first hole, in separate pieces, that are remembered of one epoch: twenty megabytes."""
BELIEVED_MOST_S = 86_400.0
"""By how much a wall time that nobody doubted may be moved: clocks are set to another hour, not to another year."""


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
    """One life of a gateway's outbox: what has been received, and what of it has been copied to the remote store.

    ``lost`` counts the numbers that the outbox had let go and that are not here.
    """

    id: int
    received: Contiguous
    copied: Contiguous
    lost: int


class History:
    """The writing side. Safe for several threads; every method is one transaction that is on disk when it returns.

    Args:
        path: The database; its folder must exist.
        copying: Whether a remote store is fed: then a receipt waits until it has the measurement too.
        sharing: Whether other historians get the rest of the measurements: then what does not come is no gap.
        now: Wall clock, seconds: when a correction came.
        believed_most_s: By how much a wall time that was not in doubt may be moved.
        clock: Monotonic seconds: how long what is doubtful is held back from the remote store.
        stopping: Says that the process ends: what takes long (taking on an older file, reading the whole file) ends
            too, and changes nothing.

    Attributes:
        refused: What was beyond the quotas of gateways, by kind, since the start.
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
        believed_most_s: float = BELIEVED_MOST_S,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.path = path
        self._believed_most_us = round(believed_most_s * 1e6)
        self.copying = copying
        self.sharing = sharing
        self._now = now
        self._clock = clock
        self._stopping = stopping
        self.replaced = 0
        self.refused: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._epochs: dict[tuple[str, str], _Epoch] = {}
        self._series: dict[tuple[str | bool, ...], int] = {}
        self._clocks: ClockBook | None = None
        self._own: HistorianRecords | None = None
        self._quotas: Quotas | None = None
        self._ward: WardBook | None = None
        self._removed: dict[tuple[str, str], int] = {}  # what was in a file that was removed under us
        self._begun: set[tuple[str | bool, ...]] = set()  # sessions of the transaction
        try:
            self._open()
        except FileError as error:
            # A start needs little memory: a spoilt length asks for the impossible.
            if not (is_corrupt(error) or isinstance(error, MemoryError)):
                raise
            self.replace(error)

    def replace(self, error: Exception) -> None:
        """Set a damaged file aside and go on with a new one: what the outboxes still hold comes again.

        The file decides, not the error: one that is whole is opened again.
        """
        with self._lock:
            self._db.close()
            wrong = look(self.path)
            if not wrong:
                log.warning("the history is whole, and is opened again after: %s", error)
                self._forget_all()
                self._open()
                return
            kept = set_aside(self.path)
            self.replaced += 1
            log.error("the history is damaged (%s): kept as %s, starting a new one", error, kept.name)
            self._forget_all()
            self._open()

    def _forget_all(self) -> None:
        """Drop what is in memory: it is read again when it is needed."""
        self._epochs.clear()
        self._series.clear()
        self._clocks = self._own = self._quotas = self._ward = None

    def _keep_place(self) -> bool:
        """See that the file has its name still; begin anew where it has not, and return False. For who holds the lock.

        What was removed stays gone: it may have been removed on purpose. Nothing of it is receipted from here on; what
        the outboxes have let go becomes a gap that says so.
        """
        change = self._file.change()
        if not change:
            return True
        log.error("the history %s was %s while it was in use: going on with what is there now", self.path, change)
        self._file.close(self._db, change)
        if change != "log removed":
            self._removed |= {key: known.received.upto for key, known in self._epochs.items()}
            self.replaced += 1
        self._forget_all()
        try:
            self._open()
        except (HistoryError, *FileError) as error:
            log.error("%s is no history (%s): kept as %s", self.path, error, put_aside(self.path).name)  # noqa: TRY400
            self._open()
        if change != "log removed":
            self._file.rename(self._db)
        return False

    def _open(self) -> None:
        make_private(self.path)
        self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        # One text that rotted on the disk must not hold up all that come after it.
        self._db.text_factory = as_text
        try:
            self._prepare()
            self._file = HistoryFile(self._db, self.path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        # What is erased is overwritten. Debian's SQLite does it by default.
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._run(SCHEMA + CLOCKS + RECORDS + IDENTITY + INTAKE + ARCHIVE + WARD)
        elif version in (1, 2):
            self._migrate(version)
        elif version != SCHEMA_VERSION:
            raise HistoryError(f"{self.path} has schema {version}, this program reads {SCHEMA_VERSION}")
        self._clocks = self._own = self._quotas = self._ward = None
        self.erased = ErasedSubjects(self._db)

    def _migrate(self, version: int) -> None:
        """Take on a file of an older version: all of it, or nothing when the process or the power ends."""
        began = time.monotonic()
        log.warning("taking on the history %s of version %d: its rows stay as they are", self.path, version)
        try:
            kept = keep_copy(self._db, self.path, version, self._stopping)
        except StoppedError as error:
            raise HistoryError(f"{self.path} stays of version {version}: the historian was stopped") from error
        if kept is not None:
            log.warning("the history as it was is kept as %s: delete it when all is well", kept.name)
        # Any kind of end leaves the old file: SQLite undoes what was not committed.
        self._db.set_progress_handler(lambda: int(self._stopping()), INTERRUPT_STEPS)
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._run((FROM_1 if version == 1 else "") + FROM_2)
        except sqlite3.OperationalError as error:
            if not self._stopping():
                raise
            raise HistoryError(f"{self.path} stays of version {version}: the historian was stopped") from error
        finally:
            self._db.set_progress_handler(None, 0)
        log.warning("the history is of version %d after %.1f s", SCHEMA_VERSION, time.monotonic() - began)

    def _run(self, statements: str) -> None:
        for statement in statements.split(";"):
            began = time.monotonic()
            self._db.execute(statement)
            if (took_s := time.monotonic() - began) > 1:
                log.warning("%.1f s: %s", took_s, " ".join(statement.split()[:5]))
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the database for one transaction of upkeep; what is in memory is read again if it fails."""
        with self._lock:
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    yield self._db
            except BaseException:
                self._forget_all()
                raise

    def series_changed(self) -> None:
        """Look for series, and what has arrived, in the file again: some were deleted. Part of a transaction."""
        with self._lock:
            self._forget_all()

    def empty_log(self) -> bool:
        """Move everything from the write-ahead log into the file; return whether the log is empty now."""
        with self._lock:
            return not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

    def interrupt(self) -> None:
        """End the statement that runs, from another thread; its transaction leaves no trace."""
        self._db.interrupt()

    def verify(self) -> None:
        """Read the whole file, which may take minutes, beside the work of the others; replace it if it is damaged."""
        file, replaced = f"{self.path.absolute().as_uri()}?mode=ro", self.replaced
        try:
            with closing(sqlite3.connect(file, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as db:
                db.text_factory = as_text
                db.set_progress_handler(lambda: int(self._stopping()), INTERRUPT_STEPS)
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except FileError as error:
            if self._stopping():
                return
            if not is_corrupt(error):
                raise
            verdict = str(error)
        with self._lock:
            if verdict != "ok" and replaced == self.replaced:
                self.replace(HistoryError(verdict.splitlines()[-1]))

    def store(self, messages: Iterable[Message]) -> int:
        """Store what messages bring; return how many measurements were new.

        Raises:
            sqlite3.OperationalError: The file was removed meanwhile, and what is in no file with a name is not stored:
                to be done again, with what is there now.
        """
        with self._lock:
            self._keep_place()
            new = self._store_all(messages)
            if not self._keep_place():
                raise sqlite3.OperationalError(f"{self.path} was removed while it was written")
            return new

    def _store_all(self, messages: Iterable[Message]) -> int:
        with self._lock:
            self._begun.clear()
            if len(self._epochs) > EPOCHS_KEPT:
                self._epochs.clear()
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    new = sum(self._store(message) for message in messages)
                    self._apply_corrections()
                    self._tell_refused()
                    self._file.mark(self._db)
                    return new
            except BaseException:
                self._forget_all()  # what is in memory may be ahead of the file now
                raise

    def receipt(self, gateway: str, epoch: str) -> Receipt:
        """Return what of this epoch is here, and what is stored for good (remotely too, if so configured)."""
        with self._lock:
            self._keep_place()
            if (gateway, epoch) not in self._epochs and not self._is_known(gateway, epoch):
                return Receipt(epoch, 0, history=self._file.history, opened=self._file.opened)
            known = self._epoch(gateway, epoch)
            received, stored = known.received, known.copied if self.copying else known.received
            beyond = (stored.beyond(), received.beyond()) if self.sharing else (0, 0)
            return Receipt(
                epoch, stored.upto, received.upto, *beyond, self._file.history, self._file.opened, known.lost
            )

    def epochs(self) -> list[tuple[str, str]]:
        """Return gateway and epoch of every outbox that has been heard of, the latest last."""
        with self._lock:
            return list(self._db.execute("SELECT gateway, epoch FROM epochs WHERE gateway <> ? ORDER BY id", (ITSELF,)))

    def know_earlier(self, gateway: str, epoch: str) -> None:
        """Know of a life of an outbox as one before all that have been heard of."""
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO epochs (id, gateway, epoch)"
                " VALUES ((SELECT min(coalesce(min(id), 0), 0) - 1 FROM epochs), ?, ?)", (gateway, epoch)
            )  # fmt: skip

    def count_again(self) -> None:
        """Read from the file what was counted, after gaps were filled."""
        with self._lock:
            self._forget_all()

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

    def left_behind(self) -> list[tuple[str, str, str]]:
        """Return gateway, session and subject under which the remote store may have what is another person's."""
        with self._lock:
            return self._db.execute("SELECT gateway, session, subject FROM left_behind").fetchall()

    def is_deleted(self, left: tuple[str, str, str]) -> None:
        """Note that the remote store has deleted what was left behind there."""
        with self.transaction() as db:
            db.execute("DELETE FROM left_behind WHERE gateway = ? AND session = ? AND subject = ?", left)

    def reject(self, row: Stored, reason: str, payload: bytes) -> None:
        """Keep what the remote store refuses, with the reason, in the table of rejected measurements."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            known = self._epoch(row.gateway, row.epoch)
            self._db.execute("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", (known.id, row.seq, reason, payload))

    def set_apart(self, limit: int, *, after: int = 0) -> list[Stored]:
        """Return measurements that the remote store has refused, in the order of storing, beyond an id."""
        with self._lock:
            return read_stored(
                self._db,
                "WHERE id > ? AND clock <> 'held' AND id IN (SELECT m.id FROM rejected r JOIN measurements m"
                " ON m.epoch = r.epoch AND m.seq = r.seq) ORDER BY id LIMIT ?",
                (after, limit),
            )

    def take_back(self, rows: Sequence[Stored]) -> None:
        """Forget that the remote store has refused these: it has them now."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "DELETE FROM rejected WHERE epoch = ? AND seq = ?",
                [(self._epoch(row.gateway, row.epoch).id, row.seq) for row in rows],
            )

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

    # What the historian tells of itself; see `HistorianRecords`.

    def tell(self, what: str, **fields: Any) -> None:
        """Append an entry to the historian's own audit."""
        self._telling(lambda own: own.audit(what, **fields))

    def raise_notice(self, code: str, text: str, *, gateway: str = "", about: str = "") -> None:
        """Have a notice of the historian stand, for one gateway or (empty) for all."""
        self._telling(lambda own: own.raise_notice(code, text, gateway=gateway, about=about))

    def clear_notice(self, code: str, *, gateway: str = "", about: str = "") -> None:
        """Let a notice of the historian go."""
        self._telling(lambda own: own.clear_notice(code, gateway=gateway, about=about))

    def clear_old_notices(self) -> None:
        """Let go the notices of the historian that nothing has raised for a day."""
        self._telling(HistorianRecords.clear_old)

    def notices(self, gateway: str) -> list[Standing]:
        """Return what the historian has to tell a gateway, the newest first."""
        with self._lock:
            return self._records().standing(gateway)

    def _telling(self, told: Callable[[HistorianRecords], object]) -> None:
        with self._lock:
            if self._db.in_transaction:
                told(self._records())
                return
            with self.transaction():
                told(self._records())

    def _records(self) -> HistorianRecords:
        if self._own is None:
            self._own = HistorianRecords(self._db, self._now)
        return self._own

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
            self._file.let_go()

    def _store(self, message: Message) -> int:
        if not self._may_begin(message.gateway, message.epoch):
            return 0
        known = self._epoch(message.gateway, message.epoch)
        new = self._insert_all(message, known)
        for told in message.records:
            self._insert_record(message.gateway, known, told)
        for bad in message.rejected:
            self._reject(message.gateway, known, bad)
        for gap in message.gaps:
            self._add_gap(message.gateway, known, gap.first, gap.last, gap.reason)
        if self.sharing:
            # What the outbox let go is stored by one of us, or is a gap that one of us was told.
            known.received.add(1, message.released)
            known.copied.add(1, message.released)
        # What the outbox let go before, with a receipt of another history or by configuration, will not come again.
        removed = self._removed.get((message.gateway, message.epoch), 0)
        for hole in known.received.missing(message.released):
            for first, last, why in explained(*hole, removed):
                self._add_gap(message.gateway, known, first, last, why)
                known.lost += last - first + 1
        self._db.execute("UPDATE epochs SET received = ? WHERE id = ?", (known.received.upto, known.id))
        return len(new)

    def _insert_all(self, message: Message, known: _Epoch) -> list[Measurement]:
        """Take the measurements of a message; return those that were new."""
        new: list[Measurement] = []
        for seq, measurement in self._not_erased(known, message) if self.erased else message.measurements:
            if known.received.ranges >= MOST_RANGES and seq > known.received.upto + 1:
                continue  # it comes again when what is missing before it has come
            if measurement.slot == wall_correction.SLOT:
                self._correct(message.gateway, known, seq, measurement)
            elif (inserted := self._insert(message.gateway, known, seq, measurement)) is not None:
                new.append(inserted)
        self._note_sessions(new)
        return new

    def _may_begin(self, gateway: str, epoch: str) -> bool:
        """Whether an epoch is known, or its gateway may have one more."""
        if (gateway, epoch) in self._epochs or self._is_known(gateway, epoch):
            return True
        return self._quota().take(gateway, "epochs")

    def _is_known(self, gateway: str, epoch: str) -> bool:
        query = "SELECT 1 FROM epochs WHERE gateway = ? AND epoch = ?"
        return self._db.execute(query, (gateway, epoch)).fetchone() is not None

    def _not_erased(self, known: _Epoch, message: Message) -> Iterator[tuple[int, Measurement]]:
        for seq, measurement in message.measurements:
            if self.erased.holds(measurement.subject):
                self._refuse_erased(message.gateway, known, seq)
            else:
                yield seq, measurement

    def _refuse_erased(self, gateway: str, known: _Epoch, seq: int) -> None:
        """Take the number of what an erased subject's outbox still held, and nothing else of it."""
        if seq not in known.received:
            self._add_gap(gateway, known, seq, seq, ERASED)
            self.erased.refused += 1

    def _correct(self, gateway: str, known: _Epoch, seq: int, m: Measurement) -> None:
        """Take a word about the gateway's wall clock, which is no measurement of a patient."""
        correction = wall_correction.read(m) if m.metric == wall_correction.METRIC else None
        if correction is None:
            self._reject(gateway, known, Rejected(seq, "no correction of a wall clock", f"{m!r}".encode()))
            return
        said = {"session": m.session, "by_us": correction.by_us, "believed": correction.believed}
        content = conflicts.as_json("clocks", said)
        if seq in known.received and self._is_again(gateway, known, seq, "clocks", content):
            return
        if not self._quota().take(gateway, "corrections"):
            return
        of, at = (gateway, m.session), (known.id, seq)
        if refused := self._book().note(of, at, correction, noted_us=int(self._now() * 1e6)):
            self._reject(gateway, known, Rejected(seq, refused, content))
            self._records().refuse_correction(gateway, m.session, refused)
            return
        if seq in known.received:
            self._mend_gap(known, seq)
        known.received.add(seq)
        known.copied.add(seq)

    def _insert(self, gateway: str, known: _Epoch, seq: int, m: Measurement) -> Measurement | None:
        """Insert a measurement with the times that its wall clock is known to have meant; None if it was there."""
        before = seq in known.received
        if before and self._is_again(gateway, known, seq, "measurements", m):
            return None
        moved_us, clock = self._book().place((gateway, m.session), (known.id, seq), m.end_us)
        made = replace(m, start_us=m.start_us + moved_us, end_us=m.end_us + moved_us) if moved_us else m
        whose = self._ward_book().place(gateway, m.session, m.subject, made.start_us, made.end_us)
        if whose is None or (self.erased and self.erased.holds(whose[1])):
            self._refuse_erased(gateway, known, seq)
            return None
        series = made_series = self._series_of(gateway, m)
        if whose != (m.session, m.subject):
            made = replace(made, session=whose[0], subject=whose[1])
            series = self._series_of(gateway, made)
        if series is None or made_series is None:
            return None
        self._db.execute(
            "INSERT INTO measurements (epoch, seq, series, start_us, end_us, value, sync_ms, n, n_rejected,"
            " quality, reason, moved_us, clock, made_series) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (known.id, seq, series, made.start_us, made.end_us, m.value, m.sync_ms, m.n, m.n_rejected,
             QUALITY.index(m.quality), m.reason, moved_us, clock, None if series == made_series else made_series),
        )  # fmt: skip
        if before:
            self._mend_gap(known, seq)
        known.received.add(seq)
        return made

    def _insert_record(self, gateway: str, known: _Epoch, told: Told) -> None:
        full = told
        if self.erased and self.erased.mentioned(told.body):
            told = replace(told, body=purged(told.body))
        before = told.seq in known.received
        if before and self._is_again(gateway, known, told.seq, "records", told.body):
            return
        if not self._quota().take(gateway, "records"):
            return
        self._db.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
            (known.id, told.seq, told.kind, told.what, told.time_us, told.body.decode()),
        )
        if told.kind == "ward":
            self._ward_book().take(gateway, (known.id, told.seq), full)
        if before:
            self._mend_gap(known, told.seq)
        known.received.add(told.seq)
        known.copied.add(told.seq)  # the remote store is for measurements

    def _reject(self, gateway: str, known: _Epoch, bad: Rejected) -> None:
        """Keep what could not be understood, with the reason; nothing waits for it."""
        if self.erased and self.erased.mentioned(bad.payload):
            self._refuse_erased(gateway, known, bad.seq)
            return
        if bad.seq in known.received and bad.reason == PARKED:
            return  # it was stored before it ended the process
        if bad.seq in known.received and self._is_again(gateway, known, bad.seq, "rejected", bad.payload):
            return
        if not self._quota().take(gateway, "rejected bytes", len(bad.payload) + len(bad.reason)):
            return
        if not self._quota().take(gateway, "rejected"):
            return
        self._db.execute(
            "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", (known.id, bad.seq, bad.reason, bad.payload)
        )
        known.received.add(bad.seq)
        known.copied.add(bad.seq)

    def _is_again(self, gateway: str, known: _Epoch, seq: int, table: str, content: bytes | Measurement) -> bool:
        """Whether a number that came before is to be left as it is: it is the same again, or another content.

        What was told to be lost, or could not be understood, and comes after all is taken in.
        """
        if isinstance(content, Measurement):
            if conflicts.same_measurement(self._db, known.id, seq, self._series_found(content), content):
                return True
            content = conflicts.as_json(table, content)
        elif conflicts.same_content(self._db, known.id, seq, table, content):
            return True
        first = conflicts.other_content(self._db, known.id, seq)
        if first is None:
            return False
        if table in conflicts.AS_CAME:
            content = conflicts.as_json(table, {conflicts.AS_CAME[table]: content})
        self._conflict(gateway, known, seq, (first, content))
        # The one that can be read is the better one.
        return table == "rejected" or not conflicts.is_rejected(first)

    def _conflict(self, gateway: str, known: _Epoch, seq: int, contents: tuple[bytes, bytes]) -> None:
        """Keep a number's two contents and have somebody told."""
        if not conflicts.is_new(self._db, known.id, seq, contents[1]):
            return
        if self._quota().take(gateway, "conflicts"):
            conflicts.keep(self._db, known.id, seq, contents, int(self._now() * 1e6))
        if self._records().raise_notice("numbers-conflict", CONFLICT.format(gateway), gateway=gateway):
            log.warning("%s: number %d came again with other content (further ones are only counted)", gateway, seq)
            epoch = self._db.execute("SELECT epoch FROM epochs WHERE id = ?", (known.id,)).fetchone()[0]
            self._records().audit("conflict", gateway=gateway, epoch=epoch, seq=seq)

    def _apply_corrections(self) -> None:
        """Mend what this transaction's corrections are about, each session once; tell what was beyond the bounds."""
        mended: set[tuple[str, str]] = set()
        if self._clocks is not None:
            mended = self._clocks.noted()
            refused, right = self._clocks.apply_noted()
            for gateway, session in refused:
                self._records().refuse_correction(gateway, session, wall_correction.TOO_FAR)
            for gateway, session in right:
                self._records().clear_notice("correction-refused", gateway=gateway, about=session)
        for gateway, rows in self._ward_book().apply_noted(mended).items():
            self._series.clear()
            log.warning("%s: a session was corrected: %d measurements are another person's or session's", gateway, rows)
            self._records().audit("session-corrected", gateway=gateway, rows=rows)

    def _tell_refused(self) -> None:
        """Put what was used of the quotas into the transaction, and tell what was beyond them."""
        if self._quotas is None:
            return
        self._quotas.write()
        for (gateway, kind), n in self._quotas.refused.items():
            self.refused[kind] += n
            text = f"{gateway} sends too many {QUOTAS[kind].words}: what is beyond waits in its outbox"
            if self._records().raise_notice("historian-quota", text, gateway=gateway, about=kind):
                log.warning("%s (further ones are only counted)", text)
                self._records().audit("quota", gateway=gateway, of=kind)
        self._quotas.refused.clear()

    def _quota(self) -> Quotas:
        if self._quotas is None:
            self._quotas = Quotas(self._db, self._now)
        return self._quotas

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

    def _add_gap(self, gateway: str, known: _Epoch, first: int, last: int, reason: str) -> None:
        # An outbox that dropped a measurement cannot know whether it had arrived; we do.
        pieces = known.received.missing(last, after=first - 1)
        if pieces and not self._quota().take(gateway, "gaps", len(pieces)):
            return
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

    def _series_of(self, gateway: str, m: Measurement) -> int | None:
        """Return the number of a measurement's series, made if it is new; None if its gateway may have no more."""
        if (found := self._series_found(m)) is None:
            if not self._may_belong(gateway, m) or not self._quota().take(gateway, "series"):
                return None
            key = _series_key(m)
            made = self._db.execute(
                "INSERT INTO series (slot, session, subject, metric, side, unit, algorithm, devices, placement,"
                " simulated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", key
            )  # fmt: skip
            found = self._know_series(key, int(made.lastrowid or 0))
        return found

    def _know_series(self, key: tuple[str | bool, ...], number: int) -> int:
        if len(self._series) >= SERIES_KNOWN:
            self._series.clear()
        self._series[key] = number
        return number

    def _may_belong(self, gateway: str, m: Measurement) -> bool:
        """Whether a measurement's session is known, or its gateway may have one more."""
        session = (m.session, m.slot, m.subject, m.simulated)
        if session in self._begun:
            return True
        query = "SELECT 1 FROM sessions WHERE session = ? AND slot = ? AND subject = ? AND simulated = ?"
        if self._db.execute(query, session).fetchone() is None and not self._quota().take(gateway, "sessions"):
            return False
        self._begun.add(session)
        return True

    def _series_found(self, m: Measurement) -> int | None:
        """Return the number of a measurement's series; None if there is none."""
        key = _series_key(m)
        if (found := self._series.get(key)) is None:
            row = self._db.execute(
                "SELECT id FROM series WHERE slot = ? AND session = ? AND subject = ? AND metric = ? AND side = ?"
                " AND unit = ? AND algorithm = ? AND devices = ? AND placement = ? AND simulated = ?", key
            ).fetchone()  # fmt: skip
            if row is not None:
                found = self._know_series(key, int(row[0]))
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
                lost_of(self._db, number),
            )
        return known

    def _book(self) -> ClockBook:
        if self._clocks is None:
            self._clocks = ClockBook(
                self._db, hold=self.copying, clock=self._clock, now=self._now, most_us=self._believed_most_us
            )
        return self._clocks

    def _ward_book(self) -> WardBook:
        if self._ward is None:
            self._ward = WardBook(self._db, self.erased, again=self.copying)
        return self._ward

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
        beyond = (number, upto)
        for first, last in self._db.execute("SELECT first, last FROM gaps WHERE epoch = ? AND last > ?", beyond):
            arrived.add(first, last)
        for table in ("rejected", "clocks", "records"):
            query = f"SELECT seq FROM {table} WHERE epoch = ? AND seq > ?"  # noqa: S608 - our own text
            for (seq,) in self._db.execute(query, beyond):
                arrived.add(seq)
        return arrived


def _series_key(m: Measurement) -> tuple[str | bool, ...]:
    return (m.slot, m.session, m.subject, m.metric, m.side, m.unit, m.algorithm,
            SEPARATOR.join(m.devices), SEPARATOR.join(m.placement), m.simulated)  # fmt: skip
