"""The file of a history that is written: opened, locked, its transactions, and what is done when it is damaged or gone.

There is one rule for what is kept in memory of it (`Books`): when a transaction fails, or another file is opened, all
of it is thrown away and read again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.history.errors import HistoryError, is_corrupt
from gateway.history.file import HistoryFile, put_aside
from gateway.history.memory import Books, Refusals, Rules
from gateway.history.migration import INTERRUPT_STEPS, bring_up_to_date, refuse_later_version
from gateway.history.row_sums import prepare
from gateway.history.schema import as_text
from gateway.machine.damage import look
from gateway.machine.private_files import FOLDER_MODE, make_private
from gateway.outbox.file import FileError, set_aside

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 10.0
"""Readers never block the writer in this journal mode; another writer (retention by hand) may, for a moment."""
WAL_LIMIT = 32 * 2**20
CACHE_KIB = 16 * 1024
"""Of pages: each row is in three trees, and the ends that a ward writes at fit in here."""


class Database:
    """The one connection that writes a history. Safe for several threads.

    Args:
        path: The file; its folder must exist.
        rules: What the history is kept for.
        stopping: Says that the process ends: what takes long (taking on an older file, reading the whole file) ends
            too, and changes nothing.

    Attributes:
        books: What is kept in memory of the file; to be used within a transaction.
        file: Which file it is.
        refusals: What was not stored since the start, though it came.
        removed: Up to which number, by gateway and epoch, all was in a file that was removed under us.
        rotted: How many rows were found rotten since the start, and became gaps.
        replaced: How many files were set aside as damaged, or removed; ids begin again with each.

    Raises:
        HistoryError: The file is not a history of a version that this program knows.
        NewerFileError: A newer program wrote it; nothing in it was changed.
        KeptFormError: It is older, and has to stay so for now.
        sqlite3.Error: The file cannot be opened.
    """

    def __init__(self, path: Path, rules: Rules, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self.path = path
        self.rules = rules
        self.refusals = Refusals()
        self.removed: dict[tuple[str, str], int] = {}
        self.replaced = self.rotted = 0
        self._stopping = stopping
        self._lock = threading.RLock()
        try:
            self._open()
        except FileError as error:
            # A start needs little memory: a spoilt length asks for the impossible.
            if not (is_corrupt(error) or isinstance(error, MemoryError)):
                raise
            self.replace(error)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the file for one transaction, which is on disk at the end; within another it is a part of that one."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    yield self._db
            except BaseException:
                self.forget()  # what is in memory may be ahead of the file now
                raise

    @contextmanager
    def storing(self) -> Iterator[sqlite3.Connection]:
        """Give the file for a transaction of what is acknowledged afterwards: it has to be in the file of that name.

        Raises:
            sqlite3.OperationalError: The file was removed meanwhile, and what is in no file with a name is not stored:
                to be done again, with what is there now.
        """
        with self._lock:
            self._keep_place()
            with self.transaction() as db:
                yield db
                self.file.mark(db)
            if not self._keep_place():
                raise sqlite3.OperationalError(f"{self.path} was removed while it was written")

    @contextmanager
    def reading(self, *, in_place: bool = False) -> Iterator[sqlite3.Connection]:
        """Give the file for a look, which no transaction comes between.

        Args:
            in_place: Whether to see first that the file has its name still.
        """
        with self._lock:
            if in_place:
                self._keep_place()
            yield self._db

    def forget(self) -> None:
        """Drop what is in memory: it is read again when it is needed."""
        with self._lock:
            self.books = Books(self._db, self.rules, self.refusals)

    def replace(self, error: Exception) -> None:
        """Set a damaged file aside and go on with a new one: what the outboxes still hold comes again.

        The file decides, not the error: one that is whole is opened again.
        """
        with self._lock:
            self._db.close()
            wrong = look(self.path) or look(self.path, indexes=True)
            if not wrong:
                log.warning("the history is whole, and is opened again after: %s", error)
            else:
                kept = set_aside(self.path)
                self.replaced += 1
                log.error("the history is damaged (%s): kept as %s, starting a new one", error, kept.name)
            self._open()

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

    def empty_log(self) -> bool:
        """Move everything from the write-ahead log into the file; return whether the log is empty now."""
        with self._lock:
            return not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

    def interrupt(self) -> None:
        """End the statement that runs, from another thread; its transaction leaves no trace."""
        self._db.interrupt()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
            self.file.release()

    def _open(self) -> None:
        self._is_open = False
        self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)  # a folder may go with all that is in it
        make_private(self.path)
        self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        # One text that rotted on the disk must not hold up all that come after it.
        self._db.text_factory = as_text
        try:
            refuse_later_version(self._db, self.path)
            self._set_up()
            bring_up_to_date(self._db, self.path, self._stopping)
            prepare(self._db, reads_only=False)
            self.forget()
            _ = self.books.erased  # read now: a history without them is none
            self.file = HistoryFile(self._db, self.path)
            self._is_open = True
        except BaseException:
            self._db.close()
            raise

    def _set_up(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        # What is erased is overwritten. Debian's SQLite does it by default.
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")

    def _keep_place(self) -> bool:
        """See that the file has its name still; begin anew where it has not, and return False. For who holds the lock.

        What was removed stays gone: it may have been removed on purpose. Nothing of it is receipted from here on; what
        the outboxes have let go becomes a gap that says so.
        """
        if not self._is_open:  # it could not be opened when its place was taken: no right, no room
            self._open()
            self.file.rename(self._db)
            return False
        change = self.file.change()
        if not change:
            return True
        log.error("the history %s was %s while it was in use: going on with what is there now", self.path, change)
        self.file.close(self._db, change)
        if change != "log removed":
            self.removed |= self.books.epochs.received_upto()
            self.replaced += 1
        try:
            self._open()
        except (HistoryError, *FileError) as error:
            log.error("%s is no history (%s): kept as %s", self.path, error, put_aside(self.path).name)  # noqa: TRY400
            self._open()
        if change != "log removed":
            self.file.rename(self._db)
        return False
