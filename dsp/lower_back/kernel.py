"""The lower-back kernel: one pass over the new samples of many sensors, state in plain arrays.

Only the vertical of the body is needed, and the sensor finds it by itself: the gyroscope carries it along and the
accelerometer corrects it slowly, so the sensor may be strapped on at any angle. A contact is where the upward force,
smoothed by a Gaussian, rises most steeply, which is the wavelet of McCamley 2012 at one fixed scale; a turn is a
stretch of yaw (El-Gohary 2014).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.kernel import kernel
from dsp.limits import ACC_LIMIT, GYR_LIMIT
from dsp.lower_back.bout import append_event, candidate, clear, end_walk
from dsp.lower_back.layout import GAP, RING, TURN, LowerBackEvent, LowerBackKernelParams, LowerBackKernelState
from dsp.record import Floats, Rows

G = 9.80665  # m/s^2
KNOWN_S = 0.5  # what the vertical before a gap still counts for, as if seen so long
STEEP = 0.8  # of the axis along the vertical: take another one


@kernel
def restart(state: LowerBackKernelState, params: LowerBackKernelParams, number: int) -> None:
    """Begin afresh at this sample; only the vertical is kept, and may be corrected fast."""
    state.first = number
    state.rises = 0
    state.turn_sign = 0.0
    state.seen = min(state.seen, KNOWN_S / params.dt)
    clear(state)


@kernel
def restart_after_gap(
    state: LowerBackKernelState, params: LowerBackKernelParams, number: int, events: Rows[LowerBackEvent], count: int
) -> int:
    """End the walk before a gap, report the gap, and begin afresh at this sample; return how many events there are."""
    count = end_walk(state, params, events, count)
    state.newest = number
    count = append_event(state, events, count, GAP, float(state.index))
    restart(state, params, number)
    return count


@kernel
def find_up(state: LowerBackKernelState, params: LowerBackKernelParams) -> tuple[float, float, float]:
    """Carry the vertical on by one sample and return it as a unit vector of the sensor frame."""
    x, y, z = state.gravity[0], state.gravity[1], state.gravity[2]
    wx, wy, wz = state.sample[3] * params.dt, state.sample[4] * params.dt, state.sample[5] * params.dt
    x, y, z = x - (wy * z - wz * y), y - (wz * x - wx * z), z - (wx * y - wy * x)
    state.seen += 1.0
    gain = 1.0 / min(state.seen, params.vertical_memory)
    x += gain * (state.sample[0] / G - x)
    y += gain * (state.sample[1] / G - y)
    z += gain * (state.sample[2] / G - z)
    state.gravity[0], state.gravity[1], state.gravity[2] = x, y, z
    norm = math.sqrt(x * x + y * y + z * z)
    if norm < 1e-6:
        return 0.0, 0.0, 1.0
    return x / norm, y / norm, z / norm


@kernel
def store(state: LowerBackKernelState, params: LowerBackKernelParams, number: int) -> None:
    """Split the newest sample into upward, level and turning parts and put them into the rings at its number."""
    i = number & (RING - 1)
    x, y, z = find_up(state, params)
    ax, ay, az = state.sample[0], state.sample[1], state.sample[2]
    state.up[i] = ax * x + ay * y + az * z - G
    state.yaw[i] = state.sample[3] * x + state.sample[4] * y + state.sample[5] * z
    along = x if state.axis == 0 else y if state.axis == 1 else z
    if abs(along) > STEEP:
        state.axis = 0 if abs(x) <= min(abs(y), abs(z)) else 1 if abs(y) <= abs(z) else 2
        along = x if state.axis == 0 else y if state.axis == 1 else z
    ex, ey, ez = -along * x, -along * y, -along * z
    if state.axis == 0:
        ex += 1.0
    elif state.axis == 1:
        ey += 1.0
    else:
        ez += 1.0
    norm = math.sqrt(ex * ex + ey * ey + ez * ez)
    ex, ey, ez = ex / norm, ey / norm, ez / norm
    state.level[0, i] = ax * ex + ay * ey + az * ez
    state.level[1, i] = ax * (y * ez - z * ey) + ay * (z * ex - x * ez) + az * (x * ey - y * ex)


@kernel
def filtered(state: LowerBackKernelState, params: LowerBackKernelParams, centre: int) -> tuple[float, float]:
    """Return the rise of the smoothed upward force, m/s^3, and the smoothed yaw rate, rad/s, at sample ``centre``."""
    rise, sway = 0.0, params.smooth[0] * state.yaw[centre & (RING - 1)]
    for offset in range(1, params.half + 1):
        after, before = (centre + offset) & (RING - 1), (centre - offset) & (RING - 1)
        rise += params.slope[offset] * (state.up[after] - state.up[before])
        sway += params.smooth[offset] * (state.yaw[after] + state.yaw[before])
    return rise, sway


@kernel
def follow_turn(
    state: LowerBackKernelState, params: LowerBackKernelParams, rate: float, events: Rows[LowerBackEvent], count: int
) -> int:
    """Follow the yaw rate; report a turn once it has ended."""
    sign = 0.0 if abs(rate) < params.turn_edge else 1.0 if rate > 0.0 else -1.0
    if sign != state.turn_sign:
        lasted = state.centre - state.turn_from
        long_enough = params.turn_short <= lasted <= params.turn_long
        if (
            state.turn_sign != 0.0
            and long_enough
            and state.turn_top >= params.turn_peak
            and state.turn_sum >= params.turn_least
        ):
            before = count
            count = append_event(state, events, count, TURN, float(state.centre))
            if count > before:
                events[before].start = state.turn_from
                events[before].side = 1 if state.turn_sign > 0.0 else -1
                events[before].angle_rad = state.turn_sum
        state.turn_sign = sign
        state.turn_from = float(state.centre)
        state.turn_sum = 0.0
        state.turn_top = 0.0
    state.turn_sum += abs(rate) * params.dt
    state.turn_top = max(state.turn_top, abs(rate))
    return count


@kernel
def step(
    state: LowerBackKernelState, params: LowerBackKernelParams, number: int, events: Rows[LowerBackEvent], count: int
) -> int:
    """Run on the sample in ``state.sample``, which has this number; return how many events there are."""
    store(state, params, number)
    if number - state.first < 2 * params.half:
        return count
    centre = state.centre = number - params.half
    rise, sway = filtered(state, params, centre)
    count = follow_turn(state, params, sway, events, count)
    if state.queue > 0 and centre - state.at[state.queue - 1] > params.pause:
        count = end_walk(state, params, events, count)
    if state.rises == 2 and state.rise[1] > state.rise[0] and state.rise[1] >= rise and state.rise[1] > params.faint:
        bend = state.rise[0] - 2.0 * state.rise[1] + rise
        at = centre - 1.0 + 0.5 * (state.rise[0] - rise) / bend + params.lead
        count = candidate(state, params, at, events, count)
    state.rise[0], state.rise[1], state.sway = state.rise[1], rise, sway
    state.rises = min(state.rises + 1, 2)
    return count


@kernel
def usable(acc: Floats, gyr: Floats, row: int) -> bool:
    """Return whether all six channels of a row hold something that a sensor could have measured."""
    for i in range(3):  # noqa: SIM110 - numba has no generator expressions
        if not (abs(acc[row, i]) < ACC_LIMIT and abs(gyr[row, i]) < GYR_LIMIT):  # also where NaN
            return False
    return True


@kernel
def approach_sample(state: LowerBackKernelState, acc: Floats, gyr: Floats, share: float) -> None:
    """Go a share of what is left of the way to the next good sample: a lost one lies there."""
    for m in range(3):
        state.sample[m] += share * (acc[m] - state.sample[m])
        state.sample[m + 3] += share * (gyr[m] - state.sample[m + 3])


@kernel
def walks(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params_of: Rows[LowerBackKernelParams],
    states: Rows[LowerBackKernelState],
    events: Rows[LowerBackEvent],
) -> int:
    """Run all sensors of a batch; return how many events were written to ``events``."""
    count = 0
    for place in range(len(sensors)):
        state, params = states[sensors[place]], params_of[sensors[place]]
        state.sensor = sensors[place]
        for row in range(start[place], start[place + 1]):
            if not usable(acc, gyr, row):
                continue
            number = index[row]
            lost = number - state.index - 1
            if state.started == 0:
                state.started = 1
                state.newest = number
                restart(state, params, number)
            elif lost < 0:
                continue
            elif lost > params.bridge:
                count = restart_after_gap(state, params, number, events, count)
            else:
                state.newest = number
                for i in range(lost):
                    approach_sample(state, acc[row], gyr[row], 1.0 / (lost + 1.0 - i))
                    count = step(state, params, state.index + 1 + i, events, count)
            for m in range(3):
                state.sample[m] = acc[row, m]
                state.sample[m + 3] = gyr[row, m]
            count = step(state, params, number, events, count)
            state.index = number
    return count


@kernel
def finish(
    states: Rows[LowerBackKernelState],
    params_of: Rows[LowerBackKernelParams],
    sensor: int,
    events: Rows[LowerBackEvent],
) -> int:
    """End the stream of one sensor: report what was still open; return how many events there are."""
    return end_walk(states[sensor], params_of[sensor], events, 0)
