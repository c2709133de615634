"""What the orientation filter does where samples are lost, not numbers, or frozen.

A short gap is bridged once the next sample is there: the angular rate is interpolated (straight at first, and again
as a cubic Hermite curve once a second sample has shown how the rate goes on). How far that may be wrong is estimated
from how much the rate changed, and the gains of gravity and magnetic field open accordingly and close again as
averages do: 1 / n. The magnetic field in the frame of the gyroscope is the same before and after a gap, whatever its
direction: laying one on the other takes back two of the three parts of the error at once.
"""

from __future__ import annotations

import math
from typing import Any

from dsp.orientation_kernel import four, keep_four, keep_three, predict, smooth, three, turn
from dsp.orientation_layout import BRIDGED
from dsp.orientation_math import Vector, inlined, lean, product, rotate, rotation, touch_up
from dsp.orientation_step import FLOOR_NOISE

ACC_LIMIT = 1000.0  # m/s^2: ten times what any range of our sensors can say
GYR_LIMIT = 200.0  # rad/s: beyond 4000 degrees a second
MAG_LIMIT = 10000.0  # uT: two hundred times the field of the earth

# A bridged gap of T seconds, over which the rate changed by d rad/s, is wrong by about this share of T * d (measured
# on recordings with gaps of 7 to 220 ms): it grows with T squared, as what is left of a curve beside a cubic does.
BRIDGE_CURVE = 17.0  # per s^2
BRIDGE_LEAST = 0.02
BRIDGE_MOST = 0.3
LOST_RATE = 1.0  # rad/s: how fast the unknown orientation runs away in a longer gap
LOST_MOST = 1.0  # rad: more is not known to be wrong
SAME_NORM = 0.1  # share: fields whose norms differ more are not the same field
WEAVE_TILT = 0.2  # what is left of an error in the tilt once the field has been laid on the one before


@inlined
def usable(v: Vector, limit: float) -> bool:
    """Return whether a sensor could have measured this (NaN is not)."""
    return abs(v[0]) < limit and abs(v[1]) < limit and abs(v[2]) < limit


@inlined
def repeats(s: Any, channel: int, v: Vector) -> float:
    """Return how often in a row a channel has now repeated this very value."""
    i = 3 * channel
    if s.raw[i] == v[0] and s.raw[i + 1] == v[1] and s.raw[i + 2] == v[2]:
        s.repeats[channel] += 1.0
    else:
        s.raw[i], s.raw[i + 1], s.raw[i + 2] = v
        s.repeats[channel] = 0.0
    return float(s.repeats[channel])


@lean
def open_gains(s: Any, p: Any, tilt_var: float, heading_var: float) -> None:
    """Something was missing: trust gravity and field more until they have been averaged as long as that takes."""
    s.tilt_var = min(s.tilt_var + tilt_var, LOST_MOST**2)
    s.heading_var = min(s.heading_var + heading_var, LOST_MOST**2)
    weight = (s.shake * p.acc_span + FLOOR_NOISE) / s.tilt_var
    if weight < (p.slow_s / p.dt if s.level_n < 0.0 else s.level_n) and s.slow_n < 0.0:
        s.level_n = weight
        for i in range(3):
            s.slow_1[i] = weight * s.gravity[i]
        s.recovering = 1
    unsure = max(s.heading_var - p.mag_worth, 0.0)
    gain = unsure / (unsure + p.mag_noise)
    if gain > p.mag_gain and s.start_gain == 0.0:
        s.open_gain = max(s.open_gain, gain)


@lean
def bridge(s: Any, p: Any, n: int, gyr: Vector) -> None:
    """Turn over the lost samples of a gap of ``n`` steps, straight from the newest angular rate to this one."""
    keep_four(s.before_gap, four(s.turn))
    for i in range(3):
        s.gap_rate[i] = s.gyr[i]
        s.gap_rate[i + 3] = s.gyr[i] - s.gyr_before[i] if s.run > 1 else 0.0
    s.gap_steps = n if s.run > 1 else 0
    dx, dy, dz = gyr[0] - s.gyr[0], gyr[1] - s.gyr[1], gyr[2] - s.gyr[2]
    for i in range(1, n):
        u = i / n
        turn(s, p, (s.gyr[0] + u * dx, s.gyr[1] + u * dy, s.gyr[2] + u * dz))
    span = n * p.dt
    share = min(BRIDGE_MOST, BRIDGE_LEAST + BRIDGE_CURVE * span * span)
    error = share * span * math.sqrt(dx * dx + dy * dy + dz * dz)
    var = error * error / 3.0
    s.weave_var = var
    if s.weave_left > 0:
        s.weave_left = p.weave
    open_gains(s, p, WEAVE_TILT * var if s.weave_left > 0 else var, var)


@lean
def bridge_again(s: Any, p: Any, gyr: Vector) -> None:
    """Turn over the newest gap once more, now that the rate after it is known to go on to this one."""
    n = s.gap_steps
    s.gap_steps = 0
    keep_four(s.turn, four(s.before_gap))
    rate, change = s.gap_rate[:3], s.gap_rate[3:]
    for i in range(1, n + 1):
        u = i / n
        v = 1.0 - u
        start, rise = (1.0 + 2.0 * u) * v * v, u * v * v * n
        end, fall = (3.0 - 2.0 * u) * u * u, -u * u * v * n
        x = start * rate[0] + rise * change[0] + end * s.gyr[0] + fall * (gyr[0] - s.gyr[0])
        y = start * rate[1] + rise * change[1] + end * s.gyr[1] + fall * (gyr[1] - s.gyr[1])
        z = start * rate[2] + rise * change[2] + end * s.gyr[2] + fall * (gyr[2] - s.gyr[2])
        turn(s, p, (x, y, z))


@lean
def fill_gravity(s: Any, p: Any, n: int, acc: Vector) -> None:
    """Let the average of gravity see a gap of ``n`` steps: movement that is cut out of it would not average out."""
    force = rotate(four(s.turn), acc)
    for i in range(1, n):
        u = i / n
        if s.level_n >= 0.0:
            s.level_n += 1.0
        for j in range(3):
            smooth(s.slow_1, s.slow_2, j, (s.level_n, False), p.slow, s.acc[j] + u * (force[j] - s.acc[j]))


@lean
def remember_field(s: Any) -> None:
    """Keep where the field lay in the frame of the gyroscope before a gap began."""
    keep_three(s.weave_field, rotate(four(s.turn), (s.raw[6], s.raw[7], s.raw[8])))
    s.weave_left = s.field_known


@lean
def weave(s: Any, p: Any, mag: Vector) -> None:
    """Lay the field after a gap on the one before."""
    x, y, z = rotate(four(s.turn), mag)
    norm = math.sqrt(x * x + y * y + z * z)
    fx, fy, fz = s.weave_field[0], s.weave_field[1], s.weave_field[2]
    other = math.sqrt(fx * fx + fy * fy + fz * fz)
    if abs(norm - other) < SAME_NORM * other:
        gain = s.weave_var / (s.weave_var + p.weave_noise)
        s.weave_var *= 1.0 - gain
        f = gain / (norm * other)
        step = rotation(f * (y * fz - z * fy), f * (z * fx - x * fz), f * (x * fy - y * fx))
        keep_four(s.turn, touch_up(product(step, four(s.turn))))


@lean
def undo(s: Any, p: Any) -> None:
    """Turn back what a frozen gyroscope has said since it froze: from there on it is missing."""
    if s.held == 0 and s.run > 1:
        for _ in range(p.frozen_gyr):
            turn(s, p, (2.0 * s.bias[0] - s.gyr[0], 2.0 * s.bias[1] - s.gyr[1], 2.0 * s.bias[2] - s.gyr[2]))
        s.held = p.frozen_gyr
        s.weave_left = 0


@lean
def lose(s: Any, p: Any) -> None:
    """The orientation was not seen for longer than can be bridged: hold it, then find it from gravity and field."""
    s.rest_s = 0.0
    s.rest = 0
    s.run = 0
    s.gap_steps = 0
    s.weave_var = LOST_MOST**2
    s.acc_known = 0
    s.lost = 1
    span = LOST_RATE * s.held * p.dt
    open_gains(s, p, span * span, span * span)


@inlined
def follow_gyr(s: Any, p: Any, gyr: Vector, acc: Vector, acc_known: bool) -> int:
    """Take a good angular rate, after a gap or not; return flags."""
    flags = 0
    n = s.held
    if n > 1 and s.run > 0:
        if n - 1 <= p.bridge:
            bridge(s, p, n, gyr)
            flags = BRIDGED
            s.run = 0
        else:
            lose(s, p)
    elif n == 1 and s.run == 1 and s.gap_steps > 0:
        bridge_again(s, p, gyr)
        flags = BRIDGED
    s.held = 0
    s.run = min(s.run + 1, 2)
    keep_three(s.gyr_before, three(s.gyr))
    keep_three(s.gyr, gyr)
    predict(s, p, gyr)
    if flags == BRIDGED and s.run == 1 and acc_known and s.acc_known == 1:
        fill_gravity(s, p, n, acc)
    return flags
