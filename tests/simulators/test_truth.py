"""What a walk is said to have been is what its programme asked for."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.body.body import WalkingBody
from simulators.body.programme import Piece, Stand, Turn, Walk, exoskeleton, shuffling, there_and_back
from simulators.body.truth import Truth


def truth(*programme: Piece, seed: int = 0, height_m: float = 1.75) -> Truth:
    return WalkingBody(seed, programme=programme, height_m=height_m).truth()


@settings(max_examples=30, deadline=None)  # shared machines pause
@given(st.floats(0.5, 1.8), st.floats(1.5, 2.0), st.integers(0, 50))
def test_speed_is_what_was_asked_for(speed: float, height_m: float, seed: int) -> None:
    assert truth(Walk(speed_mps=speed, steps=120), seed=seed, height_m=height_m).speed_mps == pytest.approx(
        speed, rel=0.02
    )


@settings(max_examples=30, deadline=None)  # shared machines pause
@given(st.floats(40, 130), st.floats(0.4, 1.5), st.integers(0, 50))
def test_cadence_and_stride_are_what_was_asked_for(cadence: float, stride: float, seed: int) -> None:
    walk = truth(Walk(cadence_spm=cadence, stride_m=stride, steps=120), seed=seed)
    assert walk.cadence_spm == pytest.approx(cadence, rel=0.015)
    assert np.mean([s.length_m for s in walk.steady()]) == pytest.approx(stride, rel=0.015)


def test_a_comfortable_walk_is_that_of_an_adult() -> None:
    walk = truth(Walk(speed_mps=1.3, steps=300))
    assert 100 < walk.cadence_spm < 120
    stance = [s.stance_s / s.time_s for s in walk.steady()]
    assert np.mean(stance) == pytest.approx(0.61, abs=0.015)
    times = np.array([s.time_s for s in walk.steady()])
    assert times.std() / times.mean() == pytest.approx(0.02, rel=0.25)


def test_duration_and_distance_are_kept_to_whole_steps() -> None:
    by_time = truth(Walk(speed_mps=1, duration_s=60)).bouts[0]
    assert by_time.end_s - by_time.start_s == pytest.approx(60, rel=0.03)
    by_way = truth(Walk(speed_mps=1, distance_m=40))
    way = WalkingBody(programme=[Walk(speed_mps=1, distance_m=40)]).figure()
    way.plan(math.inf)
    assert way.pose("lower_back", np.array([way.end_s])).place.value[0, 0] == pytest.approx(40, rel=0.03)
    assert by_way.bouts[0].steps > 60


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.4, 2.0])
def test_asymmetry_is_the_ratio_of_step_times(ratio: float) -> None:
    walk = truth(Walk(speed_mps=0.9, steps=200, asymmetry=ratio))
    contacts = sorted([(t, "left") for t in walk.initial["left"]] + [(t, "right") for t in walk.initial["right"]])
    steps: dict[str, list[float]] = {"left": [], "right": []}
    for (before, _), (now, foot) in pairwise(contacts):
        steps[foot].append(now - before)
    assert np.mean(steps["left"]) / np.mean(steps["right"]) == pytest.approx(ratio, rel=0.02)
    assert (walk.swing_asymmetry - 1) * (ratio - 1) >= 0
    assert walk.swing_asymmetry == pytest.approx(1, abs=0.02) if ratio == 1 else walk.swing_asymmetry != 1


def test_turns_and_pauses_are_reported_with_their_times() -> None:
    walk = truth(*there_and_back(distance_m=6), *there_and_back(distance_m=6), seed=3)
    assert [round(t.angle_deg) for t in walk.turns] == [180] * 4
    assert all(1 < t.end_s - t.start_s < 5 for t in walk.turns)
    assert len(walk.bouts) == 2
    ((start, end),) = walk.pauses
    assert (start, end) == (walk.bouts[0].end_s, walk.bouts[1].start_s)
    assert 7 < end - start < 9  # four and three seconds of standing, settling and setting off
    turning = [s for s in walk.strides if s.turning]
    assert turning
    assert all(any(t.start_s < s.end_s and s.start_s < t.end_s for t in walk.turns) for s in turning)
    assert not any(s.turning for s in walk.steady())


def test_two_turns_with_a_way_between_are_two() -> None:
    walk = truth(Walk(speed_mps=1, steps=4), Turn(angle_deg=90), Walk(speed_mps=1, steps=4), Turn(angle_deg=-90))
    assert [round(t.angle_deg) for t in walk.turns] == [90, -90]


def test_a_walk_begins_and_ends_with_the_feet_side_by_side() -> None:
    body = WalkingBody(5, programme=[Walk(speed_mps=1.2, steps=7), Stand(duration_s=1)])
    figure = body.figure()
    figure.plan(math.inf)
    ends = np.array([0.0, figure.end_s])
    left, right = (body.figure().pose(p, ends).place.value for p in ("left_foot", "right_foot"))
    np.testing.assert_allclose(left - right, [[0, 0.10, 0]] * 2, atol=1e-9)
    contacts = sum(len(times) for times in body.truth().initial.values())
    assert contacts == body.truth().bouts[0].steps == 8  # and one that brings the feet together


def test_special_gaits() -> None:
    slow = truth(exoskeleton(steps=12, cadence_spm=5))
    assert slow.cadence_spm == pytest.approx(5, rel=0.02)
    assert max(s.swing_s for s in slow.strides) < 2
    eight = truth(exoskeleton(steps=12, cadence_spm=15))
    assert np.mean([s.time_s for s in eight.steady()]) == pytest.approx(8, rel=0.02)
    shuffle = truth(shuffling(duration_s=40))
    assert np.mean([s.length_m for s in shuffle.steady()]) == pytest.approx(0.55, rel=0.03)
    assert np.mean([s.stance_s / s.time_s for s in shuffle.steady()]) > 0.66


def test_truth_so_far_is_the_beginning_of_the_truth() -> None:
    early, late = WalkingBody(1).truth(40), WalkingBody(1).truth(80)
    for foot in ("left", "right"):
        n = len(early.initial[foot])
        np.testing.assert_array_equal(early.initial[foot], late.initial[foot][:n])
        assert early.initial[foot][-1] <= 40
    assert early.strides == late.strides[: len(early.strides)]


def test_nothing_walked_is_nothing_known() -> None:
    still = truth(Stand(duration_s=5))
    assert not still.strides
    assert not still.bouts
    assert math.isnan(still.speed_mps)
    assert math.isnan(still.cadence_spm)
    assert math.isnan(still.swing_asymmetry)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 5}, "either speed_mps or both"),
        ({"speed_mps": 1, "cadence_spm": 100, "stride_m": 1, "steps": 5}, "either speed_mps or both"),
        ({"cadence_spm": 100, "steps": 5}, "either speed_mps or both"),
        ({"speed_mps": 1}, "exactly one of"),
        ({"speed_mps": 1, "steps": 5, "distance_m": 3}, "exactly one of"),
        ({"speed_mps": -1, "steps": 5}, "speed_mps of a walk must be positive"),
        ({"speed_mps": 1, "steps": 5, "asymmetry": 9}, "asymmetry must lie between"),
        ({"speed_mps": 20, "steps": 5}, "nobody walks at"),
    ],
)
def test_impossible_walks_are_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Walk(**wrong)  # type: ignore[arg-type] # the point of the test


def test_impossible_stands_and_turns_are_refused() -> None:
    with pytest.raises(ValueError, match="finite time"):
        Stand(duration_s=math.inf)
    with pytest.raises(ValueError, match="has an angle"):
        Turn(angle_deg=0)
    with pytest.raises(ValueError, match="nobody turns"):
        Turn(angle_deg=90, cadence_spm=900)
