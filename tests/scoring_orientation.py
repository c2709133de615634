"""What the shared orientation scorer calls: the product's own function for a whole recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsp.orientation.orientation import orient


def orientation(
    acc: NDArray[np.float64], gyr: NDArray[np.float64], mag: NDArray[np.float64] | None, fs: float
) -> NDArray[np.float64]:
    """Return (n, 4) quaternions w, x, y, z, sensor to earth (east, north, up); without ``mag`` the heading is free."""
    return orient(acc, gyr, mag, fs)
