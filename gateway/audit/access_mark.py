"""How far the log of who looked at what had come, beside it: an older copy of the log is whole in itself.

The mark is written after what it speaks of, so it may lie behind the log and never ahead of it. A log without the
marked entry was put back, or cut off with all that the file itself knows of its length.
"""

from __future__ import annotations

import logging
import operator
import sqlite3
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.machine.durable import replace_file
from gateway.model.records import digest

log = logging.getLogger(__name__)

SUFFIX = ".mark"
MODE = 0o640


class Mark(NamedTuple):
    """The number of an entry, and its sum."""

    n: int
    sum: str


def mark_of(path: Path) -> Path:
    """Return where the mark of a log lies."""
    return path.with_name(path.name + SUFFIX)


def missing(path: Path, file: sqlite3.Connection) -> str:
    """Return which entries a log has had and has no more, in words; empty where it has all, or nothing is known."""
    try:
        told = orjson.loads(mark_of(path).read_bytes())
        mark = Mark(operator.index(told["n"]), told["sum"])
        known = file.execute("SELECT body FROM entries WHERE n = ?", (mark.n,)).fetchone()
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        return ""
    if known is not None and digest(known[0].encode()) == mark.sum:
        return ""
    last = int(file.execute("SELECT coalesce(max(n), 0) FROM entries").fetchone()[0])
    return f"{last + 1} to {mark.n}" if last < mark.n else f"up to {mark.n}, some or all"


def keep(path: Path, file: sqlite3.Connection) -> None:
    """Keep how far a log has come, after that is on disk."""
    last = file.execute("SELECT n, body FROM entries ORDER BY n DESC LIMIT 1").fetchone()
    if last is None:
        return
    mark = mark_of(path)
    try:
        replace_file(mark, orjson.dumps(Mark(last[0], digest(last[1].encode()))._asdict()), mode=MODE)
    except OSError as error:
        log.warning("%s cannot be kept: %s", mark, error.strerror)
