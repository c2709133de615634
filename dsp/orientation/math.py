"""Arithmetic of the orientation kernels: quaternions (w, x, y, z), low-pass coefficients, arc tangent.

Every operation is one IEEE 754 rounding in a fixed order and no mathematical library is called on the usual path, so
compiled, uncompiled code, and that for many sensors side by side, give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from dsp.kernel import compiled

Function = TypeVar("Function", bound=Callable[..., object])

Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]


def lean(function: Function) -> Function:
    """Compile like ``dsp.kernel.kernel``, without a branch for each division by zero (that gives inf or NaN)."""
    return _compile(function, inline=False)


def inlined(function: Function) -> Function:
    """The same for parts of the hot path, which the compiler would otherwise call one by one: 1.5 times as slow."""
    return _compile(function, inline=True)


def _compile(function: Function, *, inline: bool) -> Function:
    return compiled(function, error_model="numpy", forceinline=inline)


@inlined
def product(after: Quaternion, before: Quaternion) -> Quaternion:
    """Return the rotation b followed by a."""
    return (
        (after[0] * before[0] - after[1] * before[1]) - (after[2] * before[2] + after[3] * before[3]),
        (after[0] * before[1] + after[1] * before[0]) + (after[2] * before[3] - after[3] * before[2]),
        (after[0] * before[2] - after[1] * before[3]) + (after[2] * before[0] + after[3] * before[1]),
        (after[0] * before[3] + after[1] * before[2]) + (after[3] * before[0] - after[2] * before[1]),
    )


@inlined
def touch_up(quaternion: Quaternion) -> Quaternion:
    """Return a quaternion of almost norm 1 with norm 1: one Newton step instead of a root."""
    f = 1.5 - 0.5 * (
        (quaternion[0] * quaternion[0] + quaternion[1] * quaternion[1])
        + (quaternion[2] * quaternion[2] + quaternion[3] * quaternion[3])
    )
    return quaternion[0] * f, quaternion[1] * f, quaternion[2] * f, quaternion[3] * f


@inlined
def rotate(quaternion: Quaternion, vector: Vector) -> Vector:
    """Return the vector v turned by q."""
    w, x, y, z = quaternion
    tx = 2.0 * (y * vector[2] - z * vector[1])
    ty = 2.0 * (z * vector[0] - x * vector[2])
    tz = 2.0 * (x * vector[1] - y * vector[0])
    return (
        (vector[0] + w * tx) + (y * tz - z * ty),
        (vector[1] + w * ty) + (z * tx - x * tz),
        (vector[2] + w * tz) + (x * ty - y * tx),
    )


# One over factorials: the series of sine and cosine. Written as factors, since a compiler must not turn a division
# into one.
C6, C24, C120, C720, C5040 = 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040
C40320, C362880, C3628800, C39916800 = 1 / 40320, 1 / 362880, 1 / 3628800, 1 / 39916800
SERIES_LIMIT = 0.0625  # rad^2: half angles up to 0.25 rad a sample (50 rad/s at 100 Hz) leave an error below 1e-16


@inlined
def small_rotation(x_rad: float, y_rad: float, z_rad: float) -> Quaternion:
    """Return the quaternion of a rotation by twice the vector x, y, z, whose square is below ``SERIES_LIMIT``."""
    u = x_rad * x_rad + y_rad * y_rad + z_rad * z_rad
    v = u * u
    c = (1.0 - 0.5 * u) + v * ((C24 - C720 * u) + v * (C40320 - C3628800 * u))
    s = (1.0 - C6 * u) + v * ((C120 - C5040 * u) + v * (C362880 - C39916800 * u))
    return c, s * x_rad, s * y_rad, s * z_rad


@inlined
def rotation(x_rad: float, y_rad: float, z_rad: float) -> Quaternion:
    """Return the quaternion of a rotation vector, rad."""
    x_rad, y_rad, z_rad = 0.5 * x_rad, 0.5 * y_rad, 0.5 * z_rad
    u = x_rad * x_rad + y_rad * y_rad + z_rad * z_rad
    if u < SERIES_LIMIT:
        return small_rotation(x_rad, y_rad, z_rad)
    half = math.sqrt(u)
    s = math.sin(half) / half
    return math.cos(half), s * x_rad, s * y_rad, s * z_rad


@inlined
def turn_level(cosine: float, sine: float, angle: float) -> tuple[float, float]:
    """Return cosine and sine of half a heading turned by ``angle``, up to pi."""
    x = 0.25 * angle  # a quarter, twice: the series is good to a quarter
    u = x * x
    v = u * u
    e = (1.0 - 0.5 * u) + v * ((C24 - C720 * u) + v * (C40320 - C3628800 * u))
    f = x * ((1.0 - C6 * u) + v * ((C120 - C5040 * u) + v * (C362880 - C39916800 * u)))
    e, f = e * e - f * f, 2.0 * e * f
    cosine, sine = cosine * e - sine * f, sine * e + cosine * f
    g = 1.5 - 0.5 * (cosine * cosine + sine * sine)
    return cosine * g, sine * g


TAN_EIGHTH = math.tan(math.pi / 8)
# atan(t) = t * (1 + A1 t^2 + A2 t^4 ...) for |t| <= tan(pi / 8): interpolated at Chebyshev nodes, error 6e-17.
A1 = -0.3333333333332844
A2 = 0.19999999998855095
A3 = -0.14285714180973505
A4 = 0.11111106180335059
A5 = -0.09090773072533477
A6 = 0.0768995347446694
A7 = -0.0664023383387387
A8 = 0.05688349188682379
A9 = -0.043480533438954326
A10 = 0.021135400583752725


@inlined
def arc_tangent(sine: float, cosine: float) -> float:
    """Return atan2(y, x) to about 2e-16 relative to pi."""
    ax, ay = abs(cosine), abs(sine)
    low, high = min(ax, ay), max(ax, ay)
    near = low > TAN_EIGHTH * high  # then reduced by pi / 4
    t = (low - high if near else low) / (low + high if near else high)
    u = t * t
    v = u * u
    w = v * v
    series = (
        ((1.0 + A1 * u) + v * (A2 + A3 * u))
        + w * ((A4 + A5 * u) + v * (A6 + A7 * u))
        + (w * w) * ((A8 + A9 * u) + v * A10)
    )
    angle = t * series + (0.25 * math.pi if near else 0.0)
    if ay > ax:
        angle = 0.5 * math.pi - angle
    if cosine < 0.0:
        angle = math.pi - angle
    return angle if sine >= 0.0 else -angle
