"""Sends what is left of an earlier life of the outbox, under its own epoch and numbers: a piece, then its receipt.

A piece leaves the file only when a receipt covers it that came after the broker had taken the piece. A receipt from
before proves nothing here: the file may be an older image of itself, and the receipt of what came after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.delivery.batching import by_slot
from gateway.delivery.receipts import MergedReceipts
from gateway.model.row import Gap, Row
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import MAX_GAPS
from gateway.wire.receipt import Receipt

PIECE_ROWS = 500
AFTER_S = 30.0
"""A receipt takes a second; a piece without one for so long is sent again."""
MOST_S = 600.0
"""Longest wait between two tries of a piece."""

Content = tuple[list[Gap], list[Row]]
Numbers = tuple[tuple[int, int], ...]


class Leftover:
    """The books of one earlier life.

    Args:
        box: What is left of it.
        moved: Rows beyond the first number, up to the second, were given again elsewhere and are not sent from here.
        by_broker: Whether the broker's acknowledgement is receipt enough.
        after_s: Age of an acknowledgement without a receipt at which a piece is sent again, seconds.
    """

    def __init__(
        self, box: Outbox, *, moved: tuple[int, int] = (0, 0), by_broker: bool = False, after_s: float = AFTER_S
    ) -> None:
        self.box = box
        self.epoch = box.epoch
        self._moved = moved
        self._by_broker = by_broker
        self._after_s = self._wait_s = after_s
        self._merged = MergedReceipts()
        self._upto = 0  # the end of the piece under way; 0 without one
        self._first = 0
        self._waiting: set[Numbers] = set()  # messages of it that the broker has not taken
        self._taken_at = 0.0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        state = self.box.state()
        return state.released_seq >= state.durable_seq and not state.depth

    def piece(self, now: float, max_bytes: int) -> list[Content]:
        """Return the messages of the next piece, or of one that is due again; each is gaps or rows of one slot."""
        if self._upto and now - self._taken_at < (MOST_S if self._waiting else self._wait_s):
            return []
        released = self.box.state().released_seq
        if self._upto > released:
            self._wait_s = min(2 * self._wait_s, MOST_S)
        failures = self.box.read_failures
        rows = self.box.read(released, PIECE_ROWS)
        end = rows[-1].seq if len(rows) == PIECE_ROWS else self.box.state().durable_seq
        gaps = self.box.gaps(MAX_GAPS, after=released, upto=end)
        if len(gaps) == MAX_GAPS:
            end = min(end, gaps[-1].last)
        if self.box.read_failures != failures:
            return []  # what cannot be read now is there all the same
        self._first, self._upto, self._taken_at = released + 1, end, now
        self._merged = MergedReceipts()
        self._waiting.clear()
        kept = [row for row in rows if row.seq <= end and not self._moved[0] < row.seq <= self._moved[1]]
        contents: list[Content] = [(gaps, [])] if gaps else []
        contents += [([], message) for message in by_slot(kept, max_bytes)]
        if not contents and end > released:
            self._release()  # all of it has moved
        return contents

    def sent(self, numbers: Numbers) -> None:
        """Note that a message of the piece is under way."""
        self._waiting.add(numbers)

    def halved(self, numbers: Numbers, halves: Sequence[Numbers]) -> None:
        """Note that a message was too large for the broker, and goes as several."""
        if numbers in self._waiting:
            self._waiting.discard(numbers)
            self._waiting.update(halves)

    def acknowledged(self, numbers: Numbers, now: float) -> None:
        """Note that the broker took one."""
        if numbers in self._waiting:
            self._waiting.discard(numbers)
            self._taken_at = now
            if self._by_broker and not self._waiting:
                self._release()

    def receipt(self, historian: str, receipt: Receipt, now: float, *, retained: bool) -> None:
        """Take a receipt of this epoch."""
        if retained or self._waiting or not self._upto:
            return
        self._merged.add(historian, receipt, now, retained=False)
        if not self._merged.stored().missing(self._first, self._upto):
            self._release()

    def _release(self) -> None:
        self.box.release(self.epoch, self._upto)
        self._upto, self._wait_s = 0, self._after_s


def moved_range(text: str) -> tuple[int, int]:
    """Return the numbers that the fact ``moved`` speaks of; none where it says nothing."""
    parts: Sequence[str] = text.split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(map(str.isdecimal, parts)) else (0, 0)
