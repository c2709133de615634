"""Walking, turning, freezing, stairs and stumbles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulators.body.programme import REST_S, Piece, Stand, Step
from simulators.body.programme import Walk as PlannedWalk
from simulators.clinic.patient import Patient
from simulators.clinic.stage import Activity, Stage, Turn

TURNS_RAD_S = math.radians(5.0)
"""A turn begins and ends where the pelvis turns at that speed (El-Gohary 2014)."""
ROLLATOR_LEAN_RAD = math.radians(14.0)
STAIR_M, TREAD_M = 0.17, 0.28
STEP_BY_STEP_FROM = 0.35
"""Severity from which both feet are put on each stair."""
SHAKE_RAD = (math.radians(0.8), math.radians(2.0))
"""Amplitude of trembling shanks."""


@dataclass(frozen=True, slots=True)
class Walking(Activity):
    """Walking straight on.

    Attributes:
        distance_m: How far, rounded to whole steps; or
        steps: How many steps.
        speed_mps: How fast; None for the patient's comfortable speed.
        share: Of that speed: tiring, or picking up speed.
    """

    distance_m: float | None = None
    steps: int | None = None
    speed_mps: float | None = None
    share: float = 1.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        speed = (self.speed_mps or patient.speed_mps) * self.share
        return (patient.walk(distance_m=self.distance_m, steps=self.steps, speed_mps=speed),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Put down how far it went."""
        stage.needs("standing", "walking", "stairs")
        start, end = walked(stage, turn)
        stage.note(
            "walk", start, end, steps=len(turn.steps), distance_m=distance_m(turn.steps), stops=int(turn.steps[-1].last)
        )


def distance_m(steps: Sequence[Step]) -> float:
    """Return how far the middle between the feet got in some steps."""
    return sum(math.hypot(step.end.x - step.start.x, step.end.y - step.start.y) / 2 for step in steps)


def walked(stage: Stage, turn: Turn) -> tuple[float, float]:
    """Walk with the patient's aid; return from when to when."""
    first = turn.steps[0]
    start, end = first.lift_s if first.first else turn.start_s, turn.steps[-1].land_s
    if first.first:
        stage.keep("standing", turn.start_s, start)
    stage.keep("walking", start, end)
    stage.efforts.append((start, end))
    if stage.patient.aid == "rollator" and first.first:
        _lean_on(stage, turn.start_s, first.lift_s)
    if turn.steps[-1].last:
        if stage.patient.aid == "rollator":
            _let_go(stage, end, end + REST_S)
        stage.keep("standing", end, end + REST_S)
    return start, end


def _lean_on(stage: Stage, start_s: float, end_s: float) -> None:
    move = stage.channels.move
    move("arms", start_s, end_s, 1.0)
    move("spine", start_s, end_s, ROLLATOR_LEAN_RAD)
    for side in ("left", "right"):
        move(f"{side}_shoulder", start_s, end_s, math.radians(25) + ROLLATOR_LEAN_RAD)
        move(f"{side}_elbow", start_s, end_s, math.radians(30))


def _let_go(stage: Stage, start_s: float, end_s: float) -> None:
    move = stage.channels.move
    move("arms", start_s, end_s, 0.0)
    for name in ("spine", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"):
        move(name, start_s, end_s, 0.0)


@dataclass(frozen=True, slots=True)
class Turning(Activity):
    """Turning on the spot, on small steps.

    Attributes:
        angle_deg: Left positive.
    """

    angle_deg: float = 180.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        return (patient.turn(self.angle_deg),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Put down when the pelvis turned."""
        stage.needs("standing", "walking")
        walked(stage, turn)
        start, end = turned_s(stage, turn, self.angle_deg)
        steps = sum(bool(step.pace.turn) for step in turn.steps)
        stage.note("turn", start, end, angle_deg=self.angle_deg, steps=steps)


def turned_s(stage: Stage, turn: Turn, angle_deg: float) -> tuple[float, float]:
    """Return from when to when the pelvis turns, by its heading without the swing of each stride."""
    times = np.arange(turn.start_s - 0.6, turn.end_s + 2.5, 0.002)
    rate = stage.figure.way(times).channel(2).rate * math.copysign(1.0, angle_deg)
    middle = int(np.argmax(np.where(times <= turn.end_s, rate, -np.inf)))
    slow = rate < TURNS_RAD_S
    first, last = np.flatnonzero(slow[:middle]), np.flatnonzero(slow[middle:])
    return float(times[first[-1] + 1 if len(first) else 0]), float(times[middle + last[0] if len(last) else -1])


@dataclass(frozen=True, slots=True)
class Freezing(Activity):
    """A freeze within a walk: the feet stick and the knees tremble.

    Attributes:
        duration_s: How long.
    """

    duration_s: float = 4.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Tremble."""
        start, end = turn.start_s - REST_S, turn.end_s + 0.2
        amplitude = float(stage.random.uniform(*SHAKE_RAD))
        stage.channels.move("shaking", start, start + 0.4, amplitude)
        stage.channels.move("shaking", end - 0.4, end, 0.0)
        stage.keep("standing", start, end)
        stage.note(
            "freezing", start, end, frequency_hz=stage.patient.freezing_hz, amplitude_deg=math.degrees(amplitude)
        )


@dataclass(frozen=True, slots=True)
class Climbing(Activity):
    """A flight of stairs.

    Attributes:
        stairs: How many.
        up: Or down.
    """

    stairs: int = 10
    up: bool = True

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        own = patient.walk(steps=1, speed_mps=0.75 * patient.speed_mps)
        cadence = min(own.cadence_spm or 60.0, 110.0)
        if patient.severity < STEP_BY_STEP_FROM:
            steps, stride = self.stairs - 1, 2 * TREAD_M
        else:
            steps, stride = 2 * self.stairs - 1, TREAD_M
        style = replace(
            patient.style, strike_deg=4.0, toe_off_deg=min(35.0, patient.style.toe_off_deg), clearance_m=0.06
        )
        style = replace(
            style, landing_mps=0.2 if self.up else 0.45, vigour=0.85, variability=min(style.variability, 0.03)
        )
        return (PlannedWalk(cadence_spm=cadence, stride_m=stride, steps=steps, style=style), Stand(duration_s=0.4))

    def play(self, stage: Stage, turn: Turn) -> None:
        """Lift the feet and the body stair by stair."""
        stage.needs("standing", "walking")
        each = STAIR_M if self.up else -STAIR_M
        start, end = turn.steps[0].lift_s, turn.steps[-1].land_s
        floor = stage.channels.now("above")
        by_step = stage.patient.severity >= STEP_BY_STEP_FROM
        for k, step in enumerate(turn.steps):
            stair = (k // 2 + 1) if by_step else min(k + 1, self.stairs)
            self._step(
                stage,
                step,
                floor + stair * each,
                floor + each * ((k + 1) / 2 if by_step else min(k + 0.5, self.stairs)),
            )
        stage.channels.move("above", end + 0.05, end + 0.6, floor + self.stairs * each)
        stage.keep("stairs", start, end)
        stage.efforts.append((start, end))
        stage.posture = "standing"
        stage.note(
            "stairs", start, end, stairs=self.stairs, steps=len(turn.steps), up=int(self.up), rise_m=self.stairs * each
        )

    def _step(self, stage: Stage, step: Step, foot_m: float, body_m: float) -> None:
        """Put a foot on its stair; the body follows when it has landed, or sinks as it lands."""
        lift, land = step.lift_s, step.land_s
        stage.channels.move(f"{step.foot}_foot", lift, land - (0.02 if self.up else 0.0), foot_m)
        each = step.pace.time_s
        begin, finish = (land - 0.4 * each, land + 0.6 * each) if self.up else (land - 0.8 * each, land + 0.05)
        stage.channels.move("above", begin, finish, body_m)
        bend = math.radians(28 if self.up else 8)
        stage.channels.bump(f"{step.foot}_thigh", lift, land + 0.4 * (land - lift), bend)
        stage.channels.bump(f"{step.foot}_shank", lift, land + 0.4 * (land - lift), 0.5 * bend)


@dataclass(frozen=True, slots=True)
class Stumbling(Activity):
    """A trip that the patient recovers from: a near fall.

    Attributes:
        lean_deg: How far the body goes forward.
    """

    lean_deg: float = 22.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=1.6),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Go forward and down, be stopped by a step, straighten."""
        start = turn.start_s - REST_S
        lean = math.radians(stage.like(self.lean_deg, 0.2))
        channels, stop = stage.channels, start + 0.36
        for name, share in (("pelvis", 0.5), ("spine", 0.7)):
            back = channels.now(name)
            channels.move(name, start, start + 0.42, back + share * lean)
            channels.move(name, start + 0.42, start + 1.3, back)
        dip = stage.channels.now("above") - 0.05
        channels.hold("above", start)
        channels.knot("above", stop, dip, -0.55, -4.0)
        channels.knot("above", stop + 0.08, dip - 0.022, 0.0, 0.0)
        channels.move("above", stop + 0.1, start + 1.3, dip + 0.05)
        for side in ("left", "right"):
            channels.bump(f"{side}_shoulder", start + 0.1, start + 1.2, math.radians(55), 0.3)
        stage.keep("standing", turn.start_s, turn.end_s)
        stage.note("near_fall", start, start + 1.3, lean_deg=math.degrees(lean))
