"""The foot-contact kernel: one pass over the new samples of many foot sensors, state in plain arrays.

Each sensor goes through its samples on a uniform grid: short losses are bridged, long ones start it afresh. It keeps
a history, from which a stride is integrated once foot-flat closes it, and gone through again when the motion shows
that the sensor is strapped on otherwise than was thought.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import FOOT_FLAT, GAP, GROUND, HISTORY, INITIAL_CONTACT, LANDING, NEVER, NOTHING, SWING
from dsp.contact.stride_kernel import integrate
from dsp.foot.cycle import (
    FLAT_RATE,
    FLAT_SHARE,
    STILL_RATE,
    SURE,
    UNSURE,
    before_gap,
    find_flat,
    in_landing,
    in_swing,
    on_ground,
    restart,
    resume,
    smooth,
    tell,
)
from dsp.kernel import kernel
from dsp.mounting.alignment import (
    AGREED_STRIDES,
    MOVING_RATE,
    adopt,
    begin_alignment,
    contradicted,
    lose_turn,
    see_motion,
    see_rest,
    see_turn,
)


@kernel
def settle(s: Any, p: Any, a: Any, t: float) -> None:
    """Move the instant before which no event will come any more."""
    if s.phase == LANDING:
        earliest = min(s.zero, s.impact_at)
    elif s.phase == SWING:
        earliest = min(t, s.impact_at, t + p.half - s.calm)
    else:
        earliest = t if s.flat_told == 1 else min(t, t + p.half - 0.5 * p.quiet - s.flat_for)
        earliest = min(earliest, s.rise, s.dip_level)
        if s.push_level >= t - p.push_age or s.push_level >= s.rise - p.push_age:
            earliest = min(earliest, s.push_level)
    if a.agreed < AGREED_STRIDES:  # another axis may show other events in what is gone through again
        earliest = min(earliest, t - p.again)
    s.settled = max(s.settled, earliest)


@kernel
def step(s: Any, p: Any, a: Any, history: NDArray[np.float64], k: int) -> None:
    """Advance one sensor by the sample of number ``k`` on its uniform grid."""
    s.told = NOTHING
    now, before = k & (HISTORY - 1), (k - 1) & (HISTORY - 1)
    x, y, z = history[now, 3], history[now, 4], history[now, 5]
    s.rate = -(a.used[0] * x + a.used[1] * y + a.used[2] * z)
    s.turn = math.sqrt(x**2 + y**2 + z**2)
    x, y, z = history[now, 0], history[now, 1], history[now, 2]
    jolt = (x - history[before, 0]) ** 2 + (y - history[before, 1]) ** 2 + (z - history[before, 2]) ** 2
    s.jolt = jolt if k > s.first and math.isfinite(jolt) else 0.0
    s.quiet = s.quiet + 1 if s.turn < max(FLAT_RATE, FLAT_SHARE * s.typical_peak) else 0
    s.still = s.still + 1 if s.turn < STILL_RATE else 0
    w = smooth(s, p)
    t = float(k - p.half)
    if math.isnan(w):
        return
    s.typical_peak *= p.fade
    s.typical_angle *= p.fade
    s.typical_slap *= p.fade
    if s.phase == GROUND:
        on_ground(s, p, a, t, w)
        if s.flat_told == 0 and s.told == NOTHING:
            find_flat(s, p, history, k)
    elif s.phase == SWING:
        in_swing(s, p, t, w)
    else:
        in_landing(s, p, t, w)
    if s.told != NOTHING and s.bridge_start - p.half - 1 <= s.told_index <= s.bridge_end + p.half + 1:
        s.told_confidence *= UNSURE
    s.w = w


class Sink(NamedTuple):
    """Where events and strides are written; ``counts`` says how many of each there are."""

    events: Any
    strides: Any
    counts: NDArray[np.int64]
    scratch: NDArray[np.float64]


@kernel
def close_stride(s: Any, p: Any, a: Any, history: NDArray[np.float64], sink: Any) -> None:
    """At foot-flat: integrate the stride since the foot-flat before, if all of it was seen."""
    before, s.flat_before, steps, s.steps = s.flat_before, s.told_index, s.steps, 0
    m = sink.counts[1]
    if before == NEVER or steps != 1 or m == len(sink.strides) or s.told_index - before > HISTORY - p.quiet:
        return
    row = sink.strides[m]
    row.sensor = s.sensor
    row.start = before
    row.end = s.told_index
    row.final = s.last_final if s.last_final > before else math.nan
    row.initial = s.last_initial
    row.time_s = (s.last_initial - s.stride_from) * p.dt if s.stride_from > -math.inf else math.nan
    integrate(history, round(before), round(s.told_index), p.dt, a.used, sink.scratch, row)
    sink.counts[1] = m + 1


@kernel
def write(  # noqa: PLR0917 - numba takes positional arguments
    s: Any, p: Any, a: Any, history: NDArray[np.float64], newest: int, sink: Any
) -> None:
    """Write what the step has told, while there is room, and what follows from it."""
    n = sink.counts[0]
    if s.told == NOTHING or n == len(sink.events):
        return
    s.told_up_to = max(s.told_up_to, s.told_index)
    e = sink.events[n]
    e.sensor = s.sensor
    e.kind = s.told
    e.index = s.told_index
    e.decided_index = newest
    e.confidence = s.told_confidence
    sink.counts[0] = n + 1
    if s.told == INITIAL_CONTACT:
        a.agreed += 1
    elif s.told == FOOT_FLAT:
        close_stride(s, p, a, history, sink)
        adopt(a)


@kernel
def again(  # noqa: PLR0917 - numba takes positional arguments
    s: Any, p: Any, a: Any, history: NDArray[np.float64], k: int, newest: int, sink: Any
) -> None:
    """Go through the newest samples again about another axis; tell only what nobody has been told is settled."""
    settled, told_up_to = s.settled, s.told_up_to
    bridge_start, bridge_end = s.bridge_start, s.bridge_end
    adopt(a)
    a.agreed = 0
    s.typical_peak = 0.0
    s.typical_angle = 0.0
    s.typical_slap = 0.0
    restart(s)
    s.bridge_start, s.bridge_end = bridge_start, bridge_end
    for i in range(max(s.first, k - p.again + 1), k + 1):
        step(s, p, a, history, i)
        if s.told_index < settled or s.told_index <= told_up_to + 2.0 * p.min_phase:
            s.told = NOTHING
        write(s, p, a, history, newest, sink)
    s.told = NOTHING


@kernel
def advance(  # noqa: PLR0917 - numba takes positional arguments
    s: Any, p: Any, a: Any, history: NDArray[np.float64], k: int, newest: int, sink: Any
) -> None:
    """Take sample ``k`` of the uniform grid: learn the mounting, run the step, write what it tells."""
    step(s, p, a, history, k)
    now = k & (HISTORY - 1)
    if s.still >= p.still:
        for c in range(3):
            s.present[c] = history[now, c]
        see_rest(a, s.present)
    see_turn(a, s.turn, p.still)
    if s.turn > MOVING_RATE:
        for c in range(3):
            s.present[c] = history[now, c + 3]
        see_motion(a, s.present, p.dt)
        if contradicted(a):
            again(s, p, a, history, k, newest, sink)
    if s.told != NOTHING:
        write(s, p, a, history, newest, sink)
    settle(s, p, a, float(k - p.half))


@kernel
def bridge(  # noqa: PLR0917 - numba takes positional arguments
    s: Any, p: Any, a: Any, history: NDArray[np.float64], k: int, acc: Any, gyr: Any, sink: Any
) -> None:
    """Fill the samples lost before ``k`` with the straight line to it."""
    lost = k - s.index - 1
    s.bridge_start, s.bridge_end = float(s.index + 1), float(k - 1)
    before = history[s.index & (HISTORY - 1)]
    for i in range(1, lost + 1):
        share = i / (lost + 1.0)
        between = history[(s.index + i) & (HISTORY - 1)]
        for c in range(3):
            between[c] = before[c] + share * (acc[c] - before[c])
            between[c + 3] = before[c + 3] + share * (gyr[c] - before[c + 3])
        advance(s, p, a, history, s.index + i, k, sink)


@kernel
def lose(  # noqa: PLR0917 - numba takes positional arguments
    s: Any, p: Any, a: Any, history: NDArray[np.float64], k: int, sink: Any
) -> None:
    """Tell a gap too long to be bridged; go on after it with what still holds."""
    s.told = NOTHING
    before_gap(s, p, float(s.index - p.half))
    write(s, p, a, history, k, sink)
    tell(s, GAP, float(s.index), SURE)
    write(s, p, a, history, k, sink)
    s.first = k
    lose_turn(a)
    if s.phase == SWING and k - s.index <= p.hidden:
        resume(s)
    else:
        restart(s)


@kernel
def begin(s: Any, a: Any, sensor: int, k: int) -> None:
    """Start with the first sample of a sensor."""
    s.sensor = sensor
    s.started = 1
    s.settled = -math.inf
    s.told_up_to = -math.inf
    s.first = k
    restart(s)
    begin_alignment(a)


@kernel
def contacts(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params: Any,
    state: Any,
    alignment: Any,
    history: NDArray[np.float64],
    sink: Any,
) -> None:
    """Run all sensors of a batch."""
    for j in range(len(sensors)):
        sensor = sensors[j]
        s, p, a, past = state[sensor], params[sensor], alignment[sensor], history[sensor]
        for row in range(start[j], start[j + 1]):
            k = index[row]
            known = math.isfinite(gyr[row, 0] ** 2 + gyr[row, 1] ** 2 + gyr[row, 2] ** 2)
            if not known or (s.started == 1 and k <= s.index):
                continue
            if s.started == 0:
                begin(s, a, sensor, k)
            elif k - s.index - 1 > p.bridge:
                lose(s, p, a, past, k, sink)
            elif k - s.index > 1:
                bridge(s, p, a, past, k, acc[row], gyr[row], sink)
            for c in range(3):
                past[k & (HISTORY - 1), c] = acc[row, c]
                past[k & (HISTORY - 1), c + 3] = gyr[row, c]
            advance(s, p, a, past, k, k, sink)
            s.index = k
