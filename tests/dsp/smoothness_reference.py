"""The smoothness of a movement and of a stride in plain numpy: what the compiled loops are compared with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.smoothness import HIGHEST_HZ, LEAST_SHARE, PADDING

Floats = NDArray[np.float64]


def sparc(speed: Floats, rate_hz: float) -> float:
    """Return the spectral arc length of the sizes of a speed (n,)."""
    padded = 2 ** (math.ceil(math.log2(len(speed))) + PADDING)
    magnitude = np.abs(np.fft.rfft(speed, padded))
    magnitude /= magnitude.max()
    hz = np.fft.rfftfreq(padded, 1.0 / rate_hz)
    inside = np.flatnonzero((hz <= HIGHEST_HZ) & (magnitude >= LEAST_SHARE))
    shape = magnitude[inside[0] : inside[-1] + 1]
    if len(shape) == 1:
        return math.nan
    return -float(np.sum(np.hypot(1.0 / (len(shape) - 1), np.diff(shape))))


def log_dimensionless_jerk_acc(acc: Floats, rate_hz: float) -> float:
    """Return the log dimensionless jerk of an acceleration (n, axes)."""
    moved = acc - acc.mean(axis=0)
    squares = (np.diff(moved, axis=0) ** 2).sum() * rate_hz
    return -math.log(len(acc) / rate_hz / (moved**2).sum(axis=1).max() * squares)


def of_stride(acc: Floats, gyr: Floats, rate_hz: float) -> tuple[float, float]:
    """Return spectral arc length and log dimensionless jerk of a stride of which no sample is lost."""
    return sparc(np.sqrt((gyr**2).sum(axis=1)), rate_hz), log_dimensionless_jerk_acc(acc, rate_hz)
