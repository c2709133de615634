"""The patients obey mechanics, do what their scripts say, and what is called true of them is."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from simulators.body.body import Pose
from simulators.clinic.balance import Balancing, HoldingOut, Reaching
from simulators.clinic.falls import Direction, Falling, HelpedUp
from simulators.clinic.figure import PLACEMENTS, PatientFigure
from simulators.clinic.patient import Patient, patient, patients
from simulators.clinic.perform import Performance, perform, play
from simulators.clinic.timed_tests import (
    Item,
    quiet_stance,
    sit_to_stand,
    six_minute_walk,
    ten_metre_walk,
    timed_up_and_go,
)
from simulators.clinic.transfers import LyingDown, Rising, RollingOver, SittingDown, SittingUp, Staying
from simulators.clinic.truth import Truth
from simulators.clinic.walks import Climbing, Freezing, Stumbling, Turning, Walking
from simulators.motion.source import Floats, G
from simulators.sensing.imu import PERFECT

HEALTHY, WEAK = patient(1, 0.05), patient(5, 0.9)
FALL: list[Item] = [Staying(2), Rising(), Walking(distance_m=2), Falling("forward", lies_s=4), HelpedUp(), Staying(1)]
SCRIPTS: dict[str, list[Item]] = {
    "tug": timed_up_and_go(),
    "bed": [Staying(3), LyingDown(), RollingOver("left"), Staying(2), RollingOver("back"), SittingUp(), Rising()],
    "stairs": [Staying(1), Rising(), Climbing(4), Staying(1), Climbing(4, up=False), Staying(1)],
    "freezing": [Staying(1), Rising(), Walking(distance_m=2), Freezing(3), Walking(steps=4), Stumbling(), Staying(1)],
    "fall": FALL,
    "chair": [Staying(1), Falling("left", "sitting", 3), HelpedUp(), Staying(1)],
    "slide": [Staying(1), Rising(), Staying(1), Falling("backward", "slide", 3), HelpedUp(), Staying(1)],
    "arms": [Staying(4), Reaching("left", 2), HoldingOut(6), Staying(1)],
}


@cache
def played(script: str, weak: bool) -> tuple[Truth, PatientFigure]:
    return play(SCRIPTS[script], WEAK if weak else HEALTHY, "sitting", 0)


STEP_S = 0.004
"""Between two samples of 250 Hz."""


def around(pose: Pose, name: str) -> Floats:
    """Return a quantity of three neighbouring instants, (n, 3, ...)."""
    values: Floats = {"place": pose.place.value, "rate": pose.place.rate, "matrix": pose.attitude.matrix}[name]
    return values.reshape(-1, 3, *values.shape[1:])


@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("script", SCRIPTS)
def test_speed_acceleration_and_turning_are_the_derivatives_of_place_and_attitude(script: str, weak: bool) -> None:
    truth, figure = played(script, weak)
    step, when = 1e-4, np.arange(0.3, truth.end_s - 0.3, 0.083)
    times = np.stack([when - step, when, when + step], axis=1).ravel()
    for placement in PLACEMENTS:
        pose = figure.pose(placement, times)
        place, rate, matrix = (around(pose, name) for name in ("place", "rate", "matrix"))
        np.testing.assert_allclose((place[:, 2] - place[:, 0]) / (2 * step), rate[:, 1], atol=1e-3)
        found = (rate[:, 2] - rate[:, 0]) / (2 * step)
        off = np.abs(found - pose.place.accel.reshape(-1, 3, 3)[:, 1])
        assert np.percentile(off, 99) < 0.02  # a knot within the step leaves a trace
        spin = np.einsum("nij,nik->njk", matrix[:, 1], (matrix[:, 2] - matrix[:, 0]) / (2 * step))
        found = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=1)
        np.testing.assert_allclose(found, pose.attitude.rate.reshape(-1, 3, 3)[:, 1], atol=1e-3)


@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_sensor_jumps(script: str, weak: bool) -> None:
    truth, figure = played(script, weak)
    times = np.arange(0.0, truth.end_s, STEP_S)
    for placement in PLACEMENTS:
        pose = figure.pose(placement, times)
        assert np.abs(np.diff(pose.place.value, axis=0)).max() < 12 * STEP_S, placement  # m/s: a hand in a fall
        assert np.abs(np.diff(pose.attitude.rate, axis=0)).max() < 2000 * STEP_S, (
            placement
        )  # rad/s^2: a foot that lands
        assert np.abs(pose.acc).max() < 16 * G


def test_the_same_arguments_make_the_same_signals_and_another_seed_others() -> None:
    one, same, other = (perform(timed_up_and_go(), HEALTHY, placements=["lower_back"], seed=s) for s in (1, 1, 2))
    for a, b in zip(one.signals["lower_back"], same.signals["lower_back"], strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.truth.did == same.truth.did
    assert one.truth.of("tug") != other.truth.of("tug")


def test_signals_do_not_depend_on_which_other_sensors_are_worn() -> None:
    alone = perform(timed_up_and_go(), HEALTHY, placements=["chest"])
    among = perform(timed_up_and_go(), HEALTHY)
    np.testing.assert_array_equal(alone.signals["chest"].gyr, among.signals["chest"].gyr)


@cache
def tug(who: Patient) -> Performance:
    return perform(timed_up_and_go(), who, placements=["lower_back"], imperfections=PERFECT, mounting="exact", loss=0)


@pytest.mark.parametrize("who", [patient(k, k / 9) for k in range(10)], ids=lambda who: f"{who.severity:.1f}")
def test_a_timed_up_and_go_is_one_rise_two_turns_and_one_sitting_down_in_order(who: Patient) -> None:
    truth = tug(who).truth
    [test] = truth.of("tug")
    phases = truth.within(test, "standing_up", "walk", "turn", "sitting_down")
    assert [did.what for did in phases] == ["standing_up", "walk", "turn", "walk", "turn", "sitting_down"]
    assert phases[0].facts["tries_from_s"] == 3.0
    assert test.start_s == phases[0].start_s
    assert test.end_s == phases[-1].end_s
    assert all(before.start_s < after.start_s for before, after in pairwise(phases))
    assert truth.postures[0][2] == "sitting"
    assert truth.postures[-1][2] == "sitting"


@pytest.mark.parametrize("who", [patient(k, k / 4) for k in range(5)], ids=lambda who: f"{who.severity:.2f}")
def test_the_lower_back_turns_by_the_angle_of_the_turn_and_leans_in_the_rise(who: Patient) -> None:
    played = tug(who)
    pose, rate = played.pose("lower_back"), 1 / played.rate_hz
    up = pose.attitude.matrix[:, :, 2]
    heading = np.cumsum(np.sum(pose.attitude.to_world(pose.attitude.rate) * [0, 0, 1], axis=1)) * rate
    for turn in played.truth.of("turn"):
        a, b = round(turn.start_s / rate), round(turn.end_s / rate)
        assert np.degrees(heading[b] - heading[a]) == pytest.approx(float(turn.facts["angle_deg"]), abs=12)
    [rise] = played.truth.of("standing_up")
    a, b = round(rise.start_s / rate), round(rise.end_s / rate)
    lean = np.degrees(np.arcsin(up[a:b, 0]))
    assert lean.max() == pytest.approx(0.55 * who.lean_deg + 6, abs=3)  # the pelvis' part, and its own slant
    assert pose.place.value[b, 2] - pose.place.value[a, 2] == pytest.approx(0.40 * who.height_m / 1.75, abs=0.06)


def test_sit_to_stand_has_its_repetitions() -> None:
    for who in (HEALTHY, WEAK):
        truth, _ = play(sit_to_stand(5), who, "sitting", 0)
        assert len(truth.of("standing_up")) == len(truth.of("sitting_down")) == 5
        truth, _ = play(sit_to_stand(duration_s=30.0), who, "sitting", 0)
        [test] = truth.of("sts30s")
        assert len(truth.within(test, "standing_up")) == test.facts["repetitions"]
        assert test.duration_s <= 31 + 0.8 * who.rise_s


@pytest.mark.parametrize("who", [patient(k, k / 4) for k in range(5)], ids=lambda who: f"{who.severity:.2f}")
def test_a_walk_over_ten_metres_takes_the_time_in_which_the_body_goes_ten_metres(who: Patient) -> None:
    truth, figure = play(ten_metre_walk(), who, "standing", 0)
    [test] = truth.of("10mwt")
    begin, end = float(test.facts["timed_from_s"]), float(test.facts["timed_to_s"])
    way = figure.way(np.array([begin, end])).value
    assert float(np.hypot(*(way[1] - way[0])[:2])) == pytest.approx(10.0, abs=0.02)
    assert float(test.facts["speed_mps"]) == pytest.approx(who.speed_mps, rel=0.06)


def test_six_minutes_go_as_far_as_the_steps_add_up_to() -> None:
    truth, _ = play(six_minute_walk(), WEAK, "standing", 0)
    [test] = truth.of("6mwt")
    assert test.duration_s == 360.0
    straight = sum(float(did.facts["distance_m"]) for did in truth.within(test, "walk"))
    assert straight <= float(test.facts["distance_m"]) <= straight + 30
    assert truth.end_s > test.end_s
    assert any(posture == "standing" for *_, posture in truth.postures[1:-1])  # WEAK has to stop on the way


def test_true_sway_is_that_of_the_true_signal_and_grows_with_the_condition() -> None:
    sizes = []
    for script in (quiet_stance(), quiet_stance(eyes="closed"), quiet_stance(eyes="closed", surface="foam")):
        truth, figure = play(script, WEAK, "standing", 0)
        [stance] = truth.of("stance")
        acc = figure.pose("lower_back", np.arange(stance.start_s, stance.end_s, 0.01)).acc
        level = acc - acc.mean(axis=0)
        assert float(stance.facts["acc_rms_ml"]) == pytest.approx(float(np.std(level[:, 1])), rel=0.02)
        assert stance.duration_s == pytest.approx(30.0)
        sizes.append(float(stance.facts["place_area95"]))
    assert sizes == sorted(sizes)


def test_a_fall_hits_the_floor_as_hard_as_falls_do_and_leaves_the_body_level() -> None:
    for direction in get_args(Direction):
        for start in ("standing", "sitting"):
            script: list[Item] = [Staying(2), *([Rising(), Staying(1)] if start == "standing" else [])]
            truth, figure = play([*script, Falling(direction, start, 6)], HEALTHY, "sitting", 0)
            [fall] = truth.of("fall")
            assert 1.5 <= float(fall.facts["impact_mps"]) <= 4.0
            times = np.arange(fall.start_s, fall.end_s + 3, 0.001)
            pose = figure.pose("lower_back", times)
            force = np.linalg.norm(pose.acc, axis=1)
            assert times[np.argmax(force)] == pytest.approx(float(fall.facts["impact_s"]), abs=0.12)
            assert 2.5 * G < force.max() < 14 * G
            assert force[times < float(fall.facts["impact_s"])].min() < 0.75 * G
            assert abs(pose.attitude.matrix[-1][2, 2]) < 0.4


def test_patients_go_from_healthy_to_severely_impaired() -> None:
    all_of_them = patients()
    assert len(all_of_them) == 50
    assert {who.kind for who in all_of_them} == {"healthy", "frail", "stroke", "parkinson"}
    assert all_of_them[0].speed_mps > 1.2
    assert all_of_them[-1].speed_mps < 0.35
    assert {who.aid for who in all_of_them} == {"", "cane", "rollator"}
    assert all_of_them == patients()


def test_what_cannot_be_done_from_where_the_body_is_is_refused() -> None:
    with pytest.raises(ValueError, match="done sitting, and the body is standing"):
        play([Rising()], HEALTHY, "standing", 0)
    with pytest.raises(ValueError, match="done standing or walking, and the body is lying"):
        play([SittingDown()], HEALTHY, "lying", 0)
    with pytest.raises(ValueError, match="severity"):
        patient(1, 1.5)


def test_freezing_trembles_at_the_shanks_between_three_and_eight_hertz() -> None:
    who = next(each for each in patients() if each.freezes)
    script: list[Item] = [Staying(1), Walking(distance_m=3), Freezing(5), Walking(distance_m=2), Staying(1)]
    truth, figure = play(script, who, "standing", 0)
    [freeze] = truth.of("freezing")
    acc = figure.pose("left_shank", np.arange(freeze.start_s + 0.6, freeze.end_s - 0.6, 0.01)).acc
    power = np.abs(np.fft.rfft(acc - acc.mean(axis=0), axis=0)).sum(axis=1) ** 2
    peak = np.fft.rfftfreq(len(acc), 0.01)[np.argmax(power)]
    assert 3 <= peak <= 8
    assert peak == pytest.approx(who.freezing_hz, rel=0.15)


def test_hands_tremble_at_their_frequency_and_only_of_whom_they_do() -> None:
    who = next(each for each in patients() if max(each.tremor_deg) > 4)
    truth, figure = play([Staying(20, fidgets=False)], who, "sitting", 0)
    tremor = truth.of("tremor")[0]
    side = str(tremor.facts["side"])
    gyr = figure.pose(f"{side}_wrist", np.arange(tremor.start_s + 1, tremor.end_s - 1, 0.01)).attitude.rate
    power = (np.abs(np.fft.rfft(gyr - gyr.mean(axis=0), axis=0)) ** 2).sum(axis=1)
    assert np.fft.rfftfreq(len(gyr), 0.01)[np.argmax(power)] == pytest.approx(who.tremor_hz, rel=0.1)
    assert play([Staying(20)], HEALTHY, "sitting", 0)[0].of("tremor") == []


def test_effort_makes_the_heart_faster_and_takes_saturation_down() -> None:
    truth, _ = play([*six_minute_walk(2.0), Staying(60)], WEAK, "standing", 0)
    beats, spo2 = truth.beats_s, truth.spo2
    rate = 60 / np.diff(beats)
    assert np.median(rate[(beats[1:] > 90) & (beats[1:] < 120)]) > WEAK.rest_bpm + 20
    assert spo2[:3, 1].min() == WEAK.rest_spo2 > spo2[:, 1].min() + 2


def test_stairs_lift_the_body_stair_by_stair() -> None:
    truth, figure = play([Staying(1), Climbing(5), Staying(1)], HEALTHY, "standing", 0)
    [flight] = truth.of("stairs")
    assert flight.facts["steps"] == 5
    z = figure.pose("lower_back", np.array([flight.start_s - 0.2, truth.end_s])).place.value[:, 2]
    assert z[1] - z[0] == pytest.approx(0.85 * HEALTHY.height_m / 1.75, abs=0.02)
    assert truth.postures[1][2] in ("standing", "stairs")
    weak, _ = play([Staying(1), Climbing(5), Staying(1)], WEAK, "standing", 0)
    assert weak.of("stairs")[0].facts["steps"] == 10


def test_a_turn_on_the_spot_counts_its_steps() -> None:
    truth, _ = play([Staying(1), Turning(-90), Staying(1), Balancing(5)], HEALTHY, "standing", 0)
    [turn] = truth.of("turn")
    assert turn.facts["steps"] == sum(bool(step.pace.turn) for step in truth.steps) == 2
