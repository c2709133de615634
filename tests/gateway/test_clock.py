import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import NS, ClockMap, Unwrapper

DOT = (1e6, 32)
SHIMMER = (32768.0, 24)


def feed(unwrapper: Unwrapper, ticks: np.ndarray, arrival_s: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, int]:
    out: list[np.ndarray] = []
    resets = at = 0
    arrival = np.round(arrival_s * NS).astype(np.int64)
    while at < len(ticks):
        size = sizes[len(out) % len(sizes)]
        got = unwrapper.push(ticks[at : at + size], arrival[at : at + size])
        out.append(got.ticks)
        resets += got.reset_at is not None
        at += size
    return np.concatenate(out), resets


@pytest.mark.parametrize(("tick_hz", "bits"), [DOT, SHIMMER])
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 2**31))
def test_wraps_are_unwrapped_in_any_chunking(tick_hz: float, bits: int, sizes: list[int], first: int) -> None:
    true = first + np.round(np.arange(400) * tick_hz * 3.0).astype(np.int64)  # 20 min at one sample in 3 s
    arrival = (true - true[0]) / tick_hz + 0.02
    out, resets = feed(Unwrapper(tick_hz, bits), true % 2**bits, arrival, sizes)
    assert resets == 0
    assert np.array_equal(np.diff(out), np.diff(true))


def test_wraps_that_pass_in_silence_are_restored_from_arrival() -> None:
    true = np.array([0, 100, 32768 * 2000, 32768 * 2000 + 640], np.int64)  # 2,000 s is nearly four wraps of 512 s
    out, resets = feed(Unwrapper(*SHIMMER), true % 2**24, true / 32768 + 0.1, [1])
    assert resets == 0
    assert np.array_equal(np.diff(out), np.diff(true))


def test_a_clock_that_starts_again_is_a_reset_and_time_goes_on_from_arrival() -> None:
    ticks = np.array([5_000_000, 5_016_667, 100, 16_767], np.int64)
    arrival = np.array([10.0, 10.0167, 12.5, 12.5167])
    out, resets = feed(Unwrapper(*DOT), ticks, arrival, [4])
    assert resets == 1
    assert np.diff(out)[1] == pytest.approx(2.4833e6, rel=1e-3)
    assert np.diff(out)[2] == 16_667


def test_repeated_and_overtaken_samples_are_dropped() -> None:
    ticks = np.array([1000, 17667, 17667, 1000, 34334], np.int64)
    arrival = np.array([1.0, 1.0167, 1.0168, 1.0169, 1.034])
    got = Unwrapper(*DOT).push(ticks, np.round(arrival * NS).astype(np.int64))
    assert got.keep.tolist() == [True, True, False, False, True]
    assert got.reset_at is None


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 40.0])
def test_drift_and_offset_are_found_through_one_sided_radio_delay(ppm: float) -> None:
    rng = np.random.default_rng(1)
    true = np.arange(0, 180, 1 / 60)
    device = 1234.5 + true * (1 + ppm * 1e-6)
    arrival = true + 0.004 + rng.exponential(0.010, len(true))
    clock = ClockMap()
    for a in range(0, len(true), 3):
        clock.push(device[a : a + 3], arrival[a : a + 3])
    late = clock.to_gateway(device[-600:]) - true[-600:]
    assert abs(late.mean() - 0.004) < 0.001  # the smallest latency cannot be seen from here and stays
    assert clock.fit is not None
    assert clock.fit.skew == pytest.approx(-ppm * 1e-6, abs=6e-6)
    assert clock.fit.uncertainty_s < 0.002


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_the_map_does_not_depend_on_the_packets(sizes: list[int]) -> None:
    rng = np.random.default_rng(2)
    device = np.arange(0, 40, 1 / 50)
    arrival = device + 7.0 + rng.exponential(0.01, len(device))
    whole, parts = ClockMap(), ClockMap()
    whole.push(device, arrival)
    at = i = 0
    while at < len(device):
        size = sizes[i % len(sizes)]
        parts.push(device[at : at + size], arrival[at : at + size])
        at, i = at + size, i + 1
    assert whole.fit == parts.fit


def test_before_the_first_sample_there_is_no_map() -> None:
    with pytest.raises(ValueError, match="no sample"):
        ClockMap().to_gateway(np.zeros(1))
