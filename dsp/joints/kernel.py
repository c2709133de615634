"""The angle between two segments whose sensors keep their own time and their own north.

Without magnetometers the headings of two sensors drift apart. Both segments turn about axes to the left that point the
same way on average, so the mean angle between these axes, seen from above, is the difference of the headings (Seel 2014
and Laidig 2017 use the same constraint of a hinge). Flexion is the angle of the distal segment's long axis in the
sagittal plane of the proximal one (Grood and Suntay 1983).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.joints.segment_layout import FUNCTIONAL, HEADING, HISTORY, STATIC
from dsp.kernel import kernel

HEADING_MEMORY_S = 5.0  # some strides, in which turning of one segment against the other averages out
HEADING_LEAST_S = 0.5  # of level axes before their mean is worth something
AGREED = 0.96  # length of the mean direction: axes that scatter by more than 16 degrees are not those of one hinge
LEVEL = 1e-3  # of the axes' level parts: below, nobody can say where they point


@kernel
def compare_headings(j: Any, a: NDArray[np.float64], b: NDArray[np.float64], dt: float) -> None:
    """Learn where the distal left axis points as seen from the proximal one; matrices (3, 3) of both segments."""
    cos = a[0, 1] * b[0, 1] + a[1, 1] * b[1, 1]
    sin = a[1, 1] * b[0, 1] - a[0, 1] * b[1, 1]
    size = math.sqrt(cos * cos + sin * sin)
    if size < LEVEL:
        return
    fade = max(0.0, 1.0 - dt / HEADING_MEMORY_S)
    j.heading[0] = fade * j.heading[0] + cos * dt
    j.heading[1] = fade * j.heading[1] + sin * dt
    j.weight = fade * j.weight + size * dt
    length = math.sqrt(j.heading[0] ** 2 + j.heading[1] ** 2)
    agreed = j.weight >= HEADING_LEAST_S and length >= AGREED * j.weight
    j.bits = j.bits | HEADING if agreed else j.bits & ~HEADING


@kernel
def bend(j: Any, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the angle of the joint, rad; NaN while nothing is known of the headings."""
    length = math.sqrt(j.heading[0] ** 2 + j.heading[1] ** 2)
    if not length > 0.0:
        return math.nan
    c, s = j.heading[0] / length, j.heading[1] / length
    x, y, z = c * b[0, 2] - s * b[1, 2], s * b[0, 2] + c * b[1, 2], b[2, 2]
    forward = a[0, 0] * x + a[1, 0] * y + a[2, 0] * z
    upward = a[0, 2] * x + a[1, 2] * y + a[2, 2] * z
    return float(j.sign * math.atan2(forward, upward) + j.neutral)


@kernel
def between(a: NDArray[np.float64], b: NDArray[np.float64], share: float, out: NDArray[np.float64]) -> None:
    """Write the orientation a share of the way from one to the next: left and up, made square again."""
    for i in range(3):
        out[i, 1] = a[i, 1] + share * (b[i, 1] - a[i, 1])
        out[i, 2] = a[i, 2] + share * (b[i, 2] - a[i, 2])


@kernel
def renew(j: Any, proximal: NDArray[np.int64], distal: NDArray[np.int64]) -> None:
    """Forget the headings when one of the segments has: a gap, or another axis; marks (2,) of both samples."""
    if proximal[0] == j.epochs[0] and distal[0] == j.epochs[1]:
        return
    j.epochs[0], j.epochs[1] = proximal[0], distal[0]
    j.heading[0] = 0.0
    j.heading[1] = 0.0
    j.weight = 0.0
    j.bits &= ~HEADING


@kernel
def follow_joint(  # noqa: PLR0917 - numba takes positional arguments
    number: int,
    j: Any,
    state: Any,
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    marks: NDArray[np.int64],
    bridge_s: float,
    room: NDArray[np.float64],
    out: Any,
    n: int,
) -> int:
    """Give the new samples of the proximal segment for which the distal one is known; return how many are written."""
    p, d = state[j.proximal], state[j.distal]
    j.read = max(j.read, p.written - HISTORY)
    j.behind = max(j.behind, d.written - HISTORY)
    while j.read < p.written and j.behind < d.written:
        here = j.read & (HISTORY - 1)
        t = times[j.proximal, here]
        while j.behind + 1 < d.written and times[j.distal, (j.behind + 1) & (HISTORY - 1)] < t:
            j.behind += 1
        early, late = j.behind & (HISTORY - 1), (j.behind + 1) & (HISTORY - 1)
        t0 = times[j.distal, early]
        if t0 > t:
            j.read += 1  # the distal segment began later
            continue
        if j.behind + 1 >= d.written:
            break  # wait for the distal segment
        t1 = times[j.distal, late]
        j.read += 1
        if t1 - t0 > bridge_s:
            continue
        renew(j, marks[j.proximal, here], marks[j.distal, late])
        between(matrices[j.distal, early], matrices[j.distal, late], (t - t0) / (t1 - t0), room)
        since = t - times[j.proximal, (j.read - 2) & (HISTORY - 1)] if j.read > 1 else 0.0
        compare_headings(j, matrices[j.proximal, here], room, since if 0.0 < since <= bridge_s else t1 - t0)
        angle = bend(j, matrices[j.proximal, here], room)
        known = marks[j.proximal, here, 1] & marks[j.distal, late, 1]
        j.bits = (j.bits & HEADING) | (known & (STATIC | FUNCTIONAL))
        if math.isnan(angle) or n == len(out):
            continue
        e = out[n]
        e.joint = number
        e.sensor = j.proximal
        e.time_s = t
        e.angle_deg = math.degrees(angle)
        e.bits = j.bits
        n += 1
    return n


@kernel
def follow_joints(  # noqa: PLR0917 - numba takes positional arguments
    numbers: NDArray[np.int64],
    joints: Any,
    state: Any,
    times: NDArray[np.float64],
    matrices: NDArray[np.float64],
    marks: NDArray[np.int64],
    bridge_s: float,
    out: Any,
) -> int:
    """Run all joints; return how many angles were written to ``out``."""
    room = np.zeros((3, 3))
    n = 0
    for i in range(len(numbers)):
        n = follow_joint(numbers[i], joints[numbers[i]], state, times, matrices, marks, bridge_s, room, out, n)
    return n
