"""How far apart the clocks of an exoskeleton and of a sensor on a shank are: from walking, which both feel.

The device clock's fit cannot see the constant part of a link's delay. The joints' rate, as an exoskeleton tells it, is
the shank's rate of turn, so the lag at which the two are most alike is how much later the one's samples lie. Pure:
series in, lags out.

Steps repeat: walking as steady as a machine's is like itself a stride later too. So a stretch of it in which a second
lag does nearly as well as the best tells nothing: a wrong offset is worse than none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID_HZ: Final = 200.0
LARGEST_S: Final = 1.0  # offset that is looked for
PART_S: Final = 10.0  # of walking, which gives one lag
LEAST_PARTS: Final = 3
LEAST_LIKENESS: Final = 0.6  # correlation below which there is no common motion
RIVAL_S: Final = 0.3  # so far from the best lag, another that does
RIVAL: Final = 0.95  # of its likeness is as good
KNEE_ALONE_S: Final = 0.03
"""What a knee's rate is off by, 1 sigma, beside the turning of a shank: the thigh turns too, a little earlier."""


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one stream.

    Attributes:
        time_s: (n,) gateway time, rising.
        values: (n, channels).
    """

    time_s: Floats
    values: Floats

    @property
    def step_s(self) -> float:
        """Usual distance of two samples."""
        return float(np.median(np.diff(self.time_s)))


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much one device's samples lie later than another's.

    Attributes:
        seconds: Positive where they lie later.
        uncertainty_s: 1 sigma.
        count: Gestures, or stretches of walking, that it is from.
    """

    seconds: float
    uncertainty_s: float
    count: int


def likeness(joints: Series, turning: Series, start_s: float) -> Floats:
    """Return how alike two series are over a stretch (n,), 0 to 1, at lags from ``-LARGEST_S`` to it; all 0 at rest."""
    step_s, most = 1 / GRID_HZ, round(LARGEST_S * GRID_HZ)
    n = round(PART_S * GRID_HZ)
    rate = np.interp(start_s + step_s * np.arange(n), joints.time_s, np.nan_to_num(joints.values[:, 0]))
    wide = start_s + step_s * np.arange(-most, n + most)
    turned = np.stack([np.interp(wide, turning.time_s, np.nan_to_num(axis)) for axis in turning.values.T], axis=1)
    about = main_turning(turned)
    rate = rate - rate.mean()
    # Of each window of `about`: its product with `rate`, whose mean is 0, and how far it strays from its own mean.
    sums, squares = (np.concatenate([[0.0], np.cumsum(about**power)]) for power in (1, 2))
    varied = (squares[n:] - squares[:-n]) - (sums[n:] - sums[:-n]) ** 2 / n
    length = np.sqrt(np.maximum(varied, 0.0)) * float(np.linalg.norm(rate))
    product = np.abs(np.correlate(about, rate, "valid"))
    alike: Floats = np.divide(
        product, length, out=np.zeros(len(product)), where=length > 1e-9 * max(1.0, float(length.max()))
    )
    return alike


def main_turning(turned: Floats) -> Floats:
    """Return the rate (n,) about the axis that something turns about most; which way round is not known."""
    turned = turned - turned.mean(axis=0)
    about: Floats = turned @ np.linalg.eigh(turned.T @ turned)[1][:, -1]
    return about


def lag_of(alike: Floats) -> float | None:
    """Return the lag, seconds, at which two series are alike; None where they are at none, or at several."""
    at = int(np.argmax(alike))
    if alike[at] < LEAST_LIKENESS or not 0 < at < len(alike) - 1:
        return None
    far = np.abs(np.arange(len(alike)) - at) > RIVAL_S * GRID_HZ
    if alike[far].max(initial=0.0) >= RIVAL * alike[at]:
        return None
    return vertex(alike) / GRID_HZ - LARGEST_S


def vertex(heights: Floats) -> float:
    """Return where the highest point lies, between the grid, by a parabola through it and its neighbours."""
    at = int(np.argmax(heights))
    if not 0 < at < len(heights) - 1:
        return float(at)
    left, top, right = heights[at - 1 : at + 2]
    bend = left - 2 * top + right
    return at + (0.5 * float(left - right) / float(bend) if bend else 0.0)


def offset_of(lags: Sequence[float], count: int, steps_s: tuple[float, float], *, unlike_s: float = 0.0) -> Offset:
    """Return the middle of lags, and how well it is known: by their spread, but no better than sampling allows.

    Args:
        lags: At least one.
        count: As of `Offset`.
        steps_s: Between two samples of each of the devices.
        unlike_s: What every lag may be off by, 1 sigma, since the two do not measure quite the same.
    """
    middle = float(np.median(lags))
    spread = 1.4826 * float(np.median(np.abs(np.array(lags) - middle)))
    sampled = math.hypot(*steps_s) / math.sqrt(12)
    own = math.hypot(spread, sampled) / math.sqrt(len(lags))
    return Offset(middle, math.hypot(own, unlike_s), count)


def joint_offset(joints: Series, turning: Series, *, unlike_s: float = 0.0) -> Offset | None:
    """Return how much later a shank's samples lie than an exoskeleton's; None where they have no common motion.

    Args:
        joints: Rate of the shank against the pelvis as the exoskeleton tells it (n, 1), any unit.
        turning: Rate of turn of a sensor on the shank (n, 3), any unit; which axis is found.
        unlike_s: As of `offset_of`.
    """
    begin, end = max(joints.time_s[0], turning.time_s[0]), min(joints.time_s[-1], turning.time_s[-1])
    starts = np.arange(begin + LARGEST_S, end - PART_S - LARGEST_S, PART_S).tolist()
    lags = [lag for start_s in starts if (lag := lag_of(likeness(joints, turning, start_s))) is not None]
    if len(lags) < LEAST_PARTS:
        return None
    return offset_of(lags, len(lags), (joints.step_s, turning.step_s), unlike_s=unlike_s)
