"""Kernels that are not ready when the samples come: the numbers come later, and are the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from config.settings import Settings
from gateway.analysis.needs import unready_frame
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.stream_gaps import NOT_ANALYSED
from gateway.analysis.warm_up import PARTS
from gateway.intake.frames import Numbered, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.ward import Ward, encode_ward
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay
from tests.gateway.analysis.test_pipeline import ORIGIN, SESSIONS, SETTINGS, at
from tests.gateway.analysis.test_pipeline_legs import LEGS, frames, site
from tests.gateway.analysis.test_pipeline_ward import NEW_PATIENT, NOBODY, STRAP, dressed, lived, steps, walk

__all__ = ["walk"]
pytestmark = pytest.mark.timeout(600.0)  # where nothing has been compiled yet

READY_S = 11.0
InStep = list[tuple[int, Measurement]]  # with the number of the step that said it


def cold(
    sent: Sequence[Numbered],
    unready: Mapping[float, Collection[str]],
    changes: Mapping[float, Ward] | None = None,
    *,
    settings: Settings = SETTINGS,
    sessions: Mapping[str, str] = SESSIONS,
    record: Path | None = None,
) -> tuple[InStep, Pipeline]:
    """Feed frames, and which kernels are not ready from so many seconds on."""
    of_no_device = [unready_frame(at(second), names) for second, names in unready.items()]
    of_no_device += [ward_frame(at(second), encode_ward(ward)) for second, ward in (changes or {}).items()]
    pipeline = Pipeline(settings, ORIGIN, sessions)
    header = Header(settings.model_dump(mode="json"), dict(sessions), ORIGIN.monotonic_ns, ORIGIN.utc_us, "0")
    writer = None if record is None else RecordingWriter(record, header)
    results: InStep = []
    number = 0
    for number, (end_ns, step) in enumerate(steps(sorted([*of_no_device, *sent], key=lambda each: each[1].arrival_ns))):
        if writer is not None:
            writer.step(end_ns, step)
        results += [(number, m) for m in pipeline.step(step)]
    if writer is not None:
        writer.close()
    return results + [(number + 1, m) for m in pipeline.finish()], pipeline


def alike(results: Sequence[Measurement]) -> list[str]:
    """Return measurements whatever order they came in, to the last bit."""
    return sorted(map(repr, results))


def without_steps(results: InStep) -> list[Measurement]:
    return [measurement for _, measurement in results]


@pytest.mark.parametrize("ready_s", [0.3, READY_S, 23.9])
@pytest.mark.parametrize("names", [set(PARTS), {"feet"}])
def test_what_waited_gives_the_same_numbers(walk: list[Numbered], names: set[str], ready_s: float) -> None:
    undisturbed, _ = lived(walk, {})
    results, _ = cold(walk, {0.0: names, ready_s: ()})
    assert alike(without_steps(results)) == alike(undisturbed)
    assert sum(m.metric == "stride_time" for m in undisturbed) > 10


def test_whole_legs_that_waited_give_the_same_numbers() -> None:
    sent, sessions = frames(LEGS), {"bed-1": "bed-1-a"}
    undisturbed, _ = cold(sent, {}, settings=site(LEGS), sessions=sessions)
    results, _ = cold(sent, {0.0: set(PARTS), READY_S: ()}, settings=site(LEGS), sessions=sessions)
    assert alike(without_steps(results)) == alike(without_steps(undisturbed))
    assert {"knee_rom", "hip_rom", "stride_time"} <= {m.metric for _, m in results}


def test_heart_rates_wait_for_nothing_and_movement_only_for_what_it_needs(walk: list[Numbered]) -> None:
    results, _ = cold(walk, {0.0: set(PARTS), READY_S: ()})
    hearts = [number for number, m in results if m.metric == "heart_rate"]
    strides = [number for number, m in results if m.metric == "stride_time"]
    assert hearts[0] < 30  # the first beat comes after a second
    assert len([number for number in hearts if number < READY_S * 20]) >= 9
    assert strides[0] in range(round(READY_S * 20), round((READY_S + 1.0) * 20))
    undisturbed, _ = cold(walk, {})
    assert cold(walk, {0.0: {"joints", "shanks", "lower back"}})[0] == undisturbed


def test_who_waits_is_heard_and_counted(walk: list[Numbered]) -> None:
    _, ready = cold(walk, {})
    _, waiting = cold(walk, {0.0: {"feet"}})
    total = [sum(count.samples for count in intake.counts.values()) for intake in ready.intakes]
    assert [intake.kept for intake in waiting.intakes] == [*total[:2], 0]
    newest = [(there.newest_s, here.newest_s) for there, here in zip(ready.intakes, waiting.intakes, strict=True)]
    assert all(abs(there - here) < 0.1 for there, here in newest)
    assert waiting.unready == {"feet"}
    _, after = cold(walk, {0.0: {"feet"}, READY_S: ()})
    assert [intake.kept for intake in after.intakes] == [0, 0, 0]


def test_what_has_no_room_is_reported_and_what_has_is_analysed(
    walk: list[Numbered], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.analysis.backlog.OBJECT_BYTES", 1 << 20)  # 64 steps of two devices
    results, pipeline = cold(walk, {0.0: {"feet"}, READY_S: ()})
    gaps = [m for _, m in results if m.reason == NOT_ANALYSED]
    assert [(m.metric, m.devices) for m in gaps] == [("stream_gap", ("left",)), ("stream_gap", ("right",))]
    analysed = [sum(count.samples for count in intake.counts.values()) for intake in pipeline.intakes[:2]]
    assert [m.n + done for m, done in zip(gaps, analysed, strict=True)] == [
        sum(number == device for number, _ in walk) for device in (0, 1)
    ]
    first = min(m.start_us for _, m in results if m.metric == "stride_time")
    assert all(m.end_us < first and m.end_us - m.start_us > 5e6 for m in gaps)


@pytest.mark.parametrize("left_s", [READY_S - 2.0, READY_S + 0.1])
def test_who_leaves_before_it_is_ready_takes_nothing_along(walk: list[Numbered], left_s: float) -> None:
    """Nothing goes to who wears the sensors next; what could not be analysed is said."""
    results, _ = cold(walk, {0.0: {"feet"}, READY_S: ()}, {left_s: NEW_PATIENT})
    former = [m for _, m in results if m.subject == "p-1"]
    gaps = [m for m in former if m.reason == NOT_ANALYSED]
    assert all(m.start_us >= ORIGIN.utc_us + left_s * 1e6 for _, m in results if m.subject == "p-9")
    assert any(m.metric == "stride_time" for _, m in results if m.subject == "p-9")
    if left_s < READY_S:
        assert [(m.metric, m.devices) for m in gaps] == [("stream_gap", ("left",)), ("stream_gap", ("right",))]
        assert {m.metric for m in former} == {"stream_gap"}
    else:
        expected = [m for m in lived(walk, {left_s: NEW_PATIENT})[0] if m.subject == "p-1"]
        assert alike(former) == alike(expected)


def test_who_comes_with_kernels_that_are_not_ready_disturbs_nobody(walk: list[Numbered]) -> None:
    """Their bed is in force at once; their movement is analysed from its first sample, when it can be."""
    come: Ward = (*NEW_PATIENT[:1], dressed(STRAP, "p-2", "bed-2-a"))
    expected, _ = lived(walk, {4.0: NOBODY, 6.0: come})
    results, pipeline = cold(walk, {6.0: {"feet"}, READY_S: ()}, {4.0: NOBODY, 6.0: come})
    assert alike(without_steps(results)) == alike(expected)
    assert [bed.slot.subject for bed in pipeline.ward] == ["p-9", "p-2"]
    hearts = [(number, m) for number, m in cold(walk, {})[0] if m.slot == "bed-2"]
    assert [(number, m) for number, m in results if m.slot == "bed-2"] == hearts


def test_a_recording_of_a_cold_start_replays_bit_for_bit(walk: list[Numbered], tmp_path: Path) -> None:
    path = tmp_path / "cold.rgrec"
    results, _ = cold(walk, {0.0: set(PARTS), 5.0: {"feet"}, READY_S: ()}, {READY_S + 0.1: NEW_PATIENT}, record=path)
    assert [m for step in Replay(path).steps() for m in step] == without_steps(results)
