"""Turn the orientation of a sensor into that of the segment it is strapped to, however it is.

Up is the vertical of a standing pose, left the axis that the segment swings about in walking
(``dsp.mounting.alignment`` for feet, ``dsp.contact.swing`` for legs). A rest counts as a standing pose when walking
confirms it: on a chair the thigh lies far from how it is carried on average. The pose is then kept, so that angles of
one session have one zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.contact.swing import begin_swings, see_any, see_leg
from dsp.joints.segment_layout import FOOT, FUNCTIONAL, HISTORY, PELVIS, STATIC
from dsp.kernel import kernel
from dsp.mounting.alignment import (
    MEMORY_S,
    NOMINAL_ENERGY,
    adopt,
    begin_alignment,
    contradicted,
    see_motion,
    see_turn,
)

FASTEST = 1e3  # rad/s: far beyond any sensor's range; also keeps squares finite
STILL_RATE = 0.1  # rad/s: above any gyroscope's bias and a standing person's sway
STILL_LEAN = math.cos(
    math.radians(1.5)
)  # farther from the mean of a rest, a slow leg in mid-stance, not a standing one
WALK_RATE = 0.2  # rad/s: slower is standing, or the stance of the slowest walks
WALK_MEMORY_S = 5.0  # of motion
CONFIRM_S = 2.0  # of motion: some four strides
UPRIGHT = math.cos(math.radians(35.0))  # a standing pose lies nearer to the mean of walking; a seat at 60 to 90 degrees
RENEW_S = 1.0  # of motion after which a better axis is taken: seldom enough not to bend a stride's curve
SURE_RENEWALS = 2  # of the axis without contradiction
SURE_ENERGY = 5.0  # times what is left of the nominal axis: a brisk stride, or a few slow ones
SURE_SHARE = 0.75  # of all level rotation: legs and feet that walk straight on show 0.9 and more


@kernel
def begin_segment(s: Any, a: Any) -> None:
    """Start from the nominal mounting: x forward, y left, z up."""
    begin_alignment(a)
    begin_swings(s)
    s.started = 1
    s.written = 0
    s.still = 0
    s.posed = 0
    s.walked_s = 0.0
    s.adopted_s = 0.0
    s.bits = 0
    for i in range(3):
        s.up[i] = 1.0 if i == 2 else 0.0
        s.walk_up[i] = 0.0
        s.rest_up[i] = 0.0
        for j in range(3):
            s.frame[i, j] = 1.0 if i == j else 0.0


@kernel
def unit(v: Any) -> bool:
    """Make a vector of length 1; return False, and leave it, where it has none."""
    norm = math.sqrt(v[0] ** 2 + v[1] ** 2 + v[2] ** 2)
    if not norm > 1e-9:
        return False
    for i in range(3):
        v[i] /= norm
    return True


@kernel
def set_frame(s: Any, a: Any) -> None:
    """Build the frame from up and left; left gives way where they are not at right angles."""
    up, left, forward = s.frame[2], s.frame[1], s.frame[0]
    for i in range(3):
        up[i] = s.up[i]
        left[i] = a.used[i]
    along = left[0] * up[0] + left[1] * up[1] + left[2] * up[2]
    for i in range(3):
        left[i] -= along * up[i]
    if not unit(left):  # strapped on with the nominal left pointing up: any level axis until walking shows it
        k = 0 if abs(up[0]) < 0.9 else 1
        for i in range(3):
            left[i] = (1.0 if i == k else 0.0) - up[k] * up[i]
        unit(left)
    forward[0] = left[1] * up[2] - left[2] * up[1]
    forward[1] = left[2] * up[0] - left[0] * up[2]
    forward[2] = left[0] * up[1] - left[1] * up[0]


@kernel
def see_pose(s: Any, a: Any, p: Any, up: Any) -> None:
    """Take a long enough rest for the neutral pose, unless walking speaks against it or has confirmed another."""
    for i in range(3):
        s.rest_up[i] = up[i] if s.still == p.still else s.rest_up[i] + up[i]
    size = math.sqrt(s.rest_up[0] ** 2 + s.rest_up[1] ** 2 + s.rest_up[2] ** 2)
    if up[0] * s.rest_up[0] + up[1] * s.rest_up[1] + up[2] * s.rest_up[2] < STILL_LEAN * size:
        s.still = 0
        return
    if s.posed == 2 or s.still - p.still < p.pose:
        return
    if s.walked_s >= CONFIRM_S and not upright(s, s.rest_up):
        return
    for i in range(3):
        s.up[i] = s.rest_up[i]
    unit(s.up)
    s.posed = 2 if s.walked_s >= CONFIRM_S else 1
    if s.posed == 2 or p.kind == PELVIS:  # which in slow walks hardly moves
        s.bits |= STATIC
    for i in range(3):
        a.up[i] = s.up[i]
    set_frame(s, a)


@kernel
def upright(s: Any, up: Any) -> bool:
    """Return whether a direction is near to the mean vertical of walking."""
    dot = up[0] * s.walk_up[0] + up[1] * s.walk_up[1] + up[2] * s.walk_up[2]
    size = (up[0] ** 2 + up[1] ** 2 + up[2] ** 2) * (s.walk_up[0] ** 2 + s.walk_up[1] ** 2 + s.walk_up[2] ** 2)
    return bool(dot >= UPRIGHT * math.sqrt(size))


@kernel
def see_walk(s: Any, a: Any, dt: float, up: Any) -> None:
    """Follow the mean vertical of walking; confirm the pose before it, or do without."""
    before = s.walked_s
    s.walked_s += dt
    for i in range(3):
        s.walk_up[i] = s.walk_up[i] * (1.0 - dt / WALK_MEMORY_S) + up[i] * dt
    if not before < CONFIRM_S <= s.walked_s or s.posed == 2:
        return
    if s.posed == 1 and upright(s, s.up):
        s.posed = 2
        s.bits |= STATIC
        return
    s.posed = 0
    for i in range(3):  # no standing pose: the mean of walking is within some ten degrees of one
        s.up[i] = s.walk_up[i]
    unit(s.up)
    for i in range(3):
        a.up[i] = s.up[i]
    set_frame(s, a)


@kernel
def see_axis(s: Any, a: Any, p: Any, gyr: NDArray[np.float64]) -> None:
    """Learn the axis to the left from a sample of motion and take it up now and then."""
    if p.kind == PELVIS:
        return
    if p.kind == FOOT:
        see_motion(a, gyr, p.dt)
    else:
        see_leg(s, a, gyr, p.dt)
    if contradicted(a) and s.turns_sum > 0.0:
        adopt(a)
        a.agreed = 0
        s.bits &= ~FUNCTIONAL
        s.epoch += 1
        s.adopted_s = s.walked_s
        set_frame(s, a)
    elif s.walked_s - s.adopted_s >= RENEW_S:
        adopt(a)
        a.agreed += 1
        s.adopted_s = s.walked_s
        set_frame(s, a)
    energy = 0.0
    for i in range(3):
        for j in range(3):
            energy += a.left[i] * a.moment[i, j] * a.left[j]
    trace = a.moment[0, 0] + a.moment[1, 1] + a.moment[2, 2]
    if a.agreed >= SURE_RENEWALS and energy >= SURE_ENERGY * NOMINAL_ENERGY * math.exp(-s.walked_s / MEMORY_S):
        s.bits = s.bits | FUNCTIONAL if energy >= SURE_SHARE * trace else s.bits & ~FUNCTIONAL


@kernel
def to_segment(frame: NDArray[np.float64], q: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write the matrix (3, 3) whose columns are the segment's forward, left and up in the earth frame of ``q``."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    for j in range(3):
        a, b, c = frame[j, 0], frame[j, 1], frame[j, 2]
        out[0, j] = (1.0 - 2.0 * (y * y + z * z)) * a + 2.0 * (x * y - w * z) * b + 2.0 * (x * z + w * y) * c
        out[1, j] = 2.0 * (x * y + w * z) * a + (1.0 - 2.0 * (x * x + z * z)) * b + 2.0 * (y * z - w * x) * c
        out[2, j] = 2.0 * (x * z - w * y) * a + 2.0 * (y * z + w * x) * b + (1.0 - 2.0 * (x * x + y * y)) * c


@kernel
def see(s: Any, a: Any, p: Any, gyr: NDArray[np.float64], q: NDArray[np.float64], up: NDArray[np.float64]) -> None:  # noqa: PLR0917 - numba takes positional arguments
    """Learn from one good sample; ``up`` is room for the vertical in the sensor's frame."""
    up[0] = 2.0 * (q[1] * q[3] - q[0] * q[2])
    up[1] = 2.0 * (q[2] * q[3] + q[0] * q[1])
    up[2] = 1.0 - 2.0 * (q[1] * q[1] + q[2] * q[2])
    turn = math.sqrt(gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2)
    s.still = s.still + 1 if turn < STILL_RATE else 0
    if p.kind == PELVIS:
        s.bits |= FUNCTIONAL
    if s.still >= p.still:
        see_pose(s, a, p, up)
    see_turn(a, turn, p.still)
    see_any(s, a, gyr, p.dt)
    if turn > (STILL_RATE if p.kind == PELVIS else WALK_RATE):
        see_walk(s, a, p.dt, up)
        see_axis(s, a, p, gyr)


@kernel
def usable(gyr: NDArray[np.float64], q: NDArray[np.float64]) -> bool:
    """Return whether a sample has a rate that can be and an orientation."""
    for c in range(3):
        if not abs(gyr[c]) < FASTEST:
            return False
    size = 0.0
    for c in range(4):
        if not abs(q[c]) < 2.0:
            return False
        size += q[c] ** 2
    return 0.98 < size < 1.02


@kernel
def follow_segments(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    time_s: NDArray[np.float64],
    gyr: NDArray[np.float64],
    quaternion: NDArray[np.float64],
    params: Any,
    state: Any,
    alignment: Any,
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    marks: NDArray[np.int64],
) -> None:
    """Run all sensors of a batch; their newest orientations go to ``times`` (k, HISTORY), ``matrices`` and ``marks``.

    ``marks`` are epoch and bits as they were at each sample, so that joints depend on samples, not on portions.
    """
    up = np.zeros(3)
    for j in range(len(sensors)):
        sensor = sensors[j]
        s, p, a = state[sensor], params[sensor], alignment[sensor]
        for row in range(start[j], start[j + 1]):
            k, t = index[row], time_s[row]
            good = math.isfinite(t) and usable(gyr[row], quaternion[row])
            if not good or (s.started == 1 and (k <= s.index or t <= s.time_s)):
                continue
            if s.started == 0:
                begin_segment(s, a)
            elif k - s.index - 1 > p.gap:
                s.epoch += 1
                s.still = 0
            s.index = k
            s.time_s = t
            see(s, a, p, gyr[row], quaternion[row], up)
            slot = s.written & (HISTORY - 1)
            times[sensor, slot] = t
            to_segment(s.frame, quaternion[row], matrices[sensor, slot])
            marks[sensor, slot, 0] = s.epoch
            marks[sensor, slot, 1] = s.bits
            s.written += 1
