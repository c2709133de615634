"""The orientation filter, one sample at a time: VQF (Laidig and Seel, Information Fusion 91, 2023).

The gyroscope alone turns ``turn``. In that frame, which hardly moves, the specific force is averaged until what is
left is gravity, and ``tilt`` sets it upright. The magnetometer then turns ``heading`` about the vertical. A Kalman
filter reads the gyroscope's bias off rest and off the corrections that gravity asks for.
"""

from __future__ import annotations

import math
from typing import Any

from dsp.orientation.field import find_again
from dsp.orientation.math import Quaternion, Vector, inlined, lean, product, rotate, rotation, touch_up, turn_level
from dsp.orientation.step import (
    WEIGHTLESS,
    Matrix,
    is_moving,
    is_slight,
    lean_of,
    learn,
    low_pass,
    matrix,
    norm_and_dip,
    off_north,
    set_upright,
    set_upright_from_far,
    square,
    trust,
    unsure_tilt,
    watch,
)


@inlined
def four(a: Any) -> Quaternion:
    """Return the numbers of a quaternion."""
    return a[0], a[1], a[2], a[3]


@inlined
def three(a: Any) -> Vector:
    """Return the numbers of a vector."""
    return a[0], a[1], a[2]


@inlined
def keep_four(a: Any, q: Quaternion) -> None:
    """Write the numbers of a quaternion."""
    a[0], a[1], a[2], a[3] = q


@inlined
def keep_three(a: Any, v: Vector) -> None:
    """Write the numbers of a vector."""
    a[0], a[1], a[2] = v


@lean
def average(first: Any, second: Any, i: int, count: tuple[float, bool], k: Any, x: float) -> float:  # noqa: PLR0917 - numba takes positional arguments
    """Take the n-th value into channel ``i``: before a low-pass runs it averages, so that one sample is not all.

    After the last one the low-pass stands at the average, as if it had always been there.
    """
    n, last = count
    first[i] += x
    y = first[i] / n
    if last:
        first[i] = y * (1.0 - k[0])
        second[i] = y * (k[0] - k[2])
    return float(y)


@inlined
def smooth(first: Any, second: Any, i: int, count: tuple[float, bool], k: Any, x: float) -> float:  # noqa: PLR0917 - numba takes positional arguments
    """Smooth a value of channel ``i``."""
    if count[0] >= 0.0:
        return average(first, second, i, count, k, x)
    y, first[i], second[i] = low_pass(three(k), x, first[i], second[i])
    return y


@inlined
def next_count(n: float, dt: float, enough_s: float) -> tuple[tuple[float, bool], float]:
    """Return number of this sample in an average and whether it is the last one; and what to remember."""
    if n < 0.0:
        return (-1.0, False), -1.0
    n += 1.0
    last = n * dt >= enough_s
    return (n, last), -1.0 if last else n


@inlined
def predict(s: Any, p: Any, gyr: Vector) -> None:
    """Turn with the gyroscope; see whether that is calm."""
    count, s.quick_gyr_n = next_count(s.quick_gyr_n, p.dt, p.quick_s)
    for i in range(3):
        s.calm[i] = smooth(s.quick_1, s.quick_2, i, count, p.quick, gyr[i])
    if is_moving(gyr, three(s.calm), p.rest_gyr, p.bias_clip):
        s.rest_s = 0.0
        s.rest = 0.0
    s.tilt_var += p.drift
    s.heading_var += p.drift
    turn(s, p, gyr)


@inlined
def turn(s: Any, p: Any, gyr: Vector) -> None:
    """Turn by one sample of an angular rate."""
    step = rotation((gyr[0] - s.bias[0]) * p.dt, (gyr[1] - s.bias[1]) * p.dt, (gyr[2] - s.bias[2]) * p.dt)
    keep_four(s.turn, touch_up(product(four(s.turn), step)))


@inlined
def feel_rest(s: Any, p: Any, acc: Vector) -> None:
    """See whether the specific force is calm."""
    count, s.quick_acc_n = next_count(s.quick_acc_n, p.dt, p.quick_s)
    x = acc[0] - smooth(s.quick_1, s.quick_2, 3, count, p.quick, acc[0])
    y = acc[1] - smooth(s.quick_1, s.quick_2, 4, count, p.quick, acc[1])
    z = acc[2] - smooth(s.quick_1, s.quick_2, 5, count, p.quick, acc[2])
    if square(x, y, z) >= p.rest_acc:
        s.rest_s = 0.0
        s.rest = 0.0
    else:
        s.rest_s += p.dt
        if s.rest_s >= p.rest_s:
            s.rest = 1.0


@inlined
def correct_tilt(s: Any, p: Any, acc: Vector) -> None:
    """Set the averaged specific force upright; learn the bias from how much that took."""
    feel_rest(s, p, acc)
    count, s.level_n = next_count(s.level_n, p.dt, p.slow_s)
    share = p.slow_share
    if count[0] >= 0.0:
        share = max(share, 1.0 / count[0])
    force = rotate(four(s.turn), acc)
    keep_three(s.acc, force)
    s.acc_known = 1.0
    for i in range(3):
        s.gravity[i] = smooth(s.slow_1, s.slow_2, i, count, p.slow, force[i])
    off = square(force[0] - s.gravity[0], force[1] - s.gravity[1], force[2] - s.gravity[2])
    s.tilt_var, s.shake = unsure_tilt(s.tilt_var, s.shake, off, share, p.shake_gain, p.acc_span)
    x, y = straighten(s)
    if s.level_n < 0.0 or s.level_n >= p.find:
        s.lost = 0.0
    learn_bias(s, p, (-y * p.rate_hz, x * p.rate_hz), True)
    if count[1]:
        s.recovering = 0.0


@lean
def coast(s: Any, p: Any) -> None:
    """Do without specific force: gravity stays where it was in the frame of the gyroscope, and shows no bias."""
    if s.level_n < 0.0 and s.slow_n < 0.0:
        for i in range(3):
            s.gravity[i] = smooth(s.slow_1, s.slow_2, i, (-1.0, False), p.slow, s.gravity[i])
        straighten(s)
        learn_bias(s, p, (0.0, 0.0), False)
    else:
        keep_four(s.upright, product(four(s.tilt), four(s.turn)))


@inlined
def straighten(s: Any) -> tuple[float, float]:
    """Set the averaged gravity upright; return its level part before."""
    norm2, up = lean_of(four(s.tilt), three(s.gravity))
    if not norm2 > WEIGHTLESS:
        return 0.0, 0.0
    if is_slight(up):
        keep_four(s.tilt, set_upright(four(s.tilt), up))
    else:
        keep_four(s.tilt, set_upright_from_far(four(s.tilt), up))
    return up[0], up[1]


@inlined
def learn_bias(s: Any, p: Any, rate: tuple[float, float], felt: bool) -> None:
    """Update the gyroscope bias from rest, or from the rate at which gravity had to be corrected."""
    count, s.slow_n = next_count(s.slow_n, p.dt, p.slow_s)
    keep_four(s.upright, product(four(s.tilt), four(s.turn)))
    r = matrix(four(s.upright))
    x = r[0] * s.bias[0] + r[1] * s.bias[1] + r[2] * s.bias[2]
    y = r[3] * s.bias[0] + r[4] * s.bias[1] + r[5] * s.bias[2]
    r = smooth_matrix(s, p, count, r)
    x = smooth(s.slow_1, s.slow_2, 12, count, p.slow, x)
    y = smooth(s.slow_1, s.slow_2, 13, count, p.slow, y)
    if not felt or (s.recovering == 1.0 and s.rest == 0.0):  # what gravity corrects is then what was missing
        return
    b = s.bias
    bias = (b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8])
    k = (p.bias_motion, p.bias_vertical, p.bias_rest, p.bias_start, p.bias_drift, p.bias_clip)
    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8] = learn(bias, r, (x, y), rate, three(s.calm), s.rest == 1.0, k)


@inlined
def smooth_matrix(s: Any, p: Any, count: tuple[float, bool], r: Matrix) -> Matrix:
    """Smooth the rotation matrix like gravity."""
    return (
        smooth(s.slow_1, s.slow_2, 3, count, p.slow, r[0]),
        smooth(s.slow_1, s.slow_2, 4, count, p.slow, r[1]),
        smooth(s.slow_1, s.slow_2, 5, count, p.slow, r[2]),
        smooth(s.slow_1, s.slow_2, 6, count, p.slow, r[3]),
        smooth(s.slow_1, s.slow_2, 7, count, p.slow, r[4]),
        smooth(s.slow_1, s.slow_2, 8, count, p.slow, r[5]),
        smooth(s.slow_1, s.slow_2, 9, count, p.slow, r[6]),
        smooth(s.slow_1, s.slow_2, 10, count, p.slow, r[7]),
        smooth(s.slow_1, s.slow_2, 11, count, p.slow, r[8]),
    )


@inlined
def correct_heading(s: Any, p: Any, mag: Vector) -> None:
    """Turn the heading towards magnetic north, unless the field is not the usual one."""
    field = rotate(four(s.upright), mag)
    norm, dip = norm_and_dip(field)
    count, s.field_n = next_count(s.field_n, p.dt, p.field_s)
    norm = smooth(s.field_1, s.field_2, 0, count, p.field, norm)
    dip = smooth(s.field_1, s.field_2, 1, count, p.field, dip)
    watch_field(s, p, norm, dip)
    gain, s.reject_s = trust(s.reject_s, s.field[6] == 1.0, (p.dt, p.mag_gain, p.reject_s, p.reject_factor))
    if s.start_gain > 0.0:
        gain = max(gain, s.start_gain)
        s.start_gain = s.start_gain / (s.start_gain + 1.0)
        if s.start_gain * p.mag_s < p.dt:
            s.start_gain = 0.0
    off = off_north(s.heading[0], s.heading[1], field)
    way, sure = find_again(s, p, mag) if s.found_n >= 0.0 else (0.0, 0.0)
    if sure > 0.0:
        off, gain, s.open_gain = way, sure, sure
        if sure * p.mag_s <= p.dt:
            s.found_n, s.open_gain = -1.0, 0.0
    elif s.open_gain > 0.0:
        off, gain = find_heading(s, p, (norm, dip, off), gain)
    else:
        share = max(p.usual_gain, s.start_gain)
        s.usual[0] += share * (norm - s.usual[0])
        s.usual[1] += share * (dip - s.usual[1])
        s.usual[2] += share * (off - s.usual[2])
    s.heading_var += gain * (gain * p.mag_noise - (2.0 - gain) * s.heading_var)
    s.heading[0], s.heading[1] = turn_level(s.heading[0], s.heading[1], off if sure > 0.0 else gain * off)


@inlined
def watch_field(s: Any, p: Any, norm: float, dip: float) -> None:
    """See whether the field is the one that the heading rests on."""
    f = s.field
    k = (p.dt, p.ref_gain, p.norm_band, p.dip_band, p.new_s, p.new_first_s, p.undisturbed_s)
    turning = square(s.calm[0], s.calm[1], s.calm[2]) >= p.new_gyr
    f[0], f[1], f[2], f[3], f[4], f[5], f[6] = watch((f[0], f[1], f[2], f[3], f[4], f[5], f[6]), norm, dip, turning, k)


@lean
def find_heading(s: Any, p: Any, seen: Vector, gain: float) -> tuple[float, float]:
    """After something was missing turn until the field lies where it lay before, disturbed or not.

    ``seen``: norm, dip and angle off north. Returns the angle to turn and its gain.
    """
    norm, dip, off = seen
    if abs(norm - s.usual[0]) > p.norm_band * s.usual[0] or abs(dip - s.usual[1]) > p.dip_band:
        return off, gain
    way = off - (s.usual[2] if s.field[6] == 1.0 else 0.0)
    if way > math.pi:
        way -= 2.0 * math.pi
    elif way < -math.pi:
        way += 2.0 * math.pi
    gain = max(gain, s.open_gain)
    s.open_gain = s.open_gain / (s.open_gain + 1.0)
    if s.recovering == 1.0:
        s.open_gain = max(s.open_gain, p.open_least)
    if s.open_gain < p.mag_gain:
        s.open_gain = 0.0
    return way, gain
