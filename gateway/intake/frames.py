"""What a step is made of: frames, each with the number of its device, and those that come from no device.

A step takes exactly the frames that arrived within its `STEP_NS` of the monotonic clock. So what is computed is a
function of the frames and their arrival stamps alone, and a recording gives the same measurements as the live run did.
Whatever else changes a run, such as a wall clock that is set or a patient who leaves, goes the same way: as a frame of
its own, of no device.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Frame, Frames

STEP_NS = 50_000_000  # 50 ms: one kernel call serves all sensors, and nobody sees a twentieth of a second

Numbered = tuple[int, Frame]  # the number of a device, and what came from it

NO_DEVICE = 0xFFFF
"""The "device number" of frames that come from no device: the largest that a recording can hold."""
WARD_CHANNEL = "ward"
"""Payload: the ward that is in force from the end of the step (`gateway.model.ward`)."""
CLOCK_CHANNEL = "utc-moved"
MOVED = struct.Struct("<q")
"""Payload: by how many microseconds UTC moves, signed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The instant that is second 0: on the monotonic clock, and what the wall clock said then."""

    monotonic_ns: int
    utc_us: int

    def to_utc_us(self, seconds: float) -> int:
        """Return UTC microseconds of a gateway time in seconds."""
        return self.utc_us + round(seconds * 1e6)

    def of_ns(self, arrival_ns: int) -> int:
        """Return UTC microseconds of an arrival."""
        return self.utc_us + (arrival_ns - self.monotonic_ns) // 1000

    def to_ns(self, utc_us: int) -> int:
        """Return the arrival of UTC microseconds."""
        return self.monotonic_ns + 1000 * (utc_us - self.utc_us)


def clock_frame(arrival_ns: int, by_us: int) -> Numbered:
    """Return what goes into the pipeline's input when UTC moves."""
    return NO_DEVICE, Frame(arrival_ns, CLOCK_CHANNEL, MOVED.pack(by_us))


def ward_frame(arrival_ns: int, ward: bytes) -> Numbered:
    """Return what goes into the pipeline's input when the ward changes."""
    return NO_DEVICE, Frame(arrival_ns, WARD_CHANNEL, ward)


def part_frames(frames: Sequence[Numbered]) -> tuple[list[Frame], Sequence[Numbered]]:
    """Return the frames of a step that come from no device, and those that come from one."""
    if NO_DEVICE not in map(itemgetter(0), frames):
        return [], frames
    notes = [frame for number, frame in frames if number == NO_DEVICE]
    return notes, [numbered for numbered in frames if numbered[0] != NO_DEVICE]


def move_origin(origin: Origin, notes: Sequence[Frame]) -> Origin:
    """Carry out what frames of no device say about UTC; return the origin that holds from now on.

    Whatever the step completes, and all that comes after, is told in the UTC that holds at its end: one measurement
    never has a start before the move and an end after it. Order and durations are the monotonic clock's throughout.
    """
    for frame in notes:
        if frame.channel == CLOCK_CHANNEL and len(frame.data) == MOVED.size:
            origin = Origin(origin.monotonic_ns, origin.utc_us + MOVED.unpack(frame.data)[0])
    return origin


def by_device(frames: Sequence[Numbered], rank: NDArray[np.uint16]) -> tuple[NDArray[np.int64], Frames]:
    """Return the numbers of the devices of a step in order of their rank, and their frames, of at least one.

    Args:
        frames: In order of arrival, as those of each device remain.
        rank: By device number.
    """
    count = len(frames)
    number = np.fromiter(map(itemgetter(0), frames), np.int64, count)
    sent: Sequence[Frame] = list(map(itemgetter(1), frames))
    if count > 1:
        order = rank[number].argsort(kind="stable")  # of 16 bits: in one pass
        number, sent = number[order], itemgetter(*order.tolist())(sent)
    arrival_ns, channels, data = zip(*sent, strict=True)
    begins = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1], [True]]))
    return number[begins[:-1]], Frames(begins, np.fromiter(arrival_ns, np.int64, count), channels, data)
