"""What came over a link, for one thread that does the work; a handler of `gateway.broker.link.Link`."""

from __future__ import annotations

import threading
from collections import deque

from gateway.broker.link import Incoming, Limits

MOST = 4096
"""Messages that wait: each gateway says one a second, and asks for one part of a bundle at a time."""


class Inbox:
    """Messages in order; the oldest give way when too many wait.

    Attributes:
        connection: The present one; None without.
        connections: How many there have been.
        dropped: How many messages found no room.
    """

    def __init__(self) -> None:
        self.connection: int | None = None
        self.connections = 0
        self.dropped = 0
        self._messages: deque[Incoming] = deque()
        self._changed = threading.Condition()

    def wait(self, timeout_s: float) -> Incoming | None:
        """Return the next message; None if none comes in time, or somebody called `wake`."""
        with self._changed:
            if not self._messages:
                self._changed.wait(timeout_s)
            return self._messages.popleft() if self._messages else None

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
        with self._changed:
            if len(self._messages) >= MOST:
                self._messages.popleft()
                self.dropped += 1
            self._messages.append(message)
            self._changed.notify()
