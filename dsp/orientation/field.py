"""The field that a magnetometer should see: that of the place, turned with the sensor, and that of iron on the sensor.

Iron or a magnet strapped on with the sensor turns with it and adds the same to each value; the place adds the same to
each value turned into the earth frame. While nothing is missing the orientation tells the two apart: the least squares
of m = iron + R^T place over the newest seconds need no more than the means of m, R m and R. When the orientation is
lost for a moment, the two show how the sensor must lie.
"""

from __future__ import annotations

import math
from typing import Any, Final

from dsp.orientation.math import Quaternion, Vector, arc_tangent, inlined, lean, rotate
from dsp.orientation.step import matrix, norm_and_dip

LOOK_EVERY: Final = 8  # samples: a field changes slowly
PRIOR = 0.1  # how much the iron is taken to be none: turning about one axis cannot tell its part along that
KNOWN_S = 5.0  # looks for so long make it known
GIVE_UP_S = 3.0  # a field that is not found again in this time is another one: learn it anew


@lean
def learn_field(s: Any, p: Any, q: Quaternion, mag: Vector) -> None:
    """Take one look at the field; q turns the sensor into the earth frame."""
    means = s.field_means
    s.field_looks += 1.0
    gain = max(p.look_gain, 1.0 / s.field_looks)
    turned, r = rotate(q, mag), matrix(q)
    for i in range(3):
        means[i] += gain * (mag[i] - means[i])
        means[i + 3] += gain * (turned[i] - means[i + 3])
    for i in range(9):
        means[i + 6] += gain * (r[i] - means[i + 6])


@lean
def recall_field(s: Any, p: Any) -> None:
    """Tell the field of the place (``s.place``, earth frame) from that of iron on the sensor (``s.iron``)."""
    s.place_known = 1.0 if s.field_looks * LOOK_EVERY * p.dt >= KNOWN_S else 0.0
    m, turned, r = s.field_means[0:3], s.field_means[3:6], s.field_means[6:15]
    f = s.place_known / (1.0 + PRIOR)
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
    s.place[0] = scale * (a * x + b * y + c * z)
    s.place[1] = scale * (b * x + d * y + e * z)
    s.place[2] = scale * (c * x + e * y + g * z)
    for i in range(3):
        back = r[i] * s.place[0] + r[i + 3] * s.place[1] + r[i + 6] * s.place[2]
        s.iron[i] = f * (m[i] - back)


@inlined
def without_iron(s: Any, mag: Vector) -> Vector:
    """Return what is left of a field when that of the iron is taken off."""
    return mag[0] - s.iron[0], mag[1] - s.iron[1], mag[2] - s.iron[2]


@lean
def field_here(s: Any) -> Vector:
    """Return the field of the place in the frame that the gyroscope keeps, as the orientation has it now."""
    c, d = s.heading[0], s.heading[1]
    cc, ss = c * c - d * d, 2.0 * c * d
    level = (cc * s.place[0] + ss * s.place[1], cc * s.place[1] - ss * s.place[0], s.place[2])
    return rotate((s.tilt[0], -s.tilt[1], -s.tilt[2], -s.tilt[3]), level)


@lean
def find_again(s: Any, p: Any, mag: Vector) -> tuple[float, float]:
    """Return by how much to turn the heading so that the field lies where it lay, and with what gain; or gain 0.

    The field is averaged in the frame that the gyroscope keeps: what gravity has corrected since counts for all of it.
    """
    s.found_n += 1.0
    x, y, z = rotate((s.turn[0], s.turn[1], s.turn[2], s.turn[3]), without_iron(s, mag))
    s.found[0] += (x - s.found[0]) / s.found_n
    s.found[1] += (y - s.found[1]) / s.found_n
    s.found[2] += (z - s.found[2]) / s.found_n
    x, y, z = rotate((s.tilt[0], s.tilt[1], s.tilt[2], s.tilt[3]), (s.found[0], s.found[1], s.found[2]))
    norm, dip = norm_and_dip((x, y, z))
    usual_norm, usual_dip = norm_and_dip((s.place[0], s.place[1], s.place[2]))
    if abs(norm - usual_norm) > p.norm_band * usual_norm or abs(dip - usual_dip) > p.dip_band:
        if s.found_n * p.dt >= GIVE_UP_S:
            s.found_n, s.field_looks = -1.0, 0.0
        return 0.0, 0.0
    c, d = s.heading[0], s.heading[1]
    cc, ss = c * c - d * d, 2.0 * c * d
    way = arc_tangent(cc * x - ss * y, ss * x + cc * y) - arc_tangent(s.place[0], s.place[1])
    if way > math.pi:
        way -= 2.0 * math.pi
    elif way < -math.pi:
        way += 2.0 * math.pi
    return way, 1.0 / s.found_n
