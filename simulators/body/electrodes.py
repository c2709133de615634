"""What electrodes and probes on the skin pick up, as functions of time: heart, muscle, sweat, pulse.

Shapes for tests and screens, not models: a beat is a sum of bells, a muscle is hum in bursts at the pace of walking.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from simulators.motion.source import Floats

BEAT_S: Final = 0.83
SWAY_S, SWAY_BEATS = 0.03, 5.3  # breathing moves the beats to and fro by so much, in so many beats
WAVES_MV: Final = (
    (-0.17, 0.025, 0.12), (-0.03, 0.008, -0.12), (0.0, 0.010, 1.10), (0.03, 0.008, -0.25), (0.28, 0.05, 0.3),
)  # fmt: skip
"""P, Q, R, S and T: seconds from the beat, width (s), millivolts."""
LEADS: Final = (1.0, 0.7, 0.9)  # LL-RA, LA-RA and Vx-RL of the same heart
STEP_S: Final = 1.1
MUSCLE_MV, MUSCLE_HZ = 0.4, (61.0, 83.7, 107.3, 139.1)
CONDUCTANCE_US, SWEAT_US, SWEAT_S = 2.0, 1.5, 40.0
PULSE_DELAY_S, PULSE_WIDTH_S = 0.25, 0.09  # from the beat to the finger, and how long it is there


class Electrodes:
    """Whoever wears them.

    Args:
        seed: Who it is: moves everything in time.
    """

    def __init__(self, seed: int = 0) -> None:
        self._begin_s = (seed % 97) / 97 * BEAT_S

    def ecg_mv(self, time_s: Floats) -> Floats:
        """Return millivolts (n, 3) of three leads."""
        since = self._since_beat(time_s)
        wave = np.sum([height * _bell(since, at, width) for at, width, height in WAVES_MV], axis=0)
        return np.asarray(wave[:, None] * np.array(LEADS))

    def emg_mv(self, time_s: Floats) -> Floats:
        """Return millivolts (n, 2) of a muscle of each leg, by turns."""
        hum = np.mean([np.sin(2 * math.pi * hertz * time_s) for hertz in MUSCLE_HZ], axis=0)
        effort = np.sin(2 * math.pi * (time_s + self._begin_s) / STEP_S)
        return np.asarray(MUSCLE_MV * hum[:, None] * np.clip(np.stack([effort, -effort], axis=1), 0.05, None))

    def conductance_us(self, time_s: Floats) -> Floats:
        """Return the conductance (n,) between two fingers, microsiemens."""
        return CONDUCTANCE_US + SWEAT_US * np.sin(2 * math.pi * (time_s + self._begin_s) / SWEAT_S)

    def pulse(self, time_s: Floats) -> Floats:
        """Return the light (n,) through a finger, 0 to 1."""
        return _bell(self._since_beat(time_s - PULSE_DELAY_S), 0.0, PULSE_WIDTH_S)

    def _since_beat(self, time_s: Floats) -> Floats:
        """Return the time since the nearest beat (n,), negative before it; seconds."""
        beats = (time_s + self._begin_s) / BEAT_S
        nearest = np.round(beats)
        return (beats - nearest) * BEAT_S - SWAY_S * np.sin(2 * math.pi * nearest / SWAY_BEATS)


def _bell(since: Floats, at: float, width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((since - at) / width) ** 2))
