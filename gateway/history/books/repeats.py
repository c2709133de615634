"""Numbers that come again: the same content is left alone, another one is kept beside the first, and told."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from gateway.history.books import conflicts
from gateway.history.books.epoch_book import Epoch
from gateway.history.books.historian_notices import HistorianRecords
from gateway.history.books.quota import Quotas
from gateway.history.books.series_book import SeriesBook
from gateway.model.measurement import Measurement

log = logging.getLogger(__name__)

CONFLICT = "{} sent numbers again with other content: two processes use one outbox, or it was restored"


class Repeats:
    """Decides about numbers that have come before. Every method is part of its owner's transaction.

    Args:
        db: The history.
        series: Its series.
        quotas: How many conflicts are kept.
        own: Where somebody is told.
        now: Wall clock, seconds.
    """

    def __init__(
        self, db: sqlite3.Connection, series: SeriesBook, quotas: Quotas, own: HistorianRecords,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._db = db
        self._series = series
        self._quotas = quotas
        self._own = own
        self._now = now

    def is_again(self, epoch: Epoch, seq: int, table: str, content: bytes | Measurement) -> bool:
        """Whether a number that came before is to be left as it is: it is the same again, or another content.

        What was told to be lost, or could not be understood, and comes after all is taken in.
        """
        if isinstance(content, Measurement):
            if conflicts.same_measurement(self._db, epoch.id, seq, self._series.find(content), content):
                return True
            content = conflicts.as_json(table, content)
        elif conflicts.same_content(self._db, epoch.id, seq, table, content):
            return True
        first = conflicts.other_content(self._db, epoch.id, seq)
        if first is None:
            return False
        if table in conflicts.AS_CAME:
            content = conflicts.as_json(table, {conflicts.AS_CAME[table]: content})
        self._keep_both(epoch, seq, (first, content))
        # The one that can be read is the better one.
        return table == "rejected" or not conflicts.is_rejected(first)

    def _keep_both(self, epoch: Epoch, seq: int, contents: tuple[bytes, bytes]) -> None:
        """Keep a number's two contents and have somebody told."""
        if not conflicts.is_new(self._db, epoch.id, seq, contents[1]):
            return
        gateway = epoch.gateway
        if self._quotas.use(gateway, "conflicts"):
            conflicts.keep(self._db, epoch.id, seq, contents, int(self._now() * 1e6))
        if self._own.raise_notice("numbers-conflict", CONFLICT.format(gateway), gateway=gateway):
            log.warning("%s: number %d came again with other content (further ones are only counted)", gateway, seq)
            self._own.audit("conflict", gateway=gateway, epoch=epoch.name, seq=seq)
