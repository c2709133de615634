"""Repetitions of an exercise, counted and measured."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.repetitions.exercise_set import Prescription, adherence_pct, split_sets, summarise
from dsp.repetitions.repetitions import Repetition, Repetitions
from dsp.whole_recordings import count_repetitions

Floats = NDArray[np.float64]
RATE_HZ = 100.0
AXIS: Floats = np.array([0.4, -0.7, 0.6]) / 1.005


def smooth_move(degrees: float, seconds: float) -> Floats:
    """Return the rate of a minimum-jerk movement over so many degrees, deg/s."""
    u = (np.arange(round(seconds * RATE_HZ)) + 0.5) / (seconds * RATE_HZ)
    rate: Floats = degrees / seconds * (30 * u**2 - 60 * u**3 + 30 * u**4)
    return rate


def exercise(
    n: int,
    *,
    rom_deg: float = 60.0,
    there_s: float = 1.0,
    back_s: float = 1.4,
    pause_s: float = 0.0,
    bias_dps: float = 0.5,
    noise_dps: float = 1.0,
    seed: int = 1,
) -> Floats:
    """Return the rotation (rad/s) of a limb that rests, repeats a movement, and rests."""
    rest = np.zeros(round(3 * RATE_HZ))
    pause = np.zeros(round(pause_s * RATE_HZ))
    one = np.concatenate([smooth_move(rom_deg, there_s), -smooth_move(rom_deg, back_s), pause])
    rate = np.concatenate([rest, np.tile(one, n), rest])
    noise = np.random.default_rng(seed).normal(0, noise_dps, (len(rate), 3))
    return np.radians(np.outer(rate, AXIS) + noise + bias_dps)


def reps_of(gyr: Floats, index: NDArray[np.int64] | None = None) -> list[Repetition]:
    counting = Repetitions(RATE_HZ)
    at = np.arange(len(gyr)) if index is None else index
    return [*counting.process(at, gyr), *counting.flush()]


@pytest.mark.parametrize("n", [1, 5, 12])
@pytest.mark.parametrize("rom_deg", [25.0, 60.0, 130.0])
@pytest.mark.parametrize("pause_s", [0.0, 0.4, 3.0])
def test_repetitions_are_counted_and_measured(n: int, rom_deg: float, pause_s: float) -> None:
    found = reps_of(exercise(n, rom_deg=rom_deg, pause_s=pause_s))
    assert len(found) == n
    assert [rep.rom_deg for rep in found] == pytest.approx([rom_deg] * n, rel=0.05)
    # The ends of a smooth movement, 5 % of the way, take nearly a fifth of its time.
    assert [rep.duration_s for rep in found] == pytest.approx([2.4 * 0.81] * n, abs=0.25)
    period = 2.4 + pause_s
    assert [b.start - a.start for a, b in pairwise(found)] == pytest.approx(
        [period * RATE_HZ] * (n - 1), abs=0.1 * RATE_HZ
    )
    assert [rep.peak_velocity_dps for rep in found] == pytest.approx([1.875 * rom_deg] * n, rel=0.1)


def test_a_jerky_movement_is_one() -> None:
    rate = np.degrees(exercise(6, rom_deg=80, there_s=2.0, back_s=2.0)) @ AXIS
    t = np.arange(len(rate)) / RATE_HZ
    shaky = rate + 60 * np.sin(2 * np.pi * 3 * t) * (np.abs(rate) > 10)
    smooth, jerky = (reps_of(np.radians(np.outer(r, AXIS))) for r in (rate, shaky))
    assert len(smooth) == len(jerky) == 6
    assert np.median([r.sparc for r in jerky]) < np.median([r.sparc for r in smooth]) - 0.5
    assert np.median([r.ldlj for r in jerky]) < np.median([r.ldlj for r in smooth])


def test_who_does_not_come_back_has_not_finished() -> None:
    there = np.radians(np.outer(np.r_[np.zeros(300), smooth_move(70, 1.0), np.zeros(500)], AXIS))
    assert reps_of(there) == []
    half = np.r_[np.zeros(300), smooth_move(70, 1.0), -smooth_move(20, 0.6), np.zeros(500)]
    assert reps_of(np.radians(np.outer(half, AXIS))) == []


def test_small_and_slow_movement_and_rest_are_none() -> None:
    assert reps_of(exercise(5, rom_deg=8.0)) == []
    still = np.random.default_rng(1).normal(0, 0.01, (20_000, 3)) + np.radians(1.5)  # a bias adds up to 300 degrees
    assert reps_of(still) == []


def test_a_hold_at_the_far_end_belongs_to_the_repetition() -> None:
    one = np.r_[smooth_move(60, 1.0), np.zeros(500), -smooth_move(60, 1.0)]
    rate = np.r_[np.zeros(300), one, np.zeros(200), one, np.zeros(300)]
    found = reps_of(np.radians(np.outer(rate, AXIS)))
    assert [rep.duration_s for rep in found] == pytest.approx([6.6, 6.6], abs=0.3)


def test_it_does_not_matter_how_the_sensor_is_strapped_on() -> None:
    gyr = exercise(5)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    for straight, turned in zip(reps_of(gyr), reps_of(gyr @ turn), strict=True):
        assert turned == pytest.approx(straight, rel=1e-6)


def test_a_repetition_spoilt_by_a_gap_is_rejected() -> None:
    gyr = exercise(6)
    kept = np.r_[0:800, 860 : len(gyr)]  # within the third
    found = reps_of(gyr[kept], kept)
    assert 4 <= len(found) <= 5
    assert not any(rep.start < 830 < rep.end for rep in found)
    assert summarise(found).n_rejected == 1
    assert summarise(found).reason == "1 spoilt by lost samples"


def test_a_sample_in_twenty_lost_is_borne() -> None:
    gyr = exercise(10)
    kept = np.flatnonzero(np.random.default_rng(2).random(len(gyr)) > 0.05)
    assert len(reps_of(gyr[kept], kept)) == 10


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 900),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 3000)), max_size=3),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 100)), max_size=3),
)
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]], spoilt: list[tuple[int, int]]) -> None:
    gyr = exercise(6)
    index = np.arange(len(gyr))
    for at, length in gaps:
        index[at:] += length
    for at, length in spoilt:
        gyr[at : at + length] = math.nan
    counting = Repetitions(RATE_HZ)
    parts = [counting.process(index[i : i + chunk], gyr[i : i + chunk]) for i in range(0, len(gyr), chunk)]
    found = [*(rep for part in parts for rep in part), *counting.flush()]
    assert found == reps_of(gyr, index)
    table = count_repetitions(gyr, RATE_HZ, index=index)
    assert table["duration_s"].tolist() == [rep.duration_s for rep in found]
    assert table["ldlj"].tolist() == [rep.ldlj for rep in found]
    assert table["end_s"].tolist() == [rep.end / RATE_HZ for rep in found]


def test_a_set_and_its_tempo() -> None:
    even, uneven = reps_of(exercise(8)), []
    rate = np.concatenate([np.r_[smooth_move(60, s), -smooth_move(60, s)] for s in (0.8, 1.2, 1.0, 1.6, 0.9, 1.3)])
    uneven = reps_of(np.radians(np.outer(np.r_[np.zeros(300), rate, np.zeros(300)], AXIS)))
    assert summarise(even).rep_count == 8
    assert summarise(even).rep_tempo_cv_pct < 5
    assert len(uneven) == 6
    assert summarise(uneven).rep_tempo_cv_pct == pytest.approx(26, abs=5)
    assert summarise(even).rep_rom_deg == pytest.approx(60, rel=0.03)
    assert math.isnan(summarise(even[:2]).rep_tempo_cv_pct)
    assert math.isnan(summarise([]).rep_rom_deg)


def test_what_was_done_of_a_prescription() -> None:
    first, second = exercise(8), exercise(12)
    pause = np.zeros((1500, 3))
    found = reps_of(np.vstack([first, pause, second]))
    sets = split_sets(found, RATE_HZ)
    assert [len(reps) for reps in sets] == [8, 12]
    assert adherence_pct(sets, Prescription(reps=10, sets=2)) == 90
    assert adherence_pct(sets, Prescription(reps=10, sets=3)) == pytest.approx(60)
    assert adherence_pct(sets, Prescription(reps=10)) == 100
    assert adherence_pct(sets, Prescription(reps=10, sets=2, least_rom_deg=90)) == 0
    assert adherence_pct([], Prescription(reps=10)) == 0


@pytest.mark.parametrize(("reps", "sets", "rom"), [(0, 1, 0.0), (1, 0, 0.0), (1, 1, -1.0), (1, 1, math.nan)])
def test_a_prescription_of_nothing_is_refused(reps: int, sets: int, rom: float) -> None:
    with pytest.raises(ValueError, match="at least one set"):
        Prescription(reps, sets, rom)


@pytest.mark.parametrize(("rate_hz", "rom"), [(10.0, 15.0), (100.0, 0.0), (math.nan, 15.0), (100.0, math.inf)])
def test_what_cannot_be_counted_is_refused(rate_hz: float, rom: float) -> None:
    with pytest.raises(ValueError, match=r"20 samples a second|above 0 deg"):
        Repetitions(rate_hz, least_rom_deg=rom)
