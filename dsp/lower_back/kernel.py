"""The lower-back kernel: one pass over the new samples of many sensors, state in plain arrays.

Only the vertical of the body is needed, and the sensor finds it by itself: the gyroscope carries it along and the
accelerometer corrects it slowly, so the sensor may be strapped on at any angle. A contact is where the upward force,
smoothed by a Gaussian, rises most steeply, which is the wavelet of McCamley 2012 at one fixed scale; a turn is a
stretch of yaw (El-Gohary 2014).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.kernel import kernel
from dsp.lower_back.bout import candidate, clear, end_walk, say
from dsp.lower_back.layout import GAP, RING, TURN

G = 9.80665  # m/s^2
ACC_LIMIT = 1000.0  # m/s^2: ten times what any range of our sensors can say
GYR_LIMIT = 200.0  # rad/s: beyond 4000 degrees a second
KNOWN_S = 0.5  # what the vertical before a gap still counts for, as if seen so long
STEEP = 0.8  # of the axis along the vertical: take another one


@kernel
def restart(s: Any, p: Any, k: int) -> None:
    """Begin afresh at sample ``k``; only the vertical is kept, and may be corrected fast."""
    s.first = k
    s.rises = 0
    s.turn_sign = 0.0
    s.seen = min(s.seen, KNOWN_S / p.dt)
    clear(s)


@kernel
def find_up(s: Any, p: Any) -> tuple[float, float, float]:
    """Carry the vertical on by one sample and return it as a unit vector of the sensor frame."""
    x, y, z = s.gravity[0], s.gravity[1], s.gravity[2]
    wx, wy, wz = s.sample[3] * p.dt, s.sample[4] * p.dt, s.sample[5] * p.dt
    x, y, z = x - (wy * z - wz * y), y - (wz * x - wx * z), z - (wx * y - wy * x)
    s.seen += 1.0
    gain = 1.0 / min(s.seen, p.settle)
    x += gain * (s.sample[0] / G - x)
    y += gain * (s.sample[1] / G - y)
    z += gain * (s.sample[2] / G - z)
    s.gravity[0], s.gravity[1], s.gravity[2] = x, y, z
    norm = math.sqrt(x * x + y * y + z * z)
    if norm < 1e-6:
        return 0.0, 0.0, 1.0
    return x / norm, y / norm, z / norm


@kernel
def store(s: Any, p: Any, k: int) -> None:
    """Split the newest sample into upward, level and turning parts and put them into the rings at ``k``."""
    i = k & (RING - 1)
    x, y, z = find_up(s, p)
    ax, ay, az = s.sample[0], s.sample[1], s.sample[2]
    s.up[i] = ax * x + ay * y + az * z - G
    s.yaw[i] = s.sample[3] * x + s.sample[4] * y + s.sample[5] * z
    along = x if s.axis == 0 else y if s.axis == 1 else z
    if abs(along) > STEEP:
        s.axis = 0 if abs(x) <= min(abs(y), abs(z)) else 1 if abs(y) <= abs(z) else 2
        along = x if s.axis == 0 else y if s.axis == 1 else z
    ex, ey, ez = -along * x, -along * y, -along * z
    if s.axis == 0:
        ex += 1.0
    elif s.axis == 1:
        ey += 1.0
    else:
        ez += 1.0
    norm = math.sqrt(ex * ex + ey * ey + ez * ez)
    ex, ey, ez = ex / norm, ey / norm, ez / norm
    s.level[0, i] = ax * ex + ay * ey + az * ez
    s.level[1, i] = ax * (y * ez - z * ey) + ay * (z * ex - x * ez) + az * (x * ey - y * ex)


@kernel
def filtered(s: Any, p: Any, c: int) -> tuple[float, float]:
    """Return the rise of the smoothed upward force, m/s^3, and the smoothed yaw rate, rad/s, at sample ``c``."""
    rise, sway = 0.0, p.smooth[0] * s.yaw[c & (RING - 1)]
    for m in range(1, p.half + 1):
        after, before = (c + m) & (RING - 1), (c - m) & (RING - 1)
        rise += p.slope[m] * (s.up[after] - s.up[before])
        sway += p.smooth[m] * (s.yaw[after] + s.yaw[before])
    return rise, sway


@kernel
def follow_turn(s: Any, p: Any, rate: float, out: Any, n: int) -> int:
    """Follow the yaw rate; say a turn once it has ended."""
    sign = 0.0 if abs(rate) < p.turn_edge else 1.0 if rate > 0.0 else -1.0
    if sign != s.turn_sign:
        lasted = s.centre - s.turn_from
        long_enough = p.turn_short <= lasted <= p.turn_long
        if s.turn_sign != 0.0 and long_enough and s.turn_top >= p.turn_peak and s.turn_sum >= p.turn_least:
            before = n
            n = say(s, out, n, TURN, float(s.centre))
            if n > before:
                out[before].start = s.turn_from
                out[before].side = 1 if s.turn_sign > 0.0 else -1
                out[before].angle_rad = s.turn_sum
        s.turn_sign = sign
        s.turn_from = float(s.centre)
        s.turn_sum = 0.0
        s.turn_top = 0.0
    s.turn_sum += abs(rate) * p.dt
    s.turn_top = max(s.turn_top, abs(rate))
    return n


@kernel
def step(s: Any, p: Any, k: int, out: Any, n: int) -> int:
    """Take the sample in ``s.sample`` as number ``k``; return how many events there are."""
    store(s, p, k)
    if k - s.first < 2 * p.half:
        return n
    c = s.centre = k - p.half
    rise, sway = filtered(s, p, c)
    n = follow_turn(s, p, sway, out, n)
    if s.queue > 0 and c - s.at[s.queue - 1] > p.pause:
        n = end_walk(s, p, out, n)
    if s.rises == 2 and s.rise[1] > s.rise[0] and s.rise[1] >= rise and s.rise[1] > p.faint:
        bend = s.rise[0] - 2.0 * s.rise[1] + rise
        at = c - 1.0 + 0.5 * (s.rise[0] - rise) / bend + p.lead
        n = candidate(s, p, at, out, n)
    s.rise[0], s.rise[1], s.sway = s.rise[1], rise, sway
    s.rises = min(s.rises + 1, 2)
    return n


@kernel
def usable(acc: Any, gyr: Any, row: int) -> bool:
    """Return whether all six channels of a row hold something that a sensor could have measured."""
    for i in range(3):  # noqa: SIM110 - numba has no generator expressions
        if not (abs(acc[row, i]) < ACC_LIMIT and abs(gyr[row, i]) < GYR_LIMIT):  # also where NaN
            return False
    return True


@kernel
def walks(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params: Any,
    state: Any,
    out: Any,
) -> int:
    """Run all sensors of a batch; return how many events were written to ``out``."""
    n = 0
    for j in range(len(sensors)):
        s, p = state[sensors[j]], params[sensors[j]]
        s.sensor = sensors[j]
        for row in range(start[j], start[j + 1]):
            if not usable(acc, gyr, row):
                continue
            k = index[row]
            lost = k - s.index - 1
            if s.started == 0:
                s.started = 1
                s.newest = k
                restart(s, p, k)
            elif lost < 0:
                continue
            elif lost > p.bridge:
                n = end_walk(s, p, out, n)
                s.newest = k
                n = say(s, out, n, GAP, float(s.index))
                restart(s, p, k)
            else:
                s.newest = k
                for i in range(lost):  # each is one share of what is left of the way to the new sample
                    share = 1.0 / (lost + 1.0 - i)
                    for m in range(3):
                        s.sample[m] += share * (acc[row, m] - s.sample[m])
                        s.sample[m + 3] += share * (gyr[row, m] - s.sample[m + 3])
                    n = step(s, p, s.index + 1 + i, out, n)
            for m in range(3):
                s.sample[m] = acc[row, m]
                s.sample[m + 3] = gyr[row, m]
            n = step(s, p, k, out, n)
            s.index = k
    return n


@kernel
def finish(state: Any, params: Any, sensor: int, out: Any) -> int:
    """End the stream of one sensor: say what was still open; return how many events there are."""
    return end_walk(state[sensor], params[sensor], out, 0)
