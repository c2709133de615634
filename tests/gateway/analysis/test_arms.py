"""Use of both arms over the pipeline: of the simulated body against its truth, with what is missing said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Device, Slot
from dsp.arm_metrics import ARMS
from dsp.arms.person import MISSING, NO_SIDE, NOTHING, WALKING_UNKNOWN
from dsp.arms.use import Arm
from dsp.result import Result
from gateway.analysis.arms import UNSEEN, arms_of_person
from gateway.analysis.motion_bank import MotionBank
from gateway.intake.frames import Numbered
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed
from gateway.recordings.replay import Replay
from simulators.body.arms import ArmHabit, ArmsBody
from simulators.body.programme import Stand, Turn, Walk
from tests.gateway.analysis.test_motions import RATE_HZ, dot, lived, of, second, ward
from tests.gateway.analysis.test_motions_of_limbs import sent

SWING = ("arm_swing_amplitude", "arm_swing_peak_velocity", "arm_swing_asymmetry")
IDS = tuple(metric.id for metric in ARMS)
WRISTS = ("left_wrist", "right_wrist")
SIDES: tuple[Arm, Arm] = ("left", "right")
LASTS_S = 690
WALK = Walk(speed_mps=1.1, distance_m=12)
PROGRAMME = (Stand(duration_s=330), WALK, Turn(angle_deg=180), WALK, Turn(angle_deg=180))


def body(affected: str = "left", share: float = 0.5) -> ArmsBody:
    habit = ArmHabit(affected, share, (9.0, 18.0) if affected == "left" else (18.0, 9.0))  # type: ignore[arg-type]
    return ArmsBody(5, habit, programme=PROGRAMME, repeat=True)


@cache
def frames_of(placement: str, number: int, lasts_s: int = LASTS_S, affected: str = "left") -> tuple[Numbered, ...]:
    """Return what a DOT on the body sends, with the noise of a good sensor."""
    source = body(affected).sensor(placement, rate_hz=RATE_HZ, seed=number)
    taken = source.read_until(lasts_s)
    assert taken is not None
    return tuple(sent(number, taken.acc, np.degrees(taken.gyr)))


def together(*parts: tuple[Numbered, ...]) -> list[Numbered]:
    return sorted((frame for part in parts for frame in part), key=lambda numbered: numbered[1].arrival_ns)


def bed(*placements: Any, affected: Any = "left", protocol: str = "free_walk") -> Slot:
    devices = [dot(number + 1, place) for number, place in enumerate(placements)]
    return Slot(id="bed-1", subject="p-1", affected_side=affected, protocol=protocol, device=devices)


@cache
def with_thigh() -> list[Measurement]:
    places = (*WRISTS, "left_thigh")
    frames = together(*(frames_of(place, number) for number, place in enumerate(places)))
    return lived(ward(bed(*places)), frames, LASTS_S + 1)


def newest(results: list[Measurement], metric: str, side: str = "") -> Measurement:
    return [m for m in of(results, metric) if not side or m.side == side][-1]


def test_use_of_both_arms_is_near_what_is_true_of_the_body() -> None:
    results, truth = with_thigh(), body().arm_truth(0, LASTS_S)
    ratio = newest(results, "use_ratio")
    assert ratio.value == pytest.approx(truth.use_ratio, abs=0.08)
    assert (ratio.side, ratio.quality, ratio.reason) == ("left", "ok", "")
    assert (ratio.devices, ratio.placement, ratio.algorithm) == (("dot-1", "dot-2"), WRISTS, "arm_use/1")
    magnitude = newest(results, "magnitude_ratio").value
    assert magnitude is not None
    # Whole counts above a dead band take a small movement for a smaller one.
    assert 1.0 < magnitude / truth.magnitude_ratio < 1.8
    for side, true_s in zip(("left", "right"), truth.used_s, strict=True):
        hours = newest(results, "use_hours", side)
        assert hours.value is not None
        assert 1.1 < hours.value * 3600 / true_s < 1.7  # the filter of counts rings on in pauses of a second or two
        assert hours.devices == ("dot-1" if side == "left" else "dot-2",)
        told = sum(m.value for m in of(results, "arm_active_time") if m.side == side and m.value)
        assert told == pytest.approx(hours.value * 3600, abs=2)


def test_each_minute_is_told_once_and_single_seconds_are_not() -> None:
    counts = [m for m in of(with_thigh(), "activity_counts") if m.side == "left"]
    assert [round(second(m.start_us)) for m in counts] == [60 * k for k in range(12)]
    assert {m.n for m in counts[1:-1]} == {60}


def test_the_swing_of_both_arms_is_that_of_the_body_and_told_of_walking_alone() -> None:
    results = with_thigh()
    left, right = (newest(results, "arm_swing_amplitude", side) for side in SIDES)
    good = [m for m in of(results, "arm_swing_amplitude") if m.quality == "ok"]
    typical = {side: [m.value for m in good if m.side == side] for side in SIDES}
    assert {(m.side, m.devices, m.algorithm) for m in (left, right)} == {
        ("left", ("dot-1",), "arm_swing/1"), ("right", ("dot-2",), "arm_swing/1"),
    }  # fmt: skip
    # Shoulder to either side, and the elbow by four tenths of that, nearly at once; the chest turns against it.
    assert typical["left"] == pytest.approx([2 * 9 * 1.4] * len(typical["left"]), rel=0.1)
    assert typical["right"] == pytest.approx([2 * 18 * 1.4] * len(typical["right"]), rel=0.1)
    uneven = newest(results, "arm_swing_asymmetry")
    assert uneven.value == pytest.approx((math.degrees(math.atan2(9, 18)) - 45) / 0.9, abs=1.5)
    assert (uneven.side, uneven.devices) == ("both", ("dot-1", "dot-2"))
    walked = [second(m.start_us) for m in of(results, *SWING)]
    assert min(walked) > 320, "it stands and works with its hands before"


def test_an_arm_that_swings_in_walking_is_not_in_use() -> None:
    until_s = 360  # the first walk ends there
    frames = together(*(frames_of(place, number, until_s + 5) for number, place in enumerate(WRISTS)))
    alone = lived(ward(bed(*WRISTS)), frames, until_s + 6.0)
    less, more = (
        next(m.value for m in of(results, "use_hours") if m.side == "right" and round(second(m.end_us)) == until_s)
        for results in (with_thigh(), alone)
    )
    assert less is not None
    assert more is not None
    assert more - less > 15 / 3600
    assert {m.reason for m in of(alone, "arm_active_time") if m.value is not None} == {UNSEEN}
    assert UNSEEN in newest(alone, "use_ratio").reason
    assert of(alone, *SWING) == [], "nobody knows of which swings somebody walks"


def test_the_sides_are_those_of_the_placements() -> None:
    """The same sensors, said to be on the other arms: all that is told is of the other side."""
    frames = together(*(frames_of(place, number, 130) for number, place in enumerate(WRISTS)))
    right, wrong = (lived(ward(bed(*places)), frames, 131.0) for places in (WRISTS, WRISTS[::-1]))
    for side, other in (("left", "right"), ("right", "left")):
        assert [m.value for m in of(right, "activity_counts") if m.side == side] == [
            m.value for m in of(wrong, "activity_counts") if m.side == other
        ]
    one, inverse = newest(right, "use_ratio").value, newest(wrong, "use_ratio").value
    assert one is not None
    assert inverse == pytest.approx(1 / one)


def of_feet(heard: bool, contacts: Sequence[float]) -> list[Result]:
    """Return what comes of both arms in use all the time, of somebody with sensors on the feet."""
    slot = bed(*WRISTS, "left_foot", "right_foot")
    devices, bank = dict(enumerate(slot.device)), MotionBank()
    bank.put_on(Bed(slot, "bed-1-a"), devices)
    arms = arms_of_person(Bed(slot, "bed-1-a"), devices, bank)
    assert arms is not None
    arms.hear_legs(0.0, heard=heard)
    told: list[Result] = []
    for at in range(60):
        steps = [(Result("initial_contact", 1.0, "left", t, t, 1, "x/1"), (2,)) for t in contacts if at <= t < at + 1]
        counts = [(Result("activity_counts", 9.0, side, at, at + 1, 1, "x/1"), (n,)) for n, side in enumerate(SIDES)]
        assert arms.combine(steps + counts) == steps
        told += [result for result, _ in arms.look(at)]
    return told + [result for result, _ in arms.finish()]


def test_steps_of_feet_tell_of_walking() -> None:
    walked = [20.0 + 0.55 * k for k in range(20)] + [50.0]  # one contact alone is no walk
    active = [r for r in of_feet(True, walked) if r.metric == "arm_active_time"]
    assert [(r.value, r.quality) for r in active] == [(60 - 10, "ok")] * 2
    silent = [r for r in of_feet(False, ()) if r.metric == "arm_active_time"]
    assert [(r.value, r.quality, r.reason) for r in silent] == [(60, "degraded", WALKING_UNKNOWN)] * 2


def test_a_wrist_that_is_not_heard_gives_no_ratio_and_says_so() -> None:
    heard = frames_of("right_wrist", 1, 365)
    results = lived(ward(bed(*WRISTS)), together(frames_of("left_wrist", 0, 20), heard), 366.0)
    assert newest(results, "use_ratio").value is None
    assert MISSING["left"] in newest(results, "use_ratio").reason
    quiet = newest(results, "arm_active_time", "left")
    assert (quiet.value, quiet.quality, quiet.reason) == (None, "invalid", NOTHING)
    assert newest(results, "arm_active_time", "right").value is not None


def test_a_single_wrist_and_one_without_a_side() -> None:
    frames = frames_of("left_wrist", 0, 130)
    results = lived(ward(bed("left_wrist")), frames, 131.0)
    assert {m.metric for m in of(results, *IDS)} == {"activity_counts", "arm_active_time", "use_hours"}
    assert of(lived(ward(bed("wrist")), frames, 131.0), *IDS) == []


def test_without_an_affected_side_there_is_no_ratio() -> None:
    frames = together(*(frames_of(place, number, 130) for number, place in enumerate(WRISTS)))
    results = lived(ward(bed(*WRISTS, affected="none")), frames, 131.0)
    assert {(m.value, m.side, m.reason) for m in of(results, "use_ratio")} == {(None, "none", NO_SIDE)}
    assert newest(results, "bilateral_magnitude").value is not None


def test_a_heart_rate_sensor_on_the_same_wrist_is_not_taken_for_the_arm_s() -> None:
    frames = together(*(frames_of(place, number, 130) for number, place in enumerate(WRISTS, 1)))
    slot = bed("finger", *WRISTS)
    pulse = Device(id="pulse-1", driver="heart_rate", placement="left_wrist", address="00:00:00:00:00:77")
    results = lived(ward(slot.model_copy(update={"device": [pulse, *slot.device[1:]]})), frames, 131.0)
    assert [m.n for m in of(results, "activity_counts") if m.side == "left"][1] == 60
    assert newest(results, "use_ratio").value is not None
    assert newest(results, "use_ratio").devices == ("dot-2", "dot-3")


def test_another_wearer_begins_anew() -> None:
    frames = together(*(frames_of(place, number, 130) for number, place in enumerate(WRISTS)))
    slot = bed(*WRISTS)
    other = (Bed(slot.model_copy(update={"subject": "p-2"}), "bed-1-b"),)
    results = lived(ward(slot), frames, 131.0, {70.0: other})
    first, later = ([m for m in of(results, "use_hours") if m.session == f"bed-1-{s}"] for s in "ab")
    assert {m.subject for m in first} == {"p-1"}
    assert {m.subject for m in later} == {"p-2"}
    assert max(second(m.end_us) for m in first) <= 71
    assert min(second(m.start_us) for m in later) >= 69


def test_a_replay_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "arms.rgrec"
    places = (*WRISTS, "left_thigh")
    frames = together(*(frames_of(place, number, 130) for number, place in enumerate(places)))
    live = lived(ward(bed(*places)), frames, 131.0, record=path)
    assert len(of(live, "use_ratio")) == 3
    assert [m for step in Replay(path).steps() for m in step] == live


@pytest.mark.parametrize("placement", WRISTS)
def test_what_a_wrist_tells_it_tells_on_either_side(placement: str) -> None:
    """Posture, falls, transfers, tremor and repetitions take a wrist of a named side as they take `wrist`."""
    frames = frames_of(placement, 0, 40)
    for protocol in ("free_walk", "tug", "exercise reps=3"):
        named, plain = (lived(ward(bed(where, protocol=protocol)), frames, 41.0) for where in (placement, "wrist"))
        without = [m for m in named if m.metric not in IDS]
        assert [(m.metric, m.value, m.start_us, m.quality, m.reason) for m in without] == [
            (m.metric, m.value, m.start_us, m.quality, m.reason) for m in plain
        ]
        assert without
