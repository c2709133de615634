"""How the candidates of the queue follow each other: a step each, even or limping, or two to a slow step.

Who walks slowly is lifted twice a step: once as the trailing foot pushes off and once as the leading one takes over.
Who limps takes a long and a short step in turn. Both are a beat of two: they differ in the pelvis, which turns about
with each step.
"""

from __future__ import annotations

import math

from dsp.gait.rhythm import median
from dsp.kernel import kernel
from dsp.lower_back.layout import LowerBackKernelState
from dsp.record import Floats

SOON = 0.6  # of the typical duration: an earlier candidate belongs to the same step
TYPICAL_STEPS = 6  # the typical force and duration are medians of so many
CORE_STEPS = 4  # steps, that is three durations, make a walk ...
ALIKE = 0.25  # ... when successive ones differ by at most this share
LIMP_STEPS = 6  # a long and a short step in turn must be seen twice, and once more
PAIRS = 4  # pairs of candidates that show that there are two to a step
ABOUT = -0.3  # of `turns_about`: two to a step come to -0.7, and of 2200 times eight steps of walkers one was below

UNKNOWN, EVEN, LIMPING, PAIRED = 0, 1, 2, 3


@kernel
def typical_force(state: LowerBackKernelState) -> float:
    """Return the median force of the newest steps; zero when there is none."""
    count = min(state.queue, TYPICAL_STEPS)
    return median(state.force[state.queue - count :], count, state.scratch[0]) if count > 0 else 0.0


@kernel
def typical_duration(state: LowerBackKernelState) -> float:
    """Return the median duration of the newest steps in samples, of a limp half a stride; NaN for fewer than three."""
    back = 2 if state.beat == LIMPING else 1
    count = min(state.queue, TYPICAL_STEPS) - back
    if count + back < CORE_STEPS:
        return math.nan
    for i in range(count):
        place = state.queue - count + i
        state.scratch[1, i] = (state.at[place] - state.at[place - back]) / back
    return median(state.scratch[1], count, state.scratch[0])


@kernel
def drop(state: LowerBackKernelState, count: int) -> None:
    """Drop the oldest steps of the queue."""
    for i in range(count, state.queue):
        move(state, i, i - count)
    state.queue -= count
    state.reported = max(0, state.reported - count)


@kernel
def move(state: LowerBackKernelState, place: int, to: int) -> None:
    """Have a step stand elsewhere in the queue."""
    state.at[to] = state.at[place]
    state.force[to] = state.force[place]
    state.pelvis[to] = state.pelvis[place]


@kernel
def alike(one: float, two: float) -> bool:
    """Return whether two durations are those of one walk."""
    return abs(two - one) <= ALIKE * max(one, two)


@kernel
def in_two(state: LowerBackKernelState, count: int) -> bool:
    """Return whether the newest candidates come in a beat of two: short and long in turn, and both together alike."""
    last = state.queue - 1
    for i in range(last, last - count + 3, -1):
        one, two, three = (
            state.at[i] - state.at[i - 1],
            state.at[i - 1] - state.at[i - 2],
            state.at[i - 2] - state.at[i - 3],
        )
        if (one < two) == (two < three) or not alike(one + two, two + three):
            return False
    return True


@kernel
def turns_about(state: LowerBackKernelState, count: int) -> float:
    """Return how alike the pelvis turns two candidates later: 1 the same way, -1 the other way, as of two to a step."""
    first = state.queue - count
    mean, power, total = 0.0, 1e-12, 0.0
    for i in range(first, state.queue):
        mean += state.pelvis[i] / count
    for i in range(first, state.queue):
        power += (state.pelvis[i] - mean) ** 2
    for i in range(first + 2, state.queue):
        total += (state.pelvis[i] - mean) * (state.pelvis[i - 2] - mean)
    return total / power


@kernel
def even(state: LowerBackKernelState, places: Floats, count: int) -> bool:
    """Return whether the newest of the candidates at these places of the queue are steps of like duration."""
    for i in range(count - CORE_STEPS + 2, count):
        before, middle, after = state.at[int(places[i - 2])], state.at[int(places[i - 1])], state.at[int(places[i])]
        if not alike(middle - before, after - middle):
            return False
    return count >= CORE_STEPS


@kernel
def apart(state: LowerBackKernelState, places: Floats) -> int:
    """Write which candidates stay when one that comes too soon belongs to the one before; return how many do."""
    count = 0
    for i in range(state.queue):
        soonest = 0.0
        if count >= CORE_STEPS:
            durations = min(count, TYPICAL_STEPS) - 1
            for k in range(durations):
                last = count - k - 1
                state.scratch[1, k] = state.at[int(places[last])] - state.at[int(places[last - 1])]
            soonest = SOON * median(state.scratch[1], durations, state.scratch[0])
        if count == 0 or state.at[i] - state.at[int(places[count - 1])] >= soonest:
            places[count] = i
            count += 1
        elif state.force[i] > state.force[int(places[count - 1])]:
            places[count - 1] = i
    return count


@kernel
def twice(state: LowerBackKernelState, fastest: float) -> bool:
    """Return whether candidates this fast (samples) are two to a step, by the pelvis."""
    count = min(state.queue, 2 * PAIRS)
    fast = state.at[state.queue - 1] - state.at[state.queue - count] < (count - 1) * fastest
    return fast and turns_about(state, count) < ABOUT


@kernel
def find_beat(state: LowerBackKernelState, fastest: float) -> int:
    """Return how the newest candidates follow each other, UNKNOWN where they make no walk; keep what may be steps.

    Args:
        state: Of the walker.
        fastest: Candidates that come sooner after each other than so many samples may be two to a step.
    """
    places = state.scratch[2]
    for i in range(state.queue):
        places[i] = i
    if even(state, places, state.queue):
        if not twice(state, fastest):
            return EVEN
        return PAIRED if state.queue >= 2 * PAIRS else UNKNOWN
    if state.queue >= LIMP_STEPS and in_two(state, LIMP_STEPS) and turns_about(state, LIMP_STEPS) > 0.0:
        return LIMPING
    if state.queue >= 2 * PAIRS and in_two(state, 2 * PAIRS) and turns_about(state, 2 * PAIRS) < ABOUT:
        return PAIRED
    count = apart(state, places)
    if not even(state, places, count):
        return UNKNOWN
    for i in range(count):
        move(state, int(places[i]), i)
    state.queue = count
    return EVEN


@kernel
def keep_second(state: LowerBackKernelState) -> None:
    """Keep of each pair of candidates the second, at which the leading foot takes over, and what may be half a pair."""
    last = state.queue - 1
    half = 1 if state.at[last] - state.at[last - 1] > state.at[last - 1] - state.at[last - 2] else 0
    kept = (state.queue - half + 1) // 2
    for i in range(kept):
        move(state, last - half - 2 * (kept - 1 - i), i)
    if half == 1:
        move(state, last, kept)
    state.queue = kept + half
    state.second = 1 - half
