"""Find how a sensor is strapped to a walking segment: which way is up at rest, about which axis it swings.

In walking, a foot, shank or thigh turns mostly about the axis that points to the left. Its direction is the
principal axis of the angular rates, kept level by gravity at rest; its sign follows from where the segment is in
between: a foot leaves rest heel first and lands with less toe-up than that, so it spends a stride mostly toe-down. The
estimate starts at the nominal axis, moves as far as the motion contradicts it, and
forgets with motion, not with time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from dsp.kernel import kernel
from dsp.record import Floats, Record, Vector


class Alignment(Record):
    """What is known of how a sensor is strapped on."""

    up: Vector  # unit vector against gravity at rest, sensor frame
    rests: int  # moments of rest that went in
    moment: Annotated[Floats, 3, 3]  # fading integral of rate x rate, rad^2/s
    calm: int  # samples in a row that turned slowly, as seen from the usual motion
    turned: Vector  # rotation since the last rest, leaking, rad
    lost: int  # it went on unseen in a gap: not known before the next rest
    lean: Vector  # fading integral of that, weighted with its own size, rad^2 s
    lean_sum: float  # the same of its size: what the lean would be if it never changed its side
    left: Vector  # best estimate of the unit vector to the left, sensor frame
    used: Vector  # the one in use: it changes only where that does no harm
    agreed: int  # strides since the one in use was last thrown over


ALIGNMENT: Final = Alignment.layout()

NOMINAL_ENERGY = 0.5  # rad^2/s: weight of the nominal axis, less than one brisk push-off
NOMINAL_LEAN = 0.1  # rad^2 s: weight of its sign, less than one stride
LEAK_S = 2.0  # time constant with which the rotation since rest forgets, so that bias does not pile up
SURE_LEAN = 0.1  # share of the lean to the other side that turns the sign round; single strides scatter more
MOVING_RATE = 0.5  # rad/s: slower is sway, noise and bias
CALM_RATE = 0.2  # rad/s: rest between two motions, at the slowest
CALM_SHARE = 0.12  # and as a share of the usual rate (RMS): a brisk walker's foot never lies quite still
MEMORY_S = 5.0  # of motion: some ten strides
REST_WEIGHT = 0.05  # of a sample of rest in the direction of gravity
CONTRADICTED = math.cos(math.radians(25.0))  # farther off than this, pitch rate and its zero crossings change shape
SLIPPED = math.cos(math.radians(40.0))  # farther off than this in the midst of walking, the strap has slipped
AGREED_STRIDES = 2  # strides that the axis in use must have seen to be trusted


@kernel
def begin_alignment(alignment: Alignment) -> None:
    """Start from the nominal mounting: y to the left."""
    for i in range(3):
        alignment.up[i] = 0.0
        alignment.left[i] = 0.0
        alignment.used[i] = 0.0
        alignment.turned[i] = 0.0
        alignment.lean[i] = 0.0
        for j in range(3):
            alignment.moment[i, j] = 0.0
    alignment.rests = 0
    alignment.calm = 0
    alignment.lost = 0
    alignment.moment[1, 1] = NOMINAL_ENERGY
    alignment.lean[1] = NOMINAL_LEAN
    alignment.lean_sum = NOMINAL_LEAN
    alignment.left[1] = 1.0
    alignment.used[1] = 1.0
    alignment.agreed = 0


@kernel
def see_rest(alignment: Alignment, acc: NDArray[np.float64]) -> None:
    """Learn the direction of gravity from a sample at rest; what is not finite or not about 1 g is passed over."""
    norm = math.sqrt(acc[0] ** 2 + acc[1] ** 2 + acc[2] ** 2)
    if not 8.0 < norm < 11.5:  # m/s^2
        return
    weight = REST_WEIGHT if alignment.rests > 0 else 1.0
    total = 0.0
    for i in range(3):
        alignment.up[i] += weight * (acc[i] / norm - alignment.up[i])
        total += alignment.up[i] ** 2
    for i in range(3):
        alignment.up[i] /= math.sqrt(total)
    alignment.rests += 1


@kernel
def see_turn(alignment: Alignment, turn: float, still: int) -> None:
    """Begin the rotation anew when the segment rests between two motions; ``still`` samples make a rest."""
    trace = alignment.moment[0, 0] + alignment.moment[1, 1] + alignment.moment[2, 2]
    calm = max(CALM_RATE, CALM_SHARE * math.sqrt(trace / MEMORY_S))
    alignment.calm = alignment.calm + 1 if turn < calm else 0
    if alignment.calm >= still:
        for i in range(3):
            alignment.turned[i] = 0.0
        alignment.lost = 0


@kernel
def lose_turn(alignment: Alignment) -> None:
    """Know no longer how far the segment has turned: samples were lost."""
    alignment.lost = 1
    alignment.calm = 0


@kernel
def see_motion(alignment: Alignment, gyr: NDArray[np.float64], dt: float) -> None:
    """Learn the axis from one sample of motion, rad/s."""
    vertical = alignment.up[0] * gyr[0] + alignment.up[1] * gyr[1] + alignment.up[2] * gyr[2]
    x, y, z = (
        gyr[0] - vertical * alignment.up[0],
        gyr[1] - vertical * alignment.up[1],
        gyr[2] - vertical * alignment.up[2],
    )
    level = (x, y, z)
    fade = 1.0 - dt / MEMORY_S
    size = 0.0
    for i in range(3):
        alignment.turned[i] += (level[i] - alignment.turned[i] / LEAK_S) * dt
        size += alignment.turned[i] ** 2
        for j in range(3):
            alignment.moment[i, j] = fade * alignment.moment[i, j] + level[i] * level[j] * dt
    if alignment.lost == 0:
        alignment.lean_sum = fade * alignment.lean_sum + size * dt
        for i in range(3):
            alignment.lean[i] = fade * alignment.lean[i] + alignment.turned[i] * math.sqrt(size) * dt
    x, y, z = alignment.left[0], alignment.left[1], alignment.left[2]
    x, y, z = (
        alignment.moment[0, 0] * x + alignment.moment[0, 1] * y + alignment.moment[0, 2] * z,
        alignment.moment[1, 0] * x + alignment.moment[1, 1] * y + alignment.moment[1, 2] * z,
        alignment.moment[2, 0] * x + alignment.moment[2, 1] * y + alignment.moment[2, 2] * z,
    )
    norm = math.sqrt(x * x + y * y + z * z)
    if norm <= 0.0:
        return
    axis = (x / norm, y / norm, z / norm)
    lean = alignment.lean[0] * axis[0] + alignment.lean[1] * axis[1] + alignment.lean[2] * axis[2]
    sign = -1.0 if lean < -SURE_LEAN * alignment.lean_sum else 1.0
    for i in range(3):
        alignment.left[i] = sign * axis[i]


@kernel
def contradicted(alignment: Alignment) -> bool:
    """Return whether the motion speaks against the axis in use so clearly that it must be thrown over now."""
    cosine = (
        alignment.left[0] * alignment.used[0]
        + alignment.left[1] * alignment.used[1]
        + alignment.left[2] * alignment.used[2]
    )
    return bool(cosine < (CONTRADICTED if alignment.agreed < AGREED_STRIDES else SLIPPED))


@kernel
def adopt(alignment: Alignment) -> None:
    """Use the best estimate from here on."""
    for i in range(3):
        alignment.used[i] = alignment.left[i]


@dataclass(frozen=True, slots=True)
class Mounting:
    """How a sensor is strapped on.

    Attributes:
        left: (3,) unit vector of the body's left in the sensor frame.
        up: (3,) unit vector against gravity with the segment at rest; zeros while it has not rested.
        sure: False until some strides in a row agree with it: then contacts may still be told about another axis.
    """

    left: NDArray[np.float64]
    up: NDArray[np.float64]
    sure: bool

    @classmethod
    def of(cls, row: NDArray[np.void]) -> Mounting:
        """Return what one row of ``ALIGNMENT`` says."""
        sure = bool(row["agreed"] >= AGREED_STRIDES and row["rests"] > 0)
        return cls(row["used"].copy(), row["up"].copy(), sure)

    @property
    def askew(self) -> float:
        """Angle between the body's left and the sensor's y axis, rad; NaN before the first sample."""
        if not self.left.any():
            return math.nan
        return math.acos(max(-1.0, min(1.0, float(self.left[1] / np.linalg.norm(self.left)))))
