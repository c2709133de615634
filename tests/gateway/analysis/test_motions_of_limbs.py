"""Tremor, repetitions and freezing over the whole pipeline: on whom they are worn, when, and in a replay the same."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Slot
from drivers.packet import Frame
from gateway.intake.frames import Numbered
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed
from gateway.recordings.replay import Replay
from tests.gateway.analysis.test_motions import RATE_HZ, at, dot, lived, of, second, trembling, ward

TREMOR = {"rest_tremor_time_pct", "rest_tremor_amplitude", "tremor_frequency", "tremor_amplitude_rms"}
OF_SET = {"rep_count", "adherence", "rep_tempo_cv"}


def sent(number: int, acc: np.ndarray, gyr_dps: np.ndarray) -> list[Numbered]:
    """Return the notifications of a DOT that measures these."""
    rng = np.random.default_rng(number)
    noisy = gyr_dps + rng.normal(0, 0.1, gyr_dps.shape)
    return [
        (number, Frame(at(i / RATE_HZ + 0.01), "measurement", _packet(i, force, turn)))
        for i, (force, turn) in enumerate(zip(acc, noisy, strict=True))
    ]


def _packet(i: int, force: np.ndarray, turn: np.ndarray) -> bytes:
    return struct.pack("<I6f", round(i / RATE_HZ * 1e6), *force, *turn).ljust(40, b"\0")


def wrist(seconds: float, tremor: float, hz: float = 4.8) -> tuple[np.ndarray, np.ndarray]:
    """Return what a wrist at rest with a tremor measures: m/s² and deg/s."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    shake = tremor * np.sqrt(2) * np.sin(2 * np.pi * hz * t)
    acc = np.column_stack([shake, np.zeros_like(t), np.full_like(t, 9.81)])
    return acc + np.random.default_rng(1).normal(0, 0.01, acc.shape), np.column_stack([0 * t, 10 * shake, 0 * t])


def lifting(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what an upper arm measures that is lifted by 60 degrees n times."""
    u = (np.arange(round(1.2 * RATE_HZ)) + 0.5) / (1.2 * RATE_HZ)
    there = 60 / 1.2 * (30 * u**2 - 60 * u**3 + 30 * u**4)
    rate = np.concatenate([np.zeros(180), np.tile(np.concatenate([there, -there]), n), np.zeros(180)])
    return np.tile([0.0, 0.0, 9.81], (len(rate), 1)), np.column_stack([0 * rate, rate, 0 * rate])


def bed(placement: Any, protocol: str = "rest") -> Slot:
    return Slot(id="bed-1", subject="p-1", protocol=protocol, device=[dot(1, placement)])


def values(results: list[Measurement], metric: str) -> list[float | None]:
    return [m.value for m in of(results, metric)]


def test_a_tremor_of_a_wrist_is_told_each_half_minute_and_with_the_end() -> None:
    results = lived(ward(bed("wrist")), sent(0, *wrist(40.0, 0.4)), 41.0)
    assert values(results, "rest_tremor_time_pct") == pytest.approx([100] * 2, abs=6)
    assert values(results, "rest_tremor_amplitude") == pytest.approx([0.4] * 2, rel=0.05)
    assert values(results, "tremor_frequency") == pytest.approx([4.8] * 2, abs=0.1)
    assert values(results, "tremor_amplitude_rms") == pytest.approx([4.0] * 2, rel=0.05)
    (first, *_rest) = of(results, "rest_tremor_time_pct")
    assert (first.quality, first.devices, first.placement, first.side) == ("ok", ("dot-1",), ("wrist",), "none")
    assert 28 <= second(first.end_us) <= 31


def test_a_wrist_without_tremor_has_nought_and_a_thigh_has_nothing() -> None:
    assert values(lived(ward(bed("wrist")), sent(0, *wrist(20.0, 0.0)), 21.0), "rest_tremor_time_pct") == [0]
    assert of(lived(ward(bed("left_thigh")), sent(0, *wrist(20.0, 0.4)), 21.0), *TREMOR) == []


def test_repetitions_are_those_of_their_session_and_of_its_prescription() -> None:
    config = ward(bed("upper_arm", "exercise reps=10"))
    other = (Bed(bed("upper_arm"), "bed-1-b"),)
    acc, gyr = lifting(8)
    results = lived(config, sent(0, acc, gyr), 28.0, {len(acc) / RATE_HZ - 1.0: other})
    assert {m.metric: m.value for m in of(results, "rep_count", "adherence")} == {"rep_count": 8, "adherence": 80}
    assert values(results, "rep_rom") == pytest.approx([60] * 8, rel=0.03)
    assert {m.session for m in of(results, "rep_rom", *OF_SET)} == {"bed-1-a"}
    assert of(lived(ward(bed("upper_arm")), sent(0, acc, gyr), 28.0), "rep_rom", *OF_SET) == []


def test_freezing_episodes_of_a_shank() -> None:
    walking = trembling(12.0, 1.0)
    acc = np.concatenate([walking, trembling(8.0, 6.0), walking])
    results = lived(ward(bed("left_shank")), sent(0, acc, np.zeros_like(acc)), 33.0)
    (episode,) = of(results, "freezing_episode")
    assert episode.value == pytest.approx(8, abs=2)
    assert episode.side == "left"
    assert second(episode.start_us) == pytest.approx(12, abs=1.6)
    assert values(results, "n_fog") == [1]
    assert values(results, "pct_time_frozen") == pytest.approx([25], abs=8)


def test_a_replay_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "limbs.rgrec"
    config = ward(
        Slot(id="bed-1", subject="p-1", protocol="exercise reps=10", device=[dot(1, "wrist"), dot(2, "left_shank")]),
    )
    acc, gyr = lifting(4)
    shake, turn = wrist(len(acc) / RATE_HZ, 0.4)
    frames = sent(0, acc + shake - np.array([0, 0, 9.81]), gyr + turn[: len(gyr)])
    frames += sent(1, np.concatenate([trembling(8.0, 1.0), trembling(len(acc) / RATE_HZ - 8.0, 6.0)]), gyr)
    frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    live = lived(config, frames, 20.0, record=path)
    assert of(live, "rep_count")
    assert of(live, "freezing_episode")
    assert [m for step in Replay(path).steps() for m in step] == live
