"""Rotations: the little that a simulated body needs, over arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulators.body.curve import State
from simulators.motion.source import Floats


def still(count: int) -> State:
    """Return a scalar that is zero and stays so."""
    return State(np.zeros(count), np.zeros(count), np.zeros(count))


class Attitude(NamedTuple):
    """Orientation of a segment (x forward, y left, z up) in the world at n instants, and how it changes.

    Attributes:
        matrix: (n, 3, 3) from segment to world.
        rate: (n, 3) angular velocity in the segment's frame, rad/s: what its gyroscope feels.
        accel: (n, 3) derivative of ``rate``, rad/s^2.
    """

    matrix: Floats
    rate: Floats
    accel: Floats

    @classmethod
    def of(cls, yaw: State, pitch: State, roll: State) -> Attitude:
        """Turn about z by yaw (left positive), then y by pitch (front down positive), then x by roll (left side up)."""
        (a, da, dda), (b, db, ddb), (c, dc, ddc) = yaw, pitch, roll
        sa, ca, sb, cb, sc, cc = np.sin(a), np.cos(a), np.sin(b), np.cos(b), np.sin(c), np.cos(c)
        rows = (
            (ca * cb, ca * sb * sc - sa * cc, ca * sb * cc + sa * sc),
            (sa * cb, sa * sb * sc + ca * cc, sa * sb * cc - ca * sc),
            (-sb, cb * sc, cb * cc),
        )
        matrix = np.stack([np.stack(row, axis=1) for row in rows], axis=1)
        rate = np.stack([dc - da * sb, db * cc + da * cb * sc, da * cb * cc - db * sc], axis=1)
        accel = np.stack(
            [
                ddc - dda * sb - da * db * cb,
                ddb * cc - db * dc * sc + dda * cb * sc + da * (dc * cb * cc - db * sb * sc),
                dda * cb * cc - ddb * sc - db * dc * cc - da * (db * sb * cc + dc * cb * sc),
            ],
            axis=1,
        )
        return cls(matrix, rate, accel)

    def to_world(self, vectors: Floats) -> Floats:
        """Return vectors (n, 3) or (3,) of the segment in the world, (n, 3)."""
        return np.asarray(np.sum(self.matrix * vectors[..., None, :], axis=2))

    def to_segment(self, vectors: Floats) -> Floats:
        """Return vectors (n, 3) or (3,) of the world in the segment, (n, 3)."""
        return np.asarray(np.sum(self.matrix * vectors[..., :, None], axis=1))

    def arm(self, point: State) -> State:
        """Return the movement in the world (n, 3) of a point that may move within the segment, about its origin."""
        swing = np.cross(self.rate, point.value)
        return State(
            self.to_world(point.value),
            self.to_world(point.rate + swing),
            self.to_world(
                point.accel
                + 2 * np.cross(self.rate, point.rate)
                + np.cross(self.accel, point.value)
                + np.cross(self.rate, swing)
            ),
        )

    def fixed(self, point: Floats) -> State:
        """Return the movement in the world (n, 3) of a point (3,) fixed in the segment, about its origin."""
        value = np.broadcast_to(point, self.rate.shape)
        return self.arm(State(value, np.zeros_like(self.rate), np.zeros_like(self.rate)))
