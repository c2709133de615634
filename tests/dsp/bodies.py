"""What sensors on the simulated body feel, whole recordings at once, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.body.body import Placement, WalkingBody
from simulators.body.programme import Piece, Stand, Walk
from simulators.sensing.imu import Imperfections

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SensorData:
    """One sensor: device time in seconds, and its samples."""

    time_s: Floats
    acc: Floats
    gyr: Floats

    @property
    def index(self) -> NDArray[np.int64]:
        return np.arange(len(self.time_s), dtype=np.int64)

    def turned(self, matrix: Floats) -> SensorData:
        """Return the same sensor strapped on otherwise."""
        return SensorData(self.time_s, self.acc @ matrix.T, self.gyr @ matrix.T)


def straight(cadence_spm: float, stride_m: float, steps: int = 14) -> tuple[Piece, ...]:
    """Return a walk straight on between two stands."""
    walk = Walk(cadence_spm=cadence_spm, stride_m=stride_m, steps=steps)
    return Stand(duration_s=3), walk, Stand(duration_s=3)


def body(programme: Sequence[Piece], seed: int = 0) -> WalkingBody:
    return WalkingBody(seed, programme=programme)


def wear(
    walker: WalkingBody,
    placement: Placement,
    rate_hz: float = 100.0,
    imperfections: Imperfections | None = None,
    seed: int = 0,
) -> SensorData:
    """Return all samples of a sensor; by default a good small MEMS sensor."""
    source = walker.sensor(placement, rate_hz=rate_hz, imperfections=imperfections, seed=seed)
    parts = []
    until = 0.0
    while (motion := source.read_until(until)) is not None:
        parts.append(motion)
        until += 5.0
    return SensorData(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("time_s", "acc", "gyr")))


def rotation(seed: int) -> Floats:
    """Return a random rotation matrix."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]])
