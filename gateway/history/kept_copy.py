"""The copy of a history that is left when it is taken on from an older version, so that the way back is a rename."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gateway.machine.private_files import make_private

log = logging.getLogger(__name__)

PAGES = 4_096
"""Copied between two looks whether to stop: 16 MB."""
ROOM = 1.1
"""How much free space there has to be, in sizes of the file: the migration itself needs some, too."""


class StoppedError(Exception):
    """The copy was broken off, and nothing is left of it."""


def copy_path(path: Path, version: int) -> Path:
    """Return where the copy of a history of a version is left."""
    return path.with_name(f"{path.name}.version-{version}")


def keep_copy(db: sqlite3.Connection, path: Path, version: int, stopping: Callable[[], bool]) -> Path | None:
    """Copy a history beside itself; return where, or None where there is no room.

    Args:
        db: The history, which nobody else writes.
        path: Where it is.
        version: Of its schema.
        stopping: Whether to break off.

    Raises:
        StoppedError: It was broken off.
        sqlite3.Error: The history cannot be read.
    """
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < ROOM * size:
        log.warning("no room for a copy of %s (%d MB): it is taken on without one", path, size >> 20)
        return None
    kept = copy_path(path, version)
    part = kept.with_name(f"{kept.name}.part")
    part.unlink(missing_ok=True)
    make_private(part)

    def look(*_: int) -> None:
        if stopping():
            raise StoppedError

    try:
        look()
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            db.backup(copy, pages=PAGES, progress=look)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, which can be renamed
        _sync(part)
        part.replace(kept)
        _sync(kept.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return kept


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
