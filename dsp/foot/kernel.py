"""The foot-contact kernel: one pass over the new samples of many foot sensors, state in plain arrays.

Each sensor goes through its samples on a uniform grid: short losses are bridged, long ones start it afresh. It keeps
a history, from which a stride is integrated once foot-flat closes it, and gone through again when the motion shows
that the sensor is strapped on otherwise than was thought.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.contact.cycle import STILL_RATE, SURE, doubt_bridged, report_event, smooth, write_event
from dsp.contact.events import (
    FOOT_FLAT,
    GAP,
    GROUND,
    HISTORY,
    INITIAL_CONTACT,
    LANDING,
    NEVER,
    NOTHING,
    SWING,
    ContactEvent,
)
from dsp.contact.stride_kernel import FootStride, integrate
from dsp.foot.landing import before_gap, find_flat, in_landing, in_swing, restart, resume
from dsp.foot.layout import FootKernelParams, FootKernelState
from dsp.foot.lift import on_ground
from dsp.kernel import kernel
from dsp.mounting.alignment import (
    AGREED_STRIDES,
    MOVING_RATE,
    Alignment,
    adopt,
    begin_alignment,
    contradicted,
    lose_turn,
    see_motion,
    see_rest,
    see_turn,
)
from dsp.record import Rows

FLAT_RATE = 0.6  # rad/s: a foot that turns slower lies on the floor
FLAT_SHARE = 0.25  # and slower than this share of the typical peak: a brisk walker's foot never lies quite still


class Sink(NamedTuple):
    """Where events and strides are written; ``counts`` says how many of each there are."""

    events: Rows[ContactEvent]
    strides: Rows[FootStride]
    counts: NDArray[np.int64]
    scratch: NDArray[np.float64]


@kernel
def advance_watermark(state: FootKernelState, params: FootKernelParams, alignment: Alignment, centre: float) -> None:
    """Move the instant before which no event will come any more."""
    if state.phase == LANDING:
        earliest = min(state.zero, state.impact_at)
    elif state.phase == SWING:
        earliest = min(centre, state.impact_at, centre + params.half - state.calm)
    else:
        earliest = centre
        if state.flat_found == 0:
            earliest = min(centre, centre + params.half - 0.5 * params.quiet - state.flat_for)
        earliest = min(earliest, state.rise, state.dip_level)
        age = params.propulsion_age
        if state.propulsion_level >= centre - age or state.propulsion_level >= state.rise - age:
            earliest = min(earliest, state.propulsion_level)
    if alignment.agreed < AGREED_STRIDES:  # another axis may show other events in what is gone through again
        earliest = min(earliest, centre - params.again)
    state.settled = max(state.settled, earliest)


@kernel
def step(
    state: FootKernelState, params: FootKernelParams, alignment: Alignment, history: NDArray[np.float64], number: int
) -> None:
    """Advance one sensor by the sample of this number on its uniform grid."""
    state.event_kind = NOTHING
    now, before = number & (HISTORY - 1), (number - 1) & (HISTORY - 1)
    x, y, z = history[now, 3], history[now, 4], history[now, 5]
    state.rate = -(alignment.used[0] * x + alignment.used[1] * y + alignment.used[2] * z)
    state.turn = math.sqrt(x**2 + y**2 + z**2)
    x, y, z = history[now, 0], history[now, 1], history[now, 2]
    jolt = (x - history[before, 0]) ** 2 + (y - history[before, 1]) ** 2 + (z - history[before, 2]) ** 2
    state.jolt = jolt if number > state.first and math.isfinite(jolt) else 0.0
    state.quiet = state.quiet + 1 if state.turn < max(FLAT_RATE, FLAT_SHARE * state.typical_peak) else 0
    state.still = state.still + 1 if state.turn < STILL_RATE else 0
    rate = smooth(state, params)
    centre = float(number - params.half)
    if math.isnan(rate):
        return
    state.typical_peak *= params.fade
    state.typical_angle *= params.fade
    state.typical_slap *= params.fade
    if state.phase == GROUND:
        on_ground(state, params, alignment, centre, rate)
        if state.flat_found == 0 and state.event_kind == NOTHING:
            find_flat(state, params, history, number)
    elif state.phase == SWING:
        in_swing(state, params, centre, rate)
    else:
        in_landing(state, params, centre, rate)
    doubt_bridged(state, params)
    state.rate_before = rate


@kernel
def close_stride(
    state: FootKernelState, params: FootKernelParams, alignment: Alignment, history: NDArray[np.float64], sink: Sink
) -> None:
    """At foot-flat: integrate the stride since the foot-flat before, if all of it was seen."""
    before, state.flat_before, steps, state.steps = state.flat_before, state.event_index, state.steps, 0
    count = sink.counts[1]
    if before == NEVER or steps != 1 or count == len(sink.strides):
        return
    if state.event_index - before > HISTORY - params.quiet:
        return
    row = sink.strides[count]
    row.sensor = state.sensor
    row.start = before
    row.end = state.event_index
    row.final = state.last_final if state.last_final > before else math.nan
    row.initial = state.last_initial
    row.time_s = (state.last_initial - state.stride_from) * params.dt if state.stride_from > -math.inf else math.nan
    integrate(history, round(before), round(state.event_index), params.dt, alignment.used, sink.scratch, row)
    sink.counts[1] = count + 1


@kernel
def write(  # noqa: PLR0917 - numba takes positional arguments
    state: FootKernelState,
    params: FootKernelParams,
    alignment: Alignment,
    history: NDArray[np.float64],
    newest: int,
    sink: Sink,
) -> None:
    """Write what the step has reported, while there is room, and what follows from it."""
    count = sink.counts[0]
    if state.event_kind == NOTHING or count == len(sink.events):
        return
    state.newest_event = max(state.newest_event, state.event_index)
    sink.counts[0] = write_event(sink.events, count, state.sensor, state, newest)
    if state.event_kind == INITIAL_CONTACT:
        alignment.agreed += 1
    elif state.event_kind == FOOT_FLAT:
        close_stride(state, params, alignment, history, sink)
        adopt(alignment)


@kernel
def again(  # noqa: PLR0917 - numba takes positional arguments
    state: FootKernelState,
    params: FootKernelParams,
    alignment: Alignment,
    history: NDArray[np.float64],
    number: int,
    newest: int,
    sink: Sink,
) -> None:
    """Go through the newest samples again about another axis; report only what the watermark has not passed."""
    settled, newest_event = state.settled, state.newest_event
    bridge_start, bridge_end = state.bridge_start, state.bridge_end
    adopt(alignment)
    alignment.agreed = 0
    state.typical_peak = 0.0
    state.typical_angle = 0.0
    state.typical_slap = 0.0
    restart(state)
    state.bridge_start, state.bridge_end = bridge_start, bridge_end
    for i in range(max(state.first, number - params.again + 1), number + 1):
        step(state, params, alignment, history, i)
        if state.event_index < settled or state.event_index <= newest_event + 2.0 * params.min_phase:
            state.event_kind = NOTHING
        write(state, params, alignment, history, newest, sink)
    state.event_kind = NOTHING


@kernel
def advance(  # noqa: PLR0917 - numba takes positional arguments
    state: FootKernelState,
    params: FootKernelParams,
    alignment: Alignment,
    history: NDArray[np.float64],
    number: int,
    newest: int,
    sink: Sink,
) -> None:
    """Run the step on one sample of the uniform grid, learn the mounting, write what is reported."""
    step(state, params, alignment, history, number)
    now = number & (HISTORY - 1)
    if state.still >= params.still:
        for axis in range(3):
            state.present[axis] = history[now, axis]
        see_rest(alignment, state.present)
    see_turn(alignment, state.turn, params.still)
    if state.turn > MOVING_RATE:
        for axis in range(3):
            state.present[axis] = history[now, axis + 3]
        see_motion(alignment, state.present, params.dt)
        if contradicted(alignment):
            again(state, params, alignment, history, number, newest, sink)
    if state.event_kind != NOTHING:
        write(state, params, alignment, history, newest, sink)
    advance_watermark(state, params, alignment, float(number - params.half))


@kernel
def bridge(  # noqa: PLR0917 - numba takes positional arguments
    state: FootKernelState,
    params: FootKernelParams,
    alignment: Alignment,
    history: NDArray[np.float64],
    number: int,
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    sink: Sink,
) -> None:
    """Fill the samples lost before this one with the straight line to it."""
    lost = number - state.index - 1
    state.bridge_start, state.bridge_end = float(state.index + 1), float(number - 1)
    before = history[state.index & (HISTORY - 1)]
    for i in range(1, lost + 1):
        share = i / (lost + 1.0)
        between = history[(state.index + i) & (HISTORY - 1)]
        for axis in range(3):
            between[axis] = before[axis] + share * (acc[axis] - before[axis])
            between[axis + 3] = before[axis + 3] + share * (gyr[axis] - before[axis + 3])
        advance(state, params, alignment, history, state.index + i, number, sink)


@kernel
def lose(  # noqa: PLR0917 - numba takes positional arguments
    state: FootKernelState,
    params: FootKernelParams,
    alignment: Alignment,
    history: NDArray[np.float64],
    number: int,
    sink: Sink,
) -> None:
    """Report a gap too long to be bridged; go on after it with what still holds."""
    state.event_kind = NOTHING
    before_gap(state, params, float(state.index - params.half))
    write(state, params, alignment, history, number, sink)
    report_event(state, GAP, float(state.index), SURE)
    write(state, params, alignment, history, number, sink)
    state.first = number
    lose_turn(alignment)
    if state.phase == SWING and number - state.index <= params.hidden:
        resume(state)
    else:
        restart(state)


@kernel
def begin(state: FootKernelState, alignment: Alignment, sensor: int, number: int) -> None:
    """Start with the first sample of a sensor."""
    state.sensor = sensor
    state.started = 1
    state.settled = -math.inf
    state.newest_event = -math.inf
    state.first = number
    restart(state)
    begin_alignment(alignment)


@kernel
def contacts(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params_of: Rows[FootKernelParams],
    states: Rows[FootKernelState],
    alignments: Rows[Alignment],
    history: NDArray[np.float64],
    sink: Sink,
) -> None:
    """Run all sensors of a batch."""
    for place in range(len(sensors)):
        sensor = sensors[place]
        state, params, alignment, past = states[sensor], params_of[sensor], alignments[sensor], history[sensor]
        for row in range(start[place], start[place + 1]):
            number = index[row]
            known = math.isfinite(gyr[row, 0] ** 2 + gyr[row, 1] ** 2 + gyr[row, 2] ** 2)
            if not known or (state.started == 1 and number <= state.index):
                continue
            if state.started == 0:
                begin(state, alignment, sensor, number)
            elif number - state.index - 1 > params.bridge:
                lose(state, params, alignment, past, number, sink)
            elif number - state.index > 1:
                bridge(state, params, alignment, past, number, acc[row], gyr[row], sink)
            for axis in range(3):
                past[number & (HISTORY - 1), axis] = acc[row, axis]
                past[number & (HISTORY - 1), axis + 3] = gyr[row, axis]
            advance(state, params, alignment, past, number, number, sink)
            state.index = number
