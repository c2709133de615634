"""How much of each kind a gateway may add to the history, a day and in all.

Measurements are what a history is for; they go with their age. What is bounded here is the rest, which a gateway that
fails, or is not ours any more, could make without end. What is beyond is not stored and gets no receipt: the outbox
that it came from has it still, and is bounded itself.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

DAY_S = 86_400
IN_ALL = 0
"""The "day" of the row that counts everything."""
KEPT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Quota:
    """Most of a kind, a day by the historian's clock and in all; the words are for people."""

    words: str
    a_day: int
    in_all: int = 2**62


MIB = 2**20
QUOTAS = {
    # A new outbox file each; a restart goes on with the same.
    "epochs": Quota("outbox files", 100, 5_000),
    # 70 beds that start 20 times a day make 1,400; they go with their measurements.
    "sessions": Quota("sessions", 4_000),
    # A hundred for each session.
    "series": Quota("kinds of measurements", 200_000),
    # Two for each of 1,400 sessions.
    "corrections": Quota("corrections of wall times", 5_000),
    # An older historian refuses all that it does not know: that waits in the outbox until it is brought up to date.
    "rejected": Quota("measurements that cannot be understood", 10_000, 200_000),
    "rejected bytes": Quota("bytes that cannot be understood", 16 * MIB, 256 * MIB),
    "conflicts": Quota("numbers that came again with other content", 10_000, 100_000),
    # A full outbox of a gigabyte whose events stayed and whose metrics had to go: one between every two events.
    "gaps": Quota("gaps", 5_000_000, 20_000_000),
    "records": Quota("notices and entries of the audit", 100_000),
}


class Quotas:
    """What each gateway has used. Every method is part of its owner's transaction.

    Args:
        db: The history.
        now: Wall clock, seconds.
    """

    def __init__(self, db: sqlite3.Connection, now: Callable[[], float]) -> None:
        self._db = db
        self._now = now
        self._used: dict[str, Counter[tuple[str, int]]] = {}
        self._added: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        """By gateway and kind, since the last look of the owner."""

    def use(self, gateway: str, kind: str, n: int = 1) -> bool:
        """Use some of a quota; False, and counted, if there is not so much left."""
        quota, day = QUOTAS[kind], self._day()
        used = self._of(gateway)
        added = self._added[gateway, kind]
        if used[kind, day] + added + n > quota.a_day or used[kind, IN_ALL] + added + n > quota.in_all:
            self.refused[gateway, kind] += n
            return False
        self._added[gateway, kind] += n
        return True

    def write(self) -> None:
        """Put what was used into the transaction."""
        day = self._day()
        for (gateway, kind), n in self._added.items():
            used = self._of(gateway)
            for at in (day, IN_ALL):
                used[kind, at] += n
                self._db.execute(
                    "INSERT INTO intake_used VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                    (gateway, kind, at, n),
                )
        self._added.clear()

    def _of(self, gateway: str) -> Counter[tuple[str, int]]:
        if (known := self._used.get(gateway)) is None:
            day = self._day()
            self._db.execute(
                "DELETE FROM intake_used WHERE gateway = ? AND day <> ? AND day NOT BETWEEN ? AND ?",
                (gateway, IN_ALL, day - KEPT_DAYS, day + KEPT_DAYS),
            )
            rows = self._db.execute("SELECT kind, day, n FROM intake_used WHERE gateway = ?", (gateway,))
            known = self._used[gateway] = Counter({(kind, at): n for kind, at, n in rows})
        return known

    def _day(self) -> int:
        return max(1, int(self._now()) // DAY_S)
