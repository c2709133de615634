"""Tremor of a limb: what is one, and what only looks like one."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.tremor.tremor import EVERY_S, HIDDEN, LOST, WINDOW_S, Tremor, TremorValue
from dsp.whole_recordings import find_tremor
from tests.shared import shared_path

RATE_HZ = 100.0
GRAVITY = np.array([0.0, 9.81, 0.0])
Floats = NDArray[np.float64]


def limb(seconds: float = 20.0, *, tremor: float = 0.0, hz: float = 5.0, seed: int = 1) -> tuple[Floats, Floats]:
    """Return acceleration (m/s²) and rotation (rad/s) of a limb at rest with a tremor of so many m/s² RMS."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    swing = math.sqrt(2) * tremor * np.sin(2 * np.pi * hz * t)
    acc = np.outer(swing, (0.6, 0.0, 0.8)) + GRAVITY + rng.normal(0, 0.02, (len(t), 3))
    turn = -math.sqrt(2) * tremor / (0.15 * 2 * np.pi * hz) * np.cos(2 * np.pi * hz * t)  # about a wrist .15 m away
    return acc, np.outer(turn, (0.0, 1.0, 0.0)) + rng.normal(0, 0.002, (len(t), 3))


def to_and_fro(hz: float, harmonics: tuple[float, ...], seconds: float = 20.0) -> Floats:
    """Return the acceleration of a movement that is willed: amplitudes of the fundamental and of its multiples."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = sum(a * np.sin(2 * np.pi * hz * (k + 1) * t + k) for k, a in enumerate(harmonics))
    return np.outer(wave, (1.0, 0.0, 0.0))


def values(acc: Floats, gyr: Floats | None = None, index: NDArray[np.int64] | None = None) -> list[TremorValue]:
    at = np.arange(len(acc)) if index is None else index
    return list(Tremor(RATE_HZ).process(at, acc, gyr))


@pytest.mark.parametrize("hz", [3.7, 4.4, 5.0, 6.3, 7.2])
@pytest.mark.parametrize("amplitude", [0.05, 0.3, 3.0])
@pytest.mark.parametrize("gyroscope", [True, False])
def test_a_tremor_at_rest_is_measured(hz: float, amplitude: float, gyroscope: bool) -> None:
    acc, gyr = limb(tremor=amplitude, hz=hz)
    found = values(acc, gyr if gyroscope else None)
    assert found[0].last == WINDOW_S * RATE_HZ - 1
    assert not found[0].present  # nothing is known of before
    assert all(v.present and v.state == "rest" and not v.reason for v in found[1:])
    assert [v.frequency_hz for v in found[1:]] == pytest.approx([hz] * (len(found) - 1), abs=0.15)
    assert [v.amplitude for v in found] == pytest.approx([amplitude] * len(found), rel=0.15)
    if gyroscope:
        dps = math.degrees(amplitude / (0.15 * 2 * math.pi * hz))
        assert [v.rotation_dps for v in found] == pytest.approx([dps] * len(found), rel=0.15)
    else:
        assert all(math.isnan(v.rotation_dps) and math.isnan(v.rotation_power_4_6) for v in found)


def test_powers_are_those_of_their_bands() -> None:
    slow, quick = (values(*limb(tremor=1.0, hz=hz))[-1] for hz in (5.0, 6.8))
    assert slow.power_4_6 == pytest.approx(1.0, rel=0.05)
    assert slow.power_35_7 == pytest.approx(1.0, rel=0.05)
    assert quick.power_4_6 < 0.1 * quick.power_35_7
    assert slow.rotation_power_4_6 == pytest.approx(math.degrees(1 / (0.15 * 2 * math.pi * 5)) ** 2, rel=0.05)


@pytest.mark.parametrize("seed", range(10))
def test_a_limb_without_tremor_has_none(seed: int) -> None:
    acc, gyr = limb(60.0, seed=seed)
    assert not any(v.present for v in values(acc, gyr) + values(acc))
    assert all(v.amplitude < 0.02 for v in values(acc, gyr))


def test_a_tremor_in_the_noise_of_a_sensor_is_none() -> None:
    acc, _ = limb(60.0)
    assert not any(v.present for v in values((acc - GRAVITY) * 0.3 + limb(60.0, tremor=0.01)[0]))


@pytest.mark.parametrize(
    ("hz", "harmonics"),
    [
        (2.1, (1.0, 1.2, 0.5, 0.2)),  # a leg that taps
        (2.1, (1.0, 1.9)),
        (1.3, (2.0, 0.3, 0.8, 1.5)),
        (1.2, (2.0, 0.8, 0.5, 1.2, 1.2)),
        (2.7, (3.0, 0.5)),
        (1.0, (2.0, 1.5, 0.7, 0.7, 0.7)),  # an arm that swings
    ],
)
def test_harmonics_of_a_slower_movement_are_no_tremor(hz: float, harmonics: tuple[float, ...]) -> None:
    found = values(limb()[0] + to_and_fro(hz, harmonics))
    assert not any(v.present for v in found)
    assert {v.reason for v in found} == {HIDDEN}
    assert all(math.isnan(v.amplitude) for v in found)


@pytest.mark.parametrize("hz", [3.6, 4.0, 4.3])
def test_quick_alternation_of_a_limb_that_moves_besides_is_no_tremor(hz: float) -> None:
    """Pronation and supination up to 4.5 times a second, while the forearm wanders."""
    wander = to_and_fro(0.7, (1.5,)) + to_and_fro(1.1, (1.0,))
    assert not any(v.present for v in values(limb()[0] + to_and_fro(hz, (4.0,)) + wander))


def test_a_tremor_over_slow_movement_is_one_of_action() -> None:
    acc, gyr = limb(tremor=1.0, hz=5.6)
    found = values(acc + to_and_fro(0.5, (2.0,)), gyr)
    assert all(v.present and v.state == "action" for v in found[1:])
    assert found[-1].frequency_hz == pytest.approx(5.6, abs=0.15)


def test_what_only_one_of_two_sensors_shows_is_no_tremor() -> None:
    acc, _ = limb(tremor=0.05, hz=5.0)
    _, gyr = limb(seed=2)
    gyr += to_and_fro(1.4, (0.5,)) + to_and_fro(6.6, (0.3,))
    assert not any(v.present and abs(v.frequency_hz - 5.0) < 1 for v in values(acc, gyr))


def test_a_peak_that_wanders_is_none() -> None:
    t = np.arange(2000) / RATE_HZ
    chirp = np.sin(2 * np.pi * (3.6 * t + 0.45 * t**2 / 2))  # .45 Hz faster each second
    acc = limb()[0] + np.outer(0.3 * chirp, (1, 0, 0))
    assert sum(v.present for v in values(acc)) <= sum(v.present for v in values(limb(tremor=0.2)[0])) / 2


def test_it_does_not_matter_how_the_sensor_is_strapped_on() -> None:
    acc, gyr = limb(tremor=0.2, hz=4.7)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    for straight, turned in zip(values(acc, gyr), values(acc @ turn, gyr @ turn), strict=True):
        assert turned[:3] == straight[:3]
        assert turned[3:-1] == pytest.approx(straight[3:-1], nan_ok=True)


def same(some: list[TremorValue], others: list[TremorValue]) -> bool:
    """Return whether values are the same to the last bit, NaN for NaN."""
    return [repr(v) for v in some] == [repr(v) for v in others]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 700),
    st.lists(st.tuples(st.integers(0, 1400), st.integers(1, 900)), max_size=3),
    st.lists(st.integers(0, 1499), max_size=5),
)
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]], spoilt: list[int]) -> None:
    acc, gyr = limb(15.0, tremor=0.2)
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    acc[spoilt[::2]] = math.nan
    gyr[spoilt] = math.nan
    tremor = Tremor(RATE_HZ)
    found = [
        v
        for i in range(0, len(acc), chunk)
        for v in tremor.process(index[i : i + chunk], acc[i : i + chunk], gyr[i : i + chunk])
    ]
    assert same(found, values(acc, gyr, index))
    table = find_tremor(acc, gyr, RATE_HZ, index=index).tolist()
    assert same([TremorValue(round(row[1] * RATE_HZ), *row[2:]) for row in table], found)


def test_a_gap_gives_a_reason_and_what_follows_a_value() -> None:
    acc, gyr = limb(30.0, tremor=0.2)
    kept = np.r_[0:1000, 1080:3000]
    found = values(acc[kept], gyr[kept], kept)
    assert {b.last - a.last for a, b in pairwise(found)} == {EVERY_S * RATE_HZ}
    assert {v.last for v in found if v.reason == LOST} >= {1099, 1199, 1299, 1399}
    assert found[-1].present
    assert not found[-1].reason


def test_a_tremor_of_before_a_long_gap_confirms_nothing() -> None:
    acc, gyr = limb(13.0, tremor=0.2)
    index = np.arange(len(acc))
    index[650:] += 100_000
    after = [v for v in values(acc, gyr, index) if v.last > 100_000 and not v.reason]
    assert not after[0].present
    assert after[1].present


def test_a_tenth_of_samples_lost_gives_a_reason_and_a_fiftieth_a_value() -> None:
    acc, gyr = limb(60.0, tremor=0.2)
    rng = np.random.default_rng(5)
    for share, lost in ((0.02, False), (0.12, True)):
        kept = np.flatnonzero(rng.random(len(acc)) > share)
        found = values(acc[kept], gyr[kept], kept)
        assert all((v.reason == LOST) == lost for v in found[1:])
        assert all(v.present != lost for v in found[2:])


def test_a_gyroscope_that_falls_silent_leaves_the_acceleration() -> None:
    acc, gyr = limb(20.0, tremor=0.2)
    gyr[1000:] = math.nan
    found = values(acc, gyr)
    assert all(v.present for v in found[1:])
    assert math.isnan(found[-1].rotation_dps)
    assert not math.isnan(found[0].rotation_dps)


def test_a_dead_gyroscope_leaves_the_acceleration() -> None:
    acc, gyr = limb(20.0, tremor=0.2)
    found = values(acc, np.full_like(gyr, 0.03))
    assert all(v.present for v in found[1:])
    assert all(math.isnan(v.rotation_dps) for v in found)


@pytest.mark.parametrize("rate_hz", [20.0, math.nan, math.inf, -1.0])
def test_a_rate_that_cannot_show_a_tremor_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="24 samples a second"):
        Tremor(rate_hz)


@pytest.mark.parametrize("rate_hz", [25.0, 51.2, 104.0, 200.0])
def test_any_rate_gives_the_same_tremor(rate_hz: float) -> None:
    t = np.arange(round(20 * rate_hz)) / rate_hz
    acc = np.outer(0.3 * math.sqrt(2) * np.sin(2 * np.pi * 5 * t), (1, 0, 0)) + GRAVITY
    found = find_tremor(acc + np.random.default_rng(1).normal(0, 0.01, acc.shape), None, rate_hz)
    assert found["present"][1:].all()
    assert found["amplitude_mps2"] == pytest.approx(0.3, rel=0.05)


@pytest.mark.recordings
def test_recordings_of_a_rated_patient_and_of_healthy_people() -> None:
    command = [sys.executable, str(shared_path("score", "tremor.py")), "tests.scoring:tremor"]
    command += ["--data", str(shared_path("data", "clinical"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    score = json.loads(printed.splitlines()[-1])
    recordings = score["recordings"].values()
    assert [r["share"] for r in recordings if r["tremor_task"] and r["score"] == 0] == [0, 0]
    assert [r["share"] for r in recordings if not r["tremor_task"]] == [0, 0, 0, 0]
    found = [
        r["share"]
        for name, r in score["recordings"].items()
        if r["tremor_task"] and r["score"] and "kinetic" not in name
    ]
    assert min(found) >= 0.3
    assert score["rank_correlation"] >= 0.55
    assert score["false_share"] <= 0.002
