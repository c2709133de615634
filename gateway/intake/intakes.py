"""Devices on their way in: frames decoded, samples placed on the devices' own grids, absences counted.

A step's frames of all devices are decoded kind by kind and placed by one kernel call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, pairwise

import numpy as np

from config.settings import Device
from drivers.driver import MISFIT
from drivers.packet import Frames, Packets, StreamSpec
from gateway.clocks.timeline import Ints, Timelines
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.decoding import Decoding, note
from gateway.intake.frames import Numbered, by_device
from gateway.intake.intake import Intake
from gateway.intake.known_devices import same_device
from gateway.intake.placeable import Placeable
from gateway.intake.sent import Sent
from gateway.intake.streams import Stream, Streams, StreamsByDevice

CONNECTED = "connected"  # channel of the frame that says: a new connection, whatever was half decoded is void


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
        """Say which devices are worn, each with the id of its slot, and that no others are; return their numbers.

        One of nobody was let go: it sends nothing until it is worn, and has lost nothing.
        """
        let_go = [intake for intake in self.all if intake.slot is None]
        for intake in self.all:
            intake.slot = None
        numbers = [self._wear(device, slot) for device, slot in devices]
        for stream in [each for intake in let_go if intake.slot is not None for each in intake.placed.values()]:
            stream.timeline.begin_anew()
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
            new = batch.news() if placed.dropped else [batch]
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
        announced, times = [intake.decoder.streams for intake in every], 1
        if len(set(map(id, announced))) == 1:  # nearly always: devices that are alike share one object
            announced, times = announced[:1], len(every)
        specs = times * [
            spec for streams in announced if (spec := streams.get(name)) is not None and len(spec.channels) == columns
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
