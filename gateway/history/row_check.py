"""The rows of a history, looked at in portions: what rotted is put right or taken out, and somebody is told."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from gateway.history import rotten_rows
from gateway.history.database import Database
from gateway.history.errors import is_corrupt
from gateway.history.row_sums import has_sums
from gateway.outbox.file import FileError

log = logging.getLogger(__name__)

PORTION = 5_000
"""Rows of one look: some 50 ms, in which nobody stores."""
EVERY_S = 1.0
"""Between two looks: three years of a ward of twenty take hours, and some hundredths of a processor."""
AGAIN_S = 86_400.0
"""From the end of one round through all rows to the begin of the next."""


class RowCheck:
    """Looks at all rows of a history from its opening on, and again each day. For one thread.

    Args:
        history: The history.
        monotonic: Monotonic seconds.
    """

    def __init__(self, history: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._history = history
        self._monotonic = monotonic
        self._replaced = history.replaced
        self._row = self._series = 0
        self._next_at = float("-inf")

    def work(self) -> None:
        """Look at the next rows, if it is time."""
        if self._replaced != self._history.replaced:
            self._replaced, self._row, self._series = self._history.replaced, 0, 0
        elif self._monotonic() < self._next_at:
            return
        self._next_at = self._monotonic() + AGAIN_S
        try:
            more = self._look()
        except FileError as error:
            if not is_corrupt(error):
                raise
            self._history.replace(error)
            more = False
        if more:
            self._next_at = self._monotonic() + EVERY_S

    def _look(self) -> bool:
        """Look at the next portion; return whether there is more."""
        with self._history.reading() as db:
            if not has_sums(db):
                return False
            upto, rows = rotten_rows.look(db, self._row, PORTION)
            last, series = rotten_rows.look_at_series(db, self._series, PORTION)
        take_out(self._history, rows, series)
        at_end = upto is None and last is None
        self._row, self._series = (0, 0) if at_end else (upto or self._row, last or self._series)
        return not at_end


def check_between(history: Database, after: int, upto: int) -> bool:
    """Look at the rows beyond one id, up to another, that somebody is about to use; return whether all are sound."""
    with history.reading() as db:
        rows = rotten_rows.rows_between(db, after, upto)
    take_out(history, rows, [])
    return not rows


def take_out(history: Database, rows: list[int], series: list[int]) -> None:
    """Put right or take out what rotted, and tell; where the indexes differ as well, set the file aside."""
    if not (rows or series):
        return
    try:
        with history.transaction() as db:
            for number in series:
                rotten_rows.mend_series(db, number)
            mended, lost = rotten_rows.take_out(db, rows)
            _tell(history, mended + len(series), lost)
    except rotten_rows.MisplacedRowError as error:
        history.replace(error)
        return
    history.forget()  # a number that became a gap is read again: nobody waits for its copy
    history.rotted += sum(lost.values())


def _tell(history: Database, mended: int, lost: Counter[str]) -> None:
    own = history.books.own_records
    if mended:
        log.warning("%d rows of the history had rotted on the disk: an index had what they said", mended)
        own.audit("rows-mended", rows=mended)
    for gateway, rows in lost.items():
        log.error("%d rows of %s in the history had rotted on the disk: their numbers are gaps now", rows, gateway)
        own.audit("rows-rotted", gateway=gateway, rows=rows)
        text = f"{rows} measurements rotted on the historian's disk: they are shown no more, and stand as gaps"
        own.raise_notice("data-in-doubt", text, gateway=gateway, about="rows-rotted")
