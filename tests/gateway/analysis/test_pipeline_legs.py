"""Legs with sensors on more than the foot, through the pipeline: steps from shanks, angles of joints, mean curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Device, Settings, Slot
from dsp.contact.detector import ContactDetector
from dsp.foot.contacts import ALGORITHM as FOOT_ALGORITHM
from dsp.foot.contacts import FootContacts
from dsp.roster import require_rate
from dsp.shank.contacts import ALGORITHM as SHANK_ALGORITHM
from gateway.analysis.joints import CURVES_EVERY_S
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered
from gateway.model.measurement import Measurement
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay
from gateway.wire.curves import SlotCurves
from simulators.body.body import Placement, WalkingBody
from simulators.body.programme import Stand, Walk
from simulators.motion.source import Motion, MotionSource
from simulators.sensing.clock import Clock
from simulators.sensing.loss import Channel
from tests.dsp.bodies import Floats, rotation
from tests.dsp.legs import PAIRS, true_angles
from tests.gateway.analysis.test_pipeline import ORIGIN, RATE_HZ, SECONDS, dot_frames

COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy
pytestmark = pytest.mark.timeout(COLD_S)

PROGRAMME = (Stand(duration_s=3.0), Walk(cadence_spm=105.0, stride_m=1.25, duration_s=18.0), Stand(duration_s=10.0))
BODY = WalkingBody(5, programme=PROGRAMME, repeat=False)
TRUTH = BODY.truth(SECONDS)
STRIDE_S = 120.0 / 105.0
LEGS: tuple[Placement, ...] = (
    "lower_back", "left_thigh", "right_thigh", "left_shank", "right_shank", "left_foot", "right_foot",
)  # fmt: skip
SHANKS: tuple[Placement, ...] = ("left_shank", "right_shank")
FOOT_AND_SHANK: tuple[Placement, ...] = ("left_foot", "right_shank")
SESSIONS = {"bed-1": "bed-1-a"}


def site(placements: Sequence[Placement], axes: str = "x y z") -> Settings:
    devices = [
        Device(
            id=place.replace("_", "-"), driver="movella_dot", placement=place, address=f"00:00:00:00:00:0{number}",
            options={"mode": "rate"}, axes=axes if number % 2 else "x y z",
        )
        for number, place in enumerate(placements)
    ]  # fmt: skip
    return Settings(simulated=True, slot=[Slot(id="bed-1", subject="p-1", device=devices)])


class Askew(MotionSource):
    """A sensor that is strapped on turned by a matrix (3, 3)."""

    def __init__(self, source: MotionSource, matrix: Floats) -> None:
        self._source, self._matrix = source, matrix
        self.rate_hz = source.rate_hz

    def read_until(self, until_s: float) -> Motion | None:
        motion = self._source.read_until(until_s)
        if motion is None:
            return None
        return replace(motion, acc=motion.acc @ self._matrix.T, gyr=motion.gyr @ self._matrix.T)


def frames(placements: Sequence[Placement], *, askew: bool = False, loss: float = 0.01) -> list[Numbered]:
    """Return what DOTs with clocks and errors of their own send; a share of the packets is lost."""
    found = []
    for number, place in enumerate(placements):
        clock = Clock(number, offset_s=100.0 * number, drift_ppm=8.0 * number - 20.0)
        source: MotionSource = BODY.sensor(place, rate_hz=RATE_HZ, clock=clock, channel=Channel(loss=loss))
        if askew and place != "lower_back":
            source = Askew(source, rotation(number))
        found += dot_frames(number, source)
    return sorted(found, key=lambda numbered: numbered[1].arrival_ns)


def steps(sent: Iterable[Numbered]) -> Iterable[tuple[int, list[Numbered]]]:
    """Yield (end, frames) of each step."""
    waiting = list(sent)
    done = 0
    for number in range(1, round((SECONDS + 2.0) * NS) // STEP_NS + 1):
        end_ns = ORIGIN.monotonic_ns + number * STEP_NS
        first = done
        while done < len(waiting) and waiting[done][1].arrival_ns < end_ns:
            done += 1
        yield end_ns, waiting[first:done]


def measured(settings: Settings, sent: Iterable[Numbered]) -> tuple[list[Measurement], list[tuple[float, SlotCurves]]]:
    """Return what the pipeline says, and (seconds, curves) as they came."""
    pipeline = Pipeline(settings, ORIGIN, SESSIONS)
    results: list[Measurement] = []
    curves: list[tuple[float, SlotCurves]] = []
    for end_ns, step in steps(sent):
        results += pipeline.step(step)
        curves += [((end_ns - ORIGIN.monotonic_ns) / NS, found) for found in pipeline.drain_curves()]
    return results + pipeline.finish(), curves


Walked = tuple[list[Measurement], list[tuple[float, SlotCurves]]]


@pytest.fixture(scope="module")
def legs() -> Walked:
    return measured(site(LEGS), frames(LEGS))


def good(results: Iterable[Measurement], metric: str, side: str = "") -> list[Measurement]:
    return [m for m in results if m.metric == metric and m.quality == "ok" and side in {"", m.side}]


def seconds(us: int) -> float:
    return (us - ORIGIN.utc_us) / 1e6


def true_range(joint: str, side: str, start_s: float, end_s: float) -> float:
    """Return greatest less least true angle; the body is the same on both sides, half a stride apart."""
    times = np.arange(start_s, end_s, 0.005)
    name = next(j for j in PAIRS if j == joint)
    return float(np.ptp(true_angles(BODY, name, times, side=side)))


def errors(results: Iterable[Measurement], joint: str, side: str) -> list[float]:
    """Return measured less true range of motion of each good stride, degrees."""
    found = good(results, f"{joint}_rom", side)
    assert len(found) >= 8
    return [(m.value or math.nan) - true_range(joint, side, seconds(m.start_us), seconds(m.end_us)) for m in found]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("joint", PAIRS)
def test_the_range_of_each_joint_is_the_bodys(legs: Walked, joint: str, side: str) -> None:
    found = good(legs[0], f"{joint}_rom", side)
    wrong = np.abs(errors(legs[0], joint, side))
    assert np.median(wrong) < 1.0
    assert np.sort(wrong)[-2] < 2.0
    assert wrong.max() < 8.0, "a packet that is lost at a peak takes some degrees of it"
    assert {m.algorithm for m in found} == {"joint-angles/1"}
    assert all(m.sync_ms is not None and m.sync_ms < 20 for m in found)
    assert {m.placement for m in found} == {
        {"hip": ("lower_back", f"{side}_thigh"), "knee": (f"{side}_thigh", f"{side}_shank"),
         "ankle": (f"{side}_shank", f"{side}_foot")}[joint]
    }  # fmt: skip


def test_without_losses_every_stride_is_right_within_a_degree() -> None:
    results, _ = measured(site(LEGS), frames(LEGS, loss=0.0))
    for joint in PAIRS:
        for side in ("left", "right"):
            assert np.abs(errors(results, joint, side)).max() < 1.0


def test_sensors_strapped_on_anyhow_give_the_same_ranges(legs: Walked) -> None:
    results, curves = measured(site(LEGS), frames(LEGS, askew=True))
    for joint in PAIRS:
        for side in ("left", "right"):
            straight_on, found = (
                np.median([m.value or math.nan for m in good(each, f"{joint}_rom", side)])
                for each in (legs[0], results)
            )
            assert found == pytest.approx(straight_on, abs=1.0)
    assert {curve.reason for curve in curves[-1][1].curves} == {""}


def test_before_it_is_calibrated_it_says_so(legs: Walked) -> None:
    first = min((m for m in legs[0] if m.metric == "knee_rom"), key=lambda m: m.end_us)
    assert (first.quality, bool(first.reason)) == ("degraded", True)


def test_the_mean_curve_is_the_bodys(legs: Walked) -> None:
    drawn_s = [second for second, _ in legs[1]]
    assert min(b - a for a, b in pairwise(drawn_s)) >= CURVES_EVERY_S
    newest = legs[1][-1][1]
    assert (newest.slot, newest.session, newest.subject, newest.simulated) == ("bed-1", "bed-1-a", "p-1", True)
    assert {(c.joint, c.side) for c in newest.curves} == {(j, s) for j in PAIRS for s in ("left", "right")}
    share = np.linspace(0.0, 1.0, 101)
    for curve in newest.curves:
        assert curve.reason == ""
        assert curve.n >= 8
        strides = [
            s for s in TRUTH.strides
            if s.foot == curve.side and s.start_s > curve.start_s - 0.1 and s.end_s < curve.end_s + 0.1
        ]  # fmt: skip
        true = [
            true_angles(BODY, curve.joint, s.start_s + share * s.time_s, upright=True, side=str(curve.side))
            for s in strides
        ]
        apart = curve.mean_deg - np.mean(true, axis=0)
        assert np.sqrt(np.mean(apart**2)) < 2.5, (curve.joint, curve.side)
        assert apart.std() < 1.5, (curve.joint, curve.side)
        assert curve.sd_deg.max() < 12.0


def test_more_sensors_on_the_leg_change_nothing_that_the_feet_give(legs: Walked) -> None:
    feet: tuple[Placement, ...] = ("left_foot", "right_foot")
    numbers = {LEGS.index(place): number for number, place in enumerate(feet)}
    sent = [(numbers[number], frame) for number, frame in frames(LEGS) if number in numbers]
    alone, curves = measured(site(feet), sent)
    assert curves == []
    joints = ("hip", "knee", "ankle")
    ids = {"left-foot", "right-foot"}
    both = [m for m in legs[0] if set(m.devices) <= ids and not m.metric.startswith(joints)]
    freezing = {"freeze_index_multitaper", "freezing_episode", "n_fog", "pct_time_frozen"}
    places = {m.devices for m in legs[0] if m.metric in freezing}
    assert places == {("left-shank",), ("right-shank",)}, "of the best place, and of no other"
    alike = [m for m in alone if m.metric not in freezing]
    smooth = ("stride_sparc", "stride_ldlj")  # known when a sensor has its turn in the second, which is its number's

    def in_order(rows: list[Measurement]) -> list[Measurement]:
        return sorted((m for m in rows if m.metric in smooth), key=lambda m: (m.devices, m.metric, m.start_us))

    assert [m for m in both if m.metric not in smooth] == [m for m in alike if m.metric not in smooth]
    for one, other in zip(in_order(both), in_order(alike), strict=True):
        assert abs(one.start_us - other.start_us) < 500  # a time that went to the sensor's grid and back
        assert abs(one.end_us - other.end_us) < 500
        assert replace(one, start_us=other.start_us, end_us=other.end_us) == other


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_stride_of_a_foot_has_its_smoothness(legs: Walked, side: str) -> None:
    strides = {m.start_us: m for m in good(legs[0], "stride_time", side)}
    assert len(strides) > 10
    for metric in ("stride_sparc", "stride_ldlj"):
        smooth = [m for m in legs[0] if m.metric == metric and m.side == side]
        assert {m.devices for m in smooth} == {(f"{side}-foot",)}, "of the sensor that tells the strides, and no other"
        apart_ms = [min(abs(m.start_us - start) for start in strides) / 1e3 for m in smooth if m.quality == "ok"]
        assert len(apart_ms) >= len(strides) - 2
        assert np.median(apart_ms) < 2.0
    sparc = [m.value or math.nan for m in legs[0] if m.metric == "stride_sparc" and m.quality == "ok"]
    assert -4.0 < np.median(sparc) < -2.0


@pytest.mark.parametrize("side", ["left", "right"])
def test_shanks_alone_give_strides(side: str) -> None:
    results, curves = measured(site(SHANKS), frames(SHANKS))
    assert curves == []
    device = f"{side}-shank"
    contacts = [m for m in results if m.metric == "initial_contact" and m.devices == (device,)]
    assert {m.algorithm for m in contacts} == {SHANK_ALGORITHM}
    true = TRUTH.initial["left" if side == "left" else "right"]
    assert abs(len(contacts) - len(true)) <= 1
    strides = [m.value or math.nan for m in good(results, "stride_time", side)]
    assert len(strides) >= len(true) - 3
    assert np.median(strides) == pytest.approx(STRIDE_S, abs=0.02)
    steady = [s for s in TRUTH.steady() if s.foot == side]
    stance = np.median([m.value or math.nan for m in good(results, "stance_time", side)])
    assert stance == pytest.approx(np.median([s.stance_s for s in steady]), abs=0.06)
    for metric in ("step_time", "double_support_pct", "cadence", "symmetry_index"):
        assert good(results, metric), metric
    cadence = [m.value or math.nan for m in good(results, "cadence")]
    assert np.median(cadence) == pytest.approx(105.0, abs=2.0)


def test_a_foot_on_one_side_and_a_shank_on_the_other_walk_together() -> None:
    results, _ = measured(site(FOOT_AND_SHANK), frames(FOOT_AND_SHANK))
    algorithms = {m.side: m.algorithm for m in results if m.metric == "initial_contact"}
    assert algorithms == {"left": FOOT_ALGORITHM, "right": SHANK_ALGORITHM}
    for side in ("left", "right"):
        strides = [m.value or math.nan for m in good(results, "stride_time", side)]
        assert np.median(strides) == pytest.approx(STRIDE_S, abs=0.02)
    cadence = [m.value or math.nan for m in good(results, "cadence")]
    assert np.median(cadence) == pytest.approx(105.0, abs=2.0)
    both = [m for m in results if m.metric in {"step_time", "double_support_pct", "symmetry_index"}]
    assert len(both) > 20
    assert {m.reason for m in both} <= {"one side's contacts from the foot, the other's from the shank"}


def test_says_how_far_askew_a_sensor_is_mounted_and_whether_that_is_sure() -> None:
    pipeline = Pipeline(site(FOOT_AND_SHANK), ORIGIN, SESSIONS)
    assert pipeline.mounting(0) is None
    walk = list(steps(frames(FOOT_AND_SHANK, askew=True)))
    heard = []
    for _, step in walk:
        pipeline.step(step)
        heard.append(pipeline.mounting(0))
    assert not next(each for each in heard if each is not None).sure
    for number in range(2):
        found = pipeline.mounting(number)
        assert found is not None
        assert found.sure
        left = rotation(number)[:, 1]
        assert math.degrees(found.askew) == pytest.approx(math.degrees(math.acos(left[1])), abs=6.0)


def test_a_rate_that_an_operator_is_not_made_for_is_reported_and_harms_no_neighbour(monkeypatch: Any) -> None:
    def attach(detector: FootContacts, rate_hz: float) -> int:
        require_rate("foot contacts need", rate_hz, (100.0, 350.0))  # DOTs send 60 samples a second
        return ContactDetector.attach(detector, rate_hz)

    monkeypatch.setattr(FootContacts, "attach", attach)
    pipeline = Pipeline(site(FOOT_AND_SHANK), ORIGIN, SESSIONS)
    results = [m for _, step in steps(frames(FOOT_AND_SHANK)) for m in pipeline.step(step)] + pipeline.finish()
    assert pipeline.intakes[0].faults == {"foot contacts need 100 to 350 Hz, not 60 Hz": 1}
    assert pipeline.intakes[1].faults == {}
    assert {m.devices for m in results if m.metric == "initial_contact"} == {("right-shank",)}
    assert len(good(results, "stride_time", "right")) >= 10


def test_a_recording_says_the_same_again(tmp_path: Path, legs: Walked) -> None:
    settings = site(LEGS)
    path = tmp_path / "legs.rgrec"
    header = Header(settings.model_dump(mode="json"), SESSIONS, ORIGIN.monotonic_ns, ORIGIN.utc_us, "test")
    with RecordingWriter(path, header) as writer:
        for end_ns, step in steps(frames(LEGS)):
            writer.step(end_ns, step)
    again = Replay(path)
    assert [m for step in again.steps() for m in step] == legs[0]
    (curves,) = again.pipeline.drain_curves()
    for a, b in zip(curves.curves, legs[1][-1][1].curves, strict=True):
        assert (a.n, a.start_s, a.end_s) == (b.n, b.start_s, b.end_s)
        assert a.mean_deg.tobytes() == b.mean_deg.tobytes()
        assert a.sd_deg.tobytes() == b.sd_deg.tobytes()
