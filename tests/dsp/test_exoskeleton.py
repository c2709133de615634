"""Seconds of an exoskeleton: any chunking gives the same bits, and what is not told has no value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.exoskeleton import JOINTS as DRIVERS_JOINTS
from dsp.catalogue import CATALOGUE
from dsp.exoskeleton.seconds import ExoskeletonSeconds, parts_of
from dsp.exoskeleton.whole_seconds import MOST_SAMPLES
from dsp.exoskeleton_metrics import EXOSKELETON, JOINTS
from dsp.result import Result

CHANNELS = ("left_ankle_torque", "left_ankle_command", "right_knee_angle", "assistance", "toe")


def samples(times: np.ndarray) -> np.ndarray:
    chance = np.random.default_rng(4)
    return chance.normal(0.0, 10.0, (len(times), len(CHANNELS)))


def test_a_second_ends_with_the_first_sample_after_it() -> None:
    seconds = ExoskeletonSeconds(("left_ankle_torque",))
    assert seconds.add(np.array([7.1, 7.5, 7.9]), np.array([[1.0], [-4.0], [2.0]])) == []
    results = seconds.add(np.array([8.0]), np.array([[9.0]]))
    assert results == [
        Result("exo_ankle_torque", -1 / 3, "left", 7.1, 7.9, 3, "exoskeleton/1"),
        Result("exo_ankle_peak_torque", -4.0, "left", 7.1, 7.9, 3, "exoskeleton/1"),
    ]


@given(st.lists(st.integers(0, 600), max_size=20).map(sorted))
def test_any_chunking_gives_the_same_bits(cuts: list[int]) -> None:
    times = np.linspace(100.0, 106.05, 600, dtype=np.float64)
    values = samples(times)
    whole = ExoskeletonSeconds(CHANNELS).add(times, values)
    pieces = ExoskeletonSeconds(CHANNELS)
    got: list[Result] = []
    for begin, end in zip([0, *cuts], [*cuts, 600], strict=True):
        got += pieces.add(times[begin:end], values[begin:end])
    assert got == whole
    assert len(whole) == 6 * 5


def test_what_is_not_measured_has_no_value_and_what_cannot_be_is_left_out() -> None:
    seconds = ExoskeletonSeconds(("left_hip_torque", "right_hip_torque", "left_knee_angle"))
    nothing = np.nan
    rows = np.array([[nothing, 900.0, 5.0], [nothing, 950.0, 6.0], [nothing, 901.0, 4000.0]])
    seconds.add(np.array([0.1, 0.2, 0.3]), rows)
    results = {(r.metric, r.side): r for r in seconds.add(np.array([1.5]), rows[:1])}
    assert {key for key in results if key[1] == "left"} == {("exo_knee_angle", "left")}
    assert results["exo_knee_angle", "left"].value == 5.5
    assert (results["exo_knee_angle", "left"].n_rejected, results["exo_knee_angle", "left"].quality) == (1, "degraded")
    right = results["exo_hip_torque", "right"]
    assert (right.value, right.quality, right.reason, right.n_rejected) == (None, "invalid", "implausible", 3)


def test_a_pause_is_no_value_and_closes_what_was_open() -> None:
    seconds = ExoskeletonSeconds(("assistance",))
    seconds.add(np.array([3.2]), np.array([[60.0]]))
    results = seconds.add(np.array([90.0, 91.0]), np.array([[50.0], [40.0]]))
    assert [(r.start_s, r.value) for r in results] == [(3.2, 60.0), (90.0, 50.0)]


def test_the_hottest_motor_of_a_side() -> None:
    seconds = ExoskeletonSeconds(("left_hip_temperature", "left_knee_temperature", "right_hip_temperature"))
    seconds.add(np.array([0.0]), np.array([[40.0, 61.0, 35.0]]))
    results = seconds.add(np.array([1.0]), np.array([[40.0, 61.0, 35.0]]))
    assert [(r.metric, r.side, r.value) for r in results] == [
        ("exo_motor_temperature", "left", 61.0), ("exo_motor_temperature", "right", 35.0),
    ]  # fmt: skip


def test_a_flood_takes_no_memory() -> None:
    seconds = ExoskeletonSeconds(("assistance",))
    for _ in range(100):
        seconds.add(np.full(1000, 5.5), np.full((1000, 1), 10.0))
    (results,) = seconds.add(np.array([6.5]), np.array([[10.0]]))
    assert results.n == MOST_SAMPLES


def test_times_that_go_back_stay_in_the_second_that_is_open() -> None:
    seconds = ExoskeletonSeconds(("assistance",))
    assert seconds.add(np.array([5.1, 4.9, 5.2]), np.array([[1.0], [2.0], [3.0]])) == []
    assert seconds.add(np.array([4.95]), np.array([[6.0]])) == []
    (results,) = seconds.add(np.array([6.0]), np.array([[0.0]]))
    assert (results.value, results.n) == (3.0, 4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_every_metric_of_a_joint_has_its_channel(side: str) -> None:
    channels = [f"{side}_{joint}_{q}" for joint in JOINTS for q in ("angle", "torque", "command", "interaction")]
    results = {part.metric.id for part in parts_of([*channels, f"{side}_hip_temperature"])}
    of_sides = {metric.id for metric in EXOSKELETON if metric.sides == ("left", "right")}
    assert results == of_sides - {"exo_clock_offset"}  # that is measured between two devices, and comes of no channel


def test_drivers_and_metrics_have_the_same_joints() -> None:
    assert DRIVERS_JOINTS == JOINTS
    assert {metric.id for metric in EXOSKELETON} <= set(CATALOGUE)
