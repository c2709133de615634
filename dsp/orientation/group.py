"""The orientation filter for several sensors side by side, as a processor's vector registers like it.

The numbers of a group of sensors lie in a table, a row for each number and a column for each sensor, and each loop
over columns becomes vector instructions. Only the usual case is done here: filters running, no sample missing, no value
that a sensor could not say. A column that leaves it is put down as such, keeps its state, and is done over by the
kernel for single sensors, whose arithmetic is the same to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsp.limits import ACC_LIMIT, GYR_LIMIT
from dsp.orientation.gap import MAG_LIMIT, least_and_most
from dsp.orientation.layout import (
    OrientationKernelParams,
    Samples,
    Written,
)
from dsp.orientation.math import SERIES_LIMIT, lean, product, rotate, small_rotation, touch_up, turn_level
from dsp.orientation.step import (
    WEIGHTLESS,
    add_heading,
    is_moving,
    is_slight,
    lean_of,
    learn,
    low_pass,
    matrix,
    norm_and_dip,
    off_north,
    set_upright,
    square,
    trust,
    unsure_tilt,
    watch,
)
from dsp.orientation.table import (
    ACC,
    BIAS,
    CALM,
    FIELD,
    FIELD_1,
    FIELD_2,
    GRAVITY,
    GYR,
    HEADING,
    HEADING_VAR,
    IN,
    OK,
    OUT,
    QUICK_1,
    QUICK_2,
    RATE,
    RAW,
    REJECT,
    REPEATS,
    REST,
    REST_S,
    SHAKE,
    SLOW_1,
    SLOW_2,
    SMOOTH,
    TILT,
    TILT_VAR,
    TURN,
    UPRIGHT,
    USUAL,
    Table,
    fetch,
    load,
    put_back,
    store,
)


@lean
def check(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Count repeats; put down columns whose sample is not one that the usual case takes."""
    z = work.z
    frozen, frozen_gyr = float(params.frozen), float(params.frozen_gyr)
    rest_gyr, new_gyr = params.rest_gyr, params.new_gyr
    for i in range(count):
        ok = z[OK, i]
        ax, ay, az = z[IN, i], z[IN + 1, i], z[IN + 2, i]
        gx, gy, gz = z[IN + 3, i], z[IN + 4, i], z[IN + 5, i]
        x = z[REPEATS, i] + 1.0 if ax == z[RAW, i] else 0.0
        y = z[REPEATS + 1, i] + 1.0 if ay == z[RAW + 1, i] else 0.0
        h = z[REPEATS + 2, i] + 1.0 if az == z[RAW + 2, i] else 0.0
        z[REPEATS, i], z[REPEATS + 1, i], z[REPEATS + 2, i] = x, y, h
        least, most = least_and_most(x, y, h)
        rate = square(gx, gy, gz)
        bad = (least >= frozen) | ((most >= frozen) & (rate > new_gyr))
        x = z[REPEATS + 3, i] + 1.0 if gx == z[RAW + 3, i] else 0.0
        y = z[REPEATS + 4, i] + 1.0 if gy == z[RAW + 4, i] else 0.0
        h = z[REPEATS + 5, i] + 1.0 if gz == z[RAW + 5, i] else 0.0
        z[REPEATS + 3, i], z[REPEATS + 4, i], z[REPEATS + 5, i] = x, y, h
        least, most = least_and_most(x, y, h)
        bad |= (least >= frozen) | ((rate > rest_gyr) & ((least >= frozen_gyr) | (most >= frozen)))
        bad |= (ax == 0.0) & (ay == 0.0) & (az == 0.0)
        good = (abs(ax) < ACC_LIMIT) & (abs(ay) < ACC_LIMIT) & (abs(az) < ACC_LIMIT)
        good &= (abs(gx) < GYR_LIMIT) & (abs(gy) < GYR_LIMIT) & (abs(gz) < GYR_LIMIT)
        ok = ok if good else 0.0
        z[OK, i] = 0.0 if bad else ok
        z[RAW, i], z[RAW + 1, i], z[RAW + 2, i] = ax, ay, az
        z[RAW + 3, i], z[RAW + 4, i], z[RAW + 5, i] = gx, gy, gz
        z[GYR, i], z[GYR + 1, i], z[GYR + 2, i] = gx, gy, gz
    if params.has_mag == 1:
        check_fields(work, params, count)


@lean
def check_fields(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Do the same with the magnetic fields."""
    z = work.z
    frozen = float(params.frozen)
    for i in range(count):
        ok = z[OK, i]
        x, y, h = z[IN + 6, i], z[IN + 7, i], z[IN + 8, i]
        same = (x == z[RAW + 6, i]) & (y == z[RAW + 7, i]) & (h == z[RAW + 8, i])
        repeats = z[REPEATS + 6, i] + 1.0 if same else 0.0
        bad = (repeats >= frozen) | ((x == 0.0) & (y == 0.0) & (h == 0.0))
        good = (abs(x) < MAG_LIMIT) & (abs(y) < MAG_LIMIT) & (abs(h) < MAG_LIMIT)
        ok = ok if good else 0.0
        z[OK, i] = 0.0 if bad else ok
        z[REPEATS + 6, i] = repeats
        z[RAW + 6, i], z[RAW + 7, i], z[RAW + 8, i] = x, y, h


@lean
def calm_down(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Smooth for rest detection; see who rests."""
    z = work.z
    coefficients = (params.quick[0], params.quick[1], params.quick[2])
    dt, rest_gyr, rest_acc, rest_s, bias_clip = (
        params.dt,
        params.rest_gyr,
        params.rest_acc,
        params.rest_s,
        params.bias_clip,
    )
    for i in range(count):
        x, z[QUICK_1, i], z[QUICK_2, i] = low_pass(coefficients, z[IN + 3, i], z[QUICK_1, i], z[QUICK_2, i])
        y, z[QUICK_1 + 1, i], z[QUICK_2 + 1, i] = low_pass(
            coefficients, z[IN + 4, i], z[QUICK_1 + 1, i], z[QUICK_2 + 1, i]
        )
        h, z[QUICK_1 + 2, i], z[QUICK_2 + 2, i] = low_pass(
            coefficients, z[IN + 5, i], z[QUICK_1 + 2, i], z[QUICK_2 + 2, i]
        )
        z[CALM, i], z[CALM + 1, i], z[CALM + 2, i] = x, y, h
    for i in range(count):
        calm = (z[CALM, i], z[CALM + 1, i], z[CALM + 2, i])
        moving = is_moving((z[IN + 3, i], z[IN + 4, i], z[IN + 5, i]), calm, rest_gyr, bias_clip)
        x, z[QUICK_1 + 3, i], z[QUICK_2 + 3, i] = low_pass(coefficients, z[IN, i], z[QUICK_1 + 3, i], z[QUICK_2 + 3, i])
        y, z[QUICK_1 + 4, i], z[QUICK_2 + 4, i] = low_pass(
            coefficients, z[IN + 1, i], z[QUICK_1 + 4, i], z[QUICK_2 + 4, i]
        )
        h, z[QUICK_1 + 5, i], z[QUICK_2 + 5, i] = low_pass(
            coefficients, z[IN + 2, i], z[QUICK_1 + 5, i], z[QUICK_2 + 5, i]
        )
        pushed = square(z[IN, i] - x, z[IN + 1, i] - y, z[IN + 2, i] - h) >= rest_acc
        since = 0.0 if moving else z[REST_S, i]
        rest = 0.0 if moving else z[REST, i]
        since = 0.0 if pushed else since + dt
        rest = 0.0 if pushed else rest
        z[REST_S, i] = since
        z[REST, i] = 1.0 if since >= rest_s else rest


@lean
def turn_all(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Turn with the gyroscopes and carry the specific force into their frames."""
    z = work.z
    dt, drift = params.dt, params.drift
    for i in range(count):
        x = 0.5 * ((z[IN + 3, i] - z[BIAS, i]) * dt)
        y = 0.5 * ((z[IN + 4, i] - z[BIAS + 1, i]) * dt)
        h = 0.5 * ((z[IN + 5, i] - z[BIAS + 2, i]) * dt)
        ok = z[OK, i]
        z[OK, i] = ok if x * x + y * y + h * h < SERIES_LIMIT else 0.0
        quaternion = (z[TURN, i], z[TURN + 1, i], z[TURN + 2, i], z[TURN + 3, i])
        quaternion = touch_up(product(quaternion, small_rotation(x, y, h)))
        z[TURN, i], z[TURN + 1, i], z[TURN + 2, i], z[TURN + 3, i] = quaternion
        z[ACC, i], z[ACC + 1, i], z[ACC + 2, i] = rotate(quaternion, (z[IN, i], z[IN + 1, i], z[IN + 2, i]))
        z[SMOOTH, i], z[SMOOTH + 1, i], z[SMOOTH + 2, i] = z[ACC, i], z[ACC + 1, i], z[ACC + 2, i]
        z[TILT_VAR, i] += drift
        z[HEADING_VAR, i] += drift


@lean
def smooth_all(work: Table, params: OrientationKernelParams, first: int, end: int, count: int) -> None:
    """Run slow filters."""
    z = work.z
    coefficients = (params.slow[0], params.slow[1], params.slow[2])
    for j in range(first, end):
        for i in range(count):
            z[SMOOTH + j, i], z[SLOW_1 + j, i], z[SLOW_2 + j, i] = low_pass(
                coefficients, z[SMOOTH + j, i], z[SLOW_1 + j, i], z[SLOW_2 + j, i]
            )


@lean
def set_all_upright(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Correct the tilts; say what the slow filters are to see of it."""
    z = work.z
    rate_hz, share, shake_gain, span = params.rate_hz, params.slow_share, params.shake_gain, params.acc_span
    for i in range(count):
        x, y, h = z[SMOOTH, i], z[SMOOTH + 1, i], z[SMOOTH + 2, i]
        z[GRAVITY, i], z[GRAVITY + 1, i], z[GRAVITY + 2, i] = x, y, h
        off = square(z[ACC, i] - x, z[ACC + 1, i] - y, z[ACC + 2, i] - h)
        z[TILT_VAR, i], z[SHAKE, i] = unsure_tilt(z[TILT_VAR, i], z[SHAKE, i], off, share, shake_gain, span)
    for i in range(count):
        tilt = (z[TILT, i], z[TILT + 1, i], z[TILT + 2, i], z[TILT + 3, i])
        norm2, up = lean_of(tilt, (z[GRAVITY, i], z[GRAVITY + 1, i], z[GRAVITY + 2, i]))
        ok = z[OK, i]
        z[OK, i] = ok if (norm2 > WEIGHTLESS) & is_slight(up) else 0.0
        z[RATE, i], z[RATE + 1, i] = -up[1] * rate_hz, up[0] * rate_hz
        z[TILT, i], z[TILT + 1, i], z[TILT + 2, i], z[TILT + 3, i] = set_upright(tilt, up)
    for i in range(count):
        tilt = (z[TILT, i], z[TILT + 1, i], z[TILT + 2, i], z[TILT + 3, i])
        quaternion = product(tilt, (z[TURN, i], z[TURN + 1, i], z[TURN + 2, i], z[TURN + 3, i]))
        z[UPRIGHT, i], z[UPRIGHT + 1, i], z[UPRIGHT + 2, i], z[UPRIGHT + 3, i] = quaternion
        r = matrix(quaternion)
        x, y, h = z[BIAS, i], z[BIAS + 1, i], z[BIAS + 2, i]
        z[SMOOTH + 3, i], z[SMOOTH + 4, i], z[SMOOTH + 5, i] = r[0], r[1], r[2]
        z[SMOOTH + 6, i], z[SMOOTH + 7, i], z[SMOOTH + 8, i] = r[3], r[4], r[5]
        z[SMOOTH + 9, i], z[SMOOTH + 10, i], z[SMOOTH + 11, i] = r[6], r[7], r[8]
        z[SMOOTH + 12, i] = r[0] * x + r[1] * y + r[2] * h
        z[SMOOTH + 13, i] = r[3] * x + r[4] * y + r[5] * h


@lean
def learn_all(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Update the biases."""
    z = work.z
    settings = (
        params.bias_motion,
        params.bias_vertical,
        params.bias_rest,
        params.bias_start,
        params.bias_drift,
        params.bias_clip,
    )
    for i in range(count):
        b = (
            z[BIAS, i],
            z[BIAS + 1, i],
            z[BIAS + 2, i],
            z[BIAS + 3, i],
            z[BIAS + 4, i],
            z[BIAS + 5, i],
            z[BIAS + 6, i],
            z[BIAS + 7, i],
            z[BIAS + 8, i],
        )
        r = (
            z[SMOOTH + 3, i],
            z[SMOOTH + 4, i],
            z[SMOOTH + 5, i],
            z[SMOOTH + 6, i],
            z[SMOOTH + 7, i],
            z[SMOOTH + 8, i],
            z[SMOOTH + 9, i],
            z[SMOOTH + 10, i],
            z[SMOOTH + 11, i],
        )
        level, rate = (z[SMOOTH + 12, i], z[SMOOTH + 13, i]), (z[RATE, i], z[RATE + 1, i])
        calm = (z[CALM, i], z[CALM + 1, i], z[CALM + 2, i])
        b = learn(b, r, level, rate, calm, z[REST, i] == 1.0, settings)
        z[BIAS, i], z[BIAS + 1, i], z[BIAS + 2, i] = b[0], b[1], b[2]
        z[BIAS + 3, i], z[BIAS + 4, i], z[BIAS + 5, i] = b[3], b[4], b[5]
        z[BIAS + 6, i], z[BIAS + 7, i], z[BIAS + 8, i] = b[6], b[7], b[8]


@lean
def watch_fields(work: Table, params: OrientationKernelParams, count: int) -> None:
    """See whether the fields are those that the headings rest on."""
    z = work.z
    settings = (
        params.dt,
        params.ref_gain,
        params.norm_band,
        params.dip_band,
        params.new_s,
        params.new_first_s,
        params.undisturbed_s,
    )
    new_gyr = params.new_gyr
    for i in range(count):
        f = (
            z[FIELD, i],
            z[FIELD + 1, i],
            z[FIELD + 2, i],
            z[FIELD + 3, i],
            z[FIELD + 4, i],
            z[FIELD + 5, i],
            z[FIELD + 6, i],
        )
        turning = square(z[CALM, i], z[CALM + 1, i], z[CALM + 2, i]) >= new_gyr
        f = watch(f, z[SMOOTH, i], z[SMOOTH + 1, i], turning, settings)
        z[FIELD, i], z[FIELD + 1, i], z[FIELD + 2, i], z[FIELD + 3, i] = f[0], f[1], f[2], f[3]
        z[FIELD + 4, i], z[FIELD + 5, i], z[FIELD + 6, i] = f[4], f[5], f[6]


@lean
def find_north(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Watch the fields and turn the headings."""
    z = work.z
    coefficients = (params.field[0], params.field[1], params.field[2])
    settings = (params.dt, params.mag_gain, params.reject_s, params.reject_factor)
    share, noise = params.usual_gain, params.mag_noise
    for i in range(count):  # the field in the upright frame takes the place of the sample's
        quaternion = (z[UPRIGHT, i], z[UPRIGHT + 1, i], z[UPRIGHT + 2, i], z[UPRIGHT + 3, i])
        field = rotate(quaternion, (z[IN + 6, i], z[IN + 7, i], z[IN + 8, i]))
        z[IN + 6, i], z[IN + 7, i], z[IN + 8, i] = field
        norm, dip = norm_and_dip(field)
        z[SMOOTH, i], z[FIELD_1, i], z[FIELD_2, i] = low_pass(coefficients, norm, z[FIELD_1, i], z[FIELD_2, i])
        z[SMOOTH + 1, i], z[FIELD_1 + 1, i], z[FIELD_2 + 1, i] = low_pass(
            coefficients, dip, z[FIELD_1 + 1, i], z[FIELD_2 + 1, i]
        )
    watch_fields(work, params, count)
    for i in range(count):
        gain, z[REJECT, i] = trust(z[REJECT, i], z[FIELD + 6, i] == 1.0, settings)
        off = off_north(z[HEADING, i], z[HEADING + 1, i], (z[IN + 6, i], z[IN + 7, i], z[IN + 8, i]))
        z[USUAL, i] += share * (z[SMOOTH, i] - z[USUAL, i])
        z[USUAL + 1, i] += share * (z[SMOOTH + 1, i] - z[USUAL + 1, i])
        z[USUAL + 2, i] += share * (off - z[USUAL + 2, i])
        z[HEADING_VAR, i] += gain * (gain * noise - (2.0 - gain) * z[HEADING_VAR, i])
        z[HEADING, i], z[HEADING + 1, i] = turn_level(z[HEADING, i], z[HEADING + 1, i], gain * off)


@lean
def orient_all(work: Table, count: int) -> None:
    """Put orientation and heading together."""
    z = work.z
    for i in range(count):
        quaternion = (z[UPRIGHT, i], z[UPRIGHT + 1, i], z[UPRIGHT + 2, i], z[UPRIGHT + 3, i])
        z[OUT, i], z[OUT + 1, i], z[OUT + 2, i], z[OUT + 3, i] = add_heading(
            quaternion, z[HEADING, i], z[HEADING + 1, i]
        )


@lean
def step_group(work: Table, params: OrientationKernelParams, count: int) -> None:
    """Take one sample of each of the first columns, so many of them."""
    check(work, params, count)
    calm_down(work, params, count)
    turn_all(work, params, count)
    smooth_all(work, params, 0, 3, count)
    set_all_upright(work, params, count)
    smooth_all(work, params, 3, 14, count)
    learn_all(work, params, count)
    if params.has_mag == 1:
        find_north(work, params, count)
    orient_all(work, count)


@lean
def follow_group(  # noqa: PLR0917 - numba takes positional arguments
    work: Table,
    params: OrientationKernelParams,
    numbers: NDArray[np.float64],
    sensors: NDArray[np.int64],
    first: NDArray[np.int64],
    count: int,
    length: int,
    samples: Samples,
    written: Written,
) -> None:
    """Run on ``length`` samples of each of ``count`` sensors; ``z[OK]`` is 1 for those that were done."""
    z = work.z
    acc, gyr, mag = samples
    out, flags = written
    for i in range(count):
        z[OK, i] = 1.0
    fetch(z, numbers, sensors, count)
    for t in range(length):
        for i in range(count):
            load(z, i, first[i] + t, acc, gyr, mag)
        step_group(work, params, count)
        for i in range(count):
            store(z, i, first[i] + t, params.has_mag == 1, out, flags)
    put_back(z, numbers, sensors, count)
