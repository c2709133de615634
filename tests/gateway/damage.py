"""Break what is on disk as a test needs it broken, by what SQLite offers to everybody."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest


def run_sql(path: Path, statement: str) -> None:
    """Run a statement on a database that others have open, from a connection of its own."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as db:
        db.execute(statement).fetchall()


def connections_made(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Return a list that fills with the connections that are opened from now on; of an outbox the first one writes."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connecting(*args: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*args, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    return made
