"""Rising and sitting down, from one sensor on the lower back or the chest: by what its height does, dated by its lean.

A trunk is upright before and after, so its vertical shows no posture. Its height does: it goes up by the length of a
thigh within a second or three, and no step does that. When that began shows the lean before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dsp.transfers.bins import BIN_S, BINS_HZ
from dsp.transfers.limb import TransferSpan
from dsp.transfers.motion import angle_between
from dsp.transfers.past import KEPT_S, Past, crossed_before, hann, smoothed

LEAK_S: Final = 4.0
"""Time constant with which vertical speed is forgotten: longer than a slow rise, shorter than its drift."""
LEAST_SPEED: Final = 0.12
"""Of a slow rise at its quickest, m/s."""
LEAST_HEIGHT: Final = 0.15
"""A rise lifts the trunk so far at least, m; a step by a third of it, a stair by as much, without lean."""
LEAST_LEAN: Final = math.radians(10.0)
"""Somebody who rises leans forward first; in a lift or on stairs he does not."""
MOST_BENT: Final = math.radians(60.0)
"""A trunk that is bent so far where it is lowest picks something up."""
EDGE_SHARE: Final = 0.1
"""Of the greatest vertical speed: there it begins and ends."""
BASE_S: Final = 0.4
"""Before and after, the vertical speed is averaged so long: that is its drift."""
LEANING: Final = math.radians(12.0)
"""A trunk that leans faster moves, rad/s."""
LONGEST_LEAN_S: Final = 2.5
"""Between the beginning of the lean and that of the way up."""
LONGEST_SETTLING_S: Final = 1.2
"""Between the seat and the trunk at rest; somebody who moves on does something else."""
STILL_S: Final = 0.2
"""So long without movement and sitting down is over."""
RESTING: Final = math.radians(6.0)
"""A trunk that turns slower, rad/s, for a while has no vertical speed."""
RESTING_JOLT: Final = 0.3
"""And is not accelerated by more, m/s²."""
SMOOTH_S: Final = 0.25
"""Of the mean that takes single jolts off a speed."""


@dataclass(slots=True)
class _Way:
    """Vertical speed of one sign: its first bin, its peak, and the bin in which it has fallen to a tenth of that."""

    first: int
    side: float
    peak: float = 0.0
    end: int | None = None


@dataclass(slots=True)
class _Settling:
    """Sitting down that is over but for the trunk: when it began, when it reached the seat, when the trunk moved last."""

    start: float
    seat: int
    moved: float


class TrunkTransfers:
    """Finds rises and sittings-down of somebody who sits at first, as motion comes."""

    def __init__(self) -> None:
        self.seated = True
        self._weights = hann(SMOOTH_S)
        self._half = len(self._weights) // 2
        self._base = round(BASE_S * BINS_HZ)
        self._speeds: dict[int, float] = {}
        self._way: _Way | None = None
        self._over: _Way | None = None
        self._settling: _Settling | None = None
        self._free = -math.inf

    def process(self, past: Past) -> Iterator[TransferSpan]:
        speed = self._vertical_speed(past)
        if self._settling is not None:
            yield from self._settle(past, self._settling)
        self._follow(past.last, speed)
        over = self._over
        if over is not None and over.end is not None and past.last >= over.end + self._base:
            self._over = None
            yield from self._judge(past, over, over.end)

    def finish(self, past: Past) -> Iterator[TransferSpan]:
        """Yield what the end of the stream cut off."""
        for way in (self._over, self._way):
            if way is not None and way.peak > 0:
                yield from self._judge(past, way, past.last if way.end is None else way.end)
        if self._settling is not None:
            yield from self._tell(self._settling)

    def _vertical_speed(self, past: Past) -> float:
        now, at = past[past.last], past.last
        speed = self._speeds.get(at - 1, 0.0)
        recent = past.between(at - self._half, at)
        if all(row.spin < RESTING and row.jolt < RESTING_JOLT for row in recent):
            speed = 0.0
        self._speeds[at] = (speed + BIN_S * now.lift) * (1 - BIN_S / LEAK_S)
        self._speeds.pop(at - round(KEPT_S * BINS_HZ), None)
        return self._speeds[at]

    def _follow(self, at: int, speed: float) -> None:
        way = self._way
        if way is None or speed * way.side < 0:
            self._way = way = _Way(at, math.copysign(1.0, speed))
        way.peak = max(way.peak, speed * way.side)
        if way.end is None and way.peak >= LEAST_SPEED and speed * way.side <= EDGE_SHARE * way.peak:
            way.end = at
            self._over = way

    def _judge(self, past: Past, way: _Way, end: int) -> Iterator[TransferSpan]:
        """Yield the transfer that a way up or down was, if it was one: far enough, after a lean, and not to the floor."""
        if (way.side > 0) != self.seated or self._height(way, end) < LEAST_HEIGHT:
            return
        rows = past.between(way.first - round(LONGEST_LEAN_S * BINS_HZ), end)
        upright = rows[-1 if self.seated else 0].up
        lean = max(angle_between(row.up, upright) for row in rows)
        if lean < LEAST_LEAN:
            return
        if self.seated:
            start = self._lean_began(past, way.first)
            self.seated, self._free = False, end
            yield TransferSpan("sit_to_stand", start, float(end))
        elif angle_between(rows[-1].up, upright) < MOST_BENT:
            self._settling = _Settling(self._lean_began(past, way.first), end, float(end))
            self.seated, self._free = True, end

    def _height(self, way: _Way, end: int) -> float:
        """Return how far the trunk went, m; the drift of its speed is what is left of that before and after."""

        def mean(first: int, last: int) -> float:
            inside = [self._speeds[k] for k in range(first, last + 1) if k in self._speeds]
            return sum(inside) / len(inside) if inside else 0.0

        before, after = mean(way.first - self._base, way.first - 1), mean(end + 1, end + self._base)
        inside = [self._speeds[k] for k in range(way.first, end + 1) if k in self._speeds]
        return way.side * BIN_S * (sum(inside) - len(inside) * (before + after) / 2)

    def _lean_began(self, past: Past, way_began: int) -> float:
        rows = past.between(way_began - round(LONGEST_LEAN_S * BINS_HZ), way_began)
        leaning = smoothed([row.across for row in rows], self._weights)
        return max(rows[0].number + crossed_before(leaning, len(rows) - 1, LEANING), self._free)

    def _settle(self, past: Past, settling: _Settling) -> Iterator[TransferSpan]:
        rows = past.between(past.last - 2 * self._half, past.last)
        middle = past.last - self._half
        if sum(w * row.across for w, row in zip(self._weights, rows, strict=False)) >= LEANING:
            settling.moved = max(settling.moved, float(middle))
        waited_s = (middle - settling.seat) * BIN_S
        if (middle - settling.moved) * BIN_S >= STILL_S or waited_s >= LONGEST_SETTLING_S:
            yield from self._tell(settling)

    def _tell(self, settling: _Settling) -> Iterator[TransferSpan]:
        self._settling = None
        for kind in ("stand_to_sit", "settled"):
            yield TransferSpan(kind, settling.start, settling.moved)
