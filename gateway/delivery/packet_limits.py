"""How large a packet may be: what the broker named, and what it let us find out by ending connections."""

from __future__ import annotations

from gateway.broker.link import LARGEST_PACKET
from gateway.delivery.batching import MAX_BYTES
from gateway.delivery.in_flight import Outgoing

HEAD_BYTES = 512
"""Of a message beside its rows: topic, properties, and what is said of all its rows."""
LEAST_PACKET = 1024
"""Every measurement fits into so many bytes. What alone takes more, and is too large for a broker, is given up with a
gap; a broker that takes less is not fit for us, and nothing is given up for its sake."""
ENDED_MOST = 3
"""Connections that one row may end, by its size, before it is given up."""
LEARNT_S = 3600.0
"""A limit that a broker did not name, and let us find out, is believed for so long."""


class PacketLimits:
    """The limits of the present connection, bytes.

    Attributes:
        largest: Bytes of a packet that carries several rows.
    """

    def __init__(self) -> None:
        self.largest = LARGEST_PACKET
        self._named = LARGEST_PACKET
        self._learnt = LARGEST_PACKET
        self._learnt_until = 0.0  # monotonic seconds

    @property
    def row_bytes(self) -> int:
        """Bytes of the rows of one message."""
        return max(1, min(MAX_BYTES, self.largest - HEAD_BYTES))

    def connected(self, named: int, now: float) -> None:
        """Go by what the broker has named for a new connection, and by what is still believed."""
        if now >= self._learnt_until:
            self._learnt = LARGEST_PACKET
        self._named = named
        self.largest = min(named, self._learnt)

    def learn(self, size: int, now: float) -> None:
        """Note that a packet of so many bytes ended the connection, though the broker had named no limit for it."""
        self._learnt = min(self._learnt, max(LEAST_PACKET, size // 2))
        self._learnt_until = now + LEARNT_S

    def is_too_large(self, message: Outgoing) -> bool:
        """Whether a message would end the connection, again and again."""
        alone = len(message.parts) == 1  # its size is judged by what becomes of it
        return message.size > (self._named if alone else self.largest) or message.ended >= ENDED_MOST
