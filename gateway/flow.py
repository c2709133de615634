"""How many old rows may be on their way to the history: a historian that is slow must not fill the broker's memory.

A broker takes rows as fast as they are sent, and keeps in memory what the historian has not fetched; what is new would
have to wait behind it.
"""

from __future__ import annotations

from collections import deque

from gateway.resend import AFTER_S

UNDER_WAY = 20_000
"""Rows, about 10 MB: two seconds of the fastest backlog, so a historian that keeps up is never waited for."""


class Flow:
    """Lets old rows go while no more than so many are without a receipt.

    Where nobody answers for a while they go all the same, as many again: the broker may have lost them, or keep them
    for a historian that is away.

    Args:
        now: Monotonic seconds.
        patience_s: How long without a receipt that moves is too long.
    """

    def __init__(self, now: float, *, patience_s: float = AFTER_S) -> None:
        self._patience_s = patience_s
        self._moved_at = now
        self._received = 0
        self._sent: deque[tuple[int, int]] = deque()  # (last number, rows) of messages
        self._rows = 0

    def open(self, now: float) -> bool:
        """Whether another message of old rows may go."""
        if self._rows >= UNDER_WAY and now - self._moved_at >= self._patience_s:
            self._sent.clear()
            self._rows, self._moved_at = 0, now
        return self._rows < UNDER_WAY

    def sent(self, last: int, rows: int, now: float) -> None:
        """Note a message of so many rows up to a number."""
        if not self._sent:
            self._moved_at = now  # nobody could have answered before
        self._sent.append((last, rows))
        self._rows += rows

    def receipt(self, received: int, now: float) -> None:
        """Note that the history has everything up to a number."""
        if received > self._received:
            self._moved_at = now
        self._received = received
        while self._sent and self._sent[0][0] <= received:
            self._rows -= self._sent.popleft()[1]
