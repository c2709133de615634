"""The orientation kernel: one pass over the new samples of many sensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.orientation_gap import ACC_LIMIT, GYR_LIMIT, MAG_LIMIT, follow_gyr, lose, repeats, undo, usable, weave
from dsp.orientation_kernel import correct_heading, correct_tilt
from dsp.orientation_layout import (
    ACC_MISSING,
    AT_REST,
    FROZEN,
    GYR_MISSING,
    MAG_DISTURBED,
    MAG_MISSING,
    RECOVERING,
)
from dsp.orientation_math import inlined, lean

FLOOR_VAR = (
    0.3 * math.pi / 180.0
) ** 2  # rad^2: nonlinear scales and axes that are not quite square are never averaged


@inlined
def take(
    s: Any,
    p: Any,
    k: int,
    ax: float,
    ay: float,
    az: float,
    gx: float,
    gy: float,
    gz: float,
    mx: float,
    my: float,
    mz: float,
) -> int:
    """Take the sample with number ``k``; return flags."""
    if s.started == 0:
        s.started = 1
        s.index = k - 1
    step = k - s.index
    if step <= 0:
        return GYR_MISSING
    s.index = k
    flags = 0
    if repeats(s, 0, ax, ay, az) >= p.frozen:
        flags |= FROZEN | ACC_MISSING
    same = repeats(s, 1, gx, gy, gz)
    if same >= p.frozen:
        flags |= FROZEN | GYR_MISSING
        if same == p.frozen:
            undo(s, p)
    if not usable(ax, ay, az, ACC_LIMIT):
        flags |= ACC_MISSING
    if not usable(gx, gy, gz, GYR_LIMIT):
        flags |= GYR_MISSING
    s.held += step
    if flags & GYR_MISSING == 0:
        flags |= follow_gyr(s, p, gx, gy, gz, flags & ACC_MISSING == 0, ax, ay, az)
    elif s.held > p.bridge:
        lose(s, p)
    steady = s.held == 0 or s.held > p.bridge
    if steady and flags & ACC_MISSING == 0 and (ax != 0.0 or ay != 0.0 or az != 0.0):
        correct_tilt(s, p, ax, ay, az)
    if p.has_mag == 1:
        if repeats(s, 2, mx, my, mz) >= p.frozen:
            flags |= FROZEN | MAG_MISSING
        if not usable(mx, my, mz, MAG_LIMIT) or (mx == 0.0 and my == 0.0 and mz == 0.0):
            flags |= MAG_MISSING
        if s.held > p.bridge and flags & MAG_MISSING == 0:
            weave(s, p, mx, my, mz)
        elif steady and s.lost == 0 and flags & MAG_MISSING == 0:
            if s.run > 1 or s.gap_steps == 0:
                weave(s, p, mx, my, mz)
            correct_heading(s, p, mx, my, mz)
        if s.disturbed == 1:
            flags |= MAG_DISTURBED
    if s.rest == 1:
        flags |= AT_REST
    if s.recovering == 1 or s.open_gain > 0.0:
        flags |= RECOVERING
    return flags


@inlined
def say(s: Any, out: Any, r: int) -> None:
    """Write the orientation of a sensor into row ``r``."""
    q = s.upright
    c, d = s.heading[0], s.heading[1]
    out[r, 0] = c * q[0] - d * q[3]
    out[r, 1] = c * q[1] - d * q[2]
    out[r, 2] = c * q[2] + d * q[1]
    out[r, 3] = c * q[3] + d * q[0]


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
    mx = my = mz = math.nan
    for j in range(len(sensors)):
        s, p = state[sensors[j]], params[sensors[j]]
        for r in range(start[j], start[j + 1]):
            if len(mag) > 0:
                mx, my, mz = mag[r, 0], mag[r, 1], mag[r, 2]
            flags[r] = take(
                s, p, index[r], acc[r, 0], acc[r, 1], acc[r, 2], gyr[r, 0], gyr[r, 1], gyr[r, 2], mx, my, mz
            )
            say(s, out, r)
        tilt_sd[j] = math.sqrt(s.tilt_var + FLOOR_VAR)
        heading_sd[j] = math.sqrt(s.heading_var + FLOOR_VAR)
