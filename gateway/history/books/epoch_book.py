"""The lives of the gateways' outboxes: which numbers of each have come, and which of them the remote store has."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gateway.history.books.historian_notices import ITSELF
from gateway.history.file import lost_of
from gateway.history.schema import HELD
from gateway.wire.receipt import Contiguous

EPOCHS_KEPT = 1_000
"""Epochs in memory; beyond it all are forgotten, and read again when they are needed."""


@dataclass(slots=True)
class Epoch:
    """One life of a gateway's outbox.

    Attributes:
        id: Its number in the history.
        gateway: Whose outbox.
        name: What the outbox calls it.
        received: Numbers that have come, in whatever way: measurements, records, gaps, what was rejected.
        copied: Those of them that nothing has to be done about any more, or that the remote store has.
        lost: How many numbers the outbox had let go that are not here.
    """

    id: int
    gateway: str
    name: str
    received: Contiguous
    copied: Contiguous
    lost: int

    def add_local(self, seq: int) -> None:
        """Note that a number has come of which the remote store gets nothing."""
        self.received.add(seq)
        self.copied.add(seq)


class EpochBook:
    """The epochs of a history. Every method is part of its owner's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[str, str], Epoch] = {}

    def names(self) -> list[tuple[str, str]]:
        """Return gateway and epoch of every outbox that has been heard of, the latest last."""
        return list(self._db.execute("SELECT gateway, epoch FROM epochs WHERE gateway <> ? ORDER BY id", (ITSELF,)))

    def is_known(self, gateway: str, name: str) -> bool:
        """Whether anything has been heard of an epoch."""
        if (gateway, name) in self._known:
            return True
        query = "SELECT 1 FROM epochs WHERE gateway = ? AND epoch = ?"
        return self._db.execute(query, (gateway, name)).fetchone() is not None

    def get(self, gateway: str, name: str) -> Epoch:
        """Return an epoch; it is begun if it is new."""
        key = (gateway, name)
        if (known := self._known.get(key)) is None:
            self._db.execute("INSERT OR IGNORE INTO epochs (gateway, epoch) VALUES (?, ?)", key)
            number, received, copied = self._db.execute(
                "SELECT id, received, copied FROM epochs WHERE gateway = ? AND epoch = ?", key
            ).fetchone()
            known = self._known[key] = Epoch(
                number, gateway, name,
                self._arrived(number, received, upto_id=None),
                self._arrived(number, copied, upto_id=copied_upto(self._db)),
                lost_of(self._db, number),
            )  # fmt: skip
        return known

    def add_earlier(self, gateway: str, name: str) -> None:
        """Know of an epoch as one before all that have been heard of."""
        self._db.execute(
            "INSERT OR IGNORE INTO epochs (id, gateway, epoch)"
            " VALUES ((SELECT min(coalesce(min(id), 0), 0) - 1 FROM epochs), ?, ?)", (gateway, name)
        )  # fmt: skip

    def forget_if_many(self) -> None:
        """Forget what is in memory where that has become much; between two transactions."""
        if len(self._known) > EPOCHS_KEPT:
            self._known.clear()

    def received_upto(self) -> dict[tuple[str, str], int]:
        """Return up to which number all has come, of the epochs in memory."""
        return {key: known.received.upto for key, known in self._known.items()}

    def _arrived(self, number: int, upto: int, *, upto_id: int | None) -> Contiguous:
        """Rebuild what has arrived beyond ``upto`` from the tables."""
        arrived = Contiguous(upto)
        stored = self._db.execute(
            "SELECT seq FROM measurements WHERE epoch = ? AND seq > ?"
            " AND (? IS NULL OR (id <= ? AND clock <> ?)) ORDER BY seq",
            (number, upto, upto_id, upto_id, HELD),
        )
        for (seq,) in stored:
            arrived.add(seq)
        beyond = (number, upto)
        for first, last in self._db.execute("SELECT first, last FROM gaps WHERE epoch = ? AND last > ?", beyond):
            arrived.add(first, last)
        for table in ("rejected", "clocks", "records"):
            query = f"SELECT seq FROM {table} WHERE epoch = ? AND seq > ?"  # noqa: S608 - our own text
            for (seq,) in self._db.execute(query, beyond):
                arrived.add(seq)
        return arrived


def copied_upto(db: sqlite3.Connection) -> int:
    """Return the id up to which the remote store has everything."""
    return int(db.execute("SELECT upto FROM copying").fetchone()[0])
