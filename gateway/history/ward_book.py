"""Sessions that were corrected: under which person, and which session, a measurement is read.

A row stands where it is to be read; ``made_series`` says where its gateway had put it. One rule, ``place``, says where
that is, for what comes and for what is there already, so that corrections and measurements may come in any order.
What was made within a session is of whose it is now, within its times; what lies outside of corrected times is of
the stay in that bed, and what of a stay lies within them is of the session.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from gateway.history.erased_subjects import ERASED as OF_ERASED
from gateway.history.erased_subjects import ErasedSubjects
from gateway.history.minutes import keep_newest_id, move_kept, newest_id, restate
from gateway.history.ward_words import (
    ERASED,
    Place,
    WordError,
    keep_correction,
    keep_mark,
    keep_part,
    keep_placement,
    keep_session,
    keep_subject,
)
from gateway.wire.payload import Told

log = logging.getLogger(__name__)

KNOWN_MOST = 10_000
"""Sessions of measurements that are kept in memory; the others are read again."""
NO_STAY = "outside"
"""What is put behind the id of a session where nobody has told of the stay around it."""

Whose = tuple[str, str]
"""Session and subject of a measurement."""
Key = tuple[str, str, str]
"""Gateway, and session and subject as the gateway said them."""


@dataclass(frozen=True, slots=True)
class _Session:
    """A session of the ward as it holds, and as it was made; times in UTC microseconds, open ends at infinity."""

    id: str
    subject: str
    erased: bool
    started_us: int
    ended_us: int
    made_subject: str
    made_started_us: int
    made_ended_us: int
    first_part: str
    last_part: str

    @property
    def moved(self) -> bool:
        """Whether its times were corrected."""
        return (self.started_us, self.ended_us) != (self.made_started_us, self.made_ended_us)

    def leaves_out(self, start_us: int, end_us: int) -> bool:
        """Whether what was made within it lies outside of its corrected times."""
        return (self.started_us > self.made_started_us and start_us < self.started_us) or (
            self.ended_us < self.made_ended_us and end_us > self.ended_us
        )

    def takes_in(self, start_us: int, end_us: int) -> str:
        """Return under which part something stands that was made before or after it; empty if it is not of it."""
        if self.started_us <= start_us and end_us <= self.made_started_us:
            return self.first_part
        if self.made_ended_us <= start_us and end_us <= self.ended_us:
            return self.last_part
        return ""


class WardBook:
    """The ward's words in a history, and what they do to its rows. Every method is part of its owner's transaction.

    Args:
        db: The history.
        erased: The subjects that were erased.
        again: Whether rows that move go to the remote store once more.
    """

    def __init__(self, db: sqlite3.Connection, erased: ErasedSubjects, *, again: bool) -> None:
        self._db = db
        self._erased = erased
        self._again = again
        self._known: dict[Key, list[_Session] | _Session] = {}
        self._noted: set[tuple[str, str]] = set()
        self._any: bool | None = None

    def take(self, gateway: str, at: Place, told: Told) -> None:
        """Keep a word. What is about erased subjects is kept without them."""
        try:
            self._take(gateway, at, told)
        except WordError as error:
            log.warning("%s: a word about the ward cannot be understood (%s): it is a record only", gateway, error)

    def _take(self, gateway: str, at: Place, told: Told) -> None:
        named = bool(self._erased) and self._erased.mentioned(told.body)
        if told.what == "session":
            session = keep_session(self._db, gateway, at, told.body)
            if named:
                self._erase_names(gateway, session)
            self._noted.add((gateway, session))
        elif told.what == "part":
            self._noted.add((gateway, keep_part(self._db, gateway, told.body)))
        elif named:
            return
        elif told.what == "subject":
            subject = keep_subject(self._db, gateway, at, told.body)
            around = "SELECT session FROM ward_sessions WHERE gateway = ? AND made_subject = ? AND corrected > 0"
            self._noted |= {(gateway, session) for (session,) in self._db.execute(around, (gateway, subject))}
        elif told.what == "placement":
            keep_placement(self._db, gateway, at, told.body)
        elif told.what == "mark":
            keep_mark(self._db, gateway, told.body)
        elif told.what == "correction":
            keep_correction(self._db, gateway, told.body)
        self._known.clear()
        self._any = None

    def place(self, gateway: str, session: str, subject: str, start_us: int, end_us: int) -> Whose | None:
        """Return under what a measurement is read that a gateway made so; None if it is of an erased subject."""
        if not self._any_corrected():
            return session, subject
        of = self._of((gateway, session, subject))
        if isinstance(of, _Session):
            if of.leaves_out(start_us, end_us):
                return self._stay(gateway, of, start_us), of.made_subject
            return None if of.erased else (session, of.subject)
        for other in of:
            if part := other.takes_in(start_us, end_us):
                return None if other.erased else (part, other.subject)
        return session, subject

    def apply_noted(self, clocks: Iterable[tuple[str, str]] = ()) -> Counter[str]:
        """Move what the new words are about; return how many rows were moved, by gateway.

        Args:
            clocks: Gateways and sessions of measurements whose wall times were mended: they may be of others now.
        """
        moved: Counter[str] = Counter()
        for gateway, part in clocks:
            found = self._db.execute(
                "SELECT session FROM ward_parts WHERE gateway = ? AND part = ?", (gateway, part)
            ).fetchone()
            if found:
                self._noted.add((gateway, found[0]))
        for gateway, session in self._noted:
            moved[gateway] += self._apply(gateway, session)
        self._noted.clear()
        return +moved

    def _any_corrected(self) -> bool:
        """Whether any session was corrected, or its subject erased: most histories know of none."""
        if self._any is None:
            query = "SELECT EXISTS (SELECT 1 FROM ward_sessions WHERE corrected > 0 OR state = ?)"
            self._any = bool(self._db.execute(query, (ERASED,)).fetchone()[0])
        return self._any

    def _of(self, key: Key) -> list[_Session] | _Session:
        """Return the session that an id of measurements is a part of; else those that may take in some of a stay."""
        if (known := self._known.get(key)) is None:
            if len(self._known) >= KNOWN_MOST:
                self._known.clear()
            known = self._known[key] = self._read(key)
        return known

    def _read(self, key: Key) -> list[_Session] | _Session:
        gateway, part, subject = key
        found = self._db.execute(
            "SELECT s.session FROM ward_parts p JOIN ward_sessions s USING (gateway, session)"
            " WHERE p.gateway = ? AND p.part = ?", (gateway, part)
        ).fetchone()  # fmt: skip
        if found:
            return self._session(gateway, found[0])
        longer = self._db.execute(
            "SELECT session FROM ward_sessions WHERE gateway = ? AND made_subject = ? AND corrected > 0"
            " AND (started_us < made_started_us OR ended_us > made_ended_us)", (gateway, subject)
        ).fetchall()  # fmt: skip
        return [self._session(gateway, session) for (session,) in longer]

    def _session(self, gateway: str, session: str) -> _Session:
        found = self._db.execute(
            "SELECT subject, state = ?, started_us, coalesce(ended_us, ?), made_subject, made_started_us,"
            " coalesce(made_ended_us, ?) FROM ward_sessions WHERE gateway = ? AND session = ?",
            (ERASED, 2**62, 2**62, gateway, session),
        ).fetchone()
        parts = [part for (part,) in self._db.execute(
            "SELECT part FROM ward_parts WHERE gateway = ? AND session = ? ORDER BY length(part), part",
            (gateway, session),
        )]  # fmt: skip
        ends = (parts[0], parts[-1]) if parts else (session, session)
        return _Session(session, found[0], bool(found[1]), *found[2:], *ends)

    def _stay(self, gateway: str, of: _Session, at_us: int) -> str:
        """Return the id of the stay around a session at a time."""
        found = self._db.execute(
            "SELECT stay FROM ward_subjects WHERE gateway = ? AND subject = ? AND from_us <= ? AND stay <> ''"
            " ORDER BY from_us DESC, epoch DESC, seq DESC LIMIT 1", (gateway, of.made_subject, at_us)
        ).fetchone()  # fmt: skip
        return found[0] if found else f"{of.id}-{NO_STAY}"

    def _erase_names(self, gateway: str, session: str) -> None:
        """Take erased subjects out of a session that has just been told."""
        subject, made, notes = self._db.execute(
            "SELECT subject, made_subject, notes FROM ward_sessions WHERE gateway = ? AND session = ?",
            (gateway, session),
        ).fetchone()
        whole = not self._erased.holds(subject)
        kept = (
            subject if whole else "", "" if self._erased.holds(made) or not whole else made,
            "" if self._erased.mentioned(notes.encode()) or not whole else notes, gateway, session,
        )  # fmt: skip
        self._db.execute(
            "UPDATE ward_sessions SET subject = ?, made_subject = ?, notes = ? WHERE gateway = ? AND session = ?", kept
        )
        if not whole:
            self._db.execute(
                "UPDATE ward_sessions SET state = ?, protocol = '' WHERE gateway = ? AND session = ?",
                (ERASED, gateway, session),
            )

    # What moves rows.

    def _apply(self, gateway: str, session: str) -> int:
        """Put every row that a session is about where it belongs; return how many moved."""
        query = "SELECT corrected > 0 OR state = ? FROM ward_sessions WHERE gateway = ? AND session = ?"
        found = self._db.execute(query, (ERASED, gateway, session)).fetchone()
        if not found or not found[0]:
            return 0
        of = self._session(gateway, session)
        epochs = [number for (number,) in self._db.execute("SELECT id FROM epochs WHERE gateway = ?", (gateway,))]
        mover = _Mover(self._db, gateway, epochs, again=self._again)
        for series, key in self._series_about(gateway, of):
            mover.move(series, partial(self.place, gateway, *key))
        return mover.finish()

    def _series_about(self, gateway: str, of: _Session) -> list[tuple[int, Whose]]:
        """Return the series under which a gateway may have made rows that a session is about, each with its key."""
        within = (
            "SELECT s.id FROM ward_parts p JOIN series s ON s.session = p.part WHERE p.gateway = ?1 AND p.session = ?2"
        )
        found = self._db.execute(
            f"SELECT id, session, subject FROM series WHERE id IN ({within}) OR id IN (SELECT DISTINCT made_series"  # noqa: S608 - our own text
            f" FROM measurements WHERE series IN ({within}) AND made_series IS NOT NULL)"
            " OR (?4 AND subject = ?3 AND session IN"
            "  (SELECT stay FROM ward_subjects WHERE gateway = ?1 AND subject = ?3))",
            (gateway, of.id, of.made_subject, of.moved),
        ).fetchall()
        return [(number, (session, subject)) for number, session, subject in found]


class _Mover:
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
        self._db.executemany("UPDATE measurements SET series = ?, made_series = ? WHERE id = ?", moves)
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
            self._db.executemany("UPDATE measurements SET id = ? WHERE id = ?", numbers)

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
        """Move what retention has left of rows: the minutes that lie wholly where they belong to others."""
        kept = self._db.execute(
            "SELECT minute, n, first_us, last_us FROM minutes WHERE series = ? AND kept = 0", (series,)
        ).fetchall()
        for minute, n, first_us, last_us in kept:
            whose = place(first_us, last_us)
            target = None if whose is None else _series_like(self._db, series, whose)
            if target != series:
                move_kept(self._db, series, minute, target)
                self._note(series, -n)
                if target is not None:
                    self._note(target, n)

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
    db.execute(
        "INSERT OR IGNORE INTO series (slot, session, subject, metric, side, unit, algorithm, devices, placement,"
        " simulated) SELECT slot, ?, ?, metric, side, unit, algorithm, devices, placement, simulated FROM series"
        " WHERE id = ?", (*whose, series)
    )  # fmt: skip
    found = db.execute(
        "SELECT t.id FROM series s JOIN series t ON t.slot = s.slot AND t.session = ? AND t.subject = ?"
        " AND t.metric = s.metric AND t.side = s.side AND t.unit = s.unit AND t.algorithm = s.algorithm"
        " AND t.devices = s.devices AND t.placement = s.placement AND t.simulated = s.simulated WHERE s.id = ?",
        (*whose, series),
    ).fetchone()
    return int(found[0])
