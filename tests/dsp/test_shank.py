from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.events import EVENT
from dsp.foot.contacts import FootContacts
from dsp.gait.gait import Contact, Walk
from dsp.shank.contacts import FINAL_CONTACT, GAP, INITIAL_CONTACT, MID_SWING, ShankContacts, ShankParams
from dsp.shank.cycle import LAND_LEVEL
from simulators.body.programme import Stand, exoskeleton, shuffling, there_and_back
from simulators.sensing.imu import PERFECT, Imperfections
from tests.dsp.bodies import SensorData, body, rotation, straight, wear
from tests.shared import shared_path

Events = NDArray[np.void]
STAND = Stand(duration_s=3)
WALKS = {
    "120": straight(120, 1.4),
    "100": straight(100, 1.2),
    "80": straight(80, 1.0),
    "60": straight(60, 0.8),
    "40": straight(40, 0.6),
    "24": straight(24, 0.5, steps=8),
    "exoskeleton 24": (STAND, exoskeleton(steps=8), STAND),
    "exoskeleton 8": (STAND, exoskeleton(steps=6, cadence_spm=8), STAND),
}
PACED = wear(body(straight(110, 1.3)), "left_shank")


def detect(data: SensorData, rate_hz: float = 100.0, cuts: Any = (), rows: Any = None, **params: Any) -> Events:
    """Run one sensor over samples cut into batches at ``cuts``; ``rows`` are those that arrived."""
    shanks = ShankContacts(ShankParams(**params))
    sensor = shanks.attach(rate_hz)
    rows = data.index if rows is None else rows
    edges = [0, *cuts, len(rows)]
    found = []
    for a, b in itertools.pairwise(edges):
        part = rows[a:b]
        found.append(shanks.process(Batch.single(part, data.acc[part], data.gyr[part], sensor)))
    return np.concatenate(found)


def seconds(events: Events, kind: int, rate_hz: float = 100.0) -> NDArray[np.float64]:
    return np.asarray(events["index"][events["kind"] == kind] / rate_hz, float)


def misses(found: NDArray[np.float64], true: NDArray[np.float64], within_s: float) -> tuple[int, int]:
    """Return how many true instants have none found near them, and how many found have none true near them."""
    apart = np.abs(found[:, None] - true[None, :])
    return int((apart.min(axis=0, initial=np.inf) > within_s).sum()), int(
        (apart.min(axis=1, initial=np.inf) > within_s).sum()
    )


@pytest.mark.parametrize("kind", [PERFECT, None], ids=["perfect", "MEMS"])
@pytest.mark.parametrize("name", WALKS)
def test_finds_every_contact_at_its_time(name: str, kind: Imperfections | None) -> None:
    walker = body(WALKS[name], seed=1)
    truth = walker.truth()
    stride_s = float(np.median(np.diff(truth.initial["right"])))
    events = detect(wear(walker, "right_shank", imperfections=kind))
    missed, made_up = misses(seconds(events, INITIAL_CONTACT), truth.initial["right"], max(0.045, 0.011 * stride_s))
    assert missed == 0
    assert made_up <= 1, "a leg that comes back at the end of a walk looks like half a step"
    lifted, true = seconds(events, FINAL_CONTACT), truth.final["right"]
    steady = true[1:-1]  # out of standing and into it, steps are half as long
    assert misses(lifted, steady, 0.09 * stride_s)[0] == 0
    assert len(lifted) <= len(true) + 1


@pytest.mark.parametrize("rate_hz", [50.0, 60.0, 102.4, 204.8])
def test_any_rate_gives_the_same_instants(rate_hz: float) -> None:
    walker = body(WALKS["100"], seed=2)
    events = detect(wear(walker, "left_shank", rate_hz), rate_hz)
    true = walker.truth()
    assert misses(seconds(events, INITIAL_CONTACT, rate_hz), true.initial["left"], 0.03) == (0, 0)
    assert misses(seconds(events, FINAL_CONTACT, rate_hz), true.final["left"][1:-1], 0.06)[0] == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("name", "strides"), [("120", 1), ("60", 1), ("24", 2)])
def test_a_sensor_strapped_on_anyhow_finds_its_axis_in_the_first_strides(name: str, strides: int, seed: int) -> None:
    walker = body(WALKS[name], seed=seed)
    data = wear(walker, "left_shank")
    events = detect(data.turned(rotation(seed)))
    true = walker.truth().initial["left"]
    missed, made_up = misses(seconds(events, INITIAL_CONTACT), true[strides:], 0.05)
    assert missed == 0
    assert made_up <= 2


def test_shuffling_and_turning_steps_are_found() -> None:
    for programme in ((STAND, shuffling(duration_s=8), STAND), there_and_back(1.1, 6.0)):
        walker = body(programme, seed=3)
        events = detect(wear(walker, "left_shank"))
        missed, made_up = misses(seconds(events, INITIAL_CONTACT), walker.truth().initial["left"], 0.05)
        assert missed == 0
        assert made_up <= 1


def test_initial_contacts_are_known_soon() -> None:
    events = detect(PACED)
    wait = (events["detected_index"] - events["index"])[events["kind"] == INITIAL_CONTACT] / 100.0
    assert len(wait) > 5
    assert wait.max() <= 0.2


def test_mid_swing_lies_between_the_contacts_on_request() -> None:
    events = detect(PACED, mid_swing=True)
    middle, lifted, landed = (seconds(events, kind) for kind in (MID_SWING, FINAL_CONTACT, INITIAL_CONTACT))
    assert len(middle) == len(landed)
    assert all(np.any((lifted < t) & (t < lifted + 0.4)) and np.any((landed > t) & (landed < t + 0.4)) for t in middle)
    assert MID_SWING not in detect(PACED)["kind"]


def test_who_stands_does_not_walk() -> None:
    data = wear(body((Stand(duration_s=60),)), "left_shank")
    sway = np.array([0.05, 0.3, 0.1]) * np.sin(2 * np.pi * 0.4 * data.time_s)[:, None]
    assert len(detect(SensorData(data.time_s, data.acc, data.gyr + sway))) == 0


@given(cuts=st.lists(st.integers(0, 1400), max_size=40), lost=st.lists(st.integers(0, 1400), max_size=60))
@settings(deadline=None, max_examples=20)
def test_any_chunking_gives_the_same_events(cuts: list[int], lost: list[int]) -> None:
    kept = np.setdiff1d(PACED.index, lost)
    whole = detect(PACED, rows=kept)
    assert whole.tobytes() == detect(PACED, rows=kept, cuts=sorted(min(cut, len(kept)) for cut in cuts)).tobytes()
    assert len(whole) >= 6 or len(lost) > 10


def test_a_nan_sample_is_a_lost_sample_of_its_sensor_alone() -> None:
    bad = np.r_[450:454, 700:760]
    broken = PACED.gyr.copy()
    broken[bad, 2] = np.nan
    shanks = ShankContacts()
    sensors = np.array([shanks.attach(100.0), shanks.attach(100.0)])
    n = len(PACED.index)
    events = shanks.process(
        Batch(
            sensors,
            np.array([0, n, 2 * n]),
            np.r_[PACED.index, PACED.index],
            np.concatenate([PACED.acc, PACED.acc]),
            np.concatenate([broken, PACED.gyr]),
        )
    )
    fields = ["kind", "index", "detected_index", "confidence"]
    kept = np.setdiff1d(PACED.index, bad)
    assert events[events["sensor"] == 0][fields].tolist() == detect(PACED, rows=kept)[fields].tolist()
    assert events[events["sensor"] == 1][fields].tolist() == detect(PACED)[fields].tolist()


def test_short_gaps_are_bridged_and_marked() -> None:
    whole = detect(PACED)
    landed = whole[whole["kind"] == INITIAL_CONTACT]["index"]
    kept = np.setdiff1d(PACED.index, np.concatenate([np.arange(int(k) - 3, int(k) + 3) for k in landed]))
    events = detect(PACED, rows=kept)
    found = events[events["kind"] == INITIAL_CONTACT]
    np.testing.assert_allclose(found["index"], landed, atol=3.0)
    assert GAP not in events["kind"]
    assert found["confidence"].max() <= 0.5


def test_nothing_is_invented_inside_a_gap() -> None:
    landed = seconds(detect(PACED), INITIAL_CONTACT)
    start, end = int(landed[2] * 100) - 20, int(landed[4] * 100) - 30
    events = detect(PACED, rows=np.r_[0:start, end : len(PACED.index)])
    gap = events[events["kind"] == GAP]
    assert gap["index"].tolist() == [start - 1]
    assert gap["detected_index"].tolist() == [end]
    others = events[events["kind"] != GAP]["index"]
    assert not np.any((others > start) & (others < end))
    kept = landed[(landed < start / 100) | (landed > end / 100)]
    np.testing.assert_allclose(seconds(events, INITIAL_CONTACT), kept, atol=0.02)


@given(
    gyr=hnp.arrays(np.float64, (400, 3), elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    steps=hnp.arrays(np.int64, (400,), elements=st.integers(-5, 40)),
)
@settings(deadline=None, max_examples=40)
def test_any_input_is_survived(gyr: Any, steps: Any) -> None:
    shanks = ShankContacts(ShankParams(mid_swing=True))
    sensor = shanks.attach(100.0)
    index = np.cumsum(steps)
    for a in range(0, 400, 50):
        before = shanks.settled(sensor)
        events = shanks.process(Batch.single(index[a : a + 50], gyr[a : a + 50], gyr[a : a + 50], sensor))
        assert np.isfinite(events["index"]).all()
        assert (events["index"] >= before).all()
    assert len(shanks.process(Batch.single(index[:0], gyr[:0], gyr[:0], sensor))) == 0


@pytest.mark.parametrize("name", ["120", "40", "exoskeleton 24"])
def test_no_event_comes_before_what_is_settled(name: str) -> None:
    data = wear(body(WALKS[name], seed=4), "left_shank").turned(rotation(1))
    shanks = ShankContacts(ShankParams(mid_swing=True))
    sensor = shanks.attach(100.0)
    lag = []
    for a in range(0, len(data.index), 7):
        before = shanks.settled(sensor)
        events = shanks.process(Batch.single(data.index[a : a + 7], data.acc[a : a + 7], data.gyr[a : a + 7], sensor))
        assert (events["index"] >= before).all()
        assert shanks.settled(sensor) >= before
        lag.append(data.index[min(a + 6, len(data.index) - 1)] - shanks.settled(sensor))
    assert max(lag[2:]) <= 200


def test_initial_contact_is_where_numpy_finds_it() -> None:
    """Smoothing, trough and its level, done over the whole recording without state."""
    walker = body(straight(110, 1.3))
    data = wear(walker, "left_shank", imperfections=PERFECT)
    row = ShankParams().for_rate(100.0)[0]
    w = np.convolve(-data.gyr[:, 1], row["taps"][: 2 * row["half"] + 1], mode="same")
    expected = []
    for t in (walker.truth().initial["left"] * 100).astype(int)[:-1]:
        trough = t - 5 + int(np.argmin(w[t - 5 : t + 20]))
        level = LAND_LEVEL * w[trough]
        i = trough - int(np.argmax(w[trough::-1] > level)) + 1
        expected.append(i - 1 + (w[i - 1] - level) / (w[i - 1] - w[i]))
    found = detect(data)
    found = found[found["kind"] == INITIAL_CONTACT]["index"]
    np.testing.assert_allclose(found[: len(expected)], expected, rtol=0, atol=1e-6)


def test_walk_takes_the_events_of_two_shanks() -> None:
    walker = body(straight(100, 1.2, steps=30), seed=5)
    contacts: list[Contact] = []
    for side in ("left", "right"):
        events = detect(wear(walker, "left_shank" if side == "left" else "right_shank"))
        assert events.dtype == EVENT
        contacts += [Contact(side, int(e["kind"]), float(e["index"]) / 100.0, float(e["confidence"])) for e in events]
    walk = Walk()
    results = walk.process(contacts, 0.001, 100.0) + walk.finish()
    strides = [r.value for r in results if r.metric == "stride_time" and r.value is not None]
    assert np.mean(strides[4:-4]) == pytest.approx(1.2, abs=0.02)
    cadence = [r.value for r in results if r.metric == "cadence" and r.value is not None]
    assert cadence[-1] == pytest.approx(100.0, abs=1.5)


def test_a_stream_that_ends_starts_afresh() -> None:
    shanks = ShankContacts()
    sensor = shanks.attach(100.0)
    found = []
    for _ in range(2):
        found.append(shanks.process(Batch.single(PACED.index, PACED.acc, PACED.gyr, sensor)))
        assert len(shanks.flush(sensor)) == 0
        assert shanks.settled(sensor) == -np.inf
    assert found[0].tobytes() == found[1].tobytes()
    assert len(shanks.strides) == 0


def test_sensors_come_and_go() -> None:
    shanks = ShankContacts()
    assert [shanks.attach(100.0) for _ in range(20)] == list(range(20))
    shanks.detach(7)
    with pytest.raises(KeyError, match="sensor 7 is not attached"):
        shanks.settled(7)
    assert shanks.attach(60.0) == 7
    np.testing.assert_array_equal(shanks.mounting(3).left, [0.0, 0.0, 0.0])
    assert np.isnan(shanks.mounting(3).askew)
    with pytest.raises(ValueError, match="shank contacts need 20 to 350 Hz"):
        shanks.attach(1000.0)


def test_compiled_and_plain_python_agree(tmp_path: Any) -> None:
    script = (
        "import sys, numpy as np\n"
        "from tests.dsp.test_shank import PACED, detect\n"
        "kept = np.setdiff1d(PACED.index, np.r_[350:356, 700:740])\n"
        "np.save(sys.argv[1], detect(PACED, rows=kept))\n"
    )
    found = []
    for plain in "0", "1":
        path = tmp_path / f"{plain}.npy"
        environment = {**os.environ, "NUMBA_DISABLE_JIT": plain}
        subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=environment)
        found.append(np.load(path))
    compiled, plain_python = found
    assert len(compiled) > 8
    assert compiled["kind"].tolist() == plain_python["kind"].tolist()
    np.testing.assert_allclose(compiled["index"], plain_python["index"], rtol=0, atol=1e-9)
    assert compiled["detected_index"].tolist() == plain_python["detected_index"].tolist()


@pytest.mark.recordings
def test_shanks_agree_with_the_feet_of_the_same_leg() -> None:
    """People with freezing of gait who wear both; outside freezing, the right leg (the left feet repeat the ankles)."""
    rate_hz, near = 128.0, 16.0
    apart: dict[int, list[float]] = {INITIAL_CONTACT: [], FINAL_CONTACT: []}
    expected = dict.fromkeys(apart, 0)
    for path in sorted(shared_path("data", "gait", "stanford_fog").glob("*.npz")):
        data = np.load(path)
        frozen = json.loads(path.with_suffix(".json").read_text())["reference"]["fog"]
        feet, shanks = FootContacts(), ShankContacts()
        found = []
        for operator, name in ((feet, "foot_r"), (shanks, "ankle_r")):
            acc, gyr = (data[f"{name}_{kind}"].astype(float) for kind in ("acc", "gyr"))
            found.append(operator.process(Batch.single(np.arange(len(acc)), acc, gyr, operator.attach(rate_hz))))
        for kind in apart:
            reference = found[0][(found[0]["kind"] == kind) & (found[0]["confidence"] >= 1.0)]["index"]
            own = found[1][found[1]["kind"] == kind]["index"]
            walking = [t for t in reference if not any(a - 64 <= t < b + 64 for a, b in frozen)]
            expected[kind] += len(walking)
            nearest = [float(own[np.argmin(np.abs(own - t))] - t) for t in walking]
            apart[kind] += [d / rate_hz for d in nearest if abs(d) < near]
    for kind, deviation in ((INITIAL_CONTACT, 0.025), (FINAL_CONTACT, 0.02)):
        assert len(apart[kind]) >= 0.94 * expected[kind]
        assert abs(np.mean(apart[kind])) <= 0.02
        assert np.std(apart[kind]) <= deviation
