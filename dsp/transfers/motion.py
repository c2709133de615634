"""Which way is up for a sensor that nobody has told how it is worn, and how it moves about that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from dsp.transfers.bins import BIN_S, Bin, Vector

GRAVITY: Final = 9.81
"""m/s²; not `dsp.units.STANDARD_GRAVITY`: all of `transfers/2` would move in its last digits, and trends begin anew."""
BELIEVED_S: Final = 2.0
"""Time constant with which the accelerometer corrects the gyroscope: longer than a rise, shorter than its drift."""
DISTURBED_SHARE: Final = 0.3
"""Of gravity: where the specific force differs so much, the body is being accelerated, and it is believed little."""
LEARNT_BINS: Final = 4
"""So many at the beginning are averaged: nothing else is known yet."""
LONGEST_FILLED_S: Final = 1.0
"""A shorter gap is drawn straight across; after a longer one, up is found anew."""
LONGEST_GAP_S: Final = 10.0
"""After a longer gap what was known of the test is forgotten."""

RESTING_FORCE: Final = 0.4
"""A sensor at rest measures gravity within this, m/s²: so much the scale of a cheap one is off, and no more."""
RESTING_SPIN: Final = math.radians(6.0)
"""And turns slower than this, rad/s."""
GRAVITY_S: Final = 0.5
"""Time constant with which the gravity that a sensor measures is learnt while it rests."""


class Motion(NamedTuple):
    """One bin, seen from gravity.

    Attributes:
        number: Of the bin.
        up: The vertical in the sensor's frame, a unit vector.
        yaw: Angular velocity about the vertical, rad/s, to the left positive.
        about: Angular velocity about horizontal axes, in the sensor's frame, rad/s.
        spin: Its magnitude about all axes, rad/s.
        across: Its magnitude about horizontal axes, rad/s.
        lift: Acceleration upwards, m/s².
        jolt: What the magnitude of the specific force differs from gravity, m/s².
        filled: There was no sample: it is drawn across a gap.
    """

    number: int
    up: Vector
    yaw: float
    about: Vector
    spin: float
    across: float
    lift: float
    jolt: float
    filled: bool


def dot(one: Vector, other: Vector) -> float:
    """Return the scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def cross(one: Vector, other: Vector) -> Vector:
    """Return the vector product."""
    return (
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )


def mixed(one: Vector, other: Vector, share: float) -> Vector:
    """Return the unit vector that is ``share`` of the way from one to another."""
    x, y, z = (a + share * (b - a) for a, b in zip(one, other, strict=True))
    norm = math.sqrt(x * x + y * y + z * z)
    return (x / norm, y / norm, z / norm) if norm > 0 else one


def angle_between(one: Vector, other: Vector) -> float:
    """Return the angle of two unit vectors, rad."""
    return math.acos(max(-1.0, min(1.0, dot(one, other))))


class Vertical:
    """Bins to motion: the gyroscope carries the vertical along, the accelerometer holds it."""

    def __init__(self) -> None:
        self._up: Vector | None = None
        self._seen = 0
        self._last: Bin | None = None
        self._gravity = GRAVITY

    def process(self, new: Bin) -> Iterator[Motion]:
        """Yield the motion of a bin, and before it that of bins without a sample, drawn across the gap."""
        last = self._last
        if last is not None:
            lost = new.number - last.number - 1
            if lost * BIN_S > LONGEST_FILLED_S:
                self._seen = 0
            if lost * BIN_S <= LONGEST_GAP_S:
                for step in range(1, lost + 1):
                    between = _between(last, new, step / (lost + 1))._replace(number=last.number + step)
                    yield self._seen_from_gravity(between, filled=True)
        self._last = new
        yield self._seen_from_gravity(new, filled=False)

    def _seen_from_gravity(self, row: Bin, *, filled: bool) -> Motion:
        force = math.sqrt(dot(row.acc, row.acc))
        if self._up is None:
            self._up = (0.0, 0.0, 1.0)
        moved = cross(self._up, row.gyr)
        turned: Vector = tuple(u + BIN_S * m for u, m in zip(self._up, moved, strict=True))  # type: ignore[assignment]
        share = BIN_S / BELIEVED_S * math.exp(-(((force / GRAVITY - 1) / DISTURBED_SHARE) ** 2))
        if self._seen < LEARNT_BINS and not filled:
            self._seen += 1
            share = max(share, 1 / self._seen)
        resting = not filled and abs(force - self._gravity) < RESTING_FORCE and dot(row.gyr, row.gyr) < RESTING_SPIN**2
        if resting:
            self._gravity += BIN_S / GRAVITY_S * (force - self._gravity)
        seen: Vector = tuple(a / force for a in row.acc) if force > 0 else turned  # type: ignore[assignment]
        self._up = up = mixed(mixed(turned, turned, 0.0), seen, share)
        yaw = dot(row.gyr, up)
        spin2 = dot(row.gyr, row.gyr)
        return Motion(
            row.number,
            up,
            yaw,
            (row.gyr[0] - yaw * up[0], row.gyr[1] - yaw * up[1], row.gyr[2] - yaw * up[2]),
            math.sqrt(spin2),
            math.sqrt(max(0.0, spin2 - yaw * yaw)),
            dot(row.acc, up) - self._gravity,
            abs(force - self._gravity),
            filled,
        )


def _between(one: Bin, other: Bin, share: float) -> Bin:
    def drawn(a: Vector, b: Vector) -> Vector:
        return (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2]))

    return Bin(other.number, drawn(one.acc, other.acc), drawn(one.gyr, other.gyr))
