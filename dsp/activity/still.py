"""Whether a sensor lay still: the border between an arm that rests and a table, written once.

Van Hees et al. 2013 (doi 10.1371/journal.pone.0061691): where the acceleration of two axes of three has a standard
deviation below 13 mg over an hour, nobody wears the sensor. How long is looked at is the matter of who asks:
`dsp.activity.wear` an hour, `dsp.arms.stillness` ten minutes too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.units import STANDARD_GRAVITY

STILL: Final = 0.013 * STANDARD_GRAVITY
"""m/s²: breathing alone moves a worn sensor more in an hour."""
STILL_AXES: Final = 2
AXES: Final = 3
OFF_BODY: Final = "not moved for an hour: not worn"
"""Why there is no value, of what counts a person's hours."""

Floats = NDArray[np.float64]


def sums_of(rows: Floats) -> Floats:
    """Return (3, 3) of specific force (n, 3), m/s², none lost: how many rows, their sum, the sum of their squares."""
    sums = np.empty((3, 3))
    sums[0], sums[1], sums[2] = len(rows), rows.sum(axis=0), np.einsum("ij,ij->j", rows, rows)
    return sums


def is_still(sums: Floats) -> bool:
    """Return whether a sensor lay still in the time that sums are of (as of `sums_of`; of parts, added up)."""
    n, total, squares = sums
    spread = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
    return int((spread < STILL).sum()) >= STILL_AXES
