"""Orientations that devices tell against other axes of the earth, turned to east, north and up.

A quaternion, scalar first, turns a vector from the sensor's axes to the earth's. Angles are roll, pitch and yaw about
x, y and z of the earth (in the order yaw, pitch, roll of the sensor), in radians.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from drivers.packet import Samples

HALF: Final = math.sqrt(0.5)
FROM_NED: Final = (0.0, HALF, HALF, 0.0)  # half a turn about north-east: x and y change places, z turns over
FROM_NWU: Final = (HALF, 0.0, 0.0, HALF)  # a quarter turn about up: x, which was north, becomes y


def turned(turn: tuple[float, float, float, float], q: Samples) -> Samples:
    """Return quaternions (n, 4) behind a turn of the earth's axes."""
    w, x, y, z = turn
    a, b, c, d = q.T
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=1,
    )


def angles_of(q: Samples) -> Samples:
    """Return roll, pitch and yaw (n, 3) of quaternions (n, 4)."""
    w, x, y, z = q.T
    return np.stack(
        [
            np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
            np.arcsin(np.clip(2 * (w * y - z * x), -1.0, 1.0)),
            np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
        ],
        axis=1,
    )


def from_angles(angles: Samples) -> Samples:
    """Return quaternions (n, 4) of roll, pitch and yaw (n, 3)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles.T / 2), np.sin(angles.T / 2)
    return np.stack(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ],
        axis=1,
    )


def from_matrix(m: Samples) -> Samples:
    """Return quaternions (n, 4), scalars not negative, of matrices (n, 9), row by row, that turn sensor to earth."""
    a, b, c, d, e, f, g, h, i = m.T
    squares = np.stack([1 + a + e + i, 1 + a - e - i, 1 - a + e - i, 1 - a - e + i], axis=1)
    products = np.stack(
        [
            np.stack([squares[:, 0], h - f, c - g, d - b], axis=1),
            np.stack([h - f, squares[:, 1], b + d, c + g], axis=1),
            np.stack([c - g, b + d, squares[:, 2], f + h], axis=1),
            np.stack([d - b, c + g, f + h, squares[:, 3]], axis=1),
        ],
        axis=1,
    )
    largest = np.argmax(np.nan_to_num(squares, nan=-1.0), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = products[np.arange(len(m)), largest] / (2 * np.sqrt(squares[np.arange(len(m)), largest]))[:, None]
    q = np.where(np.isfinite(q), q, np.nan)
    return np.asarray(np.where(q[:, :1] < 0, -q, q), np.float64)
