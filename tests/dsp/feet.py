"""A foot that walks as told: gyroscope and accelerometer of one foot with known contacts, for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
G = 9.81


@dataclass(frozen=True)
class Steps:
    """A walk of one foot: seconds and rad.

    ``lift`` is the heel rise before final contact; the swing turns the foot back by ``lift + strike``, the slap by
    ``strike``.
    """

    stride_s: float = 1.1
    stance: float = 0.6
    strides: int = 10
    lift: float = 1.0
    strike: float = 0.35
    stand_s: float = 2.0

    @property
    def initial_s(self) -> Floats:
        return np.asarray(self.stand_s + self.stride_s * (np.arange(self.strides) + 1.0), np.float64)

    @property
    def final_s(self) -> Floats:
        return np.asarray(self.initial_s - (1.0 - self.stance) * self.stride_s, np.float64)

    @property
    def length_s(self) -> float:
        return 2 * self.stand_s + self.stride_s * (self.strides + 1)


def lobe(t: Floats, centre: Floats, width: float, angle: float) -> Floats:
    """Return a rate (rad/s) of raised cosines around the centres, each turning by ``angle`` within 2 ``width``."""
    phase = (t[:, None] - centre[None, :]) / width
    return np.asarray(
        (np.where(np.abs(phase) < 1.0, 0.5 + 0.5 * np.cos(np.pi * phase), 0.0)).sum(axis=1) * angle / width, float
    )


def walk(steps: Steps, rate_hz: float, noise: float = 0.02, seed: int = 0) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return index, acc and gyr of the walk, sampled at ``rate_hz``."""
    n = int(steps.length_s * rate_hz)
    t = np.arange(n) / rate_hz
    swing_s = (1.0 - steps.stance) * steps.stride_s
    propulsion_s = min(0.2, 0.25 * steps.stance * steps.stride_s)
    slap_s = min(0.05, 0.2 * swing_s)
    # Push-off has died down to its timing level at final contact, the slap has grown to its own at initial contact.
    rate = -lobe(t, steps.final_s - 0.4 * propulsion_s, propulsion_s, steps.lift)
    rate += lobe(t, steps.final_s + 0.5 * swing_s, 0.45 * swing_s, steps.lift + steps.strike)
    rate -= lobe(t, steps.initial_s + 0.5 * slap_s, slap_s, steps.strike)
    rng = np.random.default_rng(seed)
    gyr = rng.normal(0.0, noise, (n, 3))
    gyr[:, 1] -= rate  # toe-up is negative about the axis that points left
    pitch = np.cumsum(rate) / rate_hz
    acc = G * np.stack([np.sin(pitch), np.zeros(n), np.cos(pitch)], axis=1) + rng.normal(0.0, 0.05, (n, 3))
    acc[:, 2] += 15.0 * lobe(t, steps.initial_s + 0.01, 0.03, 0.03)  # the impact
    return np.arange(n, dtype=np.int64), acc, gyr


def stroll(
    steps: Steps, rate_hz: float, length: float, height: float, seed: int = 0
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return a walk whose sensor also travels: ``length`` metres a stride, ``height`` metres up in each swing."""
    fine = 20  # derivatives are taken on a grid so much finer
    t = np.arange(int(steps.length_s * rate_hz) * fine) / (rate_hz * fine)
    swing_s = (1.0 - steps.stance) * steps.stride_s
    middle = steps.final_s + 0.5 * swing_s
    propulsion_s = min(0.2, 0.25 * steps.stance * steps.stride_s)
    slap_s = min(0.05, 0.2 * swing_s)
    rate = -lobe(t, steps.final_s - 0.4 * propulsion_s, propulsion_s, steps.lift)
    rate += lobe(t, middle, 0.45 * swing_s, steps.lift + steps.strike)
    rate -= lobe(t, steps.initial_s + 0.5 * slap_s, slap_s, steps.strike)
    pitch = np.cumsum(rate) / (rate_hz * fine)
    forward = np.gradient(lobe(t, middle, 0.5 * swing_s, length), t)
    phase = (t[:, None] - middle[None, :]) / (0.5 * swing_s)
    rise = np.where(np.abs(phase) < 1.0, np.cos(0.5 * np.pi * phase) ** 4, 0.0).sum(axis=1) * height
    upward = np.gradient(np.gradient(rise, t), t) + G
    acc = np.stack(
        [np.cos(pitch) * forward + np.sin(pitch) * upward, 0 * t, np.cos(pitch) * upward - np.sin(pitch) * forward], 1
    )
    gyr = np.stack([0 * t, -rate, 0 * t], 1)
    rng = np.random.default_rng(seed)
    n = len(t) // fine
    return (
        np.arange(n, dtype=np.int64),
        acc[::fine] + rng.normal(0.0, 0.02, (n, 3)),
        gyr[::fine] + rng.normal(0.0, 0.01, (n, 3)),
    )


def still_foot(seconds: float, rate_hz: float, seed: int = 0) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return a standing foot: sway, shifts of weight that tip it by up to 3 degrees, sensor noise and bias."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate_hz)
    t = np.arange(n) / rate_hz
    pitch = 0.05 * np.sin(2 * np.pi * 0.3 * t) * np.sin(2 * np.pi * 0.07 * t)
    gyr = rng.normal(0.02, 0.02, (n, 3))
    gyr[:, 1] -= np.gradient(pitch, t)
    acc = np.tile([0.0, 0.0, G], (n, 1)) + rng.normal(0.0, 0.1, (n, 3))
    return np.arange(n, dtype=np.int64), acc, gyr
