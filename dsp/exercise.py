"""What a machine or a sensor of exercise counts, as it reports it: pace, cadence and power, and what adds up."""

from __future__ import annotations

import math
from typing import Final

from numpy.typing import ArrayLike

from dsp.arrays import floats, require_one_length
from dsp.reported import Pace, reported
from dsp.result import Result

ALGORITHM: Final = "exercise/1"
TOTALS_EVERY_S: Final = 10.0  # what adds up is the same number again, a little larger


class ExerciseMetrics:
    """Speed, cadence and power at most once a second, distance and energy each ten; what is not told is not said."""

    def __init__(self) -> None:
        self._rates, self._totals = Pace(), Pace(TOTALS_EVERY_S)

    def add(
        self,
        t_s: ArrayLike,
        *,
        speed: ArrayLike,
        cadence: ArrayLike,
        power: ArrayLike,
        distance: ArrayLike,
        energy: ArrayLike,
    ) -> list[Result]:
        """Take samples (n,) that arrived at ``t_s`` seconds: m/s, a minute, W, m and kcal; NaN where there is none."""
        rates = {"exercise_speed": speed, "exercise_cadence": cadence, "exercise_power": power}
        totals = {"exercise_distance": distance, "exercise_energy": energy}
        require_one_length(t_s=t_s, **rates, **totals)
        out: list[Result] = []
        for at, *row in zip(*map(floats, (t_s, *rates.values(), *totals.values())), strict=True):
            due = [self._rates.passes(at)] * len(rates) + [self._totals.passes(at)] * len(totals)
            out += [
                reported(metric, value, at, ALGORITHM)
                for metric, value, wanted in zip((*rates, *totals), row, due, strict=True)
                if wanted and math.isfinite(value)
            ]
        return out
