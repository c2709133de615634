"""A climb of stairs, from what feet and a lower back find of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from benchmarks.fifty_patients import heard
from dsp.result import Result, Side
from dsp.walk_tests.stairs import BY_BACK, NO_STEPS, NOT_MARKED, StairClimb
from simulators.clinic.patient import patients
from simulators.clinic.perform import Performance, perform
from simulators.clinic.transfers import Staying
from simulators.clinic.truth import Did
from simulators.clinic.walks import Climbing
from tests.scoring import detector

COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy
pytestmark = pytest.mark.timeout(COLD_S)

RATE_HZ = 100.0
METRICS = {"ic": "initial_contact", "fc": "final_contact"}
FEET = ("left_foot", "right_foot")


@cache
def climbed(number: int, *, up: bool, places: tuple[str, ...] = FEET) -> tuple[Performance, Did]:
    script = [Staying(3), Climbing(10, up), Staying(6)]
    done = perform(script, patients(50)[number], rate_hz=RATE_HZ, placements=places, start="standing", mounting="askew")
    [climb] = done.truth.of("stairs")
    return done, climb


def contacts(done: Performance) -> list[Result]:
    """Return what the operators of the sensors find of contacts, as results of the person."""
    found: list[Result] = []
    for place, signals in done.signals.items():
        side: Side = "left" if place.startswith("left") else "right" if place.startswith("right") else "none"
        by = "lower-back/1" if side == "none" else "foot-contacts/2"
        for event in heard(detector, place, done.patient, signals):
            if event["kind"] in METRICS:
                at_s = event["index"] / RATE_HZ
                found.append(Result(METRICS[event["kind"]], 1.0, side, at_s, at_s, 1, by, 0, "ok", ""))
    return sorted(found, key=lambda one: one.start_s)


def measured(climb: StairClimb, results: Sequence[Result], portion: int = 3) -> list[Result]:
    out = [r for i in range(0, len(results), portion) for r in climb.process(results[i : i + portion])]
    return [*out, *climb.finish()]


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("number", [0, 32, 48])
def test_a_flight_is_timed_and_its_steps_are_counted(number: int, *, up: bool) -> None:
    done, truth = climbed(number, up=up)
    found = {r.metric: r for r in measured(StairClimb(10.0), contacts(done))}
    assert found["stairs_time"].value == pytest.approx(truth.duration_s, abs=0.15)
    assert found["stairs_steps"].value == truth.facts["steps"]
    assert found["stairs_rate"].value == pytest.approx(600.0 / truth.duration_s, rel=0.03)
    assert {(r.quality, r.reason) for r in found.values()} == {("degraded", NOT_MARKED)}


def test_marks_go_before_what_was_found_and_a_session_holds_several_flights() -> None:
    done, truth = climbed(0, up=True)
    climb, results = StairClimb(10.0), contacts(done)
    for text, at_s in (("start", truth.start_s - 0.5), ("stop", truth.end_s + 0.25)):
        climb.mark(text, at_s)
    again = [r._replace(start_s=r.start_s + 60.0, end_s=r.end_s + 60.0) for r in results]
    found = [*climb.process(results), *climb.process(again)]
    assert [r.metric for r in found] == ["stairs_time", "stairs_steps", "stairs_rate"]
    assert {(r.quality, r.reason) for r in found} == {("ok", "")}
    assert found[0].value == pytest.approx(truth.duration_s + 0.75)
    assert found[1].value == truth.facts["steps"]
    climb.mark("start", truth.start_s + 59.5)
    climb.mark("stop", truth.end_s + 60.25)
    assert [r.value for r in climb.end(100.0)] == pytest.approx([r.value for r in found])
    assert list(climb.finish()) == []


def test_who_has_a_sensor_on_the_lower_back_alone_is_counted_with_a_doubt() -> None:
    done, truth = climbed(0, up=True, places=("lower_back",))
    found = {r.metric: r for r in measured(StairClimb(), contacts(done))}
    assert set(found) == {"stairs_time", "stairs_steps"}, "how many stairs there are nobody said"
    assert found["stairs_time"].value == pytest.approx(truth.duration_s, abs=1.2)
    assert found["stairs_steps"].value == pytest.approx(float(truth.facts["steps"]), abs=2.0)
    assert all(BY_BACK in r.reason for r in found.values())
    climb = StairClimb()
    climb.mark("start", truth.start_s)
    climb.mark("stop", truth.end_s + 0.5)
    time, steps = measured(climb, contacts(done))
    assert (time.quality, steps.reason) == ("ok", BY_BACK)


def test_marks_without_a_step_between_them_are_in_doubt() -> None:
    climb = StairClimb(10.0)
    climb.mark("start", 5.0)
    climb.mark("stop", 20.0)
    found = {r.metric: r for r in climb.end(30.0)}
    assert (found["stairs_time"].value, found["stairs_time"].quality) == (15.0, "degraded")
    assert (found["stairs_steps"].value, found["stairs_steps"].quality) == (None, "invalid")
    assert {r.reason for r in found.values()} == {NO_STEPS}


def test_nobody_who_climbed_nothing_has_a_result() -> None:
    assert list(StairClimb(10.0).end(30.0)) == []
