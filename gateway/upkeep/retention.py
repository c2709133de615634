"""Retention: which rows are old, by when they were received, and how many of them may go at once.

Nobody's clock but the historian's own counts, and only while it is believed (``believed_time``): once an hour the
history notes which rows have been received by then. What has become old since the last day goes. Beyond that, more
has become old at once than time explains (another ``keep_days``, a clock that is ahead, a historian that was off): then
at most a share of the history goes in a day, and the rest waits for more days, or for a person's word.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.history import minutes
from gateway.history.database import Database
from gateway.upkeep.believed_time import MICRO, UNSETTLED, BelievedTime

log = logging.getLogger(__name__)

DAY_S = 86_400.0
DAY_US = 86_400 * MICRO
NOTE_S = 3_600.0
"""Time between two notes of what has been received: the least that retention tells apart."""
RUN_S = 6 * 3_600.0
"""Time between two runs."""
ORDINARY_US = 2 * DAY_US
"""What became old within this is a day's due, and a day that was missed."""
LOOK_S = 60.0
"""Time between two looks at a clock that is not believed."""
RECORDS_AT_ONCE = 5_000
CLOCKS_LONGER_US = 60 * DAY_US
"""Corrections outlive what they are about: an outbox may hold a part of it for thirty days."""

_STATE = ("rolled_id", "old_id", "alive_us", "cut_us", "day_us", "gone")

OnEvent = Callable[..., None]
"""Called with what happened, and fields: numbers and short texts."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is old: rows beyond ``after`` and up to ``upto``, received at ``at_us`` at the latest."""

    after: int
    upto: int
    at_us: int


def mark_received(db: sqlite3.Connection, at_us: int, *, copying: bool) -> None:
    """Note that what is here was received at that time at the latest."""
    newest, last = db.execute(
        "SELECT (SELECT coalesce(max(id), 0) FROM measurements), (SELECT coalesce(max(upto_id), 0) FROM received)"
    ).fetchone()
    old, rolled = db.execute("SELECT old_id, rolled_id FROM upkeep").fetchone()
    if newest > last and rolled >= old:
        db.execute("INSERT INTO received VALUES (?, ?)", (newest, at_us))
    upto = "min(received, copied)" if copying else "received"
    db.execute(
        f"INSERT OR IGNORE INTO received_seqs SELECT id, {upto}, ? FROM epochs WHERE {upto} >"  # noqa: S608 - our own text
        " (SELECT coalesce(max(upto_seq), 0) FROM received_seqs WHERE epoch = epochs.id)", (at_us,)
    )  # fmt: skip


def due(db: sqlite3.Connection, before_us: int, *, after: int = 0, copying: bool = False) -> Due | None:
    """Return the next rows beyond an id that were received before a time, and may go."""
    limit = "min(rolled_id, (SELECT upto FROM copying))" if copying else "rolled_id"
    found = db.execute(
        "SELECT coalesce((SELECT max(upto_id) FROM received p WHERE p.upto_id < r.upto_id), 0), upto_id, at_us"  # noqa: S608
        f" FROM received r WHERE upto_id > ? AND upto_id <= (SELECT {limit} FROM upkeep) AND at_us < ?"
        " ORDER BY upto_id LIMIT 1", (after, before_us)
    ).fetchone()  # fmt: skip
    return None if found is None else Due(*found)


def due_rows(db: sqlite3.Connection, before_us: int) -> int:
    """Return about how many rows were received before a time: counting those of years takes minutes."""
    return int(db.execute(
        "SELECT coalesce(sum(max(0, upto_id - max(first, coalesce((SELECT max(upto_id) FROM received p"
        " WHERE p.upto_id < r.upto_id), 0)))), 0) FROM received r,"
        " (SELECT coalesce(min(id) - 1, 0) AS first FROM measurements) WHERE at_us < ?", (before_us,)
    ).fetchone()[0])  # fmt: skip


def span(db: sqlite3.Connection) -> int:
    """Return about how many rows there are: counting those of years takes minutes."""
    first, last = db.execute("SELECT (SELECT min(id) FROM measurements), (SELECT max(id) FROM measurements)").fetchone()
    return 0 if first is None else int(last - first + 1)


class Retention:
    """Deletes what is old, a portion at a time. For one thread.

    Args:
        history: Where.
        keep_days: Rows that were received longer ago are deleted.
        share: Most of the history that goes in a day beyond what became old in it, 0 to 1.
        clock: Whether the clock may say what is old.
        on_event: Called with what was done, or is not done and why.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        history: Database,
        *,
        keep_days: int,
        share: float,
        clock: BelievedTime,
        on_event: OnEvent,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._keep_us = keep_days * DAY_US
        self._share = share
        self._clock = clock
        self._on_event = on_event
        self._monotonic = monotonic
        self._note_at = self._run_at = float("-inf")
        self._day_at: float | None = None
        self._run: _Run | None = None
        self._withheld_for = ""

    def work(self) -> bool:
        """Do a little of what there is to do; return whether there is more."""
        if self._run is None and self._monotonic() < min(self._note_at, self._run_at):
            return False
        with self._history.transaction() as db:
            state = dict(zip(_STATE, db.execute(f"SELECT {', '.join(_STATE)} FROM upkeep").fetchone(), strict=True))  # noqa: S608
            if state["rolled_id"] < state["old_id"]:
                return False  # when the rows of an earlier version came is found out first
            if doubt := self._clock.doubt(self._alive_us(db, state)):
                self._run = None
                self._note_at = self._monotonic() + LOOK_S
                return self._withhold(db, doubt)
            if self._monotonic() >= self._note_at:
                self._note_at = self._monotonic() + NOTE_S
                mark_received(db, self._clock.now_us(), copying=self._history.rules.copying)
                db.execute("UPDATE upkeep SET alive_us = ?", (self._clock.now_us(),))
            if self._run is None:
                if self._monotonic() < self._run_at:
                    return False
                self._run = self._begin(db, state)
            more = self._go_on(db, self._run)
        if not more:
            self._end(self._run)
        return more

    def confirm(self, db: sqlite3.Connection) -> dict[str, Any]:
        """Take a person's word that the clock is right and that everything that is old by now may go."""
        now_us = self._clock.now_us()
        db.execute("UPDATE received SET at_us = ? WHERE at_us > ?", (now_us, now_us))
        db.execute("UPDATE upkeep SET alive_us = ?, cut_us = ?", (now_us, now_us - self._keep_us))
        self._run = None
        self._note_at = self._run_at = float("-inf")
        self._withheld_for = ""
        self._on_event("retention-confirmed", before=_day(now_us - self._keep_us))
        return {"before_us": now_us - self._keep_us, "rows": due_rows(db, now_us - self._keep_us)}

    def _alive_us(self, db: sqlite3.Connection, state: dict[str, Any]) -> int | None:
        if state["alive_us"] is not None:
            return int(state["alive_us"])
        found = db.execute("SELECT at_us FROM received ORDER BY upto_id DESC LIMIT 1").fetchone()
        return None if found is None else int(found[0])

    def _withhold(self, db: sqlite3.Connection, doubt: str) -> bool:
        """Say once that what may be old stays, and why."""
        if doubt not in (UNSETTLED, self._withheld_for) and due(db, self._clock.now_us() - self._keep_us) is not None:
            self._withheld_for = doubt
            log.warning("retention: nothing is deleted: %s", doubt)
            self._on_event("retention-withheld", reason=doubt)
        return False

    def _begin(self, db: sqlite3.Connection, state: dict[str, Any]) -> _Run:
        now_us = self._clock.now_us()
        before_us = now_us - self._keep_us
        cut_us, gone = state["cut_us"], state["gone"]
        if cut_us is None:
            oldest = db.execute("SELECT min(at_us) FROM received").fetchone()[0]
            cut_us = before_us if oldest is None else min(before_us, oldest - ORDINARY_US)
        if self._new_day(now_us, state["day_us"]):
            cut_us, gone = min(before_us, cut_us + ORDINARY_US), 0
            db.execute("UPDATE upkeep SET day_us = ?", (now_us,))
        else:
            cut_us = min(before_us, cut_us)
        db.execute("UPDATE upkeep SET cut_us = ?, gone = ?", (cut_us, gone))
        allowed = max(0, int(self._share * span(db)) - gone)
        return _Run(before_us, min(before_us, cut_us + ORDINARY_US), allowed, self._monotonic())

    def _new_day(self, now_us: int, day_us: int | None) -> bool:
        """Whether a day has passed, by the clock that nobody sets; over a restart, by the other."""
        at = self._monotonic()
        if self._day_at is None:
            spent_s = 0.0 if day_us is None else max(0.0, (now_us - day_us) / MICRO)
            self._day_at = at - min(spent_s, DAY_S)
            new = day_us is None or spent_s >= DAY_S
        else:
            new = at - self._day_at >= DAY_S
        if new:
            self._day_at = at
        return new

    def _go_on(self, db: sqlite3.Connection, run: _Run) -> bool:
        if minutes.pending(db):
            return True  # rows of it moved: their minutes come first
        copying = self._history.rules.copying
        found = due(db, run.before_us, after=run.passed, copying=copying)
        if found is None:
            return self._delete_records(db, run)
        free = found.at_us < run.free_us
        portion = minutes.PORTION if free else min(minutes.PORTION, run.allowed)
        if portion <= 0:
            run.held = True
            run.passed = found.upto
            return True
        gone = minutes.delete_rows(db, found.after, found.upto, portion)
        run.gone += gone
        if not free:
            run.allowed -= gone
            db.execute("UPDATE upkeep SET gone = gone + ?", (gone,))
        if not gone:
            run.passed = found.upto
            left = "SELECT EXISTS (SELECT 1 FROM measurements WHERE id > ? AND id <= ? AND series <> 0)"
            if not db.execute(left, (found.after, found.upto)).fetchone()[0]:
                db.execute("DELETE FROM received WHERE upto_id = ?", (found.upto,))
        return True

    def _delete_records(self, db: sqlite3.Connection, run: _Run) -> bool:
        """Delete notices, the audit, what was rejected and corrections; never more than time explains."""
        for epoch, upto in db.execute(
            "SELECT epoch, max(upto_seq) FROM received_seqs WHERE at_us < ? GROUP BY epoch", (run.free_us,)
        ).fetchall():
            for table in ("records", "rejected"):
                gone = db.execute(
                    f"DELETE FROM {table} WHERE epoch = ?1 AND seq IN (SELECT seq FROM {table} WHERE epoch = ?1"  # noqa: S608
                    " AND seq <= ?2 ORDER BY seq LIMIT ?3)", (epoch, upto, RECORDS_AT_ONCE)
                ).rowcount  # fmt: skip
                if gone:
                    run.records += gone
                    return True
            db.execute("DELETE FROM received_seqs WHERE epoch = ? AND upto_seq < ?", (epoch, upto))
        db.execute(
            "DELETE FROM clocks WHERE noted_us < ? AND NOT EXISTS (SELECT 1 FROM series s JOIN measurements m"
            " ON m.series = s.id WHERE s.session = clocks.session)", (run.free_us - CLOCKS_LONGER_US,)
        )  # fmt: skip
        return False

    def _end(self, run: _Run) -> None:
        self._run, self._run_at = None, self._monotonic() + RUN_S
        before, took_s = _day(run.before_us), self._monotonic() - run.began
        if run.gone or run.records:
            log.info("retention: deleted %d rows and %d records received before %s in %.1f s; minute values stay",
                     run.gone, run.records, before, took_s)  # fmt: skip
            self._on_event("retention", rows=run.gone, records=run.records, before=before)
        if run.held:
            with self._history.transaction() as db:
                waiting = due_rows(db, run.before_us)
            log.warning("retention: %d rows received before %s wait: more became old at once than in days",
                        waiting, before)  # fmt: skip
            self._on_event("retention-held", rows=waiting, before=before)


class _Run:
    """One run: what is old in it, what may go freely, how many rows beyond that, and what has gone."""

    def __init__(self, before_us: int, free_us: int, allowed: int, began: float) -> None:
        self.before_us = before_us
        self.free_us = free_us
        self.allowed = allowed
        self.began = began
        self.passed = self.gone = self.records = 0
        self.held = False


def _day(at_us: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at_us // MICRO))
