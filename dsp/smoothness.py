"""How smooth a movement was, from its speed or acceleration: spectral arc length and log dimensionless jerk.

Plain functions of one movement that somebody has already cut out: both depend on where it begins and ends, so a value
of a stride and one of a whole exercise are different metrics. Nearer to zero is smoother for both.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

PADDING: Final = 4
"""The spectrum is interpolated by this many powers of two, as its authors do."""
HIGHEST_HZ: Final = 10.0
"""Voluntary movement has nothing beyond; noise has."""
LEAST_SHARE: Final = 0.05
"""Of the greatest magnitude: the band ends where the spectrum falls below it for good."""


def sparc(
    speed: ArrayLike, rate_hz: float, *, highest_hz: float = HIGHEST_HZ, least_share: float = LEAST_SHARE
) -> float:
    """Return the spectral arc length of a movement, dimensionless, at most 0; NaN where there was no movement.

    Args:
        speed: (n,) magnitude of velocity or of angular velocity, any unit.
        rate_hz: Sampling rate.
        highest_hz: The band is searched from 0 to this frequency.
        least_share: Share of the greatest magnitude that still belongs to the band.

    Source: Balasubramanian, Melendez-Calderon, Burdet 2012, doi 10.1109/TBME.2011.2179545; 2015, doi
    10.1186/s12984-015-0090-9.
    """
    values = _movement(speed, rate_hz)
    padded = 2 ** (math.ceil(math.log2(len(values))) + PADDING) if len(values) else 0
    if not padded or not np.all(np.isfinite(values)) or not np.any(values):
        return math.nan
    magnitude = np.abs(np.fft.rfft(values, padded))
    magnitude /= magnitude.max()
    hz = np.fft.rfftfreq(padded, 1.0 / rate_hz)
    inside = np.flatnonzero((hz <= highest_hz) & (magnitude >= least_share))
    first, last = inside[0], inside[-1]
    if first == last:
        return math.nan
    shape = magnitude[first : last + 1]
    step = (hz[1] - hz[0]) / (hz[last] - hz[first])
    return -float(np.sum(np.hypot(step, np.diff(shape))))


def log_dimensionless_jerk(speed: ArrayLike, rate_hz: float) -> float:
    """Return -ln(T^3 / v_peak^2 * integral of (d2v/dt2)^2 dt), dimensionless; NaN where there was no movement.

    Derivatives are differences of neighbours, so the value has an error of first order in 1 / ``rate_hz``: compare only
    what was sampled alike.

    Args:
        speed: (n,) magnitude of velocity, any unit.
        rate_hz: Sampling rate.

    Source: Balasubramanian et al. 2015, doi 10.1186/s12984-015-0090-9, equation for a speed profile.
    """
    values = _movement(speed, rate_hz)
    if len(values) < 3 or not np.all(np.isfinite(values)) or not np.any(values):
        return math.nan
    dt = 1.0 / rate_hz
    jerk = np.diff(values, 2) / dt**2
    squares = float(np.sum(jerk**2)) * dt
    if squares == 0.0:
        return math.nan
    return -math.log((len(values) * dt) ** 3 / float(np.max(np.abs(values))) ** 2 * squares)


def log_dimensionless_jerk_acc(acc: ArrayLike, rate_hz: float) -> float:
    """Return -ln(T / a_peak^2 * integral of |da/dt|^2 dt) of an inertial sensor's movement; NaN where there was none.

    It is taken from the acceleration itself, since an integrated one drifts. The mean over the movement is taken off
    for gravity: a sensor that tilts on the way measures some of it as jerk.

    Args:
        acc: (n, axes) specific force, any unit.
        rate_hz: Sampling rate.

    Source: Melendez-Calderon, Shirota, Balasubramanian 2021, doi 10.3389/fbioe.2020.558771.
    """
    _movement([], rate_hz)
    values = np.asarray(acc, np.float64)
    if len(values) < 2 or not np.all(np.isfinite(values)):
        return math.nan
    moved = values - values.mean(axis=0)
    peak_squared = float((moved**2).sum(axis=1).max())
    squares = float((np.diff(moved, axis=0) ** 2).sum()) * rate_hz
    if squares == 0.0:
        return math.nan
    return -math.log(len(values) / rate_hz / peak_squared * squares)


def speed_like(acc: ArrayLike, gravity: float = 9.80665) -> NDArray[np.float64]:
    """Return (n,) how far the size of a specific force (n, 3), m/s², is from gravity: what `sparc` takes of it."""
    size: NDArray[np.float64] = np.sqrt((np.asarray(acc, np.float64) ** 2).sum(axis=1))
    return np.abs(size - gravity)


def _movement(speed: ArrayLike, rate_hz: float) -> NDArray[np.float64]:
    if not 0.0 < rate_hz < math.inf:
        raise ValueError(f"rate_hz must be positive, got {rate_hz}")
    return np.asarray(speed, np.float64).ravel()
