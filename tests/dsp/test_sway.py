"""Sway of a trial of quiet standing."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.sway.sway import Sway, measure_sway
from dsp.sway.trial import METRICS, SwayTrial
from tests.shared import shared_path

RATE_HZ = 100.0


def swaying(seconds: float = 60.0, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return samples of somebody who sways 5 mm forward and back at .5 Hz, 2 mm from side to side at .8 Hz."""
    at = np.arange(int(seconds * RATE_HZ))
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(at), 2))
    t = at / RATE_HZ
    return at, np.column_stack([5 * np.sin(np.pi * t), 2 * np.sin(1.6 * np.pi * t + 1)]) + noise


def measured(index: np.ndarray, position: np.ndarray) -> Sway:
    sway = measure_sway(index, position, RATE_HZ)
    assert sway is not None
    return sway


def test_a_known_sway_has_its_known_figures() -> None:
    sway = measured(*swaying())
    assert sway.duration_s == 60.0
    assert sway.rms_ap == pytest.approx(5 / np.sqrt(2), rel=0.01)
    assert sway.rms_ml == pytest.approx(2 / np.sqrt(2), rel=0.01)
    assert sway.ellipse_area95 == pytest.approx(5.991 * np.pi * 5 * 2 / 2, rel=0.01)
    power = np.array([25.0, 4.0])
    assert sway.centroid_freq_hz == pytest.approx(float(np.average([0.5, 0.8], weights=power)), rel=0.01)
    assert sway.mean_velocity == pytest.approx(sway.path / 60.0)
    assert sway.reason == ""


def test_a_circle_is_as_long_as_it_is() -> None:
    angle = np.linspace(0, 2 * np.pi, 1000)
    sway = measured(np.arange(1000), np.column_stack([np.cos(angle), np.sin(angle)]))
    assert sway.path == pytest.approx(2 * np.pi, rel=1e-4)


@pytest.mark.parametrize(
    ("lost", "reason"),
    [(slice(100, 110), ""), (slice(100, 300), "200 of 6000 samples lost"), (slice(100, 170), "a gap of 0.7 s")],
)
def test_what_is_lost_is_counted_and_doubted(lost: slice, reason: str) -> None:
    at, position = swaying()
    kept = np.delete(at, lost)
    sway = measured(kept, position[kept])
    assert sway.n_lost == lost.stop - lost.start
    assert sway.reason == reason
    assert sway.path == pytest.approx(measured(at, position).path, rel=0.05)


@pytest.mark.parametrize(
    ("index", "position"),
    [
        ([1, 2], [[0.0, 0.0]]),
        ([0, 0, 1, 2], [[0.0, 0.0]] * 4),
        ([0, 1, 2, 3], [[0.0, np.nan]] * 4),
        ([0, 1, 2, 3], [[0.0, 0.0, 0.0]] * 4),
    ],
)
def test_what_is_no_trial_is_refused(index: list[int], position: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="index"):
        measure_sway(index, position, RATE_HZ)


def test_too_few_samples_are_no_trial() -> None:
    assert measure_sway([0, 1, 2], [[0.0, 0.0]] * 3, RATE_HZ) is None


@given(st.integers(4, 300), st.just(0.0) | st.floats(1e-6, 1e4), st.integers(0, 1000))
def test_any_trial_gives_finite_figures_or_says_that_nothing_moved(n: int, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = np.cumsum(rng.integers(1, 4, n))
    sway = measured(index, rng.normal(0, size, (n, 2)))
    figures = (sway.path, sway.mean_velocity, sway.rms_ap, sway.rms_ml, sway.ellipse_area95)
    assert np.isfinite(figures).all()
    assert np.isnan(sway.centroid_freq_hz) == (size == 0.0)
    assert sway.n == n


@pytest.mark.recordings
@pytest.mark.parametrize(("loss", "most_pct"), [(0.0, 0.01), (0.1, 2.0)])
def test_published_figures_come_out(loss: float, most_pct: float) -> None:
    command = [sys.executable, str(shared_path("score", "sway.py")), "tests.scoring:sway", "--loss", str(loss)]
    command += ["--data", str(shared_path("data", "clinical"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    score = json.loads(printed.splitlines()[-1])
    assert score["without_result"] == 0
    assert score["quality"] == {"degraded" if loss else "ok": score["trials"]}
    for metric, error in score["error"].items():
        assert error["p95_abs_pct"] <= most_pct, metric


def trial(*marks: tuple[str, float]) -> set[tuple[str, str]]:
    """Return quality and reason of what 40 s of standing give, with marks made before their first sample."""
    t = np.arange(4000) / 100.0
    acc = np.column_stack([0.1 * np.sin(2 * np.pi * 0.4 * t), 0.05 * np.cos(2 * np.pi * 0.4 * t), np.full(4000, 9.81)])
    sway = SwayTrial(100.0)
    for text, at in marks:
        sway.mark(text, at)
    found = [*sway.process(np.arange(4000) + 1000, acc, np.zeros((4000, 3))), *sway.finish()]
    assert {each.metric for each in found} == set(METRICS)
    return {(each.quality, each.reason) for each in found}


def test_a_stop_before_the_first_sample_ends_no_trial() -> None:
    assert trial(("stop", 500.0)) == {("ok", "")}


def test_a_trial_of_which_nothing_was_received_says_so() -> None:
    assert trial(("start", 100.0), ("stop", 900.0)) == {("invalid", "nothing was received of the trial")}
