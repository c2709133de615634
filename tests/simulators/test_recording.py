"""Recordings replay as they were made, radio gaps included, and bad files are refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.motion.recording import Recording, RecordingError
from simulators.motion.source import G, Motion, MotionSource
from tests.shared import shared_path


def save(folder: Path, about: object | None = None, **arrays: Any) -> Path:
    np.savez(folder / "walk.npz", **arrays)
    (folder / "walk.json").write_text(json.dumps({"fs_hz": 100.0} if about is None else about))
    return folder / "walk.npz"


def rows(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


def everything(source: MotionSource, step_s: float = 0.37) -> Motion:
    parts, until = [], 0.0
    while (part := source.read_until(until)) is not None:
        parts.append(part)
        until += step_s
    return Motion(*(np.concatenate([getattr(p, name) for p in parts]) for name in Motion.__slots__))


def test_missing_packets_are_not_sent_and_lie_on_a_straight_line(tmp_path: Path) -> None:
    counter = np.array([7, 8, 11, 12], dtype=np.int32)
    acc = np.array([[0, 0, 0], [3, 0, 9], [6, 3, 0], [1, 1, 1]], dtype=np.float32)
    recording = Recording.load(save(tmp_path, foot_pc=counter, foot_acc=acc, foot_gyr=2 * acc))
    motion = everything(recording.source("foot"))
    np.testing.assert_array_equal(motion.sent, [True, True, False, False, True, True])
    np.testing.assert_allclose(motion.time_s, np.arange(7, 13) / 100)
    np.testing.assert_allclose(motion.acc[1:5], [[3, 0, 9], [4, 1, 6], [5, 2, 3], [6, 3, 0]])
    np.testing.assert_allclose(motion.gyr, 2 * motion.acc)


def test_sensors_keep_their_distance_in_true_time(tmp_path: Path) -> None:
    path = save(tmp_path, a_pc=np.arange(50, 60), a_acc=rows(10), b_pc=np.arange(55, 60), b_acc=rows(5))
    recording = Recording.load(path)
    assert recording.duration_s == pytest.approx(0.09)
    early, late = recording.source("a").read_until(0.045), recording.source("b").read_until(0.045)
    assert early is not None
    assert late is not None
    assert (len(early.time_s), len(late.time_s)) == (5, 0)


def test_a_packet_that_came_twice_counts_once(tmp_path: Path) -> None:
    path = save(tmp_path, a_pc=np.array([1, 2, 2, 3]), a_acc=rows(4))
    motion = everything(Recording.load(path).source("a"))
    np.testing.assert_allclose(motion.acc, rows(4)[[0, 1, 3]])


def test_thousandths_of_g_become_si(tmp_path: Path) -> None:
    path = save(tmp_path, ankle_acc_mg=np.full((5, 3), 1000, dtype=np.int16))
    recording = Recording.load(path)
    assert recording.sensors == ("ankle",)
    motion = everything(recording.source("ankle"))
    np.testing.assert_allclose(motion.acc, G)
    assert not motion.gyr.any()


@settings(deadline=None)
@given(st.lists(st.floats(0, 2), min_size=1, max_size=20))
def test_the_same_samples_in_any_steps(steps: list[float]) -> None:
    recording = Recording(Path("a.npz"), {"a_acc": rows(500), "a_pc": np.arange(0, 1500, 3)}, {"fs_hz": 50})
    whole, source = everything(recording.source("a")), recording.source("a")
    parts = [part for until in [*np.cumsum(steps), 1e9] if (part := source.read_until(float(until))) is not None]
    for name in Motion.__slots__:
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))


@pytest.mark.parametrize("given_as", ["walk.npz", "walk.json", "walk"])
def test_any_of_its_names_will_do(tmp_path: Path, given_as: str) -> None:
    save(tmp_path, a_acc=rows(5))
    assert Recording.load(tmp_path / given_as).name == "walk"


@pytest.mark.parametrize(
    ("arrays", "about", "says"),
    [
        ({"a_acc": rows(4)}, {}, "fs_hz must be a positive number, got None"),
        ({"a_acc": rows(4)}, {"fs_hz": -5}, "fs_hz must be a positive number"),
        ({"a_acc": rows(4)}, {"fs_hz": True}, "fs_hz must be a positive number"),
        ({"a_acc": rows(4)}, [1], "an object is expected"),
        ({"angle": rows(4)}, None, "holds no inertial sensor"),
        ({"a_acc": rows(4)[:, :2]}, None, "a_acc must be numbers of shape"),
        ({"a_acc": np.empty((0, 3))}, None, "a_acc must be numbers of shape"),
        ({"a_acc": np.full((4, 3), "x")}, None, "a_acc must be numbers of shape"),
        ({"a_acc": np.full((4, 3), np.nan)}, None, "not finite"),
        ({"a_acc": rows(4), "a_gyr": rows(5)}, None, "4 rows of acc and 5 of gyr"),
        ({"a_acc": rows(4), "a_pc": np.arange(5)}, None, "a_pc must be 4 whole numbers"),
        ({"a_acc": rows(4), "a_pc": np.arange(4.0)}, None, "a_pc must be 4 whole numbers"),
        ({"a_acc": rows(4), "a_pc": np.array([1, 3, 2, 4])}, None, "a_pc must count upwards"),
        ({"a_acc": rows(4), "a_pc": np.array([1, 2, 3, 10**9])}, None, "a_pc must count upwards"),
    ],
)
def test_bad_recordings_are_refused_with_the_reason(
    tmp_path: Path, arrays: dict[str, Any], about: object, says: str
) -> None:
    path = save(tmp_path, about, **arrays)
    with pytest.raises(RecordingError, match=says) as refusal:
        Recording.load(path)
    assert "walk." in str(refusal.value)


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"walk\.npz: no such recording"):
        Recording.load(tmp_path / "walk")
    (tmp_path / "walk.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(RecordingError, match=r"walk\.npz: not a readable npz file"):
        Recording.load(tmp_path / "walk")
    (tmp_path / "walk.npz").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"walk\.npz: not a readable npz file"):
        Recording.load(tmp_path / "walk")
    path = save(tmp_path, a_acc=rows(3))
    path.with_suffix(".json").write_text("{")
    with pytest.raises(RecordingError, match=r"walk\.json: not readable as JSON"):
        Recording.load(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(RecordingError, match=r"walk\.json: missing"):
        Recording.load(path)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    path = save(tmp_path, a_acc=np.array([{"not": "numbers"}], dtype=object))
    with pytest.raises(RecordingError, match="not a readable npz file"):
        Recording.load(path)


def test_an_unknown_sensor_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    recording = Recording.load(save(tmp_path, left_acc=rows(3), right_acc=rows(3)))
    with pytest.raises(RecordingError, match="no sensor 'nose'; it has left, right"):
        recording.source("nose")


@pytest.mark.recordings
def test_a_lossy_recording_keeps_its_samples_and_says_its_gaps() -> None:
    path = shared_path("data", "gait", "ipol497", "7-1.npz")
    recording = Recording.load(path)
    assert recording.rate_hz == 100
    assert set(recording.sensors) == {"left_foot", "right_foot", "lower_back"}
    assert recording.reference["left"]["ic"]
    with np.load(path) as arrays:
        for sensor in recording.sensors:
            motion, counter = everything(recording.source(sensor)), arrays[f"{sensor}_pc"]
            np.testing.assert_array_equal(np.rint(motion.time_s[motion.sent] * 100), counter)
            np.testing.assert_array_equal(motion.acc[motion.sent], arrays[f"{sensor}_acc"].astype(float))
            np.testing.assert_array_equal(motion.gyr[motion.sent], arrays[f"{sensor}_gyr"].astype(float))
            assert len(motion.sent) == counter[-1] - counter[0] + 1


@pytest.mark.recordings
def test_every_shared_recording_with_inertial_sensors_replays() -> None:
    paths = sorted(shared_path("data", "gait").glob("*/*.npz"))
    assert len(paths) > 80
    lost = 0
    for path in paths:
        if path.parent.name == "gaitkit_angles":  # joint angles: nothing that a sensor would send
            continue
        recording = Recording.load(path)
        for sensor in recording.sensors:
            motion = recording.source(sensor).read_until(np.inf)
            assert motion is not None
            assert motion.time_s[-1] - motion.time_s[0] <= recording.duration_s + 1e-6
            lost += int((~motion.sent).sum())
    assert lost > 10_000
