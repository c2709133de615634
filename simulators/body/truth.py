"""What is true of a simulated walk: contacts, strides, bouts, turns and pauses, in true seconds and metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from simulators.body.programme import Foot, Planner, Step
from simulators.motion.source import Floats


@dataclass(frozen=True, slots=True)
class Stride:
    """From one contact of a foot to its next.

    Attributes:
        foot: Which.
        start_s: Initial contact that begins it.
        end_s: Initial contact that ends it.
        toe_off_s: Final contact between them.
        length_m: How far the foot got, along the floor.
        turning: The body turned meanwhile.
        steady: Neither the first nor the last of its bout, nor turning.
    """

    foot: Foot
    start_s: float
    end_s: float
    toe_off_s: float
    length_m: float
    turning: bool
    steady: bool

    @property
    def time_s(self) -> float:
        """Stride time, seconds."""
        return self.end_s - self.start_s

    @property
    def speed_mps(self) -> float:
        """Length over time, m/s."""
        return self.length_m / self.time_s

    @property
    def stance_s(self) -> float:
        """Time on the floor, seconds."""
        return self.toe_off_s - self.start_s

    @property
    def swing_s(self) -> float:
        """Time in the air, seconds."""
        return self.end_s - self.toe_off_s


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the body: from the contact before its first step to that of its last; left is positive."""

    start_s: float
    end_s: float
    angle_deg: float


@dataclass(frozen=True, slots=True)
class Bout:
    """An uninterrupted walk: from the first toe off to the last contact."""

    start_s: float
    end_s: float
    steps: int


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is true of a walk, in order of time.

    Attributes:
        initial: Initial contacts of each foot (n,), true seconds.
        final: Final contacts of each foot (n,), true seconds; a foot that leaves its standing place has one too.
        strides: Of both feet, by their end.
        bouts: Uninterrupted walks, the last one perhaps cut short.
        turns: Turns of the body.
        pauses: (start, end) of standing between two bouts.
    """

    initial: dict[Foot, Floats]
    final: dict[Foot, Floats]
    strides: tuple[Stride, ...]
    bouts: tuple[Bout, ...]
    turns: tuple[Turn, ...]
    pauses: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, planner: Planner, until_s: float) -> Self:
        """Collect the steps of a planner that end by then."""
        steps: list[Step] = []
        for step in planner.steps():
            if step.land_s > until_s:
                break
            steps.append(step)
        bouts = _bouts(steps)
        walks = tuple(Bout(bout[0].lift_s, bout[-1].land_s, len(bout)) for bout in bouts)
        return cls(
            {"left": _times(steps, "left", land=True), "right": _times(steps, "right", land=True)},
            {"left": _times(steps, "left", land=False), "right": _times(steps, "right", land=False)},
            tuple(stride for bout in bouts for stride in _strides(bout)),
            walks,
            tuple(turn for bout in bouts for turn in _turns(bout)),
            tuple((a.end_s, b.start_s) for a, b in pairwise(walks)),
        )

    def steady(self, start_s: float = 0.0, end_s: float = math.inf) -> tuple[Stride, ...]:
        """Return the steady strides within a time."""
        return tuple(s for s in self.strides if s.steady and start_s <= s.start_s and s.end_s <= end_s)

    @property
    def speed_mps(self) -> float:
        """Mean speed of the steady strides, m/s; NaN without any."""
        return _ratio(sum(s.length_m for s in self.steady()), sum(s.time_s for s in self.steady()))

    @property
    def cadence_spm(self) -> float:
        """Mean cadence of the steady strides, steps of both feet a minute; NaN without any."""
        return _ratio(120 * len(self.steady()), sum(s.time_s for s in self.steady()))

    @property
    def swing_asymmetry(self) -> float:
        """Mean swing time of the left foot over that of the right one in steady strides; NaN without any."""
        swing = {f: [s.swing_s for s in self.steady() if s.foot == f] for f in ("left", "right")}
        return _ratio(_mean(swing["left"]), _mean(swing["right"]))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan


def _times(steps: list[Step], foot: Foot, *, land: bool) -> Floats:
    return np.array([s.land_s if land else s.lift_s for s in steps if s.foot == foot])


def _bouts(steps: list[Step]) -> list[list[Step]]:
    bouts: list[list[Step]] = []
    for step in steps:
        if step.first:
            bouts.append([])
        bouts[-1].append(step)
    return bouts


def _strides(bout: list[Step]) -> list[Stride]:
    strides = []
    for k, (before, between, step) in enumerate(zip(bout, bout[1:], bout[2:], strict=False)):
        turning = bool(between.pace.turn or step.pace.turn)
        steady = not (turning or k == 0 or step.last or before.first)
        length = math.hypot(step.end.x - step.start.x, step.end.y - step.start.y)
        strides.append(Stride(step.foot, before.land_s, step.land_s, step.lift_s, length, turning, steady))
    return strides


def _turns(bout: list[Step]) -> list[Turn]:
    turns: list[Turn] = []
    for before, step in zip([None, *bout], bout, strict=False):
        if not step.pace.turn:
            continue
        angle = math.degrees(step.pace.turn)
        start = before.land_s if before else step.lift_s
        if before is not None and before.pace.turn and turns:
            turns[-1] = Turn(turns[-1].start_s, step.land_s, turns[-1].angle_deg + angle)
        else:
            turns.append(Turn(start, step.land_s, angle))
    return turns
