"""Use and swing of both arms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.arms.counts import LOST, STARTING, ActivityCounts, BlockFilter, SecondCounts
from dsp.arms.swing import measure_swing, swing_asymmetry_pct
from dsp.arms.use import measure_arm_use, use_of_counts
from dsp.units import STANDARD_GRAVITY as G

Floats = NDArray[np.float64]


def shaken(seconds: float, *, rate_hz: float = 100.0, hz: float = 1.0, g: float = 0.5) -> Floats:
    """Return the acceleration of a wrist that is shaken along its x axis, m/s²."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.column_stack([g * G * np.sin(2 * np.pi * hz * t), np.zeros_like(t), np.full_like(t, G)])


def seconds(acc: Floats, index: NDArray[np.int64] | None = None, rate_hz: float = 100.0) -> list[SecondCounts]:
    at = np.arange(len(acc)) if index is None else index
    return list(ActivityCounts(rate_hz).process(at, acc))


@pytest.mark.parametrize(("hz", "gain"), [(0.0, 0.0), (0.31, 2.44), (0.76, 3.45), (1.63, 2.44), (5.0, 0.18)])
def test_the_filter_passes_what_is_published(hz: float, gain: float) -> None:
    """Neishabouri 2022: .29 to 1.63 Hz, where it falls to 1/√2 of its greatest gain."""
    t = np.arange(3000) / 30
    band_pass = BlockFilter()
    wave = np.column_stack([np.cos(2 * np.pi * hz * t), np.sin(2 * np.pi * hz * t), np.ones_like(t)])
    band_pass.rest(wave[0])
    out = np.vstack([band_pass.run(wave[i : i + 30]) for i in range(0, 3000, 30)])[1500:]
    assert np.hypot(out[:, 0], out[:, 1] if hz else 0 * out[:, 0]).mean() == pytest.approx(gain, abs=0.05)
    assert np.abs(out[:, 2]).max() < 1e-9


def test_the_blocks_are_the_recursion() -> None:
    """Whatever comes in, what comes out is what the recursion of the published coefficients gives."""
    impulse = np.zeros((60, 3))
    impulse[0] = 1
    band_pass = BlockFilter()
    out = np.vstack([band_pass.run(impulse[:30]), band_pass.run(impulse[30:])])[:, 0]
    expected = [-0.009341062898525, -0.025470289659360 - 3.63367395910957 * 0.009341062898525]
    assert out[:2] == pytest.approx(expected)
    assert abs(out.sum()) < 1  # the reply dies away


def test_counts_of_a_shaken_wrist() -> None:
    """1 Hz of .5 g: gain 3.33 by 17.13 counts a g, of which the mean over a sine's half is 2/π, ten times a second."""
    found = [s.counts for s in seconds(shaken(30))[3:]]
    assert found == pytest.approx([10 * 2 / math.pi * 0.5 * 3.33 * 17.127] * len(found), rel=0.1)


@pytest.mark.parametrize("rate_hz", [25.0, 51.2, 104.0, 200.0])
def test_any_rate_gives_about_the_same_counts(rate_hz: float) -> None:
    ours = np.array([s.counts for s in seconds(shaken(30, rate_hz=rate_hz), rate_hz=rate_hz)[3:]])
    at_30 = np.array([s.counts for s in seconds(shaken(30, rate_hz=30.0), rate_hz=30.0)[3:]])
    assert ours.mean() == pytest.approx(at_30.mean(), rel=0.03)


def test_a_wrist_at_rest_has_no_counts_and_a_trembling_one_few() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, (3000, 3))
    assert {s.counts for s in seconds(shaken(30, g=0) + noise)[3:]} == {0}
    assert max(s.counts for s in seconds(shaken(30, hz=8.0, g=0.1))[3:]) < 2


def test_it_hardly_matters_how_the_wrist_is_held() -> None:
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    straight, turned = (np.mean([s.counts for s in seconds(a)[3:]]) for a in (shaken(30), shaken(30) @ turn))
    assert turned == pytest.approx(straight, rel=0.1)  # each axis has a dead band


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 700),
    st.lists(st.tuples(st.integers(0, 1400), st.integers(1, 900)), max_size=3),
    st.lists(st.tuples(st.integers(0, 1499), st.integers(1, 300)), max_size=3),
)
def test_any_chunking_gives_the_same_counts(
    chunk: int, gaps: list[tuple[int, int]], spoilt: list[tuple[int, int]]
) -> None:
    acc, index = shaken(15.0, hz=0.8), np.arange(1500)
    for at, length in gaps:
        index[at:] += length
    for at, length in spoilt:
        acc[at : at + length] = math.nan
    counting = ActivityCounts(100.0)
    parts = [counting.process(index[i : i + chunk], acc[i : i + chunk]) for i in range(0, 1500, chunk)]
    found = [s for part in parts for s in part]
    assert repr(found) == repr(seconds(acc, index))
    assert all(math.isnan(s.counts) == bool(s.reason) for s in found)


def test_a_gap_gives_a_reason_and_the_filter_begins_anew() -> None:
    kept = np.r_[0:1000, 1350:3000]
    found = {s.second: s for s in seconds(shaken(30)[kept], kept)}
    assert [found[s].reason for s in (2, 3, 9)] == [STARTING, "", ""]
    assert not found.keys() & {10, 11, 12}
    assert [found[s].reason for s in (13, 14, 15, 16, 17)] == [LOST, STARTING, STARTING, STARTING, ""]
    assert found[18].counts == pytest.approx(found[8].counts, rel=0.05)


def test_a_gap_of_whole_seconds_too() -> None:
    kept = np.r_[0:1000, 1300:3000]
    found = {s.second: s.reason for s in seconds(shaken(30)[kept], kept)}
    assert [found[s] for s in (9, 13, 14, 15, 16)] == ["", STARTING, STARTING, STARTING, ""]


def test_a_rate_that_is_too_low_is_refused() -> None:
    with pytest.raises(ValueError, match="20 samples a second"):
        ActivityCounts(10.0)


def test_ratios_of_known_counts() -> None:
    affected = np.array([0.0, 1.0, 4.0, 10.0, 0.0, math.nan, 50.0])
    other = np.array([0.0, 8.0, 4.0, 5.0, 20.0, 3.0, 60.0])
    use = use_of_counts(affected, other, [False] * 6 + [True])
    assert use.use_ratio == pytest.approx(2 / 4)
    assert (use.n, use.n_lost) == (4, 1)
    assert use.magnitude_ratio == pytest.approx(np.median([math.log(1 / 8), 0, math.log(2), -7]))
    assert use.bilateral_magnitude == pytest.approx(np.median([9, 8, 15, 20]))
    assert (use.use_hours_affected * 3600, use.use_hours_other * 3600) == (2, 4)
    assert (use.hours * 3600, use.walking_hours * 3600) == (5, 1)
    assert use.reason == "arms move in 4 s only"


def test_walking_does_not_inflate_the_use_of_an_arm() -> None:
    """An arm that rests but for walking: its swing is not its use."""
    still, busy, swing = shaken(700, g=0), shaken(700, g=0.3, hz=0.8), shaken(700, g=0.4, hz=0.9)
    walking = np.arange(1400) >= 700
    affected, other = np.vstack([still, swing]), np.vstack([busy, swing])
    apart = measure_arm_use(affected, other, rate_hz=100.0, walking=walking)
    together = measure_arm_use(affected, other, rate_hz=100.0)
    assert apart.use_ratio == pytest.approx(0.0, abs=0.01)
    assert apart.magnitude_ratio == -7
    assert together.use_ratio > 0.4
    assert apart.walking_hours == pytest.approx(700 / 3600, abs=0.001)
    assert not apart.reason


def test_nobody_moves() -> None:
    use = measure_arm_use(shaken(60, g=0), shaken(60, g=0), rate_hz=100.0)
    assert math.isnan(use.use_ratio)
    assert math.isnan(use.magnitude_ratio)
    assert (use.use_hours_affected, use.n) == (0, 0)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        use_of_counts([1.0], [1.0, 2.0], [False])


@pytest.mark.parametrize("amplitude_deg", [5.0, 20.0, 45.0])
def test_a_swing_is_measured(amplitude_deg: float) -> None:
    t = np.arange(2000) / 100
    rate = math.radians(amplitude_deg / 2) * 2 * np.pi * 0.9 * np.cos(2 * np.pi * 0.9 * t)
    axis = np.array([0.3, -0.8, 0.5])
    noise = np.random.default_rng(1).normal(0, 0.01, (2000, 3))
    swing = measure_swing(np.outer(rate, axis / np.linalg.norm(axis)) + noise + 0.02, 100.0)
    assert swing.amplitude_deg == pytest.approx(amplitude_deg, rel=0.03, abs=0.2)
    assert swing.peak_velocity_dps == pytest.approx(amplitude_deg / 2 * 2 * np.pi * 0.9, rel=0.1)
    assert swing.n == pytest.approx(36, abs=2)


def test_an_arm_that_hardly_moves_has_no_swing() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, (2000, 3))
    assert math.isnan(measure_swing(noise, 100.0).amplitude_deg)
    assert math.isnan(measure_swing(np.full((2000, 3), math.nan), 100.0).amplitude_deg)


def test_asymmetry_of_swings() -> None:
    assert swing_asymmetry_pct(30, 30) == 0
    assert swing_asymmetry_pct(30, 0) == 50
    assert swing_asymmetry_pct(0, 30) == -50
    assert swing_asymmetry_pct(40, 20) == pytest.approx(-swing_asymmetry_pct(20, 40))
    assert math.isnan(swing_asymmetry_pct(math.nan, 20))
    assert math.isnan(swing_asymmetry_pct(0, 0))
