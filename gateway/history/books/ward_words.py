"""Reading what a gateway's registry tells of its ward, and keeping it in the tables of the ward.

Words may come in any order, and twice: of two about the same thing the one with the later number holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.history.row_sums import carried

Place = tuple[int, int]
"""Epoch, and number in it."""
Field = tuple[str, type, Any]
"""Name, kind, and what stands for it where it is not said."""

NEVER_US = 2**62
ERASED = "erased"
"""State of a session whose subject was erased: what still comes of it is refused, whoever it is said to be of."""

SUBJECT: tuple[Field, ...] = (
    ("subject", str, None), ("number", int, None), ("from_us", int, None), ("bed", str, ""), ("stay", str, ""),
    ("height_m", float, ...), ("leg_length_m", float, ...), ("mass_kg", float, ...), ("affected_side", str, "none"),
    ("aids", str, ""),
)  # fmt: skip
PLAN: tuple[Field, ...] = (
    ("subject", str, None), ("number", int, None), ("from_us", int, None), ("bands", str, ""),
    ("sessions_a_week", int, 0),
)  # fmt: skip
PLACEMENT: tuple[Field, ...] = (
    ("device", str, None), ("number", int, None), ("from_us", int, None), ("driver", str, ""), ("subject", str, ""),
    ("bed", str, ""), ("placement", str, ""), ("axes", str, ""),
)  # fmt: skip
SESSION: tuple[Field, ...] = (
    ("session", str, None), ("bed", str, ""), ("subject", str, None), ("protocol", str, ""), ("state", str, None),
    ("started_us", int, None), ("ended_us", int, ...), ("notes", str, ""), ("discarded", int, 0), ("corrected", int, 0),
    ("made_subject", str, None), ("made_started_us", int, None), ("made_ended_us", int, ...),
)  # fmt: skip
PART: tuple[Field, ...] = (("part", str, None), ("session", str, None))
MARK: tuple[Field, ...] = (("session", str, None), ("at_us", int, None), ("text", str, ""))
CORRECTION: tuple[Field, ...] = (
    ("session", str, None), ("n", int, None), ("at_us", int, None), ("by", str, ""), ("why", str, ""),
    ("subject_before", str, ""), ("subject", str, ""), ("started_before_us", int, None), ("started_us", int, None),
    ("ended_before_us", int, None), ("ended_us", int, None), ("discarded_before", int, 0), ("discarded", int, 0),
)  # fmt: skip
"""Fields in the order of the columns. None: a word without it says nothing; an ellipsis: it may be unknown."""


class WordError(ValueError):
    """A word about the ward that cannot be understood; it stays among the records."""


def read(body: bytes, wanted: tuple[Field, ...]) -> tuple[Any, ...]:
    """Return the fields of a word; raises WordError."""
    fields = orjson.loads(body)
    return tuple(_field(fields, *field) for field in wanted)


def _field(fields: Mapping[str, Any], name: str, kind: type, without: object) -> object:
    value = fields.get(name)
    if value is None:
        if without is None:
            raise WordError(f"no {name}")
        return None if without is ... else without
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise WordError(f"bad {name}")
    return value


def keep_subject(db: sqlite3.Connection, gateway: str, at: Place, body: bytes) -> str:
    """Keep who is in which bed from when on, and what is known of their body; return who."""
    fields = read(body, SUBJECT)
    _insert(db, "ward_subjects", (gateway, *fields, *at))
    return str(fields[0])


def keep_plan(db: sqlite3.Connection, gateway: str, at: Place, body: bytes) -> None:
    """Keep what is planned for somebody from when on."""
    _insert(db, "ward_plans", (gateway, *read(body, PLAN), *at))


def keep_placement(db: sqlite3.Connection, gateway: str, at: Place, body: bytes) -> None:
    """Keep where a device is worn, and by whom, from when on."""
    _insert(db, "ward_placements", (gateway, *read(body, PLACEMENT), *at))


def keep_session(db: sqlite3.Connection, gateway: str, at: Place, body: bytes, made_us: int) -> str:
    """Keep a session as it holds now, if nothing later is known of it; return its id.

    One that was corrected less often than is known is told once more, or by an older image of the registry that
    somebody has put back: of that the changes count which were made after the last correction that is known.
    """
    fields = read(body, SESSION)
    columns = ", ".join(name for name, _, _ in SESSION)
    changes = ", ".join(f"{name} = excluded.{name}" for name, _, _ in (*SESSION, ("epoch", int, 0), ("seq", int, 0)))
    db.execute(
        f"INSERT INTO ward_sessions (gateway, {columns}, epoch, seq) VALUES (?, {_marks(len(SESSION) + 2)})"  # noqa: S608 - our own text
        f" ON CONFLICT DO UPDATE SET {changes} WHERE (excluded.epoch, excluded.seq) > (epoch, seq)"
        " AND state <> ? AND (excluded.corrected >= corrected OR ? > (SELECT coalesce(max(c.at_us), ?)"
        " FROM ward_corrections c WHERE c.gateway = ward_sessions.gateway AND c.session = ward_sessions.session))",
        (gateway, *fields, *at, ERASED, made_us, NEVER_US),
    )
    return str(fields[0])


def keep_part(db: sqlite3.Connection, gateway: str, body: bytes) -> str:
    """Keep an id under which measurements of a session stand; return that of the session."""
    part, session = read(body, PART)
    _insert(db, "ward_parts", (gateway, part, session))
    return str(session)


def keep_mark(db: sqlite3.Connection, gateway: str, body: bytes) -> None:
    """Keep what happened in a session."""
    _insert(db, "ward_marks", (gateway, *read(body, MARK)))


def keep_correction(db: sqlite3.Connection, gateway: str, body: bytes) -> None:
    """Keep what a session said before it was corrected, who corrected it, and why.

    Where another has its number, an older image of the registry has been put back: it is the next.
    """
    session, n, at_us, *rest = read(body, CORRECTION)
    of = "FROM ward_corrections WHERE gateway = ? AND session = ?"
    if db.execute(f"SELECT 1 {of} AND n = ?", (gateway, session, n)).fetchone():
        if db.execute(f"SELECT 1 {of} AND at_us = ?", (gateway, session, at_us)).fetchone():
            return
        n = db.execute(f"SELECT max(n) + 1 {of}", (gateway, session)).fetchone()[0]
    _insert(db, "ward_corrections", (gateway, session, n, at_us, *rest))


def erase_subject(db: sqlite3.Connection, subject: str) -> None:
    """Take somebody out of the sessions of the ward; the other tables of the ward go by any text that names them.

    Their own sessions stay as a mark by which what still comes of them is refused. A session of another person, which
    was said to be theirs at first, stays whole without their name.
    """
    theirs = "SELECT id FROM series WHERE subject = ?"
    nobody = f"made_series = NULL{carried(db, made_series='NULL')}"
    db.execute(f"UPDATE measurements SET {nobody} WHERE made_series IN ({theirs})", (subject,))  # noqa: S608
    own = "SELECT gateway, session FROM ward_sessions WHERE subject = ?"
    db.execute(f"DELETE FROM ward_marks WHERE (gateway, session) IN ({own})", (subject,))  # noqa: S608
    db.execute(f"DELETE FROM ward_corrections WHERE (gateway, session) IN ({own})", (subject,))  # noqa: S608
    db.execute(
        "UPDATE ward_sessions SET subject = '', made_subject = '', protocol = '', notes = '', state = ?"
        " WHERE subject = ?", (ERASED, subject)
    )  # fmt: skip
    db.execute("UPDATE ward_sessions SET made_subject = '' WHERE made_subject = ?", (subject,))
    db.execute("UPDATE ward_sessions SET notes = '' WHERE instr(notes, ?)", (subject,))


def _insert(db: sqlite3.Connection, table: str, values: tuple[Any, ...]) -> None:
    db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({_marks(len(values))})", values)  # noqa: S608


def _marks(n: int) -> str:
    return ", ".join("?" * n)
