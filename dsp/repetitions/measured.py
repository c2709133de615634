"""Repetitions of one sensor as metrics: each as it ends, and what the session comes to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.found import Found
from dsp.repetitions.exercise_set import Prescription, adherence_pct, split_sets, summarise
from dsp.repetitions.repetitions import ALGORITHM, LEAST_ROM_DEG, Repetition, Repetitions
from dsp.result import Quality

OF_EACH: Final = (
    ("rep_duration", "duration_s"),
    ("rep_rom", "rom_deg"),
    ("rep_sparc", "sparc"),
    ("rep_ldlj", "ldlj"),
)


class RepetitionMetrics:
    """Repetitions under one sensor on the limb that moves, in one session; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        prescribed: What is to be done; None where nobody said.
        least_rom_deg: Smallest movement that counts.
        doubt: Why what is measured is not the whole session; empty if it is.

    Raises:
        ValueError: the rate is too low.
    """

    algorithm = ALGORITHM

    def __init__(
        self,
        rate_hz: float,
        *,
        prescribed: Prescription | None = None,
        least_rom_deg: float = LEAST_ROM_DEG,
        doubt: str = "",
    ) -> None:
        self._rate_hz = rate_hz
        self._counting = Repetitions(rate_hz, least_rom_deg=least_rom_deg)
        self._prescribed = prescribed
        self._doubt = doubt
        self._reps: list[Repetition] = []
        self._first: int | None = None
        self._last = 0

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the metrics of each repetition that samples end."""
        del acc
        at = np.asarray(index, np.int64)
        if not len(at):
            return
        self._first, self._last = int(at[0]) if self._first is None else self._first, int(at[-1])
        for rep in self._counting.process(at, gyr):
            yield from self._of_each(rep)

    def finish(self) -> Iterator[Found]:
        """Yield the repetition that the session ends with, and what it comes to."""
        if self._first is None:
            return
        for rep in self._counting.flush():
            yield from self._of_each(rep)
        total = summarise(self._reps, self._counting.n_rejected)
        values = {"rep_count": float(total.rep_count), "rep_tempo_cv": total.rep_tempo_cv_pct}
        if self._prescribed is not None:
            values["adherence"] = adherence_pct(split_sets(self._reps, self._rate_hz), self._prescribed)
        reason = "; ".join(filter(None, (self._doubt, total.reason)))
        quality: Quality = "degraded" if reason else "ok"
        for metric, value in values.items():
            if math.isfinite(value):
                n = total.rep_count
                yield Found(metric, value, self._first, self._last, n, total.n_rejected, quality, reason)
        self._reps, self._first = [], None

    def _of_each(self, rep: Repetition) -> Iterator[Found]:
        self._reps.append(rep)
        for metric, name in OF_EACH:
            value = float(getattr(rep, name))
            if math.isfinite(value):
                yield Found(metric, value, rep.start, rep.end, 1, rep.n_rejected)
