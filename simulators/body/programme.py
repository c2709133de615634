"""What a simulated person is asked to do, and the steps that come of it.

World frame: x where the person looks at the beginning, y left, z up, metres. A step is one foot's way from leaving
the floor to meeting it again; walking alternates feet, begins from both feet side by side and ends so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Foot = Literal["left", "right"]

WALK_RATIO_M_MIN = 0.0065
"""Step length over cadence, m per step/min: adults keep it over speeds (Sekiya and Nagasaki 1998)."""
TYPICAL_HEIGHT_M = 1.70
"""Body height to which that figure belongs; step length grows with it."""
STANCE_AT_1_3 = 0.61
STANCE_PER_MPS = -0.07
"""Share of the stride in which the foot is on the floor: at 1.3 m/s, and change with speed (Perry 1992)."""
SLOWEST_SPM, FASTEST_SPM = 4.0, 200.0
"""Cadence from the slowest powered orthosis to racewalking, steps a minute."""
WORST_ASYMMETRY = 2.5
"""Step time ratios after stroke go to about 2."""
STEP_WIDTH_M = 0.10
INITIATION_S = 0.6
"""From the decision to walk to the first foot leaving the floor, in which the weight shifts."""
REST_S = 0.5
"""After the last contact until the body stands."""
SHORTEST_DOUBLE_SUPPORT_S = 0.04
LARGEST_DEVIATION = 2.5
"""Random variation is cut here, standard deviations: no simulated stride is absurd."""


@dataclass(frozen=True, slots=True)
class Style:
    """How somebody walks.

    Attributes:
        stance: Share of the stride on the floor; None for that of healthy adults at the speed.
        longest_swing_s: However slow the walk, a foot is not longer in the air.
        toe_off_deg: Foot pitch when the toe leaves, heel up.
        strike_deg: Foot pitch at contact, toe up.
        clearance_m: How high the foot is lifted besides its rotation.
        landing_mps: Downward speed at contact, which the floor stops: the impact.
        knee: Knee flexion as a part of the textbook's.
        sway: Movement of the pelvis as a part of the textbook's.
        variability: Standard deviation of stride time over its mean.
        vigour: Size of all rotations as a part of a full stride's; None to take it from the length of each step.
    """

    stance: float | None = None
    longest_swing_s: float = 0.6
    toe_off_deg: float = 63.0
    strike_deg: float = 24.0
    clearance_m: float = 0.045
    landing_mps: float = 0.28
    knee: float = 1.0
    sway: float = 1.0
    variability: float = 0.02
    vigour: float | None = None


HEALTHY = Style()
SHUFFLING = Style(0.70, 0.6, 22.0, 3.0, 0.012, 0.12, 0.5, 0.5, 0.05)
"""Parkinsonian: short quick steps, feet hardly lifted, flat contact."""
EXOSKELETON = Style(0.68, 1.4, 35.0, 14.0, 0.05, 0.15, 1.0, 0.5, 0.01, 0.8)
"""A powered orthosis: slow, the same every time, legs swung as programmed however short the step."""
TURNING = Style(toe_off_deg=45.0, strike_deg=16.0, sway=0.7, vigour=0.6)
"""Small steps: healthy feet pitch at 3 to 4 rad/s then, against 8 to 10 straight on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Standing still; between walks, a pause."""

    duration_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.duration_s < math.inf:
            raise ValueError(f"standing takes a finite time, got {self.duration_s} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Walking straight on.

    Give ``speed_mps`` (cadence and stride follow from the walk ratio), or ``cadence_spm`` and ``stride_m``; and one of
    ``duration_s``, ``distance_m`` (both rounded to whole steps) and ``steps``.

    Attributes:
        speed_mps: Metres a second.
        cadence_spm: Steps a minute of both feet.
        stride_m: Two steps, metres.
        asymmetry: Time of the left step over that of the right one; 1 is symmetric.
        style: How.
    """

    speed_mps: float | None = None
    cadence_spm: float | None = None
    stride_m: float | None = None
    duration_s: float | None = None
    distance_m: float | None = None
    steps: int | None = None
    asymmetry: float = 1.0
    style: Style = HEALTHY

    def __post_init__(self) -> None:
        if (self.speed_mps is None) == (self.cadence_spm is None) or (self.cadence_spm is None) != (
            self.stride_m is None
        ):
            raise ValueError("a walk has either speed_mps or both cadence_spm and stride_m")
        if sum(x is not None for x in (self.duration_s, self.distance_m, self.steps)) != 1:
            raise ValueError("a walk has exactly one of duration_s, distance_m and steps")
        for name in ("speed_mps", "cadence_spm", "stride_m", "duration_s", "distance_m", "steps", "asymmetry"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} of a walk must be positive, got {value}")
        if not 1 / WORST_ASYMMETRY <= self.asymmetry <= WORST_ASYMMETRY:
            raise ValueError(f"asymmetry must lie between 1/{WORST_ASYMMETRY:g} and {WORST_ASYMMETRY:g}")
        if not SLOWEST_SPM <= 60 / self.step(TYPICAL_HEIGHT_M)[1] <= FASTEST_SPM:
            raise ValueError(f"nobody walks at {60 / self.step(TYPICAL_HEIGHT_M)[1]:.3g} steps a minute")

    def step(self, height_m: float) -> tuple[float, float]:
        """Return mean step length, metres, and mean step time, seconds, of a body of that height."""
        if self.cadence_spm is not None and self.stride_m is not None:
            return self.stride_m / 2, 60 / self.cadence_spm
        assert self.speed_mps is not None
        ratio = WALK_RATIO_M_MIN * height_m / TYPICAL_HEIGHT_M
        cadence = math.sqrt(60 * self.speed_mps / ratio)
        return ratio * cadence, 60 / cadence

    def paces(self, height_m: float) -> Iterator[Pace]:
        """Yield what each step is meant to be."""
        length, time = self.step(height_m)
        count = self.steps or max(1, round((self.duration_s or 0) / time + (self.distance_m or 0) / length))
        for _ in range(count):
            yield Pace(length, 0.0, time, self.asymmetry, self.style)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Turning on small steps; left is positive."""

    angle_deg: float
    cadence_spm: float = 100.0
    step_deg: float = 36.0
    step_m: float = 0.10
    style: Style = TURNING

    def __post_init__(self) -> None:
        if not (math.isfinite(self.angle_deg) and self.angle_deg and self.step_deg > 0):
            raise ValueError("a turn has an angle, and steps above zero")
        if not SLOWEST_SPM <= self.cadence_spm <= FASTEST_SPM:
            raise ValueError(f"nobody turns at {self.cadence_spm:.3g} steps a minute")

    def paces(self, height_m: float) -> Iterator[Pace]:  # noqa: ARG002 # as Walk.paces
        """Yield what each step is meant to be."""
        count = max(2, math.ceil(abs(self.angle_deg) / self.step_deg))
        for _ in range(count):
            yield Pace(self.step_m, math.radians(self.angle_deg) / count, 60 / self.cadence_spm, 1.0, self.style)


Piece = Stand | Walk | Turn


def shuffling(*, duration_s: float, cadence_spm: float = 122.0, stride_m: float = 0.55) -> Walk:
    """Return a shuffling walk."""
    return Walk(cadence_spm=cadence_spm, stride_m=stride_m, duration_s=duration_s, style=SHUFFLING)


def exoskeleton(*, steps: int, cadence_spm: float = 24.0, stride_m: float = 0.7) -> Walk:
    """Return a walk in a powered exoskeleton; they go down to 5 steps a minute."""
    return Walk(cadence_spm=cadence_spm, stride_m=stride_m, steps=steps, style=EXOSKELETON)


def there_and_back(speed_mps: float = 1.2, distance_m: float = 14.0, asymmetry: float = 1.0) -> tuple[Piece, ...]:
    """Return a walk to the end of the corridor, a turn, the way back, a turn and a rest: what the demo repeats."""
    walk = Walk(speed_mps=speed_mps, distance_m=distance_m, asymmetry=asymmetry)
    return Stand(duration_s=3), walk, Turn(angle_deg=180), walk, Turn(angle_deg=180), Stand(duration_s=4)


class Pace(NamedTuple):
    """What a step is meant to be, before chance has its say: metres, radians, seconds."""

    length_m: float
    turn: float
    time_s: float
    asymmetry: float
    style: Style


class Print(NamedTuple):
    """Where a foot stands flat: its middle, metres, and its heading, radians, not wrapped."""

    x: float
    y: float
    yaw: float


@dataclass(frozen=True, slots=True)
class Step:
    """One foot's way through the air.

    Attributes:
        foot: Which.
        lift_s: True time at which its toe leaves the floor (final contact).
        land_s: True time at which it meets the floor again (initial contact).
        start: Where it stood.
        end: Where it will stand.
        pace: What was meant, with the length that came of it.
        first: It begins a walk.
        last: It ends one: the feet are side by side again.
    """

    foot: Foot
    lift_s: float
    land_s: float
    start: Print
    end: Print
    pace: Pace
    first: bool = False
    last: bool = False


class Planner:
    """Turns a programme into steps.

    Args:
        programme: Pieces in order.
        seed: Chooses the foot that begins and every step's deviation.
        height_m: Body height.
        repeat: Begin again after the last piece, for ever.

    Attributes:
        feet: Where the feet stand after the steps that are out.
        end_s: True time of the end; infinite until the last step is out.

    Raises:
        ValueError: When there is nothing to do, or nothing that takes time to repeat.
    """

    def __init__(self, programme: Iterable[Piece], *, seed: int, height_m: float, repeat: bool = False) -> None:
        self._pieces = tuple(programme)
        if not self._pieces:
            raise ValueError("a programme has at least one piece")
        if repeat and all(isinstance(piece, Stand) for piece in self._pieces):
            raise ValueError("a programme of standing alone cannot repeat: it would never take a step")
        self._height_m, self._repeat = height_m, repeat
        self._random = np.random.default_rng([seed, 0x57E9])
        self._next: Foot = "left" if self._random.random() < 0.5 else "right"
        self._x = self._y = self._yaw = 0.0
        self.feet: dict[Foot, Print] = {"left": self._print("left"), "right": self._print("right")}
        self._now = 0.0  # last contact while walking, else since when the body stands and waits
        self._walking: Pace | None = None
        self.end_s = math.inf

    def steps(self) -> Iterator[Step]:
        """Yield the steps in order; to be called once."""
        while True:
            for piece in self._pieces:
                if isinstance(piece, Stand):
                    yield from self._stop()
                    self._now += piece.duration_s
                else:
                    for pace in piece.paces(self._height_m):
                        yield self._step(pace)
            if not self._repeat:
                break
        yield from self._stop()
        self.end_s = self._now

    def _stop(self) -> Iterator[Step]:
        if self._walking is not None:
            yield self._step(self._walking._replace(length_m=0.0, turn=0.0), last=True)
            self._walking = None
            self._now += REST_S

    def _step(self, pace: Pace, *, last: bool = False) -> Step:
        foot, first = self._next, self._walking is None
        share = 2 * pace.asymmetry / (1 + pace.asymmetry) if foot == "left" else 2 / (1 + pace.asymmetry)
        time = pace.time_s * share * self._deviation(pace.style)
        together = pace.time_s - swing_s(pace)
        swing = max(time - together, 0.5 * swing_s(pace))
        lift = self._now + (INITIATION_S if first else max(time - swing, SHORTEST_DOUBLE_SUPPORT_S))
        self._yaw += pace.turn
        length = pace.length_m * self._deviation(pace.style)
        self._x += length * math.cos(self._yaw)
        self._y += length * math.sin(self._yaw)
        start = self.feet[foot]
        end = self.feet[foot] = self._print(foot)
        self._now = lift + swing
        self._walking = pace
        self._next = "right" if foot == "left" else "left"
        return Step(foot, lift, self._now, start, end, pace._replace(length_m=length), first, last)

    def _deviation(self, style: Style) -> float:
        """Return a factor about 1; a stride is two steps, so a step varies sqrt(2) as much."""
        drawn = float(np.clip(self._random.standard_normal(), -LARGEST_DEVIATION, LARGEST_DEVIATION))
        return 1 + math.sqrt(2) * style.variability * drawn

    def _print(self, foot: Foot) -> Print:
        aside = STEP_WIDTH_M / 2 if foot == "left" else -STEP_WIDTH_M / 2
        return Print(self._x - aside * math.sin(self._yaw), self._y + aside * math.cos(self._yaw), self._yaw)


def swing_s(pace: Pace) -> float:
    """Return how long a foot is in the air at that pace, seconds."""
    stance = pace.style.stance
    if stance is None:
        stance = STANCE_AT_1_3 + STANCE_PER_MPS * (pace.length_m / pace.time_s - 1.3)
        stance = min(max(stance, 0.56), 0.74)
    swing = (1 - stance) * 2 * pace.time_s
    return min(swing, pace.style.longest_swing_s, pace.time_s - SHORTEST_DOUBLE_SUPPORT_S)
