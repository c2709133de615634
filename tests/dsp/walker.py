"""A trunk that walks: the least that a lower-back sensor would feel, with contacts that are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

G = 9.80665
LEAD_S = 0.068
LIFT_OFF_S = 0.36  # before the foot lands; seen of a man who walks at 0.5 m/s
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    index: NDArray[np.int64]
    acc: Floats
    gyr: Floats
    contacts: Floats  # in samples
    left: NDArray[np.bool_]

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Stream:
        return Stream(self.index[rows], self.acc[rows], self.gyr[rows], self.contacts, self.left)


def walker(
    *,
    rate_hz: float = 100.0,
    cadence_spm: float = 110.0,
    steps: int = 20,
    force: float = 3.0,
    turn_rad_s: float = 0.0,
    limp: float = 0.0,
    lift_off: float = 0.0,
    noise: float = 0.05,
    seed: int = 0,
) -> Stream:
    """Return two seconds of standing, a walk, five seconds of standing; x forward, y left, z up.

    Each step unloads and then loads the trunk; the contact follows the steepest rise by `LEAD_S`, as it does on people.
    The pelvis turns to and fro once a stride, furthest forward on the left at left contacts. Of a limp every second
    step comes late by a share of a step; a lift-off (m/s^2) lifts the trunk already before the foot lands.
    """
    rng = np.random.default_rng(seed)
    step_s = 60.0 / cadence_spm
    times: Floats = 2.0 + step_s * np.arange(1, steps + 1, dtype=np.float64)
    times[1::2] += limp * step_s
    n = int((times[-1] + 5.0) * rate_hz)
    t = np.arange(n) / rate_hz
    up = np.zeros(n)
    width = min(step_s, 0.6)
    for at in times:
        phase = (t - at) / width
        up += force * np.where(np.abs(phase) < 0.5, np.sin(2.0 * np.pi * phase), 0.0)
        early = (t - at + LIFT_OFF_S) / LIFT_OFF_S
        up += lift_off * np.where(np.abs(early) < 0.5, np.sin(2.0 * np.pi * early), 0.0)
    walking = (t > 2.0) & (t < times[-1] + 0.5 * step_s)
    stride = np.where(walking, np.pi * (t - times[0]) / step_s, 0.0)
    yaw = np.where(walking, turn_rad_s - 0.4 * np.cos(stride), 0.0)
    ahead = np.where(walking, 0.8 * np.cos(2.0 * stride), 0.0)
    sideways = np.where(walking, 0.5 * np.sin(stride), 0.0)
    acc = np.column_stack([ahead, sideways, G + up]) + noise * rng.standard_normal((n, 3))
    gyr = np.column_stack([np.zeros(n), np.zeros(n), yaw]) + 0.1 * noise * rng.standard_normal((n, 3))
    return Stream(np.arange(n), acc, gyr, (times + LEAD_S) * rate_hz, np.arange(steps) % 2 == 0)
