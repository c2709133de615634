"""What is found: a rise or sitting down, a turn, a Timed Up and Go; places are fractional samples of the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

from dsp.result import Quality

ALGORITHM: Final = "transfers/2"

Kind = Literal["sit_to_stand", "stand_to_sit"]

ESTIMATED: Final = {
    "thigh": "a thigh shows neither the lean before a rise nor the rest after sitting down: they are estimated",
    "wrist": "a wrist shows the hand, not the trunk: beginning and end are estimated",
}
"""By placement: why times from the first lean to the last rest are degraded. A count of repetitions is not."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One rise or sitting down.

    Attributes:
        kind: Which of the two.
        start: Sample at which the trunk begins to move.
        end: Sample at which it is upright, or at rest on the seat.
        duration_s: From one to the other, s.
        peak_velocity: Greatest vertical speed of the hips or the trunk, m/s; NaN where the sensor does not show it.
        peak_power: Greatest power of raising the body, m(g+a)v, W; NaN where the mass is unknown, and of sitting down.
        lean_deg: How far the trunk leans at most; NaN where the sensor is not on the trunk.
        smoothness: Spectral arc length of the angular speed, at most 0; NaN where there was too little movement.
        quality: ok or degraded.
        reason: Why degraded; empty otherwise.
    """

    kind: Kind
    start: float
    end: float
    duration_s: float
    peak_velocity: float = math.nan
    peak_power: float = math.nan
    lean_deg: float = math.nan
    smoothness: float = math.nan
    quality: Quality = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: ``angle_deg`` to the left positive, ``peak_deg_s`` its greatest mean rate, without a sign."""

    start: float
    end: float
    duration_s: float
    angle_deg: float
    peak_deg_s: float
    quality: Quality = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tug:
    """One Timed Up and Go; a phase is NaN where a turn is missing, and ``reason`` says so.

    Attributes:
        start: Sample at which the rise begins.
        end: Sample at which sitting down is over.
        total_s: From one to the other, s.
        sit_to_stand_s: The rise.
        walk_out_s: From its end to the first turn.
        turn_180_s: The first turn.
        walk_back_s: From its end to the second turn.
        turn_to_sit_s: From the second turn to the end: turning and sitting down are one movement.
        quality: ok, degraded, or invalid: it was begun, and nothing but ``start`` and ``reason`` is known.
        reason: Why not ok; empty otherwise.
    """

    start: float
    end: float
    total_s: float
    sit_to_stand_s: float
    walk_out_s: float
    turn_180_s: float
    walk_back_s: float
    turn_to_sit_s: float
    quality: Quality = "ok"
    reason: str = ""

    def corrected(self, rate_hz: float, *, start: float | None = None, end: float | None = None) -> Tug:
        """Return the test with the start or the end that somebody saw, and says; the phases beside it go along.

        Raises:
            ValueError: the end would not come after the start.
        """
        first, last = self.start if start is None else start, self.end if end is None else end
        if not last > first:
            raise ValueError(f"a test ends after its start, not at sample {last:g} with a start at {first:g}")
        return replace(
            self,
            start=first,
            end=last,
            total_s=(last - first) / rate_hz,
            sit_to_stand_s=self.sit_to_stand_s + (self.start - first) / rate_hz,
            turn_to_sit_s=self.turn_to_sit_s + (last - self.end) / rate_hz,
        )


Found = Transfer | Turn | Tug


def no_value(start: float, reason: str) -> Tug:
    """Return a test that was begun and of which no more is known."""
    return Tug(start, *(math.nan,) * 7, quality="invalid", reason=reason)
