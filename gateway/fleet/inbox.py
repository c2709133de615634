"""What came over a link, for one thread that does the work; a handler of `gateway.broker.link.Link`."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from gateway.broker.link import Incoming, Limits

MOST_OF_ONE = 512
"""Messages of one sender that wait: a gateway says one a second, in as many pages as it has beds, at most."""
MOST_BYTES_OF_ONE = 8 << 20
MOST_SENDERS = 2048
"""Twice what a fleet has; beyond it somebody makes names up."""


class Inbox:
    """Messages of each sender in order, of all senders in turn; who sends too many loses their own oldest alone.

    Args:
        sender_of: Whose a message is, by its topic.

    Attributes:
        connection: The present one; None without.
        connections: How many there have been.
        dropped: How many messages found no room.
    """

    def __init__(self, sender_of: Callable[[str], str]) -> None:
        self.connection: int | None = None
        self.connections = 0
        self.dropped = 0
        self._sender_of = sender_of
        self._lines: OrderedDict[str, deque[Incoming]] = OrderedDict()
        self._bytes: Counter[str] = Counter()
        self._changed = threading.Condition()

    def wait(self, timeout_s: float) -> Incoming | None:
        """Return the next message; None if none comes in time, or somebody called `wake`."""
        with self._changed:
            if not self._lines:
                self._changed.wait(timeout_s)
            if not self._lines:
                return None
            sender = next(iter(self._lines))
            self._lines.move_to_end(sender)
            return self._first(sender)

    def wake(self) -> None:
        """Have who waits look up."""
        with self._changed:
            self._changed.notify_all()

    def connected(self, connection: int, limits: Limits) -> None:
        """Note the present connection."""
        del limits
        with self._changed:
            self.connection = connection
            self.connections += 1
            self._changed.notify_all()

    def lost(self, connection: int, reason: str) -> None:
        """Note that there is none."""
        del connection, reason
        self.connection = None

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Nothing waits for that: what is said here is retained, or asked again."""

    def arrived(self, message: Incoming) -> None:
        """Put a message in line."""
        sender = self._sender_of(message.topic)
        with self._changed:
            if sender not in self._lines and len(self._lines) >= MOST_SENDERS:
                self.dropped += 1
                return
            self._lines.setdefault(sender, deque()).append(message)
            self._bytes[sender] += len(message.payload)
            while len(self._lines.get(sender, ())) > MOST_OF_ONE or self._bytes[sender] > MOST_BYTES_OF_ONE:
                self._first(sender)
                self.dropped += 1
            self._changed.notify()

    def _first(self, sender: str) -> Incoming:
        """Take the oldest message of a sender out of line."""
        line = self._lines[sender]
        message = line.popleft()
        self._bytes[sender] -= len(message.payload)
        if not line:
            del self._lines[sender], self._bytes[sender]
        return message
