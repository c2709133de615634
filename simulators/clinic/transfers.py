"""Rising, sitting down, lying down, sitting up, rolling over; and keeping a posture meanwhile.

Rising begins with the trunk's lean to the front; the thighs leave the seat when it is nearly done, and the trunk
straightens while legs and hips stretch (Schenkman 1990). Sitting down is the same backwards, with an impact
on the seat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulators.body.programme import Piece, Stand
from simulators.clinic.patient import Patient
from simulators.clinic.posture import LYING, SITTING, STANDING
from simulators.clinic.stage import Activity, Stage, Turn

LEAN_UNTIL, SEAT_OFF, UPRIGHT_FROM = 0.42, 0.26, 1.0
"""Shares of a rise: when the lean is deepest, when thighs leave the seat, when the legs are straight."""
BEND_UNTIL, SEATED_FROM = 0.55, 0.78
"""Shares of sitting down: when the lean is deepest, when the seat is touched."""
KNEES_FORWARD_RAD = math.radians(13.0)
"""How far shanks lean in rising."""
PELVIS_PART = 0.55
"""Of the trunk's lean: the rest is the spine's."""
SEAT_STOP_S = 0.05
"""In which a seat stops what falls on it."""
SEAT_GIVES_S = 0.012
"""How far a seat gives, by the speed at which it is met."""
ARMS_HANG = 0.8
"""Of the trunk's lean: how far arms that hang are in front of it then."""
INTO_WALK_S = 0.45
"""Somebody able straightens up while the first foot prepares to leave the floor."""
OUT_OF_WALK_S = 0.5
"""And begins to bend when the last foot has landed."""
SEATED_SWAY = 0.35
"""Of that of quiet stance."""
SHORTEST_TREMOR_S = 3.0
"""A rest shorter than that is none."""
FIDGET_EACH_S = 6.0
"""Somebody sitting moves so often: a shift of weight, a hand, a look round."""


@dataclass(frozen=True, slots=True)
class Staying(Activity):
    """Keeping the posture in which one is, with the small movements of daily life.

    Attributes:
        duration_s: How long.
        fidgets: Move a little now and then; else sit or lie still. Who stands sways.
    """

    duration_s: float
    fidgets: bool = True

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Sway or fidget."""
        start, end = turn.start_s, turn.end_s
        if stage.posture in ("walking", "stairs"):
            stage.posture = "standing"
        stage.keep(stage.posture, start, end)
        if stage.posture == "standing":
            stand_still(stage, start, end)
            return
        if stage.posture == "sitting":
            stand_still(stage, start, end, SEATED_SWAY)
        if self.fidgets:
            _fidget(stage, start, end)
        rest_tremor(stage, start, end)


def stand_still(stage: Stage, start_s: float, end_s: float, size: float = 1.0) -> None:
    """Sway on the spot; it comes and goes within a second or so."""
    fade = min(0.8, (end_s - start_s) / 3)
    stage.channels.move("sway", start_s, start_s + fade, size)
    stage.channels.move("sway", end_s - fade, end_s, 0.0)


def rest_tremor(stage: Stage, start_s: float, end_s: float) -> None:
    """Let hands at rest tremble, of whom they do; not in the first and last moments, near an action."""
    start, end = start_s + 0.6, end_s - 0.6
    if end - start < SHORTEST_TREMOR_S:
        return
    for side, degrees in zip(("left", "right"), stage.patient.tremor_deg, strict=True):
        if degrees > 0:
            tremble(stage, side, (start, end), math.radians(stage.like(degrees, 0.15)), "rest")


def tremble(stage: Stage, side: str, span_s: tuple[float, float], amplitude_rad: float, manner: str) -> None:
    """Let a hand tremble from then to then; it comes and goes within half a second."""
    start_s, end_s = span_s
    stage.channels.move(f"{side}_tremor", start_s, start_s + 0.5, amplitude_rad)
    stage.channels.move(f"{side}_tremor", end_s - 0.5, end_s, 0.0)
    facts = {"frequency_hz": stage.patient.tremor_hz, "amplitude_deg": math.degrees(amplitude_rad)}
    stage.note("tremor", start_s, end_s, side=side, manner=manner, **facts)


def _fidget(stage: Stage, start_s: float, end_s: float) -> None:
    random, now = stage.random, start_s + 0.5
    while (now := now + float(random.exponential(FIDGET_EACH_S))) < end_s - 2.5:
        lasts = float(random.uniform(0.6, 2.0))
        kind = random.integers(5)
        if kind == 0:
            stage.channels.bump("pelvis", now, now + lasts, math.radians(random.uniform(-4, 5)))
            stage.channels.bump("list", now, now + lasts, math.radians(random.uniform(-1.5, 1.5)))
        elif kind == 1:
            stage.channels.bump("spine_twist", now, now + lasts, math.radians(random.uniform(-20, 20)))
        elif kind == 2:
            side = "left" if random.random() < 0.5 else "right"
            stage.channels.bump(f"{side}_thigh", now, now + lasts, math.radians(random.uniform(-3, 6)))
            stage.channels.bump(f"{side}_shank", now, now + lasts, math.radians(random.uniform(-12, 8)))
        else:
            side = "left" if random.random() < 0.5 else "right"
            stage.channels.bump(f"{side}_shoulder", now, now + lasts, math.radians(random.uniform(-10, 35)))
            stage.channels.bump(f"{side}_elbow", now, now + lasts, math.radians(random.uniform(-15, 45)))
        now += lasts


@dataclass(frozen=True, slots=True)
class Rising(Activity):
    """Standing up from a chair.

    Attributes:
        duration_s: From the first lean to upright; None for the patient's own.
        attempts: Vain attempts before it; None for the patient's own.
        walks_on: Begin to walk while still straightening, if able.
    """

    duration_s: float | None = None
    attempts: int | None = None
    walks_on: bool = False

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        ahead = INTO_WALK_S if self.walks_on and able(patient) else 0.0
        return (Stand(duration_s=self._attempt_s(patient) + self._rise_s(patient) - ahead),)

    def _rise_s(self, patient: Patient) -> float:
        return self.duration_s or patient.rise_s

    def _attempt_s(self, patient: Patient) -> float:
        return 0.8 * self._rise_s(patient) * (patient.attempts if self.attempts is None else self.attempts)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Lean, leave the seat, straighten."""
        stage.needs("sitting")
        patient, lasts = stage.patient, self._rise_s(stage.patient)
        start, lean = turn.start_s, math.radians(patient.lean_deg)
        tries = self._attempt_s(patient)
        count = round(tries / (0.8 * lasts))
        for k in range(count):
            begin = start + k * 0.8 * lasts
            _lean(stage, begin, begin + 0.35 * lasts, 0.7 * lean)
            _lean(stage, begin + 0.35 * lasts, begin + 0.75 * lasts, -0.1 * lean)
        begin = start + tries
        rise(stage, begin, begin + lasts)
        stage.keep("standing", begin + lasts, max(turn.end_s, begin + lasts))
        stage.note(
            "standing_up", begin, begin + lasts, lean_deg=patient.lean_deg, vain_attempts=count, tries_from_s=start
        )


def able(patient: Patient) -> bool:
    """Whether the patient does two things at once."""
    return patient.severity < 0.5


class _Shares:
    """The time of a transfer, by shares of it."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self._start_s, self._lasts_s = start_s, end_s - start_s

    def at(self, share: float) -> float:
        """Return when so much of it is over, seconds."""
        return self._start_s + share * self._lasts_s


def rise(stage: Stage, start_s: float, end_s: float) -> None:
    """Move from sitting to standing."""
    channels, at = stage.channels, _Shares(start_s, end_s).at
    _lean(stage, start_s, at(LEAN_UNTIL), math.radians(stage.patient.lean_deg))
    channels.move("thigh", at(SEAT_OFF), at(UPRIGHT_FROM), 0.0)
    channels.move("shank", at(0.1), at(LEAN_UNTIL + 0.05), KNEES_FORWARD_RAD)
    channels.move("shank", at(LEAN_UNTIL + 0.05), end_s, 0.0)
    for side in ("left", "right"):  # arms hang from a trunk that leans, or push on the knees
        channels.move(f"{side}_shoulder", start_s, at(LEAN_UNTIL), ARMS_HANG * math.radians(stage.patient.lean_deg))
        channels.move(f"{side}_elbow", start_s, end_s, 0.0)
    channels.assume(STANDING, at(LEAN_UNTIL + 0.03), end_s, but={"thigh": 0, "shank": 0})


def _lean(stage: Stage, start_s: float, end_s: float, lean_rad: float) -> None:
    """Lean the trunk so far from the vertical; the spine takes its part."""
    stage.channels.move("pelvis", start_s, end_s, PELVIS_PART * lean_rad)
    stage.channels.move("spine", start_s, end_s, (1 - PELVIS_PART) * lean_rad)


@dataclass(frozen=True, slots=True)
class SittingDown(Activity):
    """Sitting down on a chair that stands behind.

    Attributes:
        duration_s: From the first bend to sitting upright; None for the patient's own.
        drop_mps: With how much speed the seat is met; None for as much as the patient's control leaves.
        from_turn: The turn before is the patient's turn towards the chair: bend while the last foot lands, if able.
    """

    duration_s: float | None = None
    drop_mps: float | None = None
    from_turn: bool = False

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        return (Stand(duration_s=(self.duration_s or patient.sit_s) - self._ahead(patient)),)

    def _ahead(self, patient: Patient) -> float:
        return OUT_OF_WALK_S if self.from_turn and able(patient) else 0.0

    def play(self, stage: Stage, turn: Turn) -> None:
        """Bend, touch the seat, straighten."""
        stage.needs("standing", "walking")
        start, patient = turn.start_s - self._ahead(stage.patient), stage.patient
        drop = self.drop_mps if self.drop_mps is not None else 0.35 + 0.3 * patient.severity
        touch = sit(stage, start, turn.end_s, drop)
        stage.keep("sitting", turn.end_s, turn.end_s)
        stage.note("sitting_down", start, turn.end_s, seat_s=touch, drop_mps=drop)


def sit(stage: Stage, start_s: float, end_s: float, drop_mps: float) -> float:
    """Move from standing to sitting; return when the seat was touched."""
    channels, at = stage.channels, _Shares(start_s, end_s).at
    touch = at(SEATED_FROM)
    _lean(stage, start_s, at(BEND_UNTIL), 0.8 * math.radians(stage.patient.lean_deg))
    channels.move("shank", start_s, at(0.5), 0.8 * KNEES_FORWARD_RAD)
    channels.hold("thigh", at(0.08))
    goal, rate = SITTING["thigh"], drop_mps / 0.43  # a thigh of 43 cm that is nearly level sinks as it turns
    channels.knot("thigh", touch, goal - rate * SEAT_STOP_S / 2, rate, 0.0)
    channels.knot("thigh", touch + SEAT_STOP_S, goal, 0.0, 0.0)
    for side in ("left", "right"):
        channels.move(f"{side}_shoulder", start_s, at(BEND_UNTIL), ARMS_HANG * math.radians(stage.patient.lean_deg))
        channels.move(f"{side}_elbow", start_s, end_s, SITTING[f"{side}_elbow"])
    channels.assume(SITTING, at(BEND_UNTIL), end_s, but={"thigh": 0})
    channels.bump("above", touch - 0.02, touch + 0.18, -SEAT_GIVES_S * drop_mps, 0.4)
    return touch


@dataclass(frozen=True, slots=True)
class LyingDown(Activity):
    """From sitting at the bed's edge to lying on the back.

    Attributes:
        duration_s: How long it takes; None for the patient's own.
    """

    duration_s: float | None = None

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s or 1.5 * patient.sit_s + 0.8),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Lift the legs onto the bed while the trunk goes down."""
        stage.needs("sitting")
        start, end = turn.start_s, turn.end_s
        side = 1 if stage.random.random() < 0.5 else -1
        stage.channels.move("heading", start, end, stage.channels.now("heading") + side * math.pi / 2)
        stage.channels.bump("list", start, end, math.radians(12) * side)
        stage.channels.assume(LYING, start, end, but={"list": 0})
        stage.keep("lying", end, end)
        stage.note("lying_down", start, end)


@dataclass(frozen=True, slots=True)
class SittingUp(Activity):
    """From lying to sitting at the bed's edge.

    Attributes:
        duration_s: How long it takes; None for the patient's own.
    """

    duration_s: float | None = None

    def pieces(self, patient: Patient) -> Sequence[Piece]:
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s or 1.6 * patient.rise_s + 0.8),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Lift the trunk while the legs go down."""
        stage.needs("lying")
        start, end = turn.start_s, turn.end_s
        side = 1 if stage.random.random() < 0.5 else -1
        stage.channels.move("heading", start, end, stage.channels.now("heading") + side * math.pi / 2)
        stage.channels.assume(SITTING, start, end)
        stage.keep("sitting", end, end)
        stage.note("sitting_up", start, end)


@dataclass(frozen=True, slots=True)
class RollingOver(Activity):
    """Turning in bed.

    Attributes:
        to: Onto which side, or the back.
        duration_s: How long it takes.
    """

    to: Literal["left", "right", "back"] = "left"
    duration_s: float = 2.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Turn the whole body about its long axis."""
        stage.needs("lying")
        goal = {"left": math.radians(85), "right": math.radians(-85), "back": 0.0}[self.to]
        angle = math.degrees(goal - stage.channels.now("twist"))
        stage.channels.move("twist", turn.start_s, turn.end_s, goal)
        stage.keep("lying", turn.start_s, turn.end_s)
        stage.note("rolling_over", turn.start_s, turn.end_s, angle_deg=angle)
