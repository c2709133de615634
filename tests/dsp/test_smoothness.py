"""Smoothness against golden values, and what it must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.smoothness import log_dimensionless_jerk, log_dimensionless_jerk_acc, rotations, sparc, speed_like
from tests.dsp import smoothness_reference

RATES_HZ = (50, 100, 200, 400)


def minimum_jerk(rate_hz: int) -> NDArray[np.float64]:
    """Return the speed of a minimum-jerk movement of 1 m in 1 s (Flash & Hogan 1985)."""
    t = np.arange(rate_hz) / rate_hz
    return 30 * t**2 - 60 * t**3 + 30 * t**4


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_golden_spectral_arc_length(rate_hz: int) -> None:
    once = minimum_jerk(rate_hz)
    assert sparc(once, rate_hz) == pytest.approx(-1.40583, abs=1e-5)
    assert sparc(np.concatenate([once, once]), rate_hz) == pytest.approx(-2.24455, abs=1e-5)


@pytest.mark.parametrize(
    ("rate_hz", "value"), list(zip(RATES_HZ, (-5.13086, -5.22414, -5.27255, -5.29716), strict=True))
)
def test_golden_log_dimensionless_jerk(rate_hz: int, value: float) -> None:
    assert log_dimensionless_jerk(minimum_jerk(rate_hz), rate_hz) == pytest.approx(value, abs=1e-5)


def test_log_dimensionless_jerk_tends_to_the_analytic_value() -> None:
    analytic = -math.log(720 / 1.875**2)
    errors = [abs(log_dimensionless_jerk(minimum_jerk(rate), rate) - analytic) for rate in (100, 1_000, 10_000)]
    assert errors[0] > 9 * errors[1] > 81 * errors[2]


@pytest.mark.parametrize(("rate_hz", "tolerance"), [(100, 0.08), (1_000, 0.008), (10_000, 0.0008)])
def test_log_dimensionless_jerk_of_acceleration_tends_to_the_analytic_value(rate_hz: int, tolerance: float) -> None:
    """Minimum jerk of 1 m in 1 s: a_peak = 10 / √3, integral of jerk² = 720 (Flash & Hogan 1985)."""
    t = np.arange(rate_hz + 1) / rate_hz
    acceleration = 60 * t - 180 * t**2 + 120 * t**3
    along = np.outer(acceleration, (0.6, 0.0, 0.8)) + np.array([0.0, 9.81, 0.0])
    analytic = -math.log(720 / (100 / 3))
    assert log_dimensionless_jerk_acc(along, rate_hz) == pytest.approx(analytic, abs=tolerance)


def test_jerk_of_acceleration_does_not_depend_on_axes_units_or_gravity() -> None:
    rng = np.random.default_rng(1)
    acc = np.cumsum(rng.normal(size=(200, 3)), axis=0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    value = log_dimensionless_jerk_acc(acc, 100)
    assert log_dimensionless_jerk_acc(7 * acc @ turn + 9.81, 100) == pytest.approx(value)
    assert log_dimensionless_jerk_acc(acc, 50) == pytest.approx(value)
    assert log_dimensionless_jerk_acc(acc + rng.normal(size=(200, 3)), 100) < value


@given(n=st.integers(2, 120), rate_hz=st.sampled_from((60.0, 100.0, 104.0)), seed=st.integers(0, 1000))
def test_the_compiled_loops_give_what_numpy_gives(n: int, rate_hz: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    speed, acc = np.abs(np.cumsum(rng.normal(size=n))), np.cumsum(rng.normal(size=(n, 3)), axis=0)
    assert sparc(speed, rate_hz) == pytest.approx(smoothness_reference.sparc(speed, rate_hz), rel=1e-9, nan_ok=True)
    expected = smoothness_reference.log_dimensionless_jerk_acc(acc, rate_hz)
    assert log_dimensionless_jerk_acc(acc, rate_hz) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("acc", [np.zeros((0, 3)), np.ones((50, 3)), np.full((50, 3), np.nan)])
def test_an_acceleration_that_tells_nothing_has_no_smoothness(acc: NDArray[np.float64]) -> None:
    assert math.isnan(log_dimensionless_jerk_acc(acc, 100.0))


def test_what_is_smooth_of_an_acceleration() -> None:
    """A sensor's size of force beside gravity, whichever way it is turned (Balasubramanian 2015)."""
    assert speed_like(np.array([[0, 0, 9.80665], [0, 11.80665, 0], [-7.80665, 0, 0]])) == pytest.approx([0, 2, 2])


@given(unit=st.floats(1e-3, 1e3), rate_hz=st.sampled_from(RATES_HZ))
def test_the_unit_of_speed_does_not_matter(unit: float, rate_hz: int) -> None:
    speed = minimum_jerk(rate_hz)
    assert sparc(unit * speed, rate_hz) == pytest.approx(sparc(speed, rate_hz))
    assert log_dimensionless_jerk(unit * speed, rate_hz) == pytest.approx(log_dimensionless_jerk(speed, rate_hz))


@given(stretch=st.sampled_from((2, 4, 8)))
def test_a_slower_movement_of_the_same_shape_is_as_smooth(stretch: int) -> None:
    """The same samples at a lower rate; the band must hold them all."""
    speed = minimum_jerk(400)
    assert log_dimensionless_jerk(speed, 400 / stretch) == pytest.approx(log_dimensionless_jerk(speed, 400))
    assert sparc(speed, 400 / stretch) == pytest.approx(sparc(speed, 400))


@pytest.mark.parametrize("speed", [[], [0.0] * 50, [math.nan] * 50, [1.0, math.inf, 1.0]])
def test_what_is_no_movement_has_no_smoothness(speed: list[float]) -> None:
    assert math.isnan(sparc(speed, 100.0))
    assert math.isnan(log_dimensionless_jerk(speed, 100.0))


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_that_is_none_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="rate_hz"):
        sparc([1.0, 2.0], rate_hz)


@pytest.mark.parametrize("circle", [4, 16, 2048, 1 << 14])
def test_rotations_are_those_of_the_circle(circle: int) -> None:
    cosines, sines = rotations(circle, circle)
    angles = 2 * np.pi * np.arange(circle) / circle
    assert np.abs(cosines - np.cos(angles)).max() < 1e-14
    assert np.abs(sines - np.sin(angles)).max() < 1e-14


def test_a_speed_with_a_sign_is_refused_in_words() -> None:
    """By the sum of its samples, which may be 0, its arc was as long as anything: -2.6e16."""
    for speed in (np.sin(np.linspace(0.0, 2.0 * np.pi, 200)), [1.0, -1.0]):
        with pytest.raises(ValueError, match="must be a magnitude"):
            sparc(speed, 100.0)


def test_an_acceleration_of_no_samples_has_no_jerk_and_one_without_axes_is_refused() -> None:
    assert math.isnan(log_dimensionless_jerk_acc([], 100.0))
    with pytest.raises(ValueError, match=r"\(n, axes\)"):
        log_dimensionless_jerk_acc([1.0, 2.0, 3.0], 100.0)
