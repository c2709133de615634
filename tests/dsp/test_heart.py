from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.catalogue import CATALOGUE
from dsp.heart.heart import (
    HRV_EVERY_S,
    NO_CONTACT,
    NO_RATE,
    TOO_FEW,
    HeartMetrics,
    rmssd,
    sdnn,
)
from dsp.result import Result


def beats(rr_s: list[float], start_s: float = 0.0) -> tuple[list[float], list[float]]:
    """Arrival of each interval at the moment it ends."""
    return (start_s + np.cumsum(rr_s)).tolist(), rr_s


def last(results: list[Result], metric: str) -> Result:
    return [r for r in results if r.metric == metric][-1]


def test_golden_rmssd_and_sdnn() -> None:
    # By hand: differences 10, -20, 30, -10 ms; squares 100, 400, 900, 100; mean 375; root 19.364917 ms.
    rr = [0.800, 0.810, 0.790, 0.820, 0.810]
    assert rmssd(rr, [False, True, True, True, True]) * 1000 == pytest.approx(19.36491673)
    # Mean 806 ms; deviations -6, 4, -16, 14, 4; squares 36, 16, 256, 196, 16; sum 520 / 4 = 130; root 11.401754 ms.
    assert sdnn(rr) * 1000 == pytest.approx(11.40175425)
    assert math.isnan(rmssd([0.8], [True]))
    assert math.isnan(sdnn([0.8]))


def test_difference_across_a_break_does_not_count() -> None:
    assert rmssd([0.8, 0.9, 1.4, 0.8, 0.85], [False, True, False, False, True]) == pytest.approx(
        math.sqrt((0.1**2 + 0.05**2) / 2)
    )


def test_variability_of_an_alternating_rhythm() -> None:
    t, rr = beats([0.80, 0.84] * 300)
    results = HeartMetrics().add_intervals(t, rr, [True] * len(rr))
    minute, five = last(results, "hrv_rmssd"), last(results, "hrv_sdnn")
    assert minute.value == pytest.approx(40.0)
    assert five.value == pytest.approx(20.0, rel=0.01)
    assert minute.quality == five.quality == "ok"
    assert minute.end_s - minute.start_s == pytest.approx(60.0, abs=1.0)
    assert five.end_s - five.start_s == pytest.approx(300.0, abs=1.0)
    assert minute.end_s == pytest.approx(t[-1], abs=HRV_EVERY_S + 1.0)


def test_updates_come_at_most_every_five_seconds() -> None:
    t, rr = beats([0.5] * 200)
    results = [r for r in HeartMetrics().add_intervals(t, rr, [True] * 200) if r.metric == "hrv_rmssd"]
    gaps = np.diff([r.end_s for r in results])
    assert len(results) == pytest.approx(100.0 / HRV_EVERY_S, abs=1)
    assert gaps.min() >= HRV_EVERY_S - 1e-9


def test_an_extra_beat_is_left_out_and_counted() -> None:
    rhythm = [0.8] * 100
    rhythm[60:62] = [0.45, 1.15]  # a premature beat and its pause
    t, rr = beats(rhythm)
    result = last(HeartMetrics().add_intervals(t, rr, [True] * 100), "hrv_rmssd")
    assert result.n_rejected == 2
    assert result.value == pytest.approx(0.0, abs=1e-9)


def test_a_real_change_of_rate_is_followed() -> None:
    t, rr = beats([0.9] * 60 + [0.6] * 150)
    result = last(HeartMetrics().add_intervals(t, rr, [True] * 210), "hrv_rmssd")
    assert result.n_rejected == 0
    assert result.quality == "ok"


def test_a_window_that_is_not_full_is_degraded_and_too_few_beats_are_no_value() -> None:
    t, rr = beats([0.8] * 40)
    results = HeartMetrics().add_intervals(t, rr, [True] * 40)
    first, newest = next(r for r in results if r.metric == "hrv_rmssd"), last(results, "hrv_rmssd")
    assert (first.value, first.quality, first.reason) == (None, "invalid", TOO_FEW)
    assert newest.value is not None
    assert newest.quality == "degraded"
    assert "of 60 s" in newest.reason


def test_lost_contact_is_reported_and_breaks_the_chain() -> None:
    heart = HeartMetrics()
    t, rr = beats([0.8] * 100)
    heart.add_intervals(t, rr, [True] * 100)
    off, rr_off = beats([0.8] * 20, t[-1])
    results = heart.add_intervals(off, rr_off, [False] * 20)
    assert {(r.value, r.quality, r.reason) for r in results} == {(None, "invalid", NO_CONTACT)}
    on, rr_on = beats([1.2] * 30, off[-1])
    after = last(heart.add_intervals(on, rr_on, [True] * 30), "hrv_rmssd")
    assert after.value == pytest.approx(0.0, abs=1e-6)  # no difference between 0.8 and 1.2 s was taken
    assert after.n_rejected >= 20


def test_beat_times_do_not_jitter_with_the_radio() -> None:
    rng = np.random.default_rng(4)
    rr = (0.8 + 0.03 * rng.standard_normal(400)).tolist()
    true = np.cumsum(rr)
    arrival = np.maximum.accumulate(np.ceil(true) + rng.exponential(0.05, 400))  # one notification a second
    result = last(HeartMetrics().add_intervals(arrival, rr, [True] * 400), "hrv_rmssd")
    late = result.end_s - true[np.searchsorted(true, result.end_s - 0.4)]
    assert abs(late) < 0.25
    assert result.n_rejected < 5


def test_lost_intervals_are_not_bridged() -> None:
    rr = [0.8] * 60 + [0.9] * 60
    t = np.cumsum(rr)
    t[60:] += 10.0  # ten seconds of beats never arrived
    result = last(HeartMetrics().add_intervals(t, rr, [True] * 120), "hrv_rmssd")
    assert result.value == pytest.approx(0.0, abs=1e-9)


def test_heart_rate_is_passed_on_once_a_second_with_reasons() -> None:
    heart = HeartMetrics()
    t = np.arange(0.0, 10.0, 0.25)
    bpm = np.full(40, 72.0)
    bpm[20:24] = 0.0
    contact = np.full(40, True)
    contact[28:32] = False
    bpm[36:] = 400.0
    results = heart.add_rates(t, bpm, contact)
    assert len(results) == pytest.approx(10, abs=1)
    by_second = {int(r.start_s): r for r in results}
    assert by_second[2].value == 72.0
    assert (by_second[2].quality, by_second[2].metric) == ("ok", "heart_rate")
    assert (by_second[5].value, by_second[5].reason) == (None, NO_RATE)
    assert (by_second[7].value, by_second[7].reason) == (None, NO_CONTACT)
    assert (by_second[9].value, by_second[9].quality) == (None, "invalid")


def test_a_device_that_sends_each_second_is_never_skipped() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(100.0) + 0.2 * rng.random(100)
    assert len(HeartMetrics().add_rates(t, np.full(100, 60.0), np.full(100, True))) == 100


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)
rows = st.lists(st.tuples(st.floats(0.0, 3.0), st.one_of(numbers, st.floats(0.3, 1.5)), st.booleans()), max_size=120)


@given(rows, st.lists(st.integers(0, 120), max_size=6))
@settings(deadline=None, max_examples=60)
def test_any_chunking_gives_the_same_results_and_no_input_breaks_it(
    row: list[tuple[float, float, bool]], cuts: list[int]
) -> None:
    t = np.cumsum([r[0] for r in row])
    values = np.array([r[1] for r in row])
    contact = np.array([r[2] for r in row], bool)
    whole, parts = HeartMetrics(), HeartMetrics()
    at_once = whole.add_intervals(t, values, contact) + whole.add_rates(t, 60.0 * values, contact)
    edges = [0, *sorted(min(c, len(row)) for c in cuts), len(row)]
    beats_in_parts: list[Result] = []
    rates_in_parts: list[Result] = []
    for a, b in pairwise(edges):
        beats_in_parts += parts.add_intervals(t[a:b], values[a:b], contact[a:b])
        rates_in_parts += parts.add_rates(t[a:b], 60.0 * values[a:b], contact[a:b])
    assert at_once == beats_in_parts + rates_in_parts
    for result in at_once:
        assert (result.value is None) == (result.quality == "invalid")
        assert result.value is None or CATALOGUE[result.metric].plausible(result.value)
        assert bool(result.reason) == (result.quality != "ok")
