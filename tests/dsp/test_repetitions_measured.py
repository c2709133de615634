"""Repetitions as metrics: each as it ends, and what a session comes to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.repetitions.exercise_set import Prescription
from dsp.repetitions.measured import RepetitionMetrics
from tests.dsp.test_repetitions import RATE_HZ, Floats, exercise


def results_of(
    gyr: Floats, index: np.ndarray | None = None, chunk: int = 100, reps: int | None = 10, doubt: str = ""
) -> list[Found]:
    prescribed = None if reps is None else Prescription(reps)
    metrics = RepetitionMetrics(RATE_HZ, prescribed=prescribed, doubt=doubt)
    at = np.arange(len(gyr)) if index is None else index
    starts = range(0, len(gyr), chunk)
    parts = [metrics.process(at[i : i + chunk], gyr[i : i + chunk], gyr[i : i + chunk]) for i in starts]
    return [*(found for part in parts for found in part), *metrics.finish()]


def of(found: list[Found], metric: str) -> list[float]:
    return [f.value for f in found if f.metric == metric and f.value is not None]


def test_a_session_of_eight() -> None:
    found = results_of(exercise(8))
    assert of(found, "rep_count") == [8]
    assert of(found, "adherence") == [80]
    assert of(found, "rep_rom") == pytest.approx([60] * 8, rel=0.05)
    assert [len(of(found, m)) for m in ("rep_duration", "rep_sparc", "rep_ldlj", "rep_tempo_cv")] == [8, 8, 8, 1]
    assert {f.quality for f in found} == {"ok"}
    assert all(f.value is not None and CATALOGUE[f.metric].plausible(f.value) for f in found)
    ends = [f.last for f in found if f.metric == "rep_duration"]
    assert ends == sorted(ends)


def test_nobody_prescribed_anything() -> None:
    assert of(results_of(exercise(3), reps=None), "adherence") == []


def test_a_session_in_which_nobody_moves_has_none() -> None:
    still = np.zeros((2000, 3))
    assert [(f.metric, f.value) for f in results_of(still)] == [("rep_count", 0), ("adherence", 0)]
    assert results_of(np.zeros((0, 3))) == []


def test_loss_and_interruption_are_reasons() -> None:
    gyr = exercise(6)
    kept = np.r_[0:800, 860 : len(gyr)]
    total = [f for f in results_of(gyr[kept], kept, doubt="interrupted") if f.metric == "rep_count"]
    assert [(f.quality, f.reason, f.n_rejected) for f in total] == [
        ("degraded", "interrupted; 1 spoilt by lost samples", 1)
    ]


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3000), st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 3000)), max_size=3))
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]]) -> None:
    gyr = exercise(6)
    index = np.arange(len(gyr))
    for at, length in gaps:
        index[at:] += length
    assert results_of(gyr, index, chunk) == results_of(gyr, index, len(gyr))
