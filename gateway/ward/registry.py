"""The ward on disk: every change is there, with who made it, before it is answered."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from config.settings import Section
from gateway.machine.damage import suspicious
from gateway.machine.newer_file import refuse_newer
from gateway.machine.private_files import IN_MEMORY, make_private
from gateway.machine.set_aside import set_aside
from gateway.ward.changes import CHANGES, Change, GatewayStarts, ImportSlots
from gateway.ward.history_words import Word, words
from gateway.ward.refusals import refused
from gateway.ward.remembered import RECALLED, VACATED, Recall, Vacate
from gateway.ward.state import Session, WardState

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
PRIMARY_CODE = 0xFF  # of an extended result code of SQLite
SCHEMA = """
CREATE TABLE ward (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE changes (number INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL,
                      by TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE told (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
INSERT INTO told VALUES (1, 0);
"""
WORDS = """
CREATE TABLE words (id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, what TEXT NOT NULL,
                    fields TEXT NOT NULL)"""
"""What the history has to know and the outbox has not on disk yet. Written with the change, so that no kill parts them;
a registry from before gets the table, and tells all that it holds."""
IMPORT = "import"
REPLACED = "replaced"
"""Of what lay in the place of a registry in use: ``ward.db.replaced-1``."""
STARTS = "gateway-starts"
NAMES: dict[type[Section], str] = {
    **{kind: name for name, kind in CHANGES.items()},
    GatewayStarts: STARTS,
    ImportSlots: IMPORT,
    Recall: RECALLED,
    Vacate: VACATED,
}


class RegistryError(Exception):
    """A registry that cannot be read; the text says what to do."""


class DamagedRegistryError(RegistryError):
    """One that is no registry any more: a copy, or a person who takes the configuration over, brings a ward back."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(f"{path} is damaged ({error}); a copy, or 'ward import', brings it back")


@dataclass(frozen=True, slots=True)
class Entry:
    """One change as it was made: its number, when (UTC microseconds), what, by whom and from where."""

    number: int
    at_us: int
    name: str
    fields: dict[str, object]
    by: str
    source: str


@dataclass(frozen=True, slots=True)
class Untold:
    """A word for the history that is not in the outbox yet; ``id`` rises."""

    id: int
    at_us: int
    what: str
    fields: dict[str, Any]


class Registry:
    """The state of the ward, and the log of what made it so. Safe for several threads; one process writes it.

    Args:
        path: The file; made if absent, and closed to others.
        first: The ward of a new file.

    Attributes:
        state: After the last change.

    Raises:
        NewerFileError: A newer program wrote the file; nothing in it was changed.
        RegistryError: It is damaged, or of a version that there never was.
        sqlite3.Error: It cannot be opened.
    """

    def __init__(self, path: Path, first: WardState | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        make_private(path)
        self._db = self._connect()
        try:
            refuse_newer(path, self._version(), SCHEMA_VERSION)
            self._prepare()
            self.state = self._open(first or WardState())
            self._newest_word = self._last_word()  # no id is given again, whatever is written over the file meanwhile
        except BaseException:
            self._db.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._file = None if str(self.path) == IN_MEMORY else _identity(self.path)
        return db

    def _prepare(self) -> None:
        # No write-ahead log: the file alone is the ward, and can be read where the disk has no room left.
        self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.execute("PRAGMA synchronous=EXTRA")

    def apply(self, change: Change | Recall | Vacate, *, at_us: int, by: str, source: str) -> WardState:
        """Make a change, durably; return the ward after it. Raises RefusedError, and then nothing has changed.

        Args:
            change: What is to be.
            at_us: When, UTC microseconds.
            by: The person who asks.
            source: From where: ``"command line"``, ``"dashboard"``.
        """
        with self._lock:
            after = change.apply(self.state, at_us)
            by_hand = after.by_hand or NAMES[type(change)] in CHANGES
            number = max(self.state.number, after.number) + 1  # who is recalled goes on from there
            after = after.model_copy(update={"number": number, "by_hand": by_hand})
            with self._transaction():
                if self._db.execute("SELECT number FROM ward").fetchone() != (self.state.number,):
                    log.error("%s was written over while it was in use: the ward stays as it was", self.path)
                fields = orjson.dumps(change.model_dump(mode="json", exclude_unset=True)).decode()
                self._db.execute(
                    "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?)",
                    (after.number, at_us, NAMES[type(change)], fields, by, source),
                )
                self._write_words(words(self.state, after, at_us=at_us, by=by), at_us)
                self._write(after)
            self.state = after
            return after

    def untold(self, after: int = 0, limit: int = 1000) -> Sequence[Untold]:
        """Return the words for the history that wait, in their order, beyond an id."""
        with self._lock:
            found = self._db.execute(
                "SELECT id, at_us, what, fields FROM words WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            ).fetchall()
        return [Untold(number, at_us, what, orjson.loads(fields)) for number, at_us, what, fields in found]

    def forget_words(self, upto: int) -> None:
        """Forget the words up to an id: the outbox has them on disk."""
        with self._lock:
            self._db.execute("DELETE FROM words WHERE id <= ?", (upto,))

    def entries(self, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the changes beyond a number, in their order."""
        with self._lock:
            found = self._db.execute(
                "SELECT number, at_us, name, fields, by, source FROM changes WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return [Entry(number, at_us, name, orjson.loads(f), by, source) for number, at_us, name, f, by, source in found]

    @property
    def audited(self) -> int:
        """The number up to which the audit has been told of the changes."""
        with self._lock:
            return int(self._db.execute("SELECT number FROM told").fetchone()[0])

    def mark_audited(self, number: int) -> None:
        """Note that the audit has been told of the changes up to a number."""
        with self._lock:
            self._db.execute("UPDATE told SET number = max(number, ?)", (number,))

    def erase(self, subject: str) -> None:
        """Forget somebody who has left: their sessions, and what the log says of them, and the bytes in the file.

        Raises:
            RefusedError: They are on the ward.
        """
        with self._lock:
            if there := self.state.subject(subject):
                raise refused("still_there", subject=subject, bed=there.bed)
            left = [_without(one, subject) for one in self.state.sessions if one.subject != subject]
            gone = [one.id for one in self.state.sessions if one.subject == subject]
            after = self.state.model_copy(update={"sessions": tuple(left)})
            named = [orjson.dumps(word).decode() for word in (subject, *gone)]
            self._db.execute("PRAGMA secure_delete=ON")
            with self._transaction():
                for word in named:
                    self._db.execute("UPDATE changes SET fields = '{}' WHERE instr(fields, ?)", (word,))
                    self._db.execute("DELETE FROM words WHERE instr(fields, ?)", (word,))
                self._write(after)
            self.state = after
            self._db.execute("VACUUM")

    def is_whole(self) -> bool:
        """Whether the file is the one that was opened, and says what the ward is."""
        if self._file is None:
            return True
        with self._lock:
            try:
                there = self._db.execute("SELECT number FROM ward").fetchone()
                return _identity(self.path) == self._file and there == (self.state.number,)
            except FileNotFoundError:
                return False
            except sqlite3.Error as error:
                return not suspicious(error)  # a lock, the disk: looked at again

    def write_anew(self) -> None:
        """Write the file anew, with the log of changes where that can be read; what is in its place is set aside.

        Raises:
            OSError, sqlite3.Error: It cannot be written; nothing has changed.
        """
        fresh = self.path.with_name(f"{self.path.name}.new")
        with self._lock:
            fresh.unlink(missing_ok=True)
            try:
                made = _copied(self._db, fresh)
            except (sqlite3.Error, RegistryError):
                fresh.unlink(missing_ok=True)
                made = Registry(fresh, self.state)
            with closing(made._db), made._transaction():
                made._write(self.state)
            if self.path.exists():
                set_aside(self.path, REPLACED)
            fresh.replace(self.path)
            self._db.close()
            self._db = self._connect()
            self._prepare()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db  # commits, or rolls back where it fails

    def _begin_words(self, ward: WardState) -> None:
        """Give a registry from before the table of words, with all that it holds."""
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'words'").fetchone():
            return
        self._newest_word = 0
        with self._transaction():
            self._db.execute(WORDS)
            at_us = self._db.execute("SELECT coalesce(max(at_us), 0) FROM changes").fetchone()[0]
            self._write_words(words(WardState(), ward, at_us=at_us, by=""), at_us)

    def _write_words(self, found: Sequence[Word], at_us: int) -> None:
        first = max(self._newest_word, self._last_word()) + 1
        self._db.executemany(
            "INSERT INTO words (id, at_us, what, fields) VALUES (?, ?, ?, ?)",
            [(n, at_us, what, orjson.dumps(fields).decode()) for n, (what, fields) in enumerate(found, first)],
        )
        self._newest_word = first + len(found) - 1

    def _last_word(self) -> int:
        query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'words'"
        return int(self._db.execute(query).fetchone()[0])

    def _write(self, state: WardState) -> None:
        self._db.execute("INSERT OR REPLACE INTO ward VALUES (1, ?, ?)", (state.number, state.model_dump_json()))

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _open(self, first: WardState) -> WardState:
        version = self._version()
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            with self._transaction():
                for statement in filter(str.strip, (*SCHEMA.split(";"), WORDS)):
                    self._db.execute(statement)
                self._write(first)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            return first
        if version != SCHEMA_VERSION:
            raise RegistryError(f"{self.path} is a ward of version {version}; this program reads {SCHEMA_VERSION}")
        try:
            (state,) = self._db.execute("SELECT state FROM ward").fetchone()
            ward = WardState.model_validate_json(state)
            self._begin_words(ward)
        except (sqlite3.DatabaseError, ValidationError, TypeError) as error:
            raise DamagedRegistryError(self.path, error) from error
        return ward


def _copied(registry: sqlite3.Connection, path: Path) -> Registry:
    make_private(path)
    with closing(sqlite3.connect(path)) as copy:
        registry.backup(copy)
    return Registry(path)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _without(session: Session, subject: str) -> Session:
    """Return a session without the name of somebody whose it was said to be."""
    kept = [one.model_copy(update={"subject": ""}) if one.subject == subject else one for one in session.corrections]
    return session.model_copy(update={"corrections": tuple(kept)})


def read_state(path: Path) -> WardState:
    """Return the ward of a registry that another process may be writing; raises RegistryError, FileNotFoundError."""
    path.stat()
    try:
        try:
            return _read(path, "ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_READONLY:
                raise
            return _read(path, "rw")  # its writer was killed in the middle: SQLite undoes that before it reads
    except (sqlite3.Error, ValidationError, TypeError) as error:
        raise RegistryError(f"{path} cannot be read: {error}") from error


def _read(path: Path, mode: str) -> WardState:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)) as db:
        (state,) = db.execute("SELECT state FROM ward").fetchone()
        return WardState.model_validate_json(state)
