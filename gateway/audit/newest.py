"""Both records a page at a time, the newest first, and what else is asked of them without reading all of them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from gateway.audit.access_log import Person, fields_of
from gateway.history.reader import HistoryReader

PAGE: Final = 50
"""Entries that are read at one time: a screen or two."""
END: Final = 2**62
BUSY_S: Final = 2.0  # a page should rather say no than wait
CURSOR = re.compile(r"[0-9]{1,18}(-[0-9]{1,18}){0,2}")
WHAT: Final = "CASE WHEN json_valid(body) THEN json_extract(body, '$.what') END"
USER: Final = "CASE WHEN json_valid(body) THEN json_extract(body, '$.user') END"
"""Of an entry that somebody has spoilt there is none: the check says that it is spoilt."""
SIGNED_IN: Final = ("signed-in", "unlocked")

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: of one kind or all, made at or after and before a time, and older than those of another page."""

    kind: str = ""
    from_us: int = 0
    to_us: int = END
    before: str = ""


class Page(NamedTuple, Generic[Entry]):
    """Entries, the newest first, and what to ask for to have those before them; empty where there are none."""

    entries: list[Entry]
    older: str


class Record(NamedTuple):
    """One record of the audit; ``fields`` are empty where somebody has spoilt it."""

    gateway: str
    what: str
    time_us: int
    fields: dict[str, Any]


class Look(NamedTuple):
    """One entry of the log of who looked at what, with those of its people who are not erased."""

    time_us: int
    fields: dict[str, Any]
    people: list[Person]


def newest_records(path: Path, wanted: Wanted) -> Page[Record]:
    """Return records of the audit; raises sqlite3.Error."""
    at, epoch, seq = _numbers(wanted.before, 3)
    with closing(HistoryReader(path)) as reader:
        rows = reader.rows(
            "SELECT gateway, what, time_us, body, records.epoch, seq FROM records JOIN epochs ON epochs.id ="
            " records.epoch WHERE kind = 'audit' AND (?1 = '' OR what = ?1) AND time_us >= ?2 AND time_us < ?3"
            " AND time_us <= ?4 AND (time_us, records.epoch, seq) < (?4, ?5, ?6)"
            " ORDER BY time_us DESC, records.epoch DESC, seq DESC LIMIT ?7",
            (wanted.kind, wanted.from_us, wanted.to_us, at, epoch, seq, PAGE + 1),
        )
    older = "-".join(map(str, (rows[PAGE - 1][2], *rows[PAGE - 1][4:]))) if len(rows) > PAGE else ""
    records = [Record(gateway, what, at_us, fields_of(body)) for gateway, what, at_us, body, *_ in rows[:PAGE]]
    return Page(records, older)


def newest_looks(path: Path, wanted: Wanted) -> Page[Look]:
    """Return entries of the log of who looked at what, of none where there is no log; raises sqlite3.Error."""
    (before,) = _numbers(wanted.before, 1)
    if not path.is_file():
        return Page([], "")
    with _reading(path) as file:
        rows = file.execute(
            f"SELECT n, time_us, body FROM entries WHERE n < ? AND time_us >= ? AND time_us < ? AND (? = ''"  # noqa: S608 - our own text
            f" OR {WHAT} = ?) ORDER BY n DESC LIMIT ?",
            (before, wanted.from_us, wanted.to_us, wanted.kind, wanted.kind, PAGE + 1),
        ).fetchall()
        about = "SELECT slot, subject, session FROM people WHERE n = ? ORDER BY place"
        looks = [
            Look(at, fields_of(body), [Person(*row) for row in file.execute(about, (n,))])
            for n, at, body in rows[:PAGE]
        ]
    return Page(looks, str(rows[PAGE - 1][0]) if len(rows) > PAGE else "")


def kinds_of_records(path: Path) -> list[str]:
    """Return which kinds of things the audit tells of; raises sqlite3.Error."""
    with closing(HistoryReader(path)) as reader:
        return sorted(row[0] for row in reader.rows("SELECT DISTINCT what FROM records WHERE kind = 'audit'", ()))


def kinds_of_looks(path: Path) -> list[str]:
    """Return which kinds of things the log of who looked at what tells of; raises sqlite3.Error."""
    if not path.is_file():
        return []
    with _reading(path) as file:
        found = file.execute(f"SELECT DISTINCT {WHAT} FROM entries").fetchall()  # noqa: S608 - our own text
    return sorted(kind for (kind,) in found if isinstance(kind, str))


def count_records(path: Path) -> int:
    """Return how many records the audit has; raises sqlite3.Error."""
    with closing(HistoryReader(path)) as reader:
        found = reader.rows("SELECT count(*) FROM records WHERE kind = 'audit'", ())
    return int(found[0][0]) if found else 0


def count_looks(path: Path) -> int:
    """Return how many entries the log of who looked at what has, which is there; raises sqlite3.Error."""
    with _reading(path) as file:
        return int(file.execute("SELECT count(*) FROM entries").fetchone()[0])


def last_sign_ins(path: Path) -> dict[str, int]:
    """Return when each user last signed in or came back with a PIN, as far as the log goes; raises sqlite3.Error."""
    if not path.is_file():
        return {}
    with _reading(path) as file:
        found = file.execute(
            f"SELECT {USER}, max(time_us) FROM entries WHERE {WHAT} IN (?, ?) GROUP BY 1",  # noqa: S608 - our own text
            SIGNED_IN,
        ).fetchall()
    return {user: at for user, at in found if isinstance(user, str)}


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as file:
        yield file


def _numbers(cursor: str, n: int) -> list[int]:
    """Return the numbers of a cursor; raises ValueError for what is none of these entries."""
    if not cursor:
        return [END] * n
    numbers = [int(part) for part in cursor.split("-")] if CURSOR.fullmatch(cursor) else []
    if len(numbers) != n:
        raise ValueError(cursor)
    return numbers
