"""The upkeep of a history beside the storing of measurements: minute values, retention, and what commands ask for.

Everything is done in portions of some 50 ms, each a transaction of its own, with a pause in which whoever stores goes
first. A kill between two of them, or in one, leaves a history that goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from gateway.history.database import Database
from gateway.history.minutes import restate_some, roll_up
from gateway.history.row_check import RowCheck
from gateway.upkeep import requests
from gateway.upkeep.believed_time import BelievedTime
from gateway.upkeep.erasure import erase
from gateway.upkeep.requests import Request
from gateway.upkeep.retention import OnEvent, Retention
from gateway.upkeep.sweep import sweep_series

log = logging.getLogger(__name__)

ROLL_S = 10.0
"""Between two looks for new rows when there are few: each costs a write to the disk."""
ASK_S = 1.0
IDLE_S = 1.0
YIELD_S = 0.002
"""Pause between two portions: enough for a thread that waits for the history to get it."""
SWEEP_S = 86_400.0
PROGRESS_S = 60.0
"""Between two lines about the rows of an earlier version."""


class Upkeep:
    """Looks after a history. For one thread, which calls ``run`` or, in tests, ``step``.

    Args:
        history: The history.
        keep_days: How long rows are kept.
        share: Most of the history that retention deletes in a day beyond what became old in it, 0 to 1.
        clock: Whether the clock may say what is old.
        on_event: Called with what happened, for the audit.
        clear_topics: Empties what the broker retains of the slots of an erased subject; returns what it could not.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        history: Database,
        *,
        keep_days: int,
        share: float,
        clock: BelievedTime | None = None,
        on_event: OnEvent = lambda _what, **_fields: None,
        clear_topics: Callable[[list[str]], list[str]] = lambda _slots: [],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._clock = clock or BelievedTime()
        self._on_event = on_event
        self._clear_topics = clear_topics
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._roll_at = self._ask_at = self._sweep_at = self._progress_at = float("-inf")
        self._refused = 0
        self._rows = RowCheck(history, monotonic=monotonic)
        self.retention = Retention(
            history, keep_days=keep_days, share=share, clock=self._clock, on_event=on_event, monotonic=monotonic
        )

    def run(self) -> None:
        """Go on until ``stop``."""
        while not self._stop.is_set():
            try:
                more = self.step()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                # Whoever stores meets the same, and sets a damaged file aside.
                if not self._stop.is_set():
                    log.warning("upkeep of the history: %s", error)
                more = False
            self._stop.wait(YIELD_S if more else IDLE_S)

    def stop(self) -> None:
        """End soon: with the portion that is under way."""
        self._stop.set()

    def step(self) -> bool:
        """Do one portion of what there is to do; return whether there is more."""
        self._clock.look()
        more = self.answer_requests() if self._due("_ask_at", ASK_S) else False
        more = self._roll_up() or more
        more = self.retention.work() or more
        if not more and self._monotonic() >= self._sweep_at:
            more = sweep_series(self._history)
            if not more:
                self._sweep_at = self._monotonic() + SWEEP_S
        if not more:
            self._rows.work()
        return more

    def _due(self, name: str, period_s: float) -> bool:
        at = self._monotonic()
        if at < getattr(self, name):
            return False
        setattr(self, name, at + period_s)
        return True

    def _roll_up(self) -> bool:
        if self._monotonic() < self._roll_at:
            return False
        with self._history.transaction() as db:
            if restate_some(db):
                return True
            rolled = roll_up(db, self._clock.now_us())
            self._report_progress(db)
        if rolled.apart_us is not None:
            self._clock.heard(rolled.apart_us)
        if not rolled.ids:
            self._roll_at = self._monotonic() + ROLL_S
        return bool(rolled.ids)

    def _report_progress(self, db: sqlite3.Connection) -> None:
        upto, old = db.execute("SELECT rolled_id, old_id FROM upkeep").fetchone()
        if upto < old and self._due("_progress_at", PROGRESS_S):
            log.info("minute values of the rows of an earlier version: %d %% are made", 100 * upto // old)

    def answer_requests(self) -> bool:
        """Carry out what commands asked for; return whether there is more."""
        of_erased = self._history.refusals.of_erased
        if of_erased > self._refused:
            refused, self._refused = of_erased - self._refused, of_erased
            log.warning("refused %d measurements or records of subjects that were erased", refused)
            self._on_event("erased-refused", rows=refused)
        with self._history.transaction() as db:
            waiting = requests.waiting(db, self._clock.now_us())
            for request in waiting[:1]:
                requests.mark_taken(db, request)
        for request in waiting[:1]:
            answer = self._dispatch_request(request)
            if answer is not None:
                with self._history.transaction() as db:
                    requests.finish(db, request, answer)
        return len(waiting) > 1

    def _dispatch_request(self, request: Request) -> dict[str, Any] | None:
        """Do what was asked; None if it has to be done again after the next start."""
        if not request.subject and request.what != "confirm-retention":
            return {"unreached": ["it was broken off at the end: ask again"]}
        if request.what == "erase":
            done = erase(self._history, request.subject, now_us=self._clock.now_us(), stopping=self._stop.is_set)
            if self._stop.is_set():
                return None
            log.warning("erased a subject from the history: %s", done.counts)
            self._on_event("erased", **{what.replace(" ", "_"): n for what, n in done.counts.items()})
            return {"counts": done.counts, "unreached": [*done.unreached, *self._clear_topics(done.slots)]}
        with self._history.transaction() as db:
            if request.what == "allow":
                known = db.execute(
                    "DELETE FROM erased WHERE sum = ?", (self._history.books.erased.sum_of(request.subject),)
                ).rowcount
                self._history.books.erased.discard(request.subject)
                self._on_event("erased-allowed", known=bool(known))
                return {"known": bool(known)}
            return self.retention.confirm(db)
