"""What is kept in memory of an open history. It may be ahead of the file, so it goes whole when one write fails."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from gateway.history.books.clock_book import ClockBook
from gateway.history.books.epoch_book import EpochBook
from gateway.history.books.erased_subjects import ErasedSubjects
from gateway.history.books.gap_book import GapBook
from gateway.history.books.historian_notices import HistorianRecords
from gateway.history.books.quota import Quotas
from gateway.history.books.repeats import Repeats
from gateway.history.books.series_book import SeriesBook
from gateway.history.books.ward_book import WardBook

BELIEVED_MOST_S = 86_400.0
"""By how much a wall time that nobody doubted may be moved: clocks are set to another hour, not to another year."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a history is kept for, and by which clocks.

    Attributes:
        copying: Whether a remote store is fed: then a receipt waits until it has the measurement too.
        sharing: Whether other historians get the rest of the measurements: then what does not come is no gap.
        now: Wall clock, seconds: when a correction came.
        believed_most_s: By how much a wall time that was not in doubt may be moved.
        clock: Monotonic seconds: how long what is doubtful is held back from the remote store.
    """

    copying: bool = False
    sharing: bool = False
    now: Callable[[], float] = time.time
    believed_most_s: float = BELIEVED_MOST_S
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Refusals:
    """What was not stored since the start, though it came.

    Attributes:
        beyond_quota: What was beyond the quotas of gateways, by kind.
        of_erased: Numbers of subjects that were erased.
    """

    beyond_quota: Counter[str] = field(default_factory=Counter)
    of_erased: int = 0


class Books:
    """The books of one history, each made when it is first asked for. Every use is part of a transaction.

    Args:
        db: The history.
        rules: What it is kept for.
        refusals: Counted over the whole run, whatever becomes of the books.
    """

    def __init__(self, db: sqlite3.Connection, rules: Rules, refusals: Refusals) -> None:
        self._db = db
        self.rules = rules
        self.refusals = refusals

    @cached_property
    def epochs(self) -> EpochBook:
        """The lives of the outboxes, and which of their numbers have come."""
        return EpochBook(self._db)

    @cached_property
    def series(self) -> SeriesBook:
        """The series and sessions."""
        return SeriesBook(self._db, self.quotas)

    @cached_property
    def gaps(self) -> GapBook:
        """The numbers that never will come."""
        return GapBook(self._db, self.quotas)

    @cached_property
    def repeats(self) -> Repeats:
        """What decides about numbers that come again."""
        return Repeats(self._db, self.series, self.quotas, self.own_records, self.rules.now)

    @cached_property
    def clocks(self) -> ClockBook:
        """The corrections of wall times."""
        most_us = round(self.rules.believed_most_s * 1e6)
        rules = self.rules
        return ClockBook(self._db, hold=rules.copying, clock=rules.clock, now=rules.now, most_us=most_us)

    @cached_property
    def ward(self) -> WardBook:
        """The ward's words."""
        return WardBook(self._db, self.erased, again=self.rules.copying)

    @cached_property
    def quotas(self) -> Quotas:
        """What each gateway has used of what it may add."""
        return Quotas(self._db, self.rules.now)

    @cached_property
    def own_records(self) -> HistorianRecords:
        """The historian's own audit and notices."""
        return HistorianRecords(self._db, self.rules.now)

    @cached_property
    def erased(self) -> ErasedSubjects:
        """The subjects that were erased."""
        return ErasedSubjects(self._db)
