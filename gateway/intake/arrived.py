"""What has arrived of a stream, placed on the device's own grid: of one device, and of several back to back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.packet import StreamSpec
from gateway.clocks.timeline import DROPPED, Floats, Ints, Timeline


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

    def news(self) -> list[ArrivedBatch]:
        """Return what has not been there before: all, some, or nothing."""
        new = self.index != DROPPED
        return [self] if new.all() else [self.kept(new)] if new.any() else []

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
