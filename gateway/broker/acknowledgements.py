"""Acknowledgements in the order of arrival, whatever the order in which messages are done with.

MQTT 5 asks for that order (4.6.0-2). mosquitto takes any; others, iotcore among them, end the connection, and with a
kept session every one after it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class InOrder:
    """What has come on one connection and is not acknowledged yet. Safe for several threads.

    Args:
        send: Acknowledges a message to the broker, by its number.
    """

    def __init__(self, send: Callable[[int], object]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._waiting: deque[int] = deque()
        self._open: dict[int, bool] = {}  # by number: whether it is done with

    def arrived(self, number: int) -> None:
        """Note a message that will be acknowledged."""
        with self._lock:
            if number not in self._open:
                self._waiting.append(number)
                self._open[number] = False

    def done(self, number: int, *, all_before: bool = False) -> None:
        """Acknowledge a message as soon as those before it are done with; nothing happens if it was acknowledged.

        Args:
            number: Of the message.
            all_before: Do not wait: those before it are acknowledged with it.
        """
        with self._lock:
            if number not in self._open:
                return
            self._open[number] = True
            while self._waiting and (self._open[self._waiting[0]] or (all_before and self._open.get(number))):
                first = self._waiting.popleft()
                del self._open[first]
                self._send(first)
