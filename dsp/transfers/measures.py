"""How a transfer was done: speed and power of raising the body, lean, smoothness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from dsp.smoothness import sparc
from dsp.transfers.bins import BIN_S, BINS_HZ
from dsp.transfers.found import Kind
from dsp.transfers.motion import GRAVITY, Motion, angle_between
from dsp.transfers.past import hann, smoothed

THIGH_SHARE: Final = 0.245
"""Length of a thigh by the height of its owner (Winter 2009, Biomechanics and Motor Control, figure 4.1)."""
LEAST_ANGLE: Final = 0.2
"""A thigh whose vertical moves less, rad, does not show how the hips rise."""
SMOOTH_S: Final = 0.25


class Wearer(NamedTuple):
    """Who wears the sensor, and where; None is unknown."""

    placement: str
    height_m: float | None = None
    mass_kg: float | None = None


def measure(kind: Kind, rows: Sequence[Motion], wearer: Wearer) -> tuple[float, float, float, float]:
    """Return peak velocity, m/s, peak power, W, lean, degrees, and smoothness of a transfer; NaN where unknown."""
    if len(rows) < 4:
        return (math.nan,) * 4
    speeds = smoothed(_speeds(kind, rows, wearer), hann(SMOOTH_S))
    sign = 1.0 if kind == "sit_to_stand" else -1.0
    power = math.nan
    if kind == "sit_to_stand" and wearer.mass_kg is not None:
        gains = np.gradient(speeds, BIN_S)
        power = max(wearer.mass_kg * (GRAVITY + gain) * speed for gain, speed in zip(gains, speeds, strict=True))
    lean = math.nan
    if wearer.placement in ("lower_back", "chest"):
        upright = rows[-1 if kind == "sit_to_stand" else 0].up
        lean = math.degrees(max(angle_between(row.up, upright) for row in rows))
    return max(sign * speed for speed in speeds), float(power), lean, sparc([row.spin for row in rows], BINS_HZ)


def _speeds(kind: Kind, rows: Sequence[Motion], wearer: Wearer) -> list[float]:
    """Return the vertical speed of the hips or the trunk, m/s; NaN where the sensor does not show it."""
    if wearer.placement in ("lower_back", "chest"):
        sums = np.cumsum([row.lift for row in rows]) * BIN_S
        return list((sums - np.linspace(sums[0], sums[-1], len(sums))).tolist())  # at rest before and after
    unknown = [math.nan] * len(rows)
    if wearer.placement != "thigh" or wearer.height_m is None:
        return unknown
    seat = rows[0 if kind == "sit_to_stand" else -1].up
    angles = np.array([angle_between(row.up, seat) for row in rows])
    if angles.max() < LEAST_ANGLE:
        return unknown
    # However it lies in its pocket: from lying to upright a thigh goes a quarter of a turn.
    heights = THIGH_SHARE * wearer.height_m * np.sin(angles / angles.max() * math.pi / 2)
    return list(np.gradient(heights, BIN_S).tolist())
