"""What follows from the results of one person: theirs alone, also in the minute after a session, and in a replay."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from dsp.result import Result
from gateway.analysis.optical import MOVED, UNKNOWN, OpticalDoubt
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed, Ward, encode_ward
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
CLIP = Device(id="clip", driver="pulse_oximeter", placement="finger", address="00:00:00:00:00:01")
STRAP = Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:02")
BAND = Device(id="band", driver="heart_rate", placement="wrist", address="00:00:00:00:00:03")
TEST = Slot(id="bed-1", subject="p-1", protocol="6mwt course_m=30", device=[CLIP, STRAP])
STAY = TEST.model_copy(update={"protocol": "free_walk"})
AFTER = {"hr_recovery_60", "spo2_nadir", "desaturation", "spo2_recovery_60"}
END_S = 120.0


def at(second: float) -> int:
    return ORIGIN.monotonic_ns + round(second * NS)


def rates(number: int, rate: Callable[[int], float], seconds: int) -> list[Numbered]:
    return [(number, Frame(at(s + 0.3), "measurement", bytes((0x06, round(rate(s)))))) for s in range(seconds)]


def saturations(number: int, level: Callable[[int], float], seconds: int) -> list[Numbered]:
    """Return what an oximeter sends each second: 10 times the saturation with an exponent of -1, and a pulse of 72."""
    return [
        (number, Frame(at(s + 0.4), "measurement", struct.pack("<BHH", 0, 0xF000 | round(level(s) * 10), 72)))
        for s in range(seconds)
    ]


def heart(second: int) -> float:
    return 80.0 + min(60, second) if second <= END_S else max(80.0, 140.0 - (second - END_S) / 2)


def breath(second: int) -> float:
    return 97.0 if second < 30 else 91.0 if second < END_S else 88.0 if second < END_S + 25 else 95.0


def sent() -> list[Numbered]:
    return sorted(saturations(0, breath, 230) + rates(1, heart, 230), key=lambda numbered: numbered[1].arrival_ns)


def lived(
    slot: Slot, frames: list[Numbered], changes: Mapping[float, Ward], *, seconds: float = 230.0,
    record: Path | None = None,
) -> list[tuple[float, Measurement]]:  # fmt: skip
    """Return what a pipeline measures, with when it was said."""
    config = Settings(simulated=True, slot=[slot])
    pipeline = Pipeline(config, ORIGIN, {"bed-1": "bed-1-a"})
    steps: dict[int, list[Any]] = {}
    for numbered in [*frames, *(ward_frame(at(s), encode_ward(ward)) for s, ward in changes.items())]:
        steps.setdefault((numbered[1].arrival_ns - ORIGIN.monotonic_ns) // STEP_NS, []).append(numbered)
    writer = record and RecordingWriter(
        record, Header(config.model_dump(mode="json"), {"bed-1": "bed-1-a"}, ORIGIN.monotonic_ns, ORIGIN.utc_us, "0")
    )
    out: list[tuple[float, Measurement]] = []
    for number in range(round(seconds * 20)):
        step = sorted(steps.get(number, []), key=lambda numbered: numbered[1].arrival_ns)
        if writer:
            writer.step(ORIGIN.monotonic_ns + (number + 1) * STEP_NS, step)
        out += [((number + 1) / 20, m) for m in pipeline.step(step)]
    out += [(seconds, m) for m in pipeline.finish()]
    if writer:
        writer.close()
    return out


def exertion(found: list[tuple[float, Measurement]]) -> dict[str, tuple[float, Measurement]]:
    named = [(s, m) for s, m in found if m.metric in {*AFTER, "hr_peak"}]
    assert len({m.metric for _, m in named}) == len(named), "each once"
    return {m.metric: (s, m) for s, m in named}


def test_a_test_is_told_at_its_end_and_its_recovery_a_minute_later_under_its_own_session() -> None:
    found = exertion(lived(TEST, sent(), {END_S: (Bed(STAY, "bed-1-b"),)}))
    assert {metric: (round(m.value or 0), m.quality) for metric, (_, m) in found.items()} == {
        "hr_peak": (140, "ok"), "hr_recovery_60": (30, "ok"), "spo2_nadir": (88, "ok"), "desaturation": (9, "ok"),
        "spo2_recovery_60": (7, "ok"),
    }  # fmt: skip
    assert {(m.session, m.subject, m.devices) for _, m in found.values()} == {("bed-1-a", "p-1", ("clip", "strap"))}
    assert found["hr_peak"][0] <= END_S + 1.0
    assert {END_S + 60.0 < found[metric][0] <= END_S + 75.0 for metric in AFTER} == {True}


def test_nothing_of_the_next_patient_is_looked_at_for_the_one_before() -> None:
    next_one = STAY.model_copy(update={"subject": "p-2"})
    found = exertion(lived(TEST, sent(), {END_S: (Bed(next_one, "bed-1-b"),)}))
    assert {m.subject for _, m in found.values()} == {"p-1"}
    assert all(s <= END_S + 1.0 for s, _ in found.values())
    assert found["hr_recovery_60"][1].value is None
    assert found["spo2_nadir"][1].value == 91.0


def test_marks_end_a_test_within_its_session() -> None:
    first = Bed(TEST, "bed-1-a")
    changes = {10.0: (replace(first, marks=("start",)),), END_S: (replace(first, marks=("start", "stop")),)}
    found = exertion(lived(TEST, sent(), changes))
    assert found["hr_peak"][0] <= END_S + 1.5
    assert (found["hr_peak"][1].start_us - ORIGIN.utc_us) / 1e6 == pytest.approx(10.0, abs=0.1)
    assert {round(found[metric][1].value or 0) for metric in AFTER} == {30, 88, 9, 7}


def test_a_device_that_is_put_on_in_a_test_makes_it_two_and_the_second_says_so() -> None:
    more = TEST.model_copy(update={"device": [CLIP, STRAP, BAND]})
    found = [m for _, m in lived(TEST, sent(), {60.0: (Bed(more, "bed-1-a"),)}) if m.metric == "hr_peak"]
    assert [m.quality for m in found] == ["ok", "degraded"]
    assert "devices changed" in found[1].reason


def test_a_strap_is_believed_before_a_wrist() -> None:
    slot = TEST.model_copy(update={"device": [STRAP, BAND]})
    frames = sorted(rates(0, heart, 200) + rates(1, lambda _: 190.0, 200), key=lambda numbered: numbered[1].arrival_ns)
    _, peak = exertion(lived(slot, frames, {END_S: (Bed(STAY, "bed-1-b"),)}, seconds=200.0))["hr_peak"]
    assert (peak.value, peak.devices) == (140.0, ("strap",))


def test_a_ceiling_is_the_person_s_and_the_session_s_goes_before_it() -> None:
    person = STAY.model_copy(update={"heart_ceiling": 130.0})
    session = person.model_copy(update={"protocol": "free_walk ceiling=150"})
    for slot, events in ((STAY, 0), (person, 1), (session, 0)):
        found = [m for _, m in lived(slot, sent(), {}) if m.metric == "ceiling_exceeded"]
        assert len(found) == events
    time = [m for _, m in lived(person, sent(), {}) if m.metric == "time_above_ceiling"][-1]
    assert time.value == pytest.approx(90.0, abs=3.0)  # from 51 s up to 141 s


def test_a_session_of_rest_gives_the_resting_rate() -> None:
    rest = TEST.model_copy(update={"protocol": "rest", "device": [STRAP]})
    found = [m for _, m in lived(rest, rates(0, lambda _: 64.0, 400), {}, seconds=400.0) if m.metric == "hr_rest"]
    assert [(m.value, m.quality) for m in found] == [(64.0, "ok")]


def test_live_and_replay_give_the_same(tmp_path: Path) -> None:
    changes = {
        40.0: (Bed(TEST, "bed-1-a", marks=("start",)),),
        END_S: (Bed(STAY.model_copy(update={"heart_ceiling": 100.0}), "bed-1-b"),),
    }
    live = [m for _, m in lived(TEST, sent(), changes, record=tmp_path / "a.rgrec")]
    assert [m for step in Replay(tmp_path / "a.rgrec").steps() for m in step] == live
    assert {"hr_recovery_60", "ceiling_exceeded"} <= {m.metric for m in live}


# --- variability by light ---


def hrv(end_s: float) -> Result:
    return Result("hrv_rmssd", 40.0, "none", end_s - 60.0, end_s, 60, "hrv/2")


def step_at(at_s: float) -> Result:
    return Result("initial_contact", 1.0, "left", at_s, at_s, 1, "foot/1")


FOOT = Device(id="foot", driver="movella_dot", placement="left_foot", address="00:00:00:00:00:04")


@pytest.mark.parametrize(
    ("device", "beside", "walked_s", "reason"),
    [
        (STRAP, FOOT, 90.0, ""), (STRAP, CLIP, 90.0, ""), (BAND, FOOT, 90.0, MOVED), (BAND, FOOT, 30.0, ""),
        (BAND, CLIP, 90.0, MOVED), (BAND, CLIP, None, UNKNOWN),
    ],
)  # fmt: skip
def test_variability_by_light_is_marked_where_the_body_moved_or_nobody_can_tell(
    device: Device, beside: Device, walked_s: float | None, reason: str
) -> None:
    doubt = OpticalDoubt({0: device, 1: beside})
    if walked_s is not None:
        doubt.mark([(step_at(walked_s), (1,))])
    ((result, numbers),) = doubt.mark([(hrv(100.0), (0,))])
    assert numbers == (0,)
    assert (result.value, result.reason, result.quality) == (40.0, reason, "degraded" if reason else "ok")
