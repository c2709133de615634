"""The curves under the simulated body: smooth, exact in their derivatives, and quiet outside their knots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.body.curve import Curve

SOME = st.floats(-5, 5)
KNOTS = st.lists(st.tuples(st.floats(0.05, 2), SOME, SOME, SOME), min_size=2, max_size=8)


def curve_of(knots: list[tuple[float, float, float, float]]) -> tuple[Curve, float]:
    curve, time = Curve(0.0), 0.0
    for after, value, rate, accel in knots:
        time += after
        curve.knot(time, (value,), (rate,), (accel,))
    return curve, time


@settings(deadline=None)
@given(KNOTS)
def test_derivatives_are_those_of_the_value(knots: list[tuple[float, float, float, float]]) -> None:
    curve, end = curve_of(knots)
    starts = np.cumsum([0.0, *(k[0] for k in knots)])
    for start, length in zip(starts[:-1], np.diff(starts), strict=True):
        times, h = start + length * np.linspace(0.05, 0.95, 10), 1e-4 * length
        before, at, after = (curve.at(times + d) for d in (-h, 0.0, h))
        rate, accel = (after.value - before.value) / (2 * h), (after.rate - before.rate) / (2 * h)
        # Central differences are right to h^2 of the next but one derivative, of which a quintic has not much.
        np.testing.assert_allclose(rate, at.rate, atol=1e-5 * (1 + np.abs(at.rate).max() + np.ptp(at.value) / length))
        np.testing.assert_allclose(accel, at.accel, atol=1e-5 * (1 + np.abs(at.accel).max() + 100 / length**2))
    assert starts[-1] == end


@settings(deadline=None)
@given(KNOTS)
def test_knots_are_met_in_value_rate_and_acceleration(knots: list[tuple[float, float, float, float]]) -> None:
    curve, _ = curve_of(knots)
    times = np.cumsum([k[0] for k in knots])
    for side in (-1e-12, 0.0):
        state = curve.at(times[:-1] + side)
        for got, column in zip(state, (1, 2, 3), strict=True):
            np.testing.assert_allclose(got[:, 0], [k[column] for k in knots[:-1]], atol=1e-4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.05, 2), SOME), min_size=3, max_size=10))
def test_a_free_knot_is_at_rest_where_the_curve_turns_back(knots: list[tuple[float, float]]) -> None:
    curve, times = Curve(0.0), np.cumsum([t for t, _ in knots])
    for time, (_, value) in zip(times, knots, strict=True):
        curve.through(float(time), value)
    curve.rest(float(times[-1]) + 1, 0.0)
    values = [0.0, *(v for _, v in knots), 0.0]
    rates = curve.at(times).rate[:, 0]
    for before, at, after, rate in zip(values, values[1:], values[2:], rates, strict=False):
        if (at - before) * (after - at) <= 0:
            assert rate == 0
        else:
            assert np.sign(rate) == np.sign(after - before)


def test_it_stays_where_it_ends_and_began() -> None:
    curve = Curve(1.0)
    curve.rest(2.0, 1.0)
    curve.rest(3.0, 4.0)
    state = curve.at(np.array([-9.0, 0.0, 3.0, 99.0]))
    np.testing.assert_array_equal(state.value[:, 0], [1.0, 1.0, 4.0, 4.0])
    assert not state.rate.any()
    assert not state.accel.any()


def test_forgetting_changes_nothing_that_comes_after() -> None:
    curve = Curve(0.0)
    for k in range(1, 40):
        curve.through(float(k), float(k % 7))
    times = np.linspace(20.5, 38.0, 200)
    before = curve.at(times)
    curve.forget(20.5)
    curve.forget(20.5)
    for old, new in zip(before, curve.at(times), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(curve) == 20  # the knot before 20.5 and the nineteen after it


def test_time_runs_forwards() -> None:
    curve = Curve(0.0)
    curve.rest(1.0, 1.0)
    with pytest.raises(ValueError, match=r"a knot at 1\.0 s cannot follow"):
        curve.rest(1.0, 2.0)
