"""Quiet stance on a test, with its true sway; and arms that hold, reach and work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulators.body.body import Pose
from simulators.body.programme import Piece, Stand
from simulators.clinic.patient import Patient
from simulators.clinic.stage import Activity, Stage, Turn
from simulators.clinic.transfers import stand_still, tremble
from simulators.motion.source import Floats

Eyes = Literal["open", "closed"]
Surface = Literal["firm", "foam"]
Stance = Literal["apart", "together", "semi_tandem", "tandem", "single_leg"]

LARGER: dict[str, float] = {
    "open": 1.0, "closed": 1.35, "firm": 1.0, "foam": 1.6,
    "apart": 1.0, "together": 1.3, "semi_tandem": 1.45, "tandem": 1.8, "single_leg": 2.3,
}  # fmt: skip
"""How much larger sway is than with eyes open on firm ground, feet apart."""
AROUND_S = 1.0
"""Standing before and after a trial, in which sway comes and goes."""
TRUTH_HZ = 100.0
CHI2_95 = 5.991
"""Of two degrees of freedom: 95 % of a cloud lie within that many variances."""
ACTION_SHARE = 0.5
"""Of the amplitude at rest: tremor of a hand that is held out."""


@dataclass(frozen=True, slots=True)
class Balancing(Activity):
    """A trial of quiet stance.

    Attributes:
        duration_s: Of the trial; the patient stands still a second longer at both ends.
        eyes: Open or closed.
        surface: Firm or foam.
        stance: Of the feet.
    """

    duration_s: float = 30.0
    eyes: Eyes = "open"
    surface: Surface = "firm"
    stance: Stance = "apart"

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s + 2 * AROUND_S),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Sway, and put down by how much."""
        stage.needs("standing", "walking")
        stage.keep("standing", turn.start_s, turn.end_s)
        stand_still(stage, turn.start_s, turn.end_s, LARGER[self.eyes] * LARGER[self.surface] * LARGER[self.stance])
        start, end = turn.start_s + AROUND_S, turn.end_s - AROUND_S
        pose = stage.figure.pose("lower_back", np.arange(start, end, 1 / TRUTH_HZ))
        words = {"eyes": self.eyes, "surface": self.surface, "stance": self.stance}
        stage.note("stance", start, end, **words, **swayed(pose))


def swayed(pose: Pose) -> dict[str, float]:
    """Return the sway of a lower back: of its place in millimetres, and of what an accelerometer there would feel.

    Acceleration is levelled by its mean, and taken without noise: of both, path, root mean square to the front and to
    the side, and area of the ellipse that holds 95 % of it.
    """
    place = pose.attitude.matrix[0].T @ (pose.place.value - pose.place.value[0]).T * 1e3
    felt = levelled(pose.acc)
    found = {f"place_{name}": value for name, value in _spread(place[:2].T).items()}
    return {**found, **{f"acc_{name}": value for name, value in _spread(felt).items()}}


def levelled(acc: Floats) -> Floats:
    """Return forward and left parts (n, 2) of specific force (n, 3), once its mean is turned upright."""
    up = acc.mean(axis=0) / np.linalg.norm(acc.mean(axis=0))
    forward = np.array([1.0, 0.0, 0.0]) - up[0] * up
    forward /= np.linalg.norm(forward)
    return np.stack([acc @ forward, acc @ np.cross(up, forward)], axis=1)


def _spread(plane: Floats) -> dict[str, float]:
    centred = plane - plane.mean(axis=0)
    steps = np.hypot(*np.diff(plane, axis=0).T)
    rms = np.sqrt(np.mean(centred**2, axis=0))
    area = math.pi * CHI2_95 * math.sqrt(float(np.linalg.det(np.cov(centred.T))))
    return {"path": float(steps.sum()), "rms_ap": float(rms[0]), "rms_ml": float(rms[1]), "area95": area}


@dataclass(frozen=True, slots=True)
class HoldingOut(Activity):
    """Arms held out in front: postural tremor, of whom hands tremble.

    Attributes:
        duration_s: How long.
    """

    duration_s: float = 15.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Lift both arms, hold them, let them down."""
        stage.needs("sitting", "standing")
        start, end, move = turn.start_s, turn.end_s, stage.channels.move
        for side, degrees in zip(("left", "right"), stage.patient.tremor_deg, strict=True):
            shoulder, elbow = (stage.channels.now(f"{side}_{joint}") for joint in ("shoulder", "elbow"))
            move(f"{side}_shoulder", start, start + 1.2, math.radians(82))
            move(f"{side}_elbow", start, start + 1.2, 0.0)
            if degrees > 0:
                tremble(stage, side, (start + 1.3, end - 1.3), math.radians(ACTION_SHARE * degrees), "action")
            move(f"{side}_shoulder", end - 1.2, end, shoulder)
            move(f"{side}_elbow", end - 1.2, end, elbow)
        stage.keep(stage.posture, start, end)


@dataclass(frozen=True, slots=True)
class Reaching(Activity):
    """Using one arm, again and again: to a shelf, a cup, a mouth.

    Attributes:
        side: Which arm.
        count: How often.
        each_s: How long one movement there and back takes.
        range_deg: Of the shoulder.
    """

    side: Literal["left", "right"] = "right"
    count: int = 5
    each_s: float = 2.5
    range_deg: float = 60.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.count * self.each_s + 0.5),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Move there and back."""
        stage.needs("sitting", "standing")
        weak = self.side == stage.patient.affected and stage.patient.kind == "stroke"
        reach = math.radians(self.range_deg) * (1 - 0.6 * stage.patient.severity if weak else 1.0)
        for k in range(self.count):
            start = turn.start_s + 0.25 + k * self.each_s
            end = start + 0.85 * self.each_s
            stage.channels.bump(f"{self.side}_shoulder", start, end, stage.like(reach))
            stage.channels.bump(f"{self.side}_elbow", start, end, -0.5 * stage.channels.now(f"{self.side}_elbow"))
            stage.channels.bump(f"{self.side}_palm", start, end, stage.like(math.radians(40), 0.2))
        other = "left" if self.side == "right" else "right"
        if (degrees := stage.patient.tremor_deg[other == "right"]) > 0:
            tremble(stage, other, (turn.start_s + 0.6, turn.end_s - 0.6), math.radians(degrees), "rest")
        stage.keep(stage.posture, turn.start_s, turn.end_s)
        stage.note("arm_use", turn.start_s, turn.end_s, side=self.side, count=self.count, range_deg=math.degrees(reach))
