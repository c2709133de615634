from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.kernel import kernel
from gateway.clocks.device_clock import (
    CLOCK,
    FIRST_UNCERTAINTY_S,
    MAX_SKEW,
    NS,
    REPEATED,
    RESTARTED,
    see,
    to_gateway,
    unwrap,
)

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

DOT = (1e6, 32)
SHIMMER = (32768.0, 24)


@kernel
def unwrap_all(rows: Any, ticks: Ints, arrival_ns: Ints, code: Ints, unwrapped: Ints) -> None:
    for i in range(len(ticks)):
        code[i] = unwrap(rows[0], ticks[i], arrival_ns[i])
        unwrapped[i] = rows[0].unwrapped


@kernel
def see_all(rows: Any, device_s: Floats, arrival_s: Floats) -> None:
    for i in range(len(device_s)):
        see(rows[0], device_s[i], arrival_s[i])


@kernel
def map_all(rows: Any, device_s: Floats, out: Floats) -> None:
    for i in range(len(device_s)):
        out[i] = to_gateway(device_s[i], rows[0].reference_s, rows[0].offset_s, rows[0].skew)


def clock(tick_hz: float = 1.0, tick_bits: int = 32) -> Any:
    rows: Any = np.zeros(1, CLOCK).view(np.recarray)
    rows["tick_hz"], rows["modulus"] = tick_hz, 1 << tick_bits
    return rows


def place(rows: Any, ticks: Ints, arrival_s: Floats) -> tuple[Ints, Ints]:
    """Unwrap; return what was said of each sample, and the unwrapped ticks of those that count."""
    code, unwrapped = np.zeros((2, len(ticks)), np.int64)
    unwrap_all(rows, ticks, np.round(arrival_s * NS).astype(np.int64), code, unwrapped)
    return code, unwrapped[code != REPEATED]


@pytest.mark.parametrize(("tick_hz", "bits"), [DOT, SHIMMER])
@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**31))
def test_wraps_are_unwrapped(tick_hz: float, bits: int, first: int) -> None:
    true = first + np.round(np.arange(400) * tick_hz * 3.0).astype(np.int64)  # 20 min at one sample in 3 s
    arrival = (true - true[0]) / tick_hz + 0.02
    code, out = place(clock(tick_hz, bits), true % 2**bits, arrival)
    assert RESTARTED not in code
    assert np.array_equal(np.diff(out), np.diff(true))


def test_wraps_that_pass_in_silence_are_restored_from_arrival() -> None:
    true = np.array([0, 100, 32768 * 2000, 32768 * 2000 + 640], np.int64)  # 2,000 s is nearly four wraps of 512 s
    code, out = place(clock(*SHIMMER), true % 2**24, true / 32768 + 0.1)
    assert RESTARTED not in code
    assert np.array_equal(np.diff(out), np.diff(true))


def test_a_clock_that_starts_again_is_a_reset_and_time_goes_on_from_arrival() -> None:
    ticks = np.array([5_000_000, 5_016_667, 100, 16_767], np.int64)
    arrival = np.array([10.0, 10.0167, 12.5, 12.5167])
    code, out = place(clock(*DOT), ticks, arrival)
    assert np.flatnonzero(code == RESTARTED).tolist() == [2]
    assert np.diff(out)[1] == pytest.approx(2.4833e6, rel=1e-3)
    assert np.diff(out)[2] == 16_667


def test_repeated_and_overtaken_samples_are_dropped() -> None:
    ticks = np.array([1000, 17667, 17667, 1000, 34334], np.int64)
    arrival = np.array([1.0, 1.0167, 1.0168, 1.0169, 1.034])
    code, _ = place(clock(*DOT), ticks, arrival)
    assert (code == REPEATED).tolist() == [False, False, True, True, False]
    assert RESTARTED not in code


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 40.0])
def test_drift_and_offset_are_found_through_one_sided_radio_delay(ppm: float) -> None:
    rng = np.random.default_rng(1)
    true = np.arange(0, 180, 1 / 60)
    device = 1234.5 + true * (1 + ppm * 1e-6)
    arrival = true + 0.004 + rng.exponential(0.010, len(true))
    rows = clock()
    see_all(rows, device, arrival)
    mapped = np.empty(600)
    map_all(rows, device[-600:], mapped)
    late = mapped - true[-600:]
    assert abs(late.mean() - 0.004) < 0.001  # the smallest latency cannot be seen from here and stays
    assert rows["skew"][0] == pytest.approx(-ppm * 1e-6, abs=6e-6)
    assert rows["uncertainty_s"][0] < 0.002


def envelope(seconds: Floats, delay_s: Floats) -> tuple[float, float, float]:
    """Return offset at the middle, skew and spread of closed buckets, in plain numpy: the highest line below."""
    middle = seconds.mean()
    slopes = np.linspace(-MAX_SKEW, MAX_SKEW, 6001)
    height = [(delay_s - slope * (seconds - middle)).min() for slope in slopes]
    skew = slopes[int(np.argmax(height))]
    above = delay_s - skew * (seconds - middle)
    return above.min(), skew, max(float(np.median(above - above.min())), FIRST_UNCERTAINTY_S / len(seconds))


@pytest.mark.parametrize("ppm", [-150.0, 20.0])
def test_the_line_is_the_highest_below_the_envelope(ppm: float) -> None:
    rng = np.random.default_rng(3)
    device = 0.5 + np.arange(60.0)  # one point a bucket; the last stays open
    arrival = device * (1 - ppm * 1e-6) + 40.0 + rng.exponential(0.01, len(device))
    rows = clock()
    see_all(rows, device, arrival)
    offset, skew, spread = envelope(device[:-1], (arrival - device)[:-1])
    if (arrival - device)[-1] > offset + skew * (device[-1] - device[:-1].mean()):  # else it has lowered the line
        assert rows["offset_s"][0] == pytest.approx(offset, abs=1e-5)
    assert rows["skew"][0] == pytest.approx(skew, abs=2e-7)
    assert rows["uncertainty_s"][0] == pytest.approx(spread, abs=1e-5)
