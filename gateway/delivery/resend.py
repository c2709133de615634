"""When to send again what the broker took and no receipt has covered: a policy without a clock, a thread or a socket.

A broker acknowledges and may still lose its queue; a historian may be away while the broker keeps its queue. Both look
the same from here: the receipt stands still. So after a while a piece is sent again, as a probe. If the receipt moves,
the next and longer piece follows; if it does not, the wait doubles, and the broker is not flooded with copies.

A historian that speaks and whose receipts do not move is another matter: it stores what comes now, in the order of
the broker, and what came before is not on its way to it. It connected later than we did, say, and the broker kept
nothing for it. Then the first probe does not wait.
"""

from __future__ import annotations

from collections import deque

AFTER_S = 30.0
"""A receipt takes a second; one that is missing for so long is worth a probe."""
STANDS_S = 3.0
"""Receipts that come for so long and say the same show a hole: messages of several slots, and those that go at once for
an event, overtake each other by a second."""
RECOVERING_S = 1.0
"""While probes bring the receipt on, the next follows so soon after it stood still."""
MOST_S = 600.0
"""Longest wait between two probes while nobody answers."""
CHUNK = 500
"""Rows of the first probe."""
MOST_CHUNK = 5_000
"""Rows of the longest piece: a second's work for a small broker."""
NOTE_EVERY_S = 1.0


class Resend:
    """Decide which rows to send again.

    Args:
        after_s: Age of an acknowledgement without a receipt that makes a row suspect, seconds.
    """

    def __init__(self, *, after_s: float = AFTER_S) -> None:
        self._after_s = after_s
        self._notes: deque[tuple[float, int]] = deque()
        self._suspect = 0  # everything up to here was acknowledged at least after_s ago
        self._receipt = 0
        self._moved_at = 0.0
        self._wait_s = after_s
        self._chunk = CHUNK
        self._probing = False
        self._acknowledged = 0  # up to where the broker has taken everything
        self._stands: tuple[float, int] | None = None  # the first of the receipts that say the same, and that then
        self._hole: int | None = None  # the receipt that was probed beyond without waiting

    def acknowledged(self, upto: int, now: float) -> None:
        """Note that the broker has taken everything up to ``upto``."""
        self._acknowledged = upto
        if not self._notes or now - self._notes[-1][0] >= NOTE_EVERY_S:
            self._notes.append((now, upto))
        while self._notes and now - self._notes[0][0] >= self._after_s:
            self._suspect = max(self._suspect, self._notes.popleft()[1])

    def receipt(self, stored: int, now: float, *, heard: bool = False) -> None:
        """Note what the receipts say; ``heard`` if a historian has just said so, and not a broker's memory."""
        if stored == self._receipt:
            if heard:
                self._stand_still(now)
            return
        self._stands = None
        if stored < self._receipt:
            # The historian has lost what it had, or a broker remembers an older receipt: soon we shall know.
            self._receipt, self._moved_at = stored, now
            return
        self._receipt, self._moved_at = stored, now
        if self._probing:
            self._wait_s = min(RECOVERING_S, self._after_s)
            self._chunk = min(2 * self._chunk, MOST_CHUNK)
            self._probing = False
        if stored >= self._suspect:
            self._wait_s, self._chunk = self._after_s, CHUNK

    def _stand_still(self, now: float) -> None:
        """A historian stores, and says the same as before: what the broker had taken by then is with nobody."""
        if self._stands is None or self._stands[1] <= self._receipt:  # nothing was missing then
            self._stands = now, self._acknowledged
        since, gone = self._stands
        if now - since >= STANDS_S and self._hole != self._receipt < gone:
            self._hole = self._receipt
            self._suspect = max(self._suspect, gone)
            self._moved_at = now - self._wait_s

    def next_piece(self, now: float) -> tuple[int, int] | None:
        """Return ``(after, upto)`` of the rows to send again now, if any; counts as sent."""
        if self._receipt >= self._suspect or now - self._moved_at < self._wait_s:
            return None
        if self._probing:
            # The last probe brought nothing.
            self._wait_s = min(2 * self._wait_s, MOST_S)
            self._chunk = CHUNK
        self._probing = True
        self._moved_at = now
        return self._receipt, min(self._receipt + self._chunk, self._suspect)
