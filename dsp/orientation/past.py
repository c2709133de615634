"""What the angular rate of a sensor was lately, and what that says about samples that were lost.

How a rate goes on differs from movement to movement: a slow turn is a straight line for a tenth of a second, a quick
one has been there and back. So the newest few hundred samples are kept, and at a gap several ways across are tried on
gaps cut into them: a straight line, a cubic Hermite curve, and simple kriging (the likeliest rates of a stationary
process with the autocovariance of those samples, all axes together) with little and with more noise. The way that
would have been the best lately is taken, and its error is known with it. Right after a gap there is one sample: all
is done over with each of the next.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from dsp.orientation.layout import BESIDE, LAGS, PAST, OrientationState, PastRates
from dsp.orientation.math import inlined, lean
from dsp.record import Floats, Ints, Record

LEAST_PAST = 128  # samples that show how a rate goes on
STRAIGHT, HERMITE, KRIGING = 0, 1, 2  # ways; from the third on kriging
NOISE = (1e-6, 1e-4, 1e-2)  # shares of the variance that are noise of each sample
WAYS = KRIGING + len(NOISE)
TRY_EVERY = 8  # samples from one gap that is tried to the next
CALIBRATION = 1.5  # measured on recordings: squared errors are that much larger than in the trials before


class Work(Record):
    """What the kernels work on: the rates before a gap in order, their sums, and a system of equations."""

    rate: Annotated[Floats, 3, PAST]
    sum: Annotated[Floats, 3, PAST + 1]
    at: Annotated[Ints, 2 * BESIDE]  # steps from the last sample before the gap
    matrix: Annotated[Floats, 2 * BESIDE, 2 * BESIDE]
    known: Annotated[Floats, 2 * BESIDE, 4]  # right sides: rates beside the gap; covariance with the sum over it
    weight: Annotated[Floats, 2 * BESIDE, 4]
    share: Annotated[Floats, 2 * BESIDE]  # of each rate beside the gap in the sum over it


def no_past(sensors: int) -> NDArray[np.float32]:
    """Return room for the newest rates of some sensors: what a sensor says has no more than 24 bits."""
    return np.zeros((sensors, PAST, 3), np.float32)


@inlined
def keep_rate(state: OrientationState, past: PastRates, x_rads: float, y_rads: float, z_rads: float) -> None:
    """Put down one more angular rate."""
    row = state.past_n % PAST
    past[row, 0], past[row, 1], past[row, 2] = x_rads, y_rads, z_rads
    state.past_n += 1


@lean
def look_back(work: Work, past: PastRates, first: int, count: int) -> None:
    """Lay so many rates in order, from number ``first`` on, and sum them up."""
    rate, total = work.rate, work.sum
    for axis in range(3):
        total[axis, 0] = 0.0
        for i in range(count):
            x = past[(first + i) % PAST, axis]
            rate[axis, i] = x
            total[axis, i + 1] = total[axis, i] + x


@lean
def autocovariance(state: OrientationState, work: Work, count: int) -> None:
    """Take the autocovariance of so many rates; each lag over the same ones, so that a process could have it."""
    rate, covariance = work.rate, state.covariance
    for j in range(LAGS):
        covariance[j] = 0.0
    for axis in range(3):
        for i in range(count - LAGS):
            x = rate[axis, i] / (count - LAGS)
            for j in range(LAGS):
                covariance[j] += x * rate[axis, i + j]


@lean
def interpolate(state: OrientationState, past: PastRates, work: Work) -> float:
    """Put rates into the newest gap, of ``s.gap_steps`` steps, with ``s.gap_seen`` rates after it.

    Returns the variance of their sum, (rad/s)^2 an axis; -1 where too little is known to say.
    """
    steps, seen = state.gap_steps, state.gap_seen
    size = BESIDE + seen
    last = state.past_n - seen - steps  # number of the newest rate before the gap
    first = max(0, state.past_n - PAST)
    held = last - first + 1
    lay_beside(past, work, last, steps, size)
    best, way = -1.0, STRAIGHT if seen == 1 else HERMITE
    if held >= LEAST_PAST and held >= 4 * (steps + size):
        look_back(work, past, first, held)
        close = steps + size <= LAGS
        if seen == 1 and close:
            autocovariance(state, work, held)
        for i in range(WAYS if close else KRIGING):
            if (i == HERMITE and seen == 1) or not weigh(state, work, i, steps, size):
                continue
            error = try_out(work, steps, size, held)
            if best < 0.0 or error < best:
                best, way = error, i
    cross(state, past, work, way, last, steps, size)
    return best


@lean
def lay_beside(past: PastRates, work: Work, last: int, steps: int, size: int) -> None:
    """Write the rates before and after the gap."""
    for i in range(size):
        at = i - BESIDE + 1 if i < BESIDE else steps + i - BESIDE
        work.at[i] = at
        row = (last + at) % PAST
        work.known[i, 0], work.known[i, 1], work.known[i, 2] = past[row, 0], past[row, 1], past[row, 2]


@lean
def weigh(state: OrientationState, work: Work, way: int, steps: int, size: int) -> bool:
    """Say what share each rate beside a gap has in the sum over it; False where this way does not go."""
    for i in range(size):
        work.share[i] = 0.0
    if way >= KRIGING:
        for i in range(size):
            work.known[i, 3] = 0.0
            for j in range(1, steps):
                work.known[i, 3] += state.covariance[abs(j - work.at[i])]
        if not solve(work, state.covariance, size, NOISE[way - KRIGING] * state.covariance[0]):
            return False
        for i in range(size):
            work.share[i] = work.weight[i, 3]
        return True
    for j in range(1, steps):
        before, change, after, change_after = curve(way, j / steps, steps)
        work.share[BESIDE - 1] += before + change
        work.share[BESIDE - 2] -= change
        work.share[BESIDE] += after - change_after
        if way == HERMITE:
            work.share[BESIDE + 1] += change_after
    return True


@inlined
def curve(way: int, share: float, steps: int) -> tuple[float, float, float, float]:
    """Return how much of rate and change before and after a gap there is at a share (0 to 1) of it."""
    v = 1.0 - share
    if way == STRAIGHT:
        return v, 0.0, share, 0.0
    return (
        (1.0 + 2.0 * share) * v * v,
        share * v * v * steps,
        (3.0 - 2.0 * share) * share * share,
        -share * share * v * steps,
    )


@lean
def try_out(work: Work, steps: int, size: int, held: int) -> float:
    """Return the mean squared error of the sum over gaps cut into the rates before, an axis."""
    total, tried = 0.0, 0
    for base in range(BESIDE - 1, held - steps - size + BESIDE, TRY_EVERY):
        for axis in range(3):
            off = work.sum[axis, base + steps] - work.sum[axis, base + 1]
            for i in range(size):
                off -= work.share[i] * work.rate[axis, base + work.at[i]]
            total += off * off
        tried += 3
    return total / tried


@lean
def cross(state: OrientationState, past: PastRates, work: Work, way: int, last: int, steps: int, size: int) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Write the rates in the gap."""
    covariance, known = state.covariance, work.known
    if way >= KRIGING:
        solve(work, covariance, size, NOISE[way - KRIGING] * covariance[0])
    for j in range(1, steps):
        row = (last + j) % PAST
        before, change, after, change_after = curve(way, j / steps, steps)
        for axis in range(3):
            if way >= KRIGING:
                x = 0.0
                for i in range(size):
                    x += covariance[abs(j - work.at[i])] * work.weight[i, axis]
            else:
                x = before * known[BESIDE - 1, axis] + change * (known[BESIDE - 1, axis] - known[BESIDE - 2, axis])
                x += after * known[BESIDE, axis]
                if way == HERMITE:
                    x += change_after * (known[BESIDE + 1, axis] - known[BESIDE, axis])
            past[row, axis] = x


@lean
def solve(work: Work, covariance: Floats, size: int, noise: float) -> bool:
    """Solve for the weights of the right sides; return False where a process cannot have this covariance."""
    if not cholesky_root(work, covariance, size, noise):
        return False
    a, x = work.matrix, work.weight
    for column in range(4):
        for i in range(size):
            v = work.known[i, column]
            for m in range(i):
                v -= a[i, m] * x[m, column]
            x[i, column] = v / a[i, i]
        for i in range(size - 1, -1, -1):
            v = x[i, column]
            for m in range(i + 1, size):
                v -= a[m, i] * x[m, column]
            x[i, column] = v / a[i, i]
    return True


@lean
def cholesky_root(work: Work, covariance: Floats, size: int, noise: float) -> bool:
    """Take the Cholesky root of the covariance matrix; return False where it has none."""
    a = work.matrix
    for i in range(size):
        for j in range(i + 1):
            v = covariance[work.at[i] - work.at[j]]
            for m in range(j):
                v -= a[i, m] * a[j, m]
            if j < i:
                a[i, j] = v / a[j, j]
        v += noise
        if not v > 0.1 * noise:
            return False
        a[i, i] = math.sqrt(v)
    return True
