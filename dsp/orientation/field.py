"""The field that a magnetometer should see: that of the place, turned with the sensor, and that of iron on the sensor.

Iron or a magnet strapped on with the sensor turns with it and adds the same to each value; the place adds the same to
each value turned into the earth frame. While nothing is missing the orientation tells the two apart: the least squares
of m = iron + R^T place over the newest seconds need no more than the means of m, R m and R. When the orientation is
lost for a moment, the two show how the sensor must lie.
"""

from __future__ import annotations

import math
from typing import Final

from dsp.orientation.layout import OrientationKernelParams, OrientationState
from dsp.orientation.math import Quaternion, Vector, arc_tangent, inlined, lean, rotate
from dsp.orientation.step import matrix, norm_and_dip

LOOK_EVERY: Final = 8  # samples: a field changes slowly
PRIOR = 0.1  # how much the iron is taken to be none: turning about one axis cannot tell its part along that
KNOWN_S = 5.0  # looks for so long make it known
GIVE_UP_S = 3.0  # a field that is not found again in this time is another one: learn it anew


@lean
def learn_field(state: OrientationState, params: OrientationKernelParams, quaternion: Quaternion, mag: Vector) -> None:
    """Take one look at the field; q turns the sensor into the earth frame."""
    means = state.field_means
    state.field_looks += 1.0
    gain = max(params.look_gain, 1.0 / state.field_looks)
    turned, turned_by = rotate(quaternion, mag), matrix(quaternion)
    for i in range(3):
        means[i] += gain * (mag[i] - means[i])
        means[i + 3] += gain * (turned[i] - means[i + 3])
    for i in range(9):
        means[i + 6] += gain * (turned_by[i] - means[i + 6])


@lean
def recall_field(state: OrientationState, params: OrientationKernelParams) -> None:
    """Tell the field of the place (``s.place``, earth frame) from that of iron on the sensor (``s.iron``)."""
    state.place_known = 1.0 if state.field_looks * LOOK_EVERY * params.dt >= KNOWN_S else 0.0
    m, turned, r = state.field_means[0:3], state.field_means[3:6], state.field_means[6:15]
    f = state.place_known / (1.0 + PRIOR)
    # (1 - f R R^T) place = R m - f R m; symmetric, and definite since a mean of rotations is no longer than one
    xx = 1.0 - f * (r[0] * r[0] + r[1] * r[1] + r[2] * r[2])
    yy = 1.0 - f * (r[3] * r[3] + r[4] * r[4] + r[5] * r[5])
    zz = 1.0 - f * (r[6] * r[6] + r[7] * r[7] + r[8] * r[8])
    xy = -f * (r[0] * r[3] + r[1] * r[4] + r[2] * r[5])
    xz = -f * (r[0] * r[6] + r[1] * r[7] + r[2] * r[8])
    yz = -f * (r[3] * r[6] + r[4] * r[7] + r[5] * r[8])
    x = turned[0] - f * (r[0] * m[0] + r[1] * m[1] + r[2] * m[2])
    y = turned[1] - f * (r[3] * m[0] + r[4] * m[1] + r[5] * m[2])
    z = turned[2] - f * (r[6] * m[0] + r[7] * m[1] + r[8] * m[2])
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, g = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    scale = 1.0 / (xx * a + xy * b + xz * c)
    state.place[0] = scale * (a * x + b * y + c * z)
    state.place[1] = scale * (b * x + d * y + e * z)
    state.place[2] = scale * (c * x + e * y + g * z)
    for i in range(3):
        back = r[i] * state.place[0] + r[i + 3] * state.place[1] + r[i + 6] * state.place[2]
        state.iron[i] = f * (m[i] - back)


@inlined
def without_iron(state: OrientationState, mag: Vector) -> Vector:
    """Return what is left of a field when that of the iron is taken off."""
    return mag[0] - state.iron[0], mag[1] - state.iron[1], mag[2] - state.iron[2]


@lean
def field_here(state: OrientationState) -> Vector:
    """Return the field of the place in the frame that the gyroscope keeps, as the orientation has it now."""
    c, d = state.heading[0], state.heading[1]
    cc, ss = c * c - d * d, 2.0 * c * d
    level = (cc * state.place[0] + ss * state.place[1], cc * state.place[1] - ss * state.place[0], state.place[2])
    return rotate((state.tilt[0], -state.tilt[1], -state.tilt[2], -state.tilt[3]), level)


@lean
def find_again(state: OrientationState, params: OrientationKernelParams, mag: Vector) -> tuple[float, float]:
    """Return by how much to turn the heading so that the field lies where it lay, and with what gain; or gain 0.

    The field is averaged in the frame that the gyroscope keeps: what gravity has corrected since counts for all of it.
    """
    state.found_n += 1.0
    x, y, z = rotate((state.turn[0], state.turn[1], state.turn[2], state.turn[3]), without_iron(state, mag))
    state.found[0] += (x - state.found[0]) / state.found_n
    state.found[1] += (y - state.found[1]) / state.found_n
    state.found[2] += (z - state.found[2]) / state.found_n
    x, y, z = rotate(
        (state.tilt[0], state.tilt[1], state.tilt[2], state.tilt[3]), (state.found[0], state.found[1], state.found[2])
    )
    norm, dip = norm_and_dip((x, y, z))
    usual_norm, usual_dip = norm_and_dip((state.place[0], state.place[1], state.place[2]))
    if abs(norm - usual_norm) > params.norm_band * usual_norm or abs(dip - usual_dip) > params.dip_band:
        if state.found_n * params.dt >= GIVE_UP_S:
            state.found_n, state.field_looks = -1.0, 0.0
        return 0.0, 0.0
    c, d = state.heading[0], state.heading[1]
    cc, ss = c * c - d * d, 2.0 * c * d
    way = arc_tangent(cc * x - ss * y, ss * x + cc * y) - arc_tangent(state.place[0], state.place[1])
    if way > math.pi:
        way -= 2.0 * math.pi
    elif way < -math.pi:
        way += 2.0 * math.pi
    return way, 1.0 / state.found_n
