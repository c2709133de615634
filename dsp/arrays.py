"""Whether arrays that belong together fit together: asked once a call, since compiled loops read on beyond an end."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def require_shape(name: str, array: NDArray[np.generic], shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """Raise ValueError unless ``array`` is of this shape and exactly this type, TypeError if it is no array."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, not {type(array).__name__}")
    if array.shape != shape:
        raise ValueError(f"{name} must be of shape {shape}, as the arrays beside it, not {array.shape}")
    if array.dtype != dtype:
        raise ValueError(f"{name} must be {np.dtype(dtype)}, not {array.dtype}")


def require_one_length(**arrays: ArrayLike) -> int:
    """Return the length that all these rows of numbers have; raises ValueError where they differ or are no rows."""
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    for name, shape in shapes.items():
        if len(shape) != 1:
            raise ValueError(f"{name} must be a row of numbers, not of shape {shape}")
    lengths = {shape[0] for shape in shapes.values()}
    if len(lengths) > 1:
        lengths_by_name = ", ".join(f"{name} has {shape[0]}" for name, shape in shapes.items())
        raise ValueError(f"the arrays belong together and differ in length: {lengths_by_name}")
    return int(lengths.pop())


def floats(values: ArrayLike) -> list[float]:
    """Return numbers as Python's own: faster one by one."""
    found: list[float] = np.asarray(values, float).tolist()
    return found
