"""Arms of a walking body: they swing in walking and work where the body stands, one perhaps less than the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from simulators.body.arm_truth import ArmTruth, Movement
from simulators.body.body import HEIGHT_M, PLACEMENTS, Figure, Pose, WalkingBody
from simulators.body.curve import Curve, State
from simulators.body.gait_cycle import LIST, NOD, TWIST, Wave
from simulators.body.programme import INITIATION_S, REST_S, Piece, Planner, Step
from simulators.body.rotation import Attitude, still
from simulators.body.states import about_long_axis, constant, turned
from simulators.motion.source import Floats

Arm = Literal["left", "right"]
Bend = tuple[State, State, State]
ARMS: tuple[Arm, Arm] = ("left", "right")

LUMBAR = np.array([-0.02, 0.0, 0.12])
"""Where the chest bends against the pelvis, from the middle between the hips."""
SHOULDER = np.array([0.0, 0.19, 0.38])
"""Left, from there; y changes sign on the right."""
UPPER_ARM_M, FOREARM_M = 0.29, 0.23
"""To the elbow, and from it to a watch on the wrist."""
WATCH = np.array([0.0, 0.03, 0.0])
"""Left, on the outside of the wrist."""
ELBOW_RAD = math.radians(14.0)
"""An arm that hangs is bent a little."""
CHEST_AGAINST_PELVIS = -1.6
"""The chest turns against the pelvis in walking: by so much of the pelvis' turn, seen from the pelvis."""
CHEST_LEVEL = -0.7
"""It leans and nods less than the pelvis."""
ARM_SWING = Wave(0.0, ((1, 1.0, 0.5),))
"""Of the left shoulder over the stride of the body: the left arm is in front when the left foot is behind."""
ELBOW_SWING = Wave(0.4, ((1, 0.4, 0.55),))

WORK_FROM_S = 1.0
"""Of standing before the hands do anything, and after they are done."""
MOVEMENT_S, PAUSE_S = (2.0, 3.5), (0.5, 2.0)
"""How long a movement of the hands takes, there and back, and how long they rest between two."""
RANGE_DEG = (50.0, 80.0)
"""Of the shoulder; the elbow bends by half as much."""
TOGETHER, OTHER_ALONE = 0.65, 0.3
"""Shares of the movements that both arms make, and that the better arm makes alone; the rest the affected one does."""


class ArmPosture(NamedTuple):
    """Angles of an arm at n instants, radians, each (n,) with its derivatives.

    Attributes:
        shoulder: Flexion.
        aside: Abduction.
        elbow: Flexion.
        palm: Turn of the forearm about its long axis, outwards.
        shake: Of the elbow by a tremor.
    """

    shoulder: State
    aside: State
    elbow: State
    palm: State
    shake: State


@dataclass(frozen=True, slots=True)
class ArmHabit:
    """How somebody uses both arms.

    Attributes:
        affected: The arm that is used less; "" for neither.
        share: Of a movement of the other arm: how far the affected one goes, where both do it.
        swing_deg: Amplitude of the left and of the right shoulder in walking at a usual speed, to either side.
    """

    affected: Literal["", "left", "right"] = ""
    share: float = 1.0
    swing_deg: tuple[float, float] = (18.0, 18.0)

    def range_deg(self, random: np.random.Generator) -> tuple[float, float]:
        """Return how far each arm goes in the next movement."""
        size, who = float(random.uniform(*RANGE_DEG)), float(random.random())
        if not self.affected or who < TOGETHER:
            parts = {arm: self.share if arm == self.affected else 1.0 for arm in ARMS}
        elif who < TOGETHER + OTHER_ALONE:
            parts = {arm: 0.0 if arm == self.affected else 1.0 for arm in ARMS}
        else:
            parts = {arm: self.share if arm == self.affected else 0.0 for arm in ARMS}
        return size * parts["left"], size * parts["right"]


class ArmsFigure(Figure):
    """A walking body with arms, whose hands work where it stands.

    Args:
        planner: Of its walks.
        height_m: Body height.
        habit: How it uses its arms.
        seed: What the hands do.
    """

    def __init__(self, planner: Planner, height_m: float, habit: ArmHabit, seed: int) -> None:
        super().__init__(planner, height_m)
        self._habit = habit
        self._joints = {arm: Curve(0.0, 0.0) for arm in ARMS}
        self._steps = _worked(planner.steps(), habit, seed, self._note)

    def _note(self, movement: Movement) -> None:
        middle_s = (movement.start_s + movement.end_s) / 2
        for arm, range_deg in zip(ARMS, movement.range_deg, strict=True):
            reach = math.radians(range_deg)
            for at_s, share in ((movement.start_s, 0.0), (middle_s, 1.0), (movement.end_s, 0.0)):
                self._joints[arm].rest(at_s, share * reach, share * reach / 2)

    def pose(self, placement: str, times: Floats) -> Pose:
        """Return the pose of a sensor, on a wrist too, at true times (n,), in order."""
        arm, _, segment = placement.partition("_")
        if segment != "wrist":
            return super().pose(placement, times)
        self.plan(float(times[-1]))
        side: Arm = "left" if arm == "left" else "right"
        phase, sizes = self._body.beat.at(times).channel(0), self._body.size.at(times)
        chest = upper_body(self._pelvis(times), phase, sizes.channel(2), self._scale)
        size = sizes.channel(0).times(math.radians(self._habit.swing_deg[ARMS.index(side)]))
        shoulder, elbow = swing(side, phase, size)
        works, none = self._joints[side].at(times), still(len(times))
        elbow = elbow.plus(works.channel(1)).plus(constant(ELBOW_RAD, len(times)))
        posture = ArmPosture(shoulder.plus(works.channel(0)), none, elbow, none, none)
        return wrist(chest, side, posture, self._scale)

    def _forget(self, before_s: float) -> None:
        super()._forget(before_s)
        for joints in self._joints.values():
            joints.forget(before_s)


class ArmsBody(WalkingBody):
    """A person who walks, and works with the hands where the programme says to stand.

    Args:
        seed: Of the walk, and of what the hands do.
        habit: How both arms are used.
        height_m: Body height, metres.
        programme: What to do.
        repeat: Begin again after the last piece, for ever.

    Raises:
        ValueError: As of `WalkingBody`.
    """

    placements = (*PLACEMENTS, "left_wrist", "right_wrist")

    def __init__(
        self, seed: int, habit: ArmHabit, *, height_m: float = HEIGHT_M, programme: Sequence[Piece],
        repeat: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(seed, height_m=height_m, programme=programme, repeat=repeat)
        self.habit = habit

    def figure(self) -> Figure:
        """Return the body's true movement, from the beginning."""
        return ArmsFigure(self._planner(), self.height_m, self.habit, self.seed)

    def movements(self) -> Iterator[Movement]:
        """Yield what the hands do, in order; for ever if the programme is."""
        done: list[Movement] = []
        for _ in _worked(self._planner().steps(), self.habit, self.seed, done.append):
            yield from done
            done.clear()

    def arm_truth(self, start_s: float, end_s: float) -> ArmTruth:
        """Return how both arms are used from one whole true second to another."""
        return ArmTruth.of(self.movements(), self.habit.affected, start_s, end_s)


def upper_body(pelvis: Pose, phase: State, size: State, scale: float, bent: Bend | None = None) -> Pose:
    """Return the place where the chest bends against the pelvis, turned as the chest.

    Args:
        pelvis: Between the hips.
        phase: Of the stride of the body.
        size: Of its movements.
        scale: Height by that of the body that sizes are given for.
        bent: By how much the chest turns, nods and leans against the pelvis besides, radians.
    """
    angles = (
        TWIST.at(phase, size).times(CHEST_AGAINST_PELVIS), NOD.at(phase, size).times(CHEST_LEVEL),
        LIST.at(phase, size).times(CHEST_LEVEL),
    )  # fmt: skip
    if bent is not None:
        angles = (angles[0].plus(bent[0]), angles[1].plus(bent[1]), angles[2].plus(bent[2]))
    attitude = turned(pelvis.attitude, Attitude.of(*angles))
    return Pose(pelvis.place.plus(pelvis.attitude.fixed(LUMBAR * scale)), attitude)


def swing(side: Arm, phase: State, size: State) -> tuple[State, State]:
    """Return flexion of shoulder and elbow of an arm in walking, radians."""
    if side == "right":
        phase = phase.plus(constant(0.5, len(phase.value)))
    return ARM_SWING.at(phase, size), ELBOW_SWING.at(phase, size)


def wrist(chest: Pose, side: Arm, posture: ArmPosture, scale: float) -> Pose:
    """Return the pose of a watch; axes forward, left and up of an arm that hangs."""
    out, zero = outwards(side), still(len(posture.shoulder.value))
    upper = turned(chest.attitude, Attitude.of(zero, posture.shoulder.times(-1), posture.aside.times(out)))
    lower = turned(upper, Attitude.of(zero, posture.elbow.times(-1).plus(posture.shake), zero))
    hand = turned(lower, about_long_axis(posture.palm.times(-out)))
    place = chest.place.plus(chest.attitude.fixed(SHOULDER * np.array([1.0, out, 1.0]) * scale))
    place = place.plus(upper.fixed(np.array([0.0, 0.0, -UPPER_ARM_M * scale])))
    place = place.plus(lower.fixed(np.array([0.0, 0.0, -FOREARM_M * scale])))
    return Pose(place.plus(hand.fixed(WATCH * np.array([1.0, out, 1.0]))), hand)


def outwards(side: Arm) -> float:
    """Return 1 where left is outwards, -1 on the right."""
    return 1.0 if side == "left" else -1.0


def _worked(steps: Iterator[Step], habit: ArmHabit, seed: int, note: Callable[[Movement], None]) -> Iterator[Step]:
    """Yield steps; before each that begins a walk, note what the hands have done since the walk before."""
    random, stands_s = np.random.default_rng([seed, 0xA235]), 0.0
    for step in steps:
        if step.first:
            for movement in _movements(stands_s, step.lift_s - INITIATION_S, habit, random):
                note(movement)
        if step.last:
            stands_s = step.land_s + REST_S
        yield step


def _movements(start_s: float, end_s: float, habit: ArmHabit, random: np.random.Generator) -> Iterator[Movement]:
    """Yield what the hands do while the body stands."""
    at_s = start_s + WORK_FROM_S
    while (done_s := at_s + float(random.uniform(*MOVEMENT_S))) < end_s - WORK_FROM_S:
        yield Movement(at_s, done_s, habit.range_deg(random))
        at_s = done_s + float(random.uniform(*PAUSE_S))
