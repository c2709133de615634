"""Rising and sitting down, from one sensor on a thigh or a wrist: by the way that its vertical goes, and nothing else.

A thigh lies while its owner sits and hangs while he stands; a hand rests in the lap and hangs. So the vertical has two
places in the sensor's frame, ``rest`` and ``upright``, however the sensor is worn. ``progress`` is where it is between
them: 0 seated, 1 upright.

A thigh sees neither the lean of the trunk before a rise nor the settling of the trunk after sitting down; that they
take a while is known of people, not of this one: the constants of ``Limb`` say how long.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from dsp.transfers.bins import BIN_S, Vector
from dsp.transfers.motion import Motion, angle_between, cross, dot, mixed
from dsp.transfers.past import Past, crossed_before, first_at, hann, smoothed

LEARNT_S: Final = 0.3
"""So long the vertical of the seated one is averaged before anything is looked for: tests begin with little rest."""
REST_S: Final = 1.0
"""Time constant with which the vertical of the seated one follows: he slides about."""
UPRIGHT_S: Final = 3.0
"""Time constant of the vertical of the upright one: longer than two strides."""
CONFIRMED_S: Final = 0.6
"""After its beginning is seen, a rise is looked at so long: it is over then, and somebody who fidgets is back."""
SHORTEST_UPRIGHT_S: Final = 1.0
"""Nobody sits down sooner after rising."""
SEATED_SHARE: Final = 0.5
"""Of the way between the two: beyond it, one sits."""
SMOOTH_S: Final = 0.25
"""Of the mean that takes single jolts off a speed."""


@dataclass(frozen=True, slots=True)
class Limb:
    """What differs between a thigh and a wrist.

    Attributes:
        least_angle: The vertical moves at least so far in a rise, rad.
        moving: A limb that turns slower has not begun to rise, rad/s.
        lean_s: The trunk began to lean so long before the limb moved.
        straight_s: The body is straight so long after half of the limb's way.
        bent_share: Share of the way at which sitting down is dated.
        bent_s: The body began to sit down so long before that.
        still: A limb that turns slower rests, rad/s.
        still_s: It has to rest so long.
        lying_share: Share of the way that is left when the limb lies.
        lying_weight: Weight of that instant, against the one from which it rests.
        settled_s: The trunk has settled so long after the two.
    """

    least_angle: float
    moving: float
    lean_s: float
    straight_s: float
    bent_share: float
    bent_s: float
    still: float
    still_s: float
    lying_share: float
    lying_weight: float
    settled_s: float
    across: bool


THIGH: Final = Limb(
    least_angle=math.radians(15.0),
    moving=math.radians(30.0),
    lean_s=0.30,
    straight_s=0.44,
    bent_share=0.7,
    bent_s=0.38,
    still=math.radians(12.0),
    still_s=0.4,
    lying_share=0.1,
    lying_weight=0.3,
    settled_s=0.0,
    across=False,
)
WRIST: Final = Limb(
    least_angle=math.radians(30.0),
    moving=math.radians(20.0),
    lean_s=-0.13,
    straight_s=0.62,
    bent_share=0.9,
    bent_s=0.52,
    still=math.radians(40.0),
    still_s=0.2,
    lying_share=0.1,
    lying_weight=0.3,
    settled_s=0.0,
    across=True,
)


class TransferSpan(NamedTuple):
    """One rise or sitting down in bins."""

    kind: Literal["sit_to_stand", "stand_to_sit"]
    start: float
    end: float


class LimbTransfers:
    """Finds rises and sittings-down of somebody who sits at first, as motion comes."""

    def __init__(self, limb: Limb) -> None:
        self._limb = limb
        self._weights = hann(SMOOTH_S)
        self._half = len(self._weights) // 2
        self.seated = True
        self._rest: Vector | None = None
        self._learnt = 0
        self._upright: Vector | None = None
        self._begun: int | None = None
        self._risen = 0
        self._still_for = 0
        self._progress: list[float] = []

    def process(self, past: Past) -> Iterator[TransferSpan]:
        now = past[past.last]
        self._count_still(past)
        if self.seated:
            yield from self._look_for_rise(past, now)
        else:
            yield from self._look_for_sitting(past, now)

    def finish(self, past: Past) -> Iterator[TransferSpan]:
        """Yield what the end of the stream cut off: somebody who is nearly seated is called so."""
        if self.seated:
            if self._begun is not None:
                yield from self._rise(past)
        elif self._progress and self._progress[-1] < SEATED_SHARE:
            yield self._sitting(past, past.last + 1.0)

    def _count_still(self, past: Past) -> None:
        rows = past.between(past.last - 2 * self._half, past.last)
        if len(rows) < len(self._weights):
            return
        speed = sum(w * (r.across if self._limb.across else r.spin) for w, r in zip(self._weights, rows, strict=True))
        self._still_for = self._still_for + 1 if speed < self._limb.still else 0

    # rising

    def _look_for_rise(self, past: Past, now: Motion) -> Iterator[TransferSpan]:
        if self._rest is None or self._learnt < round(LEARNT_S / BIN_S):
            self._learnt += 1
            self._rest = now.up if self._rest is None else mixed(self._rest, now.up, 1 / self._learnt)
            return
        angle = angle_between(now.up, self._rest)
        if self._begun is None:
            if angle > self._limb.least_angle:
                self._begun = past.last
            elif self._still_for:
                self._rest = mixed(self._rest, now.up, BIN_S / REST_S)
        elif past.last - self._begun >= round(CONFIRMED_S / BIN_S):
            if angle > 0.7 * self._limb.least_angle:
                yield from self._rise(past)
            else:
                self._begun = None

    def _rise(self, past: Past) -> Iterator[TransferSpan]:
        assert self._begun is not None
        assert self._rest is not None
        rows = past.between(self._begun - 40, past.last)
        first = rows[0].number
        at = self._begun - first
        angles = [angle_between(row.up, self._rest) for row in rows]
        speeds = smoothed([row.spin if self._limb.across else row.across for row in rows], self._weights)
        moved = crossed_before(speeds, at, self._limb.moving)
        half = crossed_before(angles, max(range(at, len(angles)), key=angles.__getitem__), 0.5 * max(angles[at:]))
        start = max(first + moved - self._limb.lean_s / BIN_S, past.first - 0.5)
        self.seated, self._begun, self._risen = False, None, past.last
        self._upright, self._progress = None, []
        yield TransferSpan("sit_to_stand", start, max(first + half + self._limb.straight_s / BIN_S, start))

    # sitting down

    def _look_for_sitting(self, past: Past, now: Motion) -> Iterator[TransferSpan]:
        if self._upright is None:
            self._upright = now.up
        age = past.last - self._risen
        progress = self._progress_of(now.up)
        self._progress.append(progress)
        if age * BIN_S < SHORTEST_UPRIGHT_S or progress > SEATED_SHARE:
            self._upright = mixed(self._upright, now.up, max(1 / (age + 1), BIN_S / UPRIGHT_S))
        if age * BIN_S < SHORTEST_UPRIGHT_S or progress > SEATED_SHARE:
            return
        if self._still_for == round(self._limb.still_s / BIN_S):
            yield self._sitting(past, past.last - self._half - self._still_for + 1.0)

    def _progress_of(self, up: Vector) -> float:
        assert self._rest is not None
        assert self._upright is not None
        axis = cross(self._rest, self._upright)
        norm = math.sqrt(dot(axis, axis))
        if norm < 1e-6:
            return 1.0
        beside = cross((axis[0] / norm, axis[1] / norm, axis[2] / norm), self._rest)
        return math.atan2(dot(up, beside), dot(up, self._rest)) / angle_between(self._rest, self._upright)

    def _sitting(self, past: Past, still: float) -> TransferSpan:
        limb = self._limb
        rows = past.between(past.last - 160, past.last)
        first = rows[0].number
        progress = [self._progress_of(row.up) for row in rows]
        k = len(progress) - 1
        while k > 0 and progress[k - 1] < SEATED_SHARE:
            k -= 1
        while k > 0 and progress[k - 1] < limb.bent_share:
            k -= 1
        start = first + k - limb.bent_s / BIN_S
        lying = first_at(progress, k, lambda value: value < limb.lying_share)
        laid = first + lying if lying is not None else still
        end = (1 - limb.lying_weight) * still + limb.lying_weight * min(laid, still) + limb.settled_s / BIN_S
        self.seated, self._learnt, self._rest = True, 0, None
        return TransferSpan("stand_to_sit", start, min(max(end, start), past.last + 0.5))
