"""Falls: an inverted pendulum that is not caught, and the floor that stops it.

The body turns about its feet (sitting: about the seat's edge) under its own weight, braked in part by knees that give
way and arms that reach; hips meet the floor at 2 to 3.5 m/s, as measured in falls on mats (Hsiao and Robinovitch 1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulators.body.programme import REST_S, Piece, Stand
from simulators.clinic.patient import Patient
from simulators.clinic.posture import STANDING, Channels
from simulators.clinic.stage import Activity, Stage, Turn
from simulators.clinic.transfers import SEAT_STOP_S
from simulators.motion.source import G

Direction = Literal["forward", "backward", "left", "right"]
From = Literal["standing", "sitting", "slide"]

PENDULUM_M = 1.25
"""Length whose pendulum falls as a person does: of a rod of 1.7 m two thirds, and more for knees that give way."""
SEATED_PENDULUM_M = 0.8
"""The same of somebody who sits."""
FIRST_LEAN_RAD = math.radians(4.0)
FLOOR_RAD = math.radians(84.0)
"""Lean at which the hips are on the floor."""
BRAKED = (0.72, 1.0)
"""Share of gravity that is left to a fall."""
STOP_S = (0.045, 0.11)
"""In which floor and flesh stop the hips."""
STEP_S, KNOT_STEPS = 0.002, 5
LEAN_S = 0.35
"""From the loss of balance until the body only falls."""


@dataclass(frozen=True, slots=True)
class Falling(Activity):
    """A fall, and lying where it ended.

    Attributes:
        direction: Where to.
        start: Upright; off a chair; or sliding slowly down along a wall, a bed or a helper.
        lies_s: How long the patient then lies still.
    """

    direction: Direction = "forward"
    start: From = "standing"
    lies_s: float = 12.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s={"standing": 2.4, "sitting": 2.2, "slide": 5.0}[self.start] + self.lies_s),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Lose balance, fall, be stopped, lie."""
        floor = stage.channels.now("above")
        if self.start == "sitting":
            stage.needs("sitting")
            begin, impact, speed = turn.start_s, *_off_the_chair(stage, turn.start_s, self.direction)
        elif self.start == "slide":
            stage.needs("standing", "walking")
            begin, impact, speed = turn.start_s, *_slide(stage, turn.start_s)
        else:
            stage.needs("standing", "walking")
            begin = turn.start_s - (0.6 * REST_S if turn.start_s > REST_S else 0.0)
            impact, speed = _topple(stage, begin, self.direction)
        stage.keep("lying", impact + 1.0, turn.end_s)
        stage.note(
            "fall",
            begin,
            impact + 1.0,
            impact_s=impact,
            impact_mps=speed,
            direction=self.direction,
            start=self.start,
            floor_m=floor,
        )


@dataclass(frozen=True, slots=True)
class HelpedUp(Activity):
    """Helped to the feet after a fall.

    Attributes:
        duration_s: How long it takes.
    """

    duration_s: float = 8.0

    def pieces(self, patient: Patient) -> Sequence[Piece]:  # noqa: ARG002 # as all activities
        """Return the pieces of the programme."""
        return (Stand(duration_s=self.duration_s),)

    def play(self, stage: Stage, turn: Turn) -> None:
        """Get up, slowly and evenly."""
        stage.needs("lying")
        floor = next(float(did.facts["floor_m"]) for did in reversed(stage.did) if did.what == "fall")
        stage.channels.assume(STANDING, turn.start_s + 0.5, turn.end_s)
        stage.channels.move("above", turn.start_s + 0.5, turn.end_s, floor)
        stage.keep("standing", turn.end_s, turn.end_s)


def _topple(stage: Stage, start_s: float, direction: Direction) -> tuple[float, float]:
    """Fall like a rod; return when the hips meet the floor, and how fast."""
    random, channels = stage.random, stage.channels
    share, sign = float(random.uniform(*BRAKED)), -1.0 if direction in ("backward", "left") else 1.0
    name = "tilt" if direction in ("forward", "backward") else "list"
    impact, rate = pendulum(channels, name, start_s, sign, share * G / PENDULUM_M)
    speed = abs(rate) * 0.85 * stage.patient.height_m / 1.75
    _stop(channels, name, impact, rate, float(random.uniform(*STOP_S)))
    arms = math.radians({"forward": 95, "backward": 40}.get(direction, 60))
    for side in ("left", "right"):
        channels.move(f"{side}_shoulder", start_s + 0.15, impact - 0.05, arms)
        channels.move(f"{side}_elbow", start_s + 0.15, impact - 0.05, math.radians(25))
    bent = math.radians({"forward": -8, "backward": 22}.get(direction, 6))
    channels.move("spine", start_s + 0.2, impact, bent)
    channels.move("spine", impact + 0.02, impact + 0.7, 0.3 * bent)
    if direction == "forward":
        channels.move("feet", impact - 0.4, impact + 0.1, math.radians(60))
    _settle(stage, impact)
    return impact, speed


def pendulum(channels: Channels, name: str, start_s: float, sign: float, pull: float) -> tuple[float, float]:
    """Let a channel fall over from upright; return when it reaches the floor, and its rate, rad/s.

    Args:
        channels: Of the body.
        name: Which of them falls.
        start_s: When balance is lost.
        sign: To which side.
        pull: Gravity over the length of the pendulum, 1/s^2.
    """
    channels.move(name, start_s, start_s + LEAN_S, 0.0)
    channels.hold(name, start_s)
    angle, now = FIRST_LEAN_RAD, start_s + LEAN_S
    rate = 2.0 * FIRST_LEAN_RAD / LEAN_S
    count = 0
    while angle < FLOOR_RAD:
        if count % KNOT_STEPS == 0:
            channels.knot(name, now, sign * angle, sign * rate, sign * pull * math.sin(angle))
        rate += STEP_S / 2 * pull * math.sin(angle)
        angle += STEP_S * rate
        rate += STEP_S / 2 * pull * math.sin(angle)
        now, count = now + STEP_S, count + 1
    channels.knot(name, now, sign * angle, sign * rate, sign * pull * math.sin(angle))
    return now, sign * rate


def _stop(channels: Channels, name: str, impact_s: float, rate: float, stop_s: float) -> None:
    """Let the floor stop a channel, which gives a little and comes back."""
    sign = math.copysign(1.0, rate)
    peak = channels.now(name) + rate * stop_s / 2
    channels.knot(name, impact_s + stop_s, peak, 0.0, 0.0)
    channels.move(name, impact_s + stop_s, impact_s + stop_s + 0.18, peak - sign * math.radians(1.5))
    channels.move(name, impact_s + stop_s + 0.2, impact_s + 0.9, sign * math.radians(85))


def _settle(stage: Stage, impact_s: float) -> None:
    """Come to lie: a limb or two still moves."""
    random, channels = stage.random, stage.channels
    for name in ("left_thigh", "right_thigh", "left_shank", "right_shank"):
        channels.move(
            name, impact_s + 0.05, impact_s + float(random.uniform(0.6, 1.2)), math.radians(random.uniform(-2, 12))
        )
    for side in ("left", "right"):
        goal = math.radians(random.uniform(20, 80))
        channels.move(f"{side}_shoulder", impact_s + 0.15, impact_s + float(random.uniform(0.8, 1.6)), goal)


def _off_the_chair(stage: Stage, start_s: float, direction: Direction) -> tuple[float, float]:
    """Slip off the front of a chair, or topple beside it: half a metre in free fall but for a hand."""
    random, channels = stage.random, stage.channels
    if direction in ("left", "right"):
        pull, sign = float(random.uniform(*BRAKED)) * G / SEATED_PENDULUM_M, -1.0 if direction == "left" else 1.0
        impact, rate = pendulum(channels, "list", start_s, sign, pull)
        _stop(channels, "list", impact, rate, float(random.uniform(*STOP_S)))
        return impact, abs(rate) * 0.45
    drop, braked = 0.44, float(random.uniform(0.5, 0.8))
    lasts = math.sqrt(2 * drop / (braked * G))
    begin, impact = start_s + 0.7, start_s + 0.7 + lasts
    speed = braked * G * lasts
    channels.move("pelvis", start_s, begin, channels.now("pelvis") + math.radians(12))
    above = channels.now("above")
    channels.move("ahead", start_s + 0.1, impact, 0.25)
    channels.hold("above", begin)
    channels.knot("above", begin + 0.02, above, 0.0, -braked * G)
    channels.knot("above", impact, above - drop, -speed, -braked * G)
    stop, lying = float(random.uniform(*STOP_S)), math.radians(80 if direction == "forward" else -85)
    channels.knot("above", impact + stop, above - drop - speed * stop / 2, 0.0, 0.0)
    channels.move("pelvis", max(begin, impact - 0.25), impact + 0.55, lying)
    channels.move("spine", impact - 0.1, impact + 0.6, 0.0)
    channels.move("laid", begin, impact + 0.6, 1.0)
    _stretch(channels, begin, impact + 0.6, direction)
    return impact, speed


def _stretch(channels: Channels, start_s: float, end_s: float, direction: Direction) -> None:
    """Bring the legs of somebody who sat to where they lie: behind, or in front."""
    thigh, shank = (-166, 82) if direction == "forward" else (2, -84)
    for side in ("left", "right"):
        channels.move(f"{side}_thigh", start_s, end_s, math.radians(thigh))
        channels.move(f"{side}_shank", start_s, end_s, math.radians(shank))


def _slide(stage: Stage, start_s: float) -> tuple[float, float]:
    """Sink to the floor along something, slowly, and end half sitting; there is hardly an impact."""
    channels, lasts = stage.channels, float(stage.random.uniform(1.8, 3.5))
    impact = start_s + lasts
    channels.hold("thigh", start_s)
    channels.knot("thigh", impact, math.radians(88), 0.9, 0.0)
    channels.knot("thigh", impact + SEAT_STOP_S, math.radians(88) + 0.9 * SEAT_STOP_S / 2, 0.0, 0.0)
    channels.move("shank", start_s, impact, math.radians(25))
    channels.move("above", start_s + 0.2 * lasts, impact, channels.now("above") - 0.40)
    channels.move("pelvis", start_s, impact, math.radians(-20))
    channels.move("pelvis", impact + 0.1, impact + 1.0, math.radians(-68))
    channels.move("laid", start_s, impact + 0.5, 1.0)
    for side in ("left", "right"):
        channels.move(f"{side}_shank", start_s + 0.3 * lasts, impact, math.radians(-105))
    return impact, 0.9 * 0.43
