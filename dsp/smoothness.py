"""How smooth a movement was, from its speed or acceleration: spectral arc length and log dimensionless jerk.

Plain functions of one movement that somebody has already cut out: both depend on where it begins and ends, so a value
of a stride and one of a whole exercise are different metrics. Nearer to zero is smoother for both.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.kernel import kernel
from dsp.record import Floats

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

    Raises:
        ValueError: the rate is not positive, or a speed is below 0: of a velocity with a sign the arc is another one.

    Source: Balasubramanian, Melendez-Calderon, Burdet 2012, doi 10.1109/TBME.2011.2179545; 2015, doi
    10.1186/s12984-015-0090-9.
    """
    values = _movement(speed, rate_hz)
    if np.any(values < 0.0):
        raise ValueError("speed must be a magnitude, and some of it is below 0: give its size")
    return arc_length(values, float(rate_hz), float(highest_hz), float(least_share))


@kernel
def arc_length(speed: Floats, rate_hz: float, highest_hz: float, least_share: float) -> float:
    """Do what `sparc` does, for (n,) samples.

    The transform is worked out at the frequencies that are looked at and no others, from the last sample to the first
    (Horner's rule). That of a magnitude is greatest at 0 Hz.
    """
    most = 0.0
    for i in range(len(speed)):
        if not math.isfinite(speed[i]):
            return math.nan
        most = max(most, speed[i])
    if most == 0.0:
        return math.nan
    padded = 1 << PADDING
    while padded < len(speed) << PADDING:
        padded *= 2
    bins = int(min(highest_hz * padded / rate_hz, padded / 2)) + 1
    real, imag = np.zeros(bins), np.zeros(bins)
    turn_cos, turn_sin = rotations(bins, padded)
    for i in range(len(speed) - 1, -1, -1):
        value = speed[i]
        for k in range(bins):
            turned = real[k] * turn_cos[k] - imag[k] * turn_sin[k]
            imag[k] = real[k] * turn_sin[k] + imag[k] * turn_cos[k]
            real[k] = turned + value
    last, length = bins - 1, 0.0
    while last and math.hypot(real[last], imag[last]) < least_share * real[0]:
        last -= 1
    for k in range(last):
        step = math.hypot(real[k + 1], imag[k + 1]) - math.hypot(real[k], imag[k])
        length += math.hypot(1.0 / last, step / real[0])
    return -length if last else math.nan


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

    Raises:
        ValueError: it has no axes.

    Source: Melendez-Calderon, Shirota, Balasubramanian 2021, doi 10.3389/fbioe.2020.558771.
    """
    _movement([], rate_hz)
    samples = np.ascontiguousarray(acc, np.float64)
    if not samples.size:
        return math.nan
    if samples.ndim != 2:
        raise ValueError(f"acc must be (n, axes), not {samples.shape}")
    return log_jerk(samples)


@kernel
def rotations(count: int, circle: int) -> tuple[Floats, Floats]:
    """Return cosines and sines of 2 pi k / circle for k from 0 to count - 1; circle is a power of two, 4 at least.

    Angles are halved from a right one, and those of the bits of k are put together: a square root is the same number on
    every processor, and the sine of a C library is not.
    """
    bits = 0
    while 1 << bits < circle:
        bits += 1
    half_cos, half_sin = np.zeros(bits + 1), np.ones(bits + 1)  # of the circle / 2^j, from the quarter on
    for j in range(3, bits + 1):
        half_cos[j] = math.sqrt((1.0 + half_cos[j - 1]) / 2.0)
        half_sin[j] = half_sin[j - 1] / (2.0 * half_cos[j])
    half_cos[1], half_sin[1] = -1.0, 0.0
    cosines, sines = np.ones(count), np.zeros(count)
    for k in range(1, count):
        low, j = k & -k, bits
        while 1 << (bits - j) < low:
            j -= 1
        rest = k - low
        cosines[k] = cosines[rest] * half_cos[j] - sines[rest] * half_sin[j]
        sines[k] = sines[rest] * half_cos[j] + cosines[rest] * half_sin[j]
    return cosines, sines


@kernel
def log_jerk(acc: Floats) -> float:
    """Do what `log_dimensionless_jerk_acc` does, for (n, axes) samples: at whatever rate they are, it drops out."""
    peak_squared, squares = 0.0, 0.0
    mean = np.zeros(acc.shape[1])
    for i in range(len(acc)):
        for axis in range(acc.shape[1]):
            mean[axis] += acc[i, axis] / len(acc)
    for i in range(len(acc)):
        size = 0.0
        for axis in range(acc.shape[1]):
            if not math.isfinite(acc[i, axis]):
                return math.nan
            size += (acc[i, axis] - mean[axis]) ** 2
            if i:
                squares += (acc[i, axis] - acc[i - 1, axis]) ** 2
        peak_squared = max(peak_squared, size)
    if squares == 0.0:
        return math.nan
    return -math.log(len(acc) / peak_squared * squares)


def speed_like(acc: ArrayLike, gravity: float = 9.80665) -> NDArray[np.float64]:
    """Return (n,) how far the size of a specific force (n, 3), m/s², is from gravity: what `sparc` takes of it."""
    size: NDArray[np.float64] = np.sqrt((np.asarray(acc, np.float64) ** 2).sum(axis=1))
    return np.abs(size - gravity)


def _movement(speed: ArrayLike, rate_hz: float) -> NDArray[np.float64]:
    if not 0.0 < rate_hz < math.inf:
        raise ValueError(f"rate_hz must be positive, got {rate_hz}")
    return np.asarray(speed, np.float64).ravel()
