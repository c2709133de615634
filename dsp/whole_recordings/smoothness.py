"""Smoothness of the strides of a whole recording."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.gait.stride_smoothness import StrideSmoothness
from dsp.whole_recordings.arrays_in import Table, batch_of

STRIDE: Final = np.dtype(
    [("start_s", "f8"), ("end_s", "f8"), ("sparc", "f8"), ("ldlj", "f8"), ("n_lost", "i8"), ("reason", "U80")]
)
COLUMNS: Final = {"stride_sparc": "sparc", "stride_ldlj": "ldlj"}


def measure_stride_smoothness(
    acc: ArrayLike, gyr: ArrayLike, rate_hz: float, strides_s: ArrayLike, *, index: ArrayLike | None = None
) -> Table:
    """Return how smoothly a foot or a shank moved in strides that are known.

    Compare values of one placement and of strides that are cut alike: the ward cuts from initial contact to initial
    contact, and tells the jerk of a foot alone.

    Args:
        acc: (n, 3) specific force, m/s²; the sensor may be strapped on any way round.
        gyr: (n, 3) angular velocity, rad/s, same axes.
        rate_hz: Samples a second, at least 20.
        strides_s: (k, 2) when each stride began and ended, seconds, in order of their ends; at most 8 s each.
        index: (n,) whole numbers of the samples, ascending, where some were lost.

    Returns:
        ``start_s``, ``end_s``, ``sparc`` (spectral arc length), ``ldlj`` (log dimensionless jerk), ``n_lost`` (samples
        that were replaced) of each stride. Where there is no value both are NaN, and ``reason`` may say why.

    Raises:
        ValueError: the arrays do not fit together, are in other units, or the rate cannot do.
    """
    samples, operator = batch_of(acc, gyr, index, 0), StrideSmoothness(rate_hz)
    strides = np.asarray(strides_s, float).reshape(-1, 2)
    for first, last in (strides * rate_hz).tolist():
        operator.stride(first, last)
    table = np.zeros(len(strides), STRIDE)
    table["start_s"], table["end_s"] = strides.T
    table["sparc"] = table["ldlj"] = math.nan
    at = {stride: row for row, stride in enumerate(map(tuple, (strides * rate_hz).tolist()))}
    for found in (*operator.process(samples.index, samples.acc, samples.gyr), *operator.finish()):
        row = at[found.first, found.last]
        table[COLUMNS[found.metric]][row] = math.nan if found.value is None else found.value
        table["n_lost"][row], table["reason"][row] = found.n_rejected, found.reason
    return table
