"""The orientation filter, one sample at a time: VQF (Laidig and Seel, Information Fusion 91, 2023).

The gyroscope alone turns ``turn``. In that frame, which hardly moves, the specific force is averaged until what is
left is gravity, and ``tilt`` sets it upright. The magnetometer then turns ``heading`` about the vertical. A Kalman
filter reads the gyroscope's bias off rest and off the corrections that gravity asks for.
"""

from __future__ import annotations

import math

from dsp.orientation.field import find_again
from dsp.orientation.layout import OrientationKernelParams, OrientationState
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
from dsp.record import Floats


@inlined
def four(numbers: Floats) -> Quaternion:
    """Return the numbers of a quaternion."""
    return numbers[0], numbers[1], numbers[2], numbers[3]


@inlined
def three(numbers: Floats) -> Vector:
    """Return the numbers of a vector."""
    return numbers[0], numbers[1], numbers[2]


@inlined
def keep_four(numbers: Floats, quaternion: Quaternion) -> None:
    """Write the numbers of a quaternion."""
    numbers[0], numbers[1], numbers[2], numbers[3] = quaternion


@inlined
def keep_three(numbers: Floats, vector: Vector) -> None:
    """Write the numbers of a vector."""
    numbers[0], numbers[1], numbers[2] = vector


@lean
def average(  # noqa: PLR0917 - numba takes positional arguments
    first: Floats, second: Floats, channel: int, count: tuple[float, bool], coefficients: Floats, value: float
) -> float:
    """Take the n-th value into a channel: before a low-pass runs it averages, so that one sample is not all.

    After the last one the low-pass stands at the average, as if it had always been there.
    """
    number, last = count
    first[channel] += value
    mean = first[channel] / number
    if last:
        first[channel] = mean * (1.0 - coefficients[0])
        second[channel] = mean * (coefficients[0] - coefficients[2])
    return float(mean)


@inlined
def smooth(  # noqa: PLR0917 - numba takes positional arguments
    first: Floats, second: Floats, channel: int, count: tuple[float, bool], coefficients: Floats, value: float
) -> float:
    """Smooth a value of a channel."""
    if count[0] >= 0.0:
        return average(first, second, channel, count, coefficients, value)
    smoothed, first[channel], second[channel] = low_pass(three(coefficients), value, first[channel], second[channel])
    return smoothed


@inlined
def next_count(number: float, dt: float, enough_s: float) -> tuple[tuple[float, bool], float]:
    """Return number of this sample in an average and whether it is the last one; and what to remember."""
    if number < 0.0:
        return (-1.0, False), -1.0
    number += 1.0
    last = number * dt >= enough_s
    return (number, last), -1.0 if last else number


@inlined
def predict(state: OrientationState, params: OrientationKernelParams, gyr: Vector) -> None:
    """Turn with the gyroscope; see whether that is calm."""
    count, state.quick_gyr_n = next_count(state.quick_gyr_n, params.dt, params.quick_s)
    for i in range(3):
        state.calm[i] = smooth(state.quick_1, state.quick_2, i, count, params.quick, gyr[i])
    if is_moving(gyr, three(state.calm), params.rest_gyr, params.bias_clip):
        state.rest_s = 0.0
        state.rest = 0.0
    state.tilt_var += params.drift
    state.heading_var += params.drift
    turn(state, params, gyr)


@inlined
def turn(state: OrientationState, params: OrientationKernelParams, gyr: Vector) -> None:
    """Turn by one sample of an angular rate."""
    step = rotation(
        (gyr[0] - state.bias[0]) * params.dt, (gyr[1] - state.bias[1]) * params.dt, (gyr[2] - state.bias[2]) * params.dt
    )
    keep_four(state.turn, touch_up(product(four(state.turn), step)))


@inlined
def feel_rest(state: OrientationState, params: OrientationKernelParams, acc: Vector) -> None:
    """See whether the specific force is calm."""
    count, state.quick_acc_n = next_count(state.quick_acc_n, params.dt, params.quick_s)
    x = acc[0] - smooth(state.quick_1, state.quick_2, 3, count, params.quick, acc[0])
    y = acc[1] - smooth(state.quick_1, state.quick_2, 4, count, params.quick, acc[1])
    z = acc[2] - smooth(state.quick_1, state.quick_2, 5, count, params.quick, acc[2])
    if square(x, y, z) >= params.rest_acc:
        state.rest_s = 0.0
        state.rest = 0.0
    else:
        state.rest_s += params.dt
        if state.rest_s >= params.rest_s:
            state.rest = 1.0


@inlined
def correct_tilt(state: OrientationState, params: OrientationKernelParams, acc: Vector) -> None:
    """Set the averaged specific force upright; learn the bias from how much that took."""
    feel_rest(state, params, acc)
    count, state.level_n = next_count(state.level_n, params.dt, params.slow_s)
    share = params.slow_share
    if count[0] >= 0.0:
        share = max(share, 1.0 / count[0])
    force = rotate(four(state.turn), acc)
    keep_three(state.acc, force)
    state.acc_known = 1.0
    for i in range(3):
        state.gravity[i] = smooth(state.slow_1, state.slow_2, i, count, params.slow, force[i])
    off = square(force[0] - state.gravity[0], force[1] - state.gravity[1], force[2] - state.gravity[2])
    state.tilt_var, state.shake = unsure_tilt(
        state.tilt_var, state.shake, off, share, params.shake_gain, params.acc_span
    )
    x, y = straighten(state)
    if state.level_n < 0.0 or state.level_n >= params.find:
        state.lost = 0.0
    learn_bias(state, params, (-y * params.rate_hz, x * params.rate_hz), True)
    if count[1]:
        state.recovering = 0.0


@lean
def coast(state: OrientationState, params: OrientationKernelParams) -> None:
    """Do without specific force: gravity stays where it was in the frame of the gyroscope, and shows no bias."""
    if state.level_n < 0.0 and state.slow_n < 0.0:
        for i in range(3):
            state.gravity[i] = smooth(state.slow_1, state.slow_2, i, (-1.0, False), params.slow, state.gravity[i])
        straighten(state)
        learn_bias(state, params, (0.0, 0.0), False)
    else:
        keep_four(state.upright, product(four(state.tilt), four(state.turn)))


@inlined
def straighten(state: OrientationState) -> tuple[float, float]:
    """Set the averaged gravity upright; return its level part before."""
    norm2, up = lean_of(four(state.tilt), three(state.gravity))
    if not norm2 > WEIGHTLESS:
        return 0.0, 0.0
    if is_slight(up):
        keep_four(state.tilt, set_upright(four(state.tilt), up))
    else:
        keep_four(state.tilt, set_upright_from_far(four(state.tilt), up))
    return up[0], up[1]


@inlined
def learn_bias(state: OrientationState, params: OrientationKernelParams, rate: tuple[float, float], felt: bool) -> None:
    """Update the gyroscope bias from rest, or from the rate at which gravity had to be corrected."""
    count, state.slow_n = next_count(state.slow_n, params.dt, params.slow_s)
    keep_four(state.upright, product(four(state.tilt), four(state.turn)))
    turned_by = matrix(four(state.upright))
    x = turned_by[0] * state.bias[0] + turned_by[1] * state.bias[1] + turned_by[2] * state.bias[2]
    y = turned_by[3] * state.bias[0] + turned_by[4] * state.bias[1] + turned_by[5] * state.bias[2]
    turned_by = smooth_matrix(state, params, count, turned_by)
    x = smooth(state.slow_1, state.slow_2, 12, count, params.slow, x)
    y = smooth(state.slow_1, state.slow_2, 13, count, params.slow, y)
    if not felt or (state.recovering == 1.0 and state.rest == 0.0):  # what gravity corrects is then what was missing
        return
    b = state.bias
    bias = (b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8])
    settings = (
        params.bias_motion,
        params.bias_vertical,
        params.bias_rest,
        params.bias_start,
        params.bias_drift,
        params.bias_clip,
    )
    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8] = learn(
        bias, turned_by, (x, y), rate, three(state.calm), state.rest == 1.0, settings
    )


@inlined
def smooth_matrix(
    state: OrientationState, params: OrientationKernelParams, count: tuple[float, bool], turned_by: Matrix
) -> Matrix:
    """Smooth the rotation matrix like gravity."""
    return (
        smooth(state.slow_1, state.slow_2, 3, count, params.slow, turned_by[0]),
        smooth(state.slow_1, state.slow_2, 4, count, params.slow, turned_by[1]),
        smooth(state.slow_1, state.slow_2, 5, count, params.slow, turned_by[2]),
        smooth(state.slow_1, state.slow_2, 6, count, params.slow, turned_by[3]),
        smooth(state.slow_1, state.slow_2, 7, count, params.slow, turned_by[4]),
        smooth(state.slow_1, state.slow_2, 8, count, params.slow, turned_by[5]),
        smooth(state.slow_1, state.slow_2, 9, count, params.slow, turned_by[6]),
        smooth(state.slow_1, state.slow_2, 10, count, params.slow, turned_by[7]),
        smooth(state.slow_1, state.slow_2, 11, count, params.slow, turned_by[8]),
    )


@inlined
def correct_heading(state: OrientationState, params: OrientationKernelParams, mag: Vector) -> None:
    """Turn the heading towards magnetic north, unless the field is not the usual one."""
    field = rotate(four(state.upright), mag)
    norm, dip = norm_and_dip(field)
    count, state.field_n = next_count(state.field_n, params.dt, params.field_s)
    norm = smooth(state.field_1, state.field_2, 0, count, params.field, norm)
    dip = smooth(state.field_1, state.field_2, 1, count, params.field, dip)
    watch_field(state, params, norm, dip)
    gain, state.reject_s = trust(
        state.reject_s, state.field[6] == 1.0, (params.dt, params.mag_gain, params.reject_s, params.reject_factor)
    )
    if state.start_gain > 0.0:
        gain = max(gain, state.start_gain)
        state.start_gain = state.start_gain / (state.start_gain + 1.0)
        if state.start_gain * params.mag_s < params.dt:
            state.start_gain = 0.0
    off = off_north(state.heading[0], state.heading[1], field)
    way, sure = find_again(state, params, mag) if state.found_n >= 0.0 else (0.0, 0.0)
    if sure > 0.0:
        off, gain, state.open_gain = way, sure, sure
        if sure * params.mag_s <= params.dt:
            state.found_n, state.open_gain = -1.0, 0.0
    elif state.open_gain > 0.0:
        off, gain = find_heading(state, params, (norm, dip, off), gain)
    else:
        share = max(params.usual_gain, state.start_gain)
        state.usual[0] += share * (norm - state.usual[0])
        state.usual[1] += share * (dip - state.usual[1])
        state.usual[2] += share * (off - state.usual[2])
    state.heading_var += gain * (gain * params.mag_noise - (2.0 - gain) * state.heading_var)
    state.heading[0], state.heading[1] = turn_level(
        state.heading[0], state.heading[1], off if sure > 0.0 else gain * off
    )


@inlined
def watch_field(state: OrientationState, params: OrientationKernelParams, norm: float, dip: float) -> None:
    """See whether the field is the one that the heading rests on."""
    known = state.field
    settings = (
        params.dt,
        params.ref_gain,
        params.norm_band,
        params.dip_band,
        params.new_s,
        params.new_first_s,
        params.undisturbed_s,
    )
    turning = square(state.calm[0], state.calm[1], state.calm[2]) >= params.new_gyr
    known[0], known[1], known[2], known[3], known[4], known[5], known[6] = watch(
        (known[0], known[1], known[2], known[3], known[4], known[5], known[6]), norm, dip, turning, settings
    )


@lean
def find_heading(
    state: OrientationState, params: OrientationKernelParams, seen: Vector, gain: float
) -> tuple[float, float]:
    """After something was missing turn until the field lies where it lay before, disturbed or not.

    ``seen``: norm, dip and angle off north. Returns the angle to turn and its gain.
    """
    norm, dip, off = seen
    if abs(norm - state.usual[0]) > params.norm_band * state.usual[0] or abs(dip - state.usual[1]) > params.dip_band:
        return off, gain
    way = off - (state.usual[2] if state.field[6] == 1.0 else 0.0)
    if way > math.pi:
        way -= 2.0 * math.pi
    elif way < -math.pi:
        way += 2.0 * math.pi
    gain = max(gain, state.open_gain)
    state.open_gain = state.open_gain / (state.open_gain + 1.0)
    if state.recovering == 1.0:
        state.open_gain = max(state.open_gain, params.open_least)
    if state.open_gain < params.mag_gain:
        state.open_gain = 0.0
    return way, gain
