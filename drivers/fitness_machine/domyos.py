"""How Domyos treadmills frame their messages, which are none of the Fitness Machine Service.

A message of 26 bytes (``F0 BC`` … sum) comes in notifications of 20 and 6 bytes. What the fields mean nobody published.
"""

from __future__ import annotations

from typing import Final

from drivers.errors import MalformedFrameError

HEADER: Final = b"\xf0\xbc"
MESSAGE_BYTES: Final = 26


class DomyosFrames:
    """Puts messages together from notifications.

    Attributes:
        dropped: Bytes that belonged to no message.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._bytes = b""

    def add(self, data: bytes) -> list[bytes]:
        """Take a notification; return the messages that it completes, whole and with the right sum."""
        self._bytes += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> bytes | None:
        while True:
            begin = self._bytes.find(HEADER)
            if begin < 0:
                keep = 1 if self._bytes.endswith(HEADER[:1]) else 0
                self._drop(len(self._bytes) - keep)
                return None
            self._drop(begin)
            if len(self._bytes) < MESSAGE_BYTES:
                return None
            message = self._bytes[:MESSAGE_BYTES]
            if checksum_ok(message):
                self._bytes = self._bytes[MESSAGE_BYTES:]
                return message
            self._drop(1)

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._bytes = self._bytes[count:]


def checksum_ok(message: bytes) -> bool:
    """Return whether the last byte is the sum of all before; raises MalformedFrameError for another length."""
    if len(message) != MESSAGE_BYTES:
        raise MalformedFrameError(f"a message has {MESSAGE_BYTES} bytes, not {len(message)}")
    return sum(message[:-1]) & 0xFF == message[-1]
