"""Timed tests of transfers in sessions: from a sensor's notifications to their results, live and in a replay."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config.settings import Slot
from drivers.packet import Frame
from gateway.analysis.motion import INTERRUPTED
from gateway.intake.frames import Numbered
from gateway.model.ward import Bed, ward_of
from gateway.recordings.replay import Replay
from tests.dsp.chair_body import RATE_HZ as BODY_HZ
from tests.dsp.chair_body import ChairBody
from tests.gateway.analysis.test_motions import RATE_HZ, at, dot, lived, of, second, ward

TUG = Slot(id="bed-1", subject="p-1", protocol="tug distance_m=3", mass_kg=70.0, device=[dot(1, "chest")])


def notified(body: ChairBody, placement: str, number: int = 0, lost: range = range(0)) -> list[Numbered]:
    """Return the notifications of a DOT on a body, each up to one connection interval late."""
    signal, rng = body.sensed(placement), np.random.default_rng(0)
    times = np.arange(0, (len(signal.numbers) - 1) / BODY_HZ, 1 / RATE_HZ)
    acc, gyr = (
        np.column_stack([np.interp(times, signal.numbers / BODY_HZ, x[:, k]) for k in range(3)])
        for x in (signal.acc, np.degrees(signal.gyr))
    )
    out = []
    for i, (force, rate) in enumerate(zip(acc, gyr, strict=True)):
        if i not in lost:
            data = struct.pack("<I6f", round(i / RATE_HZ * 1e6), *force, *rate).ljust(40, b"\0")
            out.append((number, Frame(at(i / RATE_HZ + rng.uniform(0.005, 0.02)), "measurement", data)))
    return sorted(out, key=lambda numbered: numbered[1].arrival_ns)


def test_a_timed_up_and_go_is_there_with_its_phases_before_its_session_ends() -> None:
    body = ChairBody(seed=1).tug()
    results = lived(ward(TUG), notified(body, "chest"), body.at / BODY_HZ)
    (total,) = of(results, "tug_total")
    assert total.value == pytest.approx((body.truth[-1].end - body.truth[0].start) / BODY_HZ, abs=0.25)
    assert second(total.start_us) == pytest.approx(body.truth[0].start / BODY_HZ, abs=0.3)
    assert (total.subject, total.placement, total.quality, total.reason) == ("p-1", ("chest",), "ok", "")
    assert {m.metric for m in results} >= {
        "tug_turn_180",
        "sit_to_stand_time",
        "stand_to_sit_time",
        "sit_to_stand_power",
    }


def test_what_the_physio_marks_is_the_test() -> None:
    body = ChairBody(seed=2).tug()
    bed = ward_of(ward(TUG), {"bed-1": "bed-1-a"})[0]
    end_s = body.truth[-1].end / BODY_HZ + 0.5
    marks = {1.2: (replace(bed, marks=("start",)),), end_s: (replace(bed, marks=("start", "stop")),)}
    total = of(lived(ward(TUG), notified(body, "chest"), body.at / BODY_HZ, marks), "tug_total")[-1]
    assert total.value == pytest.approx(end_s - 1.2, abs=0.1)


def test_a_test_in_which_the_gateway_begins_anew_is_not_whole_and_its_marks_are_made_once(tmp_path: Path) -> None:
    """What was marked before is over: a change at any bed would else have the test begin with it, there and then."""
    body = ChairBody(seed=2).tug()
    frames, lasts_s = notified(body, "chest"), body.at / BODY_HZ
    bed = Bed(TUG, "bed-1-a", True, ("start", "lap"))
    neighbour = Bed(Slot(id="bed-2", subject="p-2", device=[dot(2, "chest")]), "bed-2-b")
    changes = {lasts_s / 2: (bed, neighbour)}
    again = lived(ward(TUG), frames, lasts_s, changes, tmp_path / "a.rgrec", going_on={"bed-1": ["start", "lap"]})
    (total,) = of(again, "tug_total")
    assert (total.quality, total.reason) == ("degraded", INTERRUPTED)
    (whole,) = of(lived(ward(TUG), frames, lasts_s), "tug_total")
    assert (total.value, total.start_us) == (whole.value, whole.start_us), "no mark of before was made in it"
    assert again == [m for step in Replay(tmp_path / "a.rgrec").steps() for m in step]


@pytest.mark.parametrize(
    ("protocol", "metric", "quality"),
    [("5xsts hands=no", "sts5_time", "ok"), ("30scst", "sts30_reps", "degraded")],  # it ends before the bell
)
def test_chair_stands_are_told_with_the_end_of_the_session(protocol: str, metric: str, quality: str) -> None:
    body = ChairBody(seed=3).chair_stands(5)
    slot = TUG.model_copy(update={"protocol": protocol, "device": [dot(1, "left_thigh")]})
    (result,) = of(lived(ward(slot), notified(body, "thigh"), body.at / BODY_HZ), metric)
    assert (result.n, result.side, result.quality) == (5, "left", quality)


def test_live_and_replay_give_the_same(tmp_path: Path) -> None:
    body = ChairBody(seed=4).tug()
    new = (Bed(TUG.model_copy(update={"subject": "p-2"}), "bed-1-b"),)
    frames = notified(body, "chest", lost=range(300, 340))
    live = lived(ward(TUG), frames, body.at / BODY_HZ, {body.at / BODY_HZ - 0.5: new}, tmp_path / "a.rgrec")
    assert live == [m for step in Replay(tmp_path / "a.rgrec").steps() for m in step]
    (whole,) = [m for m in of(live, "tug_total") if m.subject == "p-1"]
    assert whole.quality == "degraded"
    assert "lost" in whole.reason
