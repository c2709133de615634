"""The orientation kernel: one pass over the new samples of many sensors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.limits import ACC_LIMIT, GYR_LIMIT
from dsp.orientation.field import GIVE_UP_S, LOOK_EVERY, learn_field
from dsp.orientation.gap import (
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
from dsp.orientation.group import follow_group
from dsp.orientation.kernel import coast, correct_heading, correct_tilt, four
from dsp.orientation.layout import (
    ACC_MISSING,
    AT_REST,
    FROZEN,
    GYR_MISSING,
    MAG_DISTURBED,
    MAG_MISSING,
    OLD,
    RECOVERING,
    OrientationKernelParams,
    OrientationState,
    PastRates,
    Samples,
    Where,
    Written,
)
from dsp.orientation.math import Vector, inlined, lean
from dsp.orientation.past import keep_rate
from dsp.orientation.step import add_heading, square
from dsp.orientation.table import COLUMNS, OK, Table, usual
from dsp.record import Floats, Ints, Rows

LEAST_GROUP = 4  # fewer sensors are done sooner one by one
REACH = 64  # sensors that are looked at to fill a group; those of a kind usually lie together
FLOOR_VAR = (
    0.3 * math.pi / 180.0
) ** 2  # rad^2: nonlinear scales and axes that are not quite square are never averaged


@inlined
def missing(  # noqa: PLR0917 - numba takes positional arguments
    state: OrientationState,
    params: OrientationKernelParams,
    acc: Vector,
    gyr: Vector,
    mag: Vector,
    past: PastRates,
) -> int:
    """Return flags of the channels without a value: not a number, beyond any sensor, or frozen."""
    flags = 0
    if not usable(acc, ACC_LIMIT) or (acc[0] == 0.0 and acc[1] == 0.0 and acc[2] == 0.0):
        flags |= ACC_MISSING
    rate = square(gyr[0], gyr[1], gyr[2])
    least, most = repeats(state, 0, acc)
    if least >= params.frozen or (most >= params.frozen and rate > params.new_gyr):
        flags |= FROZEN | ACC_MISSING
    if not usable(gyr, GYR_LIMIT):
        flags |= GYR_MISSING
    least, most = repeats(state, 3, gyr)
    if least >= params.frozen or (rate > params.rest_gyr and (least >= params.frozen_gyr or most >= params.frozen)):
        flags |= FROZEN | GYR_MISSING
        if rate > params.rest_gyr:
            undo(state, params, past, params.frozen if most >= params.frozen else params.frozen_gyr)
    if params.has_mag == 1:
        if not usable(mag, MAG_LIMIT) or (mag[0] == 0.0 and mag[1] == 0.0 and mag[2] == 0.0):
            flags |= MAG_MISSING
        if (
            state.repeats[6] >= params.frozen
            and state.raw[6] == mag[0]
            and state.raw[7] == mag[1]
            and state.raw[8] == mag[2]
        ):
            flags |= FROZEN | MAG_MISSING
    return flags


@inlined
def follow_field(state: OrientationState, params: OrientationKernelParams, mag: Vector, known: bool) -> None:
    """Take the magnetic field of a sample."""
    field_repeats(state, mag)
    state.field_known = 1.0 if known else 0.0
    if not known:
        return
    if state.weave_left > 0 and state.gap_steps == 0 and (state.run > 1 or state.held > params.bridge):
        weave(state, params, mag)
        if state.run > 1:
            state.weave_left -= 1
    if state.held == 0 and state.lost == 0:
        correct_heading(state, params, mag)


@inlined
def follow_sample(  # noqa: C901, PLR0917 - one decision a channel, in order; numba takes positional arguments
    state: OrientationState,
    params: OrientationKernelParams,
    number: int,
    acc: Vector,
    gyr: Vector,
    mag: Vector,
    past: PastRates,
    work: Table,
) -> int:
    """Follow the sample with this number; return flags."""
    if state.started == 0:
        state.started = 1
        state.index = number - 1
    step = number - state.index
    if step <= 0:
        return OLD
    state.index = number
    flags = missing(state, params, acc, gyr, mag, past)
    state.held += step
    if state.held == step and (step > 1 or flags & GYR_MISSING != 0):
        remember_field(state, params)
    if flags & GYR_MISSING == 0:
        flags |= follow_gyr(state, params, gyr, acc, flags & ACC_MISSING == 0, past, work)
    elif state.held > params.bridge:
        lose(state, params)
    if state.held == 0 or state.held > params.bridge:
        if flags & ACC_MISSING == 0:
            correct_tilt(state, params, acc)
        else:
            coast(state, params)
    if params.has_mag == 1:
        follow_field(state, params, mag, flags & MAG_MISSING == 0)
        if state.field[6] == 1.0:
            flags |= MAG_DISTURBED
    if state.rest == 1:
        flags |= AT_REST
    if state.recovering == 1 or state.open_gain > 0.0:
        flags |= RECOVERING
    return flags


@inlined
def write_deviation(sd: Floats, place: int, tilt_var: float, heading_var: float) -> None:
    """Write how far the orientation of a sensor of the batch may be wrong."""
    sd[0, place] = math.sqrt(tilt_var + FLOOR_VAR)
    sd[1, place] = math.sqrt(heading_var + FLOOR_VAR)


@inlined
def write_orientation(state: OrientationState, out: Floats, row: int) -> None:
    """Write the orientation of a sensor into its row."""
    quaternion = add_heading(four(state.upright), state.heading[0], state.heading[1])
    out[row, 0], out[row, 1], out[row, 2], out[row, 3] = quaternion


@inlined
def field_counts(state: OrientationState, params: OrientationKernelParams) -> bool:
    """Return whether the orientation is known well enough to learn the field by it."""
    if state.held > 0 or state.lost > 0.0 or state.gap_steps > 0 or state.start_gain > 0.0 or state.field_n >= 0.0:
        return False
    return bool(state.found_n < 0.0 or state.found_n * params.dt >= GIVE_UP_S)


@inlined
def see_field(  # noqa: PLR0917 - numba takes positional arguments
    state: OrientationState, params: OrientationKernelParams, number: int, row: int, out: Floats, mag: Floats
) -> None:
    """Look at the field of a row, now and then."""
    if number % LOOK_EVERY == 0:
        learn_field(
            state, params, (out[row, 0], out[row, 1], out[row, 2], out[row, 3]), (mag[row, 0], mag[row, 1], mag[row, 2])
        )


@lean
def follow_one(  # noqa: PLR0917 - numba takes positional arguments
    state: OrientationState,
    params: OrientationKernelParams,
    past: PastRates,
    work: Table,
    begin: int,
    end: int,
    index: Ints,
    samples: Samples,
    written: Written,
) -> None:
    """Run rows ``begin`` to ``end`` of one sensor."""
    acc, gyr, mag = samples
    out, flags = written
    field = (math.nan, math.nan, math.nan)
    for row in range(begin, end):
        if len(mag) > 0:
            field = (mag[row, 0], mag[row, 1], mag[row, 2])
        force = (acc[row, 0], acc[row, 1], acc[row, 2])
        rate = (gyr[row, 0], gyr[row, 1], gyr[row, 2])
        flags[row] = follow_sample(state, params, index[row], force, rate, field, past, work)
        write_orientation(state, out, row)
        if (
            params.has_mag == 1
            and flags[row] & ~(AT_REST | MAG_DISTURBED | RECOVERING) == 0
            and field_counts(state, params)
        ):
            see_field(state, params, index[row], row, out, mag)
    state.fit = 1.0 if usual(state, params) else 0.0


@lean
def joins(state: OrientationState, kind: float, index: Ints, begin: int, end: int) -> bool:
    """Return whether a sensor can go beside those of a kind: nothing unusual, no number missing from its counter."""
    if end <= begin or state.fit == 0.0 or state.kind != kind:
        return False
    for row in range(begin, end):  # noqa: SIM110 - numba has no generator expressions
        if index[row] != state.index + 1 + row - begin:
            return False
    return True


@lean
def gather(place: int, states: Rows[OrientationState], where: Where, done: NDArray[np.bool_], member: Ints) -> int:
    """Choose sensors of the batch that can go beside the one at this place; return how many, it among them, or none."""
    sensors, start, index = where
    kind, length = states[sensors[place]].kind, start[place + 1] - start[place]
    if not joins(states[sensors[place]], kind, index, start[place], start[place + 1]):
        return 0
    count = 0
    for i in range(place, min(place + REACH, len(sensors))):
        if done[i] or start[i + 1] - start[i] != length:
            continue
        if joins(states[sensors[i]], kind, index, start[i], start[i + 1]):
            member[count] = i
            count += 1
            if count == COLUMNS:
                break
    return count


@lean
def follow_group_or_each(  # noqa: PLR0917 - numba takes positional arguments
    count: int,
    group: tuple[Ints, Ints, Ints],
    params_of: Rows[OrientationKernelParams],
    all_state: tuple[Rows[OrientationState], Floats, PastRates],
    work: Table,
    where: Where,
    samples: Samples,
    written: Written,
    sd: Floats,
) -> None:
    """Run so many sensors of the batch side by side; those that leave the usual case once more, each by itself."""
    states, rows, past = all_state
    sensors, start, index = where
    _, gyr, mag = samples
    member, number, first = group
    for i in range(count):
        number[i] = sensors[member[i]]
        first[i] = start[member[i]]
    length = start[member[0] + 1] - start[member[0]]
    follow_group(work, params_of[number[0]], rows, number, first, count, length, samples, written)
    for i in range(count):
        state, params = states[number[i]], params_of[number[i]]
        if work.z[OK, i] == 1.0:
            state.index += length
            state.acc_known = 1.0
            for row in range(first[i], first[i] + length):
                keep_rate(state, past[number[i]], gyr[row, 0], gyr[row, 1], gyr[row, 2])
                if params.has_mag == 1:
                    see_field(state, params, index[row], row, written[0], mag)
        else:
            follow_one(state, params, past[number[i]], work, first[i], first[i] + length, index, samples, written)
        write_deviation(sd, member[i], state.tilt_var, state.heading_var)


@lean
def follow_from(  # noqa: PLR0917 - numba takes positional arguments
    place: int,
    done: NDArray[np.bool_],
    group: tuple[Ints, Ints, Ints],
    params_of: Rows[OrientationKernelParams],
    all_state: tuple[Rows[OrientationState], Floats, PastRates],
    work: Table,
    where: Where,
    samples: Samples,
    written: Written,
    sd: Floats,
) -> None:
    """Run the sensor at this place of the batch, and beside it those of its kind where there are enough; mark them."""
    states, _, past = all_state
    sensors, start, index = where
    count = gather(place, states, where, done, group[0]) if len(sensors) >= LEAST_GROUP else 0
    if count >= LEAST_GROUP:
        follow_group_or_each(count, group, params_of, all_state, work, where, samples, written, sd)
        for i in range(count):
            done[group[0][i]] = True
    else:
        sensor = sensors[place]
        state, begin, end = states[sensor], start[place], start[place + 1]
        follow_one(state, params_of[sensor], past[sensor], work, begin, end, index, samples, written)
        write_deviation(sd, place, state.tilt_var, state.heading_var)


@lean
def all_attached(used: NDArray[np.bool_], sensors: Ints) -> bool:
    """Return whether all sensors of a batch are attached."""
    for sensor in sensors:  # noqa: SIM110 - numba has no generator expressions
        if not (0 <= sensor < len(used) and used[sensor]):
            return False
    return True


@lean
def follow_all(  # noqa: PLR0917 - numba takes positional arguments
    used: NDArray[np.bool_],
    params_of: Rows[OrientationKernelParams],
    states: Rows[OrientationState],
    rows: NDArray[np.float64],
    past: PastRates,
    table: Rows[Table],
    where: Where,
    samples: Samples,
    written: Written,
    sd: NDArray[np.float64],
) -> bool:
    """Run all sensors of a batch; return False, with nothing done, where one of them is not attached.

    Args:
        used: Which sensor numbers are attached.
        params_of: Rows of ``PARAMS``.
        states: Rows of ``STATE``.
        rows: The same memory as a matrix of numbers.
        past: The newest angular rates of each sensor.
        table: One record of ``TABLE`` to work on.
        where: Sensor numbers, row offsets and sample numbers of the batch.
        samples: acc, gyr and mag; an empty mag has no values for any of them.
        written: Quaternions and flags to write.
        sd: (2, k) uncertainties of inclination and heading to write, rad.
    """
    sensors, _, _ = where
    if not all_attached(used, sensors):
        return False
    done = np.zeros(len(sensors), np.bool_)
    work, all_state = table[0], (states, rows, past)
    group = (np.empty(COLUMNS, np.int64), np.empty(COLUMNS, np.int64), np.empty(COLUMNS, np.int64))
    for place in range(len(sensors)):
        if not done[place]:
            follow_from(place, done, group, params_of, all_state, work, where, samples, written, sd)
    return True
