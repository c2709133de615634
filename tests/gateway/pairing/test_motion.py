"""Which device is tapped, and which leg is lifted."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.packet import Samples
from gateway.pairing.motion import LEAST_TAP, LEAST_TURN, Motion, clearest, lifted_side, limb_of, not_with, side_of

IMU = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
PLACEMENTS = {"a": "left_foot", "b": "right_foot", "c": "left_shank", "d": "lower_back"}


def at_rest(count: int, *, turning: float = 0.0) -> Samples:
    found = np.zeros((count, 6))
    found[:, 2], found[:, 4] = 9.81, turning
    return found


def test_a_tap_is_a_jump_wherever_the_samples_are_cut() -> None:
    samples = at_rest(60)
    samples[30, 2] += 2 * LEAST_TAP
    for cut in (1, 30, 31, 59):
        motion = Motion()
        motion.add(IMU, samples[:cut])
        motion.add(IMU, samples[cut:])
        assert motion.jump == pytest.approx(2 * LEAST_TAP)
        assert (motion.samples, motion.turn) == (60, 0.0)


def test_samples_that_are_missing_move_nothing() -> None:
    motion = Motion()
    samples = at_rest(10, turning=1.0)
    samples[4] = np.nan
    motion.add(IMU, samples)
    assert motion.jump == 0.0
    assert motion.turn == pytest.approx(1.0)


def test_what_measures_no_motion_is_passed_over() -> None:
    motion = Motion()
    motion.add(("heart_rate",), np.full((3, 1), 80.0))
    motion.add(("acc_x", "acc_y", "acc_z"), np.zeros((2, 3)))
    assert (motion.samples, motion.jump, motion.turn) == (5, 0.0, 0.0)


@pytest.mark.parametrize(
    ("amounts", "named"),
    [({}, None), ({"a": 3.0}, "a"), ({"a": 0.5}, None), ({"a": 3.0, "b": 2.0}, None), ({"a": 1.0, "b": 2.0}, "b")],
)
def test_only_what_is_clear_is_named(amounts: dict[str, float], named: str | None) -> None:
    assert clearest(amounts, 1.0) == named


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ({"a": 1.0, "b": 0.1, "c": 0.8, "d": 5.0}, ("left", "a")),
        ({"a": 0.1, "b": 1.0, "c": 0.2, "d": 5.0}, ("right", "b")),
        ({"a": 1.0, "b": 0.9, "c": 0.2, "d": 0.0}, (None, None)),
        ({"a": LEAST_TURN / 2, "b": 0.0}, (None, None)),
        ({"b": 1.0}, ("right", "b")),
        ({"d": 1.0}, (None, None)),
    ],
)
def test_a_lifted_leg_is_that_of_the_side_whose_sensors_turn(
    turns: dict[str, float], found: tuple[str | None, str | None]
) -> None:
    assert lifted_side(turns, PLACEMENTS) == found


@pytest.mark.parametrize(
    ("turns", "still"),
    [
        ({"a": 1.0, "b": 0.1, "c": 0.8}, []),
        ({"a": 1.0, "b": 0.1, "c": 0.1}, ["c"]),  # it is on the other leg, whatever the foot does
        ({"a": 1.0, "b": 0.45, "c": 0.5}, ["c"]),
        ({"a": 0.0, "c": 1.0, "d": 5.0}, ["a"]),
        ({"b": 1.0}, []),
    ],
)
def test_what_does_not_turn_with_its_leg_is_named(turns: dict[str, float], still: list[str]) -> None:
    assert not_with("left", turns, PLACEMENTS) == still


def test_rows_that_are_missing_in_part_make_no_turn_larger() -> None:
    motion = Motion()
    samples = at_rest(10, turning=1.0)
    samples[:9, 3] = np.nan
    samples[0, 5] = np.inf
    motion.add(IMU, samples)
    assert motion.turn == pytest.approx(1.0)
    assert motion.measures_turning


def test_sides() -> None:
    assert [side_of(place) for place in ("left_foot", "right_thigh", "lower_back", "chest")] == [
        "left", "right", None, None,
    ]  # fmt: skip


def test_limbs() -> None:
    places = ("left_foot", "right_thigh", "left_wrist", "right_wrist", "wrist", "upper_arm", "chest")
    assert [limb_of(place) for place in places] == ["leg", "leg", "arm", "arm", None, None, None]
    assert [side_of(place) for place in places] == ["left", "right", "left", "right", None, None, None]


def test_a_lifted_arm_is_that_of_the_side_whose_wrist_turns() -> None:
    wrists = {"a": "left_wrist", "b": "right_wrist"}
    assert lifted_side({"a": 0.1, "b": 1.2}, wrists) == ("right", "b")
    assert not_with("left", {"a": 0.1, "b": 1.2}, wrists) == ["a"]
