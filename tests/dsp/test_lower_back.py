from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.lower_back.lower_back import BOUT, GAP, INITIAL_CONTACT, RHYTHM, TURN, LowerBack, LowerBackParams
from tests.dsp.walker import Stream, walker
from tests.shared import shared_path

Events = NDArray[np.void]
ROOT = Path(__file__).resolve().parents[2]
PLAIN = os.environ.get("NUMBA_DISABLE_JIT") == "1"
compiled = pytest.mark.skipif(PLAIN, reason="so many samples need compiled kernels")


def detect(stream: Stream, rate_hz: float = 100.0, params: LowerBackParams | None = None, **body: float) -> Events:
    back = LowerBack(params)
    sensor = back.attach(rate_hz, **body)
    found = back.process(Batch.single(stream.index, stream.acc, stream.gyr, sensor))
    everything: Events = np.concatenate([found, back.flush(sensor)])
    return everything


def of(events: Events, kind: int) -> Events:
    chosen: Events = events[events["kind"] == kind]
    return chosen


def rotation(seed: int) -> NDArray[np.float64]:
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


@pytest.mark.parametrize("rate_hz", [50.0] if PLAIN else [50.0, 100.0, 208.0])
@pytest.mark.parametrize("cadence_spm", [50.0, 80.0, 110.0, 150.0])
def test_finds_each_step_its_side_and_the_bout(rate_hz: float, cadence_spm: float) -> None:
    stream = walker(rate_hz=rate_hz, cadence_spm=cadence_spm)
    events = detect(stream, rate_hz, height_m=1.75)
    contacts, (bout,) = of(events, INITIAL_CONTACT), of(events, BOUT)
    assert len(contacts) == len(stream.contacts)
    assert np.abs(contacts["index"] - stream.contacts).max() < 0.03 * rate_hz
    assert np.array_equal(contacts["side"] == 1, stream.left)
    assert bout["cadence_spm"] == pytest.approx(cadence_spm, rel=0.01)
    assert bout["steps"] == len(stream.contacts)
    assert (bout["start"], bout["index"]) == (contacts["index"][0], contacts["index"][-1])
    assert bout["speed_mps"] == pytest.approx(bout["step_length_m"] * cadence_spm / 60.0, rel=0.05)


def test_slow_gait_is_a_walk_when_long_steps_are_allowed() -> None:
    stream = walker(cadence_spm=20.0, steps=12)
    assert len(of(detect(stream), BOUT)) == 0
    slow = detect(stream, params=LowerBackParams(pause_s=7.0))
    assert len(of(slow, INITIAL_CONTACT)) == 12
    assert of(slow, BOUT)["cadence_spm"] == pytest.approx(20.0, rel=0.02)


def with_step(stream: Stream, at_s: float, force: float) -> Stream:
    """Add what one more step would do to the trunk at an instant (100 Hz)."""
    rows = np.arange(int((at_s - 0.27) * 100), int((at_s + 0.27) * 100))
    stream.acc[rows, 2] += force * np.sin(2.0 * np.pi * (rows / 100.0 - at_s) / 0.54)
    return stream


@pytest.mark.parametrize(("turn_rad_s", "found"), [(1.5, 21), (0.0, 20)])
def test_a_weak_step_counts_where_the_walk_begins_with_a_turn(turn_rad_s: float, found: int) -> None:
    stream = with_step(walker(), 2.0, 0.3)
    stream.gyr[100:230, 2] += turn_rad_s
    events = detect(stream)
    contacts, (bout,) = of(events, INITIAL_CONTACT), of(events, BOUT)
    assert len(contacts) == found
    assert bout["start"] == contacts["index"][0]
    assert bout["start"] == pytest.approx(stream.contacts[0] - (54.5 if found == 21 else 0.0), abs=4.0)


def test_the_lift_off_before_the_first_step_is_none() -> None:
    stream = walker()
    events = detect(with_step(stream, 1.5, 2.0))
    assert len(of(events, INITIAL_CONTACT)) == 20
    assert of(events, BOUT)["start"][0] == pytest.approx(stream.contacts[0], abs=3.0)


def test_a_first_step_may_be_soft() -> None:
    stream = walker()
    rows = np.arange(int(stream.contacts[0]) - 34, int(stream.contacts[0]) + 21)
    stream.acc[rows, 2] = 9.80665 + 0.4 * (stream.acc[rows, 2] - 9.80665)
    assert of(detect(stream), BOUT)["start"][0] == pytest.approx(stream.contacts[0], abs=3.0)


def test_who_shifts_about_after_a_walk_does_not_make_it_longer() -> None:
    stream = walker()
    events = detect(with_step(stream, float(stream.contacts[-1]) / 100.0 + 1.2, 3.0))
    contacts, (bout,) = of(events, INITIAL_CONTACT), of(events, BOUT)
    assert len(contacts) == 21
    assert bout["index"] == contacts["index"][-2]


@pytest.mark.parametrize("turn_rad_s", [0.5, -1.0])
def test_steps_of_a_turn_are_shorter(turn_rad_s: float) -> None:
    straight = of(detect(walker(), height_m=1.75), BOUT)["speed_mps"][0]
    curved = of(detect(walker(turn_rad_s=turn_rad_s), height_m=1.75), BOUT)["speed_mps"][0]
    assert curved / straight == pytest.approx(np.exp(-0.6 * abs(turn_rad_s)), rel=0.06)


@compiled
def test_who_stands_or_shakes_does_not_walk() -> None:
    stream = walker(steps=20)
    assert len(detect(stream[:200])) == 0
    shaken = np.random.default_rng(1).standard_normal((30_000, 3))
    for strength in (0.5, 2.0, 5.0):
        acc = strength * shaken + [0.0, 0.0, 9.81]
        bouts = of(detect(Stream(np.arange(30_000), acc, 0.1 * shaken, stream.contacts, stream.left)), BOUT)
        assert np.sum(bouts["index"] - bouts["start"]) < 0.1 * 30_000


def test_without_body_measures_there_is_no_length() -> None:
    events = detect(walker())
    assert np.isnan(events["step_length_m"]).all()
    assert np.isnan(events["speed_mps"]).all()
    assert np.isfinite(of(events, BOUT)["cadence_spm"]).all()


def test_sensor_height_counts_before_body_height() -> None:
    stream = walker()
    tall = of(detect(stream, height_m=2.0), BOUT)["speed_mps"][0]
    low = of(detect(stream, height_m=2.0, sensor_height_m=0.9), BOUT)["speed_mps"][0]
    assert low / tall == pytest.approx(np.sqrt(0.9 * 0.875 / (2.0 * 0.53)), rel=0.01)


@compiled
@given(st.lists(st.integers(0, 1900), max_size=12), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_any_chunking_gives_the_same_bits(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    stream = walker(seed=seed % 7, turn_rad_s=0.3)
    n = len(stream.index)
    keep = rng.random(n) > 0.02
    for at in rng.integers(0, n, 3):
        keep[at : at + int(rng.integers(1, 60))] = False
    stream = stream[keep]
    stream.acc[rng.random(len(stream.index)) < 0.01, 1] = np.nan
    back = LowerBack()
    sensor = back.attach(100.0, height_m=1.7)
    edges = [0, *sorted(min(c, len(stream.index)) for c in cuts), len(stream.index)]
    parts = []
    for a, b in zip(edges[:-1], edges[1:], strict=True):  # noqa: RUF007 - pairwise reads worse with the slice below
        part = stream[a:b]
        parts.append(back.process(Batch.single(part.index, part.acc, part.gyr, sensor)))
    parts.append(back.flush(sensor))
    whole = detect(stream, height_m=1.7)
    joined = np.concatenate(parts)
    for name in whole.dtype.names or ():
        if name not in ("sensor", "detected_index"):
            np.testing.assert_array_equal(joined[name], whole[name])


def test_sensors_of_one_batch_do_not_touch_each_other() -> None:
    one, two = walker(cadence_spm=100.0), walker(cadence_spm=120.0, rate_hz=50.0, seed=2)
    back = LowerBack()
    a, b = back.attach(100.0), back.attach(50.0)
    batch = Batch(
        np.array([b, a]),
        np.array([0, len(two.index), len(two.index) + len(one.index)]),
        np.concatenate([two.index, one.index]),
        np.concatenate([two.acc, one.acc]),
        np.concatenate([two.gyr, one.gyr]),
    )
    found = back.process(batch)
    for sensor, alone in ((a, detect(one)), (b, detect(two, 50.0))):
        mine = found[found["sensor"] == sensor]
        np.testing.assert_array_equal(mine["index"], alone["index"][: len(mine)])
        assert len(of(mine, BOUT)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_sensor_may_be_strapped_on_at_any_angle(seed: int) -> None:
    stream, turned = walker(turn_rad_s=0.2), rotation(seed)
    straight = detect(stream, height_m=1.8)
    askew = detect(
        Stream(stream.index, stream.acc @ turned.T, stream.gyr @ turned.T, stream.contacts, stream.left), height_m=1.8
    )
    for name in ("kind", "side", "steps"):
        np.testing.assert_array_equal(askew[name], straight[name])
    for name in ("index", "speed_mps", "step_regularity", "angle_rad"):
        np.testing.assert_allclose(askew[name], straight[name], rtol=1e-6, atol=1e-6)
    # The level axes hang on a sensor axis, which nods against the vertical with the sensor.
    np.testing.assert_allclose(askew["harmonic_ratio"], straight["harmonic_ratio"], rtol=5e-3)


def test_a_later_start_of_the_counter_only_shifts_the_events() -> None:
    stream = walker()
    plain = detect(stream)
    later = detect(Stream(stream.index + 1_000_003, stream.acc, stream.gyr, stream.contacts, stream.left))
    np.testing.assert_allclose(later["index"] - 1_000_003, plain["index"], atol=1e-6)


def test_short_gaps_are_bridged() -> None:
    stream = walker()
    rng = np.random.default_rng(5)
    keep = np.ones(len(stream.index), bool)
    for at in rng.integers(300, 1300, 12):
        keep[at : at + 4] = False
    contacts = of(detect(stream[keep]), INITIAL_CONTACT)
    assert len(contacts) == len(stream.contacts)
    assert np.abs(contacts["index"] - stream.contacts).max() < 6


def test_long_gaps_are_reported_and_hold_no_contact() -> None:
    stream = walker(steps=30)
    keep = (stream.index < 900) | (stream.index >= 1000)
    events = detect(stream[keep])
    (gap,) = of(events, GAP)
    assert (gap["index"], gap["detected_index"]) == (899.0, 1000)
    contacts = of(events, INITIAL_CONTACT)["index"]
    assert not np.any((contacts > 899) & (contacts < 1000))
    assert len(of(events, BOUT)) == 2
    assert not np.any((of(events, BOUT)["start"] < 900) & (of(events, BOUT)["index"] > 1000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_what_no_sensor_can_measure_counts_as_lost(bad: float) -> None:
    stream = walker()
    stream.acc[500:505, 0] = bad
    stream.gyr[800:810, 2] = -bad
    contacts = of(detect(stream), INITIAL_CONTACT)
    assert len(contacts) == len(stream.contacts)
    stream.acc[600:900, 1] = bad
    assert len(of(detect(stream), GAP)) == 1
    assert of(detect(stream), INITIAL_CONTACT)["index"][-1] == pytest.approx(contacts["index"][-1], abs=0.01)


values = st.floats(width=32) | st.floats(-20.0, 20.0)


@given(st.lists(st.tuples(st.integers(-3, 30), values, values, values), max_size=300), st.sampled_from([50.0, 208.0]))
@settings(deadline=None, max_examples=60)
def test_no_input_breaks_it(rows: list[tuple[int, float, float, float]], rate_hz: float) -> None:
    index = np.cumsum([r[0] for r in rows]).astype(np.int64)
    acc = np.array([r[1:] for r in rows], float).reshape(-1, 3)
    events = detect(Stream(index, acc, acc[:, ::-1].copy(), np.zeros(0), np.zeros(0, bool)), rate_hz, height_m=1.7)
    assert np.isfinite(events["index"]).all()
    assert np.all(events["start"] <= events["index"])


def test_a_turn_is_measured() -> None:
    stream = walker(cadence_spm=100.0, steps=20)
    stream.gyr[700:900, 2] += np.pi / 2.0  # half a turn to the left within two seconds
    (turn,) = of(detect(stream), TURN)
    assert np.degrees(turn["angle_rad"]) == pytest.approx(180.0, abs=12.0)
    assert turn["side"] == 1
    assert turn["index"] - turn["start"] == pytest.approx(200.0, abs=100.0)  # the pelvis turns along at both ends


def test_rhythm_of_like_steps_and_of_a_limp() -> None:
    even = of(detect(walker(steps=26)), RHYTHM)
    assert len(even) == 3
    assert (even["step_regularity"] > 0.95).all()
    assert (even["stride_regularity"] > 0.95).all()
    limp = walker(steps=26)
    for at, left in zip(limp.contacts, limp.left, strict=True):
        if left:
            rows = slice(int(at) - 35, int(at) + 20)
            limp.acc[rows, 2] = 9.80665 + 0.4 * (limp.acc[rows, 2] - 9.80665)
    uneven = of(detect(limp), RHYTHM)
    assert (uneven["step_regularity"] < uneven["stride_regularity"] - 0.1).all()
    assert (uneven["harmonic_ratio"][:, 0] < 0.5 * even["harmonic_ratio"][0, 0]).all()


def test_contacts_are_the_peaks_of_a_plain_numpy_filter() -> None:
    """An upright sensor that does not turn: its z axis is the vertical, and the rest is one convolution."""
    stream = walker(noise=0.0)
    stream.acc[:, :2] = 0.0
    stream.gyr[:] = 0.0
    params = LowerBackParams(lead_s=0.0)
    row = params.for_sensor(100.0, np.nan)[0]
    half = int(row["half"])
    slope = row["slope"][: half + 1]
    taps = np.concatenate([slope[:0:-1], -slope])  # convolution turns the window round
    rise = np.convolve(stream.acc[:, 2], taps, "valid")
    at = np.flatnonzero((rise[1:-1] > rise[:-2]) & (rise[1:-1] >= rise[2:]) & (rise[1:-1] > params.floor)) + 1
    bend = rise[at - 1] - 2.0 * rise[at] + rise[at + 1]
    peaks = at + half + 0.5 * (rise[at - 1] - rise[at + 1]) / bend
    contacts = of(detect(stream, params=params), INITIAL_CONTACT)["index"]
    np.testing.assert_allclose(contacts[[0, -1]], peaks[[0, -1]], atol=1e-6)  # not evened out
    even = peaks[1:-1] + 0.2 * (peaks[:-2] - 2.0 * peaks[1:-1] + peaks[2:])
    np.testing.assert_allclose(contacts[1:-1], even, atol=1e-6)


def test_uncompiled_kernels_agree() -> None:
    script = (
        "from tests.dsp.test_lower_back import detect, walker\n"
        "import json\n"
        "e = detect(walker(steps=12)[:1100], height_m=1.7)\n"
        "print(json.dumps([[repr(float(v)) for v in e[name].ravel()] for name in ('kind', 'index', 'speed_mps')]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    events = detect(walker(steps=12)[:1100], height_m=1.7)
    plain = json.loads(ran.stdout)
    assert len(events) > 10
    for name, found in zip(("kind", "index", "speed_mps"), plain, strict=True):
        np.testing.assert_allclose(events[name].ravel(), [float(v) for v in found], rtol=1e-9)


def test_numbers_are_given_again_and_wrong_ones_refused() -> None:
    back = LowerBack()
    first = back.attach(100.0)
    back.detach(first)
    with pytest.raises(KeyError):
        back.flush(first)
    assert back.attach(100.0) == first
    with pytest.raises(ValueError, match="Hz"):
        back.attach(25.0)


@pytest.mark.recordings
@compiled
@pytest.mark.parametrize("askew", ["none", "any"])
def test_recordings_reach_the_goals(askew: str) -> None:
    scorer, data = shared_path("score", "lower_back.py"), shared_path("data", "gait")
    ran = subprocess.run(
        [sys.executable, str(scorer), "tests.scoring_lower_back:detector", "--data", str(data), "--limit", "20",
         "--askew", askew],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    straight = found["ipol497"]["events"]["straight"]
    assert straight["at_250ms"]["f1"] >= 0.975
    assert abs(straight["bias_ms"]) < 15.0
    assert found["ipol497"]["walking_f1"] >= 0.93
    assert found["mobilised"]["walking_f1"] >= 0.80
    assert found["mobilised"]["speed_mps"]["mae"] <= 0.10
