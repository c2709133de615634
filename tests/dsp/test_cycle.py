from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.joints.cycle import POINTS, WAITING, Cycles, MeanCurve, Stride, StrideCurve, stride_curve

TIME_S = np.arange(0.0, 12.0, 0.01)
STRIDES = [Stride(1.004 + k, 2.004 + k, 1.604 + k) for k in range(9)]


def wave(time_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(30.0 * np.sin(2 * np.pi * (time_s - 1.004)) + time_s)


def test_a_ramp_by_hand() -> None:
    found = stride_curve(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 10.0, 20.0, 0.0]), Stride(0.5, 2.5, 1.5), 1.0)
    assert found.curve.shape == (POINTS,)
    assert found.curve[[0, 25, 75, 100]].tolist() == [5.0, 10.0, 20.0, 10.0]
    assert (found.n, found.low, found.high, found.range, found.swing_high) == (2, 5.0, 20.0, 15.0, 20.0)


def test_peaks_come_from_samples_and_ends_not_from_the_grid() -> None:
    time_s = np.arange(0.0, 9.0, 0.001)
    value = np.where(np.arange(len(time_s)) == 4321, 50.0, 0.0)
    assert stride_curve(time_s, value, Stride(0.5, 8.5), 0.1).high == 50.0


def test_swing_is_unknown_without_final_contact() -> None:
    assert math.isnan(stride_curve(TIME_S, wave(TIME_S), Stride(1.0, 2.0), 0.1).swing_high)


@pytest.mark.parametrize("stride", [Stride(-1.0, 1.0), Stride(11.0, 13.0), Stride(2.0, 2.0)])
def test_a_stride_without_samples_has_no_curve(stride: Stride) -> None:
    found = stride_curve(TIME_S, wave(TIME_S), stride, 0.1)
    assert found.n == 0
    assert np.isnan(found.curve).all()


def test_a_gap_breaks_the_strides_it_touches_and_no_other() -> None:
    kept = (TIME_S < 3.2) | (TIME_S > 3.5)
    cycles = Cycles()
    found = cycles.process(TIME_S[kept], wave(TIME_S[kept]), STRIDES)
    assert [curve.n > 0 for curve in found] == [k != 2 for k in range(len(STRIDES))]


def test_mean_and_sd_are_those_of_the_newest_strides() -> None:
    newest = MeanCurve(keep=4)
    curves = [curve.curve for curve in Cycles().process(TIME_S, wave(TIME_S), STRIDES)]
    for again in range(2):
        assert newest.n == 0
        assert np.isnan(newest.mean).all()
        assert np.isnan(newest.sd).all()
        for curve in curves[again:]:
            newest.learn(curve)
        assert newest.n == 4
        np.testing.assert_allclose(newest.mean, np.mean(curves[-4:], axis=0), atol=1e-12)
        np.testing.assert_allclose(newest.sd, np.std(curves[-4:], axis=0, ddof=1), atol=1e-9)
        newest.forget()


def identity(curves: list[StrideCurve]) -> list[tuple[Stride, bytes]]:
    return [(c.stride, c.curve.tobytes() + np.array([c.low, c.high, c.swing_high]).tobytes()) for c in curves]


@given(cuts=st.lists(st.integers(0, 1200), max_size=12), late=st.integers(0, 12))
@settings(deadline=None, max_examples=40)
def test_any_portions_give_the_same_curves(cuts: list[int], late: int) -> None:
    value = wave(TIME_S)
    whole, pieces = Cycles(), Cycles()
    expected = whole.process(TIME_S, value, STRIDES)
    found: list[StrideCurve] = []
    edges = [0, *sorted(cuts), len(TIME_S)]
    waiting = list(STRIDES)
    for k, (a, b) in enumerate(itertools.pairwise(edges)):
        now, waiting = (waiting, []) if k == late else ([], waiting)
        found += pieces.process(TIME_S[a:b], value[a:b], now)
    found += pieces.process(TIME_S[:0], value[:0], waiting)
    assert identity(found) == identity(expected)


def test_long_recordings_pass_through_a_bounded_buffer() -> None:
    time_s = np.arange(0.0, 200.0, 0.01)
    strides = [Stride(1.0 + k, 2.0 + k) for k in range(198)]
    cycles = Cycles()
    count = 0
    for a in range(0, len(time_s), 100):
        done = [s for s in strides if time_s[a] <= s.end_s < time_s[a] + 1.0]
        count += sum(c.n > 0 for c in cycles.process(time_s[a : a + 100], wave(time_s[a : a + 100]), done))
    assert count == 198
    assert cycles.lost == 0


def test_strides_that_get_no_samples_are_given_up() -> None:
    cycles = Cycles()
    assert cycles.process(TIME_S[:0], TIME_S[:0], [Stride(100.0 + k, 101.0 + k) for k in range(WAITING + 3)]) == []
    assert cycles.lost == 3


def test_nan_is_a_gap() -> None:
    value = wave(TIME_S)
    value[350] = np.nan
    found = Cycles().process(TIME_S, value, STRIDES)
    assert [curve.n > 0 for curve in found] == [k != 2 for k in range(len(STRIDES))]


def test_no_mean_over_nothing() -> None:
    with pytest.raises(ValueError, match="at least one stride"):
        MeanCurve(keep=0)
