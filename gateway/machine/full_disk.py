"""Whether an error is that of a disk which is full, or does not work: who meets one goes on without it."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk, or of somebody's share of it, without room."""
PRIMARY_CODE: Final = 0xFF  # of an extended result code of SQLite


def is_full(error: Exception) -> bool:
    """Whether there is no room."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return _code(error) == sqlite3.SQLITE_FULL


def takes_nothing(error: Exception) -> bool:
    """Whether there is no room, or the disk does not work: a gateway measures all the same."""
    broken = error.errno == errno.EIO if isinstance(error, OSError) else _code(error) == sqlite3.SQLITE_IOERR
    return broken or is_full(error)


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & PRIMARY_CODE
