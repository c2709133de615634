"""Which way a leg swings: the sign of the axis that a shank or thigh turns about.

The leg is thrown forward in swing and follows the body slowly in stance. Both turns are equal, so the quick one has
the greater cube: its direction is that of swing, and the axis to the left lies opposite. Shanks of walkers with
freezing of gait show a skewness of 1.6 to 1.9, turned over by no mounting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.kernel import kernel
from dsp.mounting.alignment import MEMORY_S, see_motion

NOMINAL_SWINGS = 0.2  # rad^3/s^2: weight of the nominal sign, less than one slow swing
SURE_SKEW = 0.1  # share of the cubes to the other side that turns the sign round; a leg that walks has 0.6
COME_BACK = 0.3  # net share of the rotation above which the leg has only leaned and not yet swung
RECENT_S = 15.0  # of time: what counts for that


@kernel
def begin_swings(s: Any) -> None:
    """Start from the nominal mounting: swing turns about the axis to the right."""
    s.swings[0] = 0.0
    s.swings[1] = -NOMINAL_SWINGS
    s.swings[2] = 0.0
    s.swings_sum = NOMINAL_SWINGS
    for i in range(3):
        s.turns[i] = 0.0
    s.turns_sum = 0.0


@kernel
def see_any(s: Any, a: Any, gyr: NDArray[np.float64], dt: float) -> None:
    """Follow how far the leg has turned and come back, by every sample: in slow walks only swing is quick."""
    fade = 1.0 - dt / RECENT_S
    for i in range(3):
        s.turns[i] = fade * s.turns[i] + gyr[i] * dt
    size = abs(a.left[0] * gyr[0] + a.left[1] * gyr[1] + a.left[2] * gyr[2])
    s.turns_sum = fade * s.turns_sum + size * dt


@kernel
def see_leg(s: Any, a: Any, gyr: NDArray[np.float64], dt: float) -> None:
    """Learn the axis to the left from one sample of motion of a shank or thigh, rad/s.

    Takes:
        s: A record with ``swings`` (3,), ``swings_sum``, ``turns`` (3,) and ``turns_sum``.
        a: A row of ``dsp.mounting.alignment.ALIGNMENT``; its ``left`` is what is learned.
    """
    see_motion(a, gyr, dt)
    fade = 1.0 - dt / MEMORY_S
    square = gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2
    size = abs(a.left[0] * gyr[0] + a.left[1] * gyr[1] + a.left[2] * gyr[2]) * dt
    for i in range(3):
        s.swings[i] = fade * s.swings[i] + square * gyr[i] * dt
    s.swings_sum = fade * s.swings_sum + square * size
    same = a.used[0] * a.left[0] + a.used[1] * a.left[1] + a.used[2] * a.left[2]
    sign = 1.0 if same >= 0.0 else -1.0
    net = s.turns[0] * a.left[0] + s.turns[1] * a.left[1] + s.turns[2] * a.left[2]
    if abs(net) < COME_BACK * s.turns_sum:
        skew = s.swings[0] * a.left[0] + s.swings[1] * a.left[1] + s.swings[2] * a.left[2]
        if skew > SURE_SKEW * s.swings_sum:
            sign = -1.0
        elif skew < -SURE_SKEW * s.swings_sum:
            sign = 1.0
    for i in range(3):
        a.left[i] = sign * a.left[i]
