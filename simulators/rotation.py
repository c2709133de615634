"""Rotations: the little that a simulated body needs, over arrays."""

from __future__ import annotations

import numpy as np

from simulators.source import Floats


def from_vector(turn: Floats) -> Floats:
    """Return the matrix (3, 3) of a rotation by ``|turn|`` radians about the direction of ``turn`` (3,) (Rodrigues)."""
    angle = float(np.linalg.norm(turn))
    if not angle:
        return np.eye(3)
    x, y, z = turn / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))
