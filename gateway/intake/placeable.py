"""What is decoded and not yet placed in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.packet import Packet, Packets, StreamSpec
from gateway.clocks.timeline import Ints


@dataclass(frozen=True, slots=True)
class Decoded:
    """What is decoded of one device.

    Attributes:
        number: The device.
        packet: Its samples.
        spec: The stream as announced then.
    """

    number: int
    packet: Packet
    spec: StreamSpec


@dataclass(frozen=True, slots=True)
class Placeable:
    """What is decoded of one stream of several devices, back to back.

    Attributes:
        numbers: (k,) the devices.
        packets: Their samples.
        specs: (k) the stream as each had announced it then.
    """

    numbers: Ints
    packets: Packets
    specs: Sequence[StreamSpec]

    @classmethod
    def of(cls, each: Sequence[Decoded]) -> list[Placeable]:
        """Return what is of several devices stream by stream; what is of one device remains in order."""
        found = Packets.of([[decoded.packet] for decoded in each])
        return [
            cls(
                np.array([each[at].number for at in packets.device.tolist()], np.int64),
                packets,
                [each[at].spec for at in packets.device.tolist()],
            )
            for packets in found
        ]

    def each(self) -> Iterator[Decoded]:
        """Yield what is of each device by itself."""
        for number, (_, packet), spec in zip(self.numbers.tolist(), self.packets.each(), self.specs, strict=True):
            yield Decoded(number, packet, spec)
