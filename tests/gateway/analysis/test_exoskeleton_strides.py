"""Joint work and the dose of therapy: from the bytes of an exoskeleton on a body to what is told of its wearer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.model.measurement import Measurement
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay
from gateway.wire.curves import SlotCurves
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import NOISE_NM, Joint, WornExoskeleton
from simulators.body.programme import Stand, Walk, exoskeleton
from simulators.body.truth import Stride
from simulators.devices.openexo import encode_message
from tests.drivers.exo_frames import walked

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
EXO = Device(id="exo", driver="exo_frame", placement="exoskeleton", port=Path("/dev/ttyACM0"))
JOINTS: tuple[Joint, ...] = ("hip", "knee", "ankle")
WALKED = (
    Stand(duration_s=2.0),
    Walk(distance_m=30.0, speed_mps=1.1),
    Stand(duration_s=4.0),
    exoskeleton(steps=10),
    Stand(duration_s=1.0),
)
LOST = 0.02  # of the limb parts
NEAR_S = 0.05  # the instants of a stride, as told and as they are
WITHIN = 0.03


def settings(mass_kg: float | None = 80.0) -> Settings:
    return Settings(slot=[Slot(id="bed-1", subject="p-1", protocol="exoskeleton", mass_kg=mass_kg, device=[EXO])])


def frames(source: WornExoskeleton, *, lost: float = LOST, gap_s: tuple[float, float] = (0.0, 0.0)) -> list[Numbered]:
    """Return what arrives, up to 15 ms late, but nothing of what is sent within a gap."""
    rng = np.random.default_rng(3)
    found = [
        (0, Frame(ORIGIN.monotonic_ns + round((at_s + rng.uniform(0.003, 0.015)) * NS), "data", data))
        for at_s, data in walked(source, lost=lost, seed=5)
        if not gap_s[0] <= at_s < gap_s[1]
    ]
    arrivals = np.maximum.accumulate([frame.arrival_ns for _, frame in found])
    return [(0, frame._replace(arrival_ns=int(at))) for (_, frame), at in zip(found, arrivals, strict=True)]


def lived(
    config: Settings, wire: Iterable[Numbered], record: Path | None = None
) -> tuple[list[Measurement], list[SlotCurves]]:
    """Run a pipeline over frames."""
    sessions = {"bed-1": "bed-1-a"}
    pipeline = Pipeline(config, ORIGIN, sessions)
    writer = record and RecordingWriter(
        record, Header(config.model_dump(mode="json"), sessions, ORIGIN.monotonic_ns, ORIGIN.utc_us, "0")
    )
    found: list[Measurement] = []
    curves: list[SlotCurves] = []
    for end_ns, step in steps(wire):
        if writer:
            writer.step(end_ns, step)
        found += pipeline.step(step)
        curves += pipeline.drain_curves()
    found += pipeline.finish()
    if writer:
        writer.close()
    return found, curves


def steps(wire: Iterable[Numbered]) -> Iterator[tuple[int, list[Numbered]]]:
    end_ns = ORIGIN.monotonic_ns + STEP_NS
    step: list[Numbered] = []
    for numbered in wire:
        while numbered[1].arrival_ns >= end_ns:
            yield end_ns, step
            end_ns, step = end_ns + STEP_NS, []
        step.append(numbered)
    yield end_ns, step


class Told:
    """What was told of strides, by where they are."""

    def __init__(self, found: Iterable[Measurement]) -> None:
        self._of: dict[tuple[str, str], list[Measurement]] = {}
        for m in found:
            self._of.setdefault((m.metric, m.side), []).append(m)

    def of(self, metric: str, stride: Stride) -> list[Measurement]:
        """Return what was told of a metric in a stride that is where this one is."""
        return [
            m
            for m in self._of.get((metric, stride.foot), ())
            if abs(second(m.start_us) - stride.start_s) < NEAR_S and abs(second(m.end_us) - stride.end_s) < NEAR_S
        ]

    def all(self, metric: str) -> list[Measurement]:
        return [m for (name, _), own in self._of.items() if name == metric for m in own]


def second(us: int) -> float:
    return (us - ORIGIN.utc_us) / 1e6


def worn(body: WalkingBody, *, noise_nm: float = NOISE_NM) -> WornExoskeleton:
    return WornExoskeleton(body.figure(), joints=JOINTS, seed=4, noise_nm=noise_nm)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_work_of_each_joint_in_each_stride_is_the_bodys_in_spite_of_loss(seed: int) -> None:
    """Two per cent of the parts are lost. True torque here: what the noise of its sensor adds is held below."""
    body = WalkingBody(seed, programme=WALKED)
    source = worn(body, noise_nm=0.0)
    found, _ = lived(settings(), frames(source))
    told, figure = Told(found), body.figure()
    strides = body.truth().strides
    compared = 0
    for joint in JOINTS:
        for stride in strides:
            given, taken = source.work(figure, stride.foot, joint, stride.start_s, stride.end_s)
            (pos,), (neg,) = told.of(f"exo_{joint}_work_pos", stride), told.of(f"exo_{joint}_work_neg", stride)
            assert pos.quality in ("ok", "degraded")
            assert pos.value == pytest.approx(given, rel=WITHIN, abs=0.005)
            assert neg.value == pytest.approx(taken, rel=WITHIN, abs=0.005)
            compared += 1
    assert compared == 3 * len(strides)
    assert len(told.all("exo_hip_work_pos")) == len(strides), "no stride that is none"


def test_the_noise_of_a_torque_sensor_adds_no_work() -> None:
    """Of the mean over strides; as a share of all that a joint does, given and taken."""
    body = WalkingBody(8, programme=WALKED)
    source = worn(body)
    told, figure = Told(lived(settings(), frames(source))[0]), body.figure()
    for joint in JOINTS:
        strides = body.truth().strides
        true = np.array([source.work(figure, s.foot, joint, s.start_s, s.end_s) for s in strides])
        ends = ("work_pos", "work_neg")
        values = np.array([[told.of(f"exo_{joint}_{end}", stride)[0].value for end in ends] for stride in strides])
        away = np.abs(values.mean(axis=0) - true.mean(axis=0))
        assert (away < WITHIN * np.abs(true).sum(axis=1).mean()).all()


def test_each_stride_has_torque_power_and_what_passes_between_limb_and_frame() -> None:
    body = WalkingBody(1, programme=WALKED)
    source = worn(body)
    found, _ = lived(settings(), frames(source, lost=0.0))
    told, stride = Told(found), body.truth().steady()[4]
    own = {end: told.of(f"exo_ankle_{end}", stride)[0] for end in (
        "torque_peak", "torque_rms", "torque_peak_norm", "torque_rms_norm", "power_peak", "interaction_torque_peak",
        "assist_pct_est",
    )}  # fmt: skip
    assert {m.quality for m in own.values()} == {"ok"}
    assert {m.devices for m in own.values()} == {("exo",)}
    values = {end: m.value or 0.0 for end, m in own.items()}
    assert values["torque_peak"] == pytest.approx(-0.6 * 0.94 * 16.0, abs=0.5)
    assert values["torque_peak_norm"] == pytest.approx(values["torque_peak"] / 80.0)
    assert values["torque_rms_norm"] == pytest.approx(values["torque_rms"] / 80.0)
    assert 0.0 < values["torque_rms"] < -values["torque_peak"]
    assert values["power_peak"] > 0.0
    assert values["assist_pct_est"] > 100.0, "the limb drags on the frame"
    metrics = {m.metric for m in found}
    assert "exo_ankle_tracking_rmse" not in metrics, "the frame tells no desired angle"
    without, _ = lived(settings(mass_kg=None), frames(worn(body), lost=0.0))
    assert not {m.metric for m in without if m.metric.endswith("_norm")}


def test_a_gap_takes_the_strides_that_it_touches_and_shifts_no_other() -> None:
    body = WalkingBody(1, programme=WALKED)
    gap_s = 8.0, 8.6
    source = worn(body, noise_nm=0.0)
    found, _ = lived(settings(), frames(source, lost=0.0, gap_s=gap_s))
    told, figure = Told(found), body.figure()
    for stride in body.truth().strides:
        own = told.of("exo_hip_work_pos", stride)
        if stride.start_s < gap_s[1] and stride.end_s > gap_s[0]:
            assert [m.value for m in own] in ([], [None])
        else:
            given, _ = source.work(figure, stride.foot, "hip", stride.start_s, stride.end_s)
            assert [m.value for m in own] == [pytest.approx(given, rel=WITHIN)]
    doubted = [m for m in told.all("exo_hip_work_pos") if m.value is None]
    assert {(m.quality, m.reason) for m in doubted} <= {("invalid", "samples lost")}


def test_the_dose_is_time_upright_time_walking_and_steps() -> None:
    body = WalkingBody(2, programme=WALKED)
    source = worn(body)
    found, _ = lived(settings(), frames(source))
    told, truth = Told(found), body.truth()
    last = {name: told.all(name)[-1] for name in ("exo_up_time", "exo_walk_time", "exo_steps", "exo_failed_steps")}
    assert last["exo_steps"].value == pytest.approx(sum(bout.steps for bout in truth.bouts), abs=1)
    assert last["exo_failed_steps"].value == 0.0
    within = sum(
        max(s.end_s for s in own) - min(s.start_s for s in own)
        for bout in truth.bouts
        if (own := [s for s in truth.strides if bout.start_s <= s.start_s and s.end_s <= bout.end_s])
    )
    assert last["exo_walk_time"].value == pytest.approx(within, rel=0.02)
    assert last["exo_up_time"].value == pytest.approx(second(found[-1].end_us), rel=0.02)


def test_curves_are_the_mean_of_the_newest_strides() -> None:
    body = WalkingBody(1, programme=WALKED)
    _, drawn = lived(settings(), frames(worn(body)))
    assert len(drawn) > 3
    newest = {(c.joint, c.side, c.quantity): c for c in drawn[-1].exoskeleton}
    assert len(newest) == 3 * 2 * 3
    assert drawn[-1].curves == ()
    torque = newest["ankle", "left", "torque"]
    assert torque.n == 20
    assert 45 <= int(torque.mean.argmin()) <= 58
    assert torque.mean.min() == pytest.approx(-0.6 * 0.94 * 16.0, abs=0.5)
    assert 0.0 < np.nanmax(torque.sd) < 3.0
    assert newest["knee", "right", "angle"].mean.max() > 40.0


def test_torque_alone_as_openexo_has_it_gives_no_work_and_says_so() -> None:
    body = WalkingBody(2, programme=WALKED)
    source = WornExoskeleton(body.figure(), joints=("ankle",), seed=4)
    wire = []
    for motion in source.read_until(float("inf")) or ():
        for k in range(len(motion)):
            torques = [part[k, side, 0] for side in (0, 1) for part in (motion.command, motion.torque)]
            feet = [value for on in motion.stance[k].tolist() for value in (0.8 * on, float(on))]
            at_ns = ORIGIN.monotonic_ns + round(float(motion.time_s[k]) * NS) + 8_000_000
            message = encode_message("?", [*map(float, torques), *feet, 8.0, float(motion.time_s[k]), 12.0])
            wire.append((0, Frame(at_ns, "measurement", message)))
    device = Device(id="exo", driver="openexo", placement="exoskeleton", name="EXO", options={"joints": "ankle"})
    config = Settings(slot=[Slot(id="bed-1", subject="p-1", protocol="exoskeleton", device=[device])])
    found, drawn = lived(config, wire)
    told = Told(found)
    strides = body.truth().steady()
    for stride in strides:
        (peak,) = told.of("exo_ankle_torque_peak", stride)
        assert peak.value == pytest.approx(-0.6 * 0.94 * 16.0, abs=0.6)
        (work,) = told.of("exo_ankle_work_pos", stride)
        assert (work.value, work.quality, work.reason) == (None, "invalid", "joint angle not told")
    assert len(strides) > 20
    assert told.all("exo_steps")
    assert not told.all("exo_up_time"), "nothing tells whether who wears it stands"
    assert {curve.quantity for curve in drawn[-1].exoskeleton} == {"torque"}


def test_live_is_replay(tmp_path: Path) -> None:
    body = WalkingBody(
        6, programme=(Stand(duration_s=1.0), Walk(distance_m=12.0, speed_mps=1.1), Stand(duration_s=1.0))
    )
    path = tmp_path / "exo.rgrec"
    live, _ = lived(settings(), frames(worn(body)), record=path)
    assert {m.metric for m in live} >= {"exo_hip_work_pos", "exo_up_time"}
    again = [m for step in Replay(path).steps() for m in step]
    assert again == live
