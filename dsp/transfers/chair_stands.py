"""Tests of chair stands, from the transfers found in them: five times, 30 seconds, one minute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dsp.result import Quality
from dsp.transfers.found import Found, Transfer

FIVE = 5
BREAK_S = 10.0
"""From one rise to the next of five, at most: 15 s and more for all five tell of a risk of falls, and this is more than
three times slower. Longer, and the first may be of something else, such as a test before. A proposal of ours."""
APART = f"more than {BREAK_S:.0f} s lie between two rises: they may not be of one test"


@dataclass(frozen=True, slots=True)
class ChairStands:
    """What one test gives.

    Attributes:
        repetitions: How often somebody stood up; the last time counts if more than half was done at the end.
        fifth_stand_s: From the start to the end of the fifth rise, s; NaN with fewer.
        fifth_seat_s: From the start until the seat is reached after it, s; NaN where that was not seen.
        rise_s: Mean duration of a rise.
        sit_s: Mean duration of sitting down.
        peak_velocity: Greatest vertical speed of any rise, m/s; NaN where the sensor does not show it.
        peak_power: Greatest power of any rise, W; NaN where the mass is not known.
        lean_deg: Mean of the greatest leans; NaN where the sensor is not on the trunk.
        smoothness: Mean spectral arc length of the rises.
        quality: ok or degraded.
        reason: Why degraded; empty otherwise.
    """

    repetitions: int
    fifth_stand_s: float
    fifth_seat_s: float
    rise_s: float
    sit_s: float
    peak_velocity: float
    peak_power: float
    lean_deg: float
    smoothness: float
    quality: Quality = "ok"
    reason: str = ""


def summarise_chair_stands(
    found: Iterable[Found], rate_hz: float, *, start: float | None = None, duration_s: float = math.inf
) -> ChairStands:
    """Return what a test of chair stands gives.

    Args:
        found: What an operator found of it, turns or not.
        rate_hz: Samples a second.
        start: Sample of the word "go"; the beginning of the first rise if None.
        duration_s: Of the test: 30 or 60; of five repetitions none.
    """
    transfers = [one for one in found if isinstance(one, Transfer)]
    rises = [one for one in transfers if one.kind == "sit_to_stand"]
    begin = start if start is not None else rises[0].start if rises else 0.0
    end = begin + duration_s * rate_hz
    rises = [one for one in rises if begin <= one.end and (one.start + one.end) / 2 <= end]
    sits = [one for one in transfers if one.kind == "stand_to_sit" and begin <= one.end and one.start <= end]
    fifth = rises[FIVE - 1] if len(rises) >= FIVE else None
    after = next((one for one in sits if fifth is not None and one.end > fifth.end), None)
    reasons = dict.fromkeys(one.reason for one in (*rises, *sits) if one.reason)
    starts = [one.start for one in rises[:FIVE]]
    if math.isinf(duration_s) and any(two - one > BREAK_S * rate_hz for one, two in pairwise(starts)):
        reasons[APART] = None
    return ChairStands(
        repetitions=len(rises),
        fifth_stand_s=(fifth.end - begin) / rate_hz if fifth is not None else math.nan,
        fifth_seat_s=(after.end - begin) / rate_hz if after is not None else math.nan,
        rise_s=_mean([one.duration_s for one in rises]),
        sit_s=_mean([one.duration_s for one in sits]),
        peak_velocity=_most([one.peak_velocity for one in rises]),
        peak_power=_most([one.peak_power for one in rises]),
        lean_deg=_mean([one.lean_deg for one in rises]),
        smoothness=_mean([one.smoothness for one in rises]),
        quality="degraded" if reasons else "ok",
        reason="; ".join(reasons),
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _most(values: Sequence[float]) -> float:
    return max((value for value in values if math.isfinite(value)), default=math.nan)
