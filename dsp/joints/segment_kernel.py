"""Turn the orientation of a sensor into that of the segment it is strapped to, however it is.

Up is the vertical of a standing pose, left the axis that the segment swings about in walking
(``dsp.mounting.alignment`` for feet, ``dsp.contact.swing`` for legs). A rest counts as a standing pose when walking
confirms it: on a chair the thigh lies far from how it is carried on average. The pose is then kept, so that angles of
one session have one zero.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.contact.swing import begin_swings, see_any, see_leg
from dsp.joints.segment_layout import FOOT, FUNCTIONAL, HISTORY, PELVIS, STATIC, SegmentParams, SegmentState
from dsp.kernel import kernel
from dsp.mounting.alignment import (
    MEMORY_S,
    NOMINAL_ENERGY,
    Alignment,
    adopt,
    begin_alignment,
    contradicted,
    see_motion,
    see_turn,
)
from dsp.record import Floats, Rows

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
def begin_segment(state: SegmentState, alignment: Alignment) -> None:
    """Start from the nominal mounting: x forward, y left, z up."""
    begin_alignment(alignment)
    begin_swings(state)
    state.started = 1
    state.written = 0
    state.still = 0
    state.posed = 0
    state.walked_s = 0.0
    state.adopted_s = 0.0
    state.bits = 0
    for i in range(3):
        state.up[i] = 1.0 if i == 2 else 0.0
        state.walk_up[i] = 0.0
        state.rest_up[i] = 0.0
        for j in range(3):
            state.frame[i, j] = 1.0 if i == j else 0.0


@kernel
def unit(vector: Floats) -> bool:
    """Make a vector of length 1; return False, and leave it, where it has none."""
    norm = math.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2)
    if not norm > 1e-9:
        return False
    for i in range(3):
        vector[i] /= norm
    return True


@kernel
def set_frame(state: SegmentState, alignment: Alignment) -> None:
    """Build the frame from up and left; left gives way where they are not at right angles."""
    up, left, forward = state.frame[2], state.frame[1], state.frame[0]
    for i in range(3):
        up[i] = state.up[i]
        left[i] = alignment.used[i]
    along = left[0] * up[0] + left[1] * up[1] + left[2] * up[2]
    for i in range(3):
        left[i] -= along * up[i]
    if not unit(left):  # strapped on with the nominal left pointing up: any level axis until walking shows it
        axis = 0 if abs(up[0]) < 0.9 else 1
        for i in range(3):
            left[i] = (1.0 if i == axis else 0.0) - up[axis] * up[i]
        unit(left)
    forward[0] = left[1] * up[2] - left[2] * up[1]
    forward[1] = left[2] * up[0] - left[0] * up[2]
    forward[2] = left[0] * up[1] - left[1] * up[0]


@kernel
def see_pose(state: SegmentState, alignment: Alignment, params: SegmentParams, up: Floats) -> None:
    """Take a long enough rest for the neutral pose, unless walking speaks against it or has confirmed another."""
    for i in range(3):
        state.rest_up[i] = up[i] if state.still == params.still else state.rest_up[i] + up[i]
    size = math.sqrt(state.rest_up[0] ** 2 + state.rest_up[1] ** 2 + state.rest_up[2] ** 2)
    if up[0] * state.rest_up[0] + up[1] * state.rest_up[1] + up[2] * state.rest_up[2] < STILL_LEAN * size:
        state.still = 0
        return
    if state.posed == 2 or state.still - params.still < params.pose:
        return
    if state.walked_s >= CONFIRM_S and not upright(state, state.rest_up):
        return
    for i in range(3):
        state.up[i] = state.rest_up[i]
    unit(state.up)
    state.posed = 2 if state.walked_s >= CONFIRM_S else 1
    if state.posed == 2 or params.kind == PELVIS:  # which in slow walks hardly moves
        state.bits |= STATIC
    for i in range(3):
        alignment.up[i] = state.up[i]
    set_frame(state, alignment)


@kernel
def upright(state: SegmentState, up: Floats) -> bool:
    """Return whether a direction is near to the mean vertical of walking."""
    dot = up[0] * state.walk_up[0] + up[1] * state.walk_up[1] + up[2] * state.walk_up[2]
    size = (up[0] ** 2 + up[1] ** 2 + up[2] ** 2) * (
        state.walk_up[0] ** 2 + state.walk_up[1] ** 2 + state.walk_up[2] ** 2
    )
    return bool(dot >= UPRIGHT * math.sqrt(size))


@kernel
def see_walk(state: SegmentState, alignment: Alignment, dt: float, up: Floats) -> None:
    """Follow the mean vertical of walking; confirm the pose before it, or do without."""
    before = state.walked_s
    state.walked_s += dt
    for i in range(3):
        state.walk_up[i] = state.walk_up[i] * (1.0 - dt / WALK_MEMORY_S) + up[i] * dt
    if not before < CONFIRM_S <= state.walked_s or state.posed == 2:
        return
    if state.posed == 1 and upright(state, state.up):
        state.posed = 2
        state.bits |= STATIC
        return
    state.posed = 0
    for i in range(3):  # no standing pose: the mean of walking is within some ten degrees of one
        state.up[i] = state.walk_up[i]
    unit(state.up)
    for i in range(3):
        alignment.up[i] = state.up[i]
    set_frame(state, alignment)


@kernel
def see_axis(state: SegmentState, alignment: Alignment, params: SegmentParams, gyr: NDArray[np.float64]) -> None:
    """Learn the axis to the left from a sample of motion and take it up now and then."""
    if params.kind == PELVIS:
        return
    if params.kind == FOOT:
        see_motion(alignment, gyr, params.dt)
    else:
        see_leg(state, alignment, gyr, params.dt)
    if contradicted(alignment) and state.turns_sum > 0.0:
        adopt(alignment)
        alignment.agreed = 0
        state.bits &= ~FUNCTIONAL
        state.epoch += 1
        state.adopted_s = state.walked_s
        set_frame(state, alignment)
    elif state.walked_s - state.adopted_s >= RENEW_S:
        adopt(alignment)
        alignment.agreed += 1
        state.adopted_s = state.walked_s
        set_frame(state, alignment)
    energy = 0.0
    for i in range(3):
        for j in range(3):
            energy += alignment.left[i] * alignment.moment[i, j] * alignment.left[j]
    trace = alignment.moment[0, 0] + alignment.moment[1, 1] + alignment.moment[2, 2]
    if alignment.agreed >= SURE_RENEWALS and energy >= SURE_ENERGY * NOMINAL_ENERGY * math.exp(
        -state.walked_s / MEMORY_S
    ):
        state.bits = state.bits | FUNCTIONAL if energy >= SURE_SHARE * trace else state.bits & ~FUNCTIONAL


@kernel
def to_segment(frame: NDArray[np.float64], quaternion: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write the matrix (3, 3) whose columns are the segment's forward, left and up in the quaternion's earth frame."""
    w, x, y, z = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    for j in range(3):
        a, b, c = frame[j, 0], frame[j, 1], frame[j, 2]
        out[0, j] = (1.0 - 2.0 * (y * y + z * z)) * a + 2.0 * (x * y - w * z) * b + 2.0 * (x * z + w * y) * c
        out[1, j] = 2.0 * (x * y + w * z) * a + (1.0 - 2.0 * (x * x + z * z)) * b + 2.0 * (y * z - w * x) * c
        out[2, j] = 2.0 * (x * z - w * y) * a + 2.0 * (y * z + w * x) * b + (1.0 - 2.0 * (x * x + y * y)) * c


@kernel
def see(  # noqa: PLR0917 - numba takes positional arguments
    state: SegmentState,
    alignment: Alignment,
    params: SegmentParams,
    gyr: NDArray[np.float64],
    quaternion: NDArray[np.float64],
    up: NDArray[np.float64],
) -> None:
    """Learn from one good sample; ``up`` is room for the vertical in the sensor's frame."""
    up[0] = 2.0 * (quaternion[1] * quaternion[3] - quaternion[0] * quaternion[2])
    up[1] = 2.0 * (quaternion[2] * quaternion[3] + quaternion[0] * quaternion[1])
    up[2] = 1.0 - 2.0 * (quaternion[1] * quaternion[1] + quaternion[2] * quaternion[2])
    turn = math.sqrt(gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2)
    state.still = state.still + 1 if turn < STILL_RATE else 0
    if params.kind == PELVIS:
        state.bits |= FUNCTIONAL
    if state.still >= params.still:
        see_pose(state, alignment, params, up)
    see_turn(alignment, turn, params.still)
    see_any(state, alignment, gyr, params.dt)
    if turn > (STILL_RATE if params.kind == PELVIS else WALK_RATE):
        see_walk(state, alignment, params.dt, up)
        see_axis(state, alignment, params, gyr)


@kernel
def usable(gyr: NDArray[np.float64], quaternion: NDArray[np.float64]) -> bool:
    """Return whether a sample has a rate that can be and an orientation."""
    for axis in range(3):
        if not abs(gyr[axis]) < FASTEST:
            return False
    size = 0.0
    for axis in range(4):
        if not abs(quaternion[axis]) < 2.0:
            return False
        size += quaternion[axis] ** 2
    return 0.98 < size < 1.02


@kernel
def write_mark(state: SegmentState, mark: NDArray[np.int64]) -> None:
    """Write down what a sample's orientation rests on: epoch and bits."""
    mark[0] = state.epoch
    mark[1] = state.bits


@kernel
def follow_segments(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    time_s: NDArray[np.float64],
    gyr: NDArray[np.float64],
    quaternion: NDArray[np.float64],
    params_of: Rows[SegmentParams],
    states: Rows[SegmentState],
    alignments: Rows[Alignment],
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    marks: NDArray[np.int64],
) -> None:
    """Run all sensors of a batch; their newest orientations go to ``times`` (k, HISTORY), ``matrices`` and ``marks``.

    ``marks`` are epoch and bits as they were at each sample, so that joints depend on samples, not on portions.
    """
    up = np.zeros(3)
    for place in range(len(sensors)):
        sensor = sensors[place]
        state, params, alignment = states[sensor], params_of[sensor], alignments[sensor]
        for row in range(start[place], start[place + 1]):
            number, time = index[row], time_s[row]
            good = math.isfinite(time) and usable(gyr[row], quaternion[row])
            if not good or (state.started == 1 and (number <= state.index or time <= state.time_s)):
                continue
            if state.started == 0:
                begin_segment(state, alignment)
            elif number - state.index - 1 > params.gap:
                state.epoch += 1
                state.still = 0
            state.index = number
            state.time_s = time
            see(state, alignment, params, gyr[row], quaternion[row], up)
            slot = state.written & (HISTORY - 1)
            times[sensor, slot] = time
            to_segment(state.frame, quaternion[row], matrices[sensor, slot])
            write_mark(state, marks[sensor, slot])
            state.written += 1
