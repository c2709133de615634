"""Devices on their way in: frames decoded, samples placed on the devices' own grids, absences counted.

A step's frames of all devices are decoded kind by kind and placed by one kernel call.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np
from numpy.typing import NDArray

from config.settings import Device
from drivers.driver import MISFIT, Decoder
from drivers.kept_records import KeptRecords
from drivers.packet import Frame, Frames, Packets, StreamSpec
from gateway.clocks.device_clock import NS
from gateway.clocks.timeline import DROPPED, Floats, Ints, Timeline, Timelines
from gateway.intake.decoding import Decoding, note
from gateway.intake.frames import Numbered, by_device
from gateway.intake.known_devices import same_device
from gateway.intake.placeable import Decoded, Placeable
from gateway.intake.repeats import Repeats
from gateway.intake.sent import Sent
from gateway.intake.streams import Stream, StreamCount, Streams, StreamsByDevice
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


@dataclass(slots=True)
class ArrivedBatch:
    """What one step brought of one stream of several devices, back to back: `Arrived` of each.

    Attributes:
        name: Name of the stream.
        numbers: (k,) the devices; one whose packets waited together may come twice.
        intakes: (k,) the same, of `Intake`.
        streams: (k,) the stream of each, of `Stream`.
        versions: (k,) the version of each stream.
        start: (k + 1,) where the samples of each begin.
        index: (n,) as of `Arrived`.
        samples: (n, channels) as of `Arrived`.
        flags: (n,) as of `Arrived`.
        before: (k,) as of `Arrived`.
        missing: (k,) as of `Arrived`.
        reset: (k,) as of `Arrived`.
    """

    name: str
    numbers: Ints
    intakes: NDArray[np.object_]
    streams: NDArray[np.object_]
    versions: Ints
    start: Ints
    index: Ints
    samples: Floats
    flags: NDArray[np.uint8]
    before: Ints
    missing: Ints
    reset: Ints

    def one(self, at: int) -> Arrived:
        """Return what arrived of one of the devices, by its place among them."""
        stream, own = self.streams[at], slice(self.start[at], self.start[at + 1])
        return Arrived(
            int(self.numbers[at]), self.name, stream.spec, stream.timeline, self.index[own], self.samples[own],
            self.flags[own], int(self.before[at]), int(self.missing[at]), bool(self.reset[at]),
            self.intakes[at].repeated,
        )  # fmt: skip

    def keep_latest(self) -> None:
        """Have the devices know the newest sample of a stream that comes when it comes."""
        for at, (intake, stream) in enumerate(zip(self.intakes, self.streams, strict=True)):
            if stream.spec.rate_hz is None:
                intake.latest[self.name] = self.samples[self.start[at + 1] - 1]

    def kept(self, which: NDArray[np.bool_]) -> ArrivedBatch:
        """Return some of the samples; devices of which none is left are left out."""
        counts = np.add.reduceat(which, self.start[:-1], dtype=np.int64)
        some = np.flatnonzero(counts)
        start = np.concatenate([[0], np.cumsum(counts[some])])
        return ArrivedBatch(
            self.name, self.numbers[some], self.intakes[some], self.streams[some], self.versions[some], start,
            self.index[which], self.samples[which], self.flags[which], self.before[some], self.missing[some],
            self.reset[some],
        )  # fmt: skip


class Intake:
    """Decoder and streams of one device.

    Attributes:
        device: Its settings, as of where it is worn at present, or was last.
        slot: Id of the slot that wears it; None while nobody does.
        decoder: Of the present connection.
        placed: Its streams that have brought samples, by name.
        latest: Newest sample of each stream that comes when it comes.
        sent: Which records the device has sent, over all its connections and before this run.
        unread: Why nothing can be read from the device, such as a driver that is not installed; empty if it can.
        kept: Samples that came and were not placed: they wait for a kernel, or waited in vain.
    """

    def __init__(self, device: Device, slot: str | None, sent: KeptRecords | None = None) -> None:
        self.device = device
        self.slot = slot
        self.sent = sent or KeptRecords()
        self.placed: dict[str, Stream] = {}
        self.latest: dict[str, Floats] = {}
        self.kept = 0
        self._kept_until_s = -np.inf
        self._driver, self.unread = open_driver(device)
        self.decoder: Decoder = self._new_decoder()
        self._old_faults: Counter[str] = Counter()
        self._repeats: dict[str, Repeats] = {}
        self._old_repeated = 0

    @property
    def repeated(self) -> int:
        """Notifications without a counter that were delivered twice, and left out, over all connections."""
        return self._old_repeated + sum(each.counted for each in self._repeats.values())

    @property
    def faults(self) -> Counter[str]:
        """Bad input by reason, over all connections."""
        return self._old_faults + self.decoder.faults + Counter({REPEATED: self.repeated})

    @property
    def transport(self) -> str:
        """How the device is reached: ``"ble"``, ``"serial"`` or ``"udp"``."""
        return self._driver.transport

    @property
    def silence_s(self) -> float:
        """How long the device may be silent, as its driver says; seconds."""
        return self._driver.silence_s

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
    def samples(self) -> int:
        """How many samples came, also those that are not placed yet."""
        return self.kept + sum(stream.timeline.count("samples") for stream in self.placed.values())

    @property
    def newest_s(self) -> float:
        """Gateway time of the newest sample of any stream; -inf before the first."""
        return max(self._kept_until_s, *(stream.timeline.newest_s for stream in self.placed.values()), -np.inf)

    def keep(self, decoded: Decoded, now_s: float) -> None:
        """Count a packet that is kept, and came in a step that ends at this gateway time."""
        self.kept += len(decoded.packet.arrival_ns)
        self._kept_until_s = now_s

    def release(self, decoded: Decoded) -> None:
        """Count a packet that was kept no more: it is placed now."""
        self.kept -= len(decoded.packet.arrival_ns)

    def note(self, fault: str) -> None:
        """Count what is wrong with the device beside its bytes."""
        self._old_faults[fault] += 1

    def connected(self) -> None:
        """Begin with a fresh decoder."""
        self._old_faults += self.decoder.faults
        self._old_repeated = self.repeated
        self._repeats.clear()
        self.sent.connected()
        self.decoder = self._new_decoder()

    def _new_decoder(self) -> Decoder:
        decoder = self._driver.decoder()
        decoder.kept = self.sent
        return decoder

    def once(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return the frames without those that were delivered twice and carry no counter by which it would show."""
        uncounted = self.decoder.uncounted
        return [frame for frame in frames if not self._again(frame, uncounted)] if uncounted else frames

    def _again(self, frame: Frame, uncounted: Mapping[str, float]) -> bool:
        least_s = uncounted.get(frame.channel)
        if least_s is None:
            return False
        among = self.decoder.compared(frame)
        if among is None:
            return False
        repeats = self._repeats.get(among)
        if repeats is None:
            repeats = self._repeats[among] = Repeats(least_s)
        return repeats.again(frame.arrival_ns / NS, frame.data, self.decoder.span_s(frame))


class Intakes:
    """All devices that a gateway has read in this run, numbered. Fed in order of arrival; never raises on bad bytes.

    A device keeps its number, its decoder and its place in time wherever it is worn; one that is reached or read in
    another way is another device.

    Args:
        origin_ns: Second 0 on the monotonic clock.

    Attributes:
        all: The devices by number.
        worn: (devices,) whether somebody wears each.
        timelines: Where their samples lie in time.
        sent: Which records each has sent.
    """

    def __init__(self, origin_ns: int) -> None:
        self.all: list[Intake] = []
        self.worn = np.zeros(0, np.bool_)
        self._each = np.zeros(0, np.object_)  # the same as ``all``
        self._streams: defaultdict[str, StreamsByDevice] = defaultdict(StreamsByDevice)
        self._numbers: dict[str, int] = {}
        self.sent = Sent()
        self._rank = np.zeros(0, np.uint16)  # by device number: kind by kind
        self._versions = count(1)
        self._decoding = Decoding()
        self.timelines = Timelines(origin_ns)

    def wear(self, devices: Sequence[tuple[Device, str]]) -> list[int]:
        """Say which devices are worn, each with the id of its slot, and that no others are; return their numbers."""
        for intake in self.all:
            intake.slot = None
        numbers = [self._wear(device, slot) for device, slot in devices]
        self.worn = np.array([intake.slot is not None for intake in self.all], np.bool_)
        return numbers

    def _wear(self, device: Device, slot: str) -> int:
        number = self._numbers.get(device.id)
        if number is None or not same_device(self.all[number].device, device):
            number = self._numbers[device.id] = len(self.all)
            self.all.append(Intake(device, slot, self.sent[device.id]))
            self._each = np.array(self.all, np.object_)
            self._rank_kinds()
        intake = self.all[number]
        intake.device, intake.slot = device, slot
        return number

    def decode(self, frames: Sequence[Numbered]) -> list[Placeable]:
        """Decode the frames of a step; what is of one device in order of arrival."""
        if not frames:
            return []
        numbers, sent = by_device(frames, self._rank)
        found: list[Placeable] = []
        if CONNECTED in sent.channels:
            numbers, sent = self._connect(numbers, sent, found)
        found += self._decode(numbers, sent)
        return found

    def place(self, packets: Sequence[Placeable]) -> list[ArrivedBatch]:
        """Place what was decoded; what has been there before is left out."""
        if not packets:
            return []
        streams = [self._streams_of(each) for each in packets]
        columns = [each.packets for each in packets]
        counts = np.concatenate([np.diff(each.start) for each in columns])
        placed = self.timelines.place(
            np.concatenate([part.timelines for part in streams]),
            np.concatenate([[0], np.cumsum(counts)]),
            np.concatenate([each.arrival_ns for each in columns]),
            np.concatenate([each.ticks if len(each.ticks) else each.arrival_ns for each in columns]),
        )
        arrived: list[ArrivedBatch] = []
        first = begin = 0
        for each, part in zip(packets, streams, strict=True):
            last, end = first + len(part.each), begin + len(each.packets.arrival_ns)
            batch = ArrivedBatch(
                each.packets.stream, each.numbers, self._each[each.numbers], part.each, part.versions,
                each.packets.start, placed.index[begin:end], each.packets.samples, each.packets.flags,
                placed.before[first:last], placed.missing[first:last], placed.reset[first:last],
            )  # fmt: skip
            first, begin = last, end
            new = _news(batch) if placed.dropped else [batch]
            if part.sporadic.any():
                for some in new:
                    some.keep_latest()
            arrived += new
        return arrived

    def _decode(self, numbers: Ints, sent: Frames) -> Iterator[Placeable]:
        """Decode frames of the present connections, of all devices of a kind at once.

        What a stream is, is asked while the decoder that read it is there: the next connection's knows nothing yet.
        """
        for packets in self._decoding.decode(self._each[numbers].tolist(), sent):
            own = numbers[packets.device]
            if specs := self._specs(own, packets):
                yield Placeable(own, packets, specs)

    def _connect(self, numbers: Ints, sent: Frames, found: list[Placeable]) -> tuple[Ints, Frames]:
        """Begin new connections: decode what came of each device before, into ``found``; return what came after."""
        each = sent.each()
        for at, frames in enumerate(each):
            cuts = [i for i, frame in enumerate(frames) if frame.channel == CONNECTED]
            for begin, end in pairwise([-1, *cuts]):
                if end > begin + 1:
                    found += self._decode(numbers[at : at + 1], Frames.of([frames[begin + 1 : end]]))
                self.all[numbers[at]].connected()
            each[at] = frames[cuts[-1] + 1 :] if cuts else frames
        left = [at for at, frames in enumerate(each) if frames]
        return numbers[left], Frames.of([each[at] for at in left])

    def _specs(self, numbers: Ints, packets: Packets) -> list[StreamSpec]:
        """Return the stream of each device as announced; none where it is another one than the samples are of."""
        name, columns, every = packets.stream, packets.samples.shape[1], self._each[numbers].tolist()
        specs = [
            spec
            for intake in every
            if (spec := intake.decoder.streams.get(name)) is not None and len(spec.channels) == columns
        ]
        if len(specs) == len(every):
            return specs
        note(every, MISFIT)
        return []

    def _streams_of(self, each: Placeable) -> Streams:
        """Return the streams of packets, begun where they are new, with their specification of now."""
        name = each.packets.stream
        return self._streams[name].of(each.numbers, each.specs) or Streams.of(
            [
                stream
                if (stream := self.all[number].placed.get(name)) is not None and stream.spec is spec
                else self._renewed(number, name, spec)
                for number, spec in zip(each.numbers.tolist(), each.specs, strict=True)
            ]
        )

    def _renewed(self, number: int, name: str, spec: StreamSpec) -> Stream:
        """Return a stream as it is announced now; what came before keeps what was announced for it."""
        intake = self.all[number]
        before = intake.placed.get(name)
        timeline = self.timelines.add(spec) if before is None else before.timeline
        timeline.set_rate(spec.rate_hz)
        stream = intake.placed[name] = Stream(spec, timeline, next(self._versions))
        self._streams[name].put(number, stream)
        return stream

    def _rank_kinds(self) -> None:
        """Put devices of one kind next to each other: they are decoded together."""
        kinds = list(dict.fromkeys(type(intake.decoder) for intake in self.all))
        order = sorted(range(len(self.all)), key=lambda number: kinds.index(type(self.all[number].decoder)))
        self._rank = np.empty(len(order), np.uint16)
        self._rank[order] = np.arange(len(order))


def _news(batch: ArrivedBatch) -> list[ArrivedBatch]:
    """Return what has not been there before."""
    new = batch.index != DROPPED
    return [batch] if new.all() else [batch.kept(new)] if new.any() else []
