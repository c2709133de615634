"""The ward on disk: every change is there, with who made it, before it is answered."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from config.settings import Section
from gateway.machine.private_files import make_private
from gateway.ward.changes import CHANGES, Change, GatewayStarts, ImportSlots
from gateway.ward.rules import RefusedError
from gateway.ward.state import WardState

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE ward (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE changes (number INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL,
                      by TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE told (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
INSERT INTO told VALUES (1, 0);
"""
IMPORT = "import"
STARTS = "gateway-starts"
NAMES: dict[type[Section], str] = {
    **{kind: name for name, kind in CHANGES.items()},
    GatewayStarts: STARTS,
    ImportSlots: IMPORT,
}


class RegistryError(Exception):
    """A registry that cannot be read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change as it was made: its number, when (UTC microseconds), what, by whom and from where."""

    number: int
    at_us: int
    name: str
    fields: dict[str, object]
    by: str
    source: str


class Registry:
    """The state of the ward, and the log of what made it so. Safe for several threads; one process writes it.

    Args:
        path: The file; made if absent, and closed to others.
        first: The ward of a new file.

    Attributes:
        state: After the last change.

    Raises:
        RegistryError: The file is of another version, or damaged.
        sqlite3.Error: It cannot be opened.
    """

    def __init__(self, path: Path, first: WardState | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        make_private(path)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            # No write-ahead log: the file alone is the ward, and can be read where the disk has no room left.
            self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.execute("PRAGMA synchronous=EXTRA")
            self.state = self._open(first or WardState())
        except BaseException:
            self._db.close()
            raise

    def apply(self, change: Change, *, at_us: int, by: str, source: str) -> WardState:
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
            after = after.model_copy(update={"number": self.state.number + 1, "by_hand": by_hand})
            with self._transaction():
                fields = orjson.dumps(change.model_dump(mode="json", exclude_unset=True)).decode()
                self._db.execute(
                    "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)",
                    (after.number, at_us, NAMES[type(change)], fields, by, source),
                )
                self._write(after)
            self.state = after
            return after

    def entries(self, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the changes beyond a number, in their order."""
        with self._lock:
            found = self._db.execute(
                "SELECT number, at_us, name, fields, by, source FROM changes WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return [Entry(number, at_us, name, orjson.loads(f), by, source) for number, at_us, name, f, by, source in found]

    @property
    def told(self) -> int:
        """The number up to which the audit has been told of the changes."""
        with self._lock:
            return int(self._db.execute("SELECT number FROM told").fetchone()[0])

    def tell(self, number: int) -> None:
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
                raise RefusedError(f"'{subject}' is in bed '{there.bed}': discharge them first")
            left = [one for one in self.state.sessions if one.subject != subject]
            gone = [one.id for one in self.state.sessions if one.subject == subject]
            after = self.state.model_copy(update={"sessions": tuple(left)})
            named = [orjson.dumps(word).decode() for word in (subject, *gone)]
            self._db.execute("PRAGMA secure_delete=ON")
            with self._transaction():
                for word in named:
                    self._db.execute("UPDATE changes SET fields = '{}' WHERE instr(fields, ?)", (word,))
                self._write(after)
            self.state = after
            self._db.execute("VACUUM")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db  # commits, or rolls back where it fails

    def _write(self, state: WardState) -> None:
        self._db.execute("INSERT OR REPLACE INTO ward VALUES (1, ?, ?)", (state.number, state.model_dump_json()))

    def _open(self, first: WardState) -> WardState:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            with self._transaction():
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._db.execute(statement)
                self._write(first)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            return first
        if version != SCHEMA_VERSION:
            raise RegistryError(f"{self.path} is a ward of version {version}; this program reads {SCHEMA_VERSION}")
        try:
            (state,) = self._db.execute("SELECT state FROM ward").fetchone()
            return WardState.model_validate_json(state)
        except (sqlite3.DatabaseError, ValidationError, TypeError) as error:
            raise RegistryError(
                f"{self.path} is damaged ({error}); a copy, or 'ward import', brings it back"
            ) from error


def read_state(path: Path) -> WardState:
    """Return the ward of a registry that another process may be writing; raises RegistryError, FileNotFoundError."""
    path.stat()
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        (state,) = db.execute("SELECT state FROM ward").fetchone()
        return WardState.model_validate_json(state)
    except (sqlite3.Error, ValidationError, TypeError) as error:
        raise RegistryError(f"{path} cannot be read: {error}") from error
    finally:
        db.close()
