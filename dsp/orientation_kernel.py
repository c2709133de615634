"""The orientation filter, one sample at a time: VQF (Laidig and Seel, Information Fusion 91, 2023).

The gyroscope alone turns ``turn``. In that frame, which hardly moves, the specific force is averaged until what is
left is gravity, and ``tilt`` sets it upright. The magnetometer then turns ``heading`` about the vertical. A Kalman
filter reads the gyroscope's bias off rest and off the corrections that gravity asks for.
"""

from __future__ import annotations

import math
from typing import Any

from dsp.orientation_layout import SLOW
from dsp.orientation_math import Vector, arc_tangent, inlined, lean, product, rotate, rotation, touch_up

PER_G2 = 1.0 / 9.80665**2  # (m/s^2)^-2
FLOOR_NOISE = 1e-6  # rad^2: of one sample of a resting accelerometer
TINY = 1e-6  # of a cosine: nearer to upside down the axis of the correction is arbitrary


@inlined
def run_filter(first: Any, second: Any, i: int, b0: float, a1: float, a2: float, x: float) -> float:
    """Take one value into channel ``i`` of a second-order low-pass (transposed direct form); return it smoothed."""
    y = b0 * x + first[i]
    first[i] = 2.0 * b0 * x - a1 * y + second[i]
    second[i] = b0 * x - a2 * y
    return y


@lean
def set_filter(first: Any, second: Any, i: int, b0: float, a2: float, y: float) -> None:
    """Let channel ``i`` of a low-pass stand at ``y``, as if it had always been there."""
    first[i] = y * (1.0 - b0)
    second[i] = y * (b0 - a2)


@lean
def average(first: Any, second: Any, i: int, n: float, last: bool, b0: float, a2: float, x: float) -> float:  # noqa: PLR0917 - numba takes positional arguments
    """Take the ``n``-th value into channel ``i``: before a low-pass runs it averages, so that one sample is not all."""
    first[i] += x
    y = first[i] / n
    if last:
        set_filter(first, second, i, b0, a2, y)
    return y


@inlined
def slowly(s: Any, p: Any, first: int, end: int, n: float, last: bool) -> None:
    """Smooth slow channels in place."""
    b0, a1, a2 = p.slow[0], p.slow[1], p.slow[2]
    if n < 0.0:
        for i in range(first, end):
            x = s.slow[i]
            y = b0 * x + s.slow_1[i]
            s.slow_1[i] = 2.0 * b0 * x - a1 * y + s.slow_2[i]
            s.slow_2[i] = b0 * x - a2 * y
            s.slow[i] = y
    else:
        for i in range(first, end):
            s.slow[i] = average(s.slow_1, s.slow_2, i, n, last, b0, a2, s.slow[i])


@inlined
def quickly(s: Any, p: Any, i: int, x: float, n: float, last: bool) -> float:
    """Smooth one of the quick channels."""
    if n < 0.0:
        return run_filter(s.quick_1, s.quick_2, i, p.quick[0], p.quick[1], p.quick[2], x)
    return average(s.quick_1, s.quick_2, i, n, last, p.quick[0], p.quick[2], x)


@lean
def end_rest(s: Any) -> None:
    """The sensor moves."""
    s.rest_s = 0.0
    s.rest = 0


@inlined
def predict(s: Any, p: Any, gyr: Vector) -> None:
    """Turn with the gyroscope; see whether that is calm."""
    gx, gy, gz = gyr
    n = s.quick_gyr_n
    last = False
    if n >= 0.0:
        n += 1.0
        last = n * p.dt >= p.quick_s
        s.quick_gyr_n = -1.0 if last else n
    cx = quickly(s, p, 0, gx, n, last)
    cy = quickly(s, p, 1, gy, n, last)
    cz = quickly(s, p, 2, gz, n, last)
    s.calm[0], s.calm[1], s.calm[2] = cx, cy, cz
    dx, dy, dz = gx - cx, gy - cy, gz - cz
    if dx * dx + dy * dy + dz * dz >= p.rest_gyr or max(abs(cx), abs(cy), abs(cz)) > p.bias_clip:
        end_rest(s)
    s.tilt_var += p.drift
    s.heading_var += p.drift
    turn(s, (gx - s.bias[0]) * p.dt, (gy - s.bias[1]) * p.dt, (gz - s.bias[2]) * p.dt)


@inlined
def turn(s: Any, x: float, y: float, z: float) -> None:
    """Turn by a rotation vector of the sensor frame, rad."""
    q = (s.turn[0], s.turn[1], s.turn[2], s.turn[3])
    s.turn[0], s.turn[1], s.turn[2], s.turn[3] = touch_up(product(q, rotation(x, y, z)))


@inlined
def clip(x: float, limit: float) -> float:
    """Return x within -limit to limit."""
    return max(-limit, min(limit, x))


@inlined
def correct_tilt(s: Any, p: Any, acc: Vector) -> None:
    """Set the averaged specific force upright; learn the bias from how much that took."""
    ax, ay, az = acc
    n = s.quick_acc_n
    last = False
    if n >= 0.0:
        n += 1.0
        last = n * p.dt >= p.quick_s
        s.quick_acc_n = -1.0 if last else n
    dx = ax - quickly(s, p, 3, ax, n, last)
    dy = ay - quickly(s, p, 4, ay, n, last)
    dz = az - quickly(s, p, 5, az, n, last)
    if dx * dx + dy * dy + dz * dz >= p.rest_acc:
        end_rest(s)
    else:
        s.rest_s += p.dt
        if s.rest_s >= p.rest_s:
            s.rest = 1

    n = s.level_n
    last = False
    share = p.dt / p.slow_s
    if n >= 0.0:
        n += 1.0
        share = max(share, 1.0 / n)
        last = n * p.dt >= p.slow_s
        s.level_n = -1.0 if last else n
    ax, ay, az = rotate((s.turn[0], s.turn[1], s.turn[2], s.turn[3]), (ax, ay, az))
    s.slow[0], s.slow[1], s.slow[2] = ax, ay, az
    slowly(s, p, 0, 3, n, last)
    x, y, z = s.slow[0], s.slow[1], s.slow[2]
    s.acc[0], s.acc[1], s.acc[2], s.acc_known = ax, ay, az, 1
    s.gravity[0], s.gravity[1], s.gravity[2] = x, y, z
    dx, dy, dz = ax - x, ay - y, az - z
    s.shake += p.shake_gain * ((dx * dx + dy * dy + dz * dz) * PER_G2 - s.shake)
    s.tilt_var += share * (share * (s.shake * p.acc_span + FLOOR_NOISE) - (2.0 - share) * s.tilt_var)
    tilt = (s.tilt[0], s.tilt[1], s.tilt[2], s.tilt[3])
    x, y, z = rotate(tilt, (x, y, z))
    size = 1.0 / math.sqrt(x * x + y * y + z * z)
    x, y, z = x * size, y * size, z * size
    w = math.sqrt(max(0.5 * z + 0.5, 0.0))
    if w > TINY:
        half = 0.5 / w
        tilt = touch_up(product((w, y * half, -x * half, 0.0), tilt))
    else:
        tilt = product((0.0, 1.0, 0.0, 0.0), tilt)
    s.tilt[0], s.tilt[1], s.tilt[2], s.tilt[3] = tilt
    if s.level_n < 0.0 or s.level_n >= p.find:
        s.lost = 0
    learn_bias(s, p, -y / p.dt, x / p.dt)
    if last:
        s.recovering = 0


@inlined
def learn_bias(s: Any, p: Any, rate_x: float, rate_y: float) -> None:
    """Update the gyroscope bias from rest, or from the rate at which gravity had to be corrected."""
    n = s.slow_n
    last = False
    if n >= 0.0:
        n += 1.0
        last = n * p.dt >= p.slow_s
        s.slow_n = -1.0 if last else n
    bx, by, bz = s.bias[0], s.bias[1], s.bias[2]
    q = product((s.tilt[0], s.tilt[1], s.tilt[2], s.tilt[3]), (s.turn[0], s.turn[1], s.turn[2], s.turn[3]))
    s.upright[0], s.upright[1], s.upright[2], s.upright[3] = q
    qw, qx, qy, qz = q
    r = s.slow
    r[3], r[4], r[5] = 1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy - qw * qz), 2.0 * (qx * qz + qw * qy)
    r[6], r[7], r[8] = 2.0 * (qx * qy + qw * qz), 1.0 - 2.0 * (qx * qx + qz * qz), 2.0 * (qy * qz - qw * qx)
    r[9], r[10], r[11] = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
    r[12] = r[3] * bx + r[4] * by + r[5] * bz
    r[13] = r[6] * bx + r[7] * by + r[8] * bz
    slowly(s, p, 3, 14, n, last)
    a, b, c, d, e, f, g, h, i = r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11]
    level_x, level_y = r[12], r[13]
    if s.rest == 1:
        a, b, c, d, e, f, g, h, i = 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
        x, y, z = s.calm[0] - bx, s.calm[1] - by, s.calm[2] - bz
        noise, noise_z = p.bias_rest, p.bias_rest
    elif s.recovering == 1:  # what gravity corrects now is what was missing, not the bias
        return
    else:
        x = rate_x + level_x - (a * bx + b * by + c * bz)
        y = rate_y + level_y - (d * bx + e * by + f * bz)
        z = -(g * bx + h * by + i * bz)
        noise, noise_z = p.bias_motion, p.bias_vertical
    x, y, z = clip(x, p.bias_clip), clip(y, p.bias_clip), clip(z, p.bias_clip)
    update_bias(s, p, (a, b, c), (d, e, f), (g, h, i), x, y, z, noise, noise_z)


@inlined
def dot(a: Any, b: Any) -> float:
    """Return the inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def update_bias(
    s: Any, p: Any, r0: Any, r1: Any, r2: Any, x: float, y: float, z: float, noise: float, noise_z: float
) -> None:
    """Kalman update with a symmetric covariance and one reciprocal: rows r of the measurement, innovation x, y, z."""
    xx, xy, xz, yy, yz, zz = s.cov[0], s.cov[1], s.cov[2], s.cov[3], s.cov[4], s.cov[5]
    if xx < p.bias_start:
        xx += p.bias_drift
    if yy < p.bias_start:
        yy += p.bias_drift
    if zz < p.bias_start:
        zz += p.bias_drift
    px, py, pz = (xx, xy, xz), (xy, yy, yz), (xz, yz, zz)
    ax, ay, az = (
        (dot(px, r0), dot(px, r1), dot(px, r2)),
        (dot(py, r0), dot(py, r1), dot(py, r2)),
        (dot(pz, r0), dot(pz, r1), dot(pz, r2)),
    )
    s00 = (r0[0] * ax[0] + r0[1] * ay[0] + r0[2] * az[0]) + noise
    s01 = r0[0] * ax[1] + r0[1] * ay[1] + r0[2] * az[1]
    s02 = r0[0] * ax[2] + r0[1] * ay[2] + r0[2] * az[2]
    s11 = (r1[0] * ax[1] + r1[1] * ay[1] + r1[2] * az[1]) + noise
    s12 = r1[0] * ax[2] + r1[1] * ay[2] + r1[2] * az[2]
    s22 = (r2[0] * ax[2] + r2[1] * ay[2] + r2[2] * az[2]) + noise_z
    m00, m01, m02 = s11 * s22 - s12 * s12, s02 * s12 - s01 * s22, s01 * s12 - s02 * s11
    m11, m12, m22 = s00 * s22 - s02 * s02, s01 * s02 - s00 * s12, s00 * s11 - s01 * s01
    scale = 1.0 / (s00 * m00 + s01 * m01 + s02 * m02)
    m0, m1, m2 = (
        (m00 * scale, m01 * scale, m02 * scale),
        (m01 * scale, m11 * scale, m12 * scale),
        (m02 * scale, m12 * scale, m22 * scale),
    )
    innovation = (x, y, z)
    way = (dot(m0, innovation), dot(m1, innovation), dot(m2, innovation))
    s.bias[0] = clip(s.bias[0] + dot(ax, way), p.bias_clip)
    s.bias[1] = clip(s.bias[1] + dot(ay, way), p.bias_clip)
    s.bias[2] = clip(s.bias[2] + dot(az, way), p.bias_clip)
    kx = (dot(ax, m0), dot(ax, m1), dot(ax, m2))
    ky = (dot(ay, m0), dot(ay, m1), dot(ay, m2))
    kz = (dot(az, m0), dot(az, m1), dot(az, m2))
    s.cov[0], s.cov[1], s.cov[2] = xx - dot(kx, ax), xy - dot(kx, ay), xz - dot(kx, az)
    s.cov[3], s.cov[4], s.cov[5] = yy - dot(ky, ay), yz - dot(ky, az), zz - dot(kz, az)


@inlined
def correct_heading(s: Any, p: Any, mag: Vector) -> None:
    """Turn the heading towards magnetic north, unless the field is not the usual one."""
    x, y, z = rotate((s.upright[0], s.upright[1], s.upright[2], s.upright[3]), mag)
    norm, dip = watch_field(s, p, x, y, z)
    c, d = s.heading[0], s.heading[1]
    cc, ss = c * c - d * d, 2.0 * c * d
    off = arc_tangent(cc * x - ss * y, ss * x + cc * y)  # of the field from north, to the east
    gain = usual_gain(s, p)
    if s.open_gain > 0.0:
        off, gain = find_heading(s, p, norm, dip, off, gain)
    else:
        share = max(p.usual_gain, s.start_gain)
        s.usual[0] += share * (norm - s.usual[0])
        s.usual[1] += share * (dip - s.usual[1])
        s.usual[2] += share * (off - s.usual[2])
    if gain > 0.0:
        s.heading_var += gain * (gain * p.mag_noise - (2.0 - gain) * s.heading_var)
        step = rotation(0.0, 0.0, gain * off)
        c, d = c * step[0] - d * step[3], d * step[0] + c * step[3]
        f = 1.5 - 0.5 * (c * c + d * d)
        s.heading[0], s.heading[1] = c * f, d * f


@inlined
def usual_gain(s: Any, p: Any) -> float:
    """Return how much to trust the field: not at all while it is disturbed, unless that lasts too long."""
    gain = p.mag_gain
    if s.disturbed == 1:
        if s.reject_s <= p.reject_s:
            s.reject_s += p.dt
            gain = 0.0
        else:
            gain /= p.reject_factor
    else:
        s.reject_s = max(s.reject_s - p.reject_factor * p.dt, 0.0)
    if s.start_gain > 0.0:
        gain = max(gain, s.start_gain)
        s.start_gain = s.start_gain / (s.start_gain + 1.0)
        if s.start_gain * p.mag_s < p.dt:
            s.start_gain = 0.0
    return float(gain)


@lean
def find_heading(s: Any, p: Any, norm: float, dip: float, off: float, gain: float) -> tuple[float, float]:
    """After something was missing: turn until the field lies where it lay before, disturbed or not."""
    if abs(norm - s.usual[0]) > p.norm_band * s.usual[0] or abs(dip - s.usual[1]) > p.dip_band:
        return off, gain
    way = off - (s.usual[2] if s.disturbed == 1 else 0.0)
    if way > math.pi:
        way -= 2.0 * math.pi
    elif way < -math.pi:
        way += 2.0 * math.pi
    gain = max(gain, s.open_gain)
    s.open_gain = s.open_gain / (s.open_gain + 1.0)
    if s.recovering == 1:
        s.open_gain = max(s.open_gain, p.open_least)
    if s.open_gain < p.mag_gain:
        s.open_gain = 0.0
    return way, gain


@inlined
def watch_field(s: Any, p: Any, x: float, y: float, z: float) -> tuple[float, float]:
    """Return norm and dip of the field, smoothed; see whether norm and dip of the field are those that the heading rests on, or have long been others."""
    level = math.sqrt(x * x + y * y)
    norm, dip = math.sqrt(x * x + y * y + z * z), -arc_tangent(z, level)
    n = s.field_n
    if n < 0.0:
        norm = run_filter(s.field_1, s.field_2, 0, p.field[0], p.field[1], p.field[2], norm)
        dip = run_filter(s.field_1, s.field_2, 1, p.field[0], p.field[1], p.field[2], dip)
    else:
        n += 1.0
        last = n * p.dt >= p.field_s
        s.field_n = -1.0 if last else n
        norm = average(s.field_1, s.field_2, 0, n, last, p.field[0], p.field[2], norm)
        dip = average(s.field_1, s.field_2, 1, n, last, p.field[0], p.field[2], dip)
    if abs(norm - s.ref_norm) < p.norm_band * s.ref_norm and abs(dip - s.ref_dip) < p.dip_band:
        s.undisturbed_s += p.dt
        if s.undisturbed_s >= p.undisturbed_s:
            s.disturbed = 0
            s.ref_norm += p.ref_gain * (norm - s.ref_norm)
            s.ref_dip += p.ref_gain * (dip - s.ref_dip)
    else:
        s.undisturbed_s = 0.0
        s.disturbed = 1
    if abs(norm - s.new_norm) < p.norm_band * s.new_norm and abs(dip - s.new_dip) < p.dip_band:
        if s.calm[0] * s.calm[0] + s.calm[1] * s.calm[1] + s.calm[2] * s.calm[2] >= p.new_gyr:
            s.new_s += p.dt
        s.new_norm += p.ref_gain * (norm - s.new_norm)
        s.new_dip += p.ref_gain * (dip - s.new_dip)
        if s.disturbed == 1 and (s.new_s >= p.new_s or (s.ref_norm == 0.0 and s.new_s >= p.new_first_s)):
            s.ref_norm, s.ref_dip = s.new_norm, s.new_dip
            s.disturbed = 0
            s.undisturbed_s = p.undisturbed_s
    else:
        s.new_s = 0.0
        s.new_norm, s.new_dip = norm, dip
    return norm, dip
