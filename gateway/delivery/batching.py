"""Which durable rows make one message: a slot's rows wait for up to a second, an event sends them at once."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.model.row import Row

INTERVAL_S = 1.0
"""One message a slot a second, unless something happened."""
MAX_ROWS = 200
"""Rows of one message."""
MAX_BYTES = 64 * 1024
"""Payload of one message, about; a single row is some hundred bytes."""


class SlotBatches:
    """Rows that wait to be sent, by slot, in the order of their numbers.

    Args:
        interval_s: Least time between two messages of a slot, events apart.
    """

    def __init__(self, *, interval_s: float = INTERVAL_S) -> None:
        self.rows = 0
        self._interval_s = interval_s
        self._held: dict[str, list[Row]] = {}
        self._sent_at: dict[str, float] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """Hold more rows."""
        for row in rows:
            self._held.setdefault(row.slot, []).append(row)
            self.rows += 1

    def next_batch(self, now: float, max_bytes: int = MAX_BYTES) -> list[Row]:
        """Return the rows of one message that may go now, the longest waiting slot first; empty if none may."""
        ready = [slot for slot in self._held if self._due(slot) <= now]
        if not ready:
            return []
        slot = min(ready, key=lambda slot: self._held[slot][0].seq)
        rows, left = split(self._held.pop(slot), max_bytes)
        if left:
            self._held[slot] = left
        self.rows -= len(rows)
        self._sent_at[slot] = now
        return rows

    def next_due(self) -> float | None:
        """Return when the next message may go; None if nothing waits."""
        return min(map(self._due, self._held), default=None)

    def drain(self) -> list[Row]:
        """Return and forget all rows that wait, in order."""
        rows = sorted((row for held in self._held.values() for row in held), key=lambda row: row.seq)
        self._held.clear()
        self.rows = 0
        return rows

    def _due(self, slot: str) -> float:
        held = self._held[slot]
        # Being long is reason enough: what does not fit into one message has waited already.
        if len(held) > MAX_ROWS or any(row.urgent for row in held):
            return 0.0
        return self._sent_at.get(slot, -self._interval_s) + self._interval_s


def split(rows: list[Row], max_bytes: int) -> tuple[list[Row], list[Row]]:
    """Return the rows of one message (at least one) and the rest."""
    size = 0
    for i, row in enumerate(rows):
        size += len(row.payload) + 1
        if i and (i >= MAX_ROWS or size > max_bytes):
            return rows[:i], rows[i:]
    return rows, []


def by_slot(rows: Iterable[Row], max_bytes: int) -> list[list[Row]]:
    """Return rows as whole messages, one slot each, in the order of their first rows."""
    slots: dict[str, list[Row]] = {}
    for row in rows:
        slots.setdefault(row.slot, []).append(row)
    messages = []
    for left in slots.values():
        while left:
            first, left = split(left, max_bytes)  # noqa: PLW2901 - eats its way through
            messages.append(first)
    return messages
