"""Timed tests of transfers as metrics: what a session of one gives, with and without marks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.transfers.found import ESTIMATED
from dsp.transfers.measured import MARKS_ALONE, NOTHING, PHASES, TUG_METRICS, TransferTest
from tests.dsp.chair_body import RATE_HZ, ChairBody, Signal


def run(
    signal: Signal, word: str, *, marks: tuple[tuple[float, str, float], ...] = (), chunk: int = 100, **known: Any
) -> dict[str, list[Found]]:
    """Return what a session gives by metric; ``marks`` are made at a sample, and say a sample."""
    test = TransferTest(RATE_HZ, known.pop("placement", "lower_back"), word, **known)
    found: list[Found] = []
    waiting = sorted(marks)
    for begin in range(0, len(signal.numbers), chunk):
        while waiting and waiting[0][0] <= signal.numbers[begin]:
            _, text, at = waiting.pop(0)
            test.mark(text, at)
        found += test.process(*(part[begin : begin + chunk] for part in signal))
    for _, text, at in waiting:
        test.mark(text, at)
    found += test.finish()
    metrics: dict[str, list[Found]] = {}
    for one in found:
        assert one.metric in CATALOGUE
        metrics.setdefault(one.metric, []).append(one)
    return metrics


def test_a_session_of_the_test_gives_its_total_and_phases_once() -> None:
    body = ChairBody(seed=1).tug(1.3)
    found = run(body.sensed("lower_back"), "tug", mass_kg=70.0)
    (total,) = found["tug_total"]
    assert total.value == pytest.approx((body.truth[-1].end - body.truth[0].start) / RATE_HZ, abs=0.25)
    assert (total.quality, total.reason) == ("ok", "")
    assert (total.first, total.last) == pytest.approx((body.truth[0].start, body.truth[-1].end), abs=20)
    phases = [found[f"tug_{phase}"][0].value for phase in PHASES]
    assert sum(value or math.nan for value in phases) == pytest.approx(total.value)
    (power,) = found["sit_to_stand_power"]
    assert power.value is not None
    assert power.value > 100
    assert found["sit_to_stand_lean"][0].value == pytest.approx(38, abs=6)


@pytest.mark.parametrize("placement", ["thigh"])
def test_a_limb_estimates_where_a_test_begins_and_says_so(placement: Any) -> None:
    body = ChairBody(seed=1).tug(1.3)
    found = run(body.sensed(placement), "tug", placement=placement)
    for metric in ("tug_total", "tug_sit_to_stand", "tug_turn_to_sit", "sit_to_stand_time", "stand_to_sit_time"):
        assert {(one.quality, ESTIMATED[placement] in one.reason) for one in found[metric]} == {("degraded", True)}
    assert {one.quality for one in found["tug_turn_180"]} == {"ok"}
    begin, end = body.truth[0].start - 40, body.truth[-1].end + 30
    marks = ((begin, "start", begin), (end, "stop", end))
    marked = run(body.sensed(placement), "tug", placement=placement, marks=marks)["tug_total"][-1]
    assert (marked.quality, marked.reason) == ("ok", "")


def test_marks_go_before_what_was_found() -> None:
    body = ChairBody(seed=2).tug()
    begin, end = body.truth[0].start - 40, body.truth[-1].end + 30
    for late in (0, 150):
        marks = ((begin + late, "start", begin), (end + late, "stop", end))
        total = run(body.sensed("lower_back"), "tug", marks=marks)["tug_total"][-1]
        assert total.value == pytest.approx((end - begin) / RATE_HZ)
        assert (total.first, total.last) == (begin, end)


def test_what_lies_before_the_start_is_another_test() -> None:
    body = ChairBody(seed=3).tug()
    first = body.at
    body.tug()
    found = run(body.sensed("chest"), "tug", placement="chest", marks=((first, "start", first),))
    assert len(found["tug_total"]) == 2
    assert found["tug_total"][-1].first == first


def test_a_test_whose_parts_are_not_found_is_what_its_marks_give_or_nothing() -> None:
    still = ChairBody(seed=4).rest(12)
    marks = ((200.0, "start", 200.0), (900.0, "stop", 900.0))
    (total,) = run(still.sensed("chest"), "tug", placement="chest", marks=marks)["tug_total"]
    assert (total.value, total.quality, total.reason) == (7.0, "degraded", MARKS_ALONE)
    found = run(still.sensed("chest"), "tug", placement="chest")
    assert set(found) == set(TUG_METRICS)
    assert {(one.value, one.quality, one.reason) for (one,) in found.values()} == {(None, "invalid", NOTHING)}


@pytest.mark.parametrize(("word", "metric", "expected"), [("30scst", "sts30_reps", 13), ("1msts", "sts60_reps", 25)])
def test_repetitions_are_counted_until_the_bell(word: str, metric: str, expected: int) -> None:
    body = ChairBody(seed=5).chair_stands(30, 1.0, 1.0, 0.2)
    begin, seconds = body.truth[0].start, 30 if word == "30scst" else 60
    middles = [(span.start + span.end) / 2 for span in body.truth if span.kind == "sit_to_stand"]
    assert sum(middle <= begin + seconds * RATE_HZ for middle in middles) == expected
    for placement in ("lower_back", "thigh"):
        (count,) = run(body.sensed(placement), word, placement=placement)[metric]
        assert count.value == expected


def test_five_times_takes_from_the_first_rise_to_the_seat_after_the_fifth() -> None:
    body = ChairBody(seed=6).chair_stands(5)
    (time,) = run(body.sensed("lower_back"), "5xsts")["sts5_time"]
    assert time.value == pytest.approx((body.truth[-1].end - body.truth[0].start) / RATE_HZ, abs=0.2)
    assert time.n == 5
    (none,) = run(ChairBody(seed=6).chair_stands(4).sensed("lower_back"), "5xsts")["sts5_time"]
    assert (none.value, none.reason) == (None, "4 repetitions were found, and not five")


@pytest.mark.parametrize("word", ["tug", "5xsts"])
def test_a_time_is_that_from_its_start_to_its_end_however_late_somebody_stops(word: str) -> None:
    """Who corrects a start by hand keeps the end: it has to be that of the test, and not that of the session."""
    body = ChairBody(seed=6)
    body = (body.tug() if word == "tug" else body.chair_stands(5)).rest(20).chair_stands(2)
    begin = body.truth[0].start - 20.0
    metric = "tug_total" if word == "tug" else "sts5_time"
    for marks in ((), ((begin, "start", begin),)):
        (time,) = run(body.sensed("lower_back"), word, marks=marks)[metric]
        assert time.value == pytest.approx((time.last - time.first) / RATE_HZ)


def test_an_interrupted_session_degrades_everything() -> None:
    found = run(ChairBody(seed=7).tug().sensed("lower_back"), "tug", doubt="interrupted")
    assert {one.quality for metric in found.values() for one in metric} == {"degraded"}


@pytest.mark.parametrize("chunk", [1, 33, 4000])
def test_any_chunking_gives_the_same(chunk: int) -> None:
    signal = ChairBody(seed=8).tug().sensed("thigh", lost=0.02)
    assert repr(run(signal, "tug", placement="thigh", chunk=chunk)) == repr(run(signal, "tug", placement="thigh"))


def test_a_sensor_that_says_nothing_gives_no_value() -> None:
    nothing = Signal(np.arange(1000), np.full((1000, 3), np.nan), np.full((1000, 3), np.nan))
    assert run(nothing, "tug")["tug_total"][0].value is None
    assert run(nothing, "30scst")["sts30_reps"][0].value == 0


def test_a_stop_and_the_next_start_within_the_same_second_lose_no_test() -> None:
    body = ChairBody(seed=5).chair_stands(30, 1.0, 1.0, 0.2)
    begin = body.truth[0].start - 20.0
    end = begin + 31 * RATE_HZ
    marks = ((begin, "start", begin), (end, "stop", end), (end, "start", end + 20.0))
    counts = run(body.sensed("lower_back"), "30scst", marks=marks)["sts30_reps"]
    assert [(one.first, one.quality) for one in counts] == [(begin, "ok"), (end + 20.0, "degraded")]


def test_a_second_start_ends_the_test_before_it_and_one_that_is_pressed_twice_makes_none() -> None:
    body = ChairBody(seed=5).chair_stands(30, 1.0, 1.0, 0.2)
    begin = body.truth[0].start - 20.0
    marks = ((begin - 10, "start", begin - 10), (begin, "start", begin), (begin + 3200.0, "start", begin + 3200.0))
    counts = run(body.sensed("lower_back"), "30scst", marks=marks)["sts30_reps"]
    assert [one.first for one in counts] == [begin, begin + 3200.0]


def test_a_stop_before_anything_was_done_is_of_no_test() -> None:
    body = ChairBody(seed=6).rest(3).chair_stands(5)
    (time,) = run(body.sensed("lower_back"), "5xsts", marks=((100.0, "stop", 100.0),))["sts5_time"]
    assert time.value is not None


def test_repetitions_of_a_test_that_was_stopped_before_the_bell_are_in_doubt() -> None:
    body = ChairBody(seed=5).chair_stands(30, 1.0, 1.0, 0.2)
    begin = body.truth[0].start - 20.0
    marks = ((begin, "start", begin), (begin + 1200.0, "stop", begin + 1200.0))
    (count,) = run(body.sensed("lower_back"), "30scst", marks=marks)["sts30_reps"]
    assert (count.quality, count.reason) == ("degraded", "ended after 12 s")
