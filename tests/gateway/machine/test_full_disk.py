"""A disk without room is told from one that does not work, and both from whatever else goes wrong."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from gateway.machine.full_disk import is_full, takes_nothing


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "full", "nothing"),
    [
        (OSError(errno.ENOSPC, ""), True, True),
        (OSError(errno.EDQUOT, ""), True, True),
        (OSError(errno.EIO, ""), False, True),
        (OSError(errno.EACCES, ""), False, False),
        (of_sqlite(sqlite3.SQLITE_FULL), True, True),
        (of_sqlite(sqlite3.SQLITE_IOERR | 10 << 8), False, True),
        (of_sqlite(sqlite3.SQLITE_BUSY), False, False),
        (sqlite3.OperationalError("Python's own"), False, False),
    ],
)
def test_what_a_disk_says_that_takes_nothing(error: Exception, full: bool, nothing: bool) -> None:
    assert (is_full(error), takes_nothing(error)) == (full, nothing)
