"""Tells a history how far earlier lives of the outbox had got, so that what it does not have of them becomes gaps.

Of the present life each message says what has left the outbox. An earlier life sends nothing any more: where its rows
lay in a history that was removed, the one that came after it would not know that there is anything missing.
"""

from __future__ import annotations

import orjson

from gateway.delivery.leftover import AFTER_S, MOST_S, moved_range
from gateway.outbox.lives import EARLIER, earlier_key, moved_key
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Receipt

LOOK_S = 1.0
"""Between two looks whether there is anything to tell."""


class EarlierLives:
    """Which earlier lives the present history has confirmed.

    A confirmation is kept beside the rows, with the history that gave it: one that was replaced, or is an older copy
    of itself, is told all again. Historians that share are not told: what one has lost another may have.

    Args:
        outbox: Where it is kept how far each life had got.
        after_s: Wait for a receipt before a life is told again, seconds.
    """

    def __init__(self, outbox: Outbox, *, after_s: float = AFTER_S) -> None:
        self._outbox = outbox
        self._after_s = after_s
        self._history: tuple[str, int] | None = None  # the present one, and how often it was opened
        self._look_at = 0.0
        self._tried: dict[str, tuple[float, float]] = {}  # by epoch: when, and how long to wait for an answer

    def receipt(self, receipt: Receipt, *, retained: bool) -> None:
        """Look at a receipt of a historian that shares with nobody: which history there is, and what it has."""
        if retained or not receipt.history:
            return
        if self._history is None or self._history[0] != receipt.history or receipt.opened < self._history[1]:
            self._tried.clear()
        self._history = receipt.history, receipt.opened
        if receipt.stored >= self._reached(receipt.epoch) > 0 and not self._is_confirmed(receipt.epoch):
            self._outbox.facts.keep(_confirmed_key(receipt.epoch), orjson.dumps(self._history).decode())

    def due(self, now: float) -> list[tuple[str, int]]:
        """Return the lives that the history is to be told of now, each with its last number that was let go."""
        if self._history is None or now < self._look_at or not self._outbox.earlier.settled:
            return []
        self._look_at = now + LOOK_S
        left = {box.epoch for box in self._outbox.earlier.outboxes}  # these tell of themselves
        found = []
        for key in self._outbox.facts.keys(EARLIER):
            epoch = key.removeprefix(EARLIER)
            tried_at, wait_s = self._tried.get(epoch, (float("-inf"), self._after_s))
            upto = self._reached(epoch)
            if upto and epoch not in left and now - tried_at >= wait_s and not self._is_confirmed(epoch):
                self._tried[epoch] = now, min(2 * wait_s, MOST_S)
                found.append((epoch, upto))
        return found

    def _reached(self, epoch: str) -> int:
        """Return the last number that a life let go under its own name; what moved to another life is told there."""
        reached = int(self._outbox.facts.get(earlier_key(epoch)) or 0)
        moved = self._outbox.facts.get(moved_key(epoch))
        return min(reached, moved_range(moved)[0]) if moved else reached

    def _is_confirmed(self, epoch: str) -> bool:
        """Whether the present history, or a former opening of it, has said that it knows of all numbers of a life."""
        assert self._history is not None
        if not (text := self._outbox.facts.get(_confirmed_key(epoch))):
            return False
        history, opened = orjson.loads(text)
        return bool(history == self._history[0] and opened <= self._history[1])


def _confirmed_key(epoch: str) -> str:
    return f"confirmed {epoch}"
