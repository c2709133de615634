"""Samples that are sorted out of frames one by one, and whose numbers are read at once for all devices."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.driver import BatchDecoder, Decoder
from drivers.packet import Frames, Packets, Samples

Pieces = Iterable[tuple[int, str, bytes]]
"""Frames of one device, in order of arrival: arrival, channel and bytes of each."""


@dataclass(slots=True)
class Columns:
    """Rows of several devices that are read alike, device after device; a row is a sample, or some.

    Attributes:
        device: Whose they are: places among the devices, ascending.
        start: Where the rows of each begin, and where those of the last end.
        arrival_ns: Arrival of each row.
        ticks: Time of each row by the device's clock; empty if it has none.
        flags: `Flag` values of each row; empty if all have the same.
        rows: What is to be read.
    """

    device: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=lambda: [0])
    arrival_ns: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)

    def end(self, device: int) -> None:
        """Take all rows behind those of the devices before as those of this one."""
        if len(self.rows) > self.start[-1]:
            self.device.append(device)
            self.start.append(len(self.rows))

    def owners(self) -> NDArray[np.int64]:
        """Return (n,) whose each row is."""
        return np.repeat(np.array(self.device, np.int64), np.diff(self.start))

    def packets(self, stream: str, samples: Samples, flags: int | NDArray[np.uint8] = 0) -> Packets:
        """Return the rows as the samples that were read of them, one each; ``flags`` are set beside their own."""
        marks = np.array(self.flags, np.uint8) if self.flags else np.zeros(len(samples), np.uint8)
        marks |= np.uint8(flags) if isinstance(flags, int) else flags
        return Packets(
            stream,
            np.array(self.device, np.int64),
            np.array(self.start, np.int64),
            np.array(self.arrival_ns, np.int64),
            np.array(self.ticks, np.int64),
            samples,
            marks,
        )


class Told(dict[Hashable, Columns]):
    """What devices told, by how it is read: the stream and whatever else the reading hangs on."""

    def __missing__(self, how: Hashable) -> Columns:
        """Return the columns of rows that are read in another way than all so far."""
        columns = self[how] = Columns()
        return columns

    def numbers(self, stream: str, arrival_ns: int, values: Sequence[float]) -> None:
        """Add a sample that is read already, of a stream that comes now and then and without a clock."""
        columns = self[stream]
        columns.arrival_ns.append(arrival_ns)
        columns.rows.append(values)


class ColumnDecoder(BatchDecoder):
    """A decoder that sorts its frames into columns, which are read for all devices together."""

    @abstractmethod
    def sort(self, frames: Pieces, told: Told) -> None:
        """Append what frames tell; what is read alike goes to the same columns, whichever device it is of."""

    @classmethod
    @abstractmethod
    def read(cls, decoders: Sequence[Decoder], how: Any, columns: Columns) -> list[Packets]:
        """Return the samples of columns; there is a row in them at least."""

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the frames of several devices: sort those of each, and read all at once."""
        told = Told()
        arrival_ns = frames.arrival_ns.tolist()
        for at, (decoder, (a, b)) in enumerate(zip(decoders, pairwise(frames.start.tolist()), strict=True)):
            assert isinstance(decoder, ColumnDecoder)
            decoder.sort(zip(arrival_ns[a:b], frames.channels[a:b], frames.data[a:b], strict=True), told)
            for columns in told.values():
                columns.end(at)
        return [packets for how, own in told.items() if own.rows for packets in cls.read(decoders, how, own)]
