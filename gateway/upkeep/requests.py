"""What a command asks of whoever writes the history: a row of its table ``requests``, answered in the same row.

A history has one writer. A command does not write measurements beside a running historian: it leaves word here, and
looks for the answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from gateway.history.schema import WRITABLE

BUSY_TIMEOUT_S = 10.0
KEPT_US = 7 * 86_400_000_000
"""An answer may be looked at for a week."""

What = Literal["erase", "allow", "confirm-retention"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its number, what is wanted, and of which subject (empty where that says nothing)."""

    number: int
    what: What
    subject: str


def leave(path: Path, what: What, subject: str, now_us: int) -> int:
    """Leave a request in a history; return its number. Raises sqlite3.Error where that cannot be."""
    with closing(_connect(path)) as db:
        if db.execute("PRAGMA user_version").fetchone()[0] not in WRITABLE:
            raise sqlite3.OperationalError("the history is of another version: start the historian once")
        db.execute("PRAGMA secure_delete=ON")
        return int(db.execute(
            "INSERT INTO requests (what, subject, asked_us, state, answer) VALUES (?, ?, ?, 'asked', '')",
            (what, subject, now_us),
        ).lastrowid or 0)  # fmt: skip


def answer_to(path: Path, number: int) -> tuple[str, dict[str, Any]]:
    """Return the state of a request (``asked``, ``taken``, ``done``) and what was answered."""
    with closing(_connect(path)) as db:
        found = db.execute("SELECT state, answer FROM requests WHERE id = ?", (number,)).fetchone()
    return ("gone", {}) if found is None else (found[0], orjson.loads(found[1]) if found[1] else {})


def waiting(db: sqlite3.Connection, now_us: int) -> list[Request]:
    """Return the requests that nobody has finished; those of a writer that ended in the middle too."""
    db.execute("DELETE FROM requests WHERE state = 'done' AND asked_us < ?", (now_us - KEPT_US,))
    found = db.execute("SELECT id, what, subject FROM requests WHERE state <> 'done' ORDER BY id").fetchall()
    return [Request(*row) for row in found]


def mark_taken(db: sqlite3.Connection, request: Request) -> None:
    """Say that a request is being carried out."""
    db.execute("UPDATE requests SET state = 'taken' WHERE id = ?", (request.number,))


def finish(db: sqlite3.Connection, request: Request, answer: dict[str, Any]) -> None:
    """Answer a request; whom it was about is not kept."""
    db.execute(
        "UPDATE requests SET state = 'done', subject = '', answer = ? WHERE id = ?",
        (orjson.dumps(answer).decode(), request.number),
    )


def note_unreached(path: Path, check: Callable[[sqlite3.Connection], str], unreached: list[str]) -> None:
    """Note in the record of an erasure what was not reached; ``check`` gives the sum under which it stands."""
    with closing(_connect(path)) as db:
        db.execute("UPDATE erased SET unreached = ? WHERE sum = ?", ("\n".join(unreached), check(db)))


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
