"""Whether samples are in the units that they are said to be in: m/s^2 and not g, rad/s and not degrees a second.

A body that moves carries gravity with it, so the mean size of its specific force is about 9.8 m/s^2 wherever it is
worn; and no limb turns three times a second for seconds on end. One sample in sixteen is looked at, chosen by its
number, so that the same samples are judged alike in any portions.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch

STANDARD_GRAVITY: Final = 9.80665  # m/s^2 (3rd CGPM, 1901): what a sensor's g is meant as
LOOK_EVERY: Final = 16  # samples; a power of two
LEAST_LOOKS: Final = 8  # two seconds at 60 Hz: one stride
MOST_LOOKS: Final = 512  # then older ones count half: a sensor that is set right is believed again
LIKE_G: Final = (0.3, 4.0)  # mean size of specific force; a walking foot has 1.0 to 1.6 g
LARGEST_FORCE: Final = 50.0  # m/s^2, of the mean: more is cm/s^2, mg or counts
LARGEST_RATE: Final = 20.0  # rad/s, of the mean: a brisk foot has 3 on average, and some 150 degrees a second

IN_G: Final = "acceleration looks like g, not m/s2"
TOO_LARGE: Final = "acceleration looks like mg or cm/s2, not m/s2"
IN_DEGREES: Final = "angular rate looks like deg/s, not rad/s"
"""What is doubted, for people. Why not: see the constants."""


def unit_doubt(force: float, rate: float) -> str:
    """Return what is wrong with the units of a sensor; empty if nothing is.

    Args:
        force: Mean size of the specific force over some seconds; NaN where unknown.
        rate: Mean size of the angular rate.
    """
    low, high = LIKE_G
    if low <= force <= high:
        return IN_G
    if force > LARGEST_FORCE:
        return TOO_LARGE
    return IN_DEGREES if rate > LARGEST_RATE else ""


def require_units(acc: NDArray[np.float64], gyr: NDArray[np.float64]) -> None:
    """Raise ValueError when a recording (n, 3) of specific force and angular rate is not in m/s^2 and rad/s."""
    if len(acc) < LEAST_LOOKS * LOOK_EVERY:
        return
    means = [_mean(np.sqrt(np.einsum("ij,ij->i", values, values))) for values in (acc, gyr)]
    if doubt := unit_doubt(*means):
        raise ValueError(f"{doubt}: its size averages {means[doubt == IN_DEGREES]:.3g}")


def _mean(sizes: NDArray[np.float64]) -> float:
    known = sizes[np.isfinite(sizes)]
    return float(known.mean()) if len(known) else math.nan


class UnitWatch:
    """Mean size of force and rate of each sensor of a streaming operator, by its number."""

    def __init__(self) -> None:
        self._sums = np.zeros((0, 2))
        self._looks = np.zeros(0)

    def grow(self, room: int) -> None:
        """Make room for so many more sensors."""
        self._sums = np.concatenate([self._sums, np.zeros((room, 2))])
        self._looks = np.concatenate([self._looks, np.zeros(room)])

    def forget(self, sensor: int) -> None:
        """Begin anew with a sensor."""
        self._sums[sensor] = 0.0
        self._looks[sensor] = 0.0

    def look(self, batch: Batch) -> None:
        """Take new samples of sensors that there is room for."""
        rows = np.flatnonzero((batch.index & (LOOK_EVERY - 1)) == 0)
        if not len(rows):
            return
        sensor = batch.sensor[np.searchsorted(batch.start, rows, side="right") - 1]
        acc, gyr = batch.acc[rows], batch.gyr[rows]
        force, rate = np.sqrt(np.einsum("ij,ij->i", acc, acc)), np.sqrt(np.einsum("ij,ij->i", gyr, gyr))
        known = np.isfinite(force) & np.isfinite(rate)
        sensor, count = sensor[known], len(self._looks)
        self._sums[:, 0] += np.bincount(sensor, force[known], count)
        self._sums[:, 1] += np.bincount(sensor, rate[known], count)
        self._looks += np.bincount(sensor, minlength=count)
        if self._looks.max() > MOST_LOOKS:
            old = self._looks > MOST_LOOKS
            self._looks[old] /= 2.0
            self._sums[old] /= 2.0

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor; empty if nothing is, or too little was seen."""
        looks = self._looks[sensor]
        return unit_doubt(*(self._sums[sensor] / looks).tolist()) if looks >= LEAST_LOOKS else ""

    def doubted(self, sensors: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (n,) whether there is such a doubt about each of the sensors (n,)."""
        bad = {sensor: bool(self.doubt(sensor)) for sensor in np.unique(sensors).tolist()}
        return np.array([bad[sensor] for sensor in sensors.tolist()], np.bool_)
