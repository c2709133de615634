"""Walks and U-turns from one sensor that is held or worn anyhow."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.walk_tests.course import CourseWalks, UTurn, Walk
from dsp.whole_recordings import find_walks
from tests.dsp.bodies import Floats, rotation
from tests.shared import shared_path

RATE_HZ = 50.0
Ints = np.ndarray


def hand(
    *,
    rate_hz: float = RATE_HZ,
    walks: int = 3,
    pause_s: float = 3.0,
    strength: float = 1.0,
    step_hz: float = 1.8,
    walk_s: float = 5.0,
    seed: int = 1,
) -> tuple[Floats, Floats, list[tuple[float, float]], list[tuple[float, float]]]:
    """Return what a phone in a hand feels of somebody who walks to and fro, and when they walk and turn, seconds.

    They stand 5 s, walk, stand, turn left on the spot with steps half as strong, stand, and so on.
    """
    times, turns, now = [], [], 5.0
    for k in range(walks):
        times.append((now, now + walk_s))
        now += walk_s + pause_s
        if k < walks - 1:
            turns.append((now, now + 2.5))
            now += 2.5 + pause_s
    t = np.arange(0.0, now, 1 / rate_hz)
    steps, rate = np.zeros(len(t)), np.zeros(len(t))
    for start, end in times:
        inside = (t >= start) & (t < end)
        steps[inside] = strength
        along = t[inside] - start
        sway = np.sin(np.pi * step_hz * along) * np.sin(np.pi * along / walk_s)  # none at either end
        rate[inside] = 0.1 * strength * np.gradient(sway) * rate_hz
    for start, end in turns:
        inside = (t >= start) & (t < end)
        steps[inside] = 0.5 * strength
        rate[inside] = np.pi / 2.5 * (1 - np.cos(2 * np.pi * (t[inside] - start) / 2.5))
    phase = 2 * np.pi * step_hz * t
    up = 9.81 + steps * (2.0 * np.sin(phase) + 0.8 * np.sin(2 * phase))
    rng = np.random.default_rng(seed)
    acc = np.column_stack([0.8 * steps * np.cos(phase), 0.4 * steps * np.sin(phase / 2), up])
    gyr = np.column_stack([0.1 * steps * np.sin(phase), np.zeros(len(t)), rate])
    noise = 0.1 * strength
    return acc + rng.normal(0, noise, acc.shape), gyr + rng.normal(0, 0.01, gyr.shape), times, turns


def found(
    acc: Floats,
    gyr: Floats,
    *,
    rate_hz: float = RATE_HZ,
    index: Ints | None = None,
    chunk: int = 0,
    course: bool = True,
) -> list[Walk | UTurn]:
    walks = CourseWalks(rate_hz, course=course)
    at = np.arange(len(acc)) if index is None else index
    step = chunk or len(acc)
    out = [
        e
        for i in range(0, len(at), step)
        for e in walks.process(at[i : i + step], acc[i : i + step], gyr[i : i + step])
    ]
    return [*out, *walks.flush()]


def assert_found(
    events: list[Walk | UTurn],
    times: list[tuple[float, float]],
    turns: list[tuple[float, float]],
    *,
    rate_hz: float = RATE_HZ,
    sign: int = 1,
    within_s: float = 0.3,
) -> None:
    walks = [e for e in events if isinstance(e, Walk)]
    u_turns = [e for e in events if isinstance(e, UTurn)]
    assert [w.start / rate_hz for w in walks] == pytest.approx([start for start, _ in times], abs=within_s)
    assert [w.end / rate_hz for w in walks] == pytest.approx([end for _, end in times], abs=within_s)
    assert [t.start / rate_hz for t in u_turns] == pytest.approx([start for start, _ in turns], abs=0.5)
    assert [t.end / rate_hz for t in u_turns] == pytest.approx([end for _, end in turns], abs=0.5)
    assert [t.angle_deg for t in u_turns] == pytest.approx([sign * 180.0] * len(turns), abs=4)


@pytest.mark.parametrize("course", [True, False])
@pytest.mark.parametrize("pause_s", [1.2, 3.0, 8.0])
def test_walks_and_turns_are_found(pause_s: float, *, course: bool) -> None:
    acc, gyr, times, turns = hand(pause_s=pause_s)
    events = found(acc, gyr, course=course)
    if course or pause_s > 2.0:
        assert_found(events, times, turns)
    assert [e.quality for e in events] == ["ok"] * 5
    walk, turn = events[0], events[1]
    assert isinstance(walk, Walk)
    assert walk.steps == pytest.approx(9, abs=1)
    assert walk.cadence_spm == pytest.approx(108, abs=3)
    assert isinstance(turn, UTurn)
    assert turn.steps == pytest.approx(4, abs=1)
    assert turn.peak_deg_s == pytest.approx(144, abs=15)


@pytest.mark.parametrize("strength", [0.15, 0.4, 2.0])
@pytest.mark.parametrize("step_hz", [0.8, 2.6])
def test_weak_slow_and_quick_steps_are_walks(strength: float, step_hz: float) -> None:
    acc, gyr, times, turns = hand(strength=strength, step_hz=step_hz, walk_s=8.0)
    assert_found(found(acc, gyr), times, turns, within_s=max(0.3, 0.4 / step_hz))


@pytest.mark.parametrize("rate_hz", [25.0, 60.0, 104.0, 208.0])
def test_any_rate_will_do(rate_hz: float) -> None:
    acc, gyr, times, turns = hand(rate_hz=rate_hz)
    assert_found(found(acc, gyr, rate_hz=rate_hz), times, turns, rate_hz=rate_hz)


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_matter_how_the_sensor_is_held(seed: int) -> None:
    acc, gyr, times, turns = hand()
    turned = rotation(seed)
    assert_found(found(acc @ turned.T, gyr @ turned.T), times, turns)


def test_a_mirrored_walker_turns_to_the_right() -> None:
    acc, gyr, times, turns = hand()
    assert_found(found(acc * [1, -1, 1], gyr * [-1, 1, -1]), times, turns, sign=-1)


def test_an_offset_of_the_gyroscope_is_learnt_at_rest() -> None:
    acc, gyr, times, turns = hand()
    assert_found(found(acc, gyr + np.array([0.03, -0.02, 0.04])), times, turns)


@settings(max_examples=10)
@given(st.integers(3, 900), st.lists(st.tuples(st.integers(0, 1900), st.integers(1, 400)), max_size=3), st.booleans())
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]], course: bool) -> None:
    acc, gyr, _, _ = hand()
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    whole = found(acc, gyr, index=index, course=course)
    assert repr(found(acc, gyr, index=index, course=course, chunk=chunk)) == repr(whole)


def test_a_whole_recording_gives_the_same_as_it_came_live() -> None:
    acc, gyr, _, _ = hand()
    table = find_walks(acc, gyr, RATE_HZ, course=True)
    live = found(acc, gyr, chunk=11)
    assert table["kind"].tolist() == ["walk", "u_turn", "walk", "u_turn", "walk"]
    assert (table["start_s"] * RATE_HZ).tolist() == [e.start for e in live]
    assert [a for a in table["angle_deg"].tolist() if a == a] == [e.angle_deg for e in live if isinstance(e, UTurn)]  # noqa: PLR0124


@pytest.mark.parametrize("lost", ["missing", "nan", "infinite"])
def test_a_twentieth_lost_is_borne(lost: str) -> None:
    acc, gyr, times, turns = hand()
    gone = np.random.default_rng(2).random(len(acc)) < 0.05
    index = np.arange(len(acc))
    if lost == "missing":
        acc, gyr, index = acc[~gone], gyr[~gone], index[~gone]
    else:
        acc[gone], gyr[gone] = (np.nan, np.nan) if lost == "nan" else (np.inf, -np.inf)
    assert_found(found(acc, gyr, index=index), times, turns)


def test_what_a_gap_touches_is_in_doubt() -> None:
    acc, gyr, times, _ = hand()
    start = int((times[0][0] + 2) * RATE_HZ)
    kept = np.r_[0:start, start + 40 : len(acc)]
    first, *rest = found(acc[kept], gyr[kept], index=kept)
    assert (first.quality, first.reason) == ("degraded", "a gap of 0.8 s")
    assert [e.quality for e in rest] == ["ok"] * 4


def test_a_long_gap_ends_a_walk() -> None:
    acc, gyr, times, _ = hand()
    kept = np.r_[0 : int((times[0][0] + 3) * RATE_HZ)]
    index = np.concatenate([kept, kept + 100_000])
    walks = found(np.concatenate([acc[kept]] * 2), np.concatenate([gyr[kept]] * 2), index=index, course=False)
    assert [w.quality for w in walks] == ["degraded"] * 2
    assert walks[0].reason.startswith("a gap of")


def test_who_stands_does_not_walk() -> None:
    rng = np.random.default_rng(4)
    acc = np.array([0.0, 3.0, 9.3]) + rng.normal(0, 0.1, (6000, 3))
    assert found(acc, rng.normal(0, 0.02, (6000, 3)), course=False) == []


def test_nothing_comes_of_nothing() -> None:
    walks = CourseWalks(RATE_HZ)
    nothing = np.zeros((0, 3))
    assert list(walks.process(np.zeros(0, int), nothing, nothing)) == []
    assert list(walks.flush()) == []
    assert found(np.full((500, 3), np.nan), np.full((500, 3), np.nan)) == []


@pytest.mark.parametrize("rate_hz", [10.0, float("nan"), float("inf")])
def test_a_rate_that_cannot_do_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="a walk needs 20 samples a second"):
        CourseWalks(rate_hz)


@pytest.mark.recordings
def test_five_metre_walks_with_a_phone_in_the_hand() -> None:
    command = [sys.executable, str(shared_path("score", "walk_tests.py")), "tests.scoring:walk_test"]
    command += ["--data", str(shared_path("data", "clinical"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    score = json.loads(printed.splitlines()[-1])
    assert score["walks_exactly_3"] >= 0.9 * score["recordings"]
    assert score["turns_exactly_2"] >= 0.9 * score["recordings"]
    assert score["turn_angle_deg"]["mae"] <= 5.0
    assert score["walk_time_s"]["mae"] <= 0.8


@pytest.mark.recordings
def test_ten_metres_there_and_back_with_a_sensor_on_the_lower_back() -> None:
    right, angles = 0, []
    paths = sorted(shared_path("data", "gait", "ipol497").glob("*.npz"))
    for path in paths:
        with np.load(path) as arrays:
            index, first = np.unique(arrays["lower_back_pc"].astype(np.int64), return_index=True)
            acc, gyr = (arrays[f"lower_back_{kind}"][first].astype(float) for kind in ("acc", "gyr"))
        events = found(acc, gyr, index=index, rate_hz=100.0)
        right += [type(e).__name__ for e in events] == ["Walk", "UTurn", "Walk"]
        angles += [abs(e.angle_deg) for e in events if isinstance(e, UTurn)]
    assert right >= 0.93 * len(paths)
    assert np.mean(np.abs(np.array(angles) - 180.0)) <= 3.0
