"""Arrays as people have them, as the operators of the ward want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.batch import Batch
from dsp.units import require_units

Table = NDArray[np.void]


def batch_of(acc: ArrayLike, gyr: ArrayLike, index: ArrayLike | None, sensor: int) -> Batch:
    """Return a recording as one batch of a sensor; raises ValueError where it does not fit together, or its units."""
    force, rate = np.ascontiguousarray(acc, float), np.ascontiguousarray(gyr, float)
    batch = Batch.single(numbers_of(force, index), force, rate, sensor)
    require_units(batch.acc, batch.gyr)
    return batch


def force_of(acc: ArrayLike) -> NDArray[np.float64]:
    """Return specific force as (n, 3); raises ValueError where it is of another shape, or in other units."""
    samples = np.ascontiguousarray(acc, float)
    if samples.ndim != 2 or samples.shape[1] != 3:
        raise ValueError(f"acc must be (n, 3), not {samples.shape}")
    require_units(samples, np.zeros_like(samples))
    return samples


def numbers_of(samples: NDArray[np.float64], index: ArrayLike | None) -> NDArray[np.int64]:
    """Return the numbers of samples: as given, or one behind the other; raises ValueError where they do not ascend."""
    numbers = np.arange(len(samples)) if index is None else np.asarray(index)
    if not np.issubdtype(numbers.dtype, np.integer) or (np.diff(numbers) <= 0).any():
        raise ValueError("index must be whole numbers that ascend")
    return numbers.astype(np.int64)
