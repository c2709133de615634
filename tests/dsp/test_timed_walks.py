"""Timed walks over a distance and for a time, from results of feet, of the lower back and of both."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from dsp.result import Result
from dsp.walk_tests.over_distance import Course
from dsp.walk_tests.over_time import Shuttle
from dsp.walk_tests.timed import DistanceWalk, TimeWalk
from simulators.body.programme import SHUFFLING, Stand, Turn, Walk
from tests.dsp.bodies import body
from tests.dsp.walked import Way, results_of_back, results_of_feet, to_and_fro

PATIENTS = range(50)


def speed_of(patient: int) -> float:
    return float(np.random.default_rng([patient, 7]).uniform(0.15, 1.7))


def measured(walk: DistanceWalk | TimeWalk, results: list[Result], portion: int = 7) -> list[Result]:
    out = [r for i in range(0, len(results), portion) for r in walk.process(results[i : i + portion])]
    return [*out, *walk.finish()]


def value(results: list[Result], metric: str) -> float:
    (found,) = [r for r in results if r.metric == metric]
    assert found.value is not None, found.reason
    return found.value


def between_stands(patient: int) -> Way:
    """Return a walk of about 14 m between two stands."""
    programme = (Stand(duration_s=5), Walk(speed_mps=speed_of(patient), distance_m=14), Stand(duration_s=5))
    return Way(body(programme, patient))


@pytest.mark.parametrize("source", ["feet", "back"])
@pytest.mark.parametrize("patient", PATIENTS)
def test_ten_metres_with_a_run_up_are_timed_within_two_percent(patient: int, source: str) -> None:
    way = between_stands(patient)
    results = (
        results_of_feet(way.truth, patient, lost=0.05) if source == "feet" else results_of_back(way.truth, patient)
    )
    course = Course("tmwt10_speed", way.whole_m() - 4.0, 2.0)
    speed_mps = way.timed_mps(2.0, way.whole_m() - 2.0)
    found = measured(DistanceWalk(course), results)
    assert [r.quality for r in found] == ["ok", "ok"]
    assert value(found, "tmwt10_speed") == pytest.approx(speed_mps, rel=0.02)
    assert value(found, "tmwt10_time") == pytest.approx(course.distance_m / speed_mps, rel=0.02)


@pytest.mark.parametrize("patient", PATIENTS[::5])
def test_ten_metres_from_a_static_start_are_the_whole_way(patient: int) -> None:
    way = between_stands(patient)
    (bout,) = way.truth.bouts
    found = measured(DistanceWalk(Course("tmwt10_speed", way.whole_m())), results_of_feet(way.truth, patient))
    assert value(found, "tmwt10_speed") == pytest.approx(way.whole_m() / (bout.end_s - bout.start_s), rel=0.02)


def test_marks_go_before_what_is_found() -> None:
    truth = between_stands(3).truth
    walk = DistanceWalk(Course("tmwt10_speed", 10.0, 2.0))
    results = results_of_feet(truth)
    walk.mark("start", 8.0)
    assert list(walk.process(results[: len(results) // 2])) == []
    walk.mark("stop", 16.0)
    found = measured(walk, results[len(results) // 2 :])[:2]
    assert [(r.metric, r.value, r.start_s, r.end_s, r.quality) for r in found] == [
        ("tmwt10_speed", 1.25, 8.0, 16.0, "ok"),
        ("tmwt10_time", 8.0, 8.0, 16.0, "ok"),
    ]


def test_marks_without_a_step_between_them_are_in_doubt() -> None:
    walk = DistanceWalk(Course("tmwt4_speed", 4.0))
    walk.mark("start", 1.0)
    walk.mark("stop", 5.0)
    speed, _ = walk.finish()
    assert (speed.value, speed.quality, speed.reason) == (1.0, "degraded", "no steps seen between the marks")


def test_a_speed_that_nobody_walks_is_none_and_neither_is_its_time() -> None:
    walk = DistanceWalk(Course("tmwt10_speed", 10.0))
    walk.mark("start", 1.0)
    walk.mark("stop", 2.1)
    found = list(walk.finish())
    assert [r.metric for r in found] == ["tmwt10_speed", "tmwt10_time"]
    assert {(r.value, r.quality, r.n_rejected) for r in found} == {(None, "invalid", 1)}
    assert {r.reason for r in found} == {"implausible: 9.091 m/s; no steps seen between the marks"}


def test_a_distance_that_nobody_walks_is_none() -> None:
    walk = TimeWalk(Shuttle("mwt6_distance", 360.0, 30.0))
    walk.mark("start", 5.0)
    for at_s in range(6, 81):
        walk.mark("lap", float(at_s))
    way = (Stand(duration_s=5), Walk(speed_mps=1.0, distance_m=100), Stand(duration_s=5))
    found = {r.metric: r for r in measured(walk, results_of_feet(body(way).truth()))}
    for metric in ("mwt6_distance", "walk_test_distance_laps"):
        assert (found[metric].value, found[metric].quality, found[metric].n_rejected) == (None, "invalid", 1)
        assert found[metric].reason.startswith("implausible: ")
    assert value([found["walk_test_distance_feet"]], "walk_test_distance_feet") == pytest.approx(100, rel=0.1)


def test_each_walk_there_and_back_is_a_test_and_a_walk_to_the_start_is_none() -> None:
    walk, rest = Walk(speed_mps=1.0, distance_m=14), Stand(duration_s=4)
    programme = (rest, Walk(speed_mps=1.0, distance_m=6), rest, walk, Turn(angle_deg=180), walk, rest, walk, rest)
    found = measured(DistanceWalk(Course("tmwt10_speed", 10.0, 2.0)), results_of_feet(body(programme).truth()))
    speeds = [r.value for r in found if r.metric == "tmwt10_speed"]
    assert speeds == pytest.approx([1.0, 1.0, 1.0], rel=0.05)


def test_where_no_length_is_measured_any_walk_is_the_test_and_in_doubt() -> None:
    truth = between_stands(3).truth
    results = [r for r in results_of_back(truth) if r.metric != "stride_length"]
    assert {r.quality for r in measured(DistanceWalk(Course("tmwt10_speed", 10.0, 2.0)), results)} == {"degraded"}


@cache
def to_and_fro_of(patient: int) -> Way:
    course_m = 30.0 if patient % 2 else 15.0
    return Way(body(to_and_fro(speed_of(patient), course_m, 360.0, left=bool(patient % 3)), patient))


@pytest.mark.parametrize("source", ["feet", "back", "both"])
@pytest.mark.parametrize("patient", PATIENTS[::5])
def test_six_minutes_to_and_fro_are_measured_within_three_percent(patient: int, source: str) -> None:
    way = to_and_fro_of(patient)
    truth = way.truth
    results = results_of_feet(truth, patient, 0.05) if source != "back" else []
    results += results_of_back(truth, patient) if source != "feet" else []
    shuttle = Shuttle("mwt6_distance", 360.0, way.length_m())
    found = measured(TimeWalk(shuttle), sorted(results, key=lambda r: r.end_s))
    begin_s = truth.bouts[0].start_s
    lengths = sum(turn.end_s < begin_s + 360 for turn in truth.turns)
    assert value(found, "walk_test_lengths") == pytest.approx(lengths, abs=1)
    assert value(found, "mwt6_distance") == pytest.approx(way.straight_m(begin_s, begin_s + 360.0), rel=0.03)


def test_a_rest_is_a_stop_and_no_length() -> None:
    way = Way(body(to_and_fro(0.8, 15.0, 120.0, rest_at=2, style=SHUFFLING)))
    found = measured(TimeWalk(Shuttle("mwt2_distance", 120.0, way.length_m())), results_of_feet(way.truth))
    assert value(found, "walk_test_stops") == 1.0
    assert value(found, "walk_test_stop_time") == pytest.approx(21.0, abs=1.5)
    assert value(found, "mwt2_distance") == pytest.approx(way.straight_m(5.0, 125.6), rel=0.03)


def test_a_course_of_another_length_than_was_given_is_in_doubt() -> None:
    way = Way(body(to_and_fro(1.0, 15.0, 120.0)))
    results = results_of_feet(way.truth)
    distance = measured(TimeWalk(Shuttle("mwt2_distance", 120.0, 30.0)), results)[0]
    assert distance.quality == "degraded"
    assert distance.reason.startswith("feet: 1")
    unknown = measured(TimeWalk(Shuttle("mwt2_distance", 120.0)), results)[0]
    assert unknown.quality == "ok"
    assert unknown.value == pytest.approx(way.straight_m(5.6, 125.6), rel=0.1)


def test_the_lower_back_alone_without_a_course_is_in_doubt() -> None:
    truth = body(to_and_fro(1.0, 15.0, 120.0)).truth()
    distance = measured(TimeWalk(Shuttle("mwt2_distance", 120.0)), results_of_back(truth))[0]
    assert (distance.quality, distance.reason) == ("degraded", "by the lower back alone")


def test_laps_and_times_that_are_marked_go_before_what_is_found() -> None:
    truth = body(to_and_fro(1.0, 15.0, 120.0)).truth()
    walk = TimeWalk(Shuttle("mwt2_distance", 120.0, 15.0))
    walk.mark("start", 10.0)
    for lap in (25.0, 40.0, 55.0):
        walk.mark("lap", lap)
    walk.mark("stop", 60.0)
    found = measured(walk, results_of_feet(truth))
    assert value(found, "walk_test_lengths") == 3.0
    assert value(found, "mwt2_distance") == pytest.approx(50.0, abs=2.0)
    assert (found[0].start_s, found[0].end_s) == (10.0, 60.0)
    assert "ended after 50 s" in found[0].reason


def test_it_comes_once_when_the_time_is_up() -> None:
    truth = body(to_and_fro(1.2, 15.0, 180.0)).truth()
    walk = TimeWalk(Shuttle("mwt2_distance", 120.0, 15.0))
    live = [r for result in results_of_feet(truth) for r in walk.process([result])]
    assert [r.metric for r in live].count("mwt2_distance") == 1
    assert list(walk.finish()) == []
    assert live == measured(TimeWalk(Shuttle("mwt2_distance", 120.0, 15.0)), results_of_feet(truth), portion=1)


def test_nothing_seen_is_no_value_and_no_error() -> None:
    assert list(TimeWalk(Shuttle("mwt6_distance", 360.0)).finish()) == []
    walk = TimeWalk(Shuttle("mwt6_distance", 360.0))
    walk.mark("start", 1.0)
    walk.mark("stop", 361.0)
    assert [(r.metric, r.value, r.quality, r.reason) for r in walk.finish()] == [
        ("mwt6_distance", None, "invalid", "no steps seen")
    ]


def test_an_interrupted_session_leaves_a_doubt() -> None:
    way = between_stands(3)
    walk = DistanceWalk(Course("tmwt10_speed", way.whole_m() - 4, 2.0), doubt="interrupted")
    assert {r.reason for r in measured(walk, results_of_feet(way.truth))} == {"interrupted"}


def test_a_stop_before_anybody_walks_is_of_no_test() -> None:
    truth = body(to_and_fro(1.0, 15.0, 120.0)).truth()
    walk = TimeWalk(Shuttle("mwt2_distance", 120.0, 15.0))
    walk.mark("stop", 0.5)
    found = measured(walk, results_of_feet(truth))
    assert found == measured(TimeWalk(Shuttle("mwt2_distance", 120.0, 15.0)), results_of_feet(truth))
    assert value(found, "mwt2_distance") > 90.0


def test_who_walks_only_after_the_session_walks_no_test() -> None:
    walk = TimeWalk(Shuttle("mwt2_distance", 120.0, 15.0))
    assert list(walk.end(0.5)) == []
    assert measured(walk, results_of_feet(body(to_and_fro(1.0, 15.0, 60.0)).truth())) == []


def test_a_walk_that_was_started_by_a_mark_and_never_stopped_is_measured_when_the_session_ends() -> None:
    truth = between_stands(3).truth
    walk = DistanceWalk(Course("tmwt10_speed", 10.0, 2.0))
    walk.mark("start", 1.0)
    assert [r.metric for r in measured(walk, results_of_feet(truth))] == ["tmwt10_speed", "tmwt10_time"]
