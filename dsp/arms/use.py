"""How much each arm is used, from the activity counts of both wrists, and how evenly.

A second in which somebody walks tells of the legs: arms swing by themselves. Such seconds are left out and told apart.

Sources: Bailey et al. 2015, doi 10.1177/1545968315583720 (magnitude ratio and bilateral magnitude, second by second);
Lang et al. 2017, doi 10.3791/55673 (use ratio: an active second has 2 counts or more).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arms.counts import ActivityCounts

Floats = NDArray[np.float64]
Arm = Literal["left", "right"]

ALGORITHM: Final = "arm_use/1"
ACTIVE: Final = 2.0
"""Counts of a second in which an arm is used."""
CLIP: Final = 7.0
"""Of the ratio's logarithm: what stands for a second in which one arm does all."""
LEAST_SECONDS: Final = 600
"""Fewer seconds in which either arm moves, and the values are degraded: a single activity is not the use of an arm."""
LOST_SHARE: Final = 0.2
"""With more of the seconds without a count of both wrists, likewise."""


@dataclass(frozen=True, slots=True)
class ArmUse:
    """Use of both arms. NaN where no second tells it.

    Attributes:
        use_ratio: Seconds in which the affected arm is active by those of the other one, walking left out.
        magnitude_ratio: Median over the seconds in which either moves of ln(affected / other), from -7 to 7.
        bilateral_magnitude: Median over these of the sum of both arms' counts.
        use_hours_affected: Hours in which the affected arm is active, walking left out.
        use_hours_other: The same of the other arm.
        hours: What was looked at: hours with counts of both wrists, walking left out.
        walking_hours: What was left out because of walking.
        n: Seconds in which either arm moves.
        n_lost: Seconds in which a wrist had no count.
        reason: Why the values are degraded; empty if they are not.
    """

    use_ratio: float
    magnitude_ratio: float
    bilateral_magnitude: float
    use_hours_affected: float
    use_hours_other: float
    hours: float
    walking_hours: float
    n: int
    n_lost: int
    reason: str = ""


def use_of_counts(affected: ArrayLike, other: ArrayLike, walking: ArrayLike) -> ArmUse:
    """Return the use of both arms from counts of the same seconds.

    Args:
        affected: (n,) counts of the affected arm, second by second; NaN where there are none.
        other: (n,) of the other one.
        walking: (n,) whether somebody walks in this second.

    Raises:
        ValueError: the lengths differ.
    """
    aff, oth, walks = np.asarray(affected, float), np.asarray(other, float), np.asarray(walking, bool)
    if not aff.shape == oth.shape == walks.shape:
        raise ValueError(f"counts and walking must be of one length, not {aff.shape}, {oth.shape} and {walks.shape}")
    known = np.isfinite(aff) & np.isfinite(oth)
    n_lost = int((~known).sum())
    n_walking = int((known & walks).sum())
    aff, oth = aff[known & ~walks], oth[known & ~walks]
    active, active_other = int((aff >= ACTIVE).sum()), int((oth >= ACTIVE).sum())
    moving = aff + oth > 0
    ratio = _log_ratio(aff[moving], oth[moving])
    return ArmUse(
        use_ratio=active / active_other if active_other else math.nan,
        magnitude_ratio=_median(ratio),
        bilateral_magnitude=_median((aff + oth)[moving]),
        use_hours_affected=active / 3600,
        use_hours_other=active_other / 3600,
        hours=len(aff) / 3600,
        walking_hours=n_walking / 3600,
        n=len(ratio),
        n_lost=n_lost,
        reason=_doubt(len(ratio), n_lost, len(known)),
    )


def measure_arm_use(
    affected: ArrayLike, other: ArrayLike, *, rate_hz: float, walking: ArrayLike | None = None
) -> ArmUse:
    """Return the use of both arms of a whole recording without losses.

    Args:
        affected: (n, 3) specific force of the affected wrist, m/s².
        other: (n, 3) of the other one, at the same instants.
        rate_hz: Samples a second.
        walking: (seconds,) whether somebody walks; None where nobody does.
    """
    counts = [_each_second(acc, rate_hz) for acc in (affected, other)]
    seconds = min(map(len, counts))
    walks = np.zeros(seconds, bool) if walking is None else np.asarray(walking, bool)[:seconds]
    return use_of_counts(counts[0][: len(walks)], counts[1][: len(walks)], walks)


def _each_second(acc: ArrayLike, rate_hz: float) -> Floats:
    rows = np.asarray(acc, float)
    return np.array([second.counts for second in ActivityCounts(rate_hz).process(np.arange(len(rows)), rows)])


def _log_ratio(affected: Floats, other: Floats) -> Floats:
    """Return ln(affected / other) between -7 and 7: where one arm rests, the other one does all."""
    with np.errstate(divide="ignore"):
        ratio: Floats = np.clip(np.log(affected) - np.log(other), -CLIP, CLIP)
    return ratio


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _doubt(n: int, n_lost: int, seconds: int) -> str:
    if n_lost > LOST_SHARE * seconds:
        return f"{n_lost} of {seconds} s without counts of both wrists"
    return f"arms move in {n} s only" if n < LEAST_SECONDS else ""
