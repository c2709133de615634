"""The ward changes while the pipeline runs: everybody's numbers are their own, and neighbours do not notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Settings
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.stream_taps import Tapped
from gateway.analysis.wearers import FORMER_WEARER
from gateway.intake.frames import NO_DEVICE, STEP_NS, WARD_CHANNEL, Numbered, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed, Ward, decode_ward, encode_ward, ward_of
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay
from simulators.body.body import WalkingBody
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT
from tests.gateway.analysis.test_pipeline import (
    ORIGIN,
    PROGRAMME,
    RATE_HZ,
    SECONDS,
    SESSIONS,
    SETTINGS,
    at,
    dot_frames,
)

FIRST = ward_of(SETTINGS, SESSIONS)
FEET, STRAP = FIRST
CHANGE_S = 12.0


def dressed(bed: Bed, subject: str, session: str) -> Bed:
    """Return a bed with somebody else in it."""
    return Bed(bed.slot.model_copy(update={"subject": subject}), session)


NEW_PATIENT: Ward = (dressed(FEET, "p-9", "bed-1-b"), STRAP)
NOBODY: Ward = (STRAP,)
MOVED: Ward = (  # the patient of bed 1 lies in bed 3 now, with the same sensors, and the strap has gone to them
    Bed(FEET.slot.model_copy(update={"id": "bed-3", "device": [*FEET.slot.device, *STRAP.slot.device]}), "bed-1-a"),
)
OTHER_FEET: Ward = (  # left and right sensor exchanged
    Bed(
        FEET.slot.model_copy(
            update={
                "device": [
                    device.model_copy(update={"placement": other.placement})
                    for device, other in zip(FEET.slot.device, reversed(FEET.slot.device), strict=True)
                ]
            }
        ),
        "bed-1-b",
    ),
    STRAP,
)


def walking() -> list[Numbered]:
    """Return what two DOTs on feet send, and a strap."""
    body = WalkingBody(3, programme=PROGRAMME, repeat=False)
    feet = {
        0: body.sensor("left_foot", rate_hz=RATE_HZ, imperfections=PERFECT, clock=Clock(1, offset_s=4000.0)),
        1: body.sensor("right_foot", rate_hz=RATE_HZ, imperfections=PERFECT, clock=Clock(2, offset_s=12.0)),
    }
    frames = [frame for number, source in feet.items() for frame in dot_frames(number, source)]
    frames += [(2, Frame(at(second), "measurement", bytes((0x06, 72)))) for second in range(1, int(SECONDS))]
    return sorted(frames, key=lambda numbered: numbered[1].arrival_ns)


@pytest.fixture(scope="module")
def walk() -> list[Numbered]:
    return walking()


def steps(frames: Sequence[Numbered]) -> list[tuple[int, list[Numbered]]]:
    """Cut frames into the steps of a run."""
    cut: dict[int, list[Numbered]] = {}
    for numbered in frames:
        cut.setdefault((numbered[1].arrival_ns - ORIGIN.monotonic_ns) // STEP_NS, []).append(numbered)
    number = int(SECONDS + 2) * 20
    return [(ORIGIN.monotonic_ns + (n + 1) * STEP_NS, cut.get(n, [])) for n in range(number)]


def lived(
    frames: Sequence[Numbered],
    changes: Mapping[float, Ward],
    record: Path | None = None,
    settings: Settings = SETTINGS,
) -> tuple[list[Measurement], Pipeline]:
    """Feed frames with changes of the ward at so many seconds."""
    pipeline = Pipeline(settings, ORIGIN, SESSIONS)
    all_frames = [*frames, *(ward_frame(at(second), encode_ward(ward)) for second, ward in changes.items())]
    all_frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    results: list[Measurement] = []
    writer = None if record is None else RecordingWriter(
        record, Header(settings.model_dump(mode="json"), SESSIONS, ORIGIN.monotonic_ns, ORIGIN.utc_us, "0")
    )  # fmt: skip
    for end_ns, step in steps(all_frames):
        if writer is not None:
            writer.step(end_ns, step)
        results += pipeline.step(step)
    results += pipeline.finish()
    if writer is not None:
        writer.close()
    return results, pipeline


def second(us: int) -> float:
    return (us - ORIGIN.utc_us) / 1e6


def test_a_new_patient_begins_afresh_and_the_neighbour_does_not_notice(walk: list[Numbered]) -> None:
    undisturbed, _ = lived(walk, {})
    results, _ = lived(walk, {CHANGE_S: NEW_PATIENT})
    assert [m for m in results if m.slot == "bed-2"] == [m for m in undisturbed if m.slot == "bed-2"]
    former = [m for m in results if m.subject == "p-1"]
    after = [m for m in results if m.subject == "p-9"]
    assert {m.session for m in former} == {"bed-1-a"}
    assert {m.session for m in after} == {"bed-1-b"}
    assert max(second(m.end_us) for m in former) <= CHANGE_S + 0.05
    assert min(second(m.start_us) for m in after) >= CHANGE_S
    assert len([m for m in after if m.metric == "initial_contact"]) > 8
    # No stride of the one begins with a step of the other, and nothing of the time before is told twice.
    contacts = [m for m in undisturbed if m.metric == "initial_contact" and m.slot == "bed-1"]
    contacts_of_both = [m for m in former + after if m.metric == "initial_contact"]
    assert len(contacts) - 4 <= len(contacts_of_both) <= len(contacts)
    assert len({(m.devices, m.start_us) for m in contacts_of_both}) == len(contacts_of_both)


def test_an_empty_bed_says_nothing(walk: list[Numbered]) -> None:
    results, pipeline = lived(walk, {CHANGE_S: NOBODY})
    assert not [m for m in results if m.slot == "bed-1" and second(m.end_us) > CHANGE_S + 0.05]
    assert [m for m in results if m.slot == "bed-2" and second(m.end_us) > CHANGE_S + 5]
    assert [intake.slot for intake in pipeline.intakes] == [None, None, "bed-2"]


def test_a_patient_is_followed_to_another_bed_with_the_sensors(walk: list[Numbered]) -> None:
    results, _ = lived(walk, {CHANGE_S: MOVED})
    late = [m for m in results if second(m.start_us) > CHANGE_S + 0.1]
    assert {m.slot for m in late} == {"bed-3"}
    assert {m.subject for m in late} == {"p-1"}
    assert {m.devices for m in late if m.metric == "heart_rate"} == {("strap",)}
    assert [m for m in late if m.metric == "stride_length" and m.quality == "ok"]


def test_sensors_that_change_sides_are_reported_on_the_other_side(walk: list[Numbered]) -> None:
    results, _ = lived(walk, {CHANGE_S: OTHER_FEET})
    contacts = [m for m in results if m.metric == "initial_contact"]
    assert {m.side for m in contacts if m.devices == ("left",) and second(m.start_us) < CHANGE_S} == {"left"}
    assert {m.side for m in contacts if m.devices == ("left",) and second(m.start_us) > CHANGE_S} == {"right"}


def test_samples_from_before_a_sensor_was_put_on_are_nobodys(walk: list[Numbered]) -> None:
    """The radio held them back: they are the former patient's, who is closed, and never the new one's."""
    late = [
        (number, frame._replace(arrival_ns=at(CHANGE_S + 0.2)))
        if number == 0 and at(CHANGE_S - 0.4) <= frame.arrival_ns < at(CHANGE_S + 0.2)
        else (number, frame)
        for number, frame in walk
    ]
    late.sort(key=lambda numbered: numbered[1].arrival_ns)
    results, pipeline = lived(late, {CHANGE_S: NEW_PATIENT})
    assert min(second(m.start_us) for m in results if m.subject == "p-9") >= CHANGE_S
    assert pipeline.intakes[0].faults[FORMER_WEARER] > 0


def test_a_label_changes_nothing(walk: list[Numbered]) -> None:
    renamed = (Bed(FEET.slot.model_copy(update={"label": "By the window"}), FEET.session), STRAP)
    assert lived(walk, {CHANGE_S: renamed})[0] == lived(walk, {})[0]


def test_live_equals_replay_across_changes(walk: list[Numbered], tmp_path: Path) -> None:
    changes = {5.0: NEW_PATIENT, 9.0: NOBODY, 11.02: MOVED, 13.3: FIRST, 15.0: OTHER_FEET, 17.2: NEW_PATIENT}
    live, _ = lived(walk, changes, tmp_path / "ward.rgrec")
    assert {m.subject for m in live} >= {"p-1", "p-2", "p-9"}
    assert [m for step in Replay(tmp_path / "ward.rgrec").steps() for m in step] == live


def test_a_hundred_changes_leave_nothing_behind(walk: list[Numbered]) -> None:
    cycle = [NEW_PATIENT, NOBODY, MOVED, FIRST, OTHER_FEET]
    changes = {2.0 + n * 0.2: cycle[n % len(cycle)] for n in range(100)}
    _, pipeline = lived(walk, changes)
    assert len(pipeline.intakes) == 3
    assert pipeline.ward == decode_ward(encode_ward(cycle[99 % len(cycle)]))


@given(st.binary(max_size=40))
def test_a_damaged_change_is_passed_over(data: bytes) -> None:
    pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
    assert pipeline.step([(NO_DEVICE, Frame(at(0.0), WARD_CHANNEL, data))]) == []
    assert pipeline.ward == FIRST


def test_who_watches_a_device_watches_nobody_else(walk: list[Numbered]) -> None:
    pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
    first, _ = (device.id for device in FEET.slot.device)
    seen: dict[str, int] = dict.fromkeys((first, "other"), 0)

    def watch(name: str) -> None:
        def tap(tapped: Tapped) -> None:
            del tapped
            seen[name] += 1

        pipeline.taps[first if name == first else STRAP.slot.device[0].id, "imu"] = tap

    watch(first)
    watch("other")
    at_change = at(CHANGE_S)
    early = [frame for frame in walk if frame[1].arrival_ns < at_change]
    late = [frame for frame in walk if frame[1].arrival_ns >= at_change]
    for frames in (early, [ward_frame(at_change, encode_ward(NEW_PATIENT))]):
        pipeline.step(frames)
    before = seen[first]
    assert before > 0
    pipeline.step(late)
    assert seen[first] == before
    assert list(pipeline.taps) == [(STRAP.slot.device[0].id, "imu")]
