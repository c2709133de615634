"""How the parts of a body move in the course of a stride: shapes, not physics.

Shapes are textbook figures (Perry, Gait Analysis, 1992; Winter, Biomechanics and Motor Control of Human Gait, 1991;
sizes of body parts Drillis and Contini 1966 in Winter), stretched to the times, lengths and style of each step.

Signs: x forward, y left, z up; a positive turn about y brings the front down. So the foot's pitch rate is positive
while the heel rises to push off, negative in swing while the toe comes up, and positive again when the foot slaps down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulators.body.curve import Curve, State
from simulators.body.programme import REST_S, Foot, Print, Step

Table = Sequence[tuple[float, float]]

SWING_SHARE = 0.39
"""Of a stride at comfortable speed: by it the swing gives the time scale of what is around it."""

HEEL_RISE_RATE: Table = (
    (0, 0), (0.2, 0.5), (0.4, 1.7), (0.55, 3.6), (0.68, 7.0), (0.78, 9.3), (0.84, 8.6), (0.89, 6.2), (1, 0),
)  # fmt: skip
"""Foot pitch rate from heel rise to its steepest pitch: (share of that time, any unit)."""
TOE_OFF_AT = 0.89
"""The toe leaves the floor shortly before the foot is at its steepest."""
SWING_RATE: Table = (
    (0, 0), (0.1, 3.0), (0.2, 3.6), (0.35, 4.6), (0.55, 5.6), (0.72, 5.3), (0.85, 4.5), (0.93, 2.6), (1, 0),
)  # fmt: skip
"""The same from there to where the toe is highest, shortly before contact."""
STRIKE_RATE: Table = ((0, 0), (0.27, 2.0), (0.42, 5.5), (0.55, 4.2), (0.7, 1.7), (0.85, 0.6), (1, 0))
"""The same from there, through contact, until the foot is flat."""
CONTACT_AT = 0.27
HEEL_RISE_SHARE = 0.28
"""Of a stride: from heel rise to toe off."""
LONGEST_HEEL_RISE_S = 0.45
"""However slow the walk; less than the weight shift that precedes a first step."""
SLAP_SHARE, LONGEST_SLAP_S = 0.11, 0.16
"""From contact until the foot is flat: share of a stride, and however slow."""
SHORTEST_FLAT_S = 0.10
"""However quick the walk, the foot is flat for so long; healthy adults at top walking speed show no less."""

FORWARD_SPEED: Table = (
    (0, 0), (0.1, 0.62), (0.22, 1.12), (0.4, 1.3), (0.6, 1.4), (0.78, 1.15), (0.9, 0.6), (1, 0.16),
)  # fmt: skip
"""Speed of the foot over the floor from toe off to contact: (share of swing, any unit)."""
IMPACT_S = 0.025
"""In which the floor stops the foot: 10 to 30 ms in shoes."""

THIGH_DEG: Table = (
    (0, 22), (0.1, 19), (0.2, 10), (0.3, 1), (0.4, -7), (0.5, -13), (0.55, -12), (0.6, -6),
    (0.7, 12), (0.8, 23), (0.88, 26), (0.95, 24),
)  # fmt: skip
"""Thigh from the vertical, knee in front positive: (share of stride from contact, degrees)."""
KNEE_DEG: Table = (
    (0, 5), (0.07, 12), (0.14, 17), (0.22, 14), (0.32, 7), (0.4, 4), (0.48, 8), (0.55, 20), (0.62, 38),
    (0.68, 52), (0.73, 60), (0.79, 55), (0.85, 38), (0.92, 14), (0.97, 4),
)  # fmt: skip
"""Knee flexion: (share of stride from contact, degrees)."""
TOE_OFF_PHASE = 0.62
"""Where these tables put toe off: every stride's own toe off is moved there."""


def _per_second(knots: Sequence[tuple[float, float]]) -> list[float]:
    """Return the slope at each (x, y): of the parabola through it and its neighbours; one-sided at the ends."""
    x, y = np.array(knots).T
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    inner = (slope[:-1] * h[1:] + slope[1:] * h[:-1]) / (h[1:] + h[:-1])
    return [float(slope[0]), *(float(v) for v in inner), float(slope[-1])]


class Lobe:
    """A movement from 0 to 1 in a time from 0 to 1 whose speed has the shape of a table."""

    def __init__(self, speed: Table) -> None:
        accel = _per_second(speed)
        values = [0.0]
        for (x0, v0), (x1, v1), a0, a1 in zip(speed[:-1], speed[1:], accel[:-1], accel[1:], strict=True):
            h = x1 - x0
            values.append(values[-1] + h * (v0 + v1) / 2 + h * h * (a0 - a1) / 12)
        self.at = [x for x, _ in speed]
        self.value = [v / values[-1] for v in values]
        self.rate = [v / values[-1] for _, v in speed]

    def between(self, t0: float, t1: float, y0: float, y1: float) -> list[tuple[float, float, float]]:
        """Return knots (time, value, rate) of the movement from y0 at t0 to y1 at t1."""
        rise, span = y1 - y0, t1 - t0
        rows = zip(self.at, self.value, self.rate, strict=True)
        return [(t0 + x * span, y0 + v * rise, r * rise / span) for x, v, r in rows]


class Wave:
    """A periodic shape over the phase of a stride, from a table or from its harmonics."""

    def __init__(self, mean: float, harmonics: Sequence[tuple[float, float, float]]) -> None:
        """Take (cycles a stride, amplitude, phase at which the cosine has its top) of each harmonic."""
        self._mean, self._harmonics = mean, tuple(harmonics)

    @classmethod
    def of(cls, table: Table, harmonics: int, scale: float = 1.0) -> Wave:
        """Fit harmonics to the table by least squares."""
        phase, value = np.array(table).T
        turns = 2 * np.pi * phase[:, None] * np.arange(1, harmonics + 1)
        columns = np.hstack([np.ones((len(phase), 1)), np.cos(turns), np.sin(turns)])
        found = np.linalg.lstsq(columns, value * scale, rcond=None)[0]
        rows = []
        for k in range(1, harmonics + 1):
            c, s = float(found[k]), float(found[harmonics + k])
            rows.append((float(k), math.hypot(c, s), math.atan2(s, c) / (2 * math.pi * k)))
        return cls(float(found[0]), rows)

    def at(self, phase: State, size: State) -> State:
        """Return ``size * shape(phase)``, each (n,)."""
        shape, slope, bend = (
            np.full_like(phase.value, self._mean),
            np.zeros_like(phase.value),
            np.zeros_like(phase.value),
        )
        for cycles, amplitude, top in self._harmonics:
            w = 2 * np.pi * cycles
            c, s = np.cos(w * (phase.value - top)), np.sin(w * (phase.value - top))
            shape = shape + amplitude * c
            slope = slope - amplitude * w * s
            bend = bend - amplitude * w * w * c
        rate = slope * phase.rate
        accel = bend * phase.rate**2 + slope * phase.accel
        return State(
            size.value * shape,
            size.rate * shape + size.value * rate,
            size.accel * shape + 2 * size.rate * rate + size.value * accel,
        )


HEEL_RISE, SWING, STRIKE, FORWARD = Lobe(HEEL_RISE_RATE), Lobe(SWING_RATE), Lobe(STRIKE_RATE), Lobe(FORWARD_SPEED)
THIGH = Wave.of(THIGH_DEG, 4, math.pi / 180)
KNEE = Wave.of(KNEE_DEG, 5, math.pi / 180)

# The pelvis over the phase of the left stride, at a stride of 0.8 body heights: metres and radians. It is lowest just
# after each contact, leans over the standing leg, loses speed at contact and gains it at push-off, and turns with the
# leg in front. Harmonics above the first make the sharp peaks that an accelerometer sees there.
BOUNCE = Wave(0.0, ((2, 0.021, 0.30), (4, 0.0024, 0.17), (6, 0.0011, 0.135), (8, 0.0006, 0.115)))
SURGE = Wave(0.0, ((2, 0.009, 0.06), (4, 0.0019, 0.05), (6, 0.0008, 0.05), (8, 0.0003, 0.05)))
LEAN = Wave(0.0, ((1, 0.018, 0.30), (3, 0.0012, 0.06), (5, 0.0008, 0.05)))
LIST = Wave(0.0, ((1, math.radians(2.5), 0.22), (3, math.radians(0.8), 0.12)))
NOD = Wave(0.0, ((2, math.radians(1.2), 0.10), (4, math.radians(0.5), 0.08)))
TWIST = Wave(0.0, ((1, math.radians(4.0), 0.52), (3, math.radians(0.5), 0.1)))


class Moments(NamedTuple):
    """When one step's foot does what, true seconds."""

    heel_rise: float
    toe_off: float
    steepest: float
    toe_highest: float
    contact: float
    flat: float

    @classmethod
    def of(cls, step: Step, flat_since: float) -> Moments:
        """Return the moments of a step whose foot stands flat since then."""
        stride = (step.land_s - step.lift_s) / SWING_SHARE
        flat_for = min(SHORTEST_FLAT_S, (step.lift_s - flat_since) / 2)
        rise = max(step.lift_s - min(HEEL_RISE_SHARE * stride, LONGEST_HEEL_RISE_S), flat_since + flat_for)
        steepest = rise + (step.lift_s - rise) / TOE_OFF_AT
        slap = min(SLAP_SHARE * stride, LONGEST_SLAP_S)
        highest = step.land_s - slap * CONTACT_AT / (1 - CONTACT_AT)
        flat = step.land_s + slap
        return cls(rise, step.lift_s, steepest, highest, step.land_s, flat)


def vigour(step: Step, height_m: float) -> float:
    """Return the size of the step's movements as a part of those at a stride of 0.8 body heights."""
    if step.pace.style.vigour is not None:
        return step.pace.style.vigour
    return min(max(step.pace.length_m / (0.4 * height_m), 0.25), 1.25)


class FootCurves:
    """One foot: where it stands or flies, how it is pitched, and about which point of its sole it turns."""

    def __init__(self, foot: Foot, start: Print) -> None:
        self.outwards = 1.0 if foot == "left" else -1.0
        self.ground = Curve(start.x, start.y, 0.0, start.yaw)
        """x, y, z, metres, and yaw, radians: of the foot as if it were flat."""
        self.pitch = Curve(0.0)
        """Radians, front down positive."""
        self.sole = Curve(0.0, 0.0)
        """Pivot from the ball of the foot (0) to the heel (1), and roll, radians."""
        self._flat_since = 0.0

    def add(self, step: Step, size: float) -> Moments:
        """Add a step; returns its moments."""
        when = Moments.of(step, self._flat_since)
        self._flat_since = when.flat
        self._add_pitch(step, when, size)
        self._add_ground(step, when)
        swing, roll = when.contact - when.toe_off, math.radians(6) * size * self.outwards
        self.sole.rest(when.heel_rise, 0.0, 0.0)
        self.sole.rest(when.toe_off + 0.2 * swing, 0.0, 0.5 * roll)
        self.sole.rest(when.contact - 0.15 * swing, 1.0, -roll)
        self.sole.rest(when.flat, 1.0, 0.0)
        return when

    def _add_pitch(self, step: Step, when: Moments, size: float) -> None:
        steep, high = math.radians(step.pace.style.toe_off_deg) * size, -math.radians(step.pace.style.strike_deg) * size
        knots = HEEL_RISE.between(when.heel_rise, when.steepest, 0.0, steep)[:-1]
        knots += SWING.between(when.steepest, when.toe_highest, steep, high)[:-1]
        knots += STRIKE.between(when.toe_highest, when.flat, high, 0.0)
        accel = _per_second([(t, rate) for t, _, rate in knots])
        last = len(knots) - 1
        for k, (t, value, rate) in enumerate(knots):
            if k in (0, last):
                self.pitch.rest(t, 0.0)
            else:
                self.pitch.knot(t, (value,), (rate,), (accel[k],))

    def _add_ground(self, step: Step, when: Moments) -> None:
        swing, style = when.contact - when.toe_off, step.pace.style
        impact = min(IMPACT_S, 0.1 * swing)
        # The floor takes the last of the speed within the impact: half of what it would cover meanwhile is left to go.
        left = FORWARD.rate[-1] / swing * impact / 2
        way = FORWARD.between(when.toe_off, when.contact, 0.0, 1 - left)
        forward_accel = _per_second([(t, rate) for t, _, rate in way])
        height = _heights(when, style.clearance_m, style.landing_mps, impact)
        lift = _per_second([(t, rate) for t, _, rate in height])
        start, end = (*step.start[:2], 0.0, step.start.yaw), (*step.end[:2], 0.0, step.end.yaw)
        rise = [b - a for a, b in zip(start, end, strict=True)]
        self.ground.rest(way[0][0], *start)
        for k in range(1, len(way)):
            (t, done, speed), (_, z, climb) = way[k], height[k]
            value = [a + done * r for a, r in zip(start, rise, strict=True)]
            rate, accel = [speed * r for r in rise], [forward_accel[k] * r for r in rise]
            value[2], rate[2], accel[2] = z, climb, lift[k]
            self.ground.knot(t, value, rate, accel)
        self.ground.rest(when.contact + impact, *end)


CLEARANCE: Table = ((0, 0), (0.1, 0.15), (0.22, 0.62), (0.4, 1.0), (0.6, 0.85), (0.78, 0.75), (0.9, 0.5), (1, 0))
"""Lift of the foot besides its rotation, at the shares of swing of FORWARD_SPEED: part of the most."""


def _heights(when: Moments, most: float, landing: float, impact: float) -> list[tuple[float, float, float]]:
    """Return knots (time, height, rate) of the swing; the foot meets the floor, which yields, at landing speed."""
    swing, touch = when.contact - when.toe_off, landing * impact / 2
    rows = [(when.toe_off + x * swing, most * h) for x, h in CLEARANCE]
    rows[-1] = (when.contact, touch)
    rates = _per_second(rows)
    rates[0], rates[-1] = 0.0, -landing
    return [(t, z, rate) for (t, z), rate in zip(rows, rates, strict=True)]


def _other(foot: Foot) -> Foot:
    return "right" if foot == "left" else "left"


def _middle(feet: dict[Foot, Print]) -> Print:
    left, right = feet["left"], feet["right"]
    return Print((left.x + right.x) / 2, (left.y + right.y) / 2, (left.yaw + right.yaw) / 2)


class BodyCurves:
    """What the whole body does: way of the pelvis, phases of both strides, and how large the movements are."""

    def __init__(self, feet: dict[Foot, Print]) -> None:
        self._feet = dict(feet)
        self.pelvis = Curve(0.0, 0.0, 0.0)
        """x, y, metres, and yaw, radians."""
        self.phase: dict[Foot, Curve] = {"left": Curve(0.0), "right": Curve(0.0)}
        """Strides of each leg: whole numbers at its contacts, and TOE_OFF_PHASE after them at its toe offs."""
        self.beat = Curve(0.0)
        """Strides of the body: whole numbers at left contacts, halves at right ones."""
        self.size = Curve(0.0, 0.0, 0.0, 0.0)
        """Size of the movements of thighs, knees, pelvis, and of its bounce, which grows as the square of the step."""

    def add(self, step: Step, when: Moments, size: float) -> None:
        """Add a step."""
        own, opposite = self.phase[step.foot], self.phase[_other(step.foot)]
        if step.first:
            self._begin(step, when)
        stride = math.floor(own.last[0])
        own.through(step.lift_s, stride + TOE_OFF_PHASE)
        own.through(step.land_s, stride + 1.0)
        opposite.through(step.land_s, math.floor(opposite.last[0]) + 0.5)
        self.beat.through(step.land_s, self.beat.last[0] + 0.5)
        style = step.pace.style
        self.size.rest(step.land_s, size, size * style.knee, size * style.sway, size * size * style.sway)
        self._feet[step.foot] = step.end
        self.pelvis.through(step.land_s, *_middle(self._feet))
        if step.last:
            self._come_to_stand(step.land_s + REST_S)

    def _begin(self, step: Step, when: Moments) -> None:
        """Leave standing: at zero size the phases may go where the first step needs them."""
        own, opposite = self.phase[step.foot], self.phase[_other(step.foot)]
        own.rest(when.heel_rise, math.ceil(own.last[0]) + 0.45)
        opposite.rest(when.heel_rise, math.ceil(opposite.last[0]) + 0.1)
        self.beat.rest(when.heel_rise, math.ceil(self.beat.last[0]) + (0.5 if step.foot == "left" else 0.0))
        self.size.rest(when.heel_rise, 0.0, 0.0, 0.0, 0.0)
        self.pelvis.rest(when.heel_rise, *self.pelvis.last)

    def _come_to_stand(self, end: float) -> None:
        """Come to stand."""
        for curve in (*self.phase.values(), self.beat):
            curve.rest(end, curve.last[0] + 0.1)
        self.size.rest(end, 0.0, 0.0, 0.0, 0.0)
        self.pelvis.rest(end, *self.pelvis.last)
