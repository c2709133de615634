"""What travels from a driver to the gateway: frames of bytes, and the packets they decode to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from itertools import chain, pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]
Samples = NDArray[np.float64]


class Frame(NamedTuple):
    """One notification or one read from a tty, as it arrived; what a recorder stores and a decoder reads.

    Attributes:
        arrival_ns: Arrival on the gateway's monotonic clock, nanoseconds.
        channel: Where it came from: a characteristic's short name, ``"data"`` for a serial port, or the
            name of a dialogue answer that the decoder needs (``"inquiry"``, ``"control"``).
        data: The bytes.
    """

    arrival_ns: int
    channel: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of several devices, field by field: device after device, those of each in order of arrival.

    Attributes:
        start: (k + 1,) where the frames of each device begin.
        arrival_ns: (n,) as of `Frame`.
        channels: (n,) as of `Frame`.
        data: (n,) as of `Frame`.
    """

    start: NDArray[np.int64]
    arrival_ns: NDArray[np.int64]
    channels: Sequence[str]
    data: Sequence[bytes]

    @classmethod
    def of(cls, each: Sequence[Sequence[Frame]]) -> Self:
        """Return the frames of each device field by field."""
        start = np.zeros(len(each) + 1, np.int64)
        np.cumsum([len(frames) for frames in each], out=start[1:])
        arrival_ns, channels, data = zip(*chain.from_iterable(each), strict=True) if start[-1] else ((), (), ())
        return cls(start, np.array(arrival_ns, np.int64), channels, data)

    def each(self) -> list[list[Frame]]:
        """Return the frames of each device one by one."""
        frames = list(map(Frame, self.arrival_ns.tolist(), self.channels, self.data))
        start = self.start.tolist()
        return [frames[a:b] for a, b in pairwise(start)]

    def pieces(self) -> Iterator[Iterable[tuple[int, str, bytes]]]:
        """Yield the frames of each device: arrival, channel and bytes of each, without the cost of a `Frame`."""
        arrival_ns, start = self.arrival_ns.tolist(), self.start.tolist()
        for a, b in pairwise(start):
            yield zip(arrival_ns[a:b], self.channels[a:b], self.data[a:b], strict=True)

    def part(self, begin: int, end: int) -> Self:
        """Return the frames of the devices from one place among all to another."""
        first, last = self.start[begin], self.start[end]
        own = slice(first, last)
        return type(self)(self.start[begin : end + 1] - first, self.arrival_ns[own], self.channels[own], self.data[own])

    def chosen(self, devices: Sequence[int]) -> Self:
        """Return the frames of some of the devices, by their places among all, in that order."""
        each = self.each()
        return self.of([each[at] for at in devices])


class Flag(IntFlag):
    """What a decoder knows to be wrong with a sample."""

    NONE = 0
    MISSING = 1  # the device said that samples before this one were not sent
    TRUNCATED = 2  # the frame was cut: the channels it lacks are NaN
    CLIPPED = 4  # a sensor was at the end of its range
    LOSS_UNKNOWN = 8  # the protocol has no counter: a loss before this sample cannot be seen
    NO_CONTACT = 16  # the sensor says that it does not touch the body
    UNDATED = 32  # the device stamped it with a time that nothing tells the age of: it may be out of its memory
    SOME_USER = 64  # the device says which of its users this is of, and the configuration does not say which is meant
    PERHAPS_AGAIN = 128  # the same came on another connection a short while ago, and nothing says when it was measured


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One sampled group of channels of a device, before any sample has arrived.

    Attributes:
        name: Stream name, unique within the device: ``"imu"``, ``"heart_rate"``, ``"battery"``.
        channels: Names of the columns of ``Packet.samples``.
        units: UCUM unit of each column.
        rate_hz: Nominal samples a second; None for streams that come when they come.
        tick_hz: Device clock ticks a second; None when the device stamps nothing and arrival is all there is.
        tick_bits: Width of the device counter on the wire: it wraps at ``2 ** tick_bits``.
    """

    name: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float | None = None
    tick_hz: float | None = None
    tick_bits: int = 32


@dataclass(frozen=True, slots=True)
class Packet:
    """Samples of one stream in the order the device took them.

    Attributes:
        stream: ``StreamSpec.name``.
        arrival_ns: (n,) arrival of the frame that completed each sample, gateway monotonic nanoseconds.
        ticks: (n,) the device's own counter as on the wire, not unwrapped; empty if the device has no clock.
        samples: (n, channels) in the units of the stream's specification; NaN where the frame had no value.
        flags: (n,) ``Flag`` values.
    """

    stream: str
    arrival_ns: Ticks
    ticks: Ticks
    samples: Samples
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    @property
    def fits(self) -> bool:
        """Whether there is one of everything for each sample."""
        return _fit(self.arrival_ns, self.ticks, self.samples, self.flags)

    @classmethod
    def joined(cls, packets: Sequence[Self]) -> Self:
        """Join packets of one stream, in order; raises ValueError when the streams differ or none is given."""
        streams = {p.stream for p in packets}
        if len(streams) != 1:
            raise ValueError(f"packets of one stream expected, got {sorted(streams)}")
        return cls(
            packets[0].stream,
            np.concatenate([p.arrival_ns for p in packets]),
            np.concatenate([p.ticks for p in packets]),
            np.concatenate([p.samples for p in packets]),
            np.concatenate([p.flags for p in packets]),
        )


@dataclass(frozen=True, slots=True)
class Packets:
    """Samples of one stream of several devices, back to back: what a `Packet` is of one.

    Attributes:
        stream: ``StreamSpec.name``.
        device: (k,) whose each packet is: its place among the devices that were decoded together.
        start: (k + 1,) where the samples of each begin; no packet is empty.
        arrival_ns: (n,) as of `Packet`.
        ticks: (n,) as of `Packet`; empty if the devices have no clock.
        samples: (n, channels) as of `Packet`.
        flags: (n,) as of `Packet`.
    """

    stream: str
    device: NDArray[np.int64]
    start: NDArray[np.int64]
    arrival_ns: Ticks
    ticks: Ticks
    samples: Samples
    flags: NDArray[np.uint8]

    @classmethod
    def of(cls, each: Sequence[Sequence[Packet]]) -> list[Self]:
        """Return the packets of each device stream by stream; those of one name and different shape stay apart."""
        alike: dict[tuple[str, int, bool], list[tuple[int, Packet]]] = {}
        for at, packets in enumerate(each):
            for packet in packets:
                shape = packet.stream, packet.samples.shape[1], bool(len(packet.ticks))
                alike.setdefault(shape, []).append((at, packet))
        return [cls._back_to_back(packets) for packets in alike.values()]

    @classmethod
    def counted(  # noqa: PLR0917 - the columns of a packet, in their order
        cls,
        stream: str,
        counts: Sequence[int],
        arrival_ns: Ticks,
        ticks: Ticks,
        samples: Samples,
        flags: NDArray[np.uint8],
    ) -> list[Self]:
        """Return the samples of one stream of several devices, of which each has so many; none where none has any."""
        each = np.array(counts, np.int64)
        device = np.flatnonzero(each)
        if not len(device):
            return []
        start = np.zeros(len(device) + 1, np.int64)
        np.cumsum(each[device], out=start[1:])
        return [cls(stream, device, start, arrival_ns, ticks, samples, flags)]

    @classmethod
    def _back_to_back(cls, packets: Sequence[tuple[int, Packet]]) -> Self:
        joined = Packet.joined([packet for _, packet in packets])
        start = np.zeros(len(packets) + 1, np.int64)
        np.cumsum([len(packet) for _, packet in packets], out=start[1:])
        device = np.array([at for at, _ in packets], np.int64)
        return cls(joined.stream, device, start, joined.arrival_ns, joined.ticks, joined.samples, joined.flags)

    def fits(self, devices: int) -> bool:
        """Whether there is one of everything for each sample, and each is of one of so many devices."""
        return (
            _fit(self.arrival_ns, self.ticks, self.samples, self.flags)
            and len(self.start) == len(self.device) + 1 > 1
            and bool(self.start[0] == 0 and self.start[-1] == len(self.samples) and (np.diff(self.start) > 0).all())
            and bool(self.device.min() >= 0 and self.device.max() < devices)
        )

    def owned_by(self, devices: Sequence[int] | NDArray[np.int64]) -> Self:
        """Return the same, of devices that were chosen among more: their places among all."""
        return replace(self, device=np.asarray(devices, np.int64)[self.device])

    @property
    def only(self) -> Packet:
        """The packet of the one device that these are of."""
        return Packet(self.stream, self.arrival_ns, self.ticks, self.samples, self.flags)

    def each(self) -> Iterator[tuple[int, Packet]]:
        """Yield the packet of each device, and its place among them."""
        start = self.start.tolist()
        for at, (begin, end) in zip(self.device.tolist(), pairwise(start), strict=True):
            yield at, self._packet(begin, end)

    def _packet(self, begin: int, end: int) -> Packet:
        own = slice(begin, end)
        return Packet(self.stream, self.arrival_ns[own], self.ticks[own], self.samples[own], self.flags[own])


def _fit(arrival_ns: Ticks, ticks: Ticks, samples: Samples, flags: NDArray[np.uint8]) -> bool:
    n = len(samples)
    return (
        samples.ndim == 2
        and len(arrival_ns) == len(flags) == n
        and len(ticks) in {0, n}
        and all(np.can_cast(each.dtype, np.int64) for each in (arrival_ns, ticks) if len(each))
    )
