"""Which way a leg swings: the sign of the axis that a shank or thigh turns about.

The leg is thrown forward in swing and follows the body slowly in stance. Both turns are equal, so the quick one has
the greater cube: its direction is that of swing, and the axis to the left lies opposite. Shanks of walkers with
freezing of gait show a skewness of 1.6 to 1.9, turned over by no mounting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsp.kernel import kernel
from dsp.mounting.alignment import MEMORY_S, Alignment, see_motion
from dsp.record import Record, Vector

NOMINAL_SWINGS = 0.2  # rad^3/s^2: weight of the nominal sign, less than one slow swing
SURE_SKEW = 0.1  # share of the cubes to the other side that turns the sign round; a leg that walks has 0.6
COME_BACK = 0.3  # net share of the rotation above which the leg has only leaned and not yet swung
RECENT_S = 15.0  # of time: what counts for that


class SwingSense(Record):
    """Which way a leg swings."""

    swings: Vector  # fading integral of rate x |rate|^2, rad^3/s^2
    swings_sum: float
    turns: Vector  # the same of the rate itself, rad
    turns_sum: float


@kernel
def begin_swings(sense: SwingSense) -> None:
    """Start from the nominal mounting: swing turns about the axis to the right."""
    sense.swings[0] = 0.0
    sense.swings[1] = -NOMINAL_SWINGS
    sense.swings[2] = 0.0
    sense.swings_sum = NOMINAL_SWINGS
    for i in range(3):
        sense.turns[i] = 0.0
    sense.turns_sum = 0.0


@kernel
def see_any(sense: SwingSense, alignment: Alignment, gyr: NDArray[np.float64], dt: float) -> None:
    """Follow how far the leg has turned and come back, by every sample: in slow walks only swing is quick."""
    fade = 1.0 - dt / RECENT_S
    for i in range(3):
        sense.turns[i] = fade * sense.turns[i] + gyr[i] * dt
    size = abs(alignment.left[0] * gyr[0] + alignment.left[1] * gyr[1] + alignment.left[2] * gyr[2])
    sense.turns_sum = fade * sense.turns_sum + size * dt


@kernel
def see_leg(sense: SwingSense, alignment: Alignment, gyr: NDArray[np.float64], dt: float) -> None:
    """Learn the axis to the left from one sample of motion of a shank or thigh, rad/s.

    Takes:
        sense: What is known of its swings.
        alignment: Its ``left`` is what is learned.
    """
    see_motion(alignment, gyr, dt)
    fade = 1.0 - dt / MEMORY_S
    square = gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2
    size = abs(alignment.left[0] * gyr[0] + alignment.left[1] * gyr[1] + alignment.left[2] * gyr[2]) * dt
    for i in range(3):
        sense.swings[i] = fade * sense.swings[i] + square * gyr[i] * dt
    sense.swings_sum = fade * sense.swings_sum + square * size
    same = (
        alignment.used[0] * alignment.left[0]
        + alignment.used[1] * alignment.left[1]
        + alignment.used[2] * alignment.left[2]
    )
    sign = 1.0 if same >= 0.0 else -1.0
    net = sense.turns[0] * alignment.left[0] + sense.turns[1] * alignment.left[1] + sense.turns[2] * alignment.left[2]
    if abs(net) < COME_BACK * sense.turns_sum:
        skew = (
            sense.swings[0] * alignment.left[0]
            + sense.swings[1] * alignment.left[1]
            + sense.swings[2] * alignment.left[2]
        )
        if skew > SURE_SKEW * sense.swings_sum:
            sign = -1.0
        elif skew < -SURE_SKEW * sense.swings_sum:
            sign = 1.0
    for i in range(3):
        alignment.left[i] = sign * alignment.left[i]
