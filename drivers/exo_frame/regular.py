"""The usual step of a serial exoskeleton: whole samples, one after another, with nothing lost and nothing between.

Nearly every step is one, and it is read together with those of all other devices that have the same joints. What is not
(a device part, a gap, a byte that is wrong, a sample of which one side has come) is left to be read part by part, which
gives the same samples in many times the time.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.exo_frame.frame import FIRST_JOINT, HEAD, LIMB_BYTES, LIMB_MARK, what_of_limb
from drivers.exo_frame.framing import CRC_BYTES, CRC_START
from drivers.exo_frame.values import JOINT, MOST_SHAPES, Rows, rows_of
from drivers.exoskeleton import STREAM
from drivers.packet import Flag, Packets

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Newest = tuple[int, int, int]  # counter, time and arrival of a sample
FIRST: Final = (1, 0, 0)  # what a sample before which there was none is taken to have gone on by


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of several devices, back to back.

    Attributes:
        counters: (n,) as on the wire.
        times_us: (n,) as on the wire.
        bodies: (n, bytes) as `Rows.numbers` wants them.
        good: (n,) whether each is what it should be; of one that is not, nothing else is to be believed.
    """

    counters: Numbers
    times_us: Numbers
    bodies: Bytes
    good: NDArray[np.bool_]


class Pattern:
    """What is alike in all whole samples of devices that have the same joints.

    Args:
        numbers: Of the joints of each side in the order of the wire, left first; None for a side that it has not.

    Attributes:
        size: Bytes of a sample on the wire, with the zeros at the ends of its parts.
        rows: Reads its numbers.
    """

    def __init__(self, numbers: tuple[bytes | None, ...]) -> None:
        sides = [(side, own) for side, own in enumerate(numbers) if own]
        self.rows: Rows = rows_of(tuple(len(own) for _, own in sides))
        self._parts: list[tuple[slice, Numbers, Bytes]] = []  # of each: where on the wire, what stands where in it
        self.size = 0
        for side, own in sides:
            what = what_of_limb(right=side == 1, last=side == sides[-1][0], joints=len(own))
            end = LIMB_BYTES[len(own)]
            at = np.array([0, 1, *range(FIRST_JOINT, end, JOINT.size)], np.int64)
            begin, self.size = self.size, self.size + 1 + end + CRC_BYTES + 1
            held = np.frombuffer(LIMB_MARK + bytes((what,)) + own, np.uint8)
            self._parts.append((slice(begin, self.size), at, held))

    def read(self, data: Sequence[bytes]) -> Samples:
        """Read bytes of several devices, each of whole samples."""
        wire = np.frombuffer(b"".join(data), np.uint8).reshape(-1, self.size)
        good = np.ones(len(wire), np.bool_)
        heads, bodies = [], []
        for place, at, held in self._parts:
            part = _checked(wire[:, place], good)
            good &= (part.take(at, 1) == held).all(1)
            heads.append(part[:, : HEAD.size].copy())
            bodies.append(part[:, HEAD.size : -CRC_BYTES])
        counters = [head.view("<u2")[:, 1].astype(np.int64) for head in heads]
        good &= counters[-1] == counters[0]
        return Samples(counters[0], heads[0].view("<u4")[:, 1].astype(np.int64), np.concatenate(bodies, 1), good)


pattern_of = lru_cache(MOST_SHAPES)(Pattern)
"""`Pattern`, the same one for all devices that have the same joints: theirs are read together."""


def _checked(wire: Bytes, good: NDArray[np.bool_]) -> Bytes:
    """Return the parts (n, bytes) in frames (n, bytes), check sums behind them; clears ``good`` of those that are none.

    A frame is so short that each of its codes stands for a zero, but for the first.
    """
    width = wire.shape[1]
    good &= (wire[:, -1] == 0) & wire[:, :-1].all(1)
    flat = wire.ravel().copy()
    row = np.flatnonzero(good)
    at, ends = row * width, (row + 1) * width - 1
    while len(row):
        code = flat[at]
        flat[at] = 0
        at += code
        inside = at < ends
        if not inside.all():
            good[row[at > ends]] = False
            row, at, ends = row[inside], at[inside], ends[inside]
    decoded = flat.reshape(-1, width)[:, 1:-1]
    whole, step = decoded.tobytes(), width - 2
    sums = [crc_hqx(whole[k : k + step - CRC_BYTES], CRC_START) for k in range(0, len(whole), step)]
    good &= (decoded[:, -2] | decoded[:, -1].astype(np.int64) << 8) == sums
    return decoded


@dataclass(frozen=True, slots=True)
class Step:
    """What a port gave in a step, which may be nothing but whole samples.

    Attributes:
        data: Its whole samples.
        rest: Bytes behind them.
        sizes: Of each piece that came, how many bytes; with the first, those that had waited.
        arrival_ns: Of each piece.
        before: Counter, time and arrival of the sample before; None if there was none.
        clocked: Whether its samples must follow those before by their time and arrival too.
        soon_us: By how much the time may then go on from one sample to the next.
    """

    data: bytes
    rest: bytes
    sizes: Sequence[int]
    arrival_ns: Sequence[int]
    before: Newest | None
    clocked: bool
    soon_us: float


def read_together(pattern: Pattern, steps: Sequence[tuple[int, Step]]) -> tuple[list[Packets], dict[int, Newest]]:
    """Read steps of devices that have the same joints, each with its place among all devices.

    Returns:
        The samples of those steps that are regular, and counter, time and arrival of the newest sample of each.
    """
    places, own = [at for at, _ in steps], [step for _, step in steps]
    samples = pattern.read([step.data for step in own])
    counts = np.array([len(step.data) // pattern.size for step in own])
    start = np.append(0, np.cumsum(counts))
    arrival_ns = _arrivals(pattern, own, counts)
    told = np.stack((samples.counters, samples.times_us, arrival_ns))
    follows = samples.good & _follow(told, start, own, counts)
    regular = np.logical_and.reduceat(follows, start[:-1])
    rows = np.repeat(regular, counts)
    newest = {
        place: (int(samples.counters[last]), int(samples.times_us[last]), int(arrival_ns[last]))
        for place, last, good in zip(places, (start[1:] - 1).tolist(), regular.tolist(), strict=True)
        if good
    }
    of_each = np.zeros(max(places) + 1, np.int64)
    of_each[places] = counts * regular
    values, clipped = pattern.rows.numbers(samples.bodies[rows])
    flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))
    packets = Packets.counted(STREAM, of_each.tolist(), arrival_ns[rows], samples.times_us[rows], values, flags)
    return packets, newest


def _follow(told: Numbers, start: Numbers, steps: Sequence[Step], counts: Numbers) -> NDArray[np.bool_]:
    """Return whether each sample, of which counter, time and arrival are told (3, n), follows the one before."""
    ahead = np.diff(told, prepend=0)
    for begin, step in zip(start.tolist(), steps, strict=False):
        ahead[:, begin] = FIRST if step.before is None else told[:, begin] - step.before
    one, went_us, waited_ns = ahead
    soon_us = np.repeat([step.soon_us for step in steps], counts)
    unclocked = np.repeat([not step.clocked for step in steps], counts)
    follow: NDArray[np.bool_] = (one == 1) & (unclocked | ((went_us >= 0) & (went_us <= soon_us) & (waited_ns >= 0)))
    return follow


def _arrivals(pattern: Pattern, steps: Sequence[Step], counts: Numbers) -> Numbers:
    """Return the arrival of the piece that each sample ends in."""
    ends = np.cumsum([size for step in steps for size in step.sizes])
    begins = np.cumsum([0, *(len(step.data) + len(step.rest) for step in steps[:-1])])
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    arrival_ns: Numbers = np.array([each for step in steps for each in step.arrival_ns], np.int64)
    of_samples: Numbers = arrival_ns[np.searchsorted(ends, np.repeat(begins, counts) + (nth + 1) * pattern.size)]
    return of_samples
