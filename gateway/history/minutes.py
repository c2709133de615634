"""Minute values of the history: kept for ever, made from the rows in portions, in the background.

Every row counts once: the cursor ``rolled_id`` moves in the transaction that adds the rows before it. When rows of a
series move (their wall times were wrong), its minutes are made again from the rows that are there. When retention
deletes rows, what they said goes over to minutes of their own, which nothing makes again. A row that
rotted counts in none.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gateway.history.row_sums import has_sums, insert_row
from gateway.history.schema import BELIEVED, HELD
from gateway.machine.facts import TRUE_FROM_US

MINUTE_US = 60_000_000
PORTION = 10_000
"""Rows of one transaction: some 50 ms, which new measurements may have to wait."""
RESTATED = 8
"""Series of one transaction that are made again: some ten thousand rows each at the most."""
NOBODY = 0
"""Series, and epoch, of the row that keeps the newest id in use: in no table, so that nothing shows it."""

_COLUMNS = "series, minute, kept, n, degraded, invalid, valued, total, squares, low, high, first_us, last_us"
_SUMMARY = (
    "count(*), sum(m.quality = 1), sum(m.quality = 2), sum(m.quality < 2 AND m.value IS NOT NULL),"
    " coalesce(sum(CASE WHEN m.quality < 2 THEN m.value END), 0.0),"
    " coalesce(sum(CASE WHEN m.quality < 2 THEN m.value * m.value END), 0.0),"
    " min(CASE WHEN m.quality < 2 THEN m.value END), max(CASE WHEN m.quality < 2 THEN m.value END),"
    " min(m.start_us), max(m.end_us)"
)
_ADDED = (
    " ON CONFLICT DO UPDATE SET n = n + excluded.n, degraded = degraded + excluded.degraded,"
    " invalid = invalid + excluded.invalid, valued = valued + excluded.valued, total = total + excluded.total,"
    " squares = squares + excluded.squares, low = min(coalesce(low, excluded.low), coalesce(excluded.low, low)),"
    " high = max(coalesce(high, excluded.high), coalesce(excluded.high, high)),"
    " first_us = min(first_us, excluded.first_us), last_us = max(last_us, excluded.last_us)"
)
_ADD = (
    f"INSERT INTO minutes ({_COLUMNS}) SELECT m.series, m.end_us / {MINUTE_US}, ?, {_SUMMARY} FROM sound m"  # noqa: S608 - our own text, here and below
    " WHERE m.id > ? AND m.id <= ? AND m.series <> 0{} GROUP BY m.series, m.end_us / " + str(MINUTE_US) + _ADDED
)


@dataclass(frozen=True, slots=True)
class Rolled:
    """One step: how many ids the cursor went on, and how far from our time the believed end nearest to it is."""

    ids: int
    apart_us: int | None = None


def pending(db: sqlite3.Connection) -> bool:
    """Whether minutes have to be made again."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM restate)").fetchone()[0])


def restate(db: sqlite3.Connection, series: int) -> None:
    """Make the minutes of a series again, from the rows that are there and were counted before."""
    db.execute("DELETE FROM minutes WHERE series = ? AND kept = 1", (series,))
    db.execute(
        f"INSERT INTO minutes ({_COLUMNS}) SELECT m.series, m.end_us / {MINUTE_US}, 1, {_SUMMARY} FROM sound m"  # noqa: S608
        " WHERE m.series = ? AND m.id <= (SELECT rolled_id FROM upkeep)"
        f" GROUP BY m.end_us / {MINUTE_US}",
        (series,),
    )
    db.execute("DELETE FROM restate WHERE series = ?", (series,))


def restate_some(db: sqlite3.Connection) -> int:
    """Make the minutes of some series again; return of how many. Part of the caller's transaction, as all here."""
    waiting = db.execute("SELECT series FROM restate LIMIT ?", (RESTATED,)).fetchall()
    for (series,) in waiting:
        restate(db, series)
    return len(waiting)


def roll_up(db: sqlite3.Connection, now_us: int, portion: int = PORTION) -> Rolled:
    """Count the next rows in their minutes. Nothing may be ``pending``: rows that moved would count twice."""
    after, old = db.execute("SELECT rolled_id, old_id FROM upkeep").fetchone()
    found = db.execute(
        "SELECT max(id) FROM (SELECT id FROM measurements WHERE id > ? ORDER BY id LIMIT ?)", (after, portion)
    ).fetchone()[0]
    if found is None:
        return Rolled(0)
    db.execute(_ADD.format(""), (1, after, found))
    db.execute("UPDATE upkeep SET rolled_id = ?", (found,))
    newest, nearest = db.execute(
        "SELECT max(end_us), min(abs(end_us - ?)) FROM measurements WHERE id > ? AND id <= ? AND clock = ?"
        " AND series <> 0", (now_us, after, found, BELIEVED)
    ).fetchone()  # fmt: skip
    if found <= old:
        # Nobody noted when these came: not before the newest of them was measured. If all are in doubt, the next say.
        if newest is not None or found == old:
            at_us = max(now_us, TRUE_FROM_US) if newest is None else newest
            db.execute("INSERT OR IGNORE INTO received VALUES (?, ?)", (found, at_us))
        return Rolled(found - after)
    return Rolled(found - after, nearest)


def delete_rows(db: sqlite3.Connection, after: int, upto: int, portion: int = PORTION) -> int:
    """Delete some of the rows beyond one id and up to another, and keep what they said of their minutes.

    Rows that are held back from the remote store stay. Nothing may be ``pending``.
    """
    last = db.execute(
        "SELECT max(id) FROM (SELECT id FROM measurements WHERE id > ? AND id <= ? AND series <> 0 AND clock <> ?"
        " ORDER BY id LIMIT ?)", (after, upto, HELD, portion)
    ).fetchone()[0]  # fmt: skip
    if last is None:
        return 0
    newest = newest_id(db)
    # Numbers name nobody: freed pages need not be overwritten, which doubles the writing.
    db.execute("PRAGMA secure_delete=OFF")
    db.execute("CREATE TEMP TABLE IF NOT EXISTS touched (series INTEGER, minute INTEGER)")
    chosen = "id > ? AND id <= ? AND series <> 0 AND clock <> ?"
    db.execute(
        f"INSERT INTO touched SELECT DISTINCT series, end_us / {MINUTE_US} FROM measurements WHERE {chosen}",  # noqa: S608
        (after, last, HELD),
    )
    db.execute(_ADD.format(f" AND m.clock <> {HELD}"), (0, after, last))
    gone = db.execute(f"DELETE FROM measurements WHERE {chosen}", (after, last, HELD)).rowcount  # noqa: S608
    db.execute("DELETE FROM minutes WHERE kept = 1 AND (series, minute) IN (SELECT series, minute FROM touched)")
    db.execute(
        f"INSERT INTO minutes ({_COLUMNS}) SELECT t.series, t.minute, 1, {_SUMMARY} FROM touched t"  # noqa: S608
        f" CROSS JOIN sound m ON m.series = t.series AND m.end_us >= t.minute * {MINUTE_US}"
        f" AND m.end_us < (t.minute + 1) * {MINUTE_US}"
        " WHERE m.id <= (SELECT rolled_id FROM upkeep) GROUP BY t.series, t.minute"
    )
    db.execute("DELETE FROM touched")
    db.execute("PRAGMA secure_delete=ON")
    keep_newest_id(db, newest)
    return int(gone)


def move_kept(db: sqlite3.Connection, series: int, minute: int, target: int | None) -> None:
    """Move to another series what a minute says of rows that were deleted; to None, delete it."""
    if target is not None:
        rest = _COLUMNS.removeprefix("series, ")
        db.execute(
            f"INSERT INTO minutes ({_COLUMNS}) SELECT ?, {rest} FROM minutes WHERE series = ? AND minute = ?"  # noqa: S608
            f" AND kept = 0{_ADDED}", (target, series, minute)
        )  # fmt: skip
    db.execute("DELETE FROM minutes WHERE series = ? AND minute = ? AND kept = 0", (series, minute))


def newest_id(db: sqlite3.Connection) -> int:
    """Return the largest id in use."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM measurements").fetchone()[0])


def keep_newest_id(db: sqlite3.Connection, newest: int) -> None:
    """Keep the largest id in use after a deletion, by a row that says nothing.

    Ids that came again would be taken for such that were copied, counted, and received long ago.
    """
    now = newest_id(db)
    if now < newest:
        nothing = (NOBODY, newest, NOBODY, 0, 0, None, None, 0, 0, 2, 0, 0, None, "")
        insert_row(db, nothing, summed=has_sums(db), number=newest)
    db.execute("DELETE FROM measurements WHERE epoch = ? AND id < ?", (NOBODY, max(now, newest)))
