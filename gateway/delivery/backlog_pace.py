"""How many old rows may be on their way to the history, so that what is new need not wait behind them.

A broker takes rows as fast as they are sent, and keeps in memory what a slow historian has not fetched yet; whatever is
sent after them comes after them. So their number follows the time that receipts take: more while those come soon, fewer
when they are late.
"""

from __future__ import annotations

from collections import deque

from gateway.delivery.resend import AFTER_S

LEAST, MOST = 1_000, 20_000
"""Rows. A thousand a second are over ten times what a ward of twenty makes; twenty thousand are 10 MB."""
SOON_S = 0.5
"""From sending to the receipt: it takes 0.2 to 0.4 s of a historian that keeps up, and what is new waits as long."""


class BacklogPace:
    """Lets old rows go while no more than so many are without a receipt.

    Where nobody answers for a while they go all the same, as many again: the broker may have lost them, or keep them
    for a historian that is away.

    Args:
        now: Monotonic seconds.
        patience_s: How long without a receipt that moves is too long.

    Attributes:
        window: How many may be under way now.
    """

    def __init__(self, now: float, *, patience_s: float = AFTER_S) -> None:
        self.window = LEAST
        self._patience_s = patience_s
        self._moved_at = self._cut_at = now
        self._received = 0
        self._sent: deque[tuple[int, int, float]] = deque()  # (last number, rows, when) of messages
        self._rows = 0

    @property
    def is_full(self) -> bool:
        """Whether no more may go until a receipt moves."""
        return self._rows >= self.window

    def open(self, now: float) -> bool:
        """Whether another message of old rows may go."""
        if self.is_full and now - self._moved_at >= self._patience_s:
            self._sent.clear()
            self._rows, self._moved_at = 0, now
        return not self.is_full

    def sent(self, last: int, rows: int, now: float) -> None:
        """Note a message of so many rows up to a number."""
        if not self._sent:
            self._moved_at = now  # nobody could have answered before
        self._sent.append((last, rows, now))
        self._rows += rows

    def receipt(self, received: int, now: float) -> None:
        """Note that the history has everything up to a number."""
        if received > self._received:
            self._moved_at = now
        self._received = received
        while self._sent and self._sent[0][0] <= received:
            _, rows, sent_at = self._sent.popleft()
            self._rows -= rows
            if now - sent_at <= SOON_S:
                self.window = min(MOST, self.window + rows)
            elif sent_at >= self._cut_at:  # once for all that was on its way together
                self.window = max(LEAST, self.window // 2)
                self._cut_at = now
