"""The arithmetic of one step of the orientation filter, values in and values out: VQF (Laidig and Seel 2023).

The kernel for single sensors and the one with many sensors side by side both call these, and so say the same bits.
Decisions are choices between values, which a compiler can make for several sensors at once.
"""

from __future__ import annotations

import math

from dsp.orientation.math import Quaternion, Vector, arc_tangent, inlined, product, rotate, touch_up

PER_G2 = 1.0 / 9.80665**2  # (m/s^2)^-2
FLOOR_NOISE = 1e-6  # rad^2: of one sample of a resting accelerometer
TINY = 1e-6  # of a cosine: nearer to upside down the axis of the correction is arbitrary
SLIGHT = 1e-3  # of a squared sine: the series of a lean below it are good to 1e-17
WEIGHTLESS = 1e-12  # (m/s^2)^2: averages below show no direction

Bias = tuple[float, float, float, float, float, float, float, float, float]  # x, y, z; covariance xx xy xz yy yz zz
Matrix = tuple[float, float, float, float, float, float, float, float, float]
Field = tuple[float, float, float, float, float, float, float]


@inlined
def low_pass(coefficients: Vector, value: float, first: float, second: float) -> Vector:
    """Take one value into a second-order low-pass; return it smoothed, and the filter's two memories."""
    smoothed = coefficients[0] * value + first
    return (
        smoothed,
        2.0 * coefficients[0] * value - coefficients[1] * smoothed + second,
        coefficients[0] * value - coefficients[2] * smoothed,
    )


@inlined
def clip(value: float, limit: float) -> float:
    """Return x within -limit to limit."""
    low = -limit if value < -limit else value  # noqa: FURB136 - numba's max minds NaN, which costs vector registers
    return limit if low > limit else low  # noqa: FURB136 - see above


@inlined
def square(first: float, second: float, third: float) -> float:
    """Return the squared norm."""
    return first * first + second * second + third * third


@inlined
def dot(one: Vector, other: Vector) -> float:
    """Return the inner product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


@inlined
def is_moving(gyr: Vector, calm: Vector, limit: float, bias_clip: float) -> bool:
    """Return whether the angular rate is off its average, or that is more than a bias."""
    off = square(gyr[0] - calm[0], gyr[1] - calm[1], gyr[2] - calm[2])
    return bool((off >= limit) | (abs(calm[0]) > bias_clip) | (abs(calm[1]) > bias_clip) | (abs(calm[2]) > bias_clip))


@inlined
def unsure_tilt(  # noqa: PLR0917 - numba takes positional arguments
    var: float, shake: float, off: float, share: float, shake_gain: float, span: float
) -> tuple[float, float]:
    """Return variance of the tilt and strength of movement after one more look at gravity; ``off`` in (m/s^2)^2."""
    shake += shake_gain * (off * PER_G2 - shake)
    return var + share * (share * (shake * span + FLOOR_NOISE) - (2.0 - share) * var), shake


@inlined
def lean_of(tilt: Quaternion, gravity: Vector) -> tuple[float, Vector]:
    """Return the squared norm of gravity, and its direction in the frame that should be upright."""
    x, y, z = rotate(tilt, gravity)
    norm2 = square(x, y, z)
    size = 1.0 / math.sqrt(norm2)
    return norm2, (x * size, y * size, z * size)


@inlined
def is_slight(up: Vector) -> bool:
    """Return whether a lean is that of one sample: below 1.8 degrees."""
    return bool((up[0] * up[0] + up[1] * up[1] < SLIGHT) & (up[2] > 0.0))


@inlined
def set_upright(tilt: Quaternion, up: Vector) -> Quaternion:
    """Return the tilt that takes a slight lean away; cosine and half secant of half its angle are series."""
    t = up[0] * up[0] + up[1] * up[1]
    t2 = t * t
    w = (1.0 - 0.125 * t) - t2 * ((5 / 128 + 21 / 1024 * t) + t2 * (429 / 32768))
    half = (0.5 + 0.0625 * t) + t2 * ((7 / 256 + 33 / 2048 * t) + t2 * (715 / 65536))
    return touch_up(product((w, up[1] * half, -up[0] * half, 0.0), tilt))


@inlined
def set_upright_from_far(tilt: Quaternion, up: Vector) -> Quaternion:
    """Return the tilt that takes any lean away."""
    w = math.sqrt(abs(0.5 * up[2] + 0.5))
    if not w > TINY:
        return product((0.0, 1.0, 0.0, 0.0), tilt)
    half = 0.5 / w
    return touch_up(product((w, up[1] * half, -up[0] * half, 0.0), tilt))


@inlined
def matrix(quaternion: Quaternion) -> Matrix:
    """Return the rotation matrix of a quaternion, row by row."""
    w, x, y, z = quaternion
    return (
        1.0 - 2.0 * (y * y + z * z),
        2.0 * (x * y - w * z),
        2.0 * (x * z + w * y),
        2.0 * (x * y + w * z),
        1.0 - 2.0 * (x * x + z * z),
        2.0 * (y * z - w * x),
        2.0 * (x * z - w * y),
        2.0 * (y * z + w * x),
        1.0 - 2.0 * (x * x + y * y),
    )


@inlined
def learn(  # noqa: PLR0917 - numba takes positional arguments
    known: Bias,
    turned_by: Matrix,
    level: tuple[float, float],
    rate: tuple[float, float],
    calm: Vector,
    resting: bool,
    settings: tuple[float, float, float, float, float, float],
) -> Bias:
    """Return bias and covariance after one look.

    At rest the averaged angular rate is the bias. In motion the smoothed rotation matrix ``turned_by`` says what of it
    the corrections of gravity (``rate``, rad/s) show; ``level`` is the smoothed level part of the bias that is taken
    off already.
    """
    noise, noise_z, noise_rest, start, drift, limit = settings
    bias = (known[0], known[1], known[2])
    r0 = (1.0 if resting else turned_by[0], 0.0 if resting else turned_by[1], 0.0 if resting else turned_by[2])
    r1 = (0.0 if resting else turned_by[3], 1.0 if resting else turned_by[4], 0.0 if resting else turned_by[5])
    r2 = (0.0 if resting else turned_by[6], 0.0 if resting else turned_by[7], 1.0 if resting else turned_by[8])
    x, y, z = rate[0] + level[0] - dot(r0, bias), rate[1] + level[1] - dot(r1, bias), -dot(r2, bias)
    x = clip(calm[0] - known[0] if resting else x, limit)
    y = clip(calm[1] - known[1] if resting else y, limit)
    z = clip(calm[2] - known[2] if resting else z, limit)
    noise = noise_rest if resting else noise
    noise_z = noise_rest if resting else noise_z
    xx = known[3] + (drift if known[3] < start else 0.0)
    yy = known[6] + (drift if known[6] < start else 0.0)
    zz = known[8] + (drift if known[8] < start else 0.0)
    return kalman(
        (known[0], known[1], known[2], xx, known[4], known[5], yy, known[7], zz),
        r0,
        r1,
        r2,
        (x, y, z),
        noise,
        noise_z,
        limit,
    )


@inlined
def kalman(  # noqa: PLR0917 - numba takes positional arguments
    known: Bias, r0: Vector, r1: Vector, r2: Vector, off: Vector, noise: float, noise_z: float, limit: float
) -> Bias:
    """Kalman update with a symmetric covariance and one reciprocal: rows r of the measurement, innovation ``off``."""
    px, py, pz = (known[3], known[4], known[5]), (known[4], known[6], known[7]), (known[5], known[7], known[8])
    ax = (dot(px, r0), dot(px, r1), dot(px, r2))
    ay = (dot(py, r0), dot(py, r1), dot(py, r2))
    az = (dot(pz, r0), dot(pz, r1), dot(pz, r2))
    s00 = dot(r0, (ax[0], ay[0], az[0])) + noise
    s01 = dot(r0, (ax[1], ay[1], az[1]))
    s02 = dot(r0, (ax[2], ay[2], az[2]))
    s11 = dot(r1, (ax[1], ay[1], az[1])) + noise
    s12 = dot(r1, (ax[2], ay[2], az[2]))
    s22 = dot(r2, (ax[2], ay[2], az[2])) + noise_z
    m00, m01, m02 = s11 * s22 - s12 * s12, s02 * s12 - s01 * s22, s01 * s12 - s02 * s11
    m11, m12, m22 = s00 * s22 - s02 * s02, s01 * s02 - s00 * s12, s00 * s11 - s01 * s01
    scale = 1.0 / (s00 * m00 + s01 * m01 + s02 * m02)
    m0 = (m00 * scale, m01 * scale, m02 * scale)
    m1 = (m01 * scale, m11 * scale, m12 * scale)
    m2 = (m02 * scale, m12 * scale, m22 * scale)
    way = (dot(m0, off), dot(m1, off), dot(m2, off))
    kx = (dot(ax, m0), dot(ax, m1), dot(ax, m2))
    ky = (dot(ay, m0), dot(ay, m1), dot(ay, m2))
    kz = (dot(az, m0), dot(az, m1), dot(az, m2))
    return (
        clip(known[0] + dot(ax, way), limit),
        clip(known[1] + dot(ay, way), limit),
        clip(known[2] + dot(az, way), limit),
        known[3] - dot(kx, ax),
        known[4] - dot(kx, ay),
        known[5] - dot(kx, az),
        known[6] - dot(ky, ay),
        known[7] - dot(ky, az),
        known[8] - dot(kz, az),
    )


@inlined
def norm_and_dip(field: Vector) -> tuple[float, float]:
    """Return norm and dip, rad, of a field in an upright frame."""
    level = field[0] * field[0] + field[1] * field[1]
    return math.sqrt(level + field[2] * field[2]), -arc_tangent(field[2], math.sqrt(level))


@inlined
def watch(
    known: Field,
    norm: float,
    dip: float,
    turning: bool,
    settings: tuple[float, float, float, float, float, float, float],
) -> Field:
    """See whether norm and dip are those that the heading rests on (the reference), or have long been others.

    ``known``: reference norm and dip, candidate norm and dip, its time in motion, time undisturbed, disturbed (1 or 0).
    """
    dt, gain, norm_band, dip_band, new_s, new_first_s, undisturbed_s = settings
    ref_norm, ref_dip, cand_norm, cand_dip, cand_s, calm_s, disturbed = known
    same = (abs(norm - ref_norm) < norm_band * ref_norm) & (abs(dip - ref_dip) < dip_band)
    calm_s = calm_s + dt if same else 0.0
    trusted = same & (calm_s >= undisturbed_s)
    disturbed = 0.0 if trusted else disturbed
    disturbed = disturbed if same else 1.0
    ref_norm = ref_norm + gain * (norm - ref_norm) if trusted else ref_norm
    ref_dip = ref_dip + gain * (dip - ref_dip) if trusted else ref_dip
    same = (abs(norm - cand_norm) < norm_band * cand_norm) & (abs(dip - cand_dip) < dip_band)
    cand_s = cand_s + dt if turning else cand_s
    cand_s = cand_s if same else 0.0
    cand_norm = cand_norm + gain * (norm - cand_norm) if same else norm
    cand_dip = cand_dip + gain * (dip - cand_dip) if same else dip
    long_enough = (cand_s >= new_s) | ((ref_norm == 0.0) & (cand_s >= new_first_s))
    accepted = same & long_enough & (disturbed == 1.0)
    ref_norm = cand_norm if accepted else ref_norm
    ref_dip = cand_dip if accepted else ref_dip
    calm_s = undisturbed_s if accepted else calm_s
    disturbed = 0.0 if accepted else disturbed
    return ref_norm, ref_dip, cand_norm, cand_dip, cand_s, calm_s, disturbed


@inlined
def trust(reject: float, disturbed: bool, settings: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the gain of the heading and the time for which the field has been left out: not for ever."""
    dt, gain, longest, factor = settings
    waiting = reject <= longest
    disturbed_gain = 0.0 if waiting else gain / factor
    disturbed_reject = reject + dt if waiting else reject
    less = reject - factor * dt
    less = less if less > 0.0 else 0.0  # noqa: FURB136 - see clip
    return disturbed_gain if disturbed else gain, disturbed_reject if disturbed else less


@inlined
def off_north(cosine: float, sine: float, field: Vector) -> float:
    """Return by how much a field in the upright frame points east of our north, rad; c, d: half the heading."""
    cc, ss = cosine * cosine - sine * sine, 2.0 * cosine * sine
    return arc_tangent(cc * field[0] - ss * field[1], ss * field[0] + cc * field[1])


@inlined
def add_heading(quaternion: Quaternion, cosine: float, sine: float) -> Quaternion:
    """Return an upright orientation turned by the heading."""
    return (
        cosine * quaternion[0] - sine * quaternion[3],
        cosine * quaternion[1] - sine * quaternion[2],
        cosine * quaternion[2] + sine * quaternion[1],
        cosine * quaternion[3] + sine * quaternion[0],
    )
