"""The angle between two segments whose sensors keep their own time and their own north.

Without magnetometers the headings of two sensors drift apart. Both segments turn about axes to the left that point the
same way on average, so the mean angle between these axes, seen from above, is the difference of the headings (Seel 2014
and Laidig 2017 use the same constraint of a hinge). Flexion is the angle of the distal segment's long axis in the
sagittal plane of the proximal one (Grood and Suntay 1983).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.joints.segment_layout import (
    FUNCTIONAL,
    HEADING,
    HISTORY,
    STATIC,
    JointAngle,
    JointState,
    SegmentState,
)
from dsp.kernel import kernel
from dsp.record import Rows

HEADING_MEMORY_S = 5.0  # some strides, in which turning of one segment against the other averages out
HEADING_LEAST_S = 0.5  # of level axes before their mean is worth something
AGREED = 0.96  # length of the mean direction: axes that scatter by more than 16 degrees are not those of one hinge
LEVEL = 1e-3  # of the axes' level parts: below, nobody can say where they point


@kernel
def compare_headings(joint: JointState, proximal: NDArray[np.float64], distal: NDArray[np.float64], dt: float) -> None:
    """Learn where the distal left axis points as seen from the proximal one; matrices (3, 3) of both segments."""
    cos = proximal[0, 1] * distal[0, 1] + proximal[1, 1] * distal[1, 1]
    sin = proximal[1, 1] * distal[0, 1] - proximal[0, 1] * distal[1, 1]
    size = math.sqrt(cos * cos + sin * sin)
    if size < LEVEL:
        return
    fade = max(0.0, 1.0 - dt / HEADING_MEMORY_S)
    joint.heading[0] = fade * joint.heading[0] + cos * dt
    joint.heading[1] = fade * joint.heading[1] + sin * dt
    joint.weight = fade * joint.weight + size * dt
    length = math.sqrt(joint.heading[0] ** 2 + joint.heading[1] ** 2)
    agreed = joint.weight >= HEADING_LEAST_S and length >= AGREED * joint.weight
    joint.bits = joint.bits | HEADING if agreed else joint.bits & ~HEADING


@kernel
def bend(joint: JointState, proximal: NDArray[np.float64], distal: NDArray[np.float64]) -> float:
    """Return the angle of the joint, rad; NaN while nothing is known of the headings."""
    length = math.sqrt(joint.heading[0] ** 2 + joint.heading[1] ** 2)
    if not length > 0.0:
        return math.nan
    c, s = joint.heading[0] / length, joint.heading[1] / length
    x, y, z = c * distal[0, 2] - s * distal[1, 2], s * distal[0, 2] + c * distal[1, 2], distal[2, 2]
    forward = proximal[0, 0] * x + proximal[1, 0] * y + proximal[2, 0] * z
    upward = proximal[0, 2] * x + proximal[1, 2] * y + proximal[2, 2] * z
    return float(joint.sign * math.atan2(forward, upward) + joint.neutral)


@kernel
def between(early: NDArray[np.float64], late: NDArray[np.float64], share: float, out: NDArray[np.float64]) -> None:
    """Write the orientation a share of the way from one to the next: left and up, made square again."""
    for i in range(3):
        out[i, 1] = early[i, 1] + share * (late[i, 1] - early[i, 1])
        out[i, 2] = early[i, 2] + share * (late[i, 2] - early[i, 2])


@kernel
def renew(joint: JointState, proximal: NDArray[np.int64], distal: NDArray[np.int64]) -> None:
    """Forget the headings when one of the segments has: a gap, or another axis; marks (2,) of both samples."""
    if proximal[0] == joint.epochs[0] and distal[0] == joint.epochs[1]:
        return
    joint.epochs[0], joint.epochs[1] = proximal[0], distal[0]
    joint.heading[0] = 0.0
    joint.heading[1] = 0.0
    joint.weight = 0.0
    joint.bits &= ~HEADING


@kernel
def write_angle(found: JointAngle, number: int, joint: JointState, time_s: float, angle_rad: float) -> None:
    """Write an angle of the joint of this number."""
    found.joint = number
    found.sensor = joint.proximal
    found.time_s = time_s
    found.angle_deg = math.degrees(angle_rad)
    found.bits = joint.bits


@kernel
def follow_distal(joint: JointState, times: NDArray[np.float64], written: int, time_s: float) -> None:
    """Go on to the newest of the ``written`` distal samples that lies before an instant."""
    while joint.behind + 1 < written and times[joint.distal, (joint.behind + 1) & (HISTORY - 1)] < time_s:
        joint.behind += 1


@kernel
def angle_between(  # noqa: PLR0917 - numba takes positional arguments
    joint: JointState,
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    here: int,
    early: int,
    late: int,
    bridge_s: float,
    room: NDArray[np.float64],
) -> float:
    """Return the angle, rad, at the proximal sample in place ``here``, between the distal ones ``early`` and ``late``.

    The headings are compared first, over the time since the proximal sample before; where that is lost, over the time
    between the distal ones.
    """
    time_s, early_s, late_s = times[joint.proximal, here], times[joint.distal, early], times[joint.distal, late]
    share = (time_s - early_s) / (late_s - early_s)
    between(matrices[joint.distal, early], matrices[joint.distal, late], share, room)
    since = time_s - times[joint.proximal, (joint.read - 2) & (HISTORY - 1)] if joint.read > 1 else 0.0
    since = since if 0.0 < since <= bridge_s else late_s - early_s
    compare_headings(joint, matrices[joint.proximal, here], room, since)
    return bend(joint, matrices[joint.proximal, here], room)


@kernel
def follow_joint(  # noqa: PLR0917 - numba takes positional arguments
    number: int,
    joint: JointState,
    segments: Rows[SegmentState],
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    marks: NDArray[np.int64],
    bridge_s: float,
    room: NDArray[np.float64],
    angles: Rows[JointAngle],
    count: int,
) -> int:
    """Write the angles at new samples of the proximal segment that the distal one surrounds; return how many are."""
    proximal, distal = segments[joint.proximal], segments[joint.distal]
    joint.read = max(joint.read, proximal.written - HISTORY)
    joint.behind = max(joint.behind, distal.written - HISTORY)
    while joint.read < proximal.written and joint.behind < distal.written:
        here = joint.read & (HISTORY - 1)
        time_s = times[joint.proximal, here]
        follow_distal(joint, times, distal.written, time_s)
        early, late = joint.behind & (HISTORY - 1), (joint.behind + 1) & (HISTORY - 1)
        if times[joint.distal, early] > time_s:
            joint.read += 1  # the distal segment began later
            continue
        if joint.behind + 1 >= distal.written:
            break  # wait for the distal segment
        joint.read += 1
        if times[joint.distal, late] - times[joint.distal, early] > bridge_s:
            continue
        renew(joint, marks[joint.proximal, here], marks[joint.distal, late])
        angle = angle_between(joint, times, matrices, here, early, late, bridge_s, room)
        known = marks[joint.proximal, here, 1] & marks[joint.distal, late, 1]
        joint.bits = (joint.bits & HEADING) | (known & (STATIC | FUNCTIONAL))
        if math.isnan(angle) or count == len(angles):
            continue
        write_angle(angles[count], number, joint, time_s, angle)
        count += 1
    return count


@kernel
def follow_joints(  # noqa: PLR0917 - numba takes positional arguments
    numbers: NDArray[np.int64],
    joints: Rows[JointState],
    segments: Rows[SegmentState],
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    marks: NDArray[np.int64],
    bridge_s: float,
    angles: Rows[JointAngle],
) -> int:
    """Run all joints; return how many angles were written to ``angles``."""
    room = np.zeros((3, 3))
    count = 0
    for i in range(len(numbers)):
        count = follow_joint(
            numbers[i], joints[numbers[i]], segments, times, matrices, marks, bridge_s, room, angles, count
        )
    return count
