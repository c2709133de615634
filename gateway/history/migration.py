"""A file that is opened is made a history of the current version: a new one, or one of an older version taken on."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from gateway.history.errors import HistoryError
from gateway.history.kept_copy import StoppedError, keep_copy
from gateway.history.schema import (
    ARCHIVE,
    CLOCKS,
    FROM_1,
    FROM_2,
    FROM_3,
    IDENTITY,
    INTAKE,
    PLANS,
    RECORDS,
    SCHEMA,
    SCHEMA_VERSION,
    WARD,
    WRITABLE,
)
from gateway.machine.kept_forms import KeptFormError, forms_are_kept
from gateway.machine.newer_file import refuse_newer

log = logging.getLogger(__name__)

INTERRUPT_STEPS = 20_000
"""Instructions of SQLite between two looks whether to stop: some milliseconds."""
CHANGES = {1: FROM_1 + FROM_2 + FROM_3, 2: FROM_2 + FROM_3, 3: PLANS + FROM_3}
"""What makes a file of an older version one of the present version."""


def refuse_later_version(db: sqlite3.Connection, path: Path) -> None:
    """Raise NewerFileError where a newer program wrote the file; to be called before anything is changed."""
    refuse_newer(path, db.execute("PRAGMA user_version").fetchone()[0], SCHEMA_VERSION)


def bring_up_to_date(db: sqlite3.Connection, path: Path, stopping: Callable[[], bool]) -> None:
    """Create the tables in a new file, or take on one of an older version.

    Args:
        db: The file, which nobody else writes.
        path: Where it is.
        stopping: Whether to break off; the file then stays as it was.

    Raises:
        HistoryError: It is of a version that this program does not know, or taking it on was broken off.
        KeptFormError: It would have to be taken on, and has to stay as it is for now.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        with db:
            db.execute("BEGIN IMMEDIATE")
            _run(db, SCHEMA + CLOCKS + RECORDS + IDENTITY + INTAKE + ARCHIVE + WARD + PLANS + FROM_3, SCHEMA_VERSION)
    elif version in CHANGES and not forms_are_kept(path.parent):
        _migrate(db, path, version, stopping)
    elif version not in WRITABLE:
        if version in CHANGES:
            raise KeptFormError(path, version, SCHEMA_VERSION)
        raise HistoryError(f"{path} has schema {version}, this program reads {SCHEMA_VERSION}")
    elif not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ward_plans'").fetchone():
        with db:  # what this version has got since, and an older program leaves alone
            db.execute("BEGIN IMMEDIATE")
            _run(db, PLANS, version)


def _migrate(db: sqlite3.Connection, path: Path, version: int, stopping: Callable[[], bool]) -> None:
    """Take on a file of an older version: all of it, or nothing when the process or the power ends."""
    began = time.monotonic()
    log.warning("taking on the history %s of version %d: its rows stay as they are", path, version)
    try:
        kept = keep_copy(db, path, version, stopping)
    except StoppedError as error:
        raise HistoryError(f"{path} stays of version {version}: the historian was stopped") from error
    if kept is not None:
        log.warning("the history as it was is kept as %s: delete it when all is well", kept.name)
    # Any kind of end leaves the old file: SQLite undoes what was not committed.
    db.set_progress_handler(lambda: int(stopping()), INTERRUPT_STEPS)
    try:
        with db:
            db.execute("BEGIN IMMEDIATE")
            _run(db, CHANGES[version], SCHEMA_VERSION)
    except sqlite3.OperationalError as error:
        if not stopping():
            raise
        raise HistoryError(f"{path} stays of version {version}: the historian was stopped") from error
    finally:
        db.set_progress_handler(None, 0)
    log.warning("the history is of version %d after %.1f s", SCHEMA_VERSION, time.monotonic() - began)


def _run(db: sqlite3.Connection, statements: str, version: int) -> None:
    for statement in statements.split(";"):
        began = time.monotonic()
        db.execute(statement)
        if (took_s := time.monotonic() - began) > 1:
            log.warning("%.1f s: %s", took_s, " ".join(statement.split()[:5]))
    db.execute(f"PRAGMA user_version={version}")
