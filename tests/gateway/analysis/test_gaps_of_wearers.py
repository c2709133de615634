"""What a sensor did not send is lost to who wore it then, and to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.packet import Frame
from gateway.intake.frames import Numbered
from gateway.intake.intakes import CONNECTED
from gateway.model.measurement import Measurement
from gateway.recordings.replay import Replay
from tests.gateway.analysis.test_pipeline import RATE_HZ, at
from tests.gateway.analysis.test_pipeline_ward import NEW_PATIENT, NOBODY, OTHER_FEET, lived, second, walking


@pytest.fixture(scope="module")
def walk() -> list[Numbered]:
    return walking()


def without(frames: Sequence[Numbered], device: int, begin_s: float, end_s: float) -> list[Numbered]:
    """Return frames without those of a device between two seconds."""
    return [
        (number, frame)
        for number, frame in frames
        if number != device or not at(begin_s) <= frame.arrival_ns < at(end_s)
    ]


def gaps(results: Sequence[Measurement]) -> list[tuple[str, float, float, int]]:
    """Return who has which gaps: pseudonym, begin, end, samples."""
    found = [m for m in results if m.metric == "stream_gap"]
    return [(m.subject, second(m.start_us), second(m.end_us), m.n) for m in found]


def test_what_a_sensor_of_nobody_did_not_send_is_not_lost(walk: list[Numbered], tmp_path: Path) -> None:
    """The gateway lets go of it, and connects to it again for whoever wears it next."""
    frames = without(without(walk, 0, 5.1, 12.5), 1, 5.1, 12.5)
    frames += [(number, Frame(at(12.4), CONNECTED, b"")) for number in (0, 1)]
    frames = without(sorted(frames, key=lambda numbered: numbered[1].arrival_ns), 0, 15.0, 16.0)
    path = tmp_path / "ward.rgrec"
    results, pipeline = lived(frames, {5.0: NOBODY, 11.0: NEW_PATIENT}, path)
    ((subject, start_s, end_s, n),) = gaps(results)
    assert subject == "p-9"
    assert (start_s, end_s) == pytest.approx((15.0, 16.0), abs=0.1)
    assert n == pytest.approx(RATE_HZ, abs=2)
    assert [intake.counts["imu"].lost for intake in pipeline.intakes[:2]] == [n, 0]
    contacts = [second(m.start_us) for m in results if m.metric == "initial_contact" and m.subject == "p-9"]
    assert min(contacts) >= 12.5 - 0.1
    assert [m for step in Replay(path).steps() for m in step] == results


def test_what_was_lost_across_a_change_is_the_next_wearer_s_from_then_on(walk: list[Numbered]) -> None:
    results, pipeline = lived(without(walk, 0, 11.0, 13.0), {12.0: NEW_PATIENT})
    ((subject, start_s, end_s, n),) = gaps(results)
    assert subject == "p-9"
    assert 12.0 <= start_s <= 12.051
    assert end_s == pytest.approx(13.0, abs=0.1)
    assert n == pytest.approx((end_s - start_s) * RATE_HZ, abs=1.0)
    assert pipeline.intakes[0].counts["imu"].lost == pytest.approx(2 * RATE_HZ, abs=2)


def test_who_goes_on_wearing_a_sensor_is_told_the_whole_gap(walk: list[Numbered]) -> None:
    results, _ = lived(without(walk, 0, 11.0, 13.0), {12.0: OTHER_FEET})
    ((subject, start_s, end_s, _),) = gaps(results)
    assert subject == "p-1"
    assert (start_s, end_s) == pytest.approx((11.0, 13.0), abs=0.1)
