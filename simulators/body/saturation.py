"""Oxygen saturation that falls under effort and comes back in rest, later than the effort that caused it.

A finger hears of the lungs after a quarter to half a minute; in long Covid and lung disease a walk of some minutes may
cost ten points, and the lowest value often comes after its end.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

LAG_S = 20.0  # from the lungs to a finger
FALL_S, RISE_S = 40.0, 30.0  # time constants under effort and in rest
STEP_S = 1.0


class Saturation:
    """Saturation with known truth.

    Args:
        rest: At rest, %.
        effort: What long effort would lead to, %.
        efforts: Intervals (start, end) of true seconds with effort, in order.

    Raises:
        ValueError: for what no living body has.
    """

    def __init__(
        self, *, rest: float = 97.0, effort: float = 91.0, efforts: Iterable[tuple[float, float]] = ()
    ) -> None:
        if not 50 <= effort <= rest <= 100:
            raise ValueError(f"saturation must lie between 50 and 100 %, and falls under effort: {rest}, {effort}")
        self._rest, self._effort = rest, effort
        self._coming = iter(efforts)
        self._interval = next(self._coming, None)
        self._value, self._at_s = rest, 0.0

    def percent(self, now_s: float) -> float:
        """Return what a finger shows at ``now_s`` seconds, which never go back."""
        while self._at_s + STEP_S <= now_s:
            self._at_s += STEP_S
            works = self._works(self._at_s - LAG_S)
            goal, over_s = (self._effort, FALL_S) if works else (self._rest, RISE_S)
            self._value += (goal - self._value) * -np.expm1(-STEP_S / over_s)
        return float(self._value)

    def _works(self, true_s: float) -> bool:
        while self._interval is not None and self._interval[1] <= true_s:
            self._interval = next(self._coming, None)
        return self._interval is not None and self._interval[0] <= true_s
