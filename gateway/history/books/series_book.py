"""Series and sessions of a history: what its rows have in common, said once.

Every method is part of its owner's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gateway.history.books.quota import Quotas
from gateway.history.row_sums import SERIES, has_sums, series_sum
from gateway.history.schema import SEPARATOR
from gateway.model.measurement import Measurement

SERIES_KNOWN = 50_000
"""Series whose numbers are kept in memory, some 30 MB: a ward of twenty begins so many in a month of daily starts."""

Key = tuple[str | bool, ...]


class SeriesBook:
    """The numbers of the series, and what the sessions hold."""

    def __init__(self, db: sqlite3.Connection, quotas: Quotas) -> None:
        self._db = db
        self._quotas = quotas
        self._known: dict[Key, int] = {}
        self._summed = has_sums(db)
        self._begun: set[Key] = set()  # sessions of the transaction

    def begin(self) -> None:
        """Begin a transaction: sessions that it begins count as known within it."""
        self._begun.clear()

    def forget(self) -> None:
        """Look for the numbers in the file again."""
        self._known.clear()

    def number_of(self, gateway: str, m: Measurement) -> int | None:
        """Return the number of a measurement's series, made if it is new; None if its gateway may have no more."""
        if (found := self.find(m)) is None:
            if not self._may_belong(gateway, m) or not self._quotas.use(gateway, "series"):
                return None
            key = _key(m)
            made = self._db.execute(
                f"INSERT INTO series ({', '.join(SERIES)}{', sum' * self._summed})"  # noqa: S608 - our own names
                f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?{', ?' * self._summed})",
                (*key, series_sum(*(str(each).encode() for each in (*key[:-1], int(key[-1])))))
                if self._summed
                else key,
            )
            found = self._know(key, int(made.lastrowid or 0))
        return found

    def find(self, m: Measurement) -> int | None:
        """Return the number of a measurement's series; None if there is none."""
        key = _key(m)
        if (found := self._known.get(key)) is None:
            row = self._db.execute(
                "SELECT id FROM series WHERE slot = ? AND session = ? AND subject = ? AND metric = ? AND side = ?"
                " AND unit = ? AND algorithm = ? AND devices = ? AND placement = ? AND simulated = ?", key
            ).fetchone()  # fmt: skip
            if row is not None:
                found = self._know(key, int(row[0]))
        return found

    def count_in_sessions(self, measurements: Iterable[Measurement]) -> None:
        """Have the sessions of new measurements say that they hold them."""
        spans: dict[tuple[str, str, str, bool], tuple[int, int, int]] = {}
        for m in measurements:
            key = (m.session, m.slot, m.subject, m.simulated)
            first, last, n = spans.get(key, (m.start_us, m.end_us, 0))
            spans[key] = (min(first, m.start_us), max(last, m.end_us), n + 1)
        self._db.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " first_us = min(first_us, excluded.first_us), last_us = max(last_us, excluded.last_us),"
            " measurements = measurements + excluded.measurements",
            [(*key, *span) for key, span in spans.items()],
        )

    def _know(self, key: Key, number: int) -> int:
        if len(self._known) >= SERIES_KNOWN:
            self._known.clear()
        self._known[key] = number
        return number

    def _may_belong(self, gateway: str, m: Measurement) -> bool:
        """Whether a measurement's session is known, or its gateway may have one more."""
        session = (m.session, m.slot, m.subject, m.simulated)
        if session in self._begun:
            return True
        query = "SELECT 1 FROM sessions WHERE session = ? AND slot = ? AND subject = ? AND simulated = ?"
        if self._db.execute(query, session).fetchone() is None and not self._quotas.use(gateway, "sessions"):
            return False
        self._begun.add(session)
        return True


def _key(m: Measurement) -> Key:
    return (m.slot, m.session, m.subject, m.metric, m.side, m.unit, m.algorithm,
            SEPARATOR.join(m.devices), SEPARATOR.join(m.placement), m.simulated)  # fmt: skip
