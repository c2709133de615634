"""The shank-contact kernel: one pass over the new samples of many shank sensors, state in plain arrays.

Short losses are bridged, long ones start a sensor afresh. When the motion shows that it is strapped on otherwise than
was thought, it goes on about the other axis.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.contact.cycle import STILL_RATE, SURE, doubt_bridged, report_event, smooth, squared_change, write_event
from dsp.contact.events import GAP, GROUND, INITIAL_CONTACT, LANDING, NOTHING, SWING, ContactEvent
from dsp.contact.swing import begin_swings, see_any, see_leg
from dsp.kernel import kernel
from dsp.mounting.alignment import MOVING_RATE, Alignment, adopt, begin_alignment, contradicted, see_rest, see_turn
from dsp.record import Rows
from dsp.shank.cycle import in_landing, in_swing, on_ground, restart
from dsp.shank.layout import ShankKernelParams, ShankKernelState

HARDEST = 1e4  # m/s^2: far beyond any sensor's range; also keeps squares finite
FASTEST = 1e3  # rad/s: likewise


@kernel
def advance_watermark(state: ShankKernelState, params: ShankKernelParams, centre: float) -> None:
    """Move the instant before which no event will come any more."""
    if state.phase == LANDING:
        earliest = min(state.zero, state.impact_at)
        if params.mid_swing == 1 and state.peak_reported == 0:
            earliest = min(earliest, state.peak_at)
    elif state.phase == SWING:
        earliest = min(centre, state.impact_at, centre + params.half - state.calm)
        if params.mid_swing == 1 and state.peak_reported == 0:
            earliest = min(earliest, state.peak_at)
    else:
        earliest = min(centre, state.rise)
        if state.low_at >= earliest - params.propulsion_age:
            earliest = min(earliest, state.low_at)
    state.settled = max(state.settled, earliest)


@kernel
def step(state: ShankKernelState, params: ShankKernelParams, alignment: Alignment, number: int) -> None:
    """Advance one sensor by its present sample, the one with this number on the uniform grid."""
    state.event_kind = NOTHING
    state.still = state.still + 1 if state.turn < STILL_RATE else 0
    state.rate = -(
        alignment.used[0] * state.gyr[0] + alignment.used[1] * state.gyr[1] + alignment.used[2] * state.gyr[2]
    )
    rate = smooth(state, params)
    centre = float(number - params.half)
    if math.isnan(rate):
        return
    state.typical_peak *= params.fade
    state.typical_angle *= params.fade
    if state.phase == GROUND:
        on_ground(state, params, centre, rate)
    elif state.phase == SWING:
        in_swing(state, params, centre, rate)
    else:
        in_landing(state, params, centre, rate)
    doubt_bridged(state, params)
    state.rate_before = rate


@kernel
def read(acc: NDArray[np.float64], gyr: NDArray[np.float64], now: NDArray[np.float64]) -> bool:
    """Copy a sample to ``now`` (2, 3), NaN where no sensor can have measured it; return whether its rate is known."""
    known = True
    for axis in range(3):
        now[0, axis] = acc[axis] if abs(acc[axis]) < HARDEST else math.nan
        now[1, axis] = gyr[axis]
        known = known and abs(gyr[axis]) < FASTEST
    return known


@kernel
def set_present_sample(state: ShankKernelState, acc: NDArray[np.float64], gyr: NDArray[np.float64]) -> None:
    """Make a sample the present one."""
    jolt = squared_change(acc, state.acc)
    state.jolt = jolt if state.filled > 0 and math.isfinite(jolt) else 0.0
    state.turn = math.sqrt(gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2)
    for axis in range(3):
        state.acc[axis] = acc[axis]
        state.gyr[axis] = gyr[axis]


@kernel
def advance(  # noqa: PLR0917 - numba takes positional arguments
    state: ShankKernelState,
    params: ShankKernelParams,
    alignment: Alignment,
    number: int,
    events: Rows[ContactEvent],
    count: int,
    sensor: int,
    newest: int,
) -> int:
    """Run the step on the present sample, learn the mounting, write what it reports; return how many events are."""
    step(state, params, alignment, number)
    if state.event_kind == INITIAL_CONTACT:
        adopt(alignment)
        alignment.agreed += 1
    if state.still >= params.still:
        see_rest(alignment, state.acc)
    see_turn(alignment, state.turn, params.still)
    see_any(state, alignment, state.gyr, params.dt)
    if state.turn > MOVING_RATE:
        see_leg(state, alignment, state.gyr, params.dt)
        if state.event_kind == NOTHING and contradicted(alignment):
            adopt(alignment)
            alignment.agreed = 0
            state.typical_peak = 0.0
            state.typical_angle = 0.0
            restart(state)
    advance_watermark(state, params, float(number - params.half))
    return write_event(events, count, sensor, state, newest)


@kernel
def begin(state: ShankKernelState, alignment: Alignment) -> None:
    """Start with the first sample of a sensor."""
    state.started = 1
    state.settled = -math.inf
    restart(state)
    begin_alignment(alignment)
    begin_swings(state)


@kernel
def bridge(  # noqa: PLR0917 - numba takes positional arguments
    state: ShankKernelState,
    params: ShankKernelParams,
    alignment: Alignment,
    number: int,
    now: NDArray[np.float64],
    room: NDArray[np.float64],
    events: Rows[ContactEvent],
    count: int,
    sensor: int,
) -> int:
    """Fill the samples lost before ``number`` with the straight line to it; ``room`` is for two samples."""
    last, between = room[0], room[1]
    lost = number - state.index - 1
    state.bridge_start, state.bridge_end = float(state.index + 1), float(number - 1)
    for axis in range(3):
        last[0, axis] = state.acc[axis]
        last[1, axis] = state.gyr[axis]
    for i in range(1, lost + 1):
        share = i / (lost + 1.0)
        for axis in range(3):
            between[0, axis] = last[0, axis] + share * (now[0, axis] - last[0, axis])
            between[1, axis] = last[1, axis] + share * (now[1, axis] - last[1, axis])
        set_present_sample(state, between[0], between[1])
        count = advance(state, params, alignment, state.index + i, events, count, sensor, number)
    return count


@kernel
def contacts(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params_of: Rows[ShankKernelParams],
    states: Rows[ShankKernelState],
    alignments: Rows[Alignment],
    events: Rows[ContactEvent],
) -> int:
    """Run all sensors of a batch; return how many events were written to ``events``."""
    count = 0
    now = np.zeros((2, 3))
    room = np.zeros((2, 2, 3))
    for place in range(len(sensors)):
        sensor = sensors[place]
        state, params, alignment = states[sensor], params_of[sensor], alignments[sensor]
        for row in range(start[place], start[place + 1]):
            number = index[row]
            if not read(acc[row], gyr[row], now) or (state.started == 1 and number <= state.index):
                continue
            if state.started == 0:
                begin(state, alignment)
            elif number - state.index - 1 > params.bridge:
                report_event(state, GAP, float(state.index), SURE)
                count = write_event(events, count, sensor, state, number)
                restart(state)
            elif number - state.index > 1:
                count = bridge(state, params, alignment, number, now, room, events, count, sensor)
            set_present_sample(state, now[0], now[1])
            count = advance(state, params, alignment, number, events, count, sensor, number)
            state.index = number
    return count
