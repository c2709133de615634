"""Patients: how each of them walks, rises, turns, sways and trembles; from healthy to severely impaired."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulators.body.programme import HEALTHY, SHUFFLING, Style, Walk
from simulators.body.programme import Turn as PlannedTurn

Kind = Literal["healthy", "frail", "stroke", "parkinson"]
Aid = Literal["", "cane", "rollator"]

HEALTHY_BELOW = 0.12
"""Severity below which somebody counts as healthy."""
FASTEST_MPS, SLOWEST_MPS = 1.4, 0.2
CANE_FROM, ROLLATOR_FROM = 0.45, 0.7
"""Severities from which most patients walk with an aid."""
FREEZES_FROM = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One patient; every figure is what the patient does on average.

    Attributes:
        seed: Which one.
        severity: 0 healthy to 1 severely impaired.
        kind: What ails the patient.
        height_m: Body height.
        mass_kg: Body mass.
        speed_mps: Comfortable walking speed.
        fast_mps: Walking speed when asked to be quick.
        cadence_spm: Steps a minute at comfortable speed.
        asymmetry: Time of the left step over that of the right one.
        style: Of the gait.
        aid: What the patient leans on.
        rise_s: From the first lean to standing upright.
        sit_s: From the first bend to sitting still.
        lean_deg: Of the trunk in rising.
        attempts: Vain attempts before a first rise.
        pause_s: Hesitation between two parts of a test.
        turn_step_deg: By how much a step turns, turning about.
        turn_spm: Cadence of a turn.
        sway_ap_mm: Root mean square of the centre of mass in quiet stance, eyes open, on firm ground, to the front.
        sway_ml_mm: The same to the side.
        arm_swing_deg: Amplitude at left and right shoulder in walking.
        affected: Side that is worse; "" where neither is.
        tremor_hz: Frequency of tremor.
        tremor_deg: Amplitude of tremor at rest, left and right.
        freezes: Whether the patient's gait freezes.
        freezing_hz: Frequency at which legs tremble then.
        rest_bpm: Heart rate at rest.
        effort_bpm: Heart rate of long effort.
        rest_spo2: Saturation at rest, %.
        effort_spo2: That of long effort, %.
    """

    seed: int
    severity: float
    kind: Kind
    height_m: float
    mass_kg: float
    speed_mps: float
    fast_mps: float
    cadence_spm: float
    asymmetry: float
    style: Style
    aid: Aid
    rise_s: float
    sit_s: float
    lean_deg: float
    attempts: int
    pause_s: float
    turn_step_deg: float
    turn_spm: float
    sway_ap_mm: float
    sway_ml_mm: float
    arm_swing_deg: tuple[float, float]
    affected: Literal["", "left", "right"]
    tremor_hz: float
    tremor_deg: tuple[float, float]
    freezes: bool
    freezing_hz: float
    rest_bpm: float
    effort_bpm: float
    rest_spo2: float
    effort_spo2: float

    def walk(
        self, *, distance_m: float | None = None, steps: int | None = None, speed_mps: float | None = None
    ) -> Walk:
        """Return a walk of the patient: as many steps, or so far; at comfortable speed by default.

        Faster means longer and quicker steps in equal parts.
        """
        share = 1.0 if speed_mps is None else speed_mps / self.speed_mps
        cadence = self.cadence_spm * share**0.5
        stride = 120 * self.speed_mps * share / cadence
        if steps is None and distance_m is not None:
            steps = max(1, round(distance_m / (stride / 2)))
        return Walk(cadence_spm=cadence, stride_m=stride, steps=steps, asymmetry=self.asymmetry, style=self.style)

    def turn(self, angle_deg: float) -> PlannedTurn:
        """Return a turn on small steps; left is positive."""
        return PlannedTurn(
            angle_deg=angle_deg,
            cadence_spm=self.turn_spm,
            step_deg=self.turn_step_deg,
            step_m=0.06 + 0.04 * self.speed_mps,
        )


def patient(seed: int, severity: float) -> Patient:
    """Return a patient: the same for the same seed and severity.

    Args:
        seed: Which one.
        severity: 0 healthy to 1 severely impaired.

    Raises:
        ValueError: When severity is not between 0 and 1.
    """
    if not 0 <= severity <= 1:
        raise ValueError(f"severity lies between 0 and 1, got {severity}")
    random = np.random.default_rng([seed, 0xBA7])
    kinds: tuple[Kind, ...] = ("frail", "stroke", "parkinson")
    kind: Kind = "healthy" if severity < HEALTHY_BELOW else kinds[int(random.integers(3))]
    affected: Literal["left", "right"] = "left" if random.random() < 0.5 else "right"
    return _made(seed, severity, kind, affected, random)


def patients(count: int = 50) -> list[Patient]:
    """Return patients from healthy to severely impaired."""
    return [patient(seed, seed / max(count - 1, 1)) for seed in range(count)]


def _made(
    seed: int, severity: float, kind: Kind, affected: Literal["left", "right"], random: np.random.Generator
) -> Patient:
    def about(value: float, share: float = 0.08) -> float:
        return value * float(np.clip(1 + share * random.standard_normal(), 1 - 2 * share, 1 + 2 * share))

    height = float(np.clip(random.normal(1.70, 0.09), 1.50, 1.95))
    speed = min(max(about(FASTEST_MPS - 1.15 * severity), SLOWEST_MPS), FASTEST_MPS)
    rest_bpm = about(64 + 12 * severity)
    return Patient(
        seed=seed, severity=severity, kind=kind, height_m=height, mass_kg=about(24.5, 0.12) * height**2,
        speed_mps=speed, fast_mps=speed * about(1.38 - 0.2 * severity, 0.04),
        cadence_spm=_cadence(kind, severity, speed),
        asymmetry=_asymmetry(kind, severity, affected), style=_style(kind, severity), aid=_aid(severity, random),
        rise_s=about(1.25 + 2.4 * severity**1.3), sit_s=about(1.40 + 2.0 * severity**1.2),
        lean_deg=about(36 + 14 * severity), attempts=int(severity > 0.75 and random.random() < 0.5),
        pause_s=about(0.1 + 1.2 * severity**2, 0.2),
        turn_step_deg=about(92 - 66 * severity), turn_spm=about(124 - 36 * severity),
        sway_ap_mm=about(4.0 + 6.0 * severity, 0.15), sway_ml_mm=about(2.4 + 5.0 * severity, 0.15),
        arm_swing_deg=_arm_swing(kind, severity, affected, about),
        affected=affected if kind in ("stroke", "parkinson") else "", tremor_hz=about(4.8, 0.1),
        tremor_deg=_tremor(kind, severity, affected), freezes=kind == "parkinson" and severity > FREEZES_FROM,
        freezing_hz=about(5.0, 0.15), rest_bpm=rest_bpm, effort_bpm=rest_bpm + about(32 + 14 * severity),
        rest_spo2=97.5 - 2.0 * severity, effort_spo2=96.5 - about(8.0 * severity, 0.2),
    )  # fmt: skip


def _cadence(kind: Kind, severity: float, speed_mps: float) -> float:
    """Return the cadence at a speed: the weaker, the shorter the steps; shufflers keep theirs high."""
    ratio = 0.0065 - 0.0022 * severity
    cadence = math.sqrt(60 * speed_mps / ratio)
    return max(cadence, 95 + 15 * severity) if kind == "parkinson" and severity > 0.3 else cadence


def _asymmetry(kind: Kind, severity: float, affected: Literal["left", "right"]) -> float:
    ratio = 1 + (0.7 * severity if kind == "stroke" else 0.05 * severity)
    return ratio if affected == "left" else 1 / ratio


def _style(kind: Kind, severity: float) -> Style:
    if kind == "parkinson" and severity > 0.3:
        return SHUFFLING
    variability = 0.018 + 0.035 * severity
    stiff = 1 - (0.4 * severity if kind == "stroke" else 0.15 * severity)
    clearance, strike = HEALTHY.clearance_m * (1 - 0.4 * severity), HEALTHY.strike_deg * (1 - 0.5 * severity)
    return Style(clearance_m=clearance, strike_deg=strike, knee=stiff, variability=variability)


def _aid(severity: float, random: np.random.Generator) -> Aid:
    willing = random.random() < 0.75
    if severity >= ROLLATOR_FROM and willing:
        return "rollator"
    return "cane" if severity >= CANE_FROM and willing else ""


def _arm_swing(kind: Kind, severity: float, affected: str, about: Callable[[float], float]) -> tuple[float, float]:
    full = 20 - 8 * severity
    worse = full * (1 - 0.8 * severity) if kind in ("stroke", "parkinson") else full
    left, right = (worse, full) if affected == "left" else (full, worse)
    return about(left), about(right)


def _tremor(kind: Kind, severity: float, affected: str) -> tuple[float, float]:
    if kind != "parkinson":
        return (0.0, 0.0)
    worse, better = 2.0 + 7.0 * severity, max(0.0, 5.0 * (severity - 0.4))
    return (worse, better) if affected == "left" else (better, worse)
