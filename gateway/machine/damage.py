"""Whether a database file is damaged: the file decides, never the class of an error.

A constraint that fails, a full disk, a lock, a missing right and a schema of another version are no damage. Whoever
meets an error that may come of damage looks at the file itself, with a connection of its own, before it is set aside.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

BUSY_TIMEOUT_S = 5.0
PASSING = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISUSE,
})  # fmt: skip
"""Primary result codes that say something of the disk, the rights, another process or our own request."""


def suspicious(error: Exception) -> bool:
    """Whether an error is worth a look at the file; it proves nothing by itself."""
    if isinstance(error, UnicodeDecodeError):
        return True
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.IntegrityError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # ours, or Python's own: a text that is not UTF-8, something else where a number should be
        return not isinstance(error, sqlite3.ProgrammingError)
    return (code & 0xFF) not in PASSING


def look(path: Path, *, indexes: bool = False) -> str:
    """Return what is wrong with a database file, by a fresh look at all of it; empty if nothing is.

    Args:
        path: The file.
        indexes: Whether to see, too, that each row is in each index and the other way round; that takes several times
            as long.

    Raises:
        sqlite3.Error: It cannot be looked at now: a lock, a right, the disk.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            db.text_factory = lambda raw: raw.decode("utf-8", "replace")
            verdict = str(db.execute(f"PRAGMA {'integrity' if indexes else 'quick'}_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if not suspicious(error):
            raise
        return str(error)
    except (MemoryError, UnicodeDecodeError) as error:
        return str(error) or "it asks for more memory than there is"
    return "" if verdict == "ok" else verdict.splitlines()[-1]
