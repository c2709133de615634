"""The history: every measurement once, in SQLite, beside the gaps that explain what is missing.

The key of a measurement is its identity ``(gateway, epoch, seq)``: storing it again changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.history.books.historian_notices import HistorianNotice, HistorianRecords
from gateway.history.copy_cursor import CopyCursor
from gateway.history.database import Database
from gateway.history.memory import BELIEVED_MOST_S, Rules
from gateway.history.message_writer import MessageWriter
from gateway.wire.payload import Message
from gateway.wire.receipt import Receipt


class History:
    """The writing side. Safe for several threads; every method is one transaction that is on disk when it returns.

    Args:
        path: The database; its folder must exist.
        copying: Whether a remote store is fed: then a receipt waits until it has the measurement too.
        sharing: Whether other historians get the rest of the measurements: then what does not come is no gap.
        now: Wall clock, seconds: when a correction came.
        believed_most_s: By how much a wall time that was not in doubt may be moved.
        clock: Monotonic seconds: how long what is doubtful is held back from the remote store.
        stopping: Says that the process ends: what takes long (taking on an older file, reading the whole file) ends
            too, and changes nothing.

    Attributes:
        database: The file, and transactions in it: for its upkeep.
        copies: What of it the remote store has: for the copying.

    Raises:
        HistoryError: The file is not a history of a version that this program knows.
        sqlite3.Error: The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        copying: bool = False,
        sharing: bool = False,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        believed_most_s: float = BELIEVED_MOST_S,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        rules = Rules(copying=copying, sharing=sharing, now=now, clock=clock, believed_most_s=believed_most_s)
        self.database = Database(path, rules, stopping=stopping)
        self.copies = CopyCursor(self.database)

    def store(self, messages: Iterable[Message]) -> int:
        """Store what messages bring; return how many measurements were new.

        Raises:
            sqlite3.OperationalError: The file was removed meanwhile: to be done again, with what is there now.
        """
        with self.database.storing() as db:
            writer = MessageWriter(db, self.database.books, self.database.removed)
            new = sum(writer.write(message) for message in messages)
            writer.finish()
        return new

    def receipt(self, gateway: str, epoch: str) -> Receipt:
        """Return what of this epoch is here, and what is stored for good (remotely too, if so configured)."""
        with self.database.reading(in_place=True):
            file, rules, epochs = self.database.file, self.database.rules, self.database.books.epochs
            if not epochs.is_known(gateway, epoch):
                return Receipt(epoch, 0, history=file.history, opened=file.opened)
            known = epochs.get(gateway, epoch)
            received, stored = known.received, known.copied if rules.copying else known.received
            beyond = (stored.beyond(), received.beyond()) if rules.sharing else (0, 0)
            return Receipt(epoch, stored.upto, received.upto, *beyond, file.history, file.opened, known.lost)

    def epochs(self) -> list[tuple[str, str]]:
        """Return gateway and epoch of every outbox that has been heard of, the latest last."""
        with self.database.reading():
            return self.database.books.epochs.names()

    def notices(self, gateway: str) -> list[HistorianNotice]:
        """Return what the historian has to tell a gateway, the newest first."""
        with self.database.reading():
            return self.database.books.own_records.active(gateway)

    @contextmanager
    def own_records(self) -> Iterator[HistorianRecords]:
        """Give the historian's own audit and notices; what is written there is one transaction."""
        with self.database.transaction():
            yield self.database.books.own_records

    def close(self) -> None:
        """Close the file."""
        self.database.close()
