"""Rising and sitting down, from one sensor on the lower back or the chest: a lean forth and back, and the way between.

A trunk is upright before and after, so its vertical shows no posture. But nobody leaves a chair or finds one without
leaning forward and straightening up again (Schenkman et al. 1990, doi 10.1093/ptj/70.10.638), and meanwhile the trunk
goes up or down by the length of a thigh. Somebody who picks something up leans too, and ends as high as before.

The nodding of each step is smaller than a lean; its axis needs not be known: a lean and its way back are opposite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dsp.transfers.bins import BIN_S, BINS_HZ, Vector
from dsp.transfers.limb import TransferSpan
from dsp.transfers.motion import dot
from dsp.transfers.past import Past, hann

SMOOTH_S: Final = 0.4
"""Of the mean that takes jolts off a speed, and most of the nodding of steps."""
LEANING: Final = math.radians(8.0)
"""A trunk that turns forward or back faster moves, rad/s."""
EDGE_SHARE: Final = 0.06
"""Of the quickest of a lean: there it begins and ends."""
LONGEST_HESITATION_S: Final = 0.3
"""Between two parts of one lean."""
LEAST_EDGE: Final = math.radians(2.0)
"""A sensor at rest and a body that breathes turn as fast, rad/s."""
LEAST_LEAN: Final = math.radians(9.0)
"""A smaller lean is a nod."""
LEAST_BACK_SHARE: Final = 0.3
"""Of the lean, the trunk comes back so far: who sat slumped and stands upright comes back less than he went forth."""
LONGEST_PAUSE_S: Final = 1.5
"""Between forth and back; who stays bent for longer does something else."""
LONGEST_ONSET_S: Final = 1.0
"""Before a lean is called one, it began so long ago at most."""
NEARLY_SHARE: Final = 0.3
"""Of the quickest of a lean back: slower, and quicker again, is something else."""
LONGEST_SWING_S: Final = 10.0
QUICK_S: Final = 2.0
"""A zero that is wrong by 0.05 m/s² makes 0.1 m in this time."""
LEAST_HEIGHT: Final = 0.12
"""The trunk goes up or down so far at least, m: a third of the length of a thigh."""


@dataclass(slots=True)
class _Swing:
    """The trunk turning one way: its first and last bin, how far about which axis, how quickly at most and where.

    ``free`` is the bin after the swing before it: it began no sooner.
    """

    first: int
    last: int
    rotation: Vector
    peak: float
    quickest: int
    free: int

    @property
    def angle(self) -> float:
        return math.sqrt(dot(self.rotation, self.rotation))


class _Leans:
    """Puts a lean one way and its way back together, as the trunk swings."""

    def __init__(self) -> None:
        self._forth: _Swing | None = None

    def add_swing(self, swing: _Swing, forward: Vector | None) -> tuple[_Swing, _Swing] | None:
        """Return the lean forth and its way back, if this swing is a way back.

        Args:
            swing: The newest.
            forward: The way a lean goes; any way if it is not known yet.
        """
        forth = self._forth
        if forth is not None and (swing.first - forth.last) * BIN_S > LONGEST_PAUSE_S:
            self._forth = forth = None
        if forth is None or dot(swing.rotation, forth.rotation) > 0:
            ahead = forward is None or dot(swing.rotation, forward) > 0
            if forth is not None and (swing.first - forth.last) * BIN_S <= LONGEST_HESITATION_S:
                swing = _joined(forth, swing)
            if ahead and swing.angle >= LEAST_LEAN:
                self._forth = swing
            return None
        if swing.angle < LEAST_BACK_SHARE * forth.angle:
            return None
        self._forth = None
        return forth, swing


class TrunkTransfers:
    """Finds rises and sittings-down of somebody who sits at first, as motion comes.

    Which way is forward is learnt from the first lean with its way back that a transfer is made of. Where the stream
    begins in the middle of one it may be learnt the wrong way round, and nothing would be found from then on: so pairs
    of the opposite way are watched too, and two in a row that agree, with no transfer between, say better.
    """

    def __init__(self) -> None:
        self.seated = True
        self._weights = hann(SMOOTH_S)
        self._half = len(self._weights) // 2
        self._speeds: dict[int, float] = {}
        self._swing: _Swing | None = None
        self._leans, self._opposite = _Leans(), _Leans()
        self._forward: Vector | None = None
        self._against: Vector | None = None
        self._free = -(10**12)

    def process(self, past: Past) -> Iterator[TransferSpan]:
        """Yield what the newest motion brings to light."""
        at = past.last - self._half
        if at - self._half < past.first:
            return
        rows = past.between(at - self._half, past.last)
        about = [sum(w * row.about[k] for w, row in zip(self._weights, rows, strict=True)) for k in range(3)]
        now: Vector = (about[0], about[1], about[2])
        speed = math.sqrt(dot(now, now))
        self._speeds[at] = speed
        self._speeds.pop(at - round(LONGEST_SWING_S * BINS_HZ), None)
        swing = self._swing
        if swing is not None:
            if dot(now, swing.rotation) > 0 and speed > max(LEAST_EDGE, EDGE_SHARE * swing.peak):
                swing.last = at
                if speed > swing.peak:
                    swing.peak, swing.quickest = speed, at
                swing.rotation = _sum(swing.rotation, now)
                return
            self._swing, self._free = None, swing.last + 1
            yield from self._swung(past, swing)
        if speed > LEANING:
            self._swing = _Swing(at, at, _sum((0.0, 0.0, 0.0), now), speed, at, self._free)

    def finish(self, past: Past) -> Iterator[TransferSpan]:
        """Yield what the end of the stream cut off."""
        if self._swing is not None:
            yield from self._swung(past, self._swing)

    def _swung(self, past: Past, swing: _Swing) -> Iterator[TransferSpan]:
        """Yield the transfer that is over with a swing of the trunk."""
        opposite = self._forward and (-self._forward[0], -self._forward[1], -self._forward[2])
        pair = self._leans.add_swing(swing, self._forward)
        against = self._opposite.add_swing(swing, opposite) if opposite is not None else None
        if pair is not None and (span := self._transfer(past, *pair, up=self.seated)) is not None:
            if self._forward is None and (pair[0].first - past.begun) * BIN_S > LONGEST_ONSET_S:
                self._forward = pair[0].rotation
            self._against = None
            yield from self._yield_span(span)
        elif against is not None:
            yield from self._contradicted(past, *against)

    def _contradicted(self, past: Past, forth: _Swing, back: _Swing) -> Iterator[TransferSpan]:
        """Turn forward round with the second transfer in a row that goes the opposite way; yield that one."""
        span = self._transfer(past, forth, back, up=True) or self._transfer(past, forth, back, up=False)
        if span is None:
            return
        if self._against is None or dot(forth.rotation, self._against) <= 0:
            self._against = forth.rotation
            return
        self._forward, self._against = forth.rotation, None
        self._leans, self._opposite = _Leans(), _Leans()
        yield from self._yield_span(span)

    def _yield_span(self, span: TransferSpan) -> Iterator[TransferSpan]:
        self.seated = span.kind == "stand_to_sit"
        yield span
        if self.seated:
            yield TransferSpan("settled", span.start, span.end)

    def _transfer(self, past: Past, forth: _Swing, back: _Swing, *, up: bool) -> TransferSpan | None:
        """Return a lean and its way back as a transfer, if the trunk went up, or down, meanwhile."""
        start, end = self._began(forth), self._ended(back)
        if not _went(past, math.floor(start) - 1, math.ceil(end) + 1, up=up):
            return None
        return TransferSpan("sit_to_stand" if up else "stand_to_sit", start, end)

    def _began(self, forth: _Swing) -> float:
        """Return where a lean forth began, which may be before it was called one."""
        limit = max(LEAST_EDGE, EDGE_SHARE * forth.peak)
        k = forth.first
        while self._speed(k - 1) > limit and k > forth.free and (forth.first - k) * BIN_S < LONGEST_ONSET_S:
            k -= 1
        return k - _part(self._speed(k), self._speed(k - 1), limit)

    def _ended(self, back: _Swing) -> float:
        """Return where a lean back ended: at rest, or where the trunk turns on with the first step."""
        limit = max(LEAST_EDGE, EDGE_SHARE * back.peak)
        k = back.quickest
        while self._speed(k + 1) > limit and k < back.last:
            if self._speed(k) < NEARLY_SHARE * back.peak and self._speed(k + 1) > self._speed(k):
                return float(k)
            k += 1
        return k + _part(self._speed(k), self._speed(k + 1), limit)

    def _speed(self, at: int) -> float:
        return self._speeds.get(at, 0.0)


def _part(inside: float, outside: float, limit: float) -> float:
    """Return the part of a bin after which a speed falls to a limit."""
    return max(0.0, min(1.0, (inside - limit) / (inside - outside))) if inside > outside else 0.0


def _sum(rotation: Vector, now: Vector) -> Vector:
    return (rotation[0] + BIN_S * now[0], rotation[1] + BIN_S * now[1], rotation[2] + BIN_S * now[2])


def _joined(one: _Swing, other: _Swing) -> _Swing:
    """Return two swings the same way as one."""
    a, b = one.rotation, other.rotation
    peak = max(one.peak, other.peak)
    return _Swing(one.first, other.last, (a[0] + b[0], a[1] + b[1], a[2] + b[2]), peak, other.quickest, one.free)


def _went(past: Past, first: int, last: int, *, up: bool) -> bool:
    """Whether the trunk went up, or down, far enough: its acceleration integrated twice.

    With both sides taken as still, a wrong zero of the accelerometer cancels. In a quick transfer that does not matter,
    and the side of the chair alone is taken as still: at the other somebody may be walking.
    """
    rows = past.between(first, last)
    if not rows:  # it lies before a gap
        return False
    middle, chair = (rows[0].number + rows[-1].number) / 2, rows[-1 if up else 0].number
    pivots = (middle, chair) if (last - first) * BIN_S < QUICK_S else (middle,)
    heights = [sum((pivot - row.number) * row.lift for row in rows) * BIN_S * BIN_S for pivot in pivots]
    return max(heights) >= LEAST_HEIGHT if up else min(heights) <= -LEAST_HEIGHT
