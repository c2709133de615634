"""What no sensor that somebody wears can have measured: such a sample is lost, whatever else it says.

Two pairs, since what was measured with each rests on it: that of the compiled kernels and the rows of a walk, and that
of whatever else looks at one sensor by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ACC_LIMIT = 1000.0  # m/s^2: ten times what any range of our sensors can say
GYR_LIMIT = 200.0  # rad/s: beyond 4000 degrees a second
MOST_FORCE = 2000.0  # m/s^2: the range of accelerometers made for impacts
MOST_SPIN = 100.0  # rad/s: beyond 5000 degrees a second


def credible(values: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Return samples, NaN for what no sensor that is worn measures.

    What garbage on the air says instead is a lost sample: one of them made a fall of quiet standing, and took away a
    trial of sway.

    Args:
        values: Of any shape.
        most: The greatest size that is believed, in their unit.
    """
    return np.where(np.abs(values) < most, values, np.nan)
