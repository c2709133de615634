"""A body with arms: its wrists obey mechanics, its hands work where it stands, and one of them does less."""

from __future__ import annotations

import math
import tomllib
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from config.settings import Settings
from simulators.body.arm_truth import ArmTruth, Movement
from simulators.body.arms import ArmHabit, ArmsBody
from simulators.body.programme import Stand, Turn, Walk
from simulators.scenes.ward import ward

PROGRAMME = (Stand(duration_s=30), Walk(speed_mps=1.0, distance_m=8), Turn(angle_deg=180), Walk(speed_mps=1.0, steps=6))
HABIT = ArmHabit("left", 0.4, (6.0, 18.0))


def body(habit: ArmHabit = HABIT, seed: int = 3) -> ArmsBody:
    return ArmsBody(seed, habit, programme=PROGRAMME, repeat=True)


@pytest.mark.parametrize("placement", ["left_wrist", "right_wrist", "left_foot"])
def test_speed_acceleration_and_turning_are_the_derivatives_of_place_and_attitude(placement: str) -> None:
    step, when = 1e-4, np.arange(0.3, 80.0, 0.083)
    times = np.stack([when - step, when, when + step], axis=1).ravel()
    pose = body().figure().pose(placement, times)
    place, rate = (part.reshape(-1, 3, 3) for part in (pose.place.value, pose.place.rate))
    np.testing.assert_allclose((place[:, 2] - place[:, 0]) / (2 * step), rate[:, 1], atol=1e-3)
    off = np.abs((rate[:, 2] - rate[:, 0]) / (2 * step) - pose.place.accel.reshape(-1, 3, 3)[:, 1])
    assert np.percentile(off, 99) < 0.02  # a knot within the step leaves a trace
    matrix = pose.attitude.matrix.reshape(-1, 3, 3, 3)
    spin = np.einsum("nij,nik->njk", matrix[:, 1], (matrix[:, 2] - matrix[:, 0]) / (2 * step))
    found = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=1)
    np.testing.assert_allclose(found, pose.attitude.rate.reshape(-1, 3, 3)[:, 1], atol=1e-3)


def test_arms_swing_against_each_other_and_as_far_as_they_are_said_to() -> None:
    start_s, _ = next(body().walks())
    times = np.arange(start_s + 2, start_s + 6, 0.01)  # straight on
    pitch = {}
    for side in ("left", "right"):
        down = -body().figure().pose(f"{side}_wrist", times).attitude.matrix[:, :, 2]
        pitch[side] = np.degrees(np.arcsin(down[:, 0]))  # x is where it walks
    swing = {side: float(np.ptp(angle)) for side, angle in pitch.items()}
    assert swing["right"] == pytest.approx(3 * swing["left"], rel=0.35)  # of trunk and pelvis both have the same
    assert np.corrcoef(pitch["left"], pitch["right"])[0, 1] < -0.6


def test_hands_work_where_the_body_stands_and_the_affected_one_does_less() -> None:
    arms = body()
    walks = list(islice(arms.walks(), 5))
    done = list(islice(arms.movements(), 40))
    assert not [m for m in done for start, end in walks if start < m.end_s and m.start_s < end]
    assert all(before.end_s < after.start_s for before, after in pairwise(done))
    truth = arms.arm_truth(0, 900)
    assert 0.55 < truth.use_ratio < 0.9
    assert truth.magnitude_ratio == pytest.approx(math.log(0.4), abs=0.01)
    alike = body(ArmHabit()).arm_truth(0, 900)
    assert (alike.use_ratio, alike.magnitude_ratio, alike.used_s[0]) == (1.0, 0.0, alike.used_s[1])


def test_what_is_true_of_given_movements() -> None:
    done = [Movement(0.0, 4.0, (20.0, 40.0)), Movement(5.2, 7.0, (0.0, 50.0)), Movement(9.0, 10.0, (30.0, 0.0))]
    truth = ArmTruth.of(done, "left", 0, 12)
    assert truth.used_s == (5, 6)  # of the sixth second a movement has the greater part
    assert truth.use_ratio == 5 / 6
    assert truth.magnitude_ratio == pytest.approx(math.log(0.5))
    assert ArmTruth.of(done, "right", 0, 12).use_ratio == 6 / 5
    assert math.isnan(ArmTruth.of([], "left", 0, 12).use_ratio)


def test_a_ward_has_people_with_sensors_on_both_wrists(tmp_path: Path) -> None:
    plain, armed = (ward(beds=3, ports=tmp_path, wrists=n) for n in (0, 2))
    site = Settings.model_validate(tomllib.loads(armed.configuration(tmp_path / "radio.sock")))
    worn = [{device.placement for device in slot.device} for slot in site.slot]
    assert [{"left_wrist", "right_wrist"} <= places for places in worn] == [True, True, False]
    assert [slot.affected_side in ("left", "right") for slot in site.slot] == [True, True, False]
    addresses = [device.address for slot in site.slot for device in slot.device if device.address]
    assert len(set(addresses)) == len(addresses)
    third = [scene.devices["bed-3-left-shank"].source.read_until(2.0) for scene in (plain, armed)]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(third[0].acc, third[1].acc)
    with pytest.raises(ValueError, match="up to 3 may wear"):
        ward(beds=3, ports=tmp_path, wrists=4)
