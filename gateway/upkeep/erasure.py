"""Erase one subject from the history: rows, minute values, names, what was set apart, and the bytes in the file.

The subject is refused first, so nothing comes back meanwhile. Rows go in portions; each leaves its number as a gap. Of
a record of the audit that names the subject its place and its sum stay, so that the chain can still be checked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.history.books.erased_subjects import ERASED, WORD
from gateway.history.books.ward_words import erase_subject
from gateway.history.database import Database
from gateway.history.minutes import PORTION, keep_newest_id, newest_id
from gateway.model.records import purged

OURS = frozenset((
    "measurements", "minutes", "restate", "received", "received_seqs", "upkeep", "erased", "salt", "copying", "epochs",
    "gaps", "series", "sessions", "requests", "sqlite_sequence", "ward_sessions",
))  # fmt: skip
"""Tables that name no subject, or are dealt with by their own columns. Any other is read through, whoever made it."""
SCRUB_MOST = 64 * 2**20
"""Bytes of free pages that are overwritten: those of an earlier version may hold what was deleted then."""


@dataclass(slots=True)
class Erased:
    """What was erased from a history, or would be: how many of what; what could not be reached; and in which slots."""

    counts: dict[str, int] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)


def find(db: sqlite3.Connection, subject: str) -> Erased:
    """Return what there is of a subject. Reads only."""
    series = _series(db, subject)
    of = "series IN (SELECT id FROM series WHERE subject = ?)"
    counts = {
        "measurements": _count(db, f"measurements WHERE {of}", subject),
        "minute values": _count(db, f"minutes WHERE {of}", subject),
        "series": len(series),
        "sessions": _count(db, "sessions WHERE subject = ?", subject),
    }
    for table, keys in _other_tables(db).items():
        if found := len(_mentions(db, table, keys, subject)):
            counts[table] = found
    slots = [slot for (slot,) in db.execute("SELECT DISTINCT slot FROM series WHERE subject = ?", (subject,))]
    return Erased({what: n for what, n in counts.items() if n}, slots=slots)


def erase(history: Database, subject: str, *, now_us: int, stopping: Callable[[], bool] = lambda: False) -> Erased:
    """Erase a subject; safe to do again, also after a power cut in the middle of it.

    Args:
        history: Where.
        subject: The pseudonym.
        now_us: When.
        stopping: Whether to leave the rest for another time.
    """
    with history.transaction() as db:
        db.execute("PRAGMA secure_delete=ON")  # retention that failed may have left it off
        done = find(db, subject)
        db.execute(
            "INSERT INTO erased VALUES (?, ?, ?, '') ON CONFLICT DO UPDATE SET at_us = excluded.at_us,"
            " rows = rows + excluded.rows",
            (history.books.erased.sum_of(subject), now_us, done.counts.get("measurements", 0)),
        )
        history.books.erased.add(subject)
        floors = _floors(db)
    while True:
        if stopping():
            return Erased(done.counts, ["the historian was stopped before it was done"])
        with history.transaction() as db:
            if not _erase_rows(db, subject, floors):
                break
    with history.transaction() as db:
        _erase_names(db, subject)
        history.forget()
    with history.transaction() as db:
        _write_again(db)
    if not history.empty_log():
        done.unreached.append(f"{history.path.name}-wal: a reader holds it; it is emptied when that ends")
    return done


def _erase_rows(db: sqlite3.Connection, subject: str, floors: dict[int, int]) -> bool:
    """Erase some rows and the numbers that they leave; return whether there were any."""
    for series in _series(db, subject):
        chosen = "SELECT id FROM measurements WHERE series = ? LIMIT ?"
        rows = db.execute(f"SELECT epoch, seq FROM measurements WHERE id IN ({chosen})", (series, PORTION)).fetchall()  # noqa: S608 - our own text
        if rows:
            newest = newest_id(db)
            db.execute(f"DELETE FROM measurements WHERE id IN ({chosen})", (series, PORTION))  # noqa: S608
            keep_newest_id(db, newest)
            _leave_gaps(db, rows, floors)
            return True
        db.execute("DELETE FROM minutes WHERE series = ?", (series,))
        db.execute("DELETE FROM restate WHERE series = ?", (series,))
    return False


def _erase_names(db: sqlite3.Connection, subject: str) -> None:
    """Erase where the subject is named: series, sessions with their corrections, and every text of other tables."""
    own = (
        "SELECT session FROM sessions WHERE subject = ?1"
        " AND session NOT IN (SELECT session FROM sessions WHERE subject <> ?1)"
    )
    clocks = db.execute(f"SELECT epoch, seq FROM clocks WHERE session IN ({own})", (subject,)).fetchall()  # noqa: S608
    db.execute(f"DELETE FROM clocks WHERE session IN ({own})", (subject,))  # noqa: S608
    _leave_gaps(db, clocks, {})
    erase_subject(db, subject)
    db.execute("DELETE FROM series WHERE subject = ?", (subject,))
    db.execute("DELETE FROM sessions WHERE subject = ?", (subject,))
    db.execute("UPDATE requests SET subject = '' WHERE subject = ?", (subject,))
    for table, keys in _other_tables(db).items():
        where = " AND ".join(f"{key} = ?" for key in keys)
        columns = _columns(db, table)
        for at in _mentions(db, table, keys, subject):
            if "body" in columns:
                body = db.execute(f"SELECT body FROM {table} WHERE {where}", at).fetchone()[0]  # noqa: S608
                made = purged(body.encode() if isinstance(body, str) else body)
                kept = made.decode() if isinstance(body, str) else made
                db.execute(f"UPDATE {table} SET body = ? WHERE {where}", (kept, *at))  # noqa: S608
            else:
                db.execute(f"DELETE FROM {table} WHERE {where}", at)  # noqa: S608
                if keys == ["epoch", "seq"]:
                    _leave_gaps(db, [at], {})


def _write_again(db: sqlite3.Connection) -> None:
    """Write the tables with names again on clean pages: what was erased may stand in the gaps between their rows."""
    for table in ("series", "sessions", "requests", "ward_sessions", *_other_tables(db)):
        db.execute(f"CREATE TEMP TABLE again AS SELECT * FROM {table}")  # noqa: S608
        db.execute(f"DELETE FROM {table}")  # noqa: S608
        db.execute(f"INSERT INTO {table} SELECT * FROM again")  # noqa: S608
        db.execute("DROP TABLE again")
    free = db.execute("PRAGMA freelist_count").fetchone()[0] * db.execute("PRAGMA page_size").fetchone()[0]
    if free:
        db.execute("CREATE TABLE scrub (x BLOB)")
        db.execute("INSERT INTO scrub VALUES (zeroblob(?))", (min(free, SCRUB_MOST),))
        db.execute("DROP TABLE scrub")


def _leave_gaps(db: sqlite3.Connection, numbers: Sequence[Sequence[int]], floors: dict[int, int]) -> None:
    """Say what became of numbers, where the receipt, or the check of the audit, would ask for them."""
    ranges: list[list[int]] = []
    for epoch, seq in sorted(map(tuple, numbers)):
        if seq <= floors.get(epoch, 0):
            continue
        if ranges and ranges[-1][0] == epoch and ranges[-1][2] == seq - 1:
            ranges[-1][2] = seq
        else:
            ranges.append([epoch, seq, seq])
    db.executemany("INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)", [(*span, ERASED) for span in ranges])


def _floors(db: sqlite3.Connection) -> dict[int, int]:
    """Return for each epoch up to which number nobody asks any more: received, copied, and before the last audit."""
    return dict(db.execute(
        "SELECT id, min(received, CASE WHEN (SELECT upto FROM copying) > 0 THEN copied ELSE received END, coalesce("
        " (SELECT max(seq) FROM records WHERE epoch = epochs.id AND kind = 'audit'), 0)) FROM epochs"
    ).fetchall())  # fmt: skip


def _other_tables(db: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the tables that may hold any text, with the columns of their keys."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if name not in OURS]
    found = {}
    for name in names:
        keys = sorted((row[5], row[1]) for row in db.execute(f"PRAGMA table_info({name})") if row[5])
        found[name] = [key for _, key in keys] or ["rowid"]
    return found


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def _mentions(db: sqlite3.Connection, table: str, keys: list[str], subject: str) -> list[tuple[Any, ...]]:
    """Return the keys of the rows of a table that name a subject in any text or bytes."""
    word = subject.encode()
    columns = _columns(db, table)
    likely = " OR ".join(f"instr({column}, CAST(?1 AS BLOB)) OR instr({column}, ?1)" for column in columns)
    rows = db.execute(f"SELECT {', '.join(keys)}, {', '.join(columns)} FROM {table} WHERE {likely}", (subject,))  # noqa: S608
    return [
        tuple(row[: len(keys)])
        for row in rows
        if any(word in WORD.findall(_bytes(value)) for value in row[len(keys) :])
    ]


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else b""


def _series(db: sqlite3.Connection, subject: str) -> list[int]:
    return [number for (number,) in db.execute("SELECT id FROM series WHERE subject = ?", (subject,))]


def _count(db: sqlite3.Connection, what: str, subject: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {what}", (subject,)).fetchone()[0])  # noqa: S608
