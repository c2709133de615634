"""Sway of a trial of quiet standing: path, mean velocity, spread, 95 % ellipse and mean frequency.

All of it rests on the signal as it is measured, without a filter: a filter changes the path by a tenth and more, so a
value with one would be another metric. Compared with the published figures of 104 trials of 60 s on a force plate
(dos Santos and Duarte 2016, doi 10.7717/peerj.2648), at worst: area, velocity and frequency .001 %.

Sources: Prieto et al. 1996, doi 10.1109/10.532130 (path, velocity, spread); Schubert and Kirchner 2014, doi
10.1016/j.gaitpost.2013.09.001 (prediction ellipse).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

INSIDE: Final = 0.95
"""Of all positions, the ellipse holds so many."""
LEAST: Final = 4
"""Fewer samples make neither an ellipse nor a spectrum."""
LOST_SHARE: Final = 0.02
"""With more of the samples lost a trial is degraded: what is drawn straight across a gap shortens the path."""
LONGEST_GAP_S: Final = 0.5
"""A gap this long hides a whole sway to one side and back."""


@dataclass(frozen=True, slots=True)
class Sway:
    """What one trial gives. ``unit`` is that of the signal: mm for a centre of pressure, m/s² for an acceleration.

    Attributes:
        duration_s: From the first sample to the last, and the time that the last one stands for.
        path: Length of the way, unit.
        mean_velocity: Path by duration, unit/s.
        rms_ap: Root mean square about the mean, forward and back, unit.
        rms_ml: The same from side to side.
        ellipse_area95: Of the ellipse that holds 95 % of all further positions, unit².
        centroid_freq_hz: Mean frequency, both directions weighted by their power; NaN where nothing moved.
        n: Samples.
        n_lost: Samples that were lost between them.
        reason: Why the values are degraded; empty if they are not.
    """

    duration_s: float
    path: float
    mean_velocity: float
    rms_ap: float
    rms_ml: float
    ellipse_area95: float
    centroid_freq_hz: float
    n: int
    n_lost: int
    reason: str = ""


def measure_sway(index: ArrayLike, position: ArrayLike, rate_hz: float) -> Sway | None:
    """Return the sway of one trial; None where there are too few samples.

    Args:
        index: (n,) whole numbers of the samples on the sensor's own grid, ascending: a missing number is a lost sample.
        position: (n, 2) forward and to the left, any unit.
        rate_hz: Samples a second.

    Raises:
        ValueError: the lengths differ, ``index`` does not ascend, or a position is not finite.
    """
    at, xy = np.asarray(index, np.int64), np.asarray(position, float)
    if at.ndim != 1 or xy.shape != (len(at), 2):
        raise ValueError(f"index must be (n,) and position (n, 2), not {at.shape} and {xy.shape}")
    if (np.diff(at) <= 0).any() or not np.isfinite(xy).all():
        raise ValueError("index must ascend, and every position be finite")
    if len(at) < LEAST:
        return None
    grid = np.arange(at[0], at[-1] + 1)
    whole = np.column_stack([np.interp(grid, at, xy[:, axis]) for axis in (0, 1)])
    path = float(np.hypot(*np.diff(whole, axis=0).T).sum())
    duration_s = len(grid) / rate_hz
    rms_ap, rms_ml = whole.std(axis=0).tolist()
    return Sway(
        duration_s=duration_s,
        path=path,
        mean_velocity=path / duration_s,
        rms_ap=rms_ap,
        rms_ml=rms_ml,
        ellipse_area95=_ellipse_area(whole),
        centroid_freq_hz=_centroid_hz(whole, rate_hz),
        n=len(at),
        n_lost=len(grid) - len(at),
        reason=doubt_of_loss(at, rate_hz),
    )


def doubt_of_loss(index: NDArray[np.int64], rate_hz: float) -> str:
    """Return why samples that are missing among these make a trial's values doubtful; empty if they do not."""
    steps = np.diff(index)
    n_lost = int((steps - 1).sum())
    if n_lost > LOST_SHARE * (n_lost + len(index)):
        return f"{n_lost} of {n_lost + len(index)} samples lost"
    gap_s = float(steps.max()) / rate_hz
    return f"a gap of {gap_s:.1f} s" if gap_s > LONGEST_GAP_S else ""


def _ellipse_area(xy: NDArray[np.float64]) -> float:
    """Return the area of the prediction ellipse (Schubert and Kirchner 2014, equation 6)."""
    n = len(xy)
    # The quantile of F with 2 and n - 2 degrees of freedom, which has this closed form.
    quantile = (n - 2) / 2 * ((1 - INSIDE) ** (-2 / (n - 2)) - 1)
    spread = max(0.0, float(np.linalg.det(np.cov(xy.T))))
    return float(2 * math.pi * math.sqrt(spread) * (n - 1) * (n + 1) / (n * (n - 2)) * quantile)


def _centroid_hz(xy: NDArray[np.float64], rate_hz: float) -> float:
    """Return the mean frequency by Welch's method: three Hann windows of half the trial, the mean taken off each.

    That of each direction is the quotient of two integrals (trapezoids); they are weighted by the sums of their powers,
    as the published figures are.
    """
    length = len(xy) // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    power = np.zeros((length // 2 + 1, 2))
    for begin in range(0, len(xy) - length + 1, length - length // 2):
        part = xy[begin : begin + length]
        power += np.abs(np.fft.rfft((part - part.mean(axis=0)) * window[:, None], axis=0)) ** 2
    power[0] /= 2  # one side of the spectrum stands for both; 0 Hz and the highest have one side only
    power[-1] /= 1 if length % 2 else 2
    hz = np.fft.rfftfreq(length, 1 / rate_hz)[:, None]
    total = power.sum(axis=0)
    if not total.any():
        return math.nan
    area = np.trapezoid(power, hz, axis=0)
    mean_hz = np.divide(np.trapezoid(power * hz, hz, axis=0), area, out=np.zeros(2), where=area > 0)
    return float(np.average(mean_hz, weights=total))
