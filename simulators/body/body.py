"""A body that walks as its programme says, and what inertial sensors on it would feel.

The curves of ``gait_cycle`` say where each segment is and how it is turned, with two exact derivatives; here they are
put together: specific force ``R^T (a - g)`` and angular velocity in the frame of the segment, at the place of the
sensor. Segment frames: x forward (toe), y left, z up, for feet, shanks, thighs and lower back alike. The ankle follows
the foot and the hip the pelvis; shank and thigh take their angles from textbook curves, so that the knee as seen from
above and from below may lie a few centimetres apart, which no single sensor can notice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from simulators.body.curve import State
from simulators.body.gait_cycle import (
    BOUNCE,
    KNEE,
    LEAN,
    LIST,
    NOD,
    SURGE,
    THIGH,
    TWIST,
    BodyCurves,
    FootCurves,
    vigour,
)
from simulators.body.programme import Foot, Piece, Planner, there_and_back
from simulators.body.rotation import Attitude, still
from simulators.body.truth import Truth
from simulators.motion.blocks import Block, BlockSource
from simulators.motion.source import Floats, G, Motion
from simulators.sensing.clock import Clock
from simulators.sensing.imu import Imperfections, Imu
from simulators.sensing.loss import Channel, Loss

Placement = Literal["left_foot", "right_foot", "left_shank", "right_shank", "left_thigh", "right_thigh", "lower_back"]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)

HEIGHT_M = 1.75
"""Height of the body for which the sizes below are given; others are scaled."""
BALL = np.array([0.075, 0.0, 0.0])
"""Where the sole bends, from its middle, metres in the foot's frame: the foot turns about it while the heel rises."""
HEEL = np.array([-0.105, 0.0, 0.0])
"""Where the sole meets the floor first."""
ANKLE = np.array([-0.06, 0.0, 0.08])
HIP = np.array([0.0, 0.09, 0.0])
"""Left hip from the middle between the hips; y changes sign on the right."""
HIP_HEIGHT_M = 0.93
LORDOSIS_RAD = math.radians(6.0)
"""How far the lower back leans forward, standing or walking."""
MOUNTED: dict[str, Floats] = {
    "foot": np.array([0.02, 0.0, 0.07]),  # from the middle of the sole: on the instep
    "shank": np.array([0.03, 0.0, 0.14]),  # from the ankle: in front, above it
    "thigh": np.array([0.07, 0.0, -0.25]),  # from the hip: in front, mid-thigh
    "lower_back": np.array([-0.10, 0.0, 0.09]),  # from between the hips: at L5
}
"""Where the sensors sit, metres in the segment's frame."""
GRAVITY = np.array([0.0, 0.0, -G])
EARTH_FIELD = np.array([0.42, 0.0, -0.91])
"""Magnetic field in the world, of magnitude 1: dipping 65 degrees as in central Europe; x happens to point north."""
STEPS_AHEAD = 3
"""A curve is settled where so many further steps are known: the next one of each foot, and one to give it speed."""


class Pose(NamedTuple):
    """True movement of a sensor at n instants.

    Attributes:
        place: (n, 3) position in the world with its derivatives, metres and seconds.
        attitude: Orientation and angular velocity.
    """

    place: State
    attitude: Attitude

    @property
    def acc(self) -> Floats:
        """Specific force (n, 3) in the segment's frame, m/s^2."""
        return self.attitude.to_segment(self.place.accel - GRAVITY)


class Leg(NamedTuple):
    """What a leg does at n instants.

    Attributes:
        phase: (n,) strides from the beginning: whole at its contacts, `TOE_OFF_PHASE` more at its toe offs.
        size: (n,) how large its movements are; 0 standing.
        hip: Flexion, radians, with its derivatives.
        knee: Flexion.
        ankle: Dorsiflexion.
    """

    phase: Floats
    size: Floats
    hip: State
    knee: State
    ankle: State

    def joint(self, name: Literal["hip", "knee", "ankle"]) -> State:
        """Return one of its joints."""
        return {"hip": self.hip, "knee": self.knee, "ankle": self.ankle}[name]


class WalkingBody:
    """A person who walks; everything about it follows from its arguments.

    Args:
        seed: Which foot begins, and every stride's deviation from the mean.
        height_m: Body height, metres.
        programme: What to do; by default a corridor, there and back with turns and rests.
        repeat: Begin again after the last piece, for ever; by default only without a programme.

    Raises:
        ValueError: When the programme is empty or the height not that of a person.
    """

    placements: Sequence[str] = PLACEMENTS
    """Where a sensor may sit on it."""

    def __init__(
        self,
        seed: int = 0,
        *,
        height_m: float = HEIGHT_M,
        programme: Sequence[Piece] | None = None,
        repeat: bool | None = None,
    ) -> None:
        if not 0.5 <= height_m <= 2.5:
            raise ValueError(f"a body is between 0.5 and 2.5 m high, got {height_m}")
        self.seed, self.height_m = seed, height_m
        self._programme = there_and_back() if programme is None else tuple(programme)
        self._repeat = programme is None if repeat is None else repeat
        self._planner()  # complains now, not when the first sample is taken

    def _planner(self) -> Planner:
        return Planner(self._programme, seed=self.seed, height_m=self.height_m, repeat=self._repeat)

    def sensor(
        self,
        placement: str,
        *,
        rate_hz: float,
        imperfections: Imperfections | None = None,
        clock: Clock | None = None,
        channel: Channel | None = None,
        seed: int = 0,
        figure: Figure | None = None,
    ) -> BodySensor:
        """Return the movement of a sensor on the body, from the beginning; every call makes another sensor.

        Args:
            placement: Where it sits.
            rate_hz: Samples a second of its own clock.
            imperfections: How good it is; by default a good small MEMS sensor, ``PERFECT`` for none.
            clock: Its clock; by default a true one that starts at zero.
            channel: How its radio loses packets of one sample; by default it loses none.
            seed: Which unit: its faults, noise and losses.
            figure: The body's movement, shared by sensors that are asked side by side; by default one of its own.

        Raises:
            ValueError: When there is no such placement or the rate is not positive.
        """
        if placement not in self.placements:
            raise ValueError(f"no placement {placement!r}; there are {', '.join(self.placements)}")
        if not 0 < rate_hz < math.inf:
            raise ValueError(f"rate_hz must be positive, got {rate_hz}")
        mark = [self.seed, seed, self.placements.index(placement)]
        unit = int(np.random.default_rng(mark).integers(2**31))
        return BodySensor(
            self.figure() if figure is None else figure,
            placement,
            imu=Imu(Imperfections() if imperfections is None else imperfections, rate_hz, unit),
            clock=Clock() if clock is None else clock,
            loss=Loss(Channel() if channel is None else channel, unit),
            rate_hz=rate_hz,
        )

    def figure(self) -> Figure:
        """Return the body's true movement, from the beginning."""
        return Figure(self._planner(), self.height_m)

    def truth(self, until_s: float = math.inf) -> Truth:
        """Return what is true of all steps that end by ``until_s``; for an endless programme it must be finite.

        Raises:
            ValueError: When the programme is endless and ``until_s`` is not finite.
        """
        if self._repeat and not math.isfinite(until_s):
            raise ValueError("the programme has no end: say until when")
        return Truth.of(self._planner(), until_s)

    def walks(self) -> Iterator[tuple[float, float]]:
        """Yield when the body walks, (start, end) in true seconds; for ever if its programme is. For its heart."""
        start = 0.0
        for step in self._planner().steps():
            if step.first:
                start = step.lift_s
            if step.last:
                yield start, step.land_s


class Figure:
    """The true movement of all segments, made as it is asked for; time must not go back by more than is kept.

    Several may ask it side by side: what one of them still needs (`needs`) is kept for all.
    """

    def __init__(self, planner: Planner, height_m: float) -> None:
        self._planner, self._height_m = planner, height_m
        self._scale = height_m / HEIGHT_M
        self._steps = planner.steps()
        self._coming: list[float] = []  # when the latest steps' heels rise
        self._over = False
        self._needed_s: dict[object, float] = {}  # from when on, by who asks
        self._body = BodyCurves(planner.feet)
        feet: tuple[Foot, Foot] = ("left", "right")
        self._feet = {foot: FootCurves(foot, planner.feet[foot]) for foot in feet}

    @property
    def end_s(self) -> float:
        """True time of the end, infinite as long as it is not known."""
        return self._planner.end_s

    def plan(self, until_s: float) -> None:
        """Make sure that poses up to then are settled."""
        while not self._over and (len(self._coming) < STEPS_AHEAD or self._coming[0] <= until_s):
            step = next(self._steps, None)
            if step is None:
                self._over = True
                return
            size = vigour(step, self._height_m)
            when = self._feet[step.foot].add(step, size)
            self._body.add(step, when, size)
            self._coming = [*self._coming, when.heel_rise][-STEPS_AHEAD:]

    def needs(self, who: object, from_s: float) -> None:
        """Keep what is at or after ``from_s`` for one who asks, and let go of what nobody needs any more."""
        before_s = min(self._needed_s.values(), default=from_s)
        self._needed_s[who] = from_s
        if (oldest_s := min(self._needed_s.values())) > before_s:
            self._forget(oldest_s)

    def _forget(self, before_s: float) -> None:
        body = self._body
        curves = [body.pelvis, *body.phase.values(), body.beat, body.size]
        for foot in self._feet.values():
            curves += [foot.ground, foot.pitch, foot.sole]
        for curve in curves:
            curve.forget(before_s)

    def pose(self, placement: str, times: Floats) -> Pose:
        """Return the pose of a sensor at one of the figure's placements at true times (n,), in order."""
        self.plan(float(times[-1]))
        if placement == "lower_back":
            pelvis = self._pelvis(times)
            return Pose(self._at(pelvis, MOUNTED["lower_back"]), pelvis.attitude)
        foot: Foot = "left" if placement.startswith("left") else "right"
        segment = placement.partition("_")[2]
        if segment == "foot":
            return self._foot(foot, times, MOUNTED["foot"])
        return self._shank(foot, times) if segment == "shank" else self._thigh(foot, times)

    def _at(self, origin: Pose, point: Floats) -> State:
        return origin.place.plus(origin.attitude.fixed(point * self._scale))

    def _foot(self, foot: Foot, times: Floats, point: Floats) -> Pose:
        """Return the pose of a point of the foot: it turns about a pivot that wanders from ball to heel in swing."""
        curves = self._feet[foot]
        ground, sole = curves.ground.at(times), curves.sole.at(times)
        place, yaw = State(*(part[:, :3] for part in ground)), ground.channel(3)
        share = sole.channel(0)
        way = (HEEL - BALL) * self._scale
        pivot = State(BALL * self._scale + share.value[:, None] * way, *(part[:, None] * way for part in share[1:]))
        rest = State(point * self._scale - pivot.value, -pivot.rate, -pivot.accel)
        flat = Attitude.of(yaw, still(len(times)), still(len(times)))
        turned = Attitude.of(yaw, curves.pitch.at(times).channel(0), sole.channel(1))
        return Pose(place.plus(flat.arm(pivot)).plus(turned.arm(rest)), turned)

    def _leg(self, foot: Foot, times: Floats) -> tuple[State, State]:
        """Return thigh angle from the vertical and knee flexion, radians, knee in front and bent positive."""
        phase, size = self._body.phase[foot].at(times).channel(0), self._body.size.at(times)
        return THIGH.at(phase, size.channel(0)), KNEE.at(phase, size.channel(1))

    def leg(self, foot: Foot, times: Floats) -> Leg:
        """Return the joints of a leg at true times (n,), in order."""
        self.plan(float(times[-1]))
        thigh, knee = self._leg(foot, times)
        shank = knee.plus(thigh.times(-1))
        ankle = shank.plus(self._feet[foot].pitch.at(times).channel(0).times(-1))
        phase, size = self._body.phase[foot].at(times), self._body.size.at(times)
        return Leg(phase.value[:, 0], size.value[:, 0], thigh, knee, ankle)

    def _shank(self, foot: Foot, times: Floats) -> Pose:
        thigh, knee = self._leg(foot, times)
        yaw = self._feet[foot].ground.at(times).channel(3)
        attitude = Attitude.of(yaw, knee.plus(thigh.times(-1)), still(len(times)))
        ankle = Pose(self._foot(foot, times, ANKLE).place, attitude)
        return Pose(self._at(ankle, MOUNTED["shank"]), attitude)

    def _thigh(self, foot: Foot, times: Floats) -> Pose:
        thigh, _ = self._leg(foot, times)
        yaw = self._body.pelvis.at(times).channel(2)
        attitude = Attitude.of(yaw, thigh.times(-1), still(len(times)))
        side = np.array([1.0, 1.0 if foot == "left" else -1.0, 1.0])
        hip = Pose(self._at(self._pelvis(times), HIP * side), attitude)
        return Pose(self._at(hip, MOUNTED["thigh"]), attitude)

    def _pelvis(self, times: Floats) -> Pose:
        """Return the pose of the point between the hips."""
        way, phase = self._body.pelvis.at(times), self._body.beat.at(times).channel(0)
        sizes = self._body.size.at(times)
        size, bounce = sizes.channel(2), sizes.channel(3)
        heading = Attitude.of(way.channel(2), still(len(times)), still(len(times)))
        swings = (SURGE.at(phase, size), LEAN.at(phase, size), BOUNCE.at(phase, bounce))
        waves = [swing.times(self._scale) for swing in swings]
        sway = State(*(np.stack(parts, axis=1) for parts in zip(*waves, strict=True)))
        level = np.zeros(3)
        floor = State(*(np.column_stack([part[:, :2], np.zeros(len(times))]) for part in way))
        level[2] = HIP_HEIGHT_M * self._scale
        place = floor.plus(heading.arm(State(sway.value + level, sway.rate, sway.accel)))
        nod = NOD.at(phase, size)
        attitude = Attitude.of(
            way.channel(2).plus(TWIST.at(phase, size)),
            State(nod.value + LORDOSIS_RAD, nod.rate, nod.accel),
            LIST.at(phase, size),
        )
        return Pose(place, attitude)


class BodySensor(BlockSource):
    """An inertial sensor on a walking body, or on another figure."""

    def __init__(self, figure: Figure, placement: str, *, imu: Imu, clock: Clock, loss: Loss, rate_hz: float) -> None:
        self.placement = placement
        self._figure, self._imu, self._clock, self._loss = figure, imu, clock, loss
        figure.needs(self, 0.0)
        super().__init__(rate_hz)

    def _blocks(self) -> Iterator[Block]:
        for true, device in self._clock.ticks(self.rate_hz):
            self._figure.plan(float(true[-1]))
            count = int(np.searchsorted(true, self._figure.end_s, side="right"))
            if not count:
                return
            yield Block(true[:count], self._maker(true[:count], device[:count]))
            self._figure.needs(self, float(true[0]))

    def _maker(self, true: Floats, device: Floats) -> Callable[[], Motion]:
        """Return what works a block out; what is drawn at random is drawn now, so that later blocks are as they are."""
        noise, sent = self._imu.draw(len(true)), self._loss.sent(len(true))

        def make() -> Motion:
            pose = self._figure.pose(self.placement, true)
            acc, gyr = self._imu.read(pose.acc, pose.attitude.rate, noise)
            return Motion(device, acc, gyr, self._imu.turned(pose.attitude.to_segment(EARTH_FIELD)), sent)

        return make
