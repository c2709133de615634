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
from dsp.contact.events import FINAL_CONTACT, FOOT_FLAT, GAP, INITIAL_CONTACT
from dsp.foot.contacts import FootContacts, FootParams
from tests.dsp.feet import Steps, lobe, still_foot, walk
from tests.shared import shared_path

RATES = [50.0, 60.0, 100.0, 102.4, 204.8]
EXOSKELETON = Steps(stride_s=8.0, stance=0.7, lift=0.3, strike=0.1, strides=4)
SHUFFLE = Steps(stride_s=1.2, stance=0.75, lift=0.15, strike=0.05)
SLOW = Steps(stride_s=2.4, stance=0.75, lift=0.4, strike=0.1, strides=5)
Events = NDArray[np.void]


def detect(index: Any, acc: Any, gyr: Any, rate_hz: float = 100.0, cuts: Any = ()) -> Events:
    """Run one sensor over samples cut into batches at ``cuts``."""
    feet = FootContacts()
    sensor = feet.attach(rate_hz)
    edges = [0, *cuts, len(index)]
    found = [feet.process(Batch.single(index[a:b], acc[a:b], gyr[a:b], sensor)) for a, b in itertools.pairwise(edges)]
    return np.concatenate(found)


def seconds(events: Events, kind: int, rate_hz: float = 100.0) -> NDArray[np.float64]:
    return np.asarray(events["index"][events["kind"] == kind] / rate_hz, float)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("steps", [Steps(), Steps(stride_s=0.8), SLOW, SHUFFLE, EXOSKELETON])
def test_finds_every_contact_at_its_time(steps: Steps, rate_hz: float) -> None:
    events = detect(*walk(steps, rate_hz), rate_hz)
    np.testing.assert_allclose(seconds(events, INITIAL_CONTACT, rate_hz), steps.initial_s, atol=0.015)
    np.testing.assert_allclose(seconds(events, FINAL_CONTACT, rate_hz), steps.final_s, atol=0.015)
    flat = seconds(events, FOOT_FLAT, rate_hz)
    assert len(flat) == steps.strides
    assert np.all((flat > steps.initial_s) & (flat < steps.initial_s + steps.stance * steps.stride_s))


def test_contacts_are_known_soon() -> None:
    events = detect(*walk(Steps(), 100.0))
    wait = (events["detected_index"] - events["index"]) / 100.0
    assert wait[events["kind"] == INITIAL_CONTACT].max() <= 0.15
    assert wait[events["kind"] == FINAL_CONTACT].max() <= 0.25


@pytest.mark.parametrize("seed", range(4))
def test_who_stands_does_not_walk(seed: int) -> None:
    assert len(detect(*still_foot(60.0, 100.0, seed))) == 0


def test_a_flat_landing_is_timed_by_its_impact() -> None:
    steps = Steps(strike=0.0, lift=0.6, stride_s=1.4)
    events = detect(*walk(steps, 100.0))
    landed = events[events["kind"] == INITIAL_CONTACT]
    np.testing.assert_allclose(landed["index"] / 100.0, steps.initial_s, atol=0.05)
    assert landed["confidence"].max() <= 0.5


@given(cuts=st.lists(st.integers(0, 1600), max_size=40), lost=st.lists(st.integers(0, 1600), max_size=60))
@settings(deadline=None, max_examples=60)
def test_any_chunking_gives_the_same_events(cuts: list[int], lost: list[int]) -> None:
    index, acc, gyr = walk(Steps(), 100.0)
    kept = np.setdiff1d(index, lost)
    whole = detect(kept, acc[kept], gyr[kept])
    pieces = detect(kept, acc[kept], gyr[kept], cuts=sorted(min(cut, len(kept)) for cut in cuts))
    assert whole.tobytes() == pieces.tobytes()
    assert len(whole) >= 6 or len(lost) > 10


@given(shift=st.integers(-(2**40), 2**40))
@settings(deadline=None, max_examples=30)
def test_events_move_with_the_clock(shift: int) -> None:
    index, acc, gyr = walk(Steps(strides=4), 100.0)
    here, there = detect(index, acc, gyr), detect(index + shift, acc, gyr)
    assert here["kind"].tolist() == there["kind"].tolist()
    np.testing.assert_allclose(there["index"] - shift, here["index"], atol=1e-3)  # float64 at 2^40 samples


def test_a_nan_sample_is_a_lost_sample_of_its_sensor_alone() -> None:
    index, acc, gyr = walk(Steps(), 100.0)
    broken = gyr.copy()
    bad = np.r_[300:304, 700:760]
    broken[bad, 2] = np.nan
    feet = FootContacts()
    sensors = np.array([feet.attach(100.0), feet.attach(100.0)])
    n = len(index)
    both = Batch(
        sensors, np.array([0, n, 2 * n]), np.r_[index, index], np.concatenate([acc, acc]), np.concatenate([broken, gyr])
    )
    events = feet.process(both)
    kept = np.setdiff1d(index, bad)
    fields = ["kind", "index", "detected_index", "confidence"]
    assert events[events["sensor"] == 0][fields].tolist() == detect(kept, acc[kept], gyr[kept])[fields].tolist()
    assert events[events["sensor"] == 1][fields].tolist() == detect(index, acc, gyr)[fields].tolist()
    later = events[(events["sensor"] == 0) & (events["index"] > 880)]
    assert (later["kind"] == INITIAL_CONTACT).sum() == (Steps().initial_s > 8.8).sum(), "healed within a stride"


def test_short_gaps_are_bridged() -> None:
    index, acc, gyr = walk(Steps(), 100.0)
    lost = np.concatenate([np.arange(t, t + 6) for t in (Steps().final_s * 100).astype(int) - 3])
    kept = np.setdiff1d(index, lost)
    events = detect(kept, acc[kept], gyr[kept])
    np.testing.assert_allclose(seconds(events, INITIAL_CONTACT), Steps().initial_s, atol=0.02)
    np.testing.assert_allclose(seconds(events, FINAL_CONTACT), Steps().final_s, atol=0.05)
    assert GAP not in events["kind"]
    assert events["confidence"][events["kind"] == FINAL_CONTACT].max() <= 0.5


def test_nothing_is_invented_inside_a_gap() -> None:
    index, acc, gyr = walk(Steps(), 100.0)
    start, end = int(Steps().initial_s[3] * 100) - 20, int(Steps().initial_s[5] * 100) - 30
    kept = np.r_[index[:start], index[end:]]
    events = detect(kept, acc[kept], gyr[kept])
    gap = events[events["kind"] == GAP]
    assert gap["index"].tolist() == [start - 1]
    assert gap["detected_index"].tolist() == [end]
    others = events[events["kind"] != GAP]["index"]
    assert not np.any((others > start) & (others < end))
    landed = seconds(events, INITIAL_CONTACT)
    expected = Steps().initial_s[[0, 1, 2, 5, 6, 7, 8, 9]]  # the fifth: its swing was seen from after the gap on
    np.testing.assert_allclose(landed, expected, atol=0.02)


LOST = {  # first and last instant, seconds from the final and from the initial contact, and what of the step is told
    "swing": ((0.12, 0.26), {FINAL_CONTACT, INITIAL_CONTACT}),
    "the rise after push-off": ((0.06, 0.2), {FINAL_CONTACT, INITIAL_CONTACT}),
    "push-off": ((-0.25, -0.05), {FINAL_CONTACT, INITIAL_CONTACT}),
    "stance after the slap": ((0.54, 0.74), {FINAL_CONTACT, INITIAL_CONTACT}),
    "final contact": ((-0.07, 0.08), {INITIAL_CONTACT}),
    "initial contact": ((0.36, 0.5), {FINAL_CONTACT}),
    "all of the swing": ((-0.1, 0.5), set()),
}


@pytest.mark.parametrize("where", LOST)
def test_contacts_beside_a_gap_are_reported(where: str) -> None:
    """Swing takes 0.44 s; each third step loses samples."""
    index, acc, gyr = walk(Steps(strides=14), 100.0)
    (first, last), kinds = LOST[where]
    steps = np.arange(4, 14, 3)
    finals, initials = Steps(strides=14).final_s, Steps(strides=14).initial_s
    lost = np.concatenate([np.arange(int((t + first) * 100), int((t + last) * 100)) for t in finals[steps]])
    kept = np.setdiff1d(index, lost)
    events = detect(kept, acc[kept], gyr[kept])
    assert (events["kind"] == GAP).sum() == len(steps)
    assert not np.isin(np.round(events["index"][events["kind"] != GAP]), lost).any(), "nothing lies within a gap"
    for kind, times in (FINAL_CONTACT, finals), (INITIAL_CONTACT, initials):
        expected = times if kind in kinds else np.delete(times, steps)
        np.testing.assert_allclose(seconds(events, kind), expected, atol=0.04)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 204.8])
@pytest.mark.parametrize("seed", range(3))
def test_the_axis_survives_losses(seed: int, rate_hz: float) -> None:
    """How far the foot has turned is not known across a gap: what was guessed there turned the axis round."""
    index, acc, gyr = walk(Steps(strides=40), rate_hz, seed=seed)
    rng = np.random.default_rng(seed)
    starts = rng.choice(np.arange(int(8 * rate_hz), len(index)), 40, replace=False)
    kept = np.setdiff1d(index, np.concatenate([np.arange(a, a + int(0.15 * rate_hz)) for a in starts]))
    feet = FootContacts()
    sensor = feet.attach(rate_hz)
    events = feet.process(Batch.single(kept, acc[kept], gyr[kept], sensor))
    assert feet.mounting(sensor).left[1] > 0.99
    found = seconds(events, INITIAL_CONTACT, rate_hz)
    assert np.abs(found[:, None] - Steps(strides=40).initial_s).min(axis=1).max() < 0.05, "none is told elsewhere"


def closing_step(jolt: float, *, heel: float = 0.06, strides: int = 5) -> tuple[Any, Any, Any, float, float]:
    """Return a walk that ends with the other foot's side brought up: a small swing and its impact, m/s^2."""
    index, acc, gyr = walk(Steps(strides=strides, stand_s=4.0), 100.0)
    t = index / 100.0
    final_s = float(Steps(strides=strides, stand_s=4.0).initial_s[-1]) + 1.2
    initial_s = final_s + 0.25
    rate = lobe(t, np.array([final_s + 0.13]), 0.12, 0.08) - lobe(t, np.array([final_s - 0.06]), 0.1, heel)
    gyr[:, 1] -= rate
    acc[(t > initial_s - 0.015) & (t < initial_s + 0.015), 2] += jolt * np.array([1.0, -1.0, 1.0])
    return index, acc, gyr, final_s, initial_s


@pytest.mark.parametrize("heel", [0.06, 0.1])
def test_a_small_step_is_believed_when_the_foot_comes_down(heel: float) -> None:
    index, acc, gyr, final_s, initial_s = closing_step(8.0, heel=heel)
    events = detect(index, acc, gyr)
    assert seconds(events, FINAL_CONTACT)[-1] == pytest.approx(final_s, abs=0.05)
    assert seconds(events, INITIAL_CONTACT)[-1] == pytest.approx(initial_s, abs=0.05)
    index, acc, gyr, final_s, _ = closing_step(0.0, heel=heel)
    events = detect(index, acc, gyr)
    assert events["index"][events["kind"] != FOOT_FLAT].max() < (final_s - 0.5) * 100, "the foot has only tipped"


def test_the_first_step_has_its_final_contact_though_the_toes_rise_before() -> None:
    index, acc, gyr = walk(Steps(strides=3), 100.0, noise=0.0)
    gyr[:, 1] -= 0.03  # a bias under which the foot at rest never seems to turn toe-down
    gyr[:, 1] -= lobe(index / 100.0, Steps().final_s[:1] - 0.5, 0.2, 0.25)
    events = detect(index, acc, gyr)
    np.testing.assert_allclose(seconds(events, FINAL_CONTACT), Steps(strides=3).final_s, atol=0.03)
    np.testing.assert_allclose(seconds(events, INITIAL_CONTACT), Steps(strides=3).initial_s, atol=0.03)


@given(
    gyr=hnp.arrays(np.float64, (400, 3), elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    steps=hnp.arrays(np.int64, (400,), elements=st.integers(-5, 40)),
)
@settings(deadline=None, max_examples=60)
def test_any_input_is_survived(gyr: Any, steps: Any) -> None:
    feet = FootContacts()
    sensor = feet.attach(100.0)
    index = np.cumsum(steps)
    for a in range(0, 400, 50):
        before = feet.settled(sensor)
        events = feet.process(Batch.single(index[a : a + 50], gyr[a : a + 50], gyr[a : a + 50], sensor))
        assert np.isfinite(events["index"]).all()
        assert (events["index"] >= before).all()
        assert ((events["confidence"] > 0) & (events["confidence"] <= 1)).all()
    assert len(feet.process(Batch.single(index[:0], gyr[:0], gyr[:0], sensor))) == 0


@pytest.mark.parametrize("steps", [Steps(), SLOW, EXOSKELETON])
def test_no_event_comes_before_what_is_settled(steps: Steps) -> None:
    index, acc, gyr = walk(steps, 100.0)
    feet = FootContacts()
    sensor = feet.attach(100.0)
    lag = []
    for a in range(0, len(index), 7):
        before = feet.settled(sensor)
        events = feet.process(Batch.single(index[a : a + 7], acc[a : a + 7], gyr[a : a + 7], sensor))
        assert (events["index"] >= before).all()
        assert feet.settled(sensor) >= before
        lag.append(index[min(a + 6, len(index) - 1)] - feet.settled(sensor))
    assert max(lag[2:]) <= 250, "what is settled follows within the time a lift may take"
    assert np.median(lag) <= 25


def test_initial_contact_is_where_numpy_finds_it() -> None:
    """Smoothing, slap and its level, done over the whole recording without state."""
    index, acc, gyr = walk(Steps(), 100.0, noise=0.0)
    row = FootParams().for_rate(100.0)[0]
    taps = row["taps"][: 2 * row["half"] + 1]
    w = np.convolve(-gyr[:, 1], taps, mode="same")
    expected = []
    for t in (Steps().initial_s * 100).astype(int):
        slap = t - 10 + int(np.argmin(w[t - 10 : t + 15]))
        level = 0.5 * w[slap]
        i = slap - int(np.argmax(w[slap::-1] > level)) + 1
        expected.append(i - 1 + (w[i - 1] - level) / (w[i - 1] - w[i]))
    found = detect(index, acc, gyr)
    np.testing.assert_allclose(found["index"][found["kind"] == INITIAL_CONTACT], expected, rtol=0, atol=1e-9)


def test_sensors_come_and_go() -> None:
    feet = FootContacts()
    numbers = [feet.attach(100.0) for _ in range(40)]
    assert numbers == list(range(40))
    feet.detach(7)
    with pytest.raises(KeyError, match="sensor 7 is not attached"):
        feet.settled(7)
    assert feet.attach(60.0) == 7
    with pytest.raises(ValueError, match="foot contacts need 20 to 350 Hz"):
        feet.attach(1000.0)


def test_compiled_and_plain_python_agree(tmp_path: Any) -> None:
    script = (
        "import sys, numpy as np\n"
        "from dsp.batch import Batch\n"
        "from dsp.foot.contacts import FootContacts\n"
        "from tests.dsp.feet import Steps, walk\n"
        "index, acc, gyr = walk(Steps(strides=4), 100.0)\n"
        "kept = np.setdiff1d(index, np.r_[350:356, 500:540])\n"
        "feet = FootContacts()\n"
        "np.save(sys.argv[1], feet.process(Batch.single(kept, acc[kept], gyr[kept], feet.attach(100.0))))\n"
    )
    found = []
    for plain in "0", "1":
        path = tmp_path / f"{plain}.npy"
        environment = {**os.environ, "NUMBA_DISABLE_JIT": plain}
        subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=environment)
        found.append(np.load(path))
    compiled, plain_python = found
    assert compiled["kind"].tolist() == plain_python["kind"].tolist()
    assert len(compiled) > 8
    np.testing.assert_allclose(compiled["index"], plain_python["index"], rtol=0, atol=1e-9)
    assert compiled["detected_index"].tolist() == plain_python["detected_index"].tolist()


def score(askew: str) -> Any:
    data, script = shared_path("data", "gait"), shared_path("score", "feet.py")
    run = subprocess.run(
        [sys.executable, str(script), "tests.scoring_feet:detector", "--data", str(data), "--askew", askew],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.recordings
def test_contacts_and_strides_on_recordings() -> None:
    """All development recordings; 43 reference contacts of each kind lie outside what the scorer lets one find.

    With all the others and nothing else found, F1 would be 0.9888.
    """
    found = score("none")
    contacts, strides = found["contacts"], found["strides"]["mocap_left"]
    initial, final = contacts["events"]["ic_straight"], contacts["events"]["fc_straight"]
    assert initial["at_100ms"]["f1"] >= 0.985
    assert final["at_100ms"]["f1"] >= 0.980
    assert max(abs(initial["bias_ms"]), abs(final["bias_ms"])) <= 10
    assert max(initial["sd_ms"], final["sd_ms"]) <= 22
    assert contacts["delay"]["ic"]["p95_ms"] <= 200
    assert contacts["delay"]["fc"]["p95_ms"] <= 350
    assert contacts["in_gap"] == 0
    assert contacts["stride_time_s"]["n"] >= 1400
    assert contacts["stride_time_s"]["mae"] <= 0.008
    assert strides["matched_strides"] >= 26
    assert strides["stride_length_m"]["mae"] <= 0.025
    assert abs(strides["stride_length_m"]["bias"]) <= 0.010


@pytest.mark.recordings
@pytest.mark.parametrize(("askew", "loss"), [("tilt", 0.003), ("any", 0.020)])
def test_sensors_strapped_on_askew(askew: str, loss: float) -> None:
    contacts = score(askew)["contacts"]["events"]
    assert contacts["ic_straight"]["at_100ms"]["f1"] >= 0.9854 - loss
    assert contacts["fc_straight"]["at_100ms"]["f1"] >= 0.9813 - loss
