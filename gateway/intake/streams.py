"""Streams that have brought samples, by device: what is asked of each device at every step is a column here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.packet import StreamSpec
from gateway.clocks.timeline import Ints, Timeline


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that has brought samples, and its specification when it did.

    Attributes:
        spec: As the device announced it.
        timeline: Where its samples lie in time.
        version: Of the specification: another number for each, of any stream.
    """

    spec: StreamSpec
    timeline: Timeline
    version: int


class Streams(NamedTuple):
    """Streams of one name, field by field.

    Attributes:
        each: (k,) of `Stream`; None of a device that has brought none.
        specs: (k,) of `StreamSpec`.
        timelines: (k,) number of the timeline of each.
        versions: (k,) as of `Stream`.
        sporadic: (k,) whether it has no rate, and comes when it comes.
    """

    each: NDArray[np.object_]
    specs: NDArray[np.object_]
    timelines: Ints
    versions: Ints
    sporadic: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int) -> Streams:
        """Return room for so many."""
        each, specs = np.full((2, count), None, np.object_)
        timelines, versions = np.zeros((2, count), np.int64)
        return cls(each, specs, timelines, versions, np.zeros(count, np.bool_))

    @classmethod
    def of(cls, each: Sequence[Stream]) -> Streams:
        """Return streams field by field."""
        made = cls.empty(len(each))
        for at, stream in enumerate(each):
            made.put(at, stream)
        return made

    def put(self, at: int, stream: Stream) -> None:
        """Put a stream in a place."""
        self.each[at], self.specs[at] = stream, stream.spec
        self.timelines[at], self.versions[at] = stream.timeline.number, stream.version
        self.sporadic[at] = stream.spec.rate_hz is None


class StreamsByDevice:
    """The streams of one name as they are now, by device number."""

    def __init__(self) -> None:
        self._all = Streams.empty(0)

    def put(self, number: int, stream: Stream) -> None:
        """Take the stream of a device, the first or another one than it was."""
        room = len(self._all.each)
        if number >= room:
            more = Streams.empty(number + 1)
            self._all = Streams._make(np.concatenate(pair) for pair in zip(self._all, more, strict=True))
        self._all.put(number, stream)

    def of(self, numbers: Ints, specs: Sequence[StreamSpec]) -> Streams | None:
        """Return the streams of devices; None where not all are the ones that are specified."""
        if numbers.max() >= len(self._all.each):
            return None
        found = Streams._make(column[numbers] for column in self._all)
        return found if all(map(is_, specs, found.specs.tolist())) else None


@dataclass(frozen=True, slots=True)
class StreamCount:
    """What a stream has delivered since the start."""

    samples: int
    lost: int
    resets: int
    repeated: int
