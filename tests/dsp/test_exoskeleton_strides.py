"""Strides of an exoskeleton: work by the formula, any chunking the same bits, loss and what is not told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.catalogue import CATALOGUE
from dsp.exoskeleton.steps import LegSteps, is_a_stride
from dsp.exoskeleton.stride_values import integral_of_positive, smoothed
from dsp.exoskeleton.strides import ExoskeletonStrides
from dsp.exoskeleton_stride_metrics import EXOSKELETON_DOSE, EXOSKELETON_STRIDES
from dsp.result import Result

RATE_HZ = 100.0
STRIDE_S = 1.25
OF_KNEE = ("angle", "velocity", "torque", "interaction", "desired_angle")
CHANNELS = (*(f"left_knee_{quantity}" for quantity in OF_KNEE), "left_gait_phase", "left_gait_state")
TORQUE_NM, SWING_DEG, LEAD = 10.0, 20.0, 0.7  # of the torque before the velocity, radians
ONCE = 2 * math.pi / STRIDE_S


def walking(seconds: float, start_s: float = 50.0) -> tuple[np.ndarray, np.ndarray]:
    """Return times and samples of a knee that goes to and fro once a stride, its torque ahead of its velocity."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    angle, velocity = 25 - SWING_DEG * np.cos(ONCE * t), SWING_DEG * ONCE * np.sin(ONCE * t)
    torque = TORQUE_NM * np.sin(ONCE * t + LEAD)
    phase = (t / STRIDE_S) % 1.0
    columns = angle, velocity, torque, 0.5 * torque, angle + 2.0, phase, np.where(phase < 0.6, 1.0, 2.0)
    return start_s + t, np.column_stack(columns)


def results_of(times: np.ndarray, samples: np.ndarray, *, mass_kg: float | None = None) -> list[Result]:
    strides = ExoskeletonStrides(CHANNELS, mass_kg)
    return strides.add(times, samples) + strides.finish()


def values(results: list[Result], end: str) -> list[float | None]:
    return [r.value for r in results if r.metric == f"exo_knee_{end}"]


def without(samples: np.ndarray, *channels: str) -> np.ndarray:
    out = samples.copy()
    out[:, [CHANNELS.index(channel) for channel in channels]] = np.nan
    return out


def test_torque_power_and_work_are_those_of_the_formula() -> None:
    """Power is A (cos LEAD - cos(2 w t + LEAD)): over a turn its positive part is A/w (2 sin b + 2 (pi - b) cos b)."""
    results = results_of(*walking(12.0), mass_kg=50.0)
    peak_w = TORQUE_NM * math.radians(SWING_DEG) * ONCE / 2
    given = peak_w / ONCE * 2 * (math.sin(LEAD) + (math.pi - LEAD) * math.cos(LEAD))
    taken = given - peak_w * STRIDE_S * math.cos(LEAD)
    assert len(values(results, "work_pos")) == 8
    expected = {
        "work_pos": given, "work_neg": -taken, "power_peak": peak_w * (1 + math.cos(LEAD)),
        "torque_rms": TORQUE_NM / math.sqrt(2),
        "assist_pct_est": 100 / 1.5, "tracking_rmse": 2.0, "torque_rms_norm": 0.2 / math.sqrt(2),
    }  # fmt: skip
    for end, value in expected.items():
        assert values(results, end) == [pytest.approx(value, rel=0.01)] * 8, end
    assert [abs(value or 0) for value in values(results, "torque_peak")] == [pytest.approx(10.0, rel=0.01)] * 8
    assert {r.quality for r in results} == {"ok"}
    first = next(r for r in results if r.metric == "exo_knee_work_pos")
    assert first.side == "left"
    assert (first.start_s, first.end_s) == pytest.approx((51.25, 52.5), abs=0.01)


@given(st.lists(st.integers(0, 700), max_size=12).map(sorted), st.integers(0, 2**31))
def test_any_chunking_gives_the_same_bits_whatever_is_lost(cuts: list[int], seed: int) -> None:
    times, samples = walking(7.0)
    chance = np.random.default_rng(seed)
    samples[chance.random(samples.shape) < 0.02] = np.nan
    kept = chance.random(len(times)) >= 0.02
    times, samples = times[kept], samples[kept]
    whole = results_of(times, samples)
    pieces = ExoskeletonStrides(CHANNELS)
    got: list[Result] = []
    for begin, end in zip([0, *cuts], [*cuts, None], strict=True):
        got += pieces.add(times[begin:end], samples[begin:end])
    assert got + pieces.finish() == whole


@given(st.integers(130, 900), st.integers(1, 60), st.booleans())
def test_a_gap_shifts_no_stride(at: int, lost: int, whole_samples: bool) -> None:
    times, samples = walking(12.0)
    true = {round(r.start_s, 2): r.value for r in results_of(times, samples) if r.metric == "exo_knee_work_pos"}
    if whole_samples:
        keep = np.r_[0:at, at + lost : len(times)]
        times, samples = times[keep], samples[keep]
    else:
        samples[at : at + lost] = np.nan
    own = [r for r in results_of(times, samples) if r.metric == "exo_knee_work_pos"]
    assert len(own) >= len(true) - 2
    for r in own:
        assert r.end_s - r.start_s == pytest.approx(STRIDE_S, abs=0.02)
        if r.value is not None:
            near = min(true, key=lambda start_s: abs(start_s - r.start_s))
            assert near == pytest.approx(r.start_s, abs=0.02)
            assert r.value == pytest.approx(true[near], rel=0.03)
            assert (r.quality, r.reason) in (("ok", ""), ("degraded", "short gaps bridged"))
        else:
            assert (lost > 3, r.quality, r.reason) == (True, "invalid", "samples lost")


def test_torque_alone_gives_no_work_but_a_reason() -> None:
    results = results_of(walking(6.0)[0], without(walking(6.0)[1], "left_knee_angle", "left_knee_velocity"))
    assert {r.metric for r in results if r.value is not None and r.side == "left"} == {
        "exo_knee_torque_peak", "exo_knee_torque_rms", "exo_knee_interaction_torque_peak",
    }  # fmt: skip
    work = [r for r in results if r.metric in ("exo_knee_work_pos", "exo_knee_work_neg")]
    assert len(work) == 6
    assert {(r.value, r.quality, r.reason) for r in work} == {(None, "invalid", "joint angle not told")}


def test_velocity_follows_from_the_angle_where_the_device_has_none() -> None:
    times, samples = walking(8.0)
    by_angle = values(results_of(times, without(samples, "left_knee_velocity")), "work_pos")
    assert by_angle == [pytest.approx(value, rel=0.01) for value in values(results_of(times, samples), "work_pos")]


def test_stance_and_swing_do_where_no_share_of_the_stride_is_known() -> None:
    times, samples = walking(12.0)
    by_state = values(results_of(times, without(samples, "left_gait_phase")), "work_pos")
    assert by_state == [pytest.approx(value, rel=0.02) for value in values(results_of(times, samples), "work_pos")]


def test_without_any_word_of_its_gait_there_is_no_stride_and_no_step() -> None:
    results = results_of(walking(12.0)[0], without(walking(12.0)[1], "left_gait_phase", "left_gait_state"))
    assert {r.metric for r in results} == {"exo_up_time"}


def test_who_stands_makes_no_stride() -> None:
    _, samples = walking(6.0)
    at, phase = 300, CHANNELS.index("left_gait_phase")
    stood = np.repeat(samples[at : at + 1], 250, axis=0)
    stood[:, phase], stood[:, phase + 1] = 0.0, 1.0
    joined = np.concatenate([samples[:at], stood, samples[at:]])
    results = results_of(50.0 + np.arange(len(joined)) / RATE_HZ, joined)
    lasted = [r.end_s - r.start_s for r in results if r.metric == "exo_knee_work_pos"]
    assert lasted == [pytest.approx(STRIDE_S, abs=0.02)] * 2


def test_a_foot_that_is_put_down_again_has_failed() -> None:
    times = np.arange(300) / RATE_HZ
    state = np.ones(300)
    state[100:112] = 2.0
    state[200:240] = 2.0
    steps = LegSteps().process(times, np.full(300, np.nan), state)
    assert [(round(step.at_s, 3), step.failed) for step in steps] == [(1.115, True), (2.395, False)]
    broken_off = np.r_[np.linspace(0.0, 0.7, 100), np.zeros(50), np.linspace(0.6, 0.99, 50), np.full(20, 0.01)]
    steps = LegSteps().process(np.arange(220) / RATE_HZ, broken_off, np.full(220, np.nan))
    assert [step.failed for step in steps] == [True, False]


def test_who_sits_is_not_upright() -> None:
    times, samples = walking(20.0)
    samples[1000:, CHANNELS.index("left_knee_angle")] = 90.0
    (up,) = [r.value for r in results_of(times, samples) if r.metric == "exo_up_time"][-1:]
    bent = np.count_nonzero(samples[:, 0] >= 45.0) - 1000
    assert up == pytest.approx(10.0 - bent / RATE_HZ, abs=0.1)


def test_the_sums_of_a_session_that_was_interrupted_are_doubted() -> None:
    strides = ExoskeletonStrides(CHANNELS, None, "interrupted")
    results = strides.add(*walking(12.0)) + strides.finish()
    assert {(r.quality, r.reason) for r in results if r.side == "none"} == {("degraded", "interrupted")}
    assert {r.quality for r in results if r.side == "left"} == {"ok"}


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, 327.67])
def test_what_cannot_be_is_left_out(value: float) -> None:
    times, samples = walking(6.0)
    samples[300, CHANNELS.index("left_knee_torque")] = value
    results = results_of(times, samples)
    assert all(r.value is None or CATALOGUE[r.metric].plausible(r.value) for r in results)
    assert [r.quality for r in results if r.metric == "exo_knee_work_pos"] == ["ok", "degraded", "ok"]


@given(
    st.lists(st.one_of(st.floats(-1e3, 1e3), st.floats(), st.just(math.nan)), min_size=1, max_size=60),
    st.integers(1, 9),
)
def test_nothing_makes_it_raise(noise: list[float], every: int) -> None:
    times, samples = walking(6.0)
    flat = samples.ravel()
    flat[::every] = np.resize(noise, len(flat[::every]))
    strides = ExoskeletonStrides(CHANNELS)
    for r in strides.add(times, samples) + strides.finish():
        assert (r.value is None) == (r.quality == "invalid")
        assert r.value is None or math.isfinite(r.value)
    for curve in strides.curves:
        assert np.abs(curve.mean).max() < 1e4


def test_the_positive_part_of_a_line_that_crosses_zero() -> None:
    assert integral_of_positive(np.array([0.0, 1.0]), np.array([-1.0, 3.0])) == pytest.approx(3 * 0.75 / 2)
    assert integral_of_positive(np.array([0.0, 2.0]), np.array([-1.0, -3.0])) == 0.0


def test_smoothing_keeps_a_parabola_and_takes_noise() -> None:
    x = np.linspace(0.0, 1.0, 101)
    parabola = x * (1 - x)
    assert smoothed(parabola, 8)[8:-8] == pytest.approx(parabola[8:-8])
    noise = np.random.default_rng(1).normal(size=4000)
    assert smoothed(noise, 8).std() < 0.45


def test_two_strides_of_which_one_contact_was_missed_are_none() -> None:
    share = np.linspace(0.0, 1.0, 50, endpoint=False)
    nothing = np.full(50, np.nan)
    assert is_a_stride(share, share, nothing)
    assert not is_a_stride(share, (2 * share) % 1.0, nothing)
    assert not is_a_stride(share, nothing, nothing)
    assert not is_a_stride(share, nothing, np.ones(50))


def test_metrics_are_in_the_catalogue() -> None:
    assert {m.id for m in (*EXOSKELETON_STRIDES, *EXOSKELETON_DOSE)} <= set(CATALOGUE)
