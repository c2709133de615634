"""Devices on their way in: frames decoded, samples placed on the devices' own grids, absences counted.

A step's frames of all devices are decoded kind by kind and placed by one kernel call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.settings import Device
from drivers.driver import Decoder
from drivers.packet import Frame, Packet, StreamSpec
from gateway.clocks.device_clock import NS
from gateway.clocks.timeline import DROPPED, Floats, Ints, Timeline, Timelines
from gateway.intake.frames import Numbered
from gateway.intake.repeats import Repeats
from gateway.intake.unread import open_driver

CONNECTED = "connected"  # channel of the frame that says: a new connection, whatever was half decoded is void

REPEATED = "repeated"  # the fault: a notification that was delivered twice


@dataclass(slots=True)
class Arrived:
    """What one step brought of one stream: at least one sample.

    Attributes:
        number: The device.
        stream: Name of the stream.
        spec: The stream as the device announced it.
        timeline: Where its samples lie in time.
        index: (n,) sample counter; a missing number is a lost sample.
        samples: (n, channels) in the units of ``spec``.
        flags: (n,) ``drivers.packet.Flag`` values.
        before: Index of the sample before these; -1 before the first of all.
        missing: Most samples lost in a row before or between these.
        reset: Whether the device's clock started again.
        repeated: Notifications of the device that were delivered twice and left out, since the start.
    """

    number: int
    stream: str
    spec: StreamSpec
    timeline: Timeline
    index: Ints
    samples: Floats
    flags: NDArray[np.uint8]
    before: int
    missing: int
    reset: bool
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class StreamCount:
    """What a stream has delivered since the start."""

    samples: int
    lost: int
    resets: int
    repeated: int


@dataclass(slots=True)
class Stream:
    """A stream that has brought samples, and its specification at present."""

    spec: StreamSpec
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class Placeable:
    """A packet that is decoded and not yet placed in time: the device's number, and the stream as announced then."""

    number: int
    packet: Packet
    spec: StreamSpec


class Intake:
    """Decoder and streams of one device.

    Attributes:
        device: Its settings, as of where it is worn at present, or was last.
        slot: Id of the slot that wears it; None while nobody does.
        decoder: Of the present connection.
        placed: Its streams that have brought samples, by name.
        latest: Newest sample of each stream that comes when it comes.
        unread: Why nothing can be read from the device, such as a driver that is not installed; empty if it can.
        kept: Samples that came and were not placed: they wait for a kernel, or waited in vain.
    """

    def __init__(self, device: Device, slot: str | None) -> None:
        self.device = device
        self.slot = slot
        self.placed: dict[str, Stream] = {}
        self.latest: dict[str, Floats] = {}
        self.kept = 0
        self._kept_until_s = -np.inf
        self._driver, self.unread = open_driver(device)
        self.decoder: Decoder = self._driver.decoder()
        self._old_faults: Counter[str] = Counter()
        self._repeats: dict[str, Repeats] = {}
        self._old_repeated = 0

    @property
    def repeated(self) -> int:
        """Notifications without a counter that were delivered twice, and left out, over all connections."""
        return self._old_repeated + sum(each.told for each in self._repeats.values())

    @property
    def faults(self) -> Counter[str]:
        """Bad input by reason, over all connections."""
        return self._old_faults + self.decoder.faults + Counter({REPEATED: self.repeated})

    @property
    def transport(self) -> str:
        """How the device is reached: ``"ble"`` or ``"serial"``."""
        return self._driver.transport

    @property
    def streams(self) -> dict[str, StreamSpec]:
        """The streams as the device announced them."""
        return dict(self.decoder.streams)

    @property
    def counts(self) -> dict[str, StreamCount]:
        """What each stream has delivered."""
        return {
            name: StreamCount(*(stream.timeline.count(what) for what in ("samples", "lost", "resets", "repeated")))
            for name, stream in self.placed.items()
        }

    @property
    def newest_s(self) -> float:
        """Gateway time of the newest sample of any stream; -inf before the first."""
        return max(self._kept_until_s, *(stream.timeline.newest_s for stream in self.placed.values()), -np.inf)

    def keep(self, packet: Placeable, now_s: float) -> None:
        """Count a packet that is kept, and came in a step that ends at this gateway time."""
        self.kept += len(packet.packet.arrival_ns)
        self._kept_until_s = now_s

    def let_go(self, packet: Placeable) -> None:
        """Count a packet that was kept no more: it is placed now."""
        self.kept -= len(packet.packet.arrival_ns)

    def note(self, fault: str) -> None:
        """Count what is wrong with the device beside its bytes."""
        self._old_faults[fault] += 1

    def connected(self) -> None:
        """Begin with a fresh decoder."""
        self._old_faults += self.decoder.faults
        self._old_repeated = self.repeated
        self._repeats.clear()
        self.decoder = self._driver.decoder()

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode frames of the present connection, those that were delivered twice once."""
        return self.decoder.decode(self.once(frames))

    def once(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return the frames without those that were delivered twice and carry no counter by which it would show."""
        uncounted = self.decoder.uncounted
        return [frame for frame in frames if not self._again(frame, uncounted)] if uncounted else frames

    def _again(self, frame: Frame, uncounted: Mapping[str, float]) -> bool:
        least_s = uncounted.get(frame.channel)
        if least_s is None:
            return False
        repeats = self._repeats.get(frame.channel)
        if repeats is None:
            repeats = self._repeats[frame.channel] = Repeats(least_s)
        return repeats.again(frame.arrival_ns / NS, frame.data, self.decoder.span_s(frame))


def same_device(one: Device, other: Device) -> bool:
    """Whether two settings are of one device, reached and read in one way; it may be worn elsewhere."""
    elsewhere = {"placement": one.placement, "axes": one.axes}
    return one == other.model_copy(update=elsewhere)


class Intakes:
    """All devices that a gateway has read in this run, numbered. Fed in order of arrival; never raises on bad bytes.

    A device keeps its number, its decoder and its place in time wherever it is worn; one that is reached or read in
    another way is another device.

    Args:
        origin_ns: Second 0 on the monotonic clock.

    Attributes:
        all: The devices by number.
        timelines: Where their samples lie in time.
    """

    def __init__(self, origin_ns: int) -> None:
        self.all: list[Intake] = []
        self._numbers: dict[str, int] = {}
        self.timelines = Timelines(origin_ns)

    def wear(self, worn: Sequence[tuple[Device, str]]) -> list[int]:
        """Say which devices are worn, each with the id of its slot, and that no others are; return their numbers."""
        for intake in self.all:
            intake.slot = None
        return [self._wear(device, slot) for device, slot in worn]

    def _wear(self, device: Device, slot: str) -> int:
        number = self._numbers.get(device.id)
        if number is None or not same_device(self.all[number].device, device):
            number = self._numbers[device.id] = len(self.all)
            self.all.append(Intake(device, slot))
        intake = self.all[number]
        intake.device, intake.slot = device, slot
        return number

    def decode(self, frames: Sequence[Numbered]) -> list[Placeable]:
        """Decode the frames of a step; by device number, then in the decoder's order."""
        return [
            Placeable(number, packet, self.all[number].decoder.streams[packet.stream])
            for number, packet in self._decode(frames)
        ]

    def place(self, packets: Sequence[Placeable]) -> list[Arrived]:
        """Place what was decoded; what has been there before is left out."""
        if not packets:
            return []
        streams = [self._stream(each) for each in packets]
        placed = self.timelines.push([s.timeline for s in streams], [each.packet for each in packets])
        arrived: list[Arrived] = []
        for at, (each, stream) in enumerate(zip(packets, streams, strict=True)):
            number, packet = each.number, each.packet
            index, samples, flags = placed.index[placed.start[at] : placed.start[at + 1]], packet.samples, packet.flags
            if placed.dropped and index.min() == DROPPED:
                keep = index != DROPPED
                if not keep.any():
                    continue
                index, samples, flags = index[keep], samples[keep], flags[keep]
            if stream.spec.rate_hz is None:
                self.all[number].latest[packet.stream] = samples[-1]
            arrived.append(
                Arrived(
                    number, packet.stream, stream.spec, stream.timeline, index, samples, flags,
                    placed.before[at], placed.missing[at], bool(placed.reset[at]), self.all[number].repeated,
                )
            )  # fmt: skip
        return arrived

    def _decode(self, frames: Sequence[Numbered]) -> list[tuple[int, Packet]]:
        by_device: dict[int, list[Frame]] = {}
        done: dict[int, list[Packet]] = {}
        for number, frame in frames:
            if frame.channel == CONNECTED:
                intake = self.all[number]
                done.setdefault(number, []).extend(intake.decode(by_device.pop(number, [])))
                intake.connected()
            elif number in by_device:
                by_device[number].append(frame)
            else:
                by_device[number] = [frame]
        kinds: dict[type[Decoder], list[int]] = {}
        for number in by_device:
            kinds.setdefault(type(self.all[number].decoder), []).append(number)
        for kind, numbers in kinds.items():
            work = [(self.all[number].decoder, self.all[number].once(by_device[number])) for number in numbers]
            decoded = kind.decode_many(work)
            for number, packets in zip(numbers, decoded, strict=True):
                if number in done:
                    done[number] += packets
                else:
                    done[number] = packets
        return [(number, packet) for number in sorted(done) for packet in done[number]]

    def _stream(self, each: Placeable) -> Stream:
        intake, spec = self.all[each.number], each.spec
        stream = intake.placed.get(each.packet.stream)
        if stream is None:
            stream = intake.placed[each.packet.stream] = Stream(spec, self.timelines.add(spec))
        elif stream.spec is not spec:
            stream.spec = spec
            stream.timeline.set_rate(spec.rate_hz)
        return stream
