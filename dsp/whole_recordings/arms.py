"""Swing of an arm over a whole recording."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.arms.swing_windows import SwingWindows
from dsp.found import Found
from dsp.units import require_units
from dsp.whole_recordings.arrays_in import Table, numbers_of

ARM_SWING: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("amplitude_deg", "f8"), ("peak_velocity_dps", "f8"), ("swings", "i8"),
        ("reason", "U60"),
    ]
)  # fmt: skip


def find_arm_swing(gyr: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return how an arm swings, for each five seconds: of those in which somebody walks the ward takes the median.

    Args:
        gyr: (n, 3) angular rate of a wrist, rad/s, any axes; lost samples NaN.
        rate_hz: Samples a second, at least 20.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``; ``amplitude_deg`` and ``peak_velocity_dps``, the medians of the swings; ``swings``; and
        ``reason`` why there are none, which NaN stands for. `dsp.arms.swing.swing_asymmetry_pct` compares two arms.

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    turn = np.ascontiguousarray(gyr, float)
    if turn.ndim != 2 or turn.shape[1] != 3:
        raise ValueError(f"gyr must be (n, 3), not {turn.shape}")
    require_units(np.full_like(turn, np.nan), turn)
    swinging = SwingWindows(rate_hz)
    found: list[Found] = [*swinging.process(numbers_of(turn, index), turn, turn), *swinging.finish()]
    sizes, quickest = found[::2], found[1::2]  # a window gives both, in this order
    table = np.zeros(len(sizes), ARM_SWING)
    table["start_s"], table["end_s"] = [each.first / rate_hz for each in sizes], [each.last / rate_hz for each in sizes]
    for column, of in (("amplitude_deg", sizes), ("peak_velocity_dps", quickest)):
        table[column] = [math.nan if each.value is None else each.value for each in of]
    table["swings"], table["reason"] = [each.n for each in sizes], [each.reason for each in sizes]
    return table
