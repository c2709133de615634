"""Samples that are found group by group among messages of several devices, put back into the order of the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Packets, Samples, Ticks

NOT_TOLD: Final = -1
IMPOSSIBLE: Final = "impossible values"


@dataclass(slots=True)
class Gathered:
    """Samples of a number of messages: of each stream those of some of them.

    Attributes:
        faults: Of each device, where samples that are left out are counted.
        owner: (n,) device of each message, by its place among the devices, ascending.
        arrival_ns: (n,) of each message.
        ticks: (n,) time of each message by the device's clock; `NOT_TOLD` where it tells none.
        flags: (n,) of each message.
        numbers: (n,) each: what else is told of each message, by `number`.
        parts: By stream: places of messages, and the sample (one row) that each has.
    """

    faults: list[Counter[str]]
    owner: NDArray[np.int64]
    arrival_ns: Ticks
    ticks: Ticks = field(init=False)
    flags: NDArray[np.uint8] = field(init=False)
    numbers: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    parts: dict[str, list[tuple[NDArray[np.int64], Samples]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.arrival_ns)
        self.ticks, self.flags = np.full(n, NOT_TOLD, np.int64), np.zeros(n, np.uint8)

    def number(self, what: str) -> NDArray[np.int64]:
        """Return (n,) a number of each message, such as its counter, to be filled in; `NOT_TOLD` where nobody did."""
        if what not in self.numbers:
            self.numbers[what] = np.full(len(self.ticks), NOT_TOLD, np.int64)
        return self.numbers[what]

    def add(self, stream: str, places: NDArray[np.int64], samples: Samples) -> None:
        """Append one sample of each of these messages; what is infinite in it is no value, and counted."""
        impossible = np.isinf(samples)
        if impossible.any():
            self.count(IMPOSSIBLE, places[impossible.any(axis=1)])
            samples[impossible] = np.nan
        self.parts.setdefault(stream, []).append((places, samples))

    def count(self, fault: str, places: NDArray[np.int64]) -> None:
        """Count a fault of each of these messages, of its device."""
        count(self.faults, fault, self.owner[places])

    def packets(self, undated: str) -> list[Packets]:
        """Return the samples of each stream; those whose message tells no time are left out and counted so."""
        found: list[Packets] = []
        for stream, parts in self.parts.items():
            places, samples = parts[0]
            if len(parts) > 1:
                places = np.concatenate([part[0] for part in parts])
                order = np.argsort(places, kind="stable")
                places, samples = places[order], np.concatenate([part[1] for part in parts])[order]
            ticks = self.ticks[places]
            if len(ticks) and ticks.min() < 0:
                dated = ticks >= 0
                self.count(undated, places[~dated])
                places, samples, ticks = places[dated], samples[dated], ticks[dated]
            counts = np.bincount(self.owner[places], minlength=len(self.faults))
            found += Packets.counted(
                stream, counts.tolist(), self.arrival_ns[places], ticks, samples, self.flags[places]
            )
        return found


def count(faults: Sequence[Counter[str]], what: str, owner: NDArray[np.int64]) -> None:
    """Count a fault of samples of these devices, by their places among all, each with its own device."""
    for device, n in Counter(owner.tolist()).items():
        faults[device][what] += n
