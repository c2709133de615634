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
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from gateway.history.books.erased_subjects import ErasedSubjects
from gateway.history.books.row_mover import RowMover, Whose
from gateway.history.books.ward_words import (
    ERASED,
    Place,
    WordError,
    keep_correction,
    keep_mark,
    keep_part,
    keep_placement,
    keep_plan,
    keep_session,
    keep_subject,
)
from gateway.model.entered import is_reported
from gateway.wire.payload import DecodedRecord

log = logging.getLogger(__name__)

KNOWN_MOST = 10_000
"""Sessions of measurements that are kept in memory; the others are read again."""
NO_STAY = "outside"
"""What is put behind the id of a session where nobody has told of the stay around it."""

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

    def keep_word(self, gateway: str, at: Place, record: DecodedRecord) -> None:
        """Keep a word. What is about erased subjects is kept without them."""
        try:
            self._keep(gateway, at, record)
        except WordError as error:
            log.warning("%s: a word about the ward cannot be understood (%s): it is a record only", gateway, error)

    def _keep(self, gateway: str, at: Place, record: DecodedRecord) -> None:
        named = bool(self._erased) and self._erased.mentioned(record.body)
        if record.what == "session":
            session = keep_session(self._db, gateway, at, record.body, record.time_us)
            if named:
                self._erase_names(gateway, session)
            self._noted.add((gateway, session))
        elif record.what == "part":
            self._noted.add((gateway, keep_part(self._db, gateway, record.body)))
        elif named:
            return
        elif record.what == "subject":
            subject = keep_subject(self._db, gateway, at, record.body)
            around = "SELECT session FROM ward_sessions WHERE gateway = ? AND made_subject = ? AND corrected > 0"
            self._noted |= {(gateway, session) for (session,) in self._db.execute(around, (gateway, subject))}
        elif record.what == "plan":
            keep_plan(self._db, gateway, at, record.body)
        elif record.what == "placement":
            keep_placement(self._db, gateway, at, record.body)
        elif record.what == "mark":
            keep_mark(self._db, gateway, record.body)
        elif record.what == "correction":
            keep_correction(self._db, gateway, record.body)
        self._known.clear()
        self._any = None

    def place(
        self, gateway: str, session: str, subject: str, start_us: int, end_us: int, *, reported: bool = False
    ) -> Whose | None:
        """Return under what a measurement is read that a gateway made so; None if it is of an erased subject.

        What somebody ``reported`` is of the whole session, whatever its times become.
        """
        if not self._any_corrected():
            return session, subject
        of = self._of((gateway, session, subject))
        if isinstance(of, _Session):
            if not reported and of.leaves_out(start_us, end_us):
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
            about = self._db.execute(
                "SELECT session FROM ward_parts WHERE gateway = ?1 AND part = ?2 UNION"
                " SELECT s.session FROM ward_subjects w JOIN ward_sessions s ON s.gateway = w.gateway"
                "  AND s.made_subject = w.subject AND s.corrected > 0 WHERE w.gateway = ?1 AND w.stay = ?2",
                (gateway, part),
            )
            self._noted |= {(gateway, session) for (session,) in about}
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
        mover = RowMover(self._db, gateway, epochs, again=self._again)
        for series, key, algorithm in self._series_about(gateway, of):
            mover.move(series, partial(self.place, gateway, *key, reported=is_reported(algorithm)))
        return mover.finish()

    def _series_about(self, gateway: str, of: _Session) -> list[tuple[int, Whose, str]]:
        """Return the series, with key and algorithm, in which a gateway may have made rows that a session is about."""
        within = (
            "SELECT s.id FROM ward_parts p JOIN series s ON s.session = p.part WHERE p.gateway = ?1 AND p.session = ?2"
        )
        found = self._db.execute(
            f"SELECT id, session, subject, algorithm FROM series WHERE id IN ({within})"  # noqa: S608 - our own text
            " OR id IN (SELECT DISTINCT made_series FROM measurements"
            f" WHERE series IN ({within}) AND made_series IS NOT NULL)"
            " OR (?4 AND subject = ?3 AND session IN"
            "  (SELECT stay FROM ward_subjects WHERE gateway = ?1 AND subject = ?3))",
            (gateway, of.id, of.made_subject, of.moved),
        ).fetchall()
        return [(number, (session, subject), algorithm) for number, session, subject, algorithm in found]
