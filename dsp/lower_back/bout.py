"""From steep rises of the vertical force to steps, and from steps to walking bouts.

A candidate becomes a step when it is strong enough and not too soon after the one before; four steps of like duration
make a walk, from then on every step is reported when the next one has settled its time and side.
"""

from __future__ import annotations

import math

from dsp.gait.rhythm import even_to_odd, forward_angle, median, pendulum_height, pendulum_step, regularity, spectrum
from dsp.kernel import kernel
from dsp.lower_back.beat import (
    CORE_STEPS,
    EVEN,
    LIMPING,
    PAIRED,
    SOON,
    UNKNOWN,
    drop,
    find_beat,
    keep_second,
    typical_duration,
    typical_force,
)
from dsp.lower_back.layout import (
    BLOCK_STEPS,
    BLOCK_STRIDES,
    BOUT,
    INITIAL_CONTACT,
    QUEUE,
    RHYTHM,
    RING,
    LowerBackEvent,
    LowerBackKernelParams,
    LowerBackKernelState,
)
from dsp.record import Rows

ALONE = 0.75  # of the typical duration: what comes so late after a step is the second of two rises, its first unseen
WEAK = 0.15  # of the typical force: weaker is no step
CLOSING = (0.6, 1.3)  # typical durations after the last step in which the trailing foot joins
DOUBLED_S = 0.5  # candidates at more than 120 a minute may be two to a step
PAUSE = 1.5  # of the typical duration: a longer step holds a pause
RHYTHMIC = 0.3  # regularity that begins a walk: walkers start with 0.3 to 0.9, shaking of like strength with 0.2
ARRHYTHMIC = 0.18  # regularity over eight steps that ends it: walkers keep 0.23 and more, shaking stays below 0.14
LEAN = 0.3  # of the typical force: weaker candidates before the first step are the body leaning forward
FULL = 0.5  # of the typical force: a bout ends with a step as strong as this
SPIN = 1.0  # rad/s: beyond what the pelvis of a straight walk does: a step of a turn, which hardly lifts the trunk
TURNING = 0.5  # rad/s: a walk that turns faster (30 degrees a second) is no steady walk
LEVEL = 0.2  # share of an alternating deviation that is taken out: trunk and heel do not agree on it (r = 0.3)
MEMORY = 0.8  # weight of the sides reported so far
SURE_SWAY = 0.1  # rad/s: pelvic rotation that settles a side by itself
SIDE_SURE = 0.2  # evidence below which the side is not reported
PENDULUM = 1.35  # the trunk's own rise is less than that of the pendulum's top; 1.25 in Zijlstra & Hof 2003
SHORTER = 0.6  # s: steps of a turn lift the trunk as much and take it less far: e^-0.6 of it for each radian a second
# Both fitted on strides of 13 people, measured at their feet; leaving one out moves them by 0.075 and 0.2 at most.


@kernel
def clear(state: LowerBackKernelState) -> None:
    """Forget all steps."""
    state.queue = 0
    state.reported = 0
    state.walking = 0
    state.closing_at = math.nan
    state.closing_force = 0.0
    state.run = 0
    state.beat = UNKNOWN


@kernel
def append_event(state: LowerBackKernelState, events: Rows[LowerBackEvent], count: int, kind: int, index: float) -> int:
    """Append an event without its particulars while there is room; return how many there are."""
    if count < len(events):
        event = events[count]
        event.sensor = state.sensor
        event.kind = kind
        event.index = index
        event.start = index
        event.detected_index = state.newest
        event.confidence = 1.0
        event.side = 0
        event.steps = 0
        event.cadence_spm = math.nan
        event.step_length_m = math.nan
        event.speed_mps = math.nan
        event.angle_rad = math.nan
        event.step_regularity = math.nan
        event.stride_regularity = math.nan
        for i in range(3):
            event.harmonic_ratio[i] = math.nan
        return count + 1
    return count


@kernel
def evidence(state: LowerBackKernelState, place: int) -> float:
    """Return how much step ``place`` looks like a left one, -1 to 1.

    At a left contact the left side of the pelvis is furthest forward and still turns that way: its yaw rate is
    negative. Comparing with the neighbours takes out the turning of the walk itself.
    """
    around, neighbours = 0.0, 0
    if place > 0:
        around += state.pelvis[place - 1]
        neighbours += 1
    if place + 1 < state.queue:
        around += state.pelvis[place + 1]
        neighbours += 1
    if neighbours == 0:
        return 0.0
    rate = around / neighbours - state.pelvis[place]
    return float(rate / (abs(rate) + SURE_SWAY))


@kernel
def turning(state: LowerBackKernelState, place: int) -> float:
    """Return the yaw rate of the walk around step ``place``, rad/s; the pelvis' own to and fro is averaged out."""
    before = state.pelvis[place - 1] if place > 0 else state.pelvis[place]
    after = state.pelvis[place + 1] if place + 1 < state.queue else before
    return 0.25 * float(before + 2.0 * state.pelvis[place] + after)


@kernel
def rhythmic(state: LowerBackKernelState, least: float) -> bool:
    """Return whether the newest steps repeat each other; where that cannot be known, they are taken to."""
    steps = min(state.queue - 1, BLOCK_STEPS)
    period = typical_duration(state)
    first = math.ceil(state.at[state.queue - 1 - steps])
    samples = math.ceil(state.at[state.queue - 1]) - first
    if first <= state.first or state.newest - first >= RING - 2:
        return True
    best = regularity(state.up, first, samples, period)
    if steps >= CORE_STEPS:
        best = max(best, regularity(state.up, first, samples, 2.0 * period))
    return bool(best >= least)


@kernel
def before_the_first(state: LowerBackKernelState, typical: float) -> int:
    """Return how many candidates of the queue are no steps yet: the body leans, and the first foot pushes off."""
    first, most = 0, state.queue - CORE_STEPS + 1
    while first < most and state.force[first] < LEAN * typical and abs(state.pelvis[first]) < SPIN:
        first += 1
    if first < most and state.at[first + 1] - state.at[first] > PAUSE * typical_duration(state):
        first += 1
    return first


@kernel
def begin_walk(state: LowerBackKernelState, params: LowerBackKernelParams) -> None:
    """Start a bout if the queue now holds one: enough firm steps in a beat."""
    found = find_beat(state, DOUBLED_S / params.dt)
    if found == UNKNOWN:
        return
    typical = median(state.force, state.queue, state.scratch[0])
    if typical < params.firm:
        return
    state.beat = EVEN if found == EVEN else LIMPING  # two beats repeat together, whatever they are
    if not rhythmic(state, RHYTHMIC):
        state.beat = UNKNOWN
        return
    state.beat = found
    if found == PAIRED:
        keep_second(state)
    drop(state, before_the_first(state, typical))
    state.walking = 1
    state.reported = 0
    state.run = 0
    state.bout_start = math.nan
    state.bout_end = math.nan
    state.bout_steps = 0
    state.even_steps = 0
    state.even_time = 0.0
    state.lengths = 0
    state.length_sum = 0.0
    state.length_time = 0.0
    state.phase = 0.0
    for i in range(state.queue - 1, 0, -1):  # the steps still waiting help to tell the side of the first
        state.phase = evidence(state, i) - MEMORY * state.phase


@kernel
def step_length(state: LowerBackKernelState, params: LowerBackKernelParams, place: int) -> float:
    """Return the length in metres of the step that ends as step ``place`` of the queue; NaN where it is not known."""
    begins, ends = state.at[place - 1], state.at[place]
    if begins < state.first or state.newest - begins >= RING - 2:
        return math.nan
    straight = PENDULUM * pendulum_step(pendulum_height(state.up, begins, ends, params.dt), params.leg)
    return float(straight * math.exp(-SHORTER * abs(turning(state, place))))


@kernel
def add_even_step(state: LowerBackKernelState, duration: float, length: float) -> None:
    """Count a step without a pause in what the bout amounts to: samples, and metres where they are known."""
    state.even_steps += 1
    state.even_time += duration
    if not math.isnan(length):
        state.lengths += 1
        state.length_sum += length
        state.length_time += duration


@kernel
def extend_bout(state: LowerBackKernelState, place: int, at: float, even: bool) -> float:
    """Have the bout reach to instant ``at`` of step ``place`` if it walks on there; return how sure the step is.

    Who has arrived still shifts about: a weak step, and one that a pause parts from the walk, count as steps and do not
    make the walk longer, unless it goes on after them.
    """
    state.bout_steps += 1
    if math.isnan(state.bout_start):
        state.bout_start = at
        state.bout_end = at
    force = typical_force(state)
    if state.force[place] < FULL * force:
        return float(max(0.5, state.force[place] / force))
    if even:
        state.bout_end = at
    return 1.0


@kernel
def report_step(
    state: LowerBackKernelState, params: LowerBackKernelParams, place: int, events: Rows[LowerBackEvent], count: int
) -> int:
    """Report step ``place`` of the queue: when, which side, how long; return how many events there are."""
    at = state.at[place]
    duration, length = math.nan, math.nan
    typical = typical_duration(state)
    even = place > 0 and state.at[place] - state.at[place - 1] < PAUSE * typical
    if even:
        duration = state.at[place] - state.at[place - 1]
        length = step_length(state, params, place)
        add_even_step(state, duration, length)
    if even and place + 1 < state.queue and state.at[place + 1] - state.at[place] < PAUSE * typical:
        at += LEVEL * (state.at[place - 1] - 2.0 * state.at[place] + state.at[place + 1])
    state.phase = evidence(state, place) - MEMORY * state.phase
    confidence = extend_bout(state, place, at, even)
    state.run = state.run + 1 if even and abs(turning(state, place)) < TURNING else 0
    before = count
    count = append_event(state, events, count, INITIAL_CONTACT, at)
    if count > before:
        event = events[before]
        event.confidence = confidence
        event.steps = 1
        event.step_length_m = length
        event.speed_mps = length / (duration * params.dt)
        event.side = 1 if state.phase > SIDE_SURE else -1 if state.phase < -SIDE_SURE else 0
    if state.run == BLOCK_STEPS and place >= BLOCK_STEPS:
        state.run = 0
        if state.at[place - BLOCK_STEPS] > state.first and state.newest - state.at[place - BLOCK_STEPS] < RING - 2:
            count = report_rhythm(state, place, events, count)
    return count


@kernel
def report_rhythm(state: LowerBackKernelState, place: int, events: Rows[LowerBackEvent], count: int) -> int:
    """Report how regular the block of steps that ends with step ``place`` of the queue was."""
    before = count
    start, end = state.at[place - BLOCK_STEPS], state.at[place]
    count = append_event(state, events, count, RHYTHM, end)
    if count == before:
        return count
    event = events[before]
    event.start = start
    first = math.ceil(start)
    samples = math.ceil(end) - first
    period = (end - start) / BLOCK_STEPS
    event.steps = BLOCK_STEPS
    event.step_regularity = regularity(state.up, first, samples, period)
    event.stride_regularity = regularity(state.up, first, samples, 2.0 * period)
    for k in range(BLOCK_STRIDES):
        one = state.at[place - BLOCK_STEPS + 2 * k]
        two = state.at[place - BLOCK_STEPS + 2 * k + 2]
        spectrum(state.up, one, two, state.spectra[k], 4)
        spectrum(state.level[0], one, two, state.spectra[k], 0)
        spectrum(state.level[1], one, two, state.spectra[k], 2)
    ahead = forward_angle(state.spectra, BLOCK_STRIDES)
    event.harmonic_ratio[0] = even_to_odd(state.spectra, BLOCK_STRIDES, 4, 0.0, 1)
    event.harmonic_ratio[1] = even_to_odd(state.spectra, BLOCK_STRIDES, 0, ahead, 2)
    event.harmonic_ratio[2] = 1.0 / even_to_odd(state.spectra, BLOCK_STRIDES, 0, ahead + 0.5 * math.pi, 2)
    return count


@kernel
def end_walk(
    state: LowerBackKernelState, params: LowerBackKernelParams, events: Rows[LowerBackEvent], count: int
) -> int:
    """End the bout, if there is one: report its last steps, the one that closed the feet, and the bout itself."""
    if state.walking == 1:
        for i in range(state.reported, state.queue):
            count = report_step(state, params, i, events, count)
        if not math.isnan(state.closing_at):
            before = count
            count = append_event(state, events, count, INITIAL_CONTACT, state.closing_at)
            if count > before:
                events[before].confidence = 0.5
                events[before].steps = 1
                events[before].side = -1 if state.phase > SIDE_SURE else 1 if state.phase < -SIDE_SURE else 0
        before = count
        if state.even_steps > 0 and not math.isnan(state.bout_start):
            count = append_event(state, events, count, BOUT, state.bout_end)
        if count > before:
            event = events[before]
            event.start = state.bout_start
            event.steps = state.bout_steps
            event.cadence_spm = 60.0 * state.even_steps / (state.even_time * params.dt)
            if state.lengths > 0:
                event.step_length_m = state.length_sum / state.lengths
                event.speed_mps = state.length_sum / (state.length_time * params.dt)
    clear(state)
    return count


@kernel
def put(state: LowerBackKernelState, place: int, at: float) -> None:
    """Make the rise at instant ``at`` step ``place`` of the queue; what might have closed the feet did not."""
    state.at[place] = at
    state.force[place] = state.rise[1]
    state.pelvis[place] = state.sway
    state.closing_at = math.nan
    state.closing_force = 0.0


@kernel
def opens_pair(state: LowerBackKernelState, params: LowerBackKernelParams, at: float) -> bool:
    """Return whether the rise at ``at`` is the first of a new step's two; the second has the step happen at it."""
    since, typical = at - state.at[state.queue - 1], typical_duration(state)
    if since < params.shortest:
        return False
    if state.second == 0 and since < SOON * typical:
        put(state, state.queue - 1, at)
        state.second = 1
        return False
    state.second = 1 if since >= ALONE * typical else 0
    return True


@kernel
def is_step(state: LowerBackKernelState, params: LowerBackKernelParams, at: float) -> bool:
    """Return whether the rise at instant ``at`` is a new step; if not, it may mend the last or close the feet."""
    force = state.rise[1]
    spins = abs(state.sway) >= SPIN
    floor = params.turn_floor if spins else params.floor
    if state.queue == 0:
        return bool(force >= floor)
    strong = force >= floor and (spins or force >= WEAK * typical_force(state))
    if state.beat == PAIRED:
        return bool(strong and opens_pair(state, params, at))
    since = at - state.at[state.queue - 1]
    typical = typical_duration(state)
    soonest = max(params.shortest, SOON * typical) if state.walking == 1 else params.shortest
    if since < soonest:
        if force >= floor and force > state.force[state.queue - 1]:
            put(state, state.queue - 1, at)
        return False
    if strong:
        return True
    if CLOSING[0] * typical < since < CLOSING[1] * typical and force > state.closing_force:
        state.closing_at = at
        state.closing_force = force
    return False


@kernel
def candidate(
    state: LowerBackKernelState, params: LowerBackKernelParams, at: float, events: Rows[LowerBackEvent], count: int
) -> int:
    """Look at the rise that peaked at instant ``at`` (samples); report the steps that it settles."""
    if not is_step(state, params, at):
        return count
    if state.queue == QUEUE:
        drop(state, 1)
    put(state, state.queue, at)
    state.queue += 1
    if state.walking == 0:
        begin_walk(state, params)
    if state.walking == 1:
        while state.reported < state.queue - 1:
            count = report_step(state, params, state.reported, events, count)
            state.reported += 1
        if state.bout_steps % CORE_STEPS == 0 and state.queue > BLOCK_STEPS and not rhythmic(state, ARRHYTHMIC):
            count = end_walk(state, params, events, count)
    return count
