"""What a set of repetitions comes to, and how much of a prescription was done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.repetitions.repetitions import Repetition

ALGORITHM: Final = "exercise_set/1"
LEAST_FOR_TEMPO: Final = 3
"""Fewer repetitions have no evenness."""
PAUSE_S: Final = 10.0
"""Who rests longer has ended a set."""


@dataclass(frozen=True, slots=True)
class Prescription:
    """What somebody is to do.

    Attributes:
        reps: Repetitions of a set.
        sets: Sets.
        least_rom_deg: Range of motion that a repetition must reach to count as done; 0 for any.
    """

    reps: int
    sets: int = 1
    least_rom_deg: float = 0.0

    def __post_init__(self) -> None:
        if self.reps < 1 or self.sets < 1 or not 0 <= self.least_rom_deg < math.inf:
            raise ValueError(f"a prescription has at least one set of one repetition, not {self}")


@dataclass(frozen=True, slots=True)
class ExerciseSet:
    """One set. NaN where there are too few repetitions.

    Attributes:
        rep_count: Repetitions.
        rep_duration_s: Median duration.
        rep_rom_deg: Median range of motion.
        rep_tempo_cv_pct: Standard deviation of the durations by their mean, %.
        rep_sparc: Median spectral arc length.
        rep_ldlj: Median log dimensionless jerk.
        n_rejected: Repetitions that lost samples spoilt.
        reason: Why the set is degraded; empty if it is not.
    """

    rep_count: int
    rep_duration_s: float
    rep_rom_deg: float
    rep_tempo_cv_pct: float
    rep_sparc: float
    rep_ldlj: float
    n_rejected: int
    reason: str = ""


def summarise(reps: Sequence[Repetition], n_rejected: int = 0) -> ExerciseSet:
    """Return what a set comes to; ``n_rejected`` were spoilt after its last repetition."""
    durations = np.array([rep.duration_s for rep in reps])
    rejected = n_rejected + sum(rep.n_rejected for rep in reps)
    even = len(reps) >= LEAST_FOR_TEMPO
    return ExerciseSet(
        rep_count=len(reps),
        rep_duration_s=_median(durations),
        rep_rom_deg=_median([rep.rom_deg for rep in reps]),
        rep_tempo_cv_pct=float(100 * durations.std(ddof=1) / durations.mean()) if even else math.nan,
        rep_sparc=_median([rep.sparc for rep in reps]),
        rep_ldlj=_median([rep.ldlj for rep in reps]),
        n_rejected=rejected,
        reason=f"{rejected} spoilt by lost samples" if rejected else "",
    )


def split_sets(reps: Iterable[Repetition], rate_hz: float) -> list[list[Repetition]]:
    """Return repetitions set by set: a pause of more than `PAUSE_S` begins another."""
    sets: list[list[Repetition]] = []
    for rep in reps:
        if not sets or rep.start - sets[-1][-1].end > PAUSE_S * rate_hz:
            sets.append([])
        sets[-1].append(rep)
    return sets


def adherence_pct(sets: Sequence[Sequence[Repetition]], prescribed: Prescription) -> float:
    """Return how much of a prescription was done, %: of each set no more than was asked for, further sets left out."""
    done = [sum(rep.rom_deg >= prescribed.least_rom_deg for rep in reps) for reps in sets]
    most = sorted(done, reverse=True)[: prescribed.sets]
    return 100 * sum(min(n, prescribed.reps) for n in most) / (prescribed.reps * prescribed.sets)


def _median(values: ArrayLike) -> float:
    known = np.asarray(values, float)
    return float(np.median(known)) if len(known) else math.nan
