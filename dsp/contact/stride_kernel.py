"""One stride of a foot from foot-flat to foot-flat by strap-down integration with zero-velocity updates.

Orientation starts from gravity at the first foot-flat and follows the gyroscope; the tilt that it disagrees by with
gravity at the second is spread over the rotation. Specific force, turned upright and freed of gravity, is integrated to
velocity. What velocity is left at the second foot-flat is taken off where it arose: an accelerometer samples an impact
too coarsely, so the error is spread in proportion to the squared change of specific force, not to time. Methods:
Rampp 2015 and Skog 2010 (zero-velocity updates), with a spreading of our own.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import HISTORY
from dsp.kernel import kernel

STRIDE: Final = np.dtype(
    [
        ("sensor", "i8"),
        ("start", "f8"),  # foot-flat at which it begins, sample number of the device
        ("end", "f8"),  # foot-flat at which it ends
        ("final", "f8"),  # final contact within; NaN when unseen
        ("initial", "f8"),  # initial contact within
        ("time_s", "f8"),  # from the initial contact before to this one; NaN when unseen
        ("length", "f8"),  # m, horizontal
        ("clearance", "f8"),  # m, greatest height of the sensor over its height at foot-flat
        ("strike_angle", "f8"),  # rad at initial contact against foot-flat, toes up positive
        ("toe_off_angle", "f8"),  # rad at final contact; NaN when unseen
        ("turn", "f8"),  # rad, to the left positive
    ]
)

SCRATCH: Final = 7  # columns of scratch: orientation (4), velocity (3)
REST_HALF_S = 0.025  # half the time over which gravity is read at foot-flat


@kernel
def upright(q: NDArray[np.float64], up: tuple[float, float, float]) -> None:
    """Set the orientation (sensor to world) that turns unit vector ``up`` to the vertical by the shortest way."""
    w, x, y = 1.0 + up[2], up[1], -up[0]
    norm = math.sqrt(w * w + x * x + y * y)
    if norm < 1e-9:  # upside down: any horizontal axis is as short
        q[0], q[1], q[2], q[3] = 0.0, 1.0, 0.0, 0.0
        return
    q[0], q[1], q[2], q[3] = w / norm, x / norm, y / norm, 0.0


@kernel
def turn_by(scratch: NDArray[np.float64], i: int, x: float, y: float, z: float) -> None:
    """Write the orientation of row ``i``: that of the row before, turned (rad) about axes of the sensor."""
    a, b, c, d = scratch[i - 1, 0], scratch[i - 1, 1], scratch[i - 1, 2], scratch[i - 1, 3]
    angle = math.sqrt(x * x + y * y + z * z)
    w, s = math.cos(0.5 * angle), 0.5 if angle < 1e-9 else math.sin(0.5 * angle) / angle
    x, y, z = s * x, s * y, s * z
    scratch[i, 0] = a * w - b * x - c * y - d * z
    scratch[i, 1] = a * x + b * w + c * z - d * y
    scratch[i, 2] = a * y - b * z + c * w + d * x
    scratch[i, 3] = a * z + b * y - c * x + d * w


@kernel
def to_world(scratch: NDArray[np.float64], i: int, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return a vector of the sensor in the world, by the orientation of row ``i``."""
    q0, q1, q2, q3 = scratch[i, 0], scratch[i, 1], scratch[i, 2], scratch[i, 3]
    a, b, c = q2 * z - q3 * y, q3 * x - q1 * z, q1 * y - q2 * x
    a, b, c = a + q0 * x, b + q0 * y, c + q0 * z
    return x + 2.0 * (q2 * c - q3 * b), y + 2.0 * (q3 * a - q1 * c), z + 2.0 * (q1 * b - q2 * a)


@kernel
def gravity(history: NDArray[np.float64], at: int, half: int) -> tuple[float, float, float, float]:
    """Return direction (unit, sensor frame) and size of the mean specific force around a foot-flat."""
    x, y, z = 0.0, 0.0, 0.0
    for k in range(at - half, at + half + 1):
        j = k & (HISTORY - 1)
        x, y, z = x + history[j, 0], y + history[j, 1], z + history[j, 2]
    norm = math.sqrt(x * x + y * y + z * z)
    if not norm > 0.0:
        return math.nan, math.nan, math.nan, math.nan
    return x / norm, y / norm, z / norm, norm / (2 * half + 1)


@kernel
def change(history: NDArray[np.float64], k: int) -> float:
    """Return the squared change of specific force towards sample ``k``."""
    i, j = (k - 1) & (HISTORY - 1), k & (HISTORY - 1)
    x, y, z = history[j, 0] - history[i, 0], history[j, 1] - history[i, 1], history[j, 2] - history[i, 2]
    return float(x**2 + y**2 + z**2)


@kernel
def turning(history: NDArray[np.float64], k: int) -> float:
    """Return the size of the angular rate between samples ``k - 1`` and ``k``, summed over the axes."""
    j = k & (HISTORY - 1)
    return float(abs(history[j, 3]) + abs(history[j, 4]) + abs(history[j, 5]))


@kernel
def integrate(  # noqa: PLR0917 - numba takes positional arguments
    history: NDArray[np.float64],
    first: int,
    last: int,
    dt: float,
    left: NDArray[np.float64],
    scratch: NDArray[np.float64],
    stride: Any,
) -> None:
    """Fill in a stride between foot-flats at samples ``first`` and ``last``; its contacts stand in it already."""
    half = max(1, round(REST_HALF_S / dt))
    n = last - first
    ux, uy, uz, size = gravity(history, first, half)
    vx, vy, vz, size_end = gravity(history, last, half)
    g = 0.5 * (size + size_end)  # of this accelerometer, with its own scale
    upright(scratch[0], (ux, uy, uz))
    total_turn, total_change = 1e-12, 1e-12
    for i in range(1, n + 1):
        j, k = (first + i - 1) & (HISTORY - 1), (first + i) & (HISTORY - 1)
        x, y, z = history[j, 3] + history[k, 3], history[j, 4] + history[k, 4], history[j, 5] + history[k, 5]
        turn_by(scratch, i, 0.5 * dt * x, 0.5 * dt * y, 0.5 * dt * z)
        total_turn += turning(history, first + i)
        total_change += change(history, first + i)
    # The end of the integrated orientation sees gravity along m; the tilt that takes m to the vertical is the error.
    mx, my, _ = to_world(scratch, n, vx, vy, vz)
    velocity(history, first, n, dt, g, my, -mx, total_turn, scratch)
    travel(history, first, n, dt, total_change, scratch, stride)
    fx, fy, fz = left[1] * uz - left[2] * uy, left[2] * ux - left[0] * uz, left[0] * uy - left[1] * ux
    level = max(1e-12, math.sqrt(fx * fx + fy * fy + fz * fz))
    forward = (fx / level, fy / level, fz / level)
    ahead = to_world(scratch, 0, forward[0], forward[1], forward[2])
    stride.strike_angle = pitch(scratch, stride.initial - first, n, forward)
    stride.toe_off_angle = pitch(scratch, stride.final - first, n, forward)
    end = to_world(scratch, n, forward[0], forward[1], forward[2])
    stride.turn = math.atan2(ahead[0] * end[1] - ahead[1] * end[0], ahead[0] * end[0] + ahead[1] * end[1])


@kernel
def velocity(  # noqa: PLR0917 - numba takes positional arguments
    history: NDArray[np.float64],
    first: int,
    n: int,
    dt: float,
    g: float,
    ex: float,
    ey: float,
    total_turn: float,
    scratch: NDArray[np.float64],
) -> None:
    """Integrate upright specific force without gravity to velocity, the tilt error (ex, ey) spread over rotation."""
    share = 0.0
    bx, by, bz = 0.0, 0.0, 0.0
    for i in range(n + 1):
        if i > 0:
            share += turning(history, first + i) / total_turn
        j = (first + i) & (HISTORY - 1)
        x, y, z = to_world(scratch, i, history[j, 0], history[j, 1], history[j, 2])
        tx, ty = share * ex, share * ey
        x, y, z = x + ty * z, y - tx * z, z + tx * y - ty * x - g
        if i == 0:
            scratch[0, 4], scratch[0, 5], scratch[0, 6] = 0.0, 0.0, 0.0
        else:
            scratch[i, 4] = scratch[i - 1, 4] + 0.5 * dt * (bx + x)
            scratch[i, 5] = scratch[i - 1, 5] + 0.5 * dt * (by + y)
            scratch[i, 6] = scratch[i - 1, 6] + 0.5 * dt * (bz + z)
        bx, by, bz = x, y, z


@kernel
def travel(  # noqa: PLR0917 - numba takes positional arguments
    history: NDArray[np.float64], first: int, n: int, dt: float, total: float, scratch: NDArray[np.float64], stride: Any
) -> None:
    """Take the left-over velocity off where it arose, integrate to the way travelled."""
    ex, ey, ez = scratch[n, 4], scratch[n, 5], scratch[n, 6]
    x, y, z, share = 0.0, 0.0, 0.0, 0.0
    ax, ay, az = 0.0, 0.0, 0.0
    for i in range(1, n + 1):
        share += change(history, first + i) / total
        bx, by, bz = scratch[i, 4] - share * ex, scratch[i, 5] - share * ey, scratch[i, 6] - share * ez
        x, y, z = x + 0.5 * dt * (ax + bx), y + 0.5 * dt * (ay + by), z + 0.5 * dt * (az + bz)
        ax, ay, az = bx, by, bz
        scratch[i, 4] = z
    stride.length = math.sqrt(x * x + y * y)
    top = 0.0
    for i in range(1, n + 1):  # the floor is level: both foot-flats are at height 0
        top = max(top, scratch[i, 4] - z * i / n)
    stride.clearance = top if math.isfinite(z) else math.nan


@kernel
def pitch(scratch: NDArray[np.float64], at: float, n: int, forward: tuple[float, float, float]) -> float:
    """Return the pitch of the foot at fractional sample ``at`` of the stride, toes up positive; NaN outside."""
    if not 0.0 <= at < n:
        return math.nan
    i = int(at)
    share = at - i
    one = to_world(scratch, i, forward[0], forward[1], forward[2])[2]
    two = to_world(scratch, i + 1, forward[0], forward[1], forward[2])[2]
    return math.asin(min(1.0, max(-1.0, (1.0 - share) * one + share * two)))
