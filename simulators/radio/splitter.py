"""The bytes of a socket, cut into HCI packets as bumble's parser cuts them, in one look at each instead of three."""

from __future__ import annotations

import logging
from typing import NamedTuple, Protocol

from bumble.core import InvalidPacketError

log = logging.getLogger(__name__)


class Sink(Protocol):
    """What takes packets, each with its type byte."""

    def on_packet(self, packet: bytes) -> None:
        """Take one."""
        ...


class Shape(NamedTuple):
    """Where a kind of packet says its length (Core 5.0, Vol 4, Part E, 5.4).

    Attributes:
        header: Bytes before the body, type byte included.
        length_at: Where the length of the body begins; little-endian, up to the end of the header.
    """

    header: int
    length_at: int


SHAPES = {0x01: Shape(4, 3), 0x02: Shape(5, 3), 0x03: Shape(4, 3), 0x04: Shape(3, 2), 0x05: Shape(5, 3)}
"""By type byte: commands, ACL data, synchronous data, events, isochronous data (Vol 4, Part A, 2)."""


class Splitter:
    """Takes bytes as they come and hands whole packets on; has the methods that bumble's parser has."""

    def __init__(self) -> None:
        self._sink: Sink | None = None
        self._rest = b""

    def set_packet_sink(self, sink: Sink) -> None:
        """Hand packets to ``sink``."""
        self._sink = sink

    def feed_data(self, data: bytes) -> None:
        """Take bytes; raises InvalidPacketError at one that begins no packet, and begins anew after them."""
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            shape = SHAPES.get(data[at])
            if shape is None:
                raise InvalidPacketError(f"invalid packet type {data[at]}")
            body = at + shape.header
            stop = body + int.from_bytes(data[at + shape.length_at : body], "little")
            if body > len(data) or stop > len(data):
                break
            self._hand_over(data[at:stop])
            at = stop
        self._rest = data[at:]

    def _hand_over(self, packet: bytes) -> None:
        if self._sink is None:
            return
        try:
            self._sink.on_packet(packet)
        except Exception:  # as bumble: what one packet does must not cost the others
            log.exception("a packet could not be read")
