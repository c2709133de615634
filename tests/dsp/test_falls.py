"""Falls and near-falls from one sensor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.falls.fall import STUMBLED, WEAK_PLACE, Fall, FallDetector
from dsp.whole_recordings import find_falls
from tests.dsp.falling import FALLS, HEIGHT_M, NEARLY, Floats, Motion, fall, nearly, sensed, steps
from tests.shared import shared_path

RATES_HZ = (50.0, 100.0, 128.0)
RANGES_G = (8.0, 16.0)


def rng_of(kind: str, placement: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *map(ord, kind + placement)])


def notices(acc: Floats, gyr: Floats, rate_hz: float, placement: str, *, chunk: int = 0) -> list[Fall]:
    detector, step = FallDetector(rate_hz, placement), chunk or max(1, len(acc))
    parts = [
        detector.process(np.arange(i, min(i + step, len(acc))), acc[i : i + step], gyr[i : i + step])
        for i in range(0, len(acc), step)
    ]
    return [f for part in parts for f in part] + list(detector.finish())


def recording(kind: str, placement: str, seed: int) -> tuple[Floats, Floats, float, tuple[int, int]]:
    """Return one fall or what is nearly one: any rate, any range, a quarter without a gyroscope."""
    rng = rng_of(kind, placement, seed)
    rate_hz = float(rng.choice(RATES_HZ))
    motion, span = (fall if kind in FALLS else nearly)(kind, placement, rate_hz, rng)
    acc, gyr = sensed(motion, placement, rng, float(rng.choice(RANGES_G)))
    return acc, gyr * (np.nan if seed % 4 == 0 else 1.0), rate_hz, span


@pytest.mark.parametrize("placement", HEIGHT_M)
def test_falls_are_found_wherever_the_sensor_is(placement: str) -> None:
    found = []
    for kind in FALLS:
        for seed in range(5):
            acc, gyr, rate_hz, (start, end) = recording(kind, placement, seed)
            got = [f for f in notices(acc, gyr, rate_hz, placement) if f.kind == "fall"]
            assert len(got) <= 1
            found.append(any(start - rate_hz <= f.at <= end for f in got))
    assert np.mean(found) >= 0.9  # of forty; .977 of a thousand


@pytest.mark.parametrize("placement", HEIGHT_M)
def test_what_only_looks_like_a_fall_is_none(placement: str) -> None:
    alarms = []
    for kind in NEARLY:
        for seed in range(5):
            acc, gyr, rate_hz, _ = recording(kind, placement, seed)
            alarms += [(kind, seed) for f in notices(acc, gyr, rate_hz, placement) if f.kind == "fall"]
    assert len(alarms) <= 1, alarms  # a sensor that is thrown now and then; .005 of a thousand


def test_a_stumble_that_is_recovered_from_is_a_near_fall() -> None:
    got = [notices(*recording("stumble", "lower_back", seed)[:3], "lower_back") for seed in range(10)]
    assert sum(bool(g) for g in got) >= 7
    assert {(f.kind, f.quality, f.reason) for g in got for f in g} == {("near_fall", "degraded", STUMBLED)}


def test_a_notice_says_what_was_seen() -> None:
    acc, gyr, rate_hz, (start, end) = recording("forward", "chest", 3)
    (notice,) = notices(acc, gyr, rate_hz, "chest")
    assert start < notice.at < end
    assert notice.impact_g == pytest.approx(np.linalg.norm(acc[start:end], axis=1).max() / 9.81, abs=0.01)
    assert 60 < notice.turned_deg < 130
    assert notice.confidence > 0.9
    assert notice.quality == "ok"
    acc, gyr, rate_hz, _ = recording("forward", "thigh", 3)
    assert [(f.quality, f.reason) for f in notices(acc, gyr, rate_hz, "thigh")] == [("degraded", WEAK_PLACE)]


def test_it_does_not_matter_how_the_sensor_is_strapped_on() -> None:
    acc, gyr, rate_hz, _ = recording("sideways", "waist", 1)
    (straight,) = notices(acc, gyr, rate_hz, "waist")
    for seed in range(5):
        turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
        (askew,) = notices(acc @ turn, gyr @ turn, rate_hz, "waist")
        assert askew.at == straight.at
        assert askew.confidence == pytest.approx(straight.confidence, abs=0.01)


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 500), st.sampled_from(FALLS), st.sampled_from(sorted(HEIGHT_M)), st.integers(0, 9))
def test_any_chunking_gives_the_same(chunk: int, kind: str, placement: str, seed: int) -> None:
    acc, gyr, rate_hz, _ = recording(kind, placement, seed)
    acc[np.random.default_rng(seed).random(len(acc)) < 0.05] = np.nan
    assert notices(acc, gyr, rate_hz, placement, chunk=chunk) == notices(acc, gyr, rate_hz, placement)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2500), st.integers(1, 900), st.integers(0, 9))
def test_a_gap_anywhere_makes_no_other_fall(at: int, length: int, seed: int) -> None:
    acc, gyr, rate_hz, (start, end) = recording("buckling", "lower_back", seed)
    index = np.delete(np.arange(len(acc)), slice(at, at + length))
    detector = FallDetector(rate_hz, "lower_back")
    got = [*detector.process(index, acc[index], gyr[index]), *detector.finish()]
    assert all(start <= f.at <= end for f in got if f.kind == "fall")


def test_a_long_gap_costs_nothing() -> None:
    acc, gyr, rate_hz, _ = recording("forward", "waist", 2)
    detector = FallDetector(rate_hz, "waist")
    list(detector.process(np.arange(10), acc[:10], gyr[:10]))
    later = 10**12 + np.arange(len(acc))
    assert [f.kind for f in [*detector.process(later, acc, gyr), *detector.finish()]] == ["fall"]


def test_a_quarter_of_an_hour_of_walking_and_resting_has_no_fall() -> None:
    rng = np.random.default_rng(11)
    motion = Motion(50.0)
    while motion.n < 900 * 50:
        steps(motion, rng.uniform(5, 60), rng, rng.uniform(0.5, 4.0))
        motion.rest(rng.uniform(5, 60), np.zeros(3))
        motion.turn(rng.uniform(1, 3), np.array([0.0, -1.4, 0.0]), 0.4)
        motion.rest(rng.uniform(5, 120))
        motion.turn(rng.uniform(1, 3), np.zeros(3), -0.4)
    for placement in ("thigh", "lower_back", "wrist"):
        assert notices(*sensed(motion, placement, rng), 50.0, placement) == []


def test_nothing_and_nonsense_are_no_fall() -> None:
    for nothing in (np.zeros((0, 3)), np.full((3000, 3), np.nan), np.zeros((3000, 3))):
        assert notices(nothing, nothing, 100.0, "waist") == []


@pytest.mark.parametrize(("rate_hz", "placement"), [(19.0, "waist"), (100.0, "nose")])
def test_what_cannot_be_is_refused(rate_hz: float, placement: str) -> None:
    with pytest.raises(ValueError, match="falls"):
        FallDetector(rate_hz, placement)


def test_arrays_give_the_same_as_live() -> None:
    acc, gyr, rate_hz, _ = recording("backward", "lower_back", 1)
    (row,) = find_falls(acc, rate_hz, "lower_back").tolist()
    (live,) = notices(acc, gyr, rate_hz, "lower_back", chunk=7)
    assert row == (live.at / rate_hz, live.kind, live.confidence, live.impact_g, live.turned_deg)
    assert len(find_falls(np.zeros((0, 3)), rate_hz, "waist")) == 0


@pytest.mark.recordings
def test_ordinary_hours_have_no_alarm_and_falls_are_found(tmp_path: Path) -> None:
    for kind in (*FALLS, *NEARLY):
        for seed in range(2):
            acc, gyr, rate_hz, span = recording(kind, "lower_back", seed)
            np.savez(tmp_path / f"{kind}_{seed}.npz", lower_back_acc=acc, lower_back_gyr=gyr)
            what = {"falls" if kind in FALLS else "near_falls": [span]}
            meta = {"fs_hz": rate_hz, "placement": "lower_back", "reference": what}
            (tmp_path / f"{kind}_{seed}.json").write_text(json.dumps(meta), "utf-8")
    command = [sys.executable, str(shared_path("score", "falls.py")), "tests.scoring:falls", "--falls", str(tmp_path)]
    command += ["--data", str(shared_path("data", "clinical")), "--gait", str(shared_path("data", "gait"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    score = json.loads(printed.splitlines()[-1])
    assert score["false_alarms_per_hour"] == 0
    assert score["sensitivity"] >= 0.9
    assert score["other_alarms"] == 0
    assert score["near_falls_alarmed"] <= 1
