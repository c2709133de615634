"""The orientation kernel: one pass over the new samples of many sensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.orientation_gap import (
    ACC_LIMIT,
    GYR_LIMIT,
    MAG_LIMIT,
    follow_gyr,
    lose,
    remember_field,
    repeats,
    undo,
    usable,
    weave,
)
from dsp.orientation_kernel import correct_heading, correct_tilt, four
from dsp.orientation_layout import (
    ACC_MISSING,
    AT_REST,
    FROZEN,
    GYR_MISSING,
    MAG_DISTURBED,
    MAG_MISSING,
    OLD,
    RECOVERING,
)
from dsp.orientation_math import Vector, inlined, lean
from dsp.orientation_step import add_heading

FLOOR_VAR = (
    0.3 * math.pi / 180.0
) ** 2  # rad^2: nonlinear scales and axes that are not quite square are never averaged


@inlined
def missing(s: Any, p: Any, acc: Vector, gyr: Vector, mag: Vector) -> int:
    """Return flags of the channels without a value: not a number, beyond any sensor, or frozen."""
    flags = 0
    if not usable(acc, ACC_LIMIT) or (acc[0] == 0.0 and acc[1] == 0.0 and acc[2] == 0.0):
        flags |= ACC_MISSING
    if repeats(s, 0, acc) >= p.frozen:
        flags |= FROZEN | ACC_MISSING
    if not usable(gyr, GYR_LIMIT):
        flags |= GYR_MISSING
    same = repeats(s, 1, gyr)
    moving = gyr[0] * gyr[0] + gyr[1] * gyr[1] + gyr[2] * gyr[2] > p.rest_gyr
    if same >= p.frozen or (same >= p.frozen_gyr and moving):
        flags |= FROZEN | GYR_MISSING
        if same == p.frozen_gyr:
            undo(s, p)
    if p.has_mag == 1:
        if not usable(mag, MAG_LIMIT) or (mag[0] == 0.0 and mag[1] == 0.0 and mag[2] == 0.0):
            flags |= MAG_MISSING
        if s.repeats[2] >= p.frozen and s.raw[6] == mag[0] and s.raw[7] == mag[1] and s.raw[8] == mag[2]:
            flags |= FROZEN | MAG_MISSING
    return flags


@inlined
def take_field(s: Any, p: Any, mag: Vector, known: bool) -> None:
    """Take the magnetic field of a sample."""
    repeats(s, 2, mag)
    s.field_known = 1.0 if known else 0.0
    if not known:
        return
    if s.weave_left > 0 and (s.run > 1 or s.held > p.bridge):
        weave(s, p, mag)
        if s.run > 1:
            s.weave_left -= 1
    if s.held == 0 and s.lost == 0:
        correct_heading(s, p, mag)


@inlined
def take(s: Any, p: Any, k: int, acc: Vector, gyr: Vector, mag: Vector) -> int:
    """Take the sample with number ``k``; return flags."""
    if s.started == 0:
        s.started = 1
        s.index = k - 1
    step = k - s.index
    if step <= 0:
        return OLD
    s.index = k
    flags = missing(s, p, acc, gyr, mag)
    s.held += step
    if s.held == step and (step > 1 or flags & GYR_MISSING != 0):
        remember_field(s)
    if flags & GYR_MISSING == 0:
        flags |= follow_gyr(s, p, gyr, acc, flags & ACC_MISSING == 0)
    elif s.held > p.bridge:
        lose(s, p)
    if flags & ACC_MISSING == 0 and (s.held == 0 or s.held > p.bridge):
        correct_tilt(s, p, acc)
    if p.has_mag == 1:
        take_field(s, p, mag, flags & MAG_MISSING == 0)
        if s.field[6] == 1.0:
            flags |= MAG_DISTURBED
    if s.rest == 1:
        flags |= AT_REST
    if s.recovering == 1 or s.open_gain > 0.0:
        flags |= RECOVERING
    return flags


@inlined
def say(s: Any, out: Any, r: int) -> None:
    """Write the orientation of a sensor into row ``r``."""
    q = add_heading(four(s.upright), s.heading[0], s.heading[1])
    out[r, 0], out[r, 1], out[r, 2], out[r, 3] = q


@lean
def follow_all(  # noqa: PLR0917 - numba takes positional arguments
    params: Any,
    state: Any,
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    mag: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
    tilt_sd: NDArray[np.float64],
    heading_sd: NDArray[np.float64],
) -> None:
    """Run all sensors of a batch; an empty ``mag`` has no values for any of them."""
    field = (math.nan, math.nan, math.nan)
    for j in range(len(sensors)):
        s, p = state[sensors[j]], params[sensors[j]]
        for r in range(start[j], start[j + 1]):
            if len(mag) > 0:
                field = (mag[r, 0], mag[r, 1], mag[r, 2])
            force = (acc[r, 0], acc[r, 1], acc[r, 2])
            rate = (gyr[r, 0], gyr[r, 1], gyr[r, 2])
            flags[r] = take(s, p, index[r], force, rate, field)
            say(s, out, r)
        tilt_sd[j] = math.sqrt(s.tilt_var + FLOOR_VAR)
        heading_sd[j] = math.sqrt(s.heading_var + FLOOR_VAR)
