"""Rising and sitting down, from one sensor on a thigh or a wrist: by the way that its vertical goes, and nothing else.

A thigh lies while its owner sits and hangs while he stands; a hand rests in the lap and hangs. So the vertical has two
places in the sensor's frame, ``rest`` and ``upright``, however the sensor is worn. ``progress`` is where it is between
them: 0 seated, 1 upright.

A thigh sees neither the lean of the trunk before a rise nor the settling of the trunk after sitting down; that they
take a while is known of people, not of this one: the constants of ``Limb`` say how long.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from dsp.transfers.bins import BIN_S, Vector
from dsp.transfers.motion import Motion, angle_between, cross, dot, mixed
from dsp.transfers.past import Past, crossed_after, crossed_before, hann, smoothed

LEARNT_S: Final = 0.3
"""So long the vertical of the seated one is averaged before anything is looked for: tests begin with little rest."""
REST_S: Final = 1.0
"""Time constant with which the vertical of the seated one follows: he slides about."""
UPRIGHT_S: Final = 3.0
"""Time constant of the vertical of the upright one: longer than two strides."""
CONFIRMED_S: Final = 0.6
"""After its beginning is seen, a rise is looked at so long: it is over then, and somebody who fidgets is back."""
SHORTEST_UPRIGHT_S: Final = 0.3
"""Nobody sits down sooner after rising."""
SEATED_SHARE: Final = 0.5
"""Of the way between the two: beyond it, one sits."""
SMOOTH_S: Final = 0.25
"""Of the mean that takes single jolts off a speed."""
JOLT: Final = 0.4
"""A specific force that differs less from gravity is rest, m/s²."""
LYING_SHARE: Final = 0.1
"""Of the way that is left when the limb lies."""
CALM_S: Final = 0.3
"""So long without a jolt and the seat has been reached."""
BACK_SHARE: Final = 0.7
"""Of the least angle of a rise: somebody who is back below it has not risen."""
UNHURRIED_S: Final = 0.72
"""The limb's way so far by its quickest turning: with less it is as good as over when it is looked at."""
ON_ITS_WAY: Final = math.radians(30.0)
"""A limb that still goes up faster than this, rad/s, when it is looked at, has not risen yet."""
QUICK_S: Final = 0.85
SLOW_S: Final = 1.0
"""The limb's way by its quickest turning: of those who need less time a rise is one movement in which lean and leg
overlap; of those who need more the trunk leans before the legs lift (Hughes et al. 1994, doi
10.1016/0268-0033(94)90020-5)."""
MOVING_SHARE: Final = 0.3
"""Of the quickest turning of a rise."""
LONGEST_RISE_S: Final = 4.0
"""So far back the beginning of a movement is looked for."""
LEAST_WAY: Final = 0.05
"""Sine of the angle between rest and upright, below which a limb does not show which is which."""


WALKED_S: Final = 2.0
"""Longer than a stride of slow walkers: so long a limb that swings on and on is one that walks, ..."""
SEAT: Final = math.radians(45.0)
"""... and whose seat is not known yet sits when the limb rests so far from where it hung."""

REPORTED_S: Final = 0.45
"""Sitting down is told no later after its end, whether or not the limb rests by then."""
RESTS_S: Final = 0.2
"""So long without movement and sitting down is told."""
SETTLED_S: Final = 0.6
"""So long without movement and its end is known for good."""


@dataclass(frozen=True, slots=True)
class Limb:
    """What differs between a thigh and a wrist.

    Each time grows with how long its owner takes, as far as a limb shows that: somebody who rises slowly leans slowly.

    Attributes:
        least_angle: The vertical moves at least so far in a rise, rad.
        whole_spin: Movement is turning about any axis, not about horizontal ones alone.
        moving: A limb that turns slower has not begun to rise, rad/s; of a slow rise, ``MOVING_SHARE`` of its quickest.
        lean_share: The trunk began to lean before the limb moved, by this share of the time from there to half of the
            limb's way; negative, where a hand leaves the lap first.
        straight_angle: After half of the limb's way it takes the time of this angle at the greatest rate, rad, ...
        straight_s: ... and this time until the body is straight.
        slow_lean_share: As ``lean_share``, of a slow rise: a third of its time has gone when the thigh moves.
        slow_straight_angle: As ``straight_angle``, likewise.
        bent_share: Share of the way at which sitting down is dated.
        bent_s: The body began to sit down so long before that ...
        bent_more: ... and by so many times the time from there to half of the way.
        still: A limb that turns slower rests, rad/s.
        walks: A limb that turns faster on the mean of ``WALKED_S`` walks, rad/s; one that sits does not even fidgeting.
        sure_way: Between rest and upright, rad; with less, its swing looks like sitting down and rising at once.
        settled_share: Of the time from the dating to lying: so long after the mean of lying, the last jolt and the last
            turning, the trunk rests.
    """

    least_angle: float
    whole_spin: bool
    moving: float
    lean_share: float
    straight_angle: float
    straight_s: float
    slow_lean_share: float
    slow_straight_angle: float
    bent_share: float
    bent_s: float
    bent_more: float
    still: float
    walks: float
    sure_way: float
    settled_share: float

    def unseen(self, way_s: float) -> tuple[float, float]:
        """Return ``lean_share`` and ``straight_angle`` of a rise whose way would take so long at its quickest."""
        slow = min(max((way_s - QUICK_S) / (SLOW_S - QUICK_S), 0.0), 1.0)
        lean_share = self.lean_share + slow * (self.slow_lean_share - self.lean_share)
        return lean_share, self.straight_angle + slow * (self.slow_straight_angle - self.straight_angle)


THIGH: Final = Limb(
    least_angle=math.radians(15.0),
    whole_spin=False,
    moving=math.radians(30.0),
    lean_share=0.7,
    straight_angle=0.90,
    straight_s=0.0,
    slow_lean_share=1.5,
    slow_straight_angle=1.4,
    bent_share=0.7,
    bent_s=0.2,
    bent_more=1.2,
    still=math.radians(12.0),
    walks=math.radians(20.0),
    sure_way=math.radians(40.0),
    settled_share=0.25,
)
WRIST: Final = Limb(
    least_angle=math.radians(30.0),
    whole_spin=True,
    moving=math.radians(20.0),
    lean_share=-0.3,
    straight_angle=0.0,
    straight_s=0.74,
    slow_lean_share=-0.3,
    slow_straight_angle=0.0,
    bent_share=0.9,
    bent_s=0.52,
    bent_more=0.0,
    still=math.radians(40.0),
    walks=math.radians(60.0),
    sure_way=math.inf,
    settled_share=-0.11,
)


class TransferSpan(NamedTuple):
    """One rise or sitting down in bins; ``settled`` is the end of one that was told before, now for good."""

    kind: Literal["sit_to_stand", "stand_to_sit", "settled"]
    start: float
    end: float


_SEATED: Final[tuple[Literal["stand_to_sit", "settled"], ...]] = ("stand_to_sit", "settled")


@dataclass(slots=True)
class _Descent:
    """A sitting down that is being watched: where it is dated, half and all over, and where the limb moved last."""

    bent: float
    start: float
    half: int
    lying: float | None = None
    turned: float = 0.0
    jolted: float = 0.0
    lowest: float = 1.0
    turning_point: float = 0.0
    reported: bool = False

    def end(self, at: float, settled_share: float) -> float:
        lying = at if self.lying is None else self.lying
        rests = (lying + max(self.turned, self.half) + max(self.jolted, self.half)) / 3
        return max(self.start, min(rests + settled_share * (lying - self.bent), at + 0.5))


class LimbTransfers:
    """Finds rises and sittings-down of somebody who sits at first, as motion comes.

    Of its two places a limb does not show which is which, but nobody walks seated: whoever was taken for seated and
    walks is upright, and the seat is where the limb next rests far from there.

    Args:
        limb: Where the sensor is.
        at_rest: The limb has to rest before anybody is taken for seated; at the beginning of a test he is told to sit.
    """

    def __init__(self, limb: Limb, *, at_rest: bool = False) -> None:
        self._limb = limb
        self._at_rest = at_rest
        self._seated_for = 0
        self._weights = hann(SMOOTH_S)
        self._half = len(self._weights) // 2
        self.seated = True
        self._rest: Vector | None = None
        self._upright: Vector | None = None
        self._learnt = 0
        self._begun: int | None = None
        self._risen = 0
        self._moves = self._jolts = False
        self._descent: _Descent | None = None

    def process(self, past: Past) -> Iterator[TransferSpan]:
        """Yield what the newest motion brings to light."""
        self._look_at_movement(past)
        if self._descent is not None:
            yield from self._follow_descent(past, self._descent)
        self._seated_for = self._seated_for + 1 if self.seated else 0
        if self._seated_for >= round(WALKED_S / BIN_S):
            self._look_for_walking(past)
        if self.seated:
            yield from self._look_for_rise(past)
        elif self._rest is None:
            self._look_for_seat(past)
        elif self._descent is None:
            self._look_for_descent(past)

    def finish(self, past: Past) -> Iterator[TransferSpan]:
        """Yield what the end of the stream cut off: somebody who is more than half seated is called so."""
        if self._descent is not None:
            yield self._sitting(past, self._descent, "settled" if self._descent.reported else "stand_to_sit")
        if self.seated and self._begun is not None:
            yield self._rise(past, self._begun)

    def _look_at_movement(self, past: Past) -> None:
        rows = past.between(past.last - 2 * self._half, past.last)
        if len(rows) == len(self._weights):
            speed = sum(w * r.spin for w, r in zip(self._weights, rows, strict=True))
            jolt = sum(w * r.jolt for w, r in zip(self._weights, rows, strict=True))
            self._moves, self._jolts = speed >= self._limb.still, jolt >= JOLT

    # who does not sit at first

    def _look_for_walking(self, past: Past) -> None:
        """Take whoever was taken for seated for upright, where the limb swings on and on about where it should rest."""
        rows = past.between(past.last - round(WALKED_S / BIN_S) + 1, past.last)
        if sum(row.spin for row in rows) < self._limb.walks * len(rows):
            return
        middle, rest = _middle(rows), self._rest
        if rest is not None and max(angle_between(up, rest) for up in (middle, rows[-1].up)) >= self._limb.least_angle:
            return  # a limb that rises turns as fast, and leaves its rest
        self._upright = middle
        self._rest, self._begun, self._descent = None, None, None
        self.seated, self._learnt, self._risen = False, 0, past.last

    def _look_for_seat(self, past: Past) -> None:
        rows = past.between(past.last - round(REST_S / BIN_S) + 1, past.last)
        upright = self._upright or rows[-1].up
        if any(row.spin >= self._limb.still or angle_between(row.up, upright) < SEAT for row in rows):
            if self._moves:
                self._upright = mixed(upright, rows[-1].up, BIN_S / UPRIGHT_S)
            return
        self.seated = True

    # rising

    def _look_for_rise(self, past: Past) -> Iterator[TransferSpan]:
        now = past[past.last]
        if self._rest is None or self._learnt < round(LEARNT_S / BIN_S):
            if self._at_rest and self._moves:
                self._learnt, self._rest = 0, None
                return
            self._learnt += 1
            self._rest = now.up if self._rest is None else mixed(self._rest, now.up, 1 / self._learnt)
            return
        angle = angle_between(now.up, self._rest)
        if self._begun is None:
            if angle > self._limb.least_angle:
                self._begun = past.last
            elif not self._moves:
                self._rest = mixed(self._rest, now.up, BIN_S / REST_S)
        elif past.last - self._begun >= round(CONFIRMED_S / BIN_S):
            lately = past.between(past.last - round(LEARNT_S / BIN_S), past.last)
            if min(angle_between(row.up, self._rest) for row in lately) > BACK_SHARE * self._limb.least_angle:
                if self._goes_on(past, self._begun):
                    return
                yield self._rise(past, self._begun)
            else:
                self._begun = None

    def _goes_on(self, past: Past, begun: int) -> bool:
        """Return whether the limb still is on its way up: of a slow rise no more than its beginning has been seen."""
        if past.last - begun >= round(LONGEST_RISE_S / BIN_S):
            return False
        now, before = past[past.last], past[past.last - round(LEARNT_S / BIN_S)]
        rest = self._rest or now.up
        way = angle_between(now.up, rest)
        quickest = max(row.across for row in past.between(begun, past.last))
        return way > UNHURRIED_S * quickest and way - angle_between(before.up, rest) > ON_ITS_WAY * LEARNT_S

    def _rise(self, past: Past, begun: int) -> TransferSpan:
        rest = self._rest or past[begun].up
        rows = past.between(begun - round(LONGEST_RISE_S / BIN_S), past.last)
        first, at = rows[0].number, begun - rows[0].number
        angles = [angle_between(row.up, rest) for row in rows]
        speeds = smoothed([row.spin if self._limb.whole_spin else row.across for row in rows], self._weights)
        quickest = max(self._limb.least_angle, *speeds[max(0, at - self._half) :])
        moved = crossed_before(speeds, at, min(self._limb.moving, MOVING_SHARE * quickest))
        top = max(range(at, len(angles)), key=angles.__getitem__)
        half = crossed_before(angles, top, 0.5 * angles[top])
        lean_share, straight_angle = self._limb.unseen(angles[top] / quickest)
        start = max(first + moved - lean_share * max(0.0, half - moved), past.first - 0.5)
        end = first + half + (straight_angle / quickest + self._limb.straight_s) / BIN_S
        self.seated, self._begun, self._risen, self._upright = False, None, past.last, None
        self._descent = None
        return TransferSpan("sit_to_stand", start, max(end, start))

    # sitting down

    def _look_for_descent(self, past: Past) -> None:
        up = past[past.last].up
        if self._upright is None:
            self._upright = up
        age = past.last - self._risen
        if age * BIN_S < SHORTEST_UPRIGHT_S or self._progress(up) > SEATED_SHARE:
            self._upright = mixed(self._upright, up, max(1 / (age + 1), BIN_S / UPRIGHT_S))
            return
        rows = past.between(past.last - round(LONGEST_RISE_S / BIN_S), past.last)
        progress = [self._progress(row.up) for row in rows]
        bent = rows[0].number + crossed_after(progress, self._limb.bent_share)
        half = rows[0].number + crossed_after(progress, SEATED_SHARE)
        start = bent - self._limb.bent_s / BIN_S - self._limb.bent_more * (half - bent)
        self._descent = _Descent(bent, start, past.last)

    def _follow_descent(self, past: Past, descent: _Descent) -> Iterator[TransferSpan]:
        at, now = past.last, past[past.last].up
        progress = self._progress(now)
        if not descent.reported and progress > SEATED_SHARE:
            self._descent = None
            if descent.lying is not None and self._limb.sure_way < angle_between(
                self._rest or now, self._upright or now
            ):
                yield from self._up_again(descent)
            return
        if progress < descent.lowest:
            descent.lowest, descent.turning_point = progress, float(at)
        middle = at - self._half + 1.0
        if self._moves:
            descent.turned = middle
        if self._jolts and middle - max(descent.jolted, descent.half) < CALM_S / BIN_S:
            descent.jolted = middle  # a jolt after a calm is no more of it
        if descent.lying is None and progress < LYING_SHARE:
            descent.lying = float(at)
        rests_s = (middle - max(descent.turned, descent.jolted)) * BIN_S
        waited_s = (at - descent.end(at, self._limb.settled_share)) * BIN_S
        if not descent.reported and (rests_s >= RESTS_S or waited_s >= REPORTED_S):
            yield self._sitting(past, descent, "stand_to_sit")
            descent.reported = True
            self.seated, self._learnt, self._rest = True, 0, None
        if descent.reported and (rests_s >= SETTLED_S or (at - descent.half) * BIN_S > LONGEST_RISE_S):
            yield self._sitting(past, descent, "settled")
            self._descent = None

    def _up_again(self, descent: _Descent) -> Iterator[TransferSpan]:
        """Tell a sitting down of somebody who rises again at once, as in a test of chair stands."""
        self.seated = True
        self._begun = round(descent.turning_point)
        for kind in _SEATED:
            yield TransferSpan(kind, descent.start, max(descent.start, descent.turning_point))

    def _progress(self, up: Vector) -> float:
        """Return where the limb is between its two places; 1 where there are no two yet."""
        rest, upright = self._rest or up, self._upright or up
        axis = cross(rest, upright)
        norm = math.sqrt(dot(axis, axis))
        if norm < LEAST_WAY:
            return 1.0
        beside = cross((axis[0] / norm, axis[1] / norm, axis[2] / norm), rest)
        return math.atan2(dot(up, beside), dot(up, rest)) / angle_between(rest, upright)

    def _sitting(self, past: Past, descent: _Descent, kind: Literal["stand_to_sit", "settled"]) -> TransferSpan:
        return TransferSpan(kind, descent.start, descent.end(past.last, self._limb.settled_share))


def _middle(rows: Sequence[Motion]) -> Vector:
    """Return the mean of the verticals of some motion, a unit vector."""
    x, y, z = (sum(row.up[k] for row in rows) for k in range(3))
    return mixed((x, y, z), (x, y, z), 0.0)
