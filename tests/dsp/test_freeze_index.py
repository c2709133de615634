"""The freeze index of a leg."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.freezing.freeze_index import EVERY_S, WINDOW_S, FreezeIndex, FreezeValue
from tests.shared import shared_path

RATE_HZ = 64.0


def moving(hz: float, seconds: float = 20.0, *, seed: int = 1) -> np.ndarray:
    """Return the acceleration of a leg that goes to and fro, (n, 3) m/s²."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(t), 3))
    return np.column_stack([3 * np.sin(2 * np.pi * hz * t), np.full_like(t, 9.81), np.zeros_like(t)]) + noise


def values(acc: np.ndarray, index: np.ndarray | None = None, *, chunk: int = 10) -> list[FreezeValue]:
    freeze_index = FreezeIndex(RATE_HZ)
    at = np.arange(len(acc)) if index is None else index
    return [v for i in range(0, len(acc), chunk) for v in freeze_index.process(at[i : i + chunk], acc[i : i + chunk])]


def test_walking_is_below_zero_and_trembling_above() -> None:
    walking, trembling = values(moving(1.0)), values(moving(6.0))
    assert max(v.value for v in walking) < -2
    assert min(v.value for v in trembling) > 2
    assert walking[0].last == WINDOW_S * RATE_HZ - 1
    assert {b.last - a.last for a, b in pairwise(walking)} == {EVERY_S * RATE_HZ}
    assert walking[0].power == pytest.approx(3**2 / 2, rel=0.1)


def test_it_does_not_matter_how_the_sensor_is_strapped_on() -> None:
    acc = moving(2.0) + moving(5.0)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    assert [v.value for v in values(acc @ turn)] == pytest.approx([v.value for v in values(acc)])


def test_legs_that_are_fed_together_have_what_each_has_alone() -> None:
    legs = [moving(hz, seed=seed) for seed, hz in enumerate((0.7, 1.0, 3.0, 6.0))] + [np.zeros((1280, 3))]
    at = np.arange(1280)
    together = [FreezeIndex(RATE_HZ, still=0.1) for _ in legs]
    for part in (slice(i, i + 130) for i in range(0, 1280, 130)):
        FreezeIndex.feed([(leg, at[part], acc[part]) for leg, acc in zip(together, legs, strict=True)])
    for leg, acc in zip(together, legs, strict=True):
        alone = list(FreezeIndex(RATE_HZ, still=0.1).process(at, acc))
        assert [repr(each) for each in leg.process(at, acc)] == [repr(each) for each in alone]
        assert len(alone) == 33


@settings(deadline=None)
@given(st.integers(1, 400), st.lists(st.tuples(st.integers(0, 900), st.integers(1, 700)), max_size=3))
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]]) -> None:
    acc = moving(1.5, 15.0)
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    assert values(acc, index, chunk=chunk) == values(acc, index, chunk=len(acc))


def test_a_gap_gives_no_index_and_what_follows_does() -> None:
    acc = moving(1.0)
    kept = np.r_[0:500, 560:1280]
    lasts = [v.last for v in values(acc[kept], kept)]
    assert not [last for last in lasts if 512 <= last < 560 + WINDOW_S * RATE_HZ - 60]
    assert lasts[-1] > 1200


def test_a_rate_that_cannot_show_trembling_is_refused() -> None:
    with pytest.raises(ValueError, match="20 samples a second"):
        FreezeIndex(15.0)


@pytest.mark.recordings
def test_episodes_rated_from_video_are_distinguished_from_walking() -> None:
    command = [sys.executable, str(shared_path("score", "freezing.py")), "tests.scoring:freezing"]
    command += ["--data", str(shared_path("data", "gait"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    score = json.loads(printed.splitlines()[-1])
    assert score["daphnet"]["mean_auc"] >= 0.90
    assert score["stanford_fog"]["mean_auc"] >= 0.68
