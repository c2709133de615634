"""New samples of many sensors, back to back: what every movement kernel is called with once a tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import require_shape


@dataclass(frozen=True, slots=True)
class Batch:
    """New samples of ``k`` sensors, ``m`` samples in all; sensor ``sensor[j]`` owns rows ``start[j]:start[j + 1]``.

    Arrays that do not fit together are refused with ValueError: the kernels go by ``start`` alone.

    Attributes:
        sensor: (k,) int64, the operator's own numbers of the sensors (from its ``attach``).
        start: (k + 1,) int64 row offsets.
        index: (m,) int64 sample counter on each device's own clock; a missing number is a lost sample.
        acc: (m, 3) specific force, m/s^2, segment frame (x forward, y left, z up); NaN where unknown.
        gyr: (m, 3) angular velocity, rad/s, same frame.
    """

    sensor: NDArray[np.int64]
    start: NDArray[np.int64]
    index: NDArray[np.int64]
    acc: NDArray[np.float64]
    gyr: NDArray[np.float64]

    def __post_init__(self) -> None:
        """See that the arrays fit together."""
        k, m = len(self.sensor), len(self.index)
        require_shape("sensor", self.sensor, (k,), np.int64)
        require_shape("start", self.start, (k + 1,), np.int64)
        require_shape("index", self.index, (m,), np.int64)
        require_shape("acc", self.acc, (m, 3), np.float64)
        require_shape("gyr", self.gyr, (m, 3), np.float64)
        if self.start[0] != 0 or self.start[-1] != m or (self.start[1:] < self.start[:-1]).any():
            raise ValueError(f"start must rise from 0 to the {m} samples of the batch, not {self.start.tolist()}")

    @classmethod
    def single(
        cls,
        index: NDArray[np.int64],
        acc: NDArray[np.float64],
        gyr: NDArray[np.float64],
        sensor: int = 0,
    ) -> Batch:
        """Return a batch of one sensor."""
        return cls(
            np.array([sensor], np.int64),
            np.array([0, len(index)], np.int64),
            np.ascontiguousarray(index, np.int64),
            np.ascontiguousarray(acc, np.float64),
            np.ascontiguousarray(gyr, np.float64),
        )
