"""From steep rises of the vertical force to steps, and from steps to walking bouts.

A candidate becomes a step when it is strong enough and not too soon after the one before; four steps of like duration
make a walk, from then on every step is said when the next one has settled its time and side.
"""

from __future__ import annotations

import math
from typing import Any

from dsp.gait.rhythm import even_to_odd, forward_angle, median, pendulum_height, pendulum_step, regularity, spectrum
from dsp.kernel import kernel
from dsp.lower_back.layout import BLOCK_STEPS, BLOCK_STRIDES, BOUT, INITIAL_CONTACT, QUEUE, RHYTHM, RING

TYPICAL_STEPS = 6  # the typical force and duration are medians of so many
SOON = 0.6  # of the typical duration: an earlier candidate belongs to the same step
WEAK = 0.15  # of the typical force: weaker is no step
CLOSING = (0.6, 1.3)  # typical durations after the last step in which the trailing foot joins
CORE_STEPS = 4  # steps, that is three durations, make a walk ...
ALIKE = 0.25  # ... when successive ones differ by at most this share
PAUSE = 1.5  # of the typical duration: a longer step holds a pause
RHYTHMIC = 0.3  # regularity that begins a walk: walkers start with 0.3 to 0.9, shaking of like strength with 0.2
ARRHYTHMIC = 0.18  # regularity over eight steps that ends it: walkers keep 0.23 and more, shaking stays below 0.14
LEAN = 0.3  # of the typical force: weaker candidates before the first step are the body leaning forward
FULL = 0.5  # of the typical force: a bout runs from the first to the last step as strong as this
TURNING = 0.5  # rad/s: a walk that turns faster (30 degrees a second) is no steady walk
EVEN = 0.2  # share of an alternating deviation that is taken out: trunk and heel do not agree on it (r = 0.3)
MEMORY = 0.8  # weight of the sides told so far
SURE_SWAY = 0.1  # rad/s: pelvic rotation that settles a side by itself
SIDE_SURE = 0.2  # evidence below which the side is not told
PENDULUM = 1.2  # the trunk's own rise is less than that of the pendulum's top; 1.25 in Zijlstra & Hof 2003


@kernel
def clear(s: Any) -> None:
    """Forget all steps."""
    s.queue = 0
    s.told = 0
    s.walking = 0
    s.closing_at = math.nan
    s.closing_force = 0.0
    s.run = 0


@kernel
def say(s: Any, out: Any, n: int, kind: int, index: float) -> int:
    """Append an event without its particulars while there is room; return how many there are."""
    if n < len(out):
        e = out[n]
        e.sensor = s.sensor
        e.kind = kind
        e.index = index
        e.start = index
        e.decided_index = s.newest
        e.confidence = 1.0
        e.side = 0
        e.steps = 0
        e.cadence_spm = math.nan
        e.step_length_m = math.nan
        e.speed_mps = math.nan
        e.angle_rad = math.nan
        e.step_regularity = math.nan
        e.stride_regularity = math.nan
        for i in range(3):
            e.harmonic_ratio[i] = math.nan
        return n + 1
    return n


@kernel
def typical_force(s: Any) -> float:
    """Return the median force of the newest steps; zero when there is none."""
    n = min(s.queue, TYPICAL_STEPS)
    return median(s.force[s.queue - n :], n, s.scratch[0]) if n > 0 else 0.0


@kernel
def typical_duration(s: Any) -> float:
    """Return the median duration of the newest steps in samples; NaN for fewer than three."""
    n = min(s.queue, TYPICAL_STEPS) - 1
    if n < CORE_STEPS - 1:
        return math.nan
    for i in range(n):
        j = s.queue - n + i
        s.scratch[1, i] = s.at[j] - s.at[j - 1]
    return median(s.scratch[1], n, s.scratch[0])


@kernel
def drop(s: Any, count: int) -> None:
    """Drop the oldest steps of the queue."""
    for i in range(count, s.queue):
        s.at[i - count] = s.at[i]
        s.force[i - count] = s.force[i]
        s.pelvis[i - count] = s.pelvis[i]
    s.queue -= count
    s.told = max(0, s.told - count)


@kernel
def evidence(s: Any, i: int) -> float:
    """Return how much step ``i`` looks like a left one, -1 to 1.

    At a left contact the left side of the pelvis is furthest forward and still turns that way: its yaw rate is
    negative. Comparing with the neighbours takes out the turning of the walk itself.
    """
    around, n = 0.0, 0
    if i > 0:
        around += s.pelvis[i - 1]
        n += 1
    if i + 1 < s.queue:
        around += s.pelvis[i + 1]
        n += 1
    if n == 0:
        return 0.0
    rate = around / n - s.pelvis[i]
    return float(rate / (abs(rate) + SURE_SWAY))


@kernel
def turning(s: Any, i: int) -> float:
    """Return the yaw rate of the walk around step ``i``, rad/s; the pelvis' own to and fro is averaged out."""
    before = s.pelvis[i - 1] if i > 0 else s.pelvis[i]
    after = s.pelvis[i + 1] if i + 1 < s.queue else before
    return 0.25 * float(before + 2.0 * s.pelvis[i] + after)


@kernel
def rhythmic(s: Any, least: float) -> bool:
    """Return whether the newest steps repeat each other; where that cannot be told, they are taken to."""
    n = min(s.queue - 1, BLOCK_STEPS)
    period = typical_duration(s)
    first = math.ceil(s.at[s.queue - 1 - n])
    count = math.ceil(s.at[s.queue - 1]) - first
    if first <= s.first or s.newest - first >= RING - 2:
        return True
    best = regularity(s.up, first, count, period)
    if n >= CORE_STEPS:
        best = max(best, regularity(s.up, first, count, 2.0 * period))
    return bool(best >= least)


@kernel
def begin_walk(s: Any, p: Any) -> None:
    """Start a bout if the queue now holds one: enough firm steps of like duration."""
    if s.queue < CORE_STEPS:
        return
    for i in range(s.queue - CORE_STEPS + 2, s.queue):
        one, two = s.at[i - 1] - s.at[i - 2], s.at[i] - s.at[i - 1]
        if abs(two - one) > ALIKE * max(one, two):
            return
    typical = median(s.force, s.queue, s.scratch[0])
    if typical < p.firm or not rhythmic(s, RHYTHMIC):
        return
    lean = 0
    while lean < s.queue - CORE_STEPS + 1 and s.force[lean] < LEAN * typical:
        lean += 1
    drop(s, lean)
    s.walking = 1
    s.told = 0
    s.run = 0
    s.bout_start = math.nan
    s.bout_end = math.nan
    s.bout_steps = 0
    s.even_steps = 0
    s.even_time = 0.0
    s.lengths = 0
    s.length_sum = 0.0
    s.length_time = 0.0
    s.phase = 0.0
    for i in range(s.queue - 1, 0, -1):  # the steps still waiting help to tell the side of the first
        s.phase = evidence(s, i) - MEMORY * s.phase


@kernel
def tell_step(s: Any, p: Any, i: int, out: Any, n: int) -> int:
    """Say step ``i`` of the queue: when, which side, how long; return how many events there are."""
    at, confidence = s.at[i], 1.0
    duration, length = math.nan, math.nan
    typical = typical_duration(s)
    even = i > 0 and s.at[i] - s.at[i - 1] < PAUSE * typical
    if even:
        duration = s.at[i] - s.at[i - 1]
        if s.at[i - 1] >= s.first and s.newest - s.at[i - 1] < RING - 2:
            height = pendulum_height(s.up, s.at[i - 1], s.at[i], p.dt)
            length = PENDULUM * pendulum_step(height, p.leg)
        s.even_steps += 1
        s.even_time += duration
        if not math.isnan(length):
            s.lengths += 1
            s.length_sum += length
            s.length_time += duration
    if even and i + 1 < s.queue and s.at[i + 1] - s.at[i] < PAUSE * typical:
        at += EVEN * (s.at[i - 1] - 2.0 * s.at[i] + s.at[i + 1])
    s.phase = evidence(s, i) - MEMORY * s.phase
    force = typical_force(s)
    if s.force[i] >= FULL * force:
        if math.isnan(s.bout_start):
            s.bout_start = at
        s.bout_end = at
    else:
        confidence = max(0.5, s.force[i] / force)
    s.bout_steps += 1
    s.run = s.run + 1 if even and abs(turning(s, i)) < TURNING else 0
    before = n
    n = say(s, out, n, INITIAL_CONTACT, at)
    if n > before:
        e = out[before]
        e.confidence = confidence
        e.steps = 1
        e.step_length_m = length
        e.speed_mps = length / (duration * p.dt)
        e.side = 1 if s.phase > SIDE_SURE else -1 if s.phase < -SIDE_SURE else 0
    if s.run == BLOCK_STEPS and i >= BLOCK_STEPS:
        s.run = 0
        if s.at[i - BLOCK_STEPS] > s.first and s.newest - s.at[i - BLOCK_STEPS] < RING - 2:
            n = tell_rhythm(s, i, out, n)
    return n


@kernel
def tell_rhythm(s: Any, i: int, out: Any, n: int) -> int:
    """Say how regular the block of steps that ends with step ``i`` of the queue was."""
    before = n
    start, end = s.at[i - BLOCK_STEPS], s.at[i]
    n = say(s, out, n, RHYTHM, end)
    if n == before:
        return n
    e = out[before]
    e.start = start
    first = math.ceil(start)
    count = math.ceil(end) - first
    period = (end - start) / BLOCK_STEPS
    e.steps = BLOCK_STEPS
    e.step_regularity = regularity(s.up, first, count, period)
    e.stride_regularity = regularity(s.up, first, count, 2.0 * period)
    for k in range(BLOCK_STRIDES):
        one = s.at[i - BLOCK_STEPS + 2 * k]
        two = s.at[i - BLOCK_STEPS + 2 * k + 2]
        spectrum(s.up, one, two, s.spectra[k], 4)
        spectrum(s.level[0], one, two, s.spectra[k], 0)
        spectrum(s.level[1], one, two, s.spectra[k], 2)
    ahead = forward_angle(s.spectra, BLOCK_STRIDES)
    e.harmonic_ratio[0] = even_to_odd(s.spectra, BLOCK_STRIDES, 4, 0.0, 1)
    e.harmonic_ratio[1] = even_to_odd(s.spectra, BLOCK_STRIDES, 0, ahead, 2)
    e.harmonic_ratio[2] = 1.0 / even_to_odd(s.spectra, BLOCK_STRIDES, 0, ahead + 0.5 * math.pi, 2)
    return n


@kernel
def end_walk(s: Any, p: Any, out: Any, n: int) -> int:
    """End the bout, if there is one: say its last steps, the one that closed the feet, and the bout itself."""
    if s.walking == 1:
        for i in range(s.told, s.queue):
            n = tell_step(s, p, i, out, n)
        if not math.isnan(s.closing_at):
            before = n
            n = say(s, out, n, INITIAL_CONTACT, s.closing_at)
            if n > before:
                out[before].confidence = 0.5
                out[before].steps = 1
                out[before].side = -1 if s.phase > SIDE_SURE else 1 if s.phase < -SIDE_SURE else 0
        before = n
        if s.even_steps > 0 and not math.isnan(s.bout_start):
            n = say(s, out, n, BOUT, s.bout_end)
        if n > before:
            e = out[before]
            e.start = s.bout_start
            e.steps = s.bout_steps
            e.cadence_spm = 60.0 * s.even_steps / (s.even_time * p.dt)
            if s.lengths > 0:
                e.step_length_m = s.length_sum / s.lengths
                e.speed_mps = s.length_sum / (s.length_time * p.dt)
    clear(s)
    return n


@kernel
def put(s: Any, i: int, at: float) -> None:
    """Make the rise at instant ``at`` step ``i`` of the queue; what might have closed the feet did not."""
    s.at[i] = at
    s.force[i] = s.rise[1]
    s.pelvis[i] = s.sway
    s.closing_at = math.nan
    s.closing_force = 0.0


@kernel
def is_step(s: Any, p: Any, at: float) -> bool:
    """Return whether the rise at instant ``at`` is a new step; if not, it may mend the last or close the feet."""
    force = s.rise[1]
    if s.queue == 0:
        return bool(force >= p.floor)
    since = at - s.at[s.queue - 1]
    typical = typical_duration(s)
    soonest = p.shortest if math.isnan(typical) else max(p.shortest, SOON * typical)
    if since < soonest:
        if force >= p.floor and force > s.force[s.queue - 1]:
            put(s, s.queue - 1, at)
        return False
    if force >= max(p.floor, WEAK * typical_force(s)):
        return True
    if CLOSING[0] * typical < since < CLOSING[1] * typical and force > s.closing_force:
        s.closing_at = at
        s.closing_force = force
    return False


@kernel
def candidate(s: Any, p: Any, at: float, out: Any, n: int) -> int:
    """Take the rise that peaked at instant ``at`` (samples); say the steps that it settles."""
    if not is_step(s, p, at):
        return n
    if s.queue == QUEUE:
        drop(s, 1)
    put(s, s.queue, at)
    s.queue += 1
    if s.walking == 0:
        begin_walk(s, p)
    if s.walking == 1:
        while s.told < s.queue - 1:
            n = tell_step(s, p, s.told, out, n)
            s.told += 1
        if s.bout_steps % CORE_STEPS == 0 and s.queue > BLOCK_STEPS and not rhythmic(s, ARRHYTHMIC):
            n = end_walk(s, p, out, n)
    return n
