"""How much a sensor moves: the compiled loops give what plain numpy gives, also where blocks are lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.posture.blocks import BLOCK_HZ, TURN_BLOCKS
from dsp.posture.stepping import LEAST_LAG, LONGEST_LAG, RHYTHMIC, SPANS, climbing, mean_of, rhythm, spread, stirs

Floats = NDArray[np.float64]


def forces(seed: int, lost: int) -> Floats:
    """Return four seconds of a force that goes to and fro, with so many blocks lost in a row."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(SPANS[1])[:, None] / BLOCK_HZ
    swing = rng.normal(size=3) * 3 * np.sin(2 * np.pi * rng.uniform(0.5, 2.5) * time_s)
    acc: Floats = swing + rng.normal(size=(SPANS[1], 3)) * rng.choice([0.01, 0.3, 2.0]) + rng.normal(size=3) * 6
    first = int(rng.integers(0, SPANS[1]))
    acc[first : first + lost] = np.nan
    return acc


def spread_reference(acc: Floats) -> float:
    known = acc[np.isfinite(acc[:, 0])]
    if not len(known) or 2 * len(known) < len(acc):
        return 0.0
    return float(np.sqrt(((known - known.mean(axis=0)) ** 2).sum() / len(known)))


def rhythm_reference(acc: Floats) -> float:
    known = np.isfinite(acc[:, 0])
    if known.sum() < 0.8 * len(acc):
        return 0.0
    moved = np.where(known[:, None], acc - acc[known].mean(axis=0), 0.0)
    alike = []
    for lag in range(LEAST_LAG, int(LONGEST_LAG * len(acc))):
        early, late = moved[:-lag], moved[lag:]
        scale = math.sqrt((early**2).sum() * (late**2).sum())
        alike.append((early * late).sum() / scale if scale > 1e-9 else 0.0)
    rises = np.array(alike) - np.minimum.accumulate(alike) > 0.1
    return float(np.array(alike)[rises].max(initial=0.0))


@given(seed=st.integers(0, 10_000), lost=st.sampled_from((0, 0, 3, 12, 35, 80)))
def test_spread_and_rhythm_are_those_of_numpy(seed: int, lost: int) -> None:
    acc = forces(seed, lost)
    assert spread(acc, 0, len(acc)) == pytest.approx(spread_reference(acc), abs=1e-9)
    assert rhythm(acc, SPANS[0]) == pytest.approx(rhythm_reference(acc[SPANS[0] :]), abs=1e-9)
    known = acc[np.isfinite(acc[:, 0])]
    expected = known.mean(axis=0) if len(known) else np.full(3, np.nan)
    np.testing.assert_allclose(mean_of(acc), expected, rtol=1e-12)


def test_after_a_pause_nobody_looks_for_a_rhythm_and_a_slow_one_takes_four_seconds() -> None:
    time_s = np.arange(SPANS[1]) / BLOCK_HZ
    acc = np.zeros((2, SPANS[1], 3))
    acc[0, :, 0], acc[1, :, 0] = 3 * np.sin(2 * np.pi * time_s), 3 * np.sin(np.pi * time_s)
    out = np.empty((2, 3))
    stirs(acc, np.full(2, 0.5), out)
    assert out[0, 0] == pytest.approx(3 / math.sqrt(2))
    assert out[0, 1] == pytest.approx(min(spread_reference(acc[0, at : at + TURN_BLOCKS]) for at in (40, 50, 60, 70)))
    assert out[:, 2].min() > RHYTHMIC > rhythm(acc[1], SPANS[0])
    stirs(acc, np.full(2, 99.0), out)
    assert out[:, 1:].tolist() == [[0, 0], [0, 0]]


def test_heavy_steps_along_gravity_are_stairs_and_nothing_known_is_none() -> None:
    time_s = np.arange(SPANS[1]) / BLOCK_HZ
    acc = np.column_stack([np.sin(9 * time_s), np.zeros(SPANS[1]), 9.81 + 5 * np.sin(12 * time_s)])
    assert climbing(acc)
    assert not climbing(acc[:, ::-1].copy() * np.array([0.1, 1.0, 1.0]) + np.array([9.81, 0.0, 0.0]))
    assert not climbing(np.full_like(acc, np.nan))
    assert not climbing(np.zeros_like(acc))
