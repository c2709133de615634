"""Tremor as metrics: shares of time, amplitudes and frequency of half minutes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.tremor.measured import METRIC_EVERY_S, TremorMetrics
from dsp.tremor.tremor import LOST
from tests.dsp.test_tremor import RATE_HZ, Floats, limb, to_and_fro


def results_of(acc: Floats, gyr: Floats, index: np.ndarray | None = None, chunk: int = 100) -> list[Found]:
    metrics = TremorMetrics(RATE_HZ)
    at = np.arange(len(acc)) if index is None else index
    parts = [
        metrics.process(at[i : i + chunk], acc[i : i + chunk], gyr[i : i + chunk]) for i in range(0, len(acc), chunk)
    ]
    return [*(found for part in parts for found in part), *metrics.finish()]


def of(found: list[Found], metric: str) -> list[float]:
    return [f.value for f in found if f.metric == metric and f.value is not None]


def test_a_rest_tremor_that_comes_and_goes() -> None:
    without, trembling = limb(15.0), limb(15.0, tremor=0.4, hz=4.8)
    acc, gyr = (np.vstack([a, b] * 4) for a, b in zip(without, trembling, strict=True))
    found = results_of(acc, gyr)
    assert of(found, "rest_tremor_time_pct") == pytest.approx([50] * 4, abs=16)
    assert of(found, "rest_tremor_amplitude") == pytest.approx([0.4] * 4, rel=0.2)
    assert of(found, "tremor_frequency") == pytest.approx([4.8] * 4, abs=0.1)
    assert of(found, "tremor_amplitude_rms") == pytest.approx(
        [math.degrees(0.4 / (0.15 * 2 * math.pi * 4.8))] * 4, rel=0.2
    )
    assert of(found, "tremor_power_4_6") == pytest.approx(of(found, "tremor_power_35_7"), rel=0.1)
    assert of(found, "action_tremor_time_pct") == []
    assert {f.quality for f in found} == {"ok"}


def test_an_action_tremor_is_no_rest_tremor() -> None:
    acc, gyr = limb(60.0, tremor=1.0, hz=5.6)
    found = results_of(acc + to_and_fro(0.5, (2.0,), 60.0), gyr)
    assert of(found, "action_tremor_time_pct") == pytest.approx([100, 100], abs=5)
    assert of(found, "action_tremor_amplitude") == pytest.approx([1.0, 1.0], rel=0.15)
    assert of(found, "rest_tremor_time_pct") == []


def test_no_tremor_gives_nought_and_not_silence() -> None:
    found = results_of(*limb(90.0))
    assert {f.metric for f in found} == {"rest_tremor_time_pct"}
    assert set(of(found, "rest_tremor_time_pct")) == {0}


def test_lost_samples_give_a_reason() -> None:
    acc, gyr = limb(60.0, tremor=0.4)
    kept = np.flatnonzero(np.random.default_rng(1).random(len(acc)) > 0.2)
    found = results_of(acc[kept], gyr[kept], kept)
    assert {(f.metric, f.value, f.quality, f.reason) for f in found} == {
        ("rest_tremor_time_pct", None, "invalid", LOST)
    }
    half = np.r_[0:3000, np.arange(3000, 6000, 2)]
    found = results_of(acc[half], gyr[half], half)
    assert [f.quality for f in found if f.metric == "rest_tremor_time_pct"][:2] == ["ok", "invalid"]


def test_values_are_those_of_the_catalogue_and_lie_where_they_were_measured() -> None:
    found = results_of(*limb(70.0, tremor=0.4))
    for f in found:
        assert f.value is not None
        assert CATALOGUE[f.metric].plausible(f.value)
        assert 0 <= f.first < f.last < 7000
        assert f.last - f.first <= (METRIC_EVERY_S + 4) * RATE_HZ


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3000), st.lists(st.tuples(st.integers(0, 6500), st.integers(1, 9000)), max_size=3))
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]]) -> None:
    acc, gyr = limb(65.0, tremor=0.2)
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    assert results_of(acc, gyr, index, chunk) == results_of(acc, gyr, index, len(acc))
