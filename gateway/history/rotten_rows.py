"""Rows whose bytes rotted on the disk: found by their sums, put right from an index where that has all, else a gap.

The indexes are a second copy of what they are of: a row's number, series and end, and all of a series. What only the
row itself held is gone: its number becomes a gap with the reason, from which a copy that comes again takes it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.history.file import ROTTED
from gateway.history.minutes import keep_newest_id, newest_id
from gateway.history.row_sums import SERIES, has_sums, sound_row, sound_series, sum_of_series

_INDEXES = (
    ("sqlite_autoindex_measurements_1", ("epoch", "seq")),
    ("measurements_by_time", ("series", "end_us")),
)  # fmt: skip
_INDEXED = (*(column for _, columns in _INDEXES for column in columns), "made_series")
_UNINDEXED = " OR ".join(
    f"NOT EXISTS (SELECT 1 FROM measurements i INDEXED BY {index} WHERE"  # noqa: S608 - our own names, here and below
    f" {' AND '.join(f'i.{column} = m.{column}' for column in columns)} AND i.id = m.id)"
    for index, columns in _INDEXES
)


class MisplacedRowError(sqlite3.DatabaseError):
    """A row is not in the indexes as it should be: the file is damaged, and not one row alone."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT_INDEX


def look(db: sqlite3.Connection, after: int, most: int) -> tuple[int | None, list[int]]:
    """Return the last of some measurements beyond an id, None if there is none; and which of them rotted."""
    upto = db.execute(
        "SELECT max(id) FROM (SELECT id FROM measurements WHERE id > ? ORDER BY id LIMIT ?)", (after, most)
    ).fetchone()[0]
    return upto, [] if upto is None else rows_between(db, after, upto)


def look_at_series(db: sqlite3.Connection, after: int, most: int) -> tuple[int | None, list[int]]:
    """Return the last of some series beyond a number, None if there is none; and which of them rotted."""
    found = db.execute(
        f"SELECT id, {sound_series()} FROM series NOT INDEXED WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
        (after, most),
    ).fetchall()
    return found[-1][0] if found else None, [number for number, sound in found if not sound]


def rows_between(db: sqlite3.Connection, after: int, upto: int) -> list[int]:
    """Return which measurements beyond one id, up to another, are not as they were written, or in no index."""
    if not has_sums(db):
        return []
    found = db.execute(
        "SELECT id FROM measurements m NOT INDEXED WHERE id > ? AND id <= ?"  # noqa: S608
        f" AND ({sound_row('m.')} IS NOT 1 OR {_UNINDEXED})",
        (after, upto),
    )
    return [number for (number,) in found]


def take_out(db: sqlite3.Connection, rows: Sequence[int]) -> tuple[int, Counter[str]]:
    """Put right the rows whose index knows all that rotted, make gaps of the others.

    Returns:
        How many were put right, and how many became gaps, by gateway.


    Raises:
        MisplacedRowError: The indexes do not know a row.
    """
    gone: Counter[str] = Counter()
    newest, mended = newest_id(db), 0
    for number in rows:
        if _is_sound(db, number):
            _mend_indexes(db, number)
            mended += 1
            continue
        _follow_indexes(db, number)
        if _is_sound(db, number):
            mended += 1
            continue
        gateway = db.execute(
            "SELECT gateway FROM epochs WHERE id = (SELECT epoch FROM measurements WHERE id = ?)", (number,)
        ).fetchone()[0]
        db.execute(
            "INSERT OR IGNORE INTO gaps SELECT epoch, seq, seq, ? FROM measurements WHERE id = ?", (ROTTED, number)
        )
        db.execute("DELETE FROM measurements WHERE id = ?", (number,))
        gone[gateway] += 1
    if gone:
        keep_newest_id(db, newest)
    return mended, gone


def _is_sound(db: sqlite3.Connection, number: int) -> bool:
    query = f"SELECT {sound_row()} FROM measurements NOT INDEXED WHERE id = ?"  # noqa: S608
    if (found := db.execute(query, (number,)).fetchone()) is None:
        raise MisplacedRowError(f"row {number} is not where its id says")
    return bool(found[0])


def mend_series(db: sqlite3.Connection, number: int) -> None:
    """Put a series right from its index, which has all of it.

    Raises:
        MisplacedRowError: The index does not know it, or something else than was written.
    """
    columns = ", ".join(SERIES)
    known = db.execute(
        f"SELECT {columns} FROM series INDEXED BY sqlite_autoindex_series_1 WHERE +id = ?",  # noqa: S608
        (number,),
    ).fetchone()
    if known is None:
        raise MisplacedRowError(f"series {number} is not in its index")
    says = db.execute(f"SELECT {columns} FROM series NOT INDEXED WHERE id = ?", (number,)).fetchone()  # noqa: S608
    if says == known:  # two copies of all but the sum
        db.execute(f"UPDATE series SET sum = {sum_of_series()} WHERE id = ?", (number,))  # noqa: S608
        return
    _set(db, "series", SERIES, number, dict(zip(SERIES, known, strict=True)))
    if not db.execute(f"SELECT {sound_series()} FROM series WHERE id = ?", (number,)).fetchone()[0]:  # noqa: S608
        raise MisplacedRowError(f"series {number} rotted, and so did its index")


def _mend_indexes(db: sqlite3.Connection, number: int) -> None:
    """Have the indexes say what a row says that is as it was written: it follows them, and takes them back with it."""
    says = _says(db, number)
    _follow_indexes(db, number)
    _set(db, "measurements", _INDEXED[:2], number, dict(zip(_INDEXED, says, strict=True)))
    entries = [
        db.execute(f"SELECT count(*) FROM measurements INDEXED BY {index} WHERE +id = ?", (number,)).fetchone()[0]  # noqa: S608
        for index, _ in _INDEXES
    ]
    if entries != [1, 1] or rows_between(db, number - 1, number):
        raise MisplacedRowError(f"row {number} is as it was written, and its index is not")


def _says(db: sqlite3.Connection, number: int) -> tuple[Any, ...]:
    query = f"SELECT {', '.join(_INDEXED)} FROM measurements NOT INDEXED WHERE id = ?"  # noqa: S608
    found: tuple[Any, ...] = db.execute(query, (number,)).fetchone()
    return found


def _follow_indexes(db: sqlite3.Connection, number: int) -> None:
    """Have a row say what the indexes say of it, so that they can be kept right."""
    says = _says(db, number)
    known: list[Any] = []
    for at, (index, pair) in enumerate(_INDEXES):
        known += _in_index(db, index, pair, number, says[2 * at : 2 * at + 2])
    made = db.execute(
        "SELECT made_series FROM measurements INDEXED BY measurements_moved WHERE made_series IS NOT NULL AND +id = ?",
        (number,),
    ).fetchone()
    known.append(made[0] if made else None)
    if tuple(known) != says:
        _set(db, "measurements", _INDEXED[:2], number, dict(zip(_INDEXED, known, strict=True)))


def _in_index(
    db: sqlite3.Connection, index: str, columns: tuple[str, ...], number: int, likely: Sequence[Any]
) -> tuple[Any, ...]:
    """Return what an index says of a row: where it should be, else wherever it is."""
    query = f"SELECT {', '.join(columns)} FROM measurements INDEXED BY {index} WHERE"  # noqa: S608
    place = " AND ".join(f"{column} = ?" for column in columns)
    found: tuple[Any, ...] | None = (
        db.execute(f"{query} {place} AND id = ?", (*likely, number)).fetchone()
        or db.execute(f"{query} +id = ?", (number,)).fetchone()
    )
    if found is None:
        raise MisplacedRowError(f"row {number} is not in {index}")
    return found


def _set(db: sqlite3.Connection, table: str, key: Sequence[str], number: int, values: Mapping[str, Any]) -> None:
    """Set columns of a row that its indexes know by other values than it says.

    SQLite takes that for damage of the whole file, unless the schema may be written; and from the index of ``key``,
    which is unique, it takes the entry of whoever has what the row says wrongly. So the file has to be sound besides.
    """
    if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise MisplacedRowError(verdict.splitlines()[-1])
    says = db.execute(f"SELECT {', '.join(key)} FROM {table} NOT INDEXED WHERE id = ?", (number,)).fetchone()  # noqa: S608
    place = " AND ".join(f"{column} = ?" for column in key)
    others = db.execute(f"SELECT id FROM {table} WHERE {place} AND id <> ?", (*says, number)).fetchall()  # noqa: S608
    db.execute("PRAGMA writable_schema=ON")
    try:
        setting = ", ".join(f"{column} = ?" for column in values)
        db.execute(f"UPDATE {table} SET {setting} WHERE id = ?", (*values.values(), number))  # noqa: S608
        same = ", ".join(f"{column} = {column}" for column in key)
        db.executemany(f"UPDATE {table} SET {same} WHERE id = ?", others)  # noqa: S608
    except sqlite3.IntegrityError as error:
        raise MisplacedRowError(f"an index of {table} says of {number} what cannot be: {error}") from error
    finally:
        db.execute("PRAGMA writable_schema=OFF")
