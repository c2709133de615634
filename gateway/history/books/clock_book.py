"""Wall times of the history that turn out wrong: noted, mended in place, and kept from the remote store meanwhile.

A row holds its times as they are to be read, and by how much they were moved, so that what the gateway first said can
be told at any time. Corrections and measurements may come in any order, and twice.
"""

from __future__ import annotations

import logging
import sqlite3
from bisect import insort
from collections.abc import Callable
from itertools import pairwise

from gateway.history.row_sums import carried, renumbered
from gateway.history.schema import BELIEVED, DOUBTFUL, HELD, MENDED
from gateway.machine.facts import TRUE_FROM_US
from gateway.model.wall_correction import MICRO, TOO_OFTEN, TOO_OLD, Correction, Place, verdict

log = logging.getLogger(__name__)

HOLD_S = 3600.0
"""A time service answers within minutes of the network. Later than this the remote store gets the doubtful times, which
the tag ``clock`` tells apart."""
MOST = 100
"""Corrections of one session: a clock that is set more often helps nobody."""
RECENT_S = 45 * 86_400.0
"""An outbox keeps what it could not deliver for a month; a session that ended before that is not mended any more."""
AHEAD_US = 86_400 * MICRO
"""A time that lies further in the future, or before 2025, cannot be: nothing is moved there."""

SURE, LIKELY = 1, 2
"""Column ``believed`` of the corrections: 0 for a clock that cannot be right, 2 for one that nobody has confirmed."""

KNOWN_MOST = 10_000
"""Sessions whose corrections are kept in memory; the others are read again."""

_MADE_IN = (
    "(series IN (SELECT id FROM series WHERE session = ?) AND made_series IS NULL"
    " OR made_series IN (SELECT id FROM series WHERE session = ?))"
)
"""Which rows a session's clock is about: those that were made in it, wherever a correction has put them since."""

Session = tuple[str, str]
"""Gateway and session: the ids of two gateways may be alike."""


class ClockBook:
    """The corrections in a history, and what they do to its rows. Every method is part of its owner's transaction.

    Args:
        db: The history.
        hold: Whether doubtful rows are held back from a remote store.
        clock: Monotonic seconds, for how long.
        now: Wall clock, seconds: what lies ahead of it cannot be.
        most_us: By how much a time may move that nobody doubted.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        hold: bool,
        clock: Callable[[], float],
        now: Callable[[], float],
        most_us: int,
    ) -> None:
        self._now = now
        self._most_us = most_us
        self._newest_us: int | None = None  # of the transaction
        self._noted: set[Session] = set()
        self._refused: set[Session] = set()
        self._db = db
        self._hold = hold
        self._clock = clock
        self._known: dict[Session, list[tuple[Place, Correction]]] = {}
        self._held_since: dict[Session, float] = {}
        self._released: set[Session] = set()
        if hold:
            self._remember_held()

    def note(self, of: Session, at: Place, correction: Correction, *, noted_us: int) -> str:
        """Keep a correction, to be applied with the others of this transaction; return why not, or an empty text."""
        if len(self._corrections(of)) >= MOST:
            return TOO_OFTEN
        if self._is_old(of):
            return TOO_OLD
        believed = SURE if correction.believed else LIKELY * correction.likely
        self._db.execute(
            "INSERT INTO clocks VALUES (?, ?, ?, ?, ?, ?)", (*at, of[1], correction.by_us, believed, noted_us)
        )
        self._add(of, at, correction)
        self._noted.add(of)
        return ""

    def noted(self) -> set[Session]:
        """Return which sessions the new corrections are about."""
        return set(self._noted)

    def apply_noted(self) -> tuple[set[Session], set[Session]]:
        """Mend what the new corrections are about; return of which sessions something was beyond the bounds, or none.

        Words come in any order: a doubt that arrives after the correction that ends it puts that one right.
        """
        for of in self._noted:
            self._apply(of)
        refused, self._refused = self._refused, set()
        right = self._noted - refused
        self._noted = set()
        self._newest_us = None
        return refused, right

    def place(self, of: Session, at: Place, end_us: int) -> tuple[int, int]:
        """Return by how much the times of a measurement move, and what ``clock`` says of them."""
        corrections = self._corrections(of)
        if not corrections:
            return 0, BELIEVED
        by_us, clock, left_out_us = self._verdict(of, corrections, at)
        first_us, last_us = self._possible()
        if left_out_us and not first_us <= end_us + by_us < last_us:
            by_us, left_out_us, clock = by_us + left_out_us, 0, MENDED if clock == BELIEVED else clock
        if left_out_us:
            self._refused.add(of)
        if by_us and not first_us <= end_us + by_us < last_us:
            self._refused.add(of)
            return 0, clock if clock != MENDED else BELIEVED
        return by_us, clock

    def _verdict(self, of: Session, corrections: list[tuple[Place, Correction]], at: Place) -> tuple[int, int, int]:
        judged = verdict(corrections, at, self._most_us)
        if judged.doubtful:
            clock = HELD if self._hold and not judged.likely and of not in self._released else DOUBTFUL
        else:
            clock = MENDED if judged.by_us else BELIEVED
        return judged.by_us, clock, judged.left_out_us

    def _possible(self) -> tuple[int, int]:
        """Return between which times a measurement may be moved."""
        now_us = round(self._now() * MICRO)
        return TRUE_FROM_US, now_us + AHEAD_US if now_us >= TRUE_FROM_US else 2**62

    def _is_old(self, of: Session) -> bool:
        """Whether all of a session was over long before the newest of the history, without a word about its clock."""
        before_us = round((self._now() - RECENT_S) * MICRO)
        (last_us,) = self._db.execute("SELECT max(last_us) FROM sessions WHERE session = ?", of[1:]).fetchone()
        if last_us is None or last_us >= before_us:
            return False
        if self._newest_us is None:
            found = self._db.execute("SELECT max(last_us) FROM sessions WHERE last_us < ?", self._possible()[1:])
            self._newest_us = found.fetchone()[0] or 0
        if last_us >= self._newest_us - RECENT_S * MICRO:
            return False
        (noted_us,) = self._db.execute("SELECT max(noted_us) FROM clocks WHERE session = ?", of[1:]).fetchone()
        return noted_us is None or noted_us < before_us

    def overdue(self, hold_s: float) -> list[Session]:
        """Return whose rows have been held back for too long."""
        now = self._clock()
        late = [of for of, since in self._held_since.items() if now - since >= hold_s]
        for of in late:
            self._corrections(of)
            if of in self._released:
                self._held_since.pop(of, None)
        return [of for of in late if of not in self._released]

    def release(self, of: Session) -> None:
        """Let the remote store have the rows of a session as they are."""
        self._corrections(of)
        self._released.add(of)
        self._apply(of)

    def _corrections(self, of: Session) -> list[tuple[Place, Correction]]:
        """Return the corrections of a session; from the file when it is met first: there are those of years."""
        if (known := self._known.get(of)) is None:
            if len(self._known) >= KNOWN_MOST:
                self._known.clear()
            self._known[of] = known = []
            stored = self._db.execute(
                "SELECT clocks.epoch, seq, by_us, believed FROM clocks JOIN epochs ON epochs.id = clocks.epoch"
                " WHERE session = ? AND gateway = ? ORDER BY clocks.epoch, seq", (of[1], of[0])
            ).fetchall()  # fmt: skip
            for epoch, seq, by_us, believed in stored:
                self._add(of, (epoch, seq), Correction(by_us, believed == SURE, likely=believed == LIKELY))
            if stored and self._was_released(of):
                self._released.add(of)
        return known

    def _was_released(self, of: Session) -> bool:
        return self._db.execute(
            "SELECT 1 FROM measurements WHERE +epoch IN (SELECT id FROM epochs WHERE gateway = ?)"
            " AND series IN (SELECT id FROM series WHERE session = ?) AND clock = ? LIMIT 1", (*of, DOUBTFUL)
        ).fetchone() is not None  # fmt: skip

    def _remember_held(self) -> None:
        """Look for the sessions whose newest word is a doubt: their rows wait."""
        doubtful = self._db.execute(
            "SELECT gateway, session FROM (SELECT gateway, session, believed, row_number() OVER"
            " (PARTITION BY gateway, session ORDER BY clocks.epoch DESC, seq DESC) AS place"
            " FROM clocks JOIN epochs ON epochs.id = clocks.epoch) WHERE place = 1 AND NOT believed"
        ).fetchall()
        for of in doubtful:
            self._held_since[of] = self._clock()

    def _add(self, of: Session, at: Place, correction: Correction) -> None:
        corrections = self._known[of]
        insort(corrections, (at, correction), key=lambda each: each[0])
        newest = corrections[-1][1]
        if self._hold and not (newest.believed or newest.likely):
            self._held_since.setdefault(of, self._clock())
        else:
            self._held_since.pop(of, None)

    def _apply(self, of: Session) -> None:
        """Give every row of a session the times that the corrections say: each stretch between two of them at once."""
        changed = 0
        for (epoch,) in self._db.execute("SELECT id FROM epochs WHERE gateway = ?", of[:1]).fetchall():
            edges = [0, *(seq for (at, seq), _ in self._corrections(of) if at == epoch), 2**62]
            for after, before in pairwise(edges):
                changed += self._move(of, epoch, after, before)
        if changed:
            there = [number for (number,) in self._db.execute(
                f"SELECT DISTINCT series FROM measurements WHERE {_MADE_IN}", (of[1], of[1])  # noqa: S608
            )]  # fmt: skip
            self._db.executemany("INSERT OR IGNORE INTO restate VALUES (?)", [(number,) for number in there])
            self._db.execute(
                "UPDATE sessions SET (first_us, last_us) ="  # noqa: S608 - our own text
                " (SELECT coalesce(min(start_us), first_us), coalesce(max(end_us), last_us) FROM measurements m"
                " JOIN series s ON s.id = m.series WHERE s.session = sessions.session AND s.slot = sessions.slot"
                " AND s.subject = sessions.subject AND s.simulated = sessions.simulated)"
                f" WHERE session IN (SELECT session FROM series WHERE id IN ({', '.join(map(str, there))}))"
            )

    def _move(self, of: Session, epoch: int, after: int, before: int) -> int:
        by_us, clock, left_out_us = self._verdict(of, self._corrections(of), (epoch, after + 1))
        # Found by series: an epoch holds the rows of years.
        rows = f"WHERE {_MADE_IN} AND +epoch = ? AND +seq > ? AND +seq < ?"
        chosen: tuple[object, ...] = (of[1], of[1], epoch, after, before)
        if not left_out_us:
            return self._move_within(of, rows, chosen, by_us, clock)
        within = (*chosen, by_us, *self._possible())
        could_be = f"{rows} AND end_us - moved_us + ? BETWEEN ? AND ?"
        if self._any(could_be, within):
            self._refused.add(of)
        # A time that cannot be is doubt enough.
        could_not = f"{rows} AND NOT end_us - moved_us + ? BETWEEN ? AND ?"
        mended = MENDED if clock == BELIEVED else clock
        return self._move_within(of, could_be, within, by_us, clock) + self._move_within(
            of, could_not, within, by_us + left_out_us, mended
        )

    def _move_within(self, of: Session, rows: str, chosen: tuple[object, ...], by_us: int, clock: int) -> int:
        """Move rows to where times can be; the others stay where they are, and are told."""
        if by_us:
            values = (*chosen, by_us, *self._possible())
            if self._any(f"{rows} AND NOT end_us - moved_us + ? BETWEEN ? AND ?", values):
                self._refused.add(of)
            rows, chosen = f"{rows} AND end_us - moved_us + ? BETWEEN ? AND ?", values
        return self._move_to(rows, chosen, by_us, clock)

    def _any(self, rows: str, chosen: tuple[object, ...]) -> bool:
        return self._db.execute(f"SELECT 1 FROM measurements {rows} LIMIT 1", chosen).fetchone() is not None  # noqa: S608

    def _move_to(self, rows: str, chosen: tuple[object, ...], by_us: int, clock: int) -> int:
        rows, chosen = f"{rows} AND (moved_us <> ? OR clock <> ?)", (*chosen, by_us, clock)
        again: list[int] = []
        if self._hold and clock != HELD:
            # The remote store has not had these, or has them with times that were wrong: at the end of its line.
            query = f"SELECT id FROM measurements {rows} AND clock IN (?, ?) ORDER BY id"  # noqa: S608 - our own text
            again = [number for (number,) in self._db.execute(query, (*chosen, HELD, DOUBTFUL))]
        moves = {"start_us": "start_us - moved_us + ?1", "end_us": "end_us - moved_us + ?1", "moved_us": "?1",
                 "clock": "?2"}  # fmt: skip
        setting = ", ".join(f"{column} = {value}" for column, value in moves.items()) + carried(self._db, **moves)
        changed = self._db.execute(f"UPDATE measurements SET {setting} {rows}", (by_us, clock, *chosen)).rowcount  # noqa: S608
        newest = self._db.execute("SELECT coalesce(max(id), 0) FROM measurements").fetchone()[0]
        again_at = f"UPDATE measurements SET id = ?{renumbered(self._db)} WHERE id = ?"  # noqa: S608
        self._db.executemany(again_at, enumerate(again, newest + 1))
        return changed
