"""Rows that become another person's or another session's: moved, with minute values, counts and the remote store."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable

from gateway.history.books.erased_subjects import ERASED as OF_ERASED
from gateway.history.minutes import keep_newest_id, move_kept, newest_id, restate
from gateway.history.row_sums import carried, has_sums, renumbered, sum_of_series

Whose = tuple[str, str]
"""Session and subject of a measurement."""
_WHOSE = {"session": "?1", "subject": "?2"}


class RowMover:
    """Moves rows of one gateway to other series, with their minute values and the sessions that count them."""

    def __init__(self, db: sqlite3.Connection, gateway: str, epochs: list[int], *, again: bool) -> None:
        self._db = db
        self._gateway = gateway
        self._left: set[int] = set()  # series that rows have left
        self._of = f"epoch IN ({', '.join(map(str, epochs))})"
        self._again = again
        self._touched: set[int] = set()
        self._counts: Counter[int] = Counter()
        self._moved = 0

    def move(self, made: int, place: Callable[[int, int], Whose | None]) -> None:
        """Put the rows that were made under a series where they belong."""
        rows = self._db.execute(
            f"SELECT id, series, start_us, end_us FROM measurements WHERE {self._of} AND series = ?1"  # noqa: S608
            " AND made_series IS NULL UNION ALL SELECT id, series, start_us, end_us FROM measurements"
            f" WHERE {self._of} AND made_series = ?1 ORDER BY id", (made,)
        ).fetchall()  # fmt: skip
        series: dict[Whose | None, int] = {}
        moves: list[tuple[int, int | None, int]] = []
        gone: list[int] = []
        for number, now, start_us, end_us in rows:
            whose = place(start_us, end_us)
            if whose is None:
                gone.append(number)
                self._left.add(now)
                self._note(now, -1)
                continue
            if (target := series.get(whose)) is None:
                target = series[whose] = _series_like(self._db, made, whose)
            if target != now:
                moves.append((target, None if target == made else made, number))
                self._left.add(now)
                self._note(now, -1)
                self._note(target, 1)
        kept = carried(self._db, series="?1", made_series="?2")
        self._db.executemany(f"UPDATE measurements SET series = ?1, made_series = ?2{kept} WHERE id = ?3", moves)  # noqa: S608
        self._moved += len(moves) + len(gone)
        self._erase(gone)
        self._copy_again([number for _, _, number in moves])
        self._move_minutes(made, place)

    def finish(self) -> int:
        """Make minutes and sessions say what the rows say; return how many moved."""
        self._leave_behind()
        for series in sorted(self._touched):
            restate(self._db, series)
        for key in {self._key(series) for series in self._touched}:
            self._count_session(*key)
        return self._moved

    def _note(self, series: int, n: int) -> None:
        self._touched.add(series)
        self._counts[series] += n

    def _copy_again(self, rows: list[int]) -> None:
        """Have rows written to the remote store once more: at the end of its line."""
        if self._again:
            numbers = enumerate(rows, newest_id(self._db) + 1)
            self._db.executemany(f"UPDATE measurements SET id = ?{renumbered(self._db)} WHERE id = ?", numbers)  # noqa: S608

    def _leave_behind(self) -> None:
        """Have the remote store delete what rows have left, by session and subject, and take again what stays there."""
        if not self._again:
            return
        for session, _, subject, _ in {self._key(series) for series in self._left}:
            self._db.execute("INSERT OR IGNORE INTO left_behind VALUES (?, ?, ?)", (self._gateway, session, subject))
            stays = self._db.execute(
                f"SELECT id FROM measurements WHERE {self._of} AND series IN"  # noqa: S608
                " (SELECT id FROM series WHERE session = ? AND subject = ?) ORDER BY id", (session, subject)
            ).fetchall()  # fmt: skip
            self._copy_again([number for (number,) in stays])

    def _erase(self, gone: list[int]) -> None:
        """Delete rows of somebody who was erased; their numbers stay as gaps."""
        if not gone:
            return
        newest = newest_id(self._db)
        ids = [(number,) for number in gone]
        self._db.executemany(
            "INSERT OR IGNORE INTO gaps SELECT epoch, seq, seq, ? FROM measurements WHERE id = ?",
            [(OF_ERASED, number) for number in gone],
        )
        self._db.executemany("DELETE FROM measurements WHERE id = ?", ids)
        keep_newest_id(self._db, newest)

    def _move_minutes(self, series: int, place: Callable[[int, int], Whose | None]) -> None:
        """Move what retention has left of rows: the minutes that lie wholly where they belong to others.

        They do not say which gateway made them: those of a session that another tells of, too, stay where they are.
        """
        kept = self._db.execute(
            "SELECT minute, n, first_us, last_us FROM minutes WHERE series = ? AND kept = 0", (series,)
        ).fetchall()
        if not kept or self._is_of_others_too(series):
            return
        for minute, n, first_us, last_us in kept:
            whose = place(first_us, last_us)
            target = None if whose is None else _series_like(self._db, series, whose)
            if target != series:
                move_kept(self._db, series, minute, target)
                self._note(series, -n)
                if target is not None:
                    self._note(target, n)

    def _is_of_others_too(self, series: int) -> bool:
        """Whether a gateway other than this has rows of a series, or says that its session and subject are its own."""
        session, _, subject, _ = self._key(series)
        found = self._db.execute(
            f"SELECT EXISTS (SELECT 1 FROM measurements WHERE series = ?1 AND NOT {self._of})"  # noqa: S608
            " OR EXISTS (SELECT 1 FROM epochs e JOIN ward_subjects w ON w.gateway = e.gateway AND w.stay = ?2"
            "  AND w.subject = ?3 WHERE e.gateway <> ?4)"
            " OR EXISTS (SELECT 1 FROM epochs e JOIN ward_parts p ON p.gateway = e.gateway AND p.part = ?2"
            "  JOIN ward_sessions s ON s.gateway = p.gateway AND s.session = p.session WHERE e.gateway <> ?4"
            "  AND (?3 IN (s.subject, s.made_subject) OR EXISTS (SELECT 1 FROM ward_corrections c"
            "   WHERE c.gateway = s.gateway AND c.session = s.session AND ?3 IN (c.subject, c.subject_before))))",
            (series, session, subject, self._gateway),
        ).fetchone()  # fmt: skip
        return bool(found[0])

    def _key(self, series: int) -> tuple[str, str, str, int]:
        query = "SELECT session, slot, subject, simulated FROM series WHERE id = ?"
        session, slot, subject, simulated = self._db.execute(query, (series,)).fetchone()
        return session, slot, subject, simulated

    def _count_session(self, session: str, slot: str, subject: str, simulated: int) -> None:
        key = (session, slot, subject, simulated)
        mine = [number for (number,) in self._db.execute(
            "SELECT id FROM series WHERE session = ? AND slot = ? AND subject = ? AND simulated = ?", key
        )]  # fmt: skip
        of = f"series IN ({', '.join(map(str, mine))})"
        first, last = self._db.execute(
            f"SELECT min(first_us), max(last_us) FROM (SELECT min(start_us) AS first_us, max(end_us) AS last_us"  # noqa: S608
            f" FROM measurements WHERE {of} UNION ALL SELECT min(first_us), max(last_us) FROM minutes WHERE {of})"
        ).fetchone()
        whole = "session = ? AND slot = ? AND subject = ? AND simulated = ?"
        if first is None:
            self._db.execute(f"DELETE FROM sessions WHERE {whole}", key)  # noqa: S608
            return
        n = sum(self._counts[number] for number in mine)
        self._db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET first_us = excluded.first_us,"
            " last_us = excluded.last_us, measurements = max(0, measurements + excluded.measurements)",
            (*key, first, last, n),
        )


def _series_like(db: sqlite3.Connection, series: int, whose: Whose) -> int:
    """Return the series that is as another, of another session and subject; made if it is new."""
    into = value = ""
    if has_sums(db):
        into, value = ", sum", f", carried_sum(sum, {sum_of_series()}, {sum_of_series(changes=_WHOSE)})"
    db.execute(
        f"INSERT OR IGNORE INTO series (slot, session, subject, metric, side, unit, algorithm, devices, placement,"  # noqa: S608
        f" simulated{into}) SELECT slot, ?1, ?2, metric, side, unit, algorithm, devices, placement, simulated{value}"
        " FROM series WHERE id = ?3", (*whose, series)
    )  # fmt: skip
    found = db.execute(
        "SELECT t.id FROM series s JOIN series t ON t.slot = s.slot AND t.session = ? AND t.subject = ?"
        " AND t.metric = s.metric AND t.side = s.side AND t.unit = s.unit AND t.algorithm = s.algorithm"
        " AND t.devices = s.devices AND t.placement = s.placement AND t.simulated = s.simulated WHERE s.id = ?",
        (*whose, series),
    ).fetchone()
    return int(found[0])
