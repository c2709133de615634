"""What stands in for a file of the outbox that cannot be opened at present."""

from __future__ import annotations

import sqlite3

from gateway.model.row import Chain, Gap, Row
from gateway.outbox.eviction import NO_END
from gateway.outbox.group import Group
from gateway.outbox.schema import TABLES


class UnopenedFile:
    """Stands in for a file that cannot be opened at present: it holds nothing, and each commit tries to open it.

    Attributes:
        reason: Why it cannot be opened.
    """

    epoch = ""
    last_seq = depth = bytes = 0
    first_kept = 1
    spoilt = False
    chain = Chain()

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.depths = [0] * len(TABLES)
        self.oldest_us: list[int | None] = [None] * len(TABLES)
        self.dropped: dict[tuple[str, int], int] = {}
        self.facts: dict[str, str] = {}

    def commit(self, group: Group, **more: object) -> int:
        """Fail: there is nowhere to write to."""
        del group, more
        raise sqlite3.OperationalError(self.reason)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return nothing."""
        del after_seq, limit
        return []

    def gaps(self, limit: int, *, after: int = 0, upto: int = NO_END) -> list[Gap]:
        """Return nothing."""
        del limit, after, upto
        return []

    def abandon(self) -> None:
        """Have nothing to let go of."""

    def close(self, *, clean: bool) -> None:
        """Have nothing to close."""
        del clean
