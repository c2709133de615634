"""A limb that lies still until somebody lifts it, or taps the sensor on it."""

from __future__ import annotations

import numpy as np

from simulators.motion.source import Motion, MotionSource

SWING_RAD_S = 2.0
TAP_M_S2 = 40.0


class Limb(MotionSource):
    """A motion source for one sensor.

    Attributes:
        lifted: Whether it swings at present.
        taps: Taps that are still to come, one a sample.
    """

    def __init__(self, rate_hz: float = 60.0) -> None:
        self.rate_hz = rate_hz
        self.lifted = False
        self.taps = 0
        self._taken = 0

    def read_until(self, until_s: float) -> Motion:
        """Return samples up to ``until_s``."""
        k = np.arange(self._taken, max(int(until_s * self.rate_hz) + 1, self._taken))
        self._taken += len(k)
        acc, gyr = np.zeros((len(k), 3)), np.zeros((len(k), 3))
        acc[:, 2] = 9.81
        gyr[:, 1] = SWING_RAD_S * self.lifted
        if self.taps and len(k):
            acc[len(k) // 2, 2] += TAP_M_S2
            self.taps -= 1
        return Motion(k / self.rate_hz, acc, gyr, np.full((len(k), 3), 0.1), np.ones(len(k), np.bool_))
