"""How smoothly a leg moves in each stride, from the sensor that tells its strides: a foot's, or a shank's.

The stride is cut where the walk says, from initial contact to initial contact, so a value is comparable with others of
strides and of the same placement alone. Spectral arc length (SPARC) is taken of the size of the angular velocity and
log dimensionless jerk of the acceleration, neither of which has to be integrated (Melendez-Calderon et al. 2021, doi
10.3389/fbioe.2020.558771). The trunk's SPARC over a walk tells people with Parkinson's disease from others (Beck et al.
2018, doi 10.1186/s12984-018-0398-3); of a leg's, stride by stride, the project knows its simulated patients alone. The
jerk of a shank does not put them in order, and is not told.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.found import Found
from dsp.result import Quality
from dsp.smoothness import HIGHEST_HZ, log_dimensionless_jerk_acc, sparc

ALGORITHM: Final = "stride-smoothness/1"
LEAST_RATE_HZ: Final = 2 * HIGHEST_HZ
"""Fewer samples a second do not show the band that SPARC looks at."""
KEPT_S: Final = 16.0
"""A stride lasts eight seconds at most, and is known some seconds after it has ended."""
LONGEST_LOSS_S: Final = 0.05
"""Samples lost for longer are a piece of the movement; those of a moment are replaced by straight lines."""
LOST: Final = "samples lost"

Floats = NDArray[np.float64]


class StrideSmoothness:
    """The smoothness of the strides of one leg; the same in any chunking of its samples.

    Args:
        rate_hz: Samples a second, at least `LEAST_RATE_HZ`.
        of: Where the sensor is.

    Raises:
        ValueError: the rate is too low.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float, of: Literal["foot", "shank"] = "foot") -> None:
        if not LEAST_RATE_HZ <= rate_hz < math.inf:
            raise ValueError(f"the smoothness of strides needs {LEAST_RATE_HZ:g} samples a second, not {rate_hz:g}")
        self._rate_hz = rate_hz
        self._metrics = ("stride_sparc", "stride_ldlj") if of == "foot" else ("stride_sparc",)
        self._index = np.zeros(0, np.int64)
        self._samples = np.zeros((0, 6))
        self._strides: deque[tuple[float, float, Quality, str]] = deque()

    def stride(self, first: float, last: float, quality: Quality = "ok", reason: str = "") -> None:
        """Take that a stride lasted from one number of a sample to another, in parts of one; and how sure that is."""
        self._strides.append((first, last, quality, reason))

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the smoothness of the strides that were told and of which all samples have come.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s²; a row with NaN is lost, as of ``gyr``.
            gyr: (n, 3) angular rate, rad/s.
        """
        new = np.asarray(index, np.int64)
        rows = np.column_stack([np.asarray(acc, float).reshape(len(new), 3), np.asarray(gyr, float).reshape(-1, 3)])
        known = np.isfinite(rows).all(axis=1)
        self._index = np.concatenate([self._index, new[known]])
        self._samples = np.concatenate([self._samples, rows[known]])
        while self._strides and len(new) and self._strides[0][1] <= new[-1]:
            yield from self._measure(*self._strides.popleft())
        if len(new):
            old = int(np.searchsorted(self._index, new[-1] - KEPT_S * self._rate_hz))
            self._index, self._samples = self._index[old:], self._samples[old:]

    def finish(self) -> Iterator[Found]:
        """Yield what is left: strides at whose end samples are missing have no value."""
        while self._strides:
            yield from self._measure(*self._strides.popleft())

    def _measure(self, first: float, last: float, quality: Quality, reason: str) -> Iterator[Found]:
        at = np.arange(math.ceil(first), math.floor(last) + 1)
        part = slice(*np.searchsorted(self._index, [first - 1, last + 1]))
        index = self._index[part]
        steps = np.diff(index, prepend=math.ceil(first) - 1, append=math.floor(last) + 1)
        if len(index) < 3 or steps.max() - 1 > max(1.0, LONGEST_LOSS_S * self._rate_hz):
            for metric in self._metrics:
                yield Found(metric, None, first, last, len(index), quality="invalid", reason=LOST)
            return
        inside = slice(*np.searchsorted(index, [at[0], at[-1] + 1]))
        rows, n = self._samples[part][inside], len(index[inside])
        if n < len(at):
            rows = np.column_stack([np.interp(at, index, axis) for axis in self._samples[part].T])
        acc, gyr = rows[:, :3], rows[:, 3:]
        speed: Floats = np.sqrt((gyr**2).sum(axis=1))
        values = {
            "stride_sparc": sparc(speed, self._rate_hz),
            "stride_ldlj": log_dimensionless_jerk_acc(acc, self._rate_hz),
        }
        for metric in self._metrics:
            if math.isfinite(value := values[metric]):
                yield Found(metric, value, first, last, n, len(at) - n, quality, reason)
