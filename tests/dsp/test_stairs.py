"""A climb of stairs, from what feet and a lower back find of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fifty_patients import heard
from dsp.batch import Batch
from dsp.foot.contacts import ALGORITHM as FOOT_ALGORITHM
from dsp.foot.contacts import FootContacts
from dsp.gait.gait import Contact, Walk
from dsp.gait.window import Foot
from dsp.lower_back.lower_back import LowerBack
from dsp.lower_back.walk import LowerBackWalk, TimedEvent, timed_events
from dsp.result import Result, Side
from dsp.shank.contacts import ALGORITHM as SHANK_ALGORITHM
from dsp.shank.contacts import ShankContacts
from dsp.walk_tests.stairs import BY_BACK, NO_STEPS, NOT_MARKED, StairClimb
from dsp.whole_recordings import find_stairs
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
FEET, SHANKS = ("left_foot", "right_foot"), ("left_shank", "right_shank")


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


def test_a_flight_in_a_second_is_no_climb() -> None:
    climb = StairClimb(12.0)
    climb.mark("start", 1.0)
    climb.mark("stop", 2.1)
    found = {result.metric: result for result in climb.finish()}
    for metric in ("stairs_time", "stairs_rate"):
        assert (found[metric].value, found[metric].quality, found[metric].n_rejected) == (None, "invalid", 1)
        assert found[metric].reason.startswith("implausible: 654.5 ")


def test_marks_without_a_step_between_them_are_in_doubt() -> None:
    climb = StairClimb(10.0)
    climb.mark("start", 5.0)
    climb.mark("stop", 20.0)
    found = {r.metric: r for r in climb.end(30.0)}
    assert (found["stairs_time"].value, found["stairs_time"].quality) == (15.0, "degraded")
    assert (found["stairs_steps"].value, found["stairs_steps"].quality) == (None, "invalid")
    assert {r.reason for r in found.values()} == {NO_STEPS}


@cache
def of_whole_climb(places: tuple[str, ...]) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    done, _ = climbed(32, up=True, places=places)
    return {place: tuple(signals) for place, signals in done.signals.items()}  # type: ignore[misc]


def live(signals: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], climb: StairClimb, chunk: int) -> list[Result]:
    """Return what a ward is told of the same samples as they come: each sensor in packets, up to what is decided."""
    on_shanks = "left_shank" in signals
    legs: FootContacts | ShankContacts = ShankContacts() if on_shanks else FootContacts()
    algorithm = SHANK_ALGORITHM if on_shanks else FOOT_ALGORITHM
    walk, back, walked = Walk(contacts={"left": algorithm, "right": algorithm}), LowerBack(), LowerBackWalk()
    at = {place: (back if place == "lower_back" else legs).attach(RATE_HZ) for place in signals}
    out: list[Result] = []
    for first in range(0, int(max(s[0][-1] for s in signals.values())) + 1, chunk):
        contacts, results = [], list[Result]()
        for place, samples in signals.items():
            part = slice(*np.searchsorted(samples[0], [first, first + chunk]))
            batch = Batch.single(samples[0][part], samples[1][part], samples[2][part], at[place])
            if place == "lower_back":
                results += walked.process(timed(back.process(batch)), first / RATE_HZ)
            else:
                side: Foot = "left" if place.startswith("left") else "right"
                contacts += [
                    Contact(side, int(e["kind"]), e["index"] / RATE_HZ, e["confidence"]) for e in legs.process(batch)
                ]
        if len(at) > 1:
            results += walk.process(contacts, None, float(np.min(legs.settled_all())) / RATE_HZ)
        out += climb.process(results)
    results = walk.finish()
    if "lower_back" in at:
        results += walked.process(timed(back.flush(at["lower_back"])), math.inf)
    return [*out, *climb.process(results), *climb.finish()]


def timed(events: np.ndarray) -> list[TimedEvent]:
    return timed_events(events, events["start"] / RATE_HZ, events["index"] / RATE_HZ)


@settings(deadline=None, max_examples=12)
@given(
    st.integers(5, 700), st.sampled_from([FEET, SHANKS, ("lower_back",), (*FEET, "lower_back")]), st.booleans(),
    st.floats(0.0, 0.08), st.integers(0, 3),
)  # fmt: skip
def test_on_arrays_a_climb_is_what_a_ward_has_of_the_same_samples(
    chunk: int, places: tuple[str, ...], marked: bool, lost: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    signals = {}
    for place, samples in of_whole_climb(places).items():
        kept = random.random(len(samples[0])) >= lost
        signals[place] = (samples[0][kept], samples[1][kept], samples[2][kept])
    marks = [(3.0, 9.0), (9.5, 14.25)] if marked else []
    climb = StairClimb(10.0)
    for start_s, end_s in marks:
        climb.mark("start", start_s)
        climb.mark("stop", end_s)
    seen = live(signals, climb, chunk)
    table = find_stairs(signals, RATE_HZ, stairs=10, marks_s=marks)
    assert len(table) == (2 if marked else 1)
    for metric, column in (("stairs_time", "duration_s"), ("stairs_steps", "steps"), ("stairs_rate", "stairs_per_min")):
        of = [r for r in seen if r.metric == metric]
        np.testing.assert_array_equal(table[column], [np.nan if r.value is None else r.value for r in of])
        np.testing.assert_array_equal(table["start_s"], [r.start_s for r in of])
        if metric != "stairs_rate":
            before = "steps_" if metric == "stairs_steps" else ""
            assert table[f"{before}quality"].tolist() == [r.quality for r in of]
            assert table[f"{before}reason"].tolist() == [r.reason for r in of]


def test_what_shows_no_climb_is_refused_with_what_would() -> None:
    signals = of_whole_climb(FEET)
    with pytest.raises(ValueError, match="no steps are seen from wrist: give left_foot"):
        find_stairs({"wrist": signals["left_foot"]}, RATE_HZ)
    for one in ({"left_foot": signals["left_foot"]}, dict.fromkeys(("left_foot", "left_shank"), signals["left_foot"])):
        with pytest.raises(ValueError, match="of both legs, or the lower back"):
            find_stairs(one, RATE_HZ)
    with pytest.raises(ValueError, match="deg/s"):
        find_stairs({place: (index, acc, np.degrees(gyr)) for place, (index, acc, gyr) in signals.items()}, RATE_HZ)
    nothing = (np.zeros(0, int), np.zeros((0, 3)), np.zeros((0, 3)))
    assert len(find_stairs({"lower_back": nothing}, RATE_HZ)) == len(find_stairs({}, RATE_HZ)) == 0
    (unseen,) = find_stairs({"lower_back": nothing}, RATE_HZ, marks_s=[(1.0, 5.0)])
    assert (unseen["duration_s"], unseen["quality"], unseen["steps_quality"]) == (4.0, "degraded", "invalid")
    assert np.isnan(unseen["steps"])


def test_nobody_who_climbed_nothing_has_a_result() -> None:
    assert list(StairClimb(10.0).end(30.0)) == []
