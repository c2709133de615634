"""What an inertial sensor makes of the movement it feels: bias, noise, scale, skew, steps and ends of range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.motion.source import Floats, G


@dataclass(frozen=True, slots=True)
class Imperfections:
    """How good a kind of sensor is; figures that differ from one unit to the next are standard deviations.

    The defaults are those of a small body-worn MEMS sensor of 2020 to 2025 after factory calibration.

    Attributes:
        acc_bias: m/s^2, per axis, over units.
        gyr_bias: rad/s, per axis, over units.
        acc_noise: Noise density, m/s^2/sqrt(Hz).
        gyr_noise: Noise density, rad/s/sqrt(Hz).
        scale: Error of scale as a fraction, per axis, over units.
        misalignment_deg: Angle by which the unit sits askew on the segment, about a random axis, over units.
        acc_step: Quantisation step, m/s^2; 0 for none.
        gyr_step: Quantisation step, rad/s; 0 for none.
        acc_range: Readings are cut at plus and minus this, m/s^2.
        gyr_range: Readings are cut at plus and minus this, rad/s.
    """

    acc_bias: float = 0.02 * G
    gyr_bias: float = np.deg2rad(0.2)
    acc_noise: float = 120e-6 * G
    gyr_noise: float = np.deg2rad(0.007)
    scale: float = 0.003
    misalignment_deg: float = 3.0
    acc_step: float = 16 * G / 2**15
    gyr_step: float = np.deg2rad(2000) / 2**15
    acc_range: float = 16 * G
    gyr_range: float = np.deg2rad(2000)


PERFECT = Imperfections(0, 0, 0, 0, 0, 0, 0, 0, np.inf, np.inf)
"""A sensor without faults, to test what is made of its readings."""


class Imu:
    """One unit, its faults drawn once from the seed.

    Args:
        kind: How good it is.
        rate_hz: Samples a second: white noise of a density d has the deviation ``d sqrt(rate / 2)`` a sample.
        seed: Which unit.
    """

    def __init__(self, kind: Imperfections, rate_hz: float, seed: int = 0) -> None:
        self.kind = kind
        random = self._random = np.random.default_rng([seed, 0x1A0])
        self.acc_bias = kind.acc_bias * random.standard_normal(3)
        self.gyr_bias = kind.gyr_bias * random.standard_normal(3)
        self.acc_scale = 1 + kind.scale * random.standard_normal(3)
        self.gyr_scale = 1 + kind.scale * random.standard_normal(3)
        axis = random.standard_normal(3)
        angle = np.deg2rad(kind.misalignment_deg) * random.standard_normal()
        self.askew = from_vector(angle * axis / np.linalg.norm(axis))
        self._acc_noise = kind.acc_noise * np.sqrt(rate_hz / 2)
        self._gyr_noise = kind.gyr_noise * np.sqrt(rate_hz / 2)

    def turned(self, vectors: Floats) -> Floats:
        """Return vectors (n, 3) of the segment's frame in the frame of the unit, which sits on it askew."""
        if not self.kind.misalignment_deg:
            return vectors
        x, y, z = vectors[:, 0:1], vectors[:, 1:2], vectors[:, 2:3]
        return np.asarray(x * self.askew[0] + y * self.askew[1] + z * self.askew[2])

    def draw(self, count: int) -> Floats:
        """Draw the noise (n, 6) of the next samples, standard deviation 1."""
        return self._random.standard_normal((count, 6))

    def read(self, acc: Floats, gyr: Floats, noise: Floats | None = None) -> tuple[Floats, Floats]:
        """Return what the unit reads, (n, 3) m/s^2 and rad/s, of true values in the segment's frame.

        ``noise`` is what `draw` returned for these samples; it is drawn now if left out.
        """
        kind = self.kind
        if noise is None:
            noise = self.draw(len(acc))
        acc = self.turned(acc) * self.acc_scale + self.acc_bias + self._acc_noise * noise[:, :3]
        gyr = self.turned(gyr) * self.gyr_scale + self.gyr_bias + self._gyr_noise * noise[:, 3:]
        return _digital(acc, kind.acc_step, kind.acc_range), _digital(gyr, kind.gyr_step, kind.gyr_range)


def _digital(values: Floats, step: float, limit: float) -> Floats:
    if step:
        values = np.asarray(np.round(values / step) * step)
    return np.clip(values, -limit, limit) if np.isfinite(limit) else values


def from_vector(turn: Floats) -> Floats:
    """Return the matrix (3, 3) of a rotation by ``|turn|`` radians about the direction of ``turn`` (3,) (Rodrigues)."""
    angle = float(np.linalg.norm(turn))
    if not angle:
        return np.eye(3)
    x, y, z = turn / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))
