"""What is under way to the broker: never more than both sides allow, and nothing forgotten when a connection breaks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.broker.link import NO_LIMIT
from gateway.model.row import Gap, Row

REFUSED_WAIT_S = 5.0
"""Before a message is offered again that the broker refused (quota, rights)."""


PACKET_HEAD = 20
"""Bytes of a packet beside topic, payload and correlation data: type, lengths, number, heads of properties."""
PROPERTY_HEAD = 5
"""Of a user property: what it is, and two lengths."""


@dataclass(slots=True)
class Outgoing:
    """A QoS 1 message; ``numbers`` are the rows it carries, as ranges with both ends included.

    ``parts`` are those rows, or gaps: of one that proves too large, smaller ones are made. ``ended`` says how many
    connections it has ended by its size.
    """

    topic: str
    payload: bytes
    epoch: str = ""
    numbers: tuple[tuple[int, int], ...] = ()
    retain: bool = False
    correlation: bytes = b""
    sent_at: float = 0.0
    parts: tuple[Row, ...] | tuple[Gap, ...] = ()
    ended: int = 0

    @property
    def size(self) -> int:
        """Bytes of the packet, at most."""
        return packet_bytes(self.topic, self.payload) + len(self.correlation)


def packet_bytes(topic: str, payload: bytes, about: Sequence[tuple[str, str]] = ()) -> int:
    """Return how many bytes the packet of a message takes, at most, but for its correlation data."""
    properties = sum(PROPERTY_HEAD + len(name.encode()) + len(value.encode()) for name, value in about)
    return PACKET_HEAD + len(topic.encode()) + len(payload) + properties


class InFlight:
    """The messages without an acknowledgement, and those that have to be sent once more.

    Args:
        most: How many may be under way at most, whatever the broker allows.
    """

    def __init__(self, most: int) -> None:
        self.limit = most
        self._most = most
        self._under_way: dict[int, Outgoing] = {}
        self._again: deque[Outgoing] = deque()
        self._refused: deque[tuple[float, Outgoing]] = deque()

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def room(self) -> int:
        """How many more messages may be sent now; refused ones keep their place, or they would pile up."""
        return self.limit - len(self._under_way) - len(self._refused)

    @property
    def oldest_sent_at(self) -> float | None:
        """When the message was sent that has waited longest for its acknowledgement."""
        return next((message.sent_at for message in self._under_way.values()), None)

    def allow(self, receive_maximum: int = NO_LIMIT) -> None:
        """Take the limit that the broker named for this connection."""
        self.limit = min(self._most, receive_maximum)

    def put(self, number: int, message: Outgoing) -> None:
        """Note that a message is under way."""
        self._under_way[number] = message

    def acknowledged(self, number: int) -> Outgoing | None:
        """Take a message out that the broker took, or refused; None if it is not known."""
        return self._under_way.pop(number, None)

    def largest(self) -> Outgoing | None:
        """Return the largest message under way."""
        return max(self._under_way.values(), key=lambda message: message.size, default=None)

    def later(self, message: Outgoing, now: float) -> None:
        """Keep a message that the broker refused for a while; it keeps its place."""
        self._refused.append((now + REFUSED_WAIT_S, message))

    def once_more(self, message: Outgoing) -> None:
        """Keep a message that could not be sent."""
        self._again.append(message)

    def forget(self, epoch: str) -> None:
        """Send nothing of an epoch once more."""
        self._again = deque(message for message in self._again if message.epoch != epoch)
        self._refused = deque((at, message) for at, message in self._refused if message.epoch != epoch)

    def tick(self, now: float) -> None:
        """Let refused messages have another go when their time has come."""
        while self._refused and self._refused[0][0] <= now:
            self._again.append(self._refused.popleft()[1])

    def next_again(self) -> Outgoing | None:
        """Return a message that is to be sent once more; the caller makes sure that there is room."""
        return self._again.popleft() if self._again else None

    def lost(self) -> None:
        """The connection is over: what was under way goes again, in its order, before anything newer."""
        self._again.extendleft(reversed(self._under_way.values()))
        self._under_way.clear()


def spans(rows: Sequence[Row]) -> tuple[tuple[int, int], ...]:
    """Return the numbers of rows, which rise, as ranges with both ends included."""
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and row.seq == found[-1][1] + 1:
            found[-1] = (found[-1][0], row.seq)
        else:
            found.append((row.seq, row.seq))
    return tuple(found)
