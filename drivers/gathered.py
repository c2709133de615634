"""Samples that are found group by group among the messages of a device, put back into the order of the messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Packet, Samples, StreamSpec, Ticks


@dataclass(slots=True)
class Gathered:
    """Samples of a number of messages: of each stream those of some of them.

    Attributes:
        arrival_ns: (n,) of each message.
        ticks: (n,) time of each message by the device's clock; -1 where it tells none.
        flags: (n,) of each message.
        parts: By stream: places of messages, and the sample (one row) that each has.
        undated: Samples that were left out because their message tells no time.
    """

    arrival_ns: Ticks
    ticks: Ticks
    flags: NDArray[np.uint8]
    parts: dict[str, list[tuple[NDArray[np.int64], Samples]]] = field(default_factory=dict)
    undated: int = 0

    @classmethod
    def of(cls, arrival_ns: Sequence[int]) -> Gathered:
        """Return none yet, of messages with these arrivals."""
        n = len(arrival_ns)
        return cls(np.array(arrival_ns, np.int64), np.full(n, -1, np.int64), np.zeros(n, np.uint8))

    def add(self, stream: str, places: NDArray[np.int64], samples: Samples) -> None:
        """Take one sample of each of these messages."""
        self.parts.setdefault(stream, []).append((places, samples))

    def packets(self, streams: Mapping[str, StreamSpec]) -> list[Packet]:
        """Return one packet a stream that has samples."""
        found = []
        for stream, parts in self.parts.items():
            places, samples = parts[0]
            if len(parts) > 1:
                places = np.concatenate([part[0] for part in parts])
                order = np.argsort(places, kind="stable")
                places, samples = places[order], np.concatenate([part[1] for part in parts])[order]
            ticks = self.ticks[places]
            if ticks.min() < 0:
                dated = ticks >= 0
                self.undated += int((~dated).sum())
                places, samples, ticks = places[dated], samples[dated], ticks[dated]
            if len(places):
                found.append(Packet(streams[stream].name, self.arrival_ns[places], ticks, samples, self.flags[places]))
        return found
