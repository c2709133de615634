"""What a step is made of: frames, each with the number of its device, and those that come from no device.

A step takes exactly the frames that arrived within its `STEP_NS` of the monotonic clock. So what is computed is a
function of the frames and their arrival stamps alone, and a recording gives the same measurements as the live run did.
Whatever else changes a run, such as a wall clock that is set, goes the same way: as a frame of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.packet import Frame

STEP_NS = 50_000_000  # 50 ms: one kernel call serves all sensors, and nobody sees a twentieth of a second

Numbered = tuple[int, Frame]  # the number of a device, and what came from it

CLOCK_DEVICE = 0xFFFF
"""The "device number" of frames about the wall clock: the largest that a recording can hold."""
CLOCK_CHANNEL = "utc-moved"
MOVED = struct.Struct("<q")
"""Payload: by how many microseconds UTC moves, signed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The instant that is second 0: on the monotonic clock, and what the wall clock said then."""

    monotonic_ns: int
    utc_us: int


def clock_frame(arrival_ns: int, by_us: int) -> Numbered:
    """Return what goes into the pipeline's input when UTC moves."""
    return CLOCK_DEVICE, Frame(arrival_ns, CLOCK_CHANNEL, MOVED.pack(by_us))


def move_origin(origin: Origin, frames: Sequence[Numbered]) -> tuple[Origin, Sequence[Numbered]]:
    """Carry out what the frames of a step say about UTC; return the origin from now on, and the other frames.

    Whatever the step completes, and all that comes after, is told in the UTC that holds at its end: one measurement
    never has a start before the move and an end after it. Order and durations are the monotonic clock's throughout.
    """
    if not any(number == CLOCK_DEVICE for number, _ in frames):
        return origin, frames
    utc_us = origin.utc_us
    for number, frame in frames:
        if number == CLOCK_DEVICE and frame.channel == CLOCK_CHANNEL and len(frame.data) == MOVED.size:
            utc_us += MOVED.unpack(frame.data)[0]
    return Origin(origin.monotonic_ns, utc_us), [numbered for numbered in frames if numbered[0] != CLOCK_DEVICE]
