"""VQF as the paper writes it, in plain NumPy and matrices, one sample at a time: what the kernel is compared with.

Nothing is shared with the product: quaternions are rotation matrices here, the Kalman filter inverts its matrix, the
averages that begin each low-pass are means of lists, and angles come from the library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DEG = math.pi / 180.0


def about(v: Array) -> Array:
    """Rotation matrix of a rotation vector (Rodrigues)."""
    angle = float(np.linalg.norm(v))
    if angle == 0.0:
        return np.eye(3)
    x, y, z = v / angle
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turned: Array = np.eye(3) + math.sin(angle) * k + (1.0 - math.cos(angle)) * k @ k
    return turned


@dataclass
class Smoother:
    """Second-order Butterworth low-pass that begins with the mean of its first ``tau`` seconds."""

    tau: float
    dt: float
    seen: list[Array] = field(default_factory=list)
    running: bool = False

    def __post_init__(self) -> None:
        c = math.tan(math.pi * self.dt * math.sqrt(2.0) / (2.0 * math.pi * self.tau))
        d = c * c + math.sqrt(2.0) * c + 1.0
        self.b = np.array([c * c, 2.0 * c * c, c * c]) / d
        self.a = np.array([1.0, 2.0 * (c * c - 1.0) / d, (c * c - math.sqrt(2.0) * c + 1.0) / d])

    def __call__(self, x: Array) -> Array:
        if not self.running:
            self.seen.append(np.array(x, float))
            mean: Array = np.mean(self.seen, axis=0)
            if len(self.seen) * self.dt >= self.tau:
                self.running = True
                self.x1 = self.x2 = self.y1 = self.y2 = mean
            return mean
        y: Array = self.b[0] * x + self.b[1] * self.x1 + self.b[2] * self.x2 - self.a[1] * self.y1 - self.a[2] * self.y2
        self.x2, self.x1, self.y2, self.y1 = self.x1, np.array(x, float), self.y1, y
        return y


class Reference:
    """State and step of the filter with the paper's parameters."""

    def __init__(self, rate_hz: float) -> None:
        self.dt = dt = 1.0 / rate_hz
        self.turn, self.tilt, self.delta = np.eye(3), np.eye(3), 0.0
        self.bias, self.p = np.zeros(3), (0.5 * DEG) ** 2 * np.eye(3)
        self.force, self.matrix, self.level = Smoother(3.0, dt), Smoother(3.0, dt), Smoother(3.0, dt)
        self.calm_gyr, self.calm_acc, self.field = Smoother(0.5, dt), Smoother(0.5, dt), Smoother(0.05, dt)
        self.rest_s, self.resting = 0.0, False
        self.v = (0.1 * DEG) ** 2 * dt / 100.0
        motion, rest = (0.1 * DEG) ** 2, (0.03 * DEG) ** 2
        w = motion**2 / self.v + motion
        self.w_motion, self.w_rest = np.diag([w, w, w / 1e-4]), (rest**2 / self.v + rest) * np.eye(3)
        self.ref, self.candidate, self.candidate_s = np.zeros(2), np.array([-1.0, 0.0]), -1.0
        self.undisturbed_s, self.disturbed, self.reject_s, self.first = 0.0, True, 60.0, 1.0

    def step(self, acc: Array, gyr: Array, mag: Array | None) -> Array:
        """Take a sample; return the rotation matrix sensor to earth."""
        self.calm = self.calm_gyr(gyr)
        if np.sum((gyr - self.calm) ** 2) >= (2.0 * DEG) ** 2 or np.abs(self.calm).max() > 2.0 * DEG:
            self.rest_s, self.resting = 0.0, False
        self.turn = self.turn @ about((gyr - self.bias) * self.dt)
        self.correct_tilt(acc)
        if mag is not None:
            self.correct_heading(mag)
        turned: Array = about(np.array([0.0, 0.0, self.delta])) @ self.tilt @ self.turn
        return turned

    def correct_tilt(self, acc: Array) -> None:
        if np.sum((acc - self.calm_acc(acc)) ** 2) >= 0.25:
            self.rest_s, self.resting = 0.0, False
        else:
            self.rest_s += self.dt
            self.resting = self.resting or self.rest_s >= 1.5
        up = self.tilt @ self.force(self.turn @ acc)
        up /= np.linalg.norm(up)
        axis, sine = np.array([up[1], -up[0], 0.0]), math.hypot(up[0], up[1])
        if sine > 0.0:
            self.tilt = about(axis / sine * math.atan2(sine, up[2])) @ self.tilt
        raw = self.tilt @ self.turn
        level = self.level((raw @ self.bias)[:2])
        r = self.matrix(raw)
        if self.resting:
            h, e, w = np.eye(3), self.calm - self.bias, self.w_rest
        else:
            h, w = r, self.w_motion
            e = np.array([-up[1] / self.dt + level[0], up[0] / self.dt + level[1], 0.0]) - r @ self.bias
        self.p = self.p + self.v * np.diag(np.diag(self.p) < (0.5 * DEG) ** 2)
        gain = self.p @ h.T @ np.linalg.inv(w + h @ self.p @ h.T)
        self.bias = np.clip(self.bias + gain @ np.clip(e, -2.0 * DEG, 2.0 * DEG), -2.0 * DEG, 2.0 * DEG)
        self.p = self.p - gain @ h @ self.p

    def correct_heading(self, mag: Array) -> None:
        dt, follow = self.dt, 1.0 - math.exp(-self.dt / 20.0)
        m = self.tilt @ self.turn @ mag
        now = self.field(np.array([np.linalg.norm(m), -math.asin(m[2] / np.linalg.norm(m))]))
        if self.near(now, self.ref):
            self.undisturbed_s += dt
            if self.undisturbed_s >= 0.5:
                self.disturbed = False
                self.ref = self.ref + follow * (now - self.ref)
        else:
            self.undisturbed_s, self.disturbed = 0.0, True
        if self.near(now, self.candidate):
            self.candidate_s += dt * (np.linalg.norm(self.calm) >= 20.0 * DEG)
            self.candidate = self.candidate + follow * (now - self.candidate)
            if self.disturbed and self.candidate_s >= (5.0 if self.ref[0] == 0.0 else 20.0):
                self.ref, self.disturbed, self.undisturbed_s = self.candidate.copy(), False, 0.5
        else:
            self.candidate, self.candidate_s = now.copy(), 0.0
        gain = 1.0 - math.exp(-dt / 9.0)
        if not self.disturbed:
            self.reject_s = max(self.reject_s - 2.0 * dt, 0.0)
        elif self.reject_s <= 60.0:
            self.reject_s += dt
            gain = 0.0
        else:
            gain /= 2.0
        if self.first > 0.0:
            gain = max(gain, self.first)
            self.first /= self.first + 1.0
            if self.first * 9.0 < dt:
                self.first = 0.0
        off = math.remainder(math.atan2(m[0], m[1]) - self.delta, 2.0 * math.pi)
        self.delta += gain * off

    @staticmethod
    def near(now: Array, usual: Array) -> bool:
        return bool(abs(now[0] - usual[0]) < 0.1 * usual[0] and abs(now[1] - usual[1]) < 10.0 * DEG)


def as_matrix(q: Array) -> Array:
    """Rotation matrix of a quaternion w, x, y, z."""
    w, v = q[0], q[1:]
    k = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    turned: Array = (w * w - v @ v) * np.eye(3) + 2.0 * np.outer(v, v) + 2.0 * w * k
    return turned


def angle_deg(a: Array, b: Array) -> float:
    """Angle between two rotation matrices, exact near zero too."""
    d = a.T @ b
    return math.degrees(2.0 * math.asin(min(1.0, float(np.linalg.norm(d - np.eye(3))) / (2.0 * math.sqrt(2.0)))))
