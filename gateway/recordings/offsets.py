"""How far apart the clocks of devices on one body are, from a gesture that they all felt. Pure: series in, offsets out.

The device clock's fit (`gateway.clocks`) cannot see the constant part of a link's delay. A gesture shows it: three
stamps, jumps or taps, 0.3 to 1.5 s apart, with rest before and after, are felt by every sensor at once. Between an
exoskeleton and a shank it is walking itself: `gateway.clocks.common_motion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from gateway.clocks.common_motion import LARGEST_S, Floats, Offset, Series, offset_of, vertex

G: Final = 9.80665
TAPS: Final = 3
LEAST_TAP: Final = 6.0  # m/s^2 beyond gravity: a stamp is several times that, a step on a soft shoe less at the back
MERGED_S: Final = 0.2  # what follows a tap within this is its echo
NEAREST_S, FARTHEST_S = 0.3, 1.5  # from one tap to the next
REST_S: Final = 1.0  # before and after, without anything of half a tap
ALIKE_S: Final = 0.06  # by which the distances of the taps may differ between devices
TAP_WINDOW_S: Final = 0.12  # about each tap, in which its shape is compared
GRID_HZ: Final = 1000.0


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
            steps_s = sensors[reference].step_s, sensors[name].step_s
            found[name] = offset_of(lags.tolist(), len(pairs), steps_s)
    return found


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
    return (vertex(np.array(likeness)) - most) / GRID_HZ
