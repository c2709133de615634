"""Samples that are sorted out of frames one by one, and whose numbers are read at once for all devices."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.driver import BatchDecoder, Decoder
from drivers.packet import Frame, Frames, Packet, Packets, Samples

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
        flags: `Flag` values of each row; empty if none has any.
        rows: What is to be read.
    """

    device: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=lambda: [0])
    arrival_ns: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)

    def fill(self, frames: Pieces, channel: str, cut: Callable[[bytes], Sequence[Any]]) -> None:
        """Append the rows that the bytes of a channel complete."""
        for arrival_ns, name, data in frames:
            if name == channel:
                rows = cut(data)
                self.rows += rows
                self.arrival_ns += [arrival_ns] * len(rows)

    def end(self, device: int) -> None:
        """Take all rows behind those of the devices before as those of this one."""
        if len(self.rows) > self.start[-1]:
            self.device.append(device)
            self.start.append(len(self.rows))

    def owners(self) -> NDArray[np.int64]:
        """Return (n,) whose each row is."""
        return np.repeat(np.array(self.device, np.int64), np.diff(self.start))

    def packets(self, stream: str, samples: Samples, flags: NDArray[np.uint8] | None = None) -> Packets:
        """Return the rows as the samples that were read of them, one each; ``flags`` come to their own."""
        own = np.array(self.flags, np.uint8) if self.flags else np.zeros(len(samples), np.uint8)
        return Packets(
            stream,
            np.array(self.device, np.int64),
            np.array(self.start, np.int64),
            np.array(self.arrival_ns, np.int64),
            np.array(self.ticks, np.int64),
            samples,
            own if flags is None else own | flags,
        )


class Told(dict[Hashable, Columns]):
    """What devices told, by how it is read: the stream and whatever else the reading hangs on."""

    def __missing__(self, how: Hashable) -> Columns:
        """Return the columns of rows that are read in another way than all so far."""
        columns = self[how] = Columns()
        return columns

    def end(self, device: int) -> None:
        """Take whatever came behind what the devices before told as told by this one."""
        for columns in self.values():
            columns.end(device)

    def numbers(self, stream: str, arrival_ns: int, values: Sequence[float], flags: int = 0) -> None:
        """Add a sample that is read already, of a stream that comes now and then and without a clock."""
        columns = self[stream]
        columns.arrival_ns.append(arrival_ns)
        columns.flags.append(flags)
        columns.rows.append(values)


class ColumnDecoder(BatchDecoder):
    """A decoder that sorts its frames into columns, which are read for all devices together."""

    @abstractmethod
    def sort(self, frames: Pieces, told: Told) -> None:
        """Append what frames tell; what is read alike goes to the same columns, whichever device it is of."""

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: Any, columns: Columns) -> list[Packets]:  # noqa: ARG003
        """Return the samples of columns, of one row at least; of numbers here, whatever else is there overrides it."""
        return [columns.packets(how, np.array(columns.rows, np.float64))]

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode frames in order of arrival; at most one packet a stream, none when nothing was whole."""
        told = Told()
        self.sort(frames, told)
        told.end(0)
        return [packets.only for packets in self._read([self], told)]

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the frames of several devices: sort those of each, and read all at once."""
        told = Told()
        for at, (decoder, pieces) in enumerate(zip(decoders, frames.pieces(), strict=True)):
            assert isinstance(decoder, ColumnDecoder)
            decoder.sort(pieces, told)
            told.end(at)
        return cls._read(decoders, told)

    @classmethod
    def _read(cls, decoders: Sequence[Decoder], told: Told) -> list[Packets]:
        return [packets for how, own in told.items() if own.rows for packets in cls.read(decoders, how, own)]
