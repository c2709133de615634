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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsp.orientation.layout import BESIDE, LAGS, PAST
from dsp.orientation.math import inlined, lean

LEAST_PAST = 128  # samples that show how a rate goes on
STRAIGHT, HERMITE, KRIGING = 0, 1, 2  # ways; from the third on kriging
NOISE = (1e-6, 1e-4, 1e-2)  # shares of the variance that are noise of each sample
WAYS = KRIGING + len(NOISE)
TRY_EVERY = 8  # samples from one gap that is tried to the next
CALIBRATION = 1.5  # measured on recordings: squared errors are that much larger than in the trials before

# What the kernels work on: the rates before a gap in order, their sums, and a system of equations.
WORK: Final = [
    ("rate", "f8", (3, PAST)),
    ("sum", "f8", (3, PAST + 1)),
    ("at", "i8", (2 * BESIDE,)),  # steps from the last sample before the gap
    ("matrix", "f8", (2 * BESIDE, 2 * BESIDE)),
    ("known", "f8", (2 * BESIDE, 4)),  # right sides: rates x, y, z beside the gap; covariance with the sum over it
    ("weight", "f8", (2 * BESIDE, 4)),
    ("share", "f8", (2 * BESIDE,)),  # of each rate beside the gap in the sum over it
]


def no_past(sensors: int) -> NDArray[np.float32]:
    """Return room for the newest rates of some sensors: what a sensor says has no more than 24 bits."""
    return np.zeros((sensors, PAST, 3), np.float32)


@inlined
def keep_rate(s: Any, past: Any, x: float, y: float, z: float) -> None:
    """Put down one more angular rate."""
    row = s.past_n % PAST
    past[row, 0], past[row, 1], past[row, 2] = x, y, z
    s.past_n += 1


@lean
def look_back(w: Any, past: Any, first: int, n: int) -> None:
    """Lay ``n`` rates in order, from number ``first`` on, and sum them up."""
    rate, total = w.rate, w.sum
    for axis in range(3):
        total[axis, 0] = 0.0
        for i in range(n):
            x = past[(first + i) % PAST, axis]
            rate[axis, i] = x
            total[axis, i + 1] = total[axis, i] + x


@lean
def autocovariance(s: Any, w: Any, n: int) -> None:
    """Take the autocovariance of ``n`` rates; each lag over the same ones, so that a process could have it."""
    rate, c = w.rate, s.covariance
    for j in range(LAGS):
        c[j] = 0.0
    for axis in range(3):
        for i in range(n - LAGS):
            x = rate[axis, i] / (n - LAGS)
            for j in range(LAGS):
                c[j] += x * rate[axis, i + j]


@lean
def interpolate(s: Any, past: Any, w: Any) -> float:
    """Put rates into the newest gap, of ``s.gap_steps`` steps, with ``s.gap_seen`` rates after it.

    Returns the variance of their sum, (rad/s)^2 an axis; -1 where too little is known to say.
    """
    n, seen = s.gap_steps, s.gap_seen
    k = BESIDE + seen
    last = s.past_n - seen - n  # number of the newest rate before the gap
    first = max(0, s.past_n - PAST)
    held = last - first + 1
    lay_beside(past, w, last, n, k)
    best, way = -1.0, STRAIGHT if seen == 1 else HERMITE
    if held >= LEAST_PAST and held >= 4 * (n + k):
        look_back(w, past, first, held)
        close = n + k <= LAGS
        if seen == 1 and close:
            autocovariance(s, w, held)
        for i in range(WAYS if close else KRIGING):
            if (i == HERMITE and seen == 1) or not weigh(s, w, i, n, k):
                continue
            error = try_out(w, n, k, held)
            if best < 0.0 or error < best:
                best, way = error, i
    cross(s, past, w, way, last, n, k)
    return best


@lean
def lay_beside(past: Any, w: Any, last: int, n: int, k: int) -> None:
    """Write the rates before and after the gap."""
    for i in range(k):
        at = i - BESIDE + 1 if i < BESIDE else n + i - BESIDE
        w.at[i] = at
        row = (last + at) % PAST
        w.known[i, 0], w.known[i, 1], w.known[i, 2] = past[row, 0], past[row, 1], past[row, 2]


@lean
def weigh(s: Any, w: Any, way: int, n: int, k: int) -> bool:
    """Say what share each rate beside a gap has in the sum over it; False where this way does not go."""
    for i in range(k):
        w.share[i] = 0.0
    if way >= KRIGING:
        for i in range(k):
            w.known[i, 3] = 0.0
            for j in range(1, n):
                w.known[i, 3] += s.covariance[abs(j - w.at[i])]
        if not solve(w, s.covariance, k, NOISE[way - KRIGING] * s.covariance[0]):
            return False
        for i in range(k):
            w.share[i] = w.weight[i, 3]
        return True
    for j in range(1, n):
        before, change, after, change_after = curve(way, j / n, n)
        w.share[BESIDE - 1] += before + change
        w.share[BESIDE - 2] -= change
        w.share[BESIDE] += after - change_after
        if way == HERMITE:
            w.share[BESIDE + 1] += change_after
    return True


@inlined
def curve(way: int, u: float, n: int) -> tuple[float, float, float, float]:
    """Return how much of rate and change before and after a gap of ``n`` steps there is at ``u`` (0 to 1) in it."""
    v = 1.0 - u
    if way == STRAIGHT:
        return v, 0.0, u, 0.0
    return (1.0 + 2.0 * u) * v * v, u * v * v * n, (3.0 - 2.0 * u) * u * u, -u * u * v * n


@lean
def try_out(w: Any, n: int, k: int, held: int) -> float:
    """Return the mean squared error of the sum over gaps cut into the rates before, an axis."""
    total, tried = 0.0, 0
    for base in range(BESIDE - 1, held - n - k + BESIDE, TRY_EVERY):
        for axis in range(3):
            off = w.sum[axis, base + n] - w.sum[axis, base + 1]
            for i in range(k):
                off -= w.share[i] * w.rate[axis, base + w.at[i]]
            total += off * off
        tried += 3
    return total / tried


@lean
def cross(s: Any, past: Any, w: Any, way: int, last: int, n: int, k: int) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Write the rates in the gap."""
    c, known = s.covariance, w.known
    if way >= KRIGING:
        solve(w, c, k, NOISE[way - KRIGING] * c[0])
    for j in range(1, n):
        row = (last + j) % PAST
        before, change, after, change_after = curve(way, j / n, n)
        for axis in range(3):
            if way >= KRIGING:
                x = 0.0
                for i in range(k):
                    x += c[abs(j - w.at[i])] * w.weight[i, axis]
            else:
                x = before * known[BESIDE - 1, axis] + change * (known[BESIDE - 1, axis] - known[BESIDE - 2, axis])
                x += after * known[BESIDE, axis]
                if way == HERMITE:
                    x += change_after * (known[BESIDE + 1, axis] - known[BESIDE, axis])
            past[row, axis] = x


@lean
def solve(w: Any, c: Any, k: int, noise: float) -> bool:
    """Solve for the weights of the right sides; return False where a process cannot have this covariance."""
    if not cholesky_root(w, c, k, noise):
        return False
    a, x = w.matrix, w.weight
    for column in range(4):
        for i in range(k):
            v = w.known[i, column]
            for m in range(i):
                v -= a[i, m] * x[m, column]
            x[i, column] = v / a[i, i]
        for i in range(k - 1, -1, -1):
            v = x[i, column]
            for m in range(i + 1, k):
                v -= a[m, i] * x[m, column]
            x[i, column] = v / a[i, i]
    return True


@lean
def cholesky_root(w: Any, c: Any, k: int, noise: float) -> bool:
    """Take the Cholesky root of the covariance matrix; return False where it has none."""
    a = w.matrix
    for i in range(k):
        for j in range(i + 1):
            v = c[w.at[i] - w.at[j]]
            for m in range(j):
                v -= a[i, m] * a[j, m]
            if j < i:
                a[i, j] = v / a[j, j]
        v += noise
        if not v > 0.1 * noise:
            return False
        a[i, i] = math.sqrt(v)
    return True
