"""How far apart the clocks of devices on one body are, from a motion that they all felt. Pure: series in, offsets out.

The device clock's fit (`gateway.clocks`) cannot see the constant part of a link's delay. A gesture shows it: three
stamps, jumps or taps, 0.3 to 1.5 s apart, with rest before and after, are felt by every sensor at once. Between an
exoskeleton and a shank it is walking itself: the joints' rate is the shank's rate of turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

G: Final = 9.80665
TAPS: Final = 3
LEAST_TAP: Final = 6.0  # m/s^2 beyond gravity: a stamp is several times that, a step on a soft shoe less at the back
MERGED_S: Final = 0.2  # what follows a tap within this is its echo
NEAREST_S, FARTHEST_S = 0.3, 1.5  # from one tap to the next
REST_S: Final = 1.0  # before and after, without anything of half a tap
ALIKE_S: Final = 0.06  # by which the distances of the taps may differ between devices
LARGEST_S: Final = 1.0  # offset that is looked for
TAP_WINDOW_S: Final = 0.12  # about each tap, in which its shape is compared
GRID_HZ: Final = 1000.0

JOINT_GRID_HZ: Final = 200.0
PART_S: Final = 10.0  # of walking, which gives one offset
LEAST_PARTS: Final = 3
LEAST_LIKENESS: Final = 0.6  # correlation below which there is no common motion


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


def tap_offsets(sensors: Mapping[str, Series], reference: str) -> dict[str, Offset]:
    """Return the offset of each sensor from the reference; those are absent that felt no gesture that it felt.

    Args:
        sensors: Acceleration (n, 3), m/s^2, by device.
        reference: One of them.
    """
    felt = {name: _gestures(series) for name, series in sensors.items() if len(series.time_s) > TAPS}
    found = {}
    for name, gestures in felt.items():
        if name == reference:
            continue
        pairs = _matched(felt.get(reference, []), gestures)
        each = [_lag(sensors[reference], sensors[name], one, other) for one, other in pairs]
        lags = np.array([lag for of_gesture in each for lag in of_gesture])
        if len(lags):
            found[name] = _offset(lags, len(pairs), sensors[reference].step_s, sensors[name].step_s)
    return found


def joint_offset(joints: Series, turning: Series) -> Offset | None:
    """Return how much later a shank's samples lie than an exoskeleton's; None where they have no common motion.

    Args:
        joints: Rate of the shank against the pelvis as the exoskeleton tells it (n, 1), any unit.
        turning: Rate of turn of a sensor on the shank (n, 3), any unit; which axis is found.
    """
    lags = []
    begin, end = max(joints.time_s[0], turning.time_s[0]), min(joints.time_s[-1], turning.time_s[-1])
    for start in np.arange(begin + LARGEST_S, end - PART_S - LARGEST_S, PART_S):
        lag = _walked(joints, turning, float(start))
        if lag is not None:
            lags.append(lag)
    if len(lags) < LEAST_PARTS:
        return None
    return _offset(np.array(lags), len(lags), joints.step_s, turning.step_s)


def _offset(lags: Floats, count: int, step_s: float, other_step_s: float) -> Offset:
    """Return the middle of lags, and how well it is known: by their spread, but no better than sampling allows."""
    middle = float(np.median(lags))
    spread = 1.4826 * float(np.median(np.abs(lags - middle)))
    sampled = math.hypot(step_s, other_step_s) / math.sqrt(12)
    return Offset(middle, math.hypot(spread, sampled) / math.sqrt(len(lags)), count)


def _shaken(series: Series) -> Floats:
    """Return how much acceleration differs from gravity (n,); 0 where it is missing."""
    return np.asarray(np.nan_to_num(np.abs(np.linalg.norm(series.values, axis=1) - G)))


def _gestures(series: Series) -> list[Floats]:
    """Return the times (3,) of the taps of each gesture."""
    size = _shaken(series)
    strong = np.flatnonzero(size >= LEAST_TAP)
    peaks: list[int] = []
    for at in strong.tolist():
        if peaks and series.time_s[at] - series.time_s[peaks[-1]] < MERGED_S:
            if size[at] > size[peaks[-1]]:
                peaks[-1] = at
        else:
            peaks.append(at)
    found = []
    for first in range(len(peaks) - TAPS + 1):
        own = peaks[first : first + TAPS]
        gaps = [float(series.time_s[b] - series.time_s[a]) for a, b in pairwise(own)]
        if all(NEAREST_S <= gap <= FARTHEST_S for gap in gaps) and _alone(series, size, own):
            found.append(series.time_s[own])
    return found


def _alone(series: Series, size: Floats, own: Sequence[int]) -> bool:
    """Whether there is rest before and after taps."""
    limit = size[list(own)].min() / 2
    begin, end = series.time_s[own[0]], series.time_s[own[-1]]
    before = (series.time_s > begin - MERGED_S - REST_S) & (series.time_s < begin - MERGED_S)
    after = (series.time_s > end + MERGED_S) & (series.time_s < end + MERGED_S + REST_S)
    return bool(not (size[before | after] >= limit).any())


def _matched(ones: Sequence[Floats], others: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
    """Return the gestures that two sensors felt: near in time, and in the same rhythm."""
    pairs = []
    for one in ones:
        near = [other for other in others if abs(other[0] - one[0]) <= LARGEST_S]
        alike = [other for other in near if np.abs(np.diff(other) - np.diff(one)).max() <= ALIKE_S]
        if len(alike) == 1:  # of several nobody knows which
            pairs.append((one, alike[0]))
    return pairs


def _lag(reference: Series, other: Series, ones: Floats, others: Floats) -> list[float]:
    """Return how much later each tap of a gesture is, to a fraction of a sample, by comparing its shape."""
    return [
        at_other - at_one + _shift(_window(reference, at_one), _window(other, at_other))
        for at_one, at_other in zip(ones.tolist(), others.tolist(), strict=True)
    ]


def _window(series: Series, at_s: float) -> Floats:
    """Return how much a sensor was shaken about an instant, on a fine grid."""
    grid = at_s + np.arange(-2 * TAP_WINDOW_S, 2 * TAP_WINDOW_S, 1 / GRID_HZ)
    shaken = np.interp(grid, series.time_s, _shaken(series))
    return np.asarray(shaken / max(1e-9, float(shaken.max())))


def _shift(one: Floats, other: Floats) -> float:
    """Return by how many seconds the shape of ``other`` lies later within its window."""
    most = round(TAP_WINDOW_S * GRID_HZ)
    middle = one[most:-most]
    likeness = [float(middle @ other[lag : lag + len(middle)]) for lag in range(2 * most + 1)]
    return (_vertex(np.array(likeness)) - most) / GRID_HZ


def _vertex(heights: Floats) -> float:
    """Return where the highest point lies, between the grid, by a parabola through it and its neighbours."""
    at = int(np.argmax(heights))
    if not 0 < at < len(heights) - 1:
        return float(at)
    left, top, right = heights[at - 1 : at + 2]
    bend = left - 2 * top + right
    return at + (0.5 * float(left - right) / float(bend) if bend else 0.0)


def _walked(joints: Series, turning: Series, start_s: float) -> float | None:
    """Return the lag over one stretch of walking; None where the two do not move alike."""
    step_s, most = 1 / JOINT_GRID_HZ, round(LARGEST_S * JOINT_GRID_HZ)
    grid = start_s + np.arange(0, PART_S, step_s)
    rate = np.interp(grid, joints.time_s, np.nan_to_num(joints.values[:, 0]))
    wide = np.concatenate([grid[0] - step_s * np.arange(most, 0, -1), grid, grid[-1] + step_s * np.arange(1, most + 1)])
    turned = np.stack([np.interp(wide, turning.time_s, np.nan_to_num(axis)) for axis in turning.values.T], axis=1)
    turned -= turned.mean(axis=0)
    _, _, axes = np.linalg.svd(turned, full_matrices=False)
    about = turned @ axes[0]
    rate = rate - rate.mean()
    if not rate.any() or not about.any():
        return None
    likeness = np.array([_likeness(rate, about[lag : lag + len(rate)]) for lag in range(2 * most + 1)])
    size = np.abs(likeness)
    if size.max() < LEAST_LIKENESS:
        return None
    return (_vertex(size) - most) * step_s


def _likeness(one: Floats, other: Floats) -> float:
    other = other - other.mean()
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
