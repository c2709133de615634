"""What the orientation filter does where samples are lost, not numbers, or frozen.

A short gap is bridged once the next sample is there: the angular rate is interpolated in the way that suits the
movement (``dsp.orientation.past``), once more with each of the next three samples. How far that may be wrong is known
from gaps cut into what was seen before, and the gains of gravity and magnetic field open accordingly and close again
as averages do: 1 / n. The magnetic field in the frame of the gyroscope is the same before and after a gap, whatever its
direction: laying one on the other takes back two of the three parts of the error at once.
"""

from __future__ import annotations

import math

from dsp.orientation.field import field_here, recall_field, without_iron
from dsp.orientation.kernel import four, keep_four, keep_three, predict, smooth, turn
from dsp.orientation.layout import BESIDE, BRIDGED, PAST, OrientationKernelParams, OrientationState, PastRates
from dsp.orientation.math import Vector, inlined, lean, product, rotate, rotation, touch_up
from dsp.orientation.past import CALIBRATION, Work, interpolate, keep_rate
from dsp.orientation.step import FLOOR_NOISE

MAG_LIMIT = 10000.0  # uT: two hundred times the field of the earth

# Where too little was seen before, a bridged gap of T seconds, over which the rate changed by d rad/s, is taken to be
# wrong by about this share of T * d (measured on recordings with gaps of 7 to 220 ms): it grows with T squared, as what
# is left of a curve beside a cubic does.
BRIDGE_CURVE = 17.0  # per s^2
BRIDGE_LEAST = 0.02
BRIDGE_MOST = 0.3
LOST_RATE = 1.0  # rad/s: how fast the unknown orientation runs away in a longer gap
LOST_MOST = 1.0  # rad: more is not known to be wrong
SAME_NORM = 0.1  # share: fields whose norms differ more are not the same field
WEAVE_TILT = 0.2  # what is left of an error in the tilt once the field has been laid on the one before


@inlined
def usable(vector: Vector, limit: float) -> bool:
    """Return whether a sensor could have measured this (NaN is not)."""
    return abs(vector[0]) < limit and abs(vector[1]) < limit and abs(vector[2]) < limit


@inlined
def repeats(state: OrientationState, first: int, vector: Vector) -> tuple[float, float]:
    """Return how often in a row all axes from number ``first`` on have repeated their values, and the one that most."""
    for i in range(3):
        state.repeats[first + i] = state.repeats[first + i] + 1.0 if state.raw[first + i] == vector[i] else 0.0
        state.raw[first + i] = vector[i]
    return least_and_most(state.repeats[first], state.repeats[first + 1], state.repeats[first + 2])


@inlined
def least_and_most(first: float, second: float, third: float) -> tuple[float, float]:
    """Return the least and the most of three numbers."""
    low, high = (first, second) if first < second else (second, first)
    return third if third < low else low, third if third > high else high  # noqa: FURB136 - numba's min minds NaN


@inlined
def field_repeats(state: OrientationState, vector: Vector) -> None:
    """Count how often in a row a magnetometer has repeated its value."""
    if state.raw[6] == vector[0] and state.raw[7] == vector[1] and state.raw[8] == vector[2]:
        state.repeats[6] += 1.0
    else:
        state.raw[6], state.raw[7], state.raw[8] = vector
        state.repeats[6] = 0.0


@lean
def open_gains(state: OrientationState, params: OrientationKernelParams, tilt_var: float, heading_var: float) -> None:
    """Something was missing: trust gravity and field more until they have been averaged as long as that takes."""
    state.tilt_var = min(state.tilt_var + tilt_var, LOST_MOST**2)
    state.heading_var = min(state.heading_var + heading_var, LOST_MOST**2)
    weight = (state.shake * params.acc_span + FLOOR_NOISE) / state.tilt_var
    if weight < (params.slow_s / params.dt if state.level_n < 0.0 else state.level_n) and state.slow_n < 0.0:
        state.level_n = weight
        for i in range(3):
            state.slow_1[i] = weight * state.gravity[i]
        state.recovering = 1
    unsure = max(state.heading_var - params.mag_worth, 0.0)
    gain = unsure / (unsure + params.mag_noise)
    if gain > params.mag_gain and state.start_gain == 0.0:
        state.open_gain = max(state.open_gain, gain)


@lean
def begin_bridge(
    state: OrientationState, params: OrientationKernelParams, steps: int, gyr: Vector, past: PastRates
) -> None:
    """Make room for the lost samples of a gap that ends with this angular rate."""
    if state.gap_steps > 0:
        end_bridge(state, params)
    keep_four(state.before_gap, four(state.turn))
    state.gap_steps = steps
    state.gap_seen = 0
    for _ in range(1, steps):
        keep_rate(state, past, 0.0, 0.0, 0.0)
    dx, dy, dz = gyr[0] - state.gyr[0], gyr[1] - state.gyr[1], gyr[2] - state.gyr[2]
    span = steps * params.dt
    share = min(BRIDGE_MOST, BRIDGE_LEAST + BRIDGE_CURVE * span * span)
    error = share * span * math.sqrt(dx * dx + dy * dy + dz * dz)
    state.gap_var = error * error / 3.0


@lean
def go_on_bridging(state: OrientationState, params: OrientationKernelParams, past: PastRates, work: Work) -> None:
    """Turn over the newest gap, once more if need be, now that one more rate after it is known."""
    state.gap_seen += 1
    var = interpolate(state, past, work) * params.dt * params.dt
    if var >= 0.0:
        state.gap_var = CALIBRATION * var
    keep_four(state.turn, four(state.before_gap))
    for i in range(
        state.past_n - state.gap_steps - state.gap_seen + 1, state.past_n - 1
    ):  # the newest one turns all as ever
        row = i % PAST
        turn(state, params, (past[row, 0], past[row, 1], past[row, 2]))
    if state.gap_seen == BESIDE:
        end_bridge(state, params)


@lean
def end_bridge(state: OrientationState, params: OrientationKernelParams) -> None:
    """Say how far the newest gap may have been wrong."""
    state.gap_steps = 0
    state.weave_var = state.gap_var
    if state.weave_left > 0:
        state.weave_left = params.weave
    open_gains(state, params, WEAVE_TILT * state.gap_var if state.weave_left > 0 else state.gap_var, state.gap_var)


@lean
def fill_gravity(state: OrientationState, params: OrientationKernelParams, steps: int, acc: Vector) -> None:
    """Let the average of gravity see a gap: movement that is cut out of it would not average out."""
    force = rotate(four(state.turn), acc)
    for i in range(1, steps):
        u = i / steps
        if state.level_n >= 0.0:
            state.level_n += 1.0
        for j in range(3):
            smooth(
                state.slow_1,
                state.slow_2,
                j,
                (state.level_n, False),
                params.slow,
                state.acc[j] + u * (force[j] - state.acc[j]),
            )


@lean
def remember_field(state: OrientationState, params: OrientationKernelParams) -> None:
    """Keep where the field lay in the frame of the gyroscope before a gap began."""
    recall_field(state, params)
    keep_three(
        state.weave_field, rotate(four(state.turn), without_iron(state, (state.raw[6], state.raw[7], state.raw[8])))
    )
    state.weave_left = state.field_known


@lean
def weave(state: OrientationState, params: OrientationKernelParams, mag: Vector) -> None:
    """Lay the field after a gap on the one before."""
    x, y, z = rotate(four(state.turn), without_iron(state, mag))
    norm = math.sqrt(x * x + y * y + z * z)
    fx, fy, fz = state.weave_field[0], state.weave_field[1], state.weave_field[2]
    other = math.sqrt(fx * fx + fy * fy + fz * fz)
    if abs(norm - other) < SAME_NORM * other:
        gain = state.weave_var / (state.weave_var + params.weave_noise)
        state.weave_var *= 1.0 - gain
        f = gain / (norm * other)
        step = rotation(f * (y * fz - z * fy), f * (z * fx - x * fz), f * (x * fy - y * fx))
        keep_four(state.turn, touch_up(product(step, four(state.turn))))


@lean
def undo(state: OrientationState, params: OrientationKernelParams, past: PastRates, steps: int) -> None:
    """Turn back what a gyroscope has said in the samples since an axis froze: from there on it is missing."""
    if state.held == 0 and state.run > 1 and state.gap_steps == 0 and steps < min(state.past_n, PAST):
        b = state.bias
        for _ in range(steps):
            state.past_n -= 1
            row = state.past_n % PAST
            turn(state, params, (2.0 * b[0] - past[row, 0], 2.0 * b[1] - past[row, 1], 2.0 * b[2] - past[row, 2]))
        row = (state.past_n - 1) % PAST
        state.gyr[0], state.gyr[1], state.gyr[2] = past[row, 0], past[row, 1], past[row, 2]
        state.held = steps
        recall_field(state, params)
        state.weave_left = state.place_known * state.field_known
        keep_three(state.weave_field, field_here(state))


@lean
def lose(state: OrientationState, params: OrientationKernelParams) -> None:
    """The orientation was not seen for longer than can be bridged: hold it, then find it from gravity and field."""
    state.rest_s = 0.0
    state.rest = 0
    state.run = 0
    state.gap_steps = 0
    state.weave_var = LOST_MOST**2
    state.acc_known = 0
    state.lost = 1
    state.found_n = 0.0 if state.place_known == 1.0 else -1.0
    span = LOST_RATE * state.held * params.dt
    open_gains(state, params, span * span, span * span)


@inlined
def follow_gyr(  # noqa: PLR0917 - numba takes positional arguments
    state: OrientationState,
    params: OrientationKernelParams,
    gyr: Vector,
    acc: Vector,
    acc_known: bool,
    past: PastRates,
    work: Work,
) -> int:
    """Take a good angular rate, after a gap or not; return flags."""
    flags = 0
    steps = state.held
    if steps > 1 and state.run > 0:
        if steps - 1 <= params.bridge:
            begin_bridge(state, params, steps, gyr, past)
            state.run = 0
        else:
            lose(state, params)
    state.held = 0
    state.run = min(state.run + 1, 2)
    keep_three(state.gyr, gyr)
    keep_rate(state, past, gyr[0], gyr[1], gyr[2])
    if state.gap_steps > 0:
        go_on_bridging(state, params, past, work)
        flags = BRIDGED
    predict(state, params, gyr)
    if state.gap_steps > 0 and state.gap_seen == 1 and acc_known and state.acc_known == 1:
        fill_gravity(state, params, steps, acc)
    return flags
