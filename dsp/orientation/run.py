"""The orientation kernel: one pass over the new samples of many sensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.orientation.field import GIVE_UP_S, LOOK_EVERY, learn_field
from dsp.orientation.gap import (
    ACC_LIMIT,
    GYR_LIMIT,
    MAG_LIMIT,
    field_repeats,
    follow_gyr,
    lose,
    remember_field,
    repeats,
    undo,
    usable,
    weave,
)
from dsp.orientation.kernel import coast, correct_heading, correct_tilt, four
from dsp.orientation.lanes import LANES, OK, follow_group, usual
from dsp.orientation.layout import (
    ACC_MISSING,
    AT_REST,
    FROZEN,
    GYR_MISSING,
    MAG_DISTURBED,
    MAG_MISSING,
    OLD,
    RECOVERING,
)
from dsp.orientation.math import Vector, inlined, lean
from dsp.orientation.past import keep_rate
from dsp.orientation.step import add_heading, square

LEAST_GROUP = 4  # fewer sensors are done sooner one by one
REACH = 64  # sensors that are looked at to fill a group; those of a kind usually lie together
FLOOR_VAR = (
    0.3 * math.pi / 180.0
) ** 2  # rad^2: nonlinear scales and axes that are not quite square are never averaged


@inlined
def missing(s: Any, p: Any, acc: Vector, gyr: Vector, mag: Vector, past: Any) -> int:  # noqa: PLR0917 - numba takes positional arguments
    """Return flags of the channels without a value: not a number, beyond any sensor, or frozen."""
    flags = 0
    if not usable(acc, ACC_LIMIT) or (acc[0] == 0.0 and acc[1] == 0.0 and acc[2] == 0.0):
        flags |= ACC_MISSING
    rate = square(gyr[0], gyr[1], gyr[2])
    least, most = repeats(s, 0, acc)
    if least >= p.frozen or (most >= p.frozen and rate > p.new_gyr):
        flags |= FROZEN | ACC_MISSING
    if not usable(gyr, GYR_LIMIT):
        flags |= GYR_MISSING
    least, most = repeats(s, 3, gyr)
    if least >= p.frozen or (rate > p.rest_gyr and (least >= p.frozen_gyr or most >= p.frozen)):
        flags |= FROZEN | GYR_MISSING
        if rate > p.rest_gyr:
            undo(s, p, past, p.frozen if most >= p.frozen else p.frozen_gyr)
    if p.has_mag == 1:
        if not usable(mag, MAG_LIMIT) or (mag[0] == 0.0 and mag[1] == 0.0 and mag[2] == 0.0):
            flags |= MAG_MISSING
        if s.repeats[6] >= p.frozen and s.raw[6] == mag[0] and s.raw[7] == mag[1] and s.raw[8] == mag[2]:
            flags |= FROZEN | MAG_MISSING
    return flags


@inlined
def follow_field(s: Any, p: Any, mag: Vector, known: bool) -> None:
    """Take the magnetic field of a sample."""
    field_repeats(s, mag)
    s.field_known = 1.0 if known else 0.0
    if not known:
        return
    if s.weave_left > 0 and s.gap_steps == 0 and (s.run > 1 or s.held > p.bridge):
        weave(s, p, mag)
        if s.run > 1:
            s.weave_left -= 1
    if s.held == 0 and s.lost == 0:
        correct_heading(s, p, mag)


@inlined
def follow_sample(  # noqa: C901, PLR0917 - one decision a channel, in order; numba takes positional arguments
    s: Any, p: Any, k: int, acc: Vector, gyr: Vector, mag: Vector, past: Any, w: Any
) -> int:
    """Take the sample with number ``k``; return flags."""
    if s.started == 0:
        s.started = 1
        s.index = k - 1
    step = k - s.index
    if step <= 0:
        return OLD
    s.index = k
    flags = missing(s, p, acc, gyr, mag, past)
    s.held += step
    if s.held == step and (step > 1 or flags & GYR_MISSING != 0):
        remember_field(s, p)
    if flags & GYR_MISSING == 0:
        flags |= follow_gyr(s, p, gyr, acc, flags & ACC_MISSING == 0, past, w)
    elif s.held > p.bridge:
        lose(s, p)
    if s.held == 0 or s.held > p.bridge:
        if flags & ACC_MISSING == 0:
            correct_tilt(s, p, acc)
        else:
            coast(s, p)
    if p.has_mag == 1:
        follow_field(s, p, mag, flags & MAG_MISSING == 0)
        if s.field[6] == 1.0:
            flags |= MAG_DISTURBED
    if s.rest == 1:
        flags |= AT_REST
    if s.recovering == 1 or s.open_gain > 0.0:
        flags |= RECOVERING
    return flags


@inlined
def write_deviation(sd: Any, j: int, tilt_var: float, heading_var: float) -> None:
    """Write how far the orientation of the batch's sensor ``j`` may be wrong."""
    sd[0, j] = math.sqrt(tilt_var + FLOOR_VAR)
    sd[1, j] = math.sqrt(heading_var + FLOOR_VAR)


@inlined
def write_orientation(s: Any, out: Any, r: int) -> None:
    """Write the orientation of a sensor into row ``r``."""
    q = add_heading(four(s.upright), s.heading[0], s.heading[1])
    out[r, 0], out[r, 1], out[r, 2], out[r, 3] = q


@inlined
def field_counts(s: Any, p: Any) -> bool:
    """Return whether the orientation is known well enough to learn the field by it."""
    if s.held > 0 or s.lost > 0.0 or s.gap_steps > 0 or s.start_gain > 0.0 or s.field_n >= 0.0:
        return False
    return bool(s.found_n < 0.0 or s.found_n * p.dt >= GIVE_UP_S)


@inlined
def see_field(s: Any, p: Any, k: int, r: int, out: Any, mag: Any) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Look at the field of row ``r``, now and then."""
    if k % LOOK_EVERY == 0:
        learn_field(s, p, (out[r, 0], out[r, 1], out[r, 2], out[r, 3]), (mag[r, 0], mag[r, 1], mag[r, 2]))


@lean
def follow_one(s: Any, p: Any, past: Any, w: Any, a: int, b: int, index: Any, samples: Any, written: Any) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Run rows ``a`` to ``b`` of one sensor."""
    acc, gyr, mag = samples
    out, flags = written
    field = (math.nan, math.nan, math.nan)
    for r in range(a, b):
        if len(mag) > 0:
            field = (mag[r, 0], mag[r, 1], mag[r, 2])
        force = (acc[r, 0], acc[r, 1], acc[r, 2])
        rate = (gyr[r, 0], gyr[r, 1], gyr[r, 2])
        flags[r] = follow_sample(s, p, index[r], force, rate, field, past, w)
        write_orientation(s, out, r)
        if p.has_mag == 1 and flags[r] & ~(AT_REST | MAG_DISTURBED | RECOVERING) == 0 and field_counts(s, p):
            see_field(s, p, index[r], r, out, mag)
    s.fit = 1.0 if usual(s, p) else 0.0


@lean
def joins(s: Any, kind: float, index: Any, a: int, b: int) -> bool:
    """Return whether a sensor can go beside those of a kind: nothing unusual, no number missing from its counter."""
    if b <= a or s.fit == 0.0 or s.kind != kind:
        return False
    for r in range(a, b):  # noqa: SIM110 - numba has no generator expressions
        if index[r] != s.index + 1 + r - a:
            return False
    return True


@lean
def gather(j: int, state: Any, where: Any, done: Any, member: Any) -> int:
    """Choose sensors of the batch that can go beside number ``j``; return how many, it among them, or none."""
    sensors, start, index = where
    kind, m = state[sensors[j]].kind, start[j + 1] - start[j]
    if not joins(state[sensors[j]], kind, index, start[j], start[j + 1]):
        return 0
    n = 0
    for i in range(j, min(j + REACH, len(sensors))):
        if done[i] or start[i + 1] - start[i] != m:
            continue
        if joins(state[sensors[i]], kind, index, start[i], start[i + 1]):
            member[n] = i
            n += 1
            if n == LANES:
                break
    return n


@lean
def follow_group_or_each(  # noqa: PLR0917 - numba takes positional arguments
    n: int, group: Any, params: Any, all_state: Any, w: Any, where: Any, samples: Any, written: Any, sd: Any
) -> None:
    """Run ``n`` sensors of the batch side by side; those that leave the usual case once more, each by itself."""
    state, rows, past = all_state
    sensors, start, index = where
    _, gyr, mag = samples
    member, number, first = group
    for i in range(n):
        number[i] = sensors[member[i]]
        first[i] = start[member[i]]
    m = start[member[0] + 1] - start[member[0]]
    follow_group(w, params[number[0]], rows, number, first, n, m, samples, written)
    for i in range(n):
        s, p = state[number[i]], params[number[i]]
        if w.z[OK, i] == 1.0:
            s.index += m
            s.acc_known = 1.0
            for r in range(first[i], first[i] + m):
                keep_rate(s, past[number[i]], gyr[r, 0], gyr[r, 1], gyr[r, 2])
                if p.has_mag == 1:
                    see_field(s, p, index[r], r, written[0], mag)
        else:
            follow_one(s, p, past[number[i]], w, first[i], first[i] + m, index, samples, written)
        write_deviation(sd, member[i], s.tilt_var, s.heading_var)


@lean
def follow_all(  # noqa: PLR0917 - numba takes positional arguments
    used: NDArray[np.bool_],
    params: Any,
    state: Any,
    rows: NDArray[np.float64],
    past: NDArray[np.float32],
    table: Any,
    where: Any,
    samples: Any,
    written: Any,
    sd: NDArray[np.float64],
) -> bool:
    """Run all sensors of a batch; return False, with nothing done, where one of them is not attached.

    Args:
        used: Which sensor numbers are attached.
        params: Rows of ``PARAMS``.
        state: Rows of ``STATE``.
        rows: The same memory as a matrix of numbers.
        past: The newest angular rates of each sensor.
        table: One record of ``TABLE`` to work on.
        where: Sensor numbers, row offsets and sample numbers of the batch.
        samples: acc, gyr and mag; an empty mag has no values for any of them.
        written: Quaternions and flags to write.
        sd: (2, k) uncertainties of inclination and heading to write, rad.
    """
    sensors, start, index = where
    for sensor in sensors:
        if not (0 <= sensor < len(used) and used[sensor]):
            return False
    done = np.zeros(len(sensors), np.bool_)
    w = table[0]
    group = (np.empty(LANES, np.int64), np.empty(LANES, np.int64), np.empty(LANES, np.int64))
    for j in range(len(sensors)):
        if done[j]:
            continue
        n = gather(j, state, where, done, group[0]) if len(sensors) >= LEAST_GROUP else 0
        if n >= LEAST_GROUP:
            follow_group_or_each(n, group, params, (state, rows, past), w, where, samples, written, sd)
            for i in range(n):
                done[group[0][i]] = True
        else:
            k = sensors[j]
            follow_one(state[k], params[k], past[k], w, start[j], start[j + 1], index, samples, written)
            write_deviation(sd, j, state[k].tilt_var, state[k].heading_var)
            done[j] = True
    return True
