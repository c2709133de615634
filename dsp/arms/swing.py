"""How the arms swing while somebody walks: how far each, and how unevenly, from gyroscopes on both wrists.

The forearm turns to and fro about one axis, whichever way the sensor is strapped on: that with most of the rotation. A
swing is the angle from where it turns round to where it turns round again.

Sources: Mirelman et al. 2015, doi 10.1002/mds.26720 (amplitude from the wrist's rotation); Zifchock et al. 2008, doi
10.1016/j.gaitpost.2007.08.006 (symmetry angle).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ALGORITHM: Final = "arm_swing/1"
LEAST_SWING_DEG: Final = 2.0
"""Less is the wrist's trembling or the sensor's noise."""
LEAST_SWINGS: Final = 4
"""Two strides: fewer make no typical swing."""
SMOOTHING_S: Final = 0.1
"""Mean over so long: a swing takes half a second, an impact a few hundredths."""


class Swing(NamedTuple):
    """Swing of one arm.

    Attributes:
        amplitude_deg: Median angle of a swing; NaN where the arm hardly swings or the samples do not tell.
        peak_velocity_dps: Median over the swings of the quickest rotation.
        n: Swings.
    """

    amplitude_deg: float
    peak_velocity_dps: float
    n: int


def measure_swing(gyr: ArrayLike, rate_hz: float) -> Swing:
    """Return how an arm swings in a stretch of walking.

    Args:
        gyr: (n, 3) angular rate of the wrist, rad/s; lost samples NaN.
        rate_hz: Samples a second.
    """
    turn = np.asarray(gyr, float).reshape(-1, 3)
    known = np.isfinite(turn).all(axis=1)
    if known.sum() < max(rate_hz, 3):
        return Swing(math.nan, math.nan, 0)
    at = np.arange(len(turn))
    whole = np.degrees(np.column_stack([np.interp(at, at[known], axis[known]) for axis in turn.T]))
    whole -= whole.mean(axis=0)
    axis = np.linalg.eigh(whole.T @ whole)[1][:, -1]
    width = max(1, round(SMOOTHING_S * rate_hz))
    rate = np.convolve(whole @ axis, np.full(width, 1 / width), "same")
    angles, peaks = _half_swings(rate, rate_hz)
    swings = angles >= LEAST_SWING_DEG
    if swings.sum() < LEAST_SWINGS:
        return Swing(math.nan, math.nan, int(swings.sum()))
    return Swing(float(np.median(angles[swings])), float(np.median(peaks[swings])), int(swings.sum()))


def swing_asymmetry_pct(left_deg: float, right_deg: float) -> float:
    """Return the symmetry angle of both arms' swings, %: 0 even, 50 where one does not swing; above 0: right less."""
    if not (left_deg >= 0 and right_deg >= 0 and left_deg + right_deg > 0):
        return math.nan
    return (math.degrees(math.atan2(left_deg, right_deg)) - 45) / 90 * 100


def _half_swings(rate: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Return the angle and the quickest rotation of each stretch between two instants of no rotation, both whole."""
    turns = np.flatnonzero(np.diff(np.signbit(rate)))
    parts = [rate[a + 1 : b + 1] for a, b in pairwise(turns.tolist())]
    angles = [abs(float(part.sum())) / rate_hz for part in parts]
    peaks = [float(np.abs(part).max()) for part in parts]
    return np.array(angles), np.array(peaks)
