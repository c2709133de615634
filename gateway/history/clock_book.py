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

from gateway.history.schema import BELIEVED, DOUBTFUL, HELD, MENDED
from gateway.model.wall_correction import Correction, Place, verdict

log = logging.getLogger(__name__)

HOLD_S = 3600.0
"""A time service answers within minutes of the network. Later than this the remote store gets the doubtful times, which
the tag ``clock`` tells apart."""
MOST = 1_000
"""Corrections of one session: a clock that is set more often helps nobody."""

Session = tuple[str, str]
"""Gateway and session: the ids of two gateways may be alike."""


class ClockBook:
    """The corrections in a history, and what they do to its rows. Every method is part of its owner's transaction.

    Args:
        db: The history.
        hold: Whether doubtful rows are held back from a remote store.
        clock: Monotonic seconds, for how long.
    """

    def __init__(self, db: sqlite3.Connection, *, hold: bool, clock: Callable[[], float]) -> None:
        self._db = db
        self._hold = hold
        self._clock = clock
        self._known: dict[Session, list[tuple[Place, Correction]]] = {}
        self._held_since: dict[Session, float] = {}
        self._let_go: set[Session] = set()
        stored = db.execute(
            "SELECT gateway, session, clocks.epoch, seq, by_us, believed FROM clocks"
            " JOIN epochs ON epochs.id = clocks.epoch ORDER BY clocks.epoch, seq"
        )
        for gateway, session, epoch, seq, by_us, believed in stored.fetchall():
            self._add((gateway, session), (epoch, seq), Correction(by_us, bool(believed)))
        for of in self._known:
            let_go = db.execute(
                "SELECT 1 FROM measurements WHERE +epoch IN (SELECT id FROM epochs WHERE gateway = ?)"
                " AND series IN (SELECT id FROM series WHERE session = ?) AND clock = ? LIMIT 1", (*of, DOUBTFUL)
            )  # fmt: skip
            if let_go.fetchone():
                self._let_go.add(of)

    def note(self, of: Session, at: Place, correction: Correction, *, noted_us: int) -> bool:
        """Keep a correction and mend what it is about; return whether it was new."""
        if len(self._known.get(of, ())) >= MOST:
            log.warning("the clock of %s was set too often: a correction is left out", of[0])
            return False
        new = self._db.execute(
            "INSERT OR IGNORE INTO clocks VALUES (?, ?, ?, ?, ?, ?)",
            (*at, of[1], correction.by_us, correction.believed, noted_us),
        ).rowcount
        if new:
            self._add(of, at, correction)
            self._apply(of)
        return bool(new)

    def place(self, of: Session, at: Place) -> tuple[int, int]:
        """Return by how much the times of a measurement move, and what ``clock`` says of them."""
        corrections = self._known.get(of)
        if corrections is None:
            return 0, BELIEVED
        said = verdict(corrections, at)
        if said.doubtful:
            return said.by_us, HELD if self._hold and of not in self._let_go else DOUBTFUL
        return said.by_us, MENDED if said.by_us else BELIEVED

    def overdue(self, hold_s: float) -> list[Session]:
        """Return whose rows have been held back for too long."""
        now = self._clock()
        return [of for of, since in self._held_since.items() if of not in self._let_go and now - since >= hold_s]

    def let_go(self, of: Session) -> None:
        """Let the remote store have the rows of a session as they are."""
        self._let_go.add(of)
        self._apply(of)

    def _add(self, of: Session, at: Place, correction: Correction) -> None:
        corrections = self._known.setdefault(of, [])
        insort(corrections, (at, correction), key=lambda each: each[0])
        if self._hold and not corrections[-1][1].believed:
            self._held_since.setdefault(of, self._clock())
        else:
            self._held_since.pop(of, None)

    def _apply(self, of: Session) -> None:
        """Give every row of a session the times that the corrections say: each stretch between two of them at once."""
        changed = 0
        for (epoch,) in self._db.execute("SELECT id FROM epochs WHERE gateway = ?", of[:1]).fetchall():
            edges = [0, *(seq for (at, seq), _ in self._known[of] if at == epoch), 2**62]
            for after, before in pairwise(edges):
                changed += self._move(of, epoch, after, before)
        if changed:
            self._db.execute(
                "UPDATE sessions SET (first_us, last_us) = (SELECT min(start_us), max(end_us) FROM measurements m"
                " JOIN series s ON s.id = m.series WHERE s.session = sessions.session AND s.slot = sessions.slot"
                " AND s.subject = sessions.subject AND s.simulated = sessions.simulated)"
                " WHERE session = ?", of[1:],
            )  # fmt: skip

    def _move(self, of: Session, epoch: int, after: int, before: int) -> int:
        by_us, clock = self.place(of, (epoch, after + 1))
        # Found by series: an epoch holds the rows of years.
        rows = (
            "WHERE series IN (SELECT id FROM series WHERE session = ?) AND +epoch = ? AND +seq > ? AND +seq < ?"
            " AND (moved_us <> ? OR clock <> ?)"
        )
        chosen = (of[1], epoch, after, before, by_us, clock)
        again: list[int] = []
        if self._hold and clock != HELD:
            # The remote store has not had these, or has them with times that were wrong: at the end of its line.
            query = f"SELECT id FROM measurements {rows} AND clock IN (?, ?) ORDER BY id"  # noqa: S608 - our own text
            again = [number for (number,) in self._db.execute(query, (*chosen, HELD, DOUBTFUL))]
        moves = "start_us = start_us - moved_us + ?, end_us = end_us - moved_us + ?, moved_us = ?, clock = ?"
        changed = self._db.execute(
            f"UPDATE measurements SET {moves} {rows}", (by_us, by_us, by_us, clock, *chosen)  # noqa: S608
        ).rowcount  # fmt: skip
        newest = self._db.execute("SELECT coalesce(max(id), 0) FROM measurements").fetchone()[0]
        self._db.executemany("UPDATE measurements SET id = ? WHERE id = ?", enumerate(again, newest + 1))
        return changed
