"""The orientation filter for several sensors side by side, as a processor's vector registers like it.

The numbers of a group of sensors lie in a table, a row for each number and a column (lane) for each sensor, and each
loop over lanes becomes vector instructions. Only the usual case is done here: filters running, no sample missing, no
value that a sensor could not say. A lane that leaves it is put down as such, keeps its state, and is done over by the
kernel for single sensors, whose arithmetic is the same to the bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsp.orientation.gap import ACC_LIMIT, GYR_LIMIT, MAG_LIMIT, least_and_most
from dsp.orientation.layout import AT_REST, MAG_DISTURBED, READ, SHARED, place
from dsp.orientation.math import SERIES_LIMIT, inlined, lean, product, rotate, small_rotation, touch_up, turn_level
from dsp.orientation.past import WORK
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

LANES: Final = 16  # four vectors of four: enough that one is worked on while another waits for a root

TURN, TILT, UPRIGHT, BIAS = place("turn"), place("tilt"), place("upright"), place("bias")
SLOW_1, SLOW_2, QUICK_1, QUICK_2 = place("slow_1"), place("slow_2"), place("quick_1"), place("quick_2")
CALM, REST_S, REST = place("calm"), place("rest_s"), place("rest")
TILT_VAR, HEADING_VAR, SHAKE = place("tilt_var"), place("heading_var"), place("shake")
GRAVITY, ACC, GYR = place("gravity"), place("acc"), place("gyr")
REPEATS, RAW = place("repeats"), place("raw")
HEADING, FIELD_1, FIELD_2, FIELD = place("heading"), place("field_1"), place("field_2"), place("field")
REJECT, USUAL = place("reject_s"), place("usual")
# Rows of the table behind the state: the sample, what passes from one loop to the next, the result.
IN: Final = SHARED
SMOOTH: Final = IN + 9  # input and output of the slow filters
RATE: Final = SMOOTH + 14
OK: Final = RATE + 2
OUT: Final = OK + 1
ROWS: Final = OUT + 4
# A record of one table: its shape is then known to the compiler, without which it finds no lanes in it.
TABLE: Final = np.dtype([("z", "f8", (ROWS, LANES)), *WORK])


@inlined
def usual(s: Any, p: Any) -> bool:
    """Return whether a sensor is past its beginning and misses nothing."""
    if s.started == 0.0 or s.run < 2.0 or s.held > 0 or s.lost > 0.0 or s.gap_steps > 0 or s.weave_left > 0.0:
        return False
    if s.level_n >= 0.0 or s.slow_n >= 0.0 or s.quick_gyr_n >= 0.0 or s.quick_acc_n >= 0.0 or s.recovering > 0.0:
        return False
    if p.has_mag == 0:
        return True
    return bool(
        s.field_n < 0.0 and s.start_gain == 0.0 and s.open_gain == 0.0 and s.found_n < 0.0 and s.field_known == 1.0
    )


@lean
def check(w: Any, p: Any, n: int) -> None:
    """Count repeats; put down lanes whose sample is not one that the usual case takes."""
    z = w.z
    frozen, frozen_gyr, rest_gyr, new_gyr = float(p.frozen), float(p.frozen_gyr), p.rest_gyr, p.new_gyr
    has_mag = p.has_mag == 1
    for i in range(n):
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
    if has_mag:
        for i in range(n):
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
def calm_down(w: Any, p: Any, n: int) -> None:
    """Smooth for rest detection; see who rests."""
    z = w.z
    k = (p.quick[0], p.quick[1], p.quick[2])
    dt, rest_gyr, rest_acc, rest_s, bias_clip = p.dt, p.rest_gyr, p.rest_acc, p.rest_s, p.bias_clip
    for i in range(n):
        x, z[QUICK_1, i], z[QUICK_2, i] = low_pass(k, z[IN + 3, i], z[QUICK_1, i], z[QUICK_2, i])
        y, z[QUICK_1 + 1, i], z[QUICK_2 + 1, i] = low_pass(k, z[IN + 4, i], z[QUICK_1 + 1, i], z[QUICK_2 + 1, i])
        h, z[QUICK_1 + 2, i], z[QUICK_2 + 2, i] = low_pass(k, z[IN + 5, i], z[QUICK_1 + 2, i], z[QUICK_2 + 2, i])
        z[CALM, i], z[CALM + 1, i], z[CALM + 2, i] = x, y, h
    for i in range(n):
        calm = (z[CALM, i], z[CALM + 1, i], z[CALM + 2, i])
        moving = is_moving((z[IN + 3, i], z[IN + 4, i], z[IN + 5, i]), calm, rest_gyr, bias_clip)
        x, z[QUICK_1 + 3, i], z[QUICK_2 + 3, i] = low_pass(k, z[IN, i], z[QUICK_1 + 3, i], z[QUICK_2 + 3, i])
        y, z[QUICK_1 + 4, i], z[QUICK_2 + 4, i] = low_pass(k, z[IN + 1, i], z[QUICK_1 + 4, i], z[QUICK_2 + 4, i])
        h, z[QUICK_1 + 5, i], z[QUICK_2 + 5, i] = low_pass(k, z[IN + 2, i], z[QUICK_1 + 5, i], z[QUICK_2 + 5, i])
        pushed = square(z[IN, i] - x, z[IN + 1, i] - y, z[IN + 2, i] - h) >= rest_acc
        since = 0.0 if moving else z[REST_S, i]
        rest = 0.0 if moving else z[REST, i]
        since = 0.0 if pushed else since + dt
        rest = 0.0 if pushed else rest
        z[REST_S, i] = since
        z[REST, i] = 1.0 if since >= rest_s else rest


@lean
def turn_all(w: Any, p: Any, n: int) -> None:
    """Turn with the gyroscopes and carry the specific force into their frames."""
    z = w.z
    dt, drift = p.dt, p.drift
    for i in range(n):
        x = 0.5 * ((z[IN + 3, i] - z[BIAS, i]) * dt)
        y = 0.5 * ((z[IN + 4, i] - z[BIAS + 1, i]) * dt)
        h = 0.5 * ((z[IN + 5, i] - z[BIAS + 2, i]) * dt)
        ok = z[OK, i]
        z[OK, i] = ok if x * x + y * y + h * h < SERIES_LIMIT else 0.0
        q = (z[TURN, i], z[TURN + 1, i], z[TURN + 2, i], z[TURN + 3, i])
        q = touch_up(product(q, small_rotation(x, y, h)))
        z[TURN, i], z[TURN + 1, i], z[TURN + 2, i], z[TURN + 3, i] = q
        z[ACC, i], z[ACC + 1, i], z[ACC + 2, i] = rotate(q, (z[IN, i], z[IN + 1, i], z[IN + 2, i]))
        z[SMOOTH, i], z[SMOOTH + 1, i], z[SMOOTH + 2, i] = z[ACC, i], z[ACC + 1, i], z[ACC + 2, i]
        z[TILT_VAR, i] += drift
        z[HEADING_VAR, i] += drift


@lean
def smooth_all(w: Any, p: Any, first: int, end: int, n: int) -> None:
    """Run slow filters."""
    z = w.z
    k = (p.slow[0], p.slow[1], p.slow[2])
    for j in range(first, end):
        for i in range(n):
            z[SMOOTH + j, i], z[SLOW_1 + j, i], z[SLOW_2 + j, i] = low_pass(
                k, z[SMOOTH + j, i], z[SLOW_1 + j, i], z[SLOW_2 + j, i]
            )


@lean
def set_all_upright(w: Any, p: Any, n: int) -> None:
    """Correct the tilts; say what the slow filters are to see of it."""
    z = w.z
    rate_hz, share, shake_gain, span = p.rate_hz, p.slow_share, p.shake_gain, p.acc_span
    for i in range(n):
        x, y, h = z[SMOOTH, i], z[SMOOTH + 1, i], z[SMOOTH + 2, i]
        z[GRAVITY, i], z[GRAVITY + 1, i], z[GRAVITY + 2, i] = x, y, h
        off = square(z[ACC, i] - x, z[ACC + 1, i] - y, z[ACC + 2, i] - h)
        z[TILT_VAR, i], z[SHAKE, i] = unsure_tilt(z[TILT_VAR, i], z[SHAKE, i], off, share, shake_gain, span)
    for i in range(n):
        tilt = (z[TILT, i], z[TILT + 1, i], z[TILT + 2, i], z[TILT + 3, i])
        norm2, up = lean_of(tilt, (z[GRAVITY, i], z[GRAVITY + 1, i], z[GRAVITY + 2, i]))
        ok = z[OK, i]
        z[OK, i] = ok if (norm2 > WEIGHTLESS) & is_slight(up) else 0.0
        z[RATE, i], z[RATE + 1, i] = -up[1] * rate_hz, up[0] * rate_hz
        z[TILT, i], z[TILT + 1, i], z[TILT + 2, i], z[TILT + 3, i] = set_upright(tilt, up)
    for i in range(n):
        tilt = (z[TILT, i], z[TILT + 1, i], z[TILT + 2, i], z[TILT + 3, i])
        q = product(tilt, (z[TURN, i], z[TURN + 1, i], z[TURN + 2, i], z[TURN + 3, i]))
        z[UPRIGHT, i], z[UPRIGHT + 1, i], z[UPRIGHT + 2, i], z[UPRIGHT + 3, i] = q
        r = matrix(q)
        x, y, h = z[BIAS, i], z[BIAS + 1, i], z[BIAS + 2, i]
        z[SMOOTH + 3, i], z[SMOOTH + 4, i], z[SMOOTH + 5, i] = r[0], r[1], r[2]
        z[SMOOTH + 6, i], z[SMOOTH + 7, i], z[SMOOTH + 8, i] = r[3], r[4], r[5]
        z[SMOOTH + 9, i], z[SMOOTH + 10, i], z[SMOOTH + 11, i] = r[6], r[7], r[8]
        z[SMOOTH + 12, i] = r[0] * x + r[1] * y + r[2] * h
        z[SMOOTH + 13, i] = r[3] * x + r[4] * y + r[5] * h


@lean
def learn_all(w: Any, p: Any, n: int) -> None:
    """Update the biases."""
    z = w.z
    k = (p.bias_motion, p.bias_vertical, p.bias_rest, p.bias_start, p.bias_drift, p.bias_clip)
    for i in range(n):
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
        b = learn(b, r, level, rate, calm, z[REST, i] == 1.0, k)
        z[BIAS, i], z[BIAS + 1, i], z[BIAS + 2, i] = b[0], b[1], b[2]
        z[BIAS + 3, i], z[BIAS + 4, i], z[BIAS + 5, i] = b[3], b[4], b[5]
        z[BIAS + 6, i], z[BIAS + 7, i], z[BIAS + 8, i] = b[6], b[7], b[8]


@lean
def find_north(w: Any, p: Any, n: int) -> None:
    """Watch the fields and turn the headings."""
    z = w.z
    k = (p.field[0], p.field[1], p.field[2])
    k_watch = (p.dt, p.ref_gain, p.norm_band, p.dip_band, p.new_s, p.new_first_s, p.undisturbed_s)
    k_trust = (p.dt, p.mag_gain, p.reject_s, p.reject_factor)
    new_gyr, share, noise = p.new_gyr, p.usual_gain, p.mag_noise
    for i in range(n):  # the field in the upright frame takes the place of the sample's
        q = (z[UPRIGHT, i], z[UPRIGHT + 1, i], z[UPRIGHT + 2, i], z[UPRIGHT + 3, i])
        field = rotate(q, (z[IN + 6, i], z[IN + 7, i], z[IN + 8, i]))
        z[IN + 6, i], z[IN + 7, i], z[IN + 8, i] = field
        norm, dip = norm_and_dip(field)
        z[SMOOTH, i], z[FIELD_1, i], z[FIELD_2, i] = low_pass(k, norm, z[FIELD_1, i], z[FIELD_2, i])
        z[SMOOTH + 1, i], z[FIELD_1 + 1, i], z[FIELD_2 + 1, i] = low_pass(k, dip, z[FIELD_1 + 1, i], z[FIELD_2 + 1, i])
    for i in range(n):
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
        f = watch(f, z[SMOOTH, i], z[SMOOTH + 1, i], turning, k_watch)
        z[FIELD, i], z[FIELD + 1, i], z[FIELD + 2, i], z[FIELD + 3, i] = f[0], f[1], f[2], f[3]
        z[FIELD + 4, i], z[FIELD + 5, i], z[FIELD + 6, i] = f[4], f[5], f[6]
    for i in range(n):
        gain, z[REJECT, i] = trust(z[REJECT, i], z[FIELD + 6, i] == 1.0, k_trust)
        off = off_north(z[HEADING, i], z[HEADING + 1, i], (z[IN + 6, i], z[IN + 7, i], z[IN + 8, i]))
        z[USUAL, i] += share * (z[SMOOTH, i] - z[USUAL, i])
        z[USUAL + 1, i] += share * (z[SMOOTH + 1, i] - z[USUAL + 1, i])
        z[USUAL + 2, i] += share * (off - z[USUAL + 2, i])
        z[HEADING_VAR, i] += gain * (gain * noise - (2.0 - gain) * z[HEADING_VAR, i])
        z[HEADING, i], z[HEADING + 1, i] = turn_level(z[HEADING, i], z[HEADING + 1, i], gain * off)


@lean
def orient_all(w: Any, n: int) -> None:
    """Put orientation and heading together."""
    z = w.z
    for i in range(n):
        q = (z[UPRIGHT, i], z[UPRIGHT + 1, i], z[UPRIGHT + 2, i], z[UPRIGHT + 3, i])
        z[OUT, i], z[OUT + 1, i], z[OUT + 2, i], z[OUT + 3, i] = add_heading(q, z[HEADING, i], z[HEADING + 1, i])


@lean
def step_group(w: Any, p: Any, n: int) -> None:
    """Take one sample of each of the first ``n`` lanes."""
    check(w, p, n)
    calm_down(w, p, n)
    turn_all(w, p, n)
    smooth_all(w, p, 0, 3, n)
    set_all_upright(w, p, n)
    smooth_all(w, p, 3, 14, n)
    learn_all(w, p, n)
    if p.has_mag == 1:
        find_north(w, p, n)
    orient_all(w, n)


@inlined
def load(z: Any, i: int, r: int, acc: Any, gyr: Any, mag: Any) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Put row ``r`` of the samples into lane ``i``."""
    z[IN, i], z[IN + 1, i], z[IN + 2, i] = acc[r, 0], acc[r, 1], acc[r, 2]
    z[IN + 3, i], z[IN + 4, i], z[IN + 5, i] = gyr[r, 0], gyr[r, 1], gyr[r, 2]
    if len(mag) > 0:
        z[IN + 6, i], z[IN + 7, i], z[IN + 8, i] = mag[r, 0], mag[r, 1], mag[r, 2]


@inlined
def store(z: Any, i: int, r: int, has_mag: bool, out: Any, flags: Any) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Write what lane ``i`` says into row ``r``."""
    out[r, 0], out[r, 1], out[r, 2], out[r, 3] = z[OUT, i], z[OUT + 1, i], z[OUT + 2, i], z[OUT + 3, i]
    flags[r] = AT_REST if z[REST, i] == 1.0 else 0
    if has_mag and z[FIELD + 6, i] == 1.0:
        flags[r] |= MAG_DISTURBED


@inlined
def fetch(z: Any, state: Any, sensors: Any, n: int) -> None:
    """Lay the states of ``n`` sensors side by side, four numbers at a time: a fifth faster than all of one sensor."""
    for j in range(0, READ - 3, 4):
        for i in range(n):
            k = sensors[i]
            z[j, i], z[j + 1, i] = state[k, j], state[k, j + 1]
            z[j + 2, i], z[j + 3, i] = state[k, j + 2], state[k, j + 3]
    for j in range(READ - READ % 4, READ):
        for i in range(n):
            z[j, i] = state[sensors[i], j]


@inlined
def put_back(z: Any, state: Any, sensors: Any, n: int) -> None:
    """Write the lanes that were done back in the same way."""
    for j in range(0, SHARED - 3, 4):
        for i in range(n):
            if z[OK, i] == 1.0:
                k = sensors[i]
                state[k, j], state[k, j + 1] = z[j, i], z[j + 1, i]
                state[k, j + 2], state[k, j + 3] = z[j + 2, i], z[j + 3, i]
    for j in range(SHARED - SHARED % 4, SHARED):
        for i in range(n):
            if z[OK, i] == 1.0:
                state[sensors[i], j] = z[j, i]


@lean
def follow_group(  # noqa: PLR0917 - numba takes positional arguments
    w: Any,
    p: Any,
    state: NDArray[np.float64],
    sensors: NDArray[np.int64],
    first: NDArray[np.int64],
    n: int,
    m: int,
    samples: Any,
    written: Any,
) -> None:
    """Take ``m`` samples of each of ``n`` sensors, from rows ``first`` on; ``z[OK]`` is 1 for those that were done."""
    z = w.z
    acc, gyr, mag = samples
    out, flags = written
    for i in range(n):
        z[OK, i] = 1.0
    fetch(z, state, sensors, n)
    for t in range(m):
        for i in range(n):
            load(z, i, first[i] + t, acc, gyr, mag)
        step_group(w, p, n)
        for i in range(n):
            store(z, i, first[i] + t, p.has_mag == 1, out, flags)
    put_back(z, state, sensors, n)
