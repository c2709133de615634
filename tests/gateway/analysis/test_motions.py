"""Operators of one motion sensor: attached where they belong, fed alike live and in a replay, mixed up with nobody."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.protocol import PROTOCOLS
from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from dsp.catalogue import CATALOGUE
from dsp.found import Found
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.motion import Motion, MotionOperator, Worn
from gateway.analysis.motion_bank import MotionBank
from gateway.analysis.motions import MOTIONS
from gateway.analysis.movement import MovementOperators
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.waiting_samples import ROOM
from gateway.clocks.device_clock import NS
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.frames import STEP_NS, Numbered, Origin, ward_frame
from gateway.intake.intakes import CONNECTED
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed, Ward, decode_ward, encode_ward, ward_of
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
RATE_HZ = 60.0
SWAY = {
    "sway_path", "sway_mean_velocity", "sway_rms_ap", "sway_rms_ml", "sway_ellipse_area95", "sway_jerk", "sway_f95",
    "sway_centroid_freq",
}  # fmt: skip


def dot(number: int, placement: Any, axes: str = "x y z") -> Device:
    return Device(
        id=f"dot-{number}", driver="movella_dot", placement=placement, address=f"00:00:00:00:00:{number:02x}",
        axes=axes, options={"mode": "rate"},
    )  # fmt: skip


def at(second: float) -> int:
    return ORIGIN.monotonic_ns + round(second * NS)


def swaying(seconds: float, *, ap: float = 0.1, ml: float = 0.05, hz: float = 0.4, start_s: float = 0.0) -> np.ndarray:
    """Return the specific force of a lower back that sways, (n, 3)."""
    t = start_s + np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.column_stack([
        ap * np.sqrt(2) * np.sin(2 * np.pi * hz * t), ml * np.sqrt(2) * np.cos(2 * np.pi * hz * t),
        np.full_like(t, 9.81),
    ])  # fmt: skip


def trembling(seconds: float, hz: float = 6.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.column_stack([2.0 * np.sin(2 * np.pi * hz * t), np.zeros_like(t), np.full_like(t, 9.81)])


def sent(number: int, acc: np.ndarray, *, lost: Iterable[int] = (), seed: int = 0) -> list[Numbered]:
    """Return the notifications of a DOT that measures these, each up to one connection interval late."""
    rng = np.random.default_rng(seed)
    gone, out = set(lost), []
    for i, force in enumerate(acc):
        late = rng.uniform(0.005, 0.02)
        if i not in gone:
            data = struct.pack("<I6f", round(i / RATE_HZ * 1e6), *force, 0.0, 0.0, 0.0).ljust(40, b"\0")
            out.append((number, Frame(at(i / RATE_HZ + late), "measurement", data)))
    return sorted(out, key=lambda numbered: numbered[1].arrival_ns)


def ward(*slots: Slot) -> Settings:
    return Settings(simulated=True, slot=list(slots))


def lived(
    config: Settings, frames: Iterable[Numbered], seconds: float, changes: Mapping[float, Ward] | None = None,
    record: Path | None = None, *, going_on: dict[str, list[str]] | None = None,
) -> list[Measurement]:  # fmt: skip
    """Run a pipeline over frames, with changes of the ward at so many seconds."""
    sessions = {slot.id: f"{slot.id}-a" for slot in config.slot}
    going_on = going_on or {}
    pipeline = Pipeline(config, ORIGIN, sessions, going_on=going_on)
    changed = (ward_frame(at(s), encode_ward(w)) for s, w in (changes or {}).items())
    waiting = deque(sorted([*frames, *changed], key=lambda numbered: numbered[1].arrival_ns))
    writer = record and RecordingWriter(
        record,
        Header(config.model_dump(mode="json"), sessions, ORIGIN.monotonic_ns, ORIGIN.utc_us, "0", going_on=going_on),
    )
    out: list[Measurement] = []
    end_ns = ORIGIN.monotonic_ns
    while end_ns < at(seconds):
        end_ns += STEP_NS
        step = []
        while waiting and waiting[0][1].arrival_ns < end_ns:
            step.append(waiting.popleft())
        if writer:
            writer.step(end_ns, step)
        out += pipeline.step(step)
    out += pipeline.finish()
    if writer:
        writer.close()
    return out


def of(results: Sequence[Measurement], *metrics: str) -> list[Measurement]:
    return [m for m in results if m.metric in metrics]


def second(us: int) -> float:
    return (us - ORIGIN.utc_us) / 1e6


BACK = Slot(id="bed-1", subject="p-1", protocol="balance eyes=closed stance=tandem", device=[dot(1, "lower_back")])


def test_a_trial_of_standing_is_told_when_its_session_ends() -> None:
    config = ward(BACK)
    stay = (Bed(BACK.model_copy(update={"protocol": "free_walk"}), "bed-1-b"),)
    results = lived(config, sent(0, swaying(40.0)), 41.0, {35.0: stay})
    told = of(results, *SWAY)
    assert {m.metric for m in told} == SWAY
    assert {(m.session, m.quality, m.reason, m.devices, m.placement, m.side) for m in told} == {
        ("bed-1-a", "ok", "", ("dot-1",), ("lower_back",), "none")
    }
    values = {m.metric: m.value for m in told}
    assert values["sway_rms_ap"] == pytest.approx(0.1, rel=0.02)
    assert values["sway_rms_ml"] == pytest.approx(0.05, rel=0.02)
    assert values["sway_centroid_freq"] == pytest.approx(0.4, abs=0.02)
    assert 34.9 <= second(told[0].end_us) <= 35.1
    assert second(told[0].start_us) < 0.1


def test_marks_say_when_the_trial_began_and_ended_and_its_result_is_there_within_seconds() -> None:
    first = ward_of(ward(BACK), {"bed-1": "bed-1-a"})[0]
    begun, over = replace(first, marks=("start",)), replace(first, marks=("start", "patient coughs", "Stop"))
    results: list[tuple[float, Measurement]] = []
    config, frames = ward(BACK), sent(0, np.concatenate([trembling(10.0), swaying(30.0)]))
    pipeline = Pipeline(config, ORIGIN, {"bed-1": "bed-1-a"})
    frames += [ward_frame(at(12.0), encode_ward((begun,))), ward_frame(at(32.0), encode_ward((over,)))]
    frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    for step in range(round(40 / 0.05)):
        end_ns = ORIGIN.monotonic_ns + (step + 1) * STEP_NS
        due = [numbered for numbered in frames if end_ns - STEP_NS <= numbered[1].arrival_ns < end_ns]
        results += [((step + 1) * 0.05, m) for m in pipeline.step(due) if m.metric in SWAY]
    assert len(results) == len(SWAY)
    for told_s, m in results:
        assert second(m.start_us) == pytest.approx(12.05, abs=0.05)
        assert second(m.end_us) == pytest.approx(32.05, abs=0.05)
        assert told_s < 34.0
    assert {m.metric: m.value for _, m in results}["sway_rms_ap"] == pytest.approx(0.1, rel=0.05)
    assert not of(pipeline.finish(), *SWAY), "told once"


def test_a_session_that_was_interrupted_says_so() -> None:
    again = (replace(ward_of(ward(BACK), {"bed-1": "bed-1-b"})[0], interrupted=True),)
    told = of(lived(ward(BACK), sent(0, swaying(40.0)), 41.0, {5.0: again}), *SWAY)
    whole = [m for m in told if m.session == "bed-1-b"]
    assert {m.quality for m in whole} == {"degraded"}
    assert all("interrupted" in m.reason for m in whole)
    short = [m for m in told if m.session == "bed-1-a"]
    assert {(m.value, m.quality, m.reason) for m in short} == {(None, "invalid", "the trial is shorter than 10 s")}


def test_there_is_no_sway_without_its_protocol_and_none_of_another_place() -> None:
    walking = BACK.model_copy(update={"protocol": "free_walk"})
    chest = BACK.model_copy(update={"device": [dot(1, "chest")]})
    for slot in (walking, chest):
        assert not of(lived(ward(slot), sent(0, swaying(20.0)), 21.0), *SWAY)


def test_nothing_of_one_patient_is_used_for_the_next() -> None:
    """The former sways ten times as much; half of a trial is theirs."""
    config = ward(BACK)
    new = (Bed(BACK.model_copy(update={"subject": "p-2"}), "bed-1-b"),)
    acc = np.concatenate([swaying(20.0, ap=1.0), swaying(20.0, start_s=20.0)])
    told = of(lived(config, sent(0, acc), 41.0, {20.0: new}), "sway_rms_ap")
    assert [(m.subject, m.session) for m in told] == [("p-1", "bed-1-a"), ("p-2", "bed-1-b")]
    assert told[0].value == pytest.approx(1.0, rel=0.02)
    assert told[1].value == pytest.approx(0.1, rel=0.05)


def test_the_axes_of_a_sensor_are_those_of_the_configuration() -> None:
    acc = swaying(20.0)
    turned = np.column_stack([acc[:, 1], -acc[:, 0], acc[:, 2]])  # its y points forward, its x to the right
    slot = BACK.model_copy(update={"device": [dot(1, "lower_back", axes="-y x z")]})
    values = {m.metric: m.value for m in of(lived(ward(slot), sent(0, turned), 21.0), *SWAY)}
    assert values["sway_rms_ap"] == pytest.approx(0.1, rel=0.02)
    assert values["sway_rms_ml"] == pytest.approx(0.05, rel=0.02)


LEGS = Slot(
    id="bed-2", subject="p-3",
    device=[dot(2, "left_shank"), dot(3, "right_shank"), dot(4, "left_foot"), dot(5, "lower_back")],
)  # fmt: skip


def test_a_freeze_index_comes_once_a_second_from_the_best_place() -> None:
    frames = [frame for number in range(4) for frame in sent(number, trembling(20.0), seed=number)]
    found = of(lived(ward(LEGS), sorted(frames, key=lambda n: n[1].arrival_ns), 21.0), "freeze_index_multitaper")
    assert {(m.devices, m.side) for m in found} == {(("dot-2",), "left"), (("dot-3",), "right")}
    left = [m for m in found if m.side == "left"]
    assert len(left) == 17
    assert all(m.value is not None and m.value > 2 for m in left)
    assert all(m.end_us - m.start_us == pytest.approx(4e6, abs=5e4) for m in left)
    assert all(b.end_us - a.end_us == pytest.approx(1e6, abs=1e3) for a, b in pairwise(left))


def test_a_leg_that_stands_still_says_once_that_there_is_no_index_and_a_gap_does() -> None:
    still = np.tile([0.0, 0.0, 9.81], (round(20 * RATE_HZ), 1))
    slot = LEGS.model_copy(update={"device": [dot(2, "left_shank")]})
    (told,) = of(lived(ward(slot), sent(0, still), 21.0), "freeze_index_multitaper")
    assert (told.value, told.quality) == (None, "invalid")
    assert "hardly moves" in told.reason
    gap = range(round(8 * RATE_HZ), round(11 * RATE_HZ))
    found = of(lived(ward(slot), sent(0, trembling(20.0), lost=gap), 21.0), "freeze_index_multitaper")
    (lost,) = [m for m in found if m.value is None]
    assert lost.reason == "samples lost"
    assert (second(lost.start_us), second(lost.end_us)) == pytest.approx((8.0, 11.0), abs=0.1)
    assert all(second(m.end_us) < 8.3 or second(m.start_us) > 10.7 for m in found if m.value is not None)


def test_live_and_replay_give_the_same_with_gaps_changes_and_marks(tmp_path: Path) -> None:
    first = ward_of(ward(BACK, LEGS), {"bed-1": "bed-1-a", "bed-2": "bed-2-a"})
    marked = (replace(first[0], marks=("start",)), first[1])
    new = (Bed(BACK.model_copy(update={"subject": "p-2"}), "bed-1-b"), first[1])
    frames = sent(0, swaying(40.0), lost=range(900, 960))
    for number in range(1, 5):
        frames += sent(number, trembling(40.0), lost=range(400 * number, 400 * number + 200), seed=number)
    frames.append((2, Frame(at(30.0), CONNECTED, b"")))
    live = lived(ward(BACK, LEGS), frames, 41.0, {4.0: marked, 25.0: new}, tmp_path / "a.rgrec")
    replayed = [m for step in Replay(tmp_path / "a.rgrec").steps() for m in step]
    assert live == replayed
    assert of(live, "sway_path")
    assert of(live, "freeze_index_multitaper")


class Told:
    """An operator that keeps what it is given."""

    algorithm = "told/1"

    def __init__(self) -> None:
        self.index: list[int] = []
        self.samples: list[list[float]] = []
        self.portions: list[int] = []

    def process(self, index: np.ndarray, acc: np.ndarray, gyr: np.ndarray) -> list[Found]:
        self.index += index.tolist()
        self.samples += np.column_stack([acc, gyr]).tolist()
        self.portions.append(len(index))
        return []


def told_of(
    config: Settings, frames: list[Numbered], seconds: float, protocols: frozenset[str] = frozenset()
) -> tuple[list[Worn], list[Told]]:
    """Run a pipeline whose only operators of single sensors keep what they are given."""
    worn: list[Worn] = []
    told: list[Told] = []

    def make(of: Worn) -> MotionOperator:
        worn.append(of)
        told.append(Told())
        return told[-1]

    class Movement(MovementOperators):
        def __init__(self, refuse: Refuse | None = None) -> None:
            super().__init__(refuse)
            self.motions = MotionBank(refuse, [Motion("told", (("lower_back",),), (), make, protocols)])

    modalities = [replace(each, operators=lambda: Movement) if each.name == "movement" else each for each in MODALITIES]
    pipeline = Pipeline(config, ORIGIN, {slot.id: "a" for slot in config.slot}, modalities)
    waiting = sorted(frames, key=lambda numbered: numbered[1].arrival_ns)
    end_ns = ORIGIN.monotonic_ns
    while end_ns < at(seconds):
        end_ns += STEP_NS
        count = bisect_left(waiting, end_ns, key=lambda numbered: numbered[1].arrival_ns)
        pipeline.step(waiting[:count])
        del waiting[:count]
    pipeline.finish()
    return worn, told


@pytest.mark.parametrize("held_up_s", [0.0, 3.0, 12.0])
def test_an_operator_gets_seconds_at_once_and_every_sample_once(held_up_s: float) -> None:
    """Also where the radio holds up so much that it does not fit into what may wait."""
    slot = BACK.model_copy(update={"mass_kg": 71.0, "affected_side": "left"})
    acc = swaying(30.0)
    frames = [
        (number, frame._replace(arrival_ns=max(frame.arrival_ns, at(10.0 + held_up_s))))
        if at(10.0) < frame.arrival_ns < at(10.0 + held_up_s) else (number, frame)
        for number, frame in sent(0, acc)
    ]  # fmt: skip
    (worn,), (told,) = told_of(ward(slot), frames, 31.0)
    assert (worn.placement, worn.rate_hz, worn.mass_kg, worn.affected_side) == ("lower_back", RATE_HZ, 71.0, "left")
    assert (worn.protocol.word, dict(worn.protocol.fields)) == ("balance", {"eyes": "closed", "stance": "tandem"})
    assert (np.diff(told.index) > 0).all()
    assert np.array(told.samples)[:, :3] == pytest.approx(acc, abs=1e-5)
    assert max(told.portions) <= ROOM
    assert len(told.portions) <= 32 + held_up_s * RATE_HZ / ROOM


@pytest.mark.parametrize("garbage", [3.4e38, 2500.0, np.inf])
def test_one_sample_of_garbage_is_a_lost_one_and_makes_neither_a_fall_nor_an_end_of_a_trial(garbage: float) -> None:
    """As of a driver that knows no limits of what its device can measure."""

    class Movement(MovementOperators):
        def process(self, arrived: ArrivedBatch) -> bool:
            arrived.samples[arrived.index == 1205] = garbage  # which the units are not judged by
            return super().process(arrived)

    modalities = [replace(each, operators=lambda: Movement) if each.name == "movement" else each for each in MODALITIES]
    pipeline = Pipeline(ward(BACK), ORIGIN, {"bed-1": "a"}, modalities)
    frames = sent(0, swaying(40.0))
    results: list[Measurement] = []
    for step in range(round(41 / 0.05)):
        end_ns = ORIGIN.monotonic_ns + (step + 1) * STEP_NS
        results += pipeline.step([each for each in frames if end_ns - STEP_NS <= each[1].arrival_ns < end_ns])
    results += pipeline.finish()
    assert not of(results, "fall_event", "near_fall_event")
    assert {(m.quality, m.n_rejected) for m in of(results, *SWAY)} == {("ok", 0)}
    assert {m.metric: m.value for m in of(results, *SWAY)}["sway_rms_ap"] == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(("protocols", "turn_s"), [(frozenset({"balance"}), 1.0), (frozenset(), 2.0)])
def test_an_operator_of_a_test_has_its_turn_sooner_than_one_that_nobody_waits_for(
    protocols: frozenset[str], turn_s: float
) -> None:
    _, (told,) = told_of(ward(BACK), sent(0, swaying(12.0)), 13.0, protocols)
    assert np.median(told.portions) == pytest.approx(turn_s * RATE_HZ, abs=3)


def test_what_waits_of_a_sensor_that_falls_silent_is_not_left_waiting() -> None:
    silent = sent(0, swaying(10.3))
    _, (told,) = told_of(ward(BACK), silent, 13.0)
    assert len(told.index) == round(10.3 * RATE_HZ)
    assert told.portions[-1] < RATE_HZ


def test_a_ward_travels_with_its_marks_and_one_from_before_there_were_any_is_read() -> None:
    bed = replace(ward_of(ward(BACK), {"bed-1": "a"})[0], marks=("start", "stop"), interrupted=True)
    assert decode_ward(encode_ward((bed,))) == (bed,)
    old = b'{"v":1,"beds":[{"slot":{"id":"bed-1","subject":"p-1"},"session":"a"}]}'
    assert decode_ward(old) == (Bed(Slot(id="bed-1", subject="p-1"), "a"),)
    assert bed.same_work(replace(bed, marks=()))


def test_every_row_names_metrics_and_words_that_there_are() -> None:
    for motion in MOTIONS:
        assert motion.metrics
        assert set(motion.metrics) <= set(CATALOGUE)
        assert motion.protocols <= set(PROTOCOLS)
