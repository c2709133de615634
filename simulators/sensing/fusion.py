"""The orientation that a simulated sensor's firmware would report: a complementary filter, no more.

Free to be simple: it feeds the modes of a device that carry a quaternion; the gateway's own orientation filters
are tested against recordings and truth, never against this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

GRAVITY = 9.80665  # m/s^2
TILT_TIME_S = 2.0  # how slowly the tilt follows gravity: slower than a step

LEAST_LEVEL = 1e-9  # m/s^2: what is level to a thousand-millionth needs no turn, and its direction is only rounding

Quaternion = tuple[float, float, float, float]
Vector = Sequence[float]


def rotated(q: Quaternion, v: Vector) -> tuple[float, float, float]:
    """Return ``v`` of the sensor frame in the earth frame."""
    w, x, y, z = q
    tx, ty, tz = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    return (
        v[0] + w * tx + y * tz - z * ty,
        v[1] + w * ty + z * tx - x * tz,
        v[2] + w * tz + x * ty - y * tx,
    )


def product(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return the Hamilton product, scalar first."""
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )


def euler_degrees(q: Quaternion) -> tuple[float, float, float]:
    """Return roll, pitch and yaw of a quaternion, degrees: about x, then y, then z of the earth."""
    w, x, y, z = q
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return math.degrees(roll), math.degrees(pitch), math.degrees(yaw)


class Fusion:
    """Orientation of one sensor: angular velocity integrated, tilt pulled towards gravity.

    Attributes:
        quaternion: Rotation from the sensor frame to an earth frame with z up, scalar first.
    """

    def __init__(self) -> None:
        self.quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
        self._time_s: float | None = None

    def update(self, time_s: float, acc: Vector, gyr: Vector) -> Quaternion:
        """Take one sample: specific force in m/s^2, angular velocity in rad/s; the first sets the tilt at once."""
        first = self._time_s is None
        step_s = 0.0 if self._time_s is None else min(max(time_s - self._time_s, 0.0), 1.0)
        self._time_s = time_s
        self.quaternion = self._tilted(self._turned(gyr, step_s), acc, 1.0 if first else step_s / TILT_TIME_S)
        return self.quaternion

    def free_acceleration(self, acc: Vector) -> tuple[float, float, float]:
        """Return acceleration without gravity in the earth frame, m/s^2."""
        x, y, z = rotated(self.quaternion, acc)
        return x, y, z - GRAVITY

    def _turned(self, gyr: Vector, step_s: float) -> Quaternion:
        rate = math.sqrt(gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2)
        if rate * step_s == 0.0:
            return self.quaternion
        half = 0.5 * rate * step_s
        s = math.sin(half) / rate
        return product(self.quaternion, (math.cos(half), s * gyr[0], s * gyr[1], s * gyr[2]))

    @staticmethod
    def _tilted(q: Quaternion, acc: Vector, share: float) -> Quaternion:
        """Turn about the horizontal by a share of the angle between the measured and the true vertical."""
        x, y, z = rotated(q, acc)
        level = math.hypot(x, y)
        if level < LEAST_LEVEL:
            return q
        half = 0.5 * min(share, 1.0) * math.atan2(level, z)
        s = math.sin(half) / level
        w, a, b, c = product((math.cos(half), s * y, -s * x, 0.0), q)
        norm = math.sqrt(w * w + a * a + b * b + c * c)
        return w / norm, a / norm, b / norm, c / norm
