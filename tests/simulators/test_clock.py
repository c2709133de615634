"""Device clocks: offset, drift, wander and power cuts, exactly invertible."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.sensing.clock import Clock


@settings(deadline=None)
@given(
    seed=st.integers(0, 1000),
    offset=st.floats(0, 1e6),
    drift=st.floats(-200, 200),
    wander=st.floats(0, 50),
)
def test_device_time_and_true_time_are_inverse(seed: int, offset: float, drift: float, wander: float) -> None:
    clock = Clock(seed, offset_s=offset, drift_ppm=drift, wander_ppm=wander)
    true = np.linspace(0, 86_400, 500)
    np.testing.assert_allclose(clock.true_s(clock.device_s(true)), true, atol=1e-8)


def test_offset_is_what_the_clock_says_at_the_beginning() -> None:
    assert Clock(offset_s=77.5, drift_ppm=30, wander_ppm=5).device_s(np.array([0.0]))[0] == 77.5


@pytest.mark.parametrize("ppm", [-50.0, 20.0, 100.0])
def test_drift_adds_up(ppm: float) -> None:
    hour = Clock(drift_ppm=ppm).device_s(np.array([3600.0]))[0]
    assert hour - 3600 == pytest.approx(3600 * ppm * 1e-6, rel=1e-9)


def test_wander_has_the_size_that_was_asked_for_and_comes_back() -> None:
    true = np.arange(0, 86_400.0, 10)
    rates = np.array([np.diff(Clock(seed, wander_ppm=8).device_s(true)) / 10 - 1 for seed in range(10)]) * 1e6
    assert rates.std() == pytest.approx(8, rel=0.05)
    assert abs(rates.mean()) < 0.5
    assert not np.array_equal(rates[0], rates[1])


def test_ticks_are_even_on_the_device_clock_and_not_on_the_true_one() -> None:
    clock = Clock(3, offset_s=5, drift_ppm=100)
    blocks = list(islice(clock.ticks(60), 50))
    true, device = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    np.testing.assert_allclose(device, 5 + np.arange(len(device)) / 60, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.diff(true), 1 / 60 / (1 + 1e-4), rtol=1e-6)
    np.testing.assert_allclose(clock.device_s(true), device, atol=1e-9)


def test_a_power_cut_starts_the_clock_again() -> None:
    clock = Clock(1, offset_s=100, drift_ppm=40, wander_ppm=3, resets_s=(10.0, 30.0), reboot_s=2.0)
    ticks = clock.ticks(50)
    true, device = (np.concatenate(parts) for parts in zip(*islice(ticks, 40), strict=True))
    assert np.all(np.diff(true) > 0)
    back = np.flatnonzero(np.diff(device) < 0)
    np.testing.assert_allclose(device[back + 1], 0)
    np.testing.assert_allclose(true[back + 1], [12.0, 32.0])
    assert not np.any((true >= 10) & (true < 12))
    assert np.isnan(clock.device_s(np.array([11.0]))[0])
    np.testing.assert_allclose(clock.device_s(true), device, atol=1e-9)


@pytest.mark.parametrize(
    "wrong", [{"drift_ppm": 20_000}, {"resets_s": (5.0, 5.5)}, {"resets_s": (9.0, 3.0)}, {"resets_s": (0.0,)}]
)
def test_impossible_clocks_are_refused(wrong: dict[str, float | tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match=r"clock|resets_s"):
        Clock(**wrong)  # type: ignore[arg-type] # the point of the test
