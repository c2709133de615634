"""What is wrong with a history."""

from __future__ import annotations

import sqlite3


class HistoryError(Exception):
    """The history cannot be used: it is another kind of database, or a newer one."""


def is_corrupt(error: Exception) -> bool:
    """Tell a damaged file from everything else: a history is not set aside on a mere suspicion."""
    if isinstance(error, UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return (code & 0xFF) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
