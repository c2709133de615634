"""One stride of a foot from foot-flat to foot-flat by strap-down integration with zero-velocity updates.

Orientation starts from gravity at the first foot-flat and follows the gyroscope; the tilt that it disagrees by with
gravity at the second is spread over the rotation. Specific force, turned upright and freed of gravity, is integrated to
velocity. What velocity is left at the second foot-flat is taken off where it arose: an accelerometer samples an impact
too coarsely, so the error is spread in proportion to the squared change of specific force, not to time. Methods:
Rampp 2015 and Skog 2010 (zero-velocity updates), with a spreading of our own.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import HISTORY
from dsp.kernel import kernel
from dsp.record import Record


class FootStride(Record):
    """One stride of a foot, from foot-flat to foot-flat."""

    sensor: int
    start: float  # foot-flat at which it begins, sample number of the device
    end: float  # foot-flat at which it ends
    final: float  # final contact within; NaN when unseen
    initial: float  # initial contact within
    time_s: float  # from the initial contact before to this one; NaN when unseen
    length: float  # m, horizontal
    clearance: float  # m, greatest height of the sensor over its height at foot-flat
    strike_angle: float  # rad at initial contact against foot-flat, toes up positive
    toe_off_angle: float  # rad at final contact; NaN when unseen
    turn: float  # rad, to the left positive


STRIDE: Final = FootStride.layout()

SCRATCH: Final = 7  # columns of scratch: orientation (4), velocity (3)
REST_HALF_S = 0.025  # half the time over which gravity is read at foot-flat


@kernel
def upright(quaternion: NDArray[np.float64], up: tuple[float, float, float]) -> None:
    """Set the orientation (sensor to world) that turns unit vector ``up`` to the vertical by the shortest way."""
    w, x, y = 1.0 + up[2], up[1], -up[0]
    norm = math.sqrt(w * w + x * x + y * y)
    if norm < 1e-9:  # upside down: any horizontal axis is as short
        quaternion[0], quaternion[1], quaternion[2], quaternion[3] = 0.0, 1.0, 0.0, 0.0
        return
    quaternion[0], quaternion[1], quaternion[2], quaternion[3] = w / norm, x / norm, y / norm, 0.0


@kernel
def turn_by(scratch: NDArray[np.float64], row: int, x_rad: float, y_rad: float, z_rad: float) -> None:
    """Write the orientation of row ``i``: that of the row before, turned (rad) about axes of the sensor."""
    a, b, c, d = scratch[row - 1, 0], scratch[row - 1, 1], scratch[row - 1, 2], scratch[row - 1, 3]
    angle = math.sqrt(x_rad * x_rad + y_rad * y_rad + z_rad * z_rad)
    cos_half, scale = math.cos(0.5 * angle), 0.5 if angle < 1e-9 else math.sin(0.5 * angle) / angle
    x_rad, y_rad, z_rad = scale * x_rad, scale * y_rad, scale * z_rad
    scratch[row, 0] = a * cos_half - b * x_rad - c * y_rad - d * z_rad
    scratch[row, 1] = a * x_rad + b * cos_half + c * z_rad - d * y_rad
    scratch[row, 2] = a * y_rad - b * z_rad + c * cos_half + d * x_rad
    scratch[row, 3] = a * z_rad + b * y_rad - c * x_rad + d * cos_half


@kernel
def to_world(
    scratch: NDArray[np.float64], row: int, forward: float, left: float, up: float
) -> tuple[float, float, float]:
    """Return a vector of the sensor in the world, by the orientation of row ``i``."""
    q0, q1, q2, q3 = scratch[row, 0], scratch[row, 1], scratch[row, 2], scratch[row, 3]
    a, b, c = q2 * up - q3 * left, q3 * forward - q1 * up, q1 * left - q2 * forward
    a, b, c = a + q0 * forward, b + q0 * left, c + q0 * up
    return forward + 2.0 * (q2 * c - q3 * b), left + 2.0 * (q3 * a - q1 * c), up + 2.0 * (q1 * b - q2 * a)


@kernel
def gravity(history: NDArray[np.float64], at: int, half: int) -> tuple[float, float, float, float]:
    """Return direction (unit, sensor frame) and size of the mean specific force around a foot-flat."""
    x, y, z = 0.0, 0.0, 0.0
    for number in range(at - half, at + half + 1):
        j = number & (HISTORY - 1)
        x, y, z = x + history[j, 0], y + history[j, 1], z + history[j, 2]
    norm = math.sqrt(x * x + y * y + z * z)
    if not norm > 0.0:
        return math.nan, math.nan, math.nan, math.nan
    return x / norm, y / norm, z / norm, norm / (2 * half + 1)


@kernel
def change(history: NDArray[np.float64], number: int) -> float:
    """Return the squared change of specific force towards this sample."""
    before, now = (number - 1) & (HISTORY - 1), number & (HISTORY - 1)
    x, y, z = (
        history[now, 0] - history[before, 0],
        history[now, 1] - history[before, 1],
        history[now, 2] - history[before, 2],
    )
    return float(x**2 + y**2 + z**2)


@kernel
def turning(history: NDArray[np.float64], number: int) -> float:
    """Return the size of the angular rate between this sample and the one before, summed over the axes."""
    slot = number & (HISTORY - 1)
    return float(abs(history[slot, 3]) + abs(history[slot, 4]) + abs(history[slot, 5]))


@kernel
def integrate(  # noqa: PLR0917 - numba takes positional arguments
    history: NDArray[np.float64],
    first: int,
    last: int,
    dt: float,
    left: NDArray[np.float64],
    scratch: NDArray[np.float64],
    stride: FootStride,
) -> None:
    """Fill in a stride between foot-flats at samples ``first`` and ``last``; its contacts stand in it already."""
    half = max(1, round(REST_HALF_S / dt))
    count = last - first
    ux, uy, uz, size = gravity(history, first, half)
    vx, vy, vz, size_end = gravity(history, last, half)
    gravity_ms2 = 0.5 * (size + size_end)  # of this accelerometer, with its own scale
    upright(scratch[0], (ux, uy, uz))
    total_turn, total_change = 1e-12, 1e-12
    for i in range(1, count + 1):
        before, now = (first + i - 1) & (HISTORY - 1), (first + i) & (HISTORY - 1)
        x, y, z = (
            history[before, 3] + history[now, 3],
            history[before, 4] + history[now, 4],
            history[before, 5] + history[now, 5],
        )
        turn_by(scratch, i, 0.5 * dt * x, 0.5 * dt * y, 0.5 * dt * z)
        total_turn += turning(history, first + i)
        total_change += change(history, first + i)
    # The end of the integrated orientation sees gravity along m; the tilt that takes m to the vertical is the error.
    mx, my, _ = to_world(scratch, count, vx, vy, vz)
    velocity(history, first, count, dt, gravity_ms2, my, -mx, total_turn, scratch)
    travel(history, first, count, dt, total_change, scratch, stride)
    fx, fy, fz = left[1] * uz - left[2] * uy, left[2] * ux - left[0] * uz, left[0] * uy - left[1] * ux
    level = max(1e-12, math.sqrt(fx * fx + fy * fy + fz * fz))
    forward = (fx / level, fy / level, fz / level)
    ahead = to_world(scratch, 0, forward[0], forward[1], forward[2])
    stride.strike_angle = pitch(scratch, stride.initial - first, count, forward)
    stride.toe_off_angle = pitch(scratch, stride.final - first, count, forward)
    end = to_world(scratch, count, forward[0], forward[1], forward[2])
    stride.turn = math.atan2(ahead[0] * end[1] - ahead[1] * end[0], ahead[0] * end[0] + ahead[1] * end[1])


@kernel
def velocity(  # noqa: PLR0917 - numba takes positional arguments
    history: NDArray[np.float64],
    first: int,
    count: int,
    dt: float,
    gravity_ms2: float,
    error_x: float,
    error_y: float,
    total_turn: float,
    scratch: NDArray[np.float64],
) -> None:
    """Integrate upright specific force without gravity to velocity, the tilt error spread over rotation."""
    share = 0.0
    bx, by, bz = 0.0, 0.0, 0.0
    for i in range(count + 1):
        if i > 0:
            share += turning(history, first + i) / total_turn
        slot = (first + i) & (HISTORY - 1)
        x, y, z = to_world(scratch, i, history[slot, 0], history[slot, 1], history[slot, 2])
        tx, ty = share * error_x, share * error_y
        x, y, z = x + ty * z, y - tx * z, z + tx * y - ty * x - gravity_ms2
        if i == 0:
            scratch[0, 4], scratch[0, 5], scratch[0, 6] = 0.0, 0.0, 0.0
        else:
            scratch[i, 4] = scratch[i - 1, 4] + 0.5 * dt * (bx + x)
            scratch[i, 5] = scratch[i - 1, 5] + 0.5 * dt * (by + y)
            scratch[i, 6] = scratch[i - 1, 6] + 0.5 * dt * (bz + z)
        bx, by, bz = x, y, z


@kernel
def travel(  # noqa: PLR0917 - numba takes positional arguments
    history: NDArray[np.float64],
    first: int,
    count: int,
    dt: float,
    total: float,
    scratch: NDArray[np.float64],
    stride: FootStride,
) -> None:
    """Take the left-over velocity off where it arose, integrate to the way travelled."""
    ex, ey, ez = scratch[count, 4], scratch[count, 5], scratch[count, 6]
    x, y, z, share = 0.0, 0.0, 0.0, 0.0
    ax, ay, az = 0.0, 0.0, 0.0
    for i in range(1, count + 1):
        share += change(history, first + i) / total
        bx, by, bz = scratch[i, 4] - share * ex, scratch[i, 5] - share * ey, scratch[i, 6] - share * ez
        x, y, z = x + 0.5 * dt * (ax + bx), y + 0.5 * dt * (ay + by), z + 0.5 * dt * (az + bz)
        ax, ay, az = bx, by, bz
        scratch[i, 4] = z
    stride.length = math.sqrt(x * x + y * y)
    top = 0.0
    for i in range(1, count + 1):  # the floor is level: both foot-flats are at height 0
        top = max(top, scratch[i, 4] - z * i / count)
    stride.clearance = top if math.isfinite(z) else math.nan


@kernel
def pitch(scratch: NDArray[np.float64], at: float, count: int, forward: tuple[float, float, float]) -> float:
    """Return the pitch of the foot at fractional sample ``at`` of the stride, toes up positive; NaN outside."""
    if not 0.0 <= at < count:
        return math.nan
    row = int(at)
    share = at - row
    one = to_world(scratch, row, forward[0], forward[1], forward[2])[2]
    two = to_world(scratch, row + 1, forward[0], forward[1], forward[2])[2]
    return math.asin(min(1.0, max(-1.0, (1.0 - share) * one + share * two)))
