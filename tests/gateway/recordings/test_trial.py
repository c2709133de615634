"""Other settings on a recording: the numbers are those that a run with these settings would have given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Device, Settings
from gateway.intake.frames import STEP_NS, Numbered
from gateway.model.measurement import Measurement
from gateway.model.ward import Ward, ward_of
from gateway.recordings.comparison import compare_runs, pair
from gateway.recordings.replay import Replay, wards_in
from gateway.recordings.trial import Trial, TrialError, stays, trial_of
from tests.gateway.analysis.test_pipeline import SESSIONS, SETTINGS, at
from tests.gateway.analysis.test_pipeline_ward import CHANGE_S, MOVED, NEW_PATIENT, NOBODY, lived, walking
from tests.gateway.samples import measurement

LEFT, RIGHT, STRAP = (device for slot in SETTINGS.slot for device in slot.device)
TURNED = {"axes": "-x -y z"}


@pytest.fixture(scope="module")
def walk() -> list[Numbered]:
    return walking()


def with_device(settings: Settings, device: Device) -> Settings:
    """Return settings in which a device is another by the same id."""
    slots = [
        slot.model_copy(update={"device": [device if one.id == device.id else one for one in slot.device]})
        for slot in settings.slot
    ]
    return settings.model_copy(update={"slot": slots})


def only(*devices: Device, slot: str = "bed-1", height_m: float | None = None) -> Settings:
    """Return settings that name a few devices alone."""
    bed = SETTINGS.slot[0].model_copy(update={"id": slot, "device": list(devices), "height_m": height_m})
    return SETTINGS.model_copy(update={"slot": [bed]})


def replayed(path: Path, trial: Trial | None) -> list[Measurement]:
    return [m for step in Replay(path, trial).steps() for m in step]


def tried(path: Path, settings: Settings) -> tuple[list[Measurement], list[str]]:
    trial, differences = trial_of(settings, list(wards_in(path, lambda _: None)))
    return replayed(path, trial), list(map(str, differences))


def test_what_is_tried_gives_what_a_run_with_it_would_have_given(walk: list[Numbered], tmp_path: Path) -> None:
    turned = LEFT.model_copy(update=TURNED)
    recorded, _ = lived(walk, {}, tmp_path / "run.rgrec")
    live, _ = lived(walk, {}, settings=with_device(SETTINGS, turned))
    found, differences = tried(tmp_path / "run.rgrec", only(turned))
    assert found == live
    assert found != recorded
    assert differences == ["bed-1 left: axes x y z -> -x -y z"]


def test_what_is_tried_holds_across_changes_of_the_ward(walk: list[Numbered], tmp_path: Path) -> None:
    changes = {6.0: NEW_PATIENT, 9.0: NOBODY, 11.02: MOVED, 15.0: NEW_PATIENT}
    lived(walk, changes, tmp_path / "run.rgrec")
    turned = with_device(SETTINGS, LEFT.model_copy(update=TURNED))
    trial = Trial({LEFT.id: LEFT.model_copy(update=TURNED)}, {})
    live, _ = lived(walk, {second: trial.put_into(ward) for second, ward in changes.items()}, settings=turned)
    assert tried(tmp_path / "run.rgrec", turned)[0] == live


def test_feet_that_were_confused_are_put_right(walk: list[Numbered], tmp_path: Path) -> None:
    right, _ = lived(walk, {})
    confused = with_device(SETTINGS, LEFT.model_copy(update={"placement": "right_foot"}))
    confused = with_device(confused, RIGHT.model_copy(update={"placement": "left_foot"}))
    lived(walk, {}, tmp_path / "run.rgrec", confused)
    found, differences = tried(tmp_path / "run.rgrec", SETTINGS)
    assert found == right
    assert differences == [
        "bed-1 left: placement right_foot -> left_foot",
        "bed-1 left: side right -> left",
        "bed-1 right: placement left_foot -> right_foot",
        "bed-1 right: side left -> right",
    ]


def test_a_device_whose_options_were_changed_in_the_run_keeps_its_bytes(walk: list[Numbered], tmp_path: Path) -> None:
    """It became another one by number then; with the tried options throughout it is one and the same."""
    wrong = LEFT.model_copy(update={"options": {"mode": "quat"}})
    in_force = at(CHANGE_S) + STEP_NS
    as_found = [
        (3, frame) if number == 0 and frame.arrival_ns >= in_force else (number, frame) for number, frame in walk
    ]
    put_right: Ward = ward_of(SETTINGS, SESSIONS)
    recorded, pipeline = lived(
        as_found, {CHANGE_S: put_right}, tmp_path / "run.rgrec", settings=with_device(SETTINGS, wrong)
    )
    assert len(pipeline.intakes) == 4
    assert replayed(tmp_path / "run.rgrec", None) == recorded
    assert tried(tmp_path / "run.rgrec", SETTINGS)[0] == lived(walk, {})[0]


def test_nothing_tried_is_the_run_as_it_was(walk: list[Numbered], tmp_path: Path) -> None:
    live, _ = lived(walk, {CHANGE_S: NEW_PATIENT}, tmp_path / "run.rgrec")
    found, differences = tried(tmp_path / "run.rgrec", SETTINGS)
    assert (found, differences) == (live, [])
    assert all(row.is_same for row in compare_runs(live, found))


def test_what_is_tried_keeps_the_marks_of_a_test_and_that_it_is_not_whole() -> None:
    (bed, *others) = ward_of(SETTINGS, SESSIONS, {SETTINGS.slot[0].id: ["start"]})
    trial, _ = trial_of(only(LEFT.model_copy(update=TURNED)), [(bed, *others)])
    tried = trial.put_into((bed, *others))[0]
    assert tried.slot != bed.slot
    assert (tried.interrupted, tried.marks) == (True, ("start",))


def test_a_height_is_taken_by_person() -> None:
    ward = ward_of(SETTINGS, SESSIONS)
    _, differences = trial_of(only(height_m=1.8), [ward])
    assert list(map(str, differences)) == ["p-1: height_m none -> 1.8"]


def test_a_device_that_was_never_there_is_one_sentence() -> None:
    wards = [ward_of(SETTINGS, SESSIONS)]
    other = LEFT.model_copy(update={"id": "insole-9"})
    with pytest.raises(TrialError, match=r"^the recording has no device insole-9; it has left, right, strap$"):
        trial_of(only(other), wards)


def test_two_on_one_place_are_one_sentence() -> None:
    other = LEFT.model_copy(update={"placement": "right_foot"})
    with pytest.raises(TrialError, match=r"^in bed-1 both left, right would be worn on right_foot"):
        trial_of(only(other), [ward_of(SETTINGS, SESSIONS)])


def test_a_device_stays_with_who_wore_it() -> None:
    wards = [ward_of(SETTINGS, SESSIONS)]
    assert list(stays(only(STRAP), wards)) == ["strap stays in bed-2: who wore what is the recording's"]
    assert list(stays(SETTINGS, wards)) == []


def test_differences_are_of_the_same_events() -> None:
    recorded = [measurement(i, value=100.0) for i in range(6)]
    later = [replace(m, end_us=m.end_us + 40_000, value=101.0 + i) for i, m in enumerate(recorded[1:])]
    (row,) = compare_runs(recorded, [*later, measurement(9, value=1.0)])
    assert (row.both, row.same, row.only_recorded, row.only_tried) == (5, 0, 1, 1)
    assert (row.mean, row.median, row.largest) == (3.0, 3.0, 5.0)


def test_of_an_event_the_time_differs() -> None:
    recorded = [measurement(i, event=True, value=1.0) for i in range(4)]
    (row,) = compare_runs(recorded, [replace(m, end_us=m.end_us - 20_000) for m in recorded])
    assert (row.both, row.unit, row.mean, row.largest) == (4, "s", -0.02, -0.02)


def test_what_has_no_value_is_counted_and_not_averaged() -> None:
    recorded = [measurement(0, value=None), measurement(1, value=2.0)]
    (row,) = compare_runs(recorded, [measurement(0, value=5.0), measurement(1, value=2.0)])
    assert (row.both, row.same, row.mean) == (2, 1, 0.0)


def test_nobody_is_compared_with_somebody_else() -> None:
    assert pair([measurement(0)], [replace(measurement(0), subject="another")]) == []


def test_each_algorithm_is_compared_with_itself() -> None:
    feet, back = measurement(0, value=100.0), replace(measurement(0, value=90.0), algorithm="lower-back/1")
    assert pair([feet, back], [back, feet]) == [(feet, feet), (back, back)]
