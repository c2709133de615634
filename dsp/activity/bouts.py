"""Walking bouts to the outcomes of a day and a week, under the names of Mobilise-D.

The names are those of its open implementation (mobgap 1.2.0, which maps the project's first names, such as
``ws_30_avg``, to these): ``avg`` is the mean, of durations the median; ``p90`` the 90th percentile; ``var`` the
coefficient of variation; ``wb_10_30`` holds bouts of more than 10 and at most 30 s, ``wb_10``, ``wb_30`` and ``wb_60``
those of more than so many seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

VALID_WEAR_H: Final = 10.0
"""Hours of wear below which a day is flagged, and left out of a week."""
LEAST_FOR_SPREAD: Final = 2


@dataclass(frozen=True, slots=True)
class WalkingBout:
    """One walking bout.

    Attributes:
        duration_s: From its first to its last step.
        n_steps: Initial contacts.
        n_turns: Turns within it.
        cadence_spm: Steps a minute; NaN where unknown, as all that follow.
        walking_speed_mps: Mean speed, m/s.
        stride_length_m: Mean length of its strides, m.
        stride_duration_s: Mean duration of its strides, s.
    """

    duration_s: float
    n_steps: int
    n_turns: int = 0
    cadence_spm: float = math.nan
    walking_speed_mps: float = math.nan
    stride_length_m: float = math.nan
    stride_duration_s: float = math.nan


def _average(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _p90(values: Sequence[float]) -> float:
    return float(np.percentile(values, 90))


def _variation(values: Sequence[float]) -> float:
    if len(values) < LEAST_FOR_SPREAD or not np.mean(values):
        return math.nan
    return float(np.std(values, ddof=1) / np.mean(values))


OUTCOMES: Final[tuple[tuple[str, float, float, str, Callable[[Sequence[float]], float]], ...]] = (
    ("wb_all__duration_s__avg", 0, math.inf, "duration_s", _median),
    ("wb_all__duration_s__p90", 0, math.inf, "duration_s", _p90),
    ("wb_all__duration_s__var", 0, math.inf, "duration_s", _variation),
    ("wb_all__cadence_spm__avg", 0, math.inf, "cadence_spm", _average),
    ("wb_all__cadence_spm__var", 0, math.inf, "cadence_spm", _variation),
    ("wb_all__stride_duration_s__avg", 0, math.inf, "stride_duration_s", _average),
    ("wb_all__stride_duration_s__var", 0, math.inf, "stride_duration_s", _variation),
    ("wb_10_30__walking_speed_mps__avg", 10, 30, "walking_speed_mps", _average),
    ("wb_10_30__stride_length_m__avg", 10, 30, "stride_length_m", _average),
    ("wb_10__walking_speed_mps__p90", 10, math.inf, "walking_speed_mps", _p90),
    ("wb_30__walking_speed_mps__avg", 30, math.inf, "walking_speed_mps", _average),
    ("wb_30__walking_speed_mps__p90", 30, math.inf, "walking_speed_mps", _p90),
    ("wb_30__walking_speed_mps__var", 30, math.inf, "walking_speed_mps", _variation),
    ("wb_30__stride_length_m__avg", 30, math.inf, "stride_length_m", _average),
    ("wb_30__stride_length_m__var", 30, math.inf, "stride_length_m", _variation),
    ("wb_30__cadence_spm__avg", 30, math.inf, "cadence_spm", _average),
    ("wb_30__cadence_spm__p90", 30, math.inf, "cadence_spm", _p90),
    ("wb_30__stride_duration_s__avg", 30, math.inf, "stride_duration_s", _average),
)
"""Name, bouts longer than and at most so many seconds, of what, and how bouts become one number."""

COUNTS: Final = (
    ("wb_all__count", 0, math.inf),
    ("wb_10_30__count", 10, 30),
    ("wb_10__count", 10, math.inf),
    ("wb_30__count", 30, math.inf),
    ("wb_60__count", 60, math.inf),
)


def summarise_bouts(bouts: Iterable[WalkingBout]) -> dict[str, float]:
    """Return the outcomes of a day's walking bouts; NaN where no bout of that length had the value."""
    all_bouts = list(bouts)
    found = {name: float(sum(least < bout.duration_s <= most for bout in all_bouts)) for name, least, most in COUNTS}
    found["total_walking_duration_min"] = sum(bout.duration_s for bout in all_bouts) / 60
    found["wb_all__n_raw_initial_contacts__sum"] = float(sum(bout.n_steps for bout in all_bouts))
    found["wb_all__n_turns__sum"] = float(sum(bout.n_turns for bout in all_bouts))
    for name, least, most, field, summary in OUTCOMES:
        values = [getattr(bout, field) for bout in all_bouts if least < bout.duration_s <= most]
        known = [value for value in values if not math.isnan(value)]
        found[name] = summary(known) if known else math.nan
    return found


def summarise_week(days: Iterable[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    """Return the mean of each outcome over the days that count.

    Args:
        days: Hours of wear and the outcomes of each day. Days with less than ten hours are left out.

    Returns:
        The means, NaN where no day has the value, and ``n_days``: how many days went in.
    """
    valid = [outcomes for wear_h, outcomes in days if wear_h >= VALID_WEAR_H]
    found: dict[str, float] = {"n_days": float(len(valid))}
    for name in sorted({name for outcomes in valid for name in outcomes}):
        known = [outcomes[name] for outcomes in valid if not math.isnan(outcomes.get(name, math.nan))]
        found[name] = float(np.mean(known)) if known else math.nan
    return found
