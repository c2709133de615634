"""Posture from one sensor."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.activity.day import spells
from dsp.posture.dwell import LEAST_S
from dsp.posture.posture import (
    ARM,
    LOST,
    NO_CHAIR,
    NOT_WALKED,
    ON_BACK,
    Posture,
    PostureDetector,
)
from dsp.posture.upright import Upright
from dsp.whole_recordings import find_postures
from simulators.clinic.patient import patients
from simulators.clinic.perform import perform
from simulators.clinic.timed_tests import sit_to_stand, timed_up_and_go
from simulators.clinic.transfers import LyingDown, Rising, SittingDown, SittingUp, Staying
from simulators.clinic.walks import Walking
from tests.dsp.falling import Floats, Motion, sensed, steps
from tests.shared import shared_path

RATE_HZ = 50.0
SEATED = np.array([0.0, -1.45, 0.0])
UPRIGHT = np.zeros(3)
IN_POCKET = {
    "screen to the front": np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "screen to the back": np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]]),
    "upside down": np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    "upside down, to the back": np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
}
"""Which axes of the phone (rows) are forward, left and up."""


def day(segment: str = "thigh", *, rises: bool = True) -> tuple[Floats, list[tuple[float, str]]]:
    """Return the force of somebody who sits, walks, stands and sits (n, 3), x forward, z up, and when they did."""
    rng = np.random.default_rng(5)
    seat = SEATED if segment != "trunk" else np.array([0.0, -0.1, 0.0])
    motion, truth = Motion(RATE_HZ), []

    def begins(name: str) -> None:
        truth.append((motion.n / RATE_HZ, name))

    if rises:
        begins("sitting")
        motion.rest(10, seat)
        motion.turn(1.2, UPRIGHT, -0.3)
    begins("walking")
    steps(motion, 10, rng)
    begins("standing")
    motion.rest(8, UPRIGHT)
    motion.turn(1.2, seat, 0.3)
    begins("sitting")
    motion.rest(12)
    return force_of(motion), truth


def force_of(motion: Motion) -> Floats:
    """Return what a sensor along the segment measures."""
    still = np.random.default_rng(1)
    acc, _ = sensed(motion, "thigh", still, strapped=np.eye(3))
    return acc


def found(acc: Floats, placement: str = "thigh", *, chunk: int = 0, index: np.ndarray | None = None) -> list[Posture]:
    detector = PostureDetector(RATE_HZ, placement)
    at = np.arange(len(acc)) if index is None else index
    nothing = np.full_like(acc, np.nan)
    step = chunk or max(1, len(acc))
    parts = [
        detector.process(at[i : i + step], acc[i : i + step], nothing[i : i + step]) for i in range(0, len(acc), step)
    ]
    return [p for part in parts for p in part] + list(detector.finish())


def timeline(postures: list[Posture], n: int) -> np.ndarray:
    """Return what holds of each sample, once all is known."""
    names = np.full(n, "", object)
    for posture in postures:
        names[max(0, round(posture.at)) :] = posture.posture
    return names


def share(acc: Floats, truth: list[tuple[float, str]], placement: str = "thigh") -> float:
    """Return of what share of the time the posture is right; a second around each change does not count."""
    names = timeline(found(acc, placement), len(acc))
    right = total = 0
    for (begin, name), (end, _) in pairwise([*truth, (len(acc) / RATE_HZ, "")]):
        part = names[int((begin + 0.5) * RATE_HZ) : int((end - 1.5) * RATE_HZ)]
        right, total = right + int((part == name).sum()), total + len(part)
    return right / total


@pytest.mark.parametrize("axes", IN_POCKET.values(), ids=IN_POCKET)
def test_a_phone_in_a_pocket_any_way_round(axes: np.ndarray) -> None:
    acc, truth = day()
    assert share(acc @ axes.T, truth) > 0.98


def test_once_somebody_has_walked_no_axis_matters() -> None:
    acc, truth = day(rises=False)
    for seed in range(5):
        turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
        assert share(acc @ turn, truth) > 0.93  # the first steps come before it is known


def test_a_wrist_is_a_guess_and_says_so() -> None:
    acc, truth = day()
    watch = acc @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    assert share(watch, truth, "wrist") > 0.98
    assert {(p.quality, p.reason) for p in found(watch, "wrist")} == {("degraded", ARM)}


@pytest.mark.parametrize("placement", ["waist", "lower_back", "chest"])
def test_a_trunk_that_is_level_lies_and_one_that_is_upright_may_sit(placement: str) -> None:
    rng = np.random.default_rng(2)
    motion = Motion(RATE_HZ)
    motion.rest(5)
    steps(motion, 8, rng, 2.0)
    motion.rest(6, UPRIGHT)
    motion.turn(3, np.array([0.0, -1.5, 0.0]), 0.5)
    motion.rest(20)
    got = found(force_of(motion), placement)
    assert [p.posture for p in got if p.reason != NOT_WALKED] == ["walking", "standing", "lying"]
    assert [p.reason for p in got] == [NOT_WALKED, "", NO_CHAIR, ""]


def test_a_thigh_that_rolls_belongs_to_somebody_who_lies() -> None:
    rng = np.random.default_rng(2)
    motion = Motion(RATE_HZ)
    steps(motion, 8, rng)
    motion.rest(4, UPRIGHT)
    motion.turn(1.2, SEATED, 0.3)
    motion.rest(8)
    acc = force_of(motion)
    side = np.tile(np.array([0.4, 9.0, 3.8]) / 9.8 * 9.81, (int(10 * RATE_HZ), 1))
    got = found(np.concatenate([acc, side + rng.normal(0, 0.05, side.shape)]))
    assert [p.posture for p in got if p.quality == "ok"] == ["walking", "standing", "lying"]
    assert [p.reason for p in got if p.posture == "sitting"][-1] == ON_BACK


def test_what_was_learned_is_of_use_to_the_next() -> None:
    acc, _ = day()
    turn = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))[0]
    first = PostureDetector(RATE_HZ, "thigh")
    list(first.process(np.arange(len(acc)), acc @ turn, np.full_like(acc, np.nan)))
    assert first.up is not None
    stood = np.tile(first.up * 9.81, (100, 1))
    second = PostureDetector(RATE_HZ, "thigh", first.up)
    assert [(p.posture, p.quality) for p in second.process(np.arange(100), stood, stood * np.nan)] == [
        ("standing", "ok")
    ]


@settings(deadline=None, max_examples=12)
@given(
    st.integers(1, 400), st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 900)), max_size=3), st.integers(0, 9)
)
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]], seed: int) -> None:
    acc, _ = day()
    rng = np.random.default_rng(seed)
    acc[rng.random(len(acc)) < 0.05] = np.nan
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    assert found(acc, chunk=chunk, index=index) == found(acc, index=index)


@pytest.mark.parametrize("number", [32, 40, 44])
def test_no_posture_lasts_less_than_anybody_takes_to_sit_and_stand(number: int) -> None:
    """Who rises and walks off was told to stand for .05 to .3 s in between, once the first steps were dated back."""
    script = [
        Walking(distance_m=6), Staying(6), SittingDown(), Staying(10), Rising(), Staying(10), SittingDown(), Staying(4),
        LyingDown(), Staying(20), SittingUp(), Staying(5), Rising(), Staying(5), SittingDown(), Staying(5),
        *sit_to_stand(5), *timed_up_and_go(left=True),
    ]  # fmt: skip
    played = perform(script, patients(50)[number], rate_hz=100.0, placements=["left_thigh"], start="standing")
    sensor = played.signals["left_thigh"]
    detector = PostureDetector(100.0, "thigh", along=[0.0, 0.0, 1.0])
    reported = [*detector.process(sensor.index, sensor.acc, sensor.gyr), *detector.finish()]
    held = spells(reported, float(sensor.index[-1]), 100.0)
    assert len(held) > 20
    assert min(spell.end_s - spell.start_s for spell in held[:-1]) >= LEAST_S - 1e-6


def test_lost_samples_change_little() -> None:
    acc, truth = day()
    acc[np.random.default_rng(3).random(len(acc)) < 0.2] = np.nan
    assert share(acc @ IN_POCKET["upside down"].T, truth) > 0.97


def test_a_gap_has_no_posture() -> None:
    acc, _ = day()
    acc = acc @ IN_POCKET["screen to the front"].T
    index = np.arange(len(acc))
    index[300:] += 500
    postures = found(acc, index=index)
    lost = [p for p in postures if p.posture is None]
    assert [(p.at, p.quality, p.reason) for p in lost] == [(300.0, "invalid", LOST)]
    assert all(p.at >= 800 or p.at <= 300 for p in postures)


def test_nothing_and_nonsense_make_no_posture() -> None:
    for nothing in (np.zeros((0, 3)), np.full((500, 3), np.nan)):
        assert found(nothing) == []
    assert {p.quality for p in found(np.zeros((500, 3)))} <= {"degraded"}


@pytest.mark.parametrize(("rate_hz", "placement"), [(19.0, "thigh"), (float("nan"), "thigh"), (50.0, "nose")])
def test_what_cannot_be_is_refused(rate_hz: float, placement: str) -> None:
    with pytest.raises(ValueError, match="posture"):
        PostureDetector(rate_hz, placement)


def test_arrays_give_the_same_as_live() -> None:
    acc, _ = day()
    acc = acc @ IN_POCKET["upside down"].T
    table = find_postures(acc, RATE_HZ, "thigh")
    names = np.full(len(acc), "", object)
    for row in table:
        names[round(row["start_s"] * RATE_HZ) : round(row["end_s"] * RATE_HZ)] = row["posture"]
    assert (names == timeline(found(acc, chunk=10), len(acc))).all()
    assert table["posture"].tolist() == ["sitting", "walking", "standing", "sitting"]
    assert len(find_postures(np.zeros((0, 3)), RATE_HZ, "thigh")) == 0
    with pytest.raises(ValueError, match="acc must be"):
        find_postures(np.zeros(5), RATE_HZ, "thigh")


def test_upright_is_forgotten_as_a_seat() -> None:
    upright = Upright(np.array([0.0, 1.0, 0.0]))
    leaning = np.array([7.0, 6.0, 3.0])  # a phone askew in its pocket, and its wearer stands
    upright.sits(leaning)
    assert upright.walks(leaning)
    assert upright.seat is None


@pytest.mark.recordings
@pytest.mark.parametrize(("sensor", "least"), [("pocket", 0.98), ("wrist", 0.97)])
def test_sitting_and_upright_agree_with_video(sensor: str, least: float) -> None:
    command = [sys.executable, str(shared_path("score", "posture.py")), "tests.scoring:posture", "--sensor", sensor]
    command += ["--data", str(shared_path("data", "clinical"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    score = json.loads(printed.splitlines()[-1])
    assert score["tug"]["balanced_accuracy"] >= least
    assert score["stairs"]["upright"] >= 0.999
    assert score["stairs"]["as_stairs"] >= 0.25
