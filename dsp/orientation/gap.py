"""What the orientation filter does where samples are lost, not numbers, or frozen.

A short gap is bridged once the next sample is there: the angular rate is interpolated in the way that suits the
movement (``dsp.orientation.past``), once more with each of the next three samples. How far that may be wrong is known
from gaps cut into what was seen before, and the gains of gravity and magnetic field open accordingly and close again
as averages do: 1 / n. The magnetic field in the frame of the gyroscope is the same before and after a gap, whatever its
direction: laying one on the other takes back two of the three parts of the error at once.
"""

from __future__ import annotations

import math
from typing import Any

from dsp.orientation.field import field_here, recall_field, without_iron
from dsp.orientation.kernel import four, keep_four, keep_three, predict, smooth, turn
from dsp.orientation.layout import BESIDE, BRIDGED, PAST
from dsp.orientation.math import Vector, inlined, lean, product, rotate, rotation, touch_up
from dsp.orientation.past import CALIBRATION, interpolate, keep_rate
from dsp.orientation.step import FLOOR_NOISE

ACC_LIMIT = 1000.0  # m/s^2: ten times what any range of our sensors can say
GYR_LIMIT = 200.0  # rad/s: beyond 4000 degrees a second
MAG_LIMIT = 10000.0  # uT: two hundred times the field of the earth

# Where too little was seen before, a bridged gap of T seconds, over which the rate changed by d rad/s, is taken to be
# wrong by about this share of T * d (measured on recordings with gaps of 7 to 220 ms): it grows with T squared, as what
# is left of a curve beside a cubic does.
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
def repeats(s: Any, first: int, v: Vector) -> tuple[float, float]:
    """Return how often in a row all axes from number ``first`` on have repeated their values, and the one that most."""
    for i in range(3):
        s.repeats[first + i] = s.repeats[first + i] + 1.0 if s.raw[first + i] == v[i] else 0.0
        s.raw[first + i] = v[i]
    return least_and_most(s.repeats[first], s.repeats[first + 1], s.repeats[first + 2])


@inlined
def least_and_most(x: float, y: float, z: float) -> tuple[float, float]:
    """Return the least and the most of three numbers."""
    low, high = (x, y) if x < y else (y, x)
    return z if z < low else low, z if z > high else high  # noqa: FURB136 - numba's min minds NaN


@inlined
def field_repeats(s: Any, v: Vector) -> None:
    """Count how often in a row a magnetometer has repeated its value."""
    if s.raw[6] == v[0] and s.raw[7] == v[1] and s.raw[8] == v[2]:
        s.repeats[6] += 1.0
    else:
        s.raw[6], s.raw[7], s.raw[8] = v
        s.repeats[6] = 0.0


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
def begin_bridge(s: Any, p: Any, n: int, gyr: Vector, past: Any) -> None:
    """Make room for the lost samples of a gap of ``n`` steps that ends with this angular rate."""
    if s.gap_steps > 0:
        end_bridge(s, p)
    keep_four(s.before_gap, four(s.turn))
    s.gap_steps = n
    s.gap_seen = 0
    for _ in range(1, n):
        keep_rate(s, past, 0.0, 0.0, 0.0)
    dx, dy, dz = gyr[0] - s.gyr[0], gyr[1] - s.gyr[1], gyr[2] - s.gyr[2]
    span = n * p.dt
    share = min(BRIDGE_MOST, BRIDGE_LEAST + BRIDGE_CURVE * span * span)
    error = share * span * math.sqrt(dx * dx + dy * dy + dz * dz)
    s.gap_var = error * error / 3.0


@lean
def go_on_bridging(s: Any, p: Any, past: Any, w: Any) -> None:
    """Turn over the newest gap, once more if need be, now that one more rate after it is known."""
    s.gap_seen += 1
    var = interpolate(s, past, w) * p.dt * p.dt
    if var >= 0.0:
        s.gap_var = CALIBRATION * var
    keep_four(s.turn, four(s.before_gap))
    for i in range(s.past_n - s.gap_steps - s.gap_seen + 1, s.past_n - 1):  # the newest one turns all as ever
        row = i % PAST
        turn(s, p, (past[row, 0], past[row, 1], past[row, 2]))
    if s.gap_seen == BESIDE:
        end_bridge(s, p)


@lean
def end_bridge(s: Any, p: Any) -> None:
    """Say how far the newest gap may have been wrong."""
    s.gap_steps = 0
    s.weave_var = s.gap_var
    if s.weave_left > 0:
        s.weave_left = p.weave
    open_gains(s, p, WEAVE_TILT * s.gap_var if s.weave_left > 0 else s.gap_var, s.gap_var)


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
def remember_field(s: Any, p: Any) -> None:
    """Keep where the field lay in the frame of the gyroscope before a gap began."""
    recall_field(s, p)
    keep_three(s.weave_field, rotate(four(s.turn), without_iron(s, (s.raw[6], s.raw[7], s.raw[8]))))
    s.weave_left = s.field_known


@lean
def weave(s: Any, p: Any, mag: Vector) -> None:
    """Lay the field after a gap on the one before."""
    x, y, z = rotate(four(s.turn), without_iron(s, mag))
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
def undo(s: Any, p: Any, past: Any, n: int) -> None:
    """Turn back what a gyroscope has said in the ``n`` samples since an axis froze: from there on it is missing."""
    if s.held == 0 and s.run > 1 and s.gap_steps == 0 and n < min(s.past_n, PAST):
        b = s.bias
        for _ in range(n):
            s.past_n -= 1
            row = s.past_n % PAST
            turn(s, p, (2.0 * b[0] - past[row, 0], 2.0 * b[1] - past[row, 1], 2.0 * b[2] - past[row, 2]))
        row = (s.past_n - 1) % PAST
        s.gyr[0], s.gyr[1], s.gyr[2] = past[row, 0], past[row, 1], past[row, 2]
        s.held = n
        recall_field(s, p)
        s.weave_left = s.place_known * s.field_known
        keep_three(s.weave_field, field_here(s))


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
    s.found_n = 0.0 if s.place_known == 1.0 else -1.0
    span = LOST_RATE * s.held * p.dt
    open_gains(s, p, span * span, span * span)


@inlined
def follow_gyr(s: Any, p: Any, gyr: Vector, acc: Vector, acc_known: bool, past: Any, w: Any) -> int:  # noqa: PLR0917 - numba takes positional arguments
    """Take a good angular rate, after a gap or not; return flags."""
    flags = 0
    n = s.held
    if n > 1 and s.run > 0:
        if n - 1 <= p.bridge:
            begin_bridge(s, p, n, gyr, past)
            s.run = 0
        else:
            lose(s, p)
    s.held = 0
    s.run = min(s.run + 1, 2)
    keep_three(s.gyr, gyr)
    keep_rate(s, past, gyr[0], gyr[1], gyr[2])
    if s.gap_steps > 0:
        go_on_bridging(s, p, past, w)
        flags = BRIDGED
    predict(s, p, gyr)
    if s.gap_steps > 0 and s.gap_seen == 1 and acc_known and s.acc_known == 1:
        fill_gravity(s, p, n, acc)
    return flags
