"""What is wrong with a file of the outbox."""

from __future__ import annotations

import sqlite3

from gateway.machine.set_aside import CORRUPT


class DamagedError(Exception):
    """The file is not a whole outbox of this version; it should be set aside.

    Args:
        reason: What was found.
        kind: ``corrupt``; or ``version`` and ``foreign`` for a whole file that another program wrote.
    """

    def __init__(self, reason: str, kind: str = CORRUPT) -> None:
        super().__init__(reason)
        self.kind = kind


FileError = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""What reading and writing may raise: the second when SQLite quotes a rotten name, the third at a rotten length."""


def whole(value: object) -> int:
    """Return a number of the file; raises sqlite3.DatabaseError where something else stands in its place."""
    if type(value) is not int:
        raise sqlite3.DatabaseError(f"{value!r:.40} stands where a number should")
    return value
