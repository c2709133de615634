"""Posture, activity and falls on a ward: from the best place, alike live and in a replay, for the right person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Device, Slot
from dsp.posture.measured import CODES
from dsp.posture.person import ALGORITHM, SILENT
from dsp.posture.posture import NO_CHAIR
from gateway.intake.frames import Numbered
from gateway.model.measurement import Measurement
from gateway.recordings.replay import Replay
from gateway.status.reviews import REVIEWED
from simulators.clinic.patient import patient
from simulators.clinic.perform import Performance, perform
from simulators.clinic.transfers import LyingDown, Rising, SittingDown, Staying
from simulators.clinic.walks import Walking
from tests.dsp.falling import Floats, Motion, fall, sensed, steps
from tests.gateway.analysis.test_motions import RATE_HZ, dot, lived, of, second, sent, ward

SEATED = np.array([0.0, -1.45, 0.0])
BED = Slot(id="bed-3", subject="p-5", device=[dot(1, "left_thigh"), dot(2, "right_thigh")])
FALLS = Slot(id="bed-4", subject="p-6", device=[dot(3, "lower_back")])
BOTH = Slot(id="bed-5", subject="p-7", device=[dot(1, "left_thigh"), dot(2, "lower_back"), dot(3, "right_thigh")])


def thigh() -> Floats:
    """Return the force on a thigh that sits, walks and sits, x forward, z up."""
    rng, motion = np.random.default_rng(1), Motion(RATE_HZ)
    motion.rest(8, SEATED)
    motion.turn(1.2, np.zeros(3), -0.3)
    steps(motion, 10, rng)
    motion.turn(1.2, SEATED, 0.3)
    motion.rest(10)
    return sensed(motion, "thigh", rng, strapped=np.eye(3))[0]


def falling_back() -> tuple[Floats, float]:
    """Return the force on the lower back of somebody who falls, and when the floor stops them."""
    rng = np.random.default_rng(4)
    motion, (_, end) = fall("forward", "lower_back", RATE_HZ, rng)
    return sensed(motion, "lower_back", rng, strapped=np.eye(3))[0], end / RATE_HZ


def test_live_and_replay_tell_posture_and_falls_alike(tmp_path: Path) -> None:
    back, end_s = falling_back()
    legs = thigh()
    frames = sorted(
        [*sent(0, legs), *sent(1, legs, seed=1), *sent(2, back, lost=range(60, 70))], key=lambda n: n[1].arrival_ns
    )
    live = lived(ward(BED, FALLS), frames, 45.0, record=tmp_path / "a.rgrec")
    assert live == [m for step in Replay(tmp_path / "a.rgrec").steps() for m in step]
    postures = [m for m in of(live, "posture") if m.slot == BED.id]
    assert {(m.devices, m.side) for m in postures} == {(("dot-1",), "none")}, "one place only"
    names = [m.value for m in postures if m.quality != "invalid"]
    assert [n for n, before in zip(names, [None, *names], strict=False) if n != before][-2:] in (
        [CODES["walking"], CODES["sitting"]], [CODES["standing"], CODES["sitting"]],
    )  # fmt: skip
    assert sum(m.value or 0 for m in of(live, "upright_time")) * 3600 > 9
    (fallen,) = of(live, "fall_event")
    assert fallen.devices == ("dot-3",)
    assert fallen.value is not None
    assert fallen.value > 0.8
    assert end_s - 2.5 < second(fallen.end_us) < end_s


@pytest.mark.parametrize("placement", ["left_thigh", "left_wrist"])
def test_a_strap_that_measures_no_motion_takes_no_fall_from_who_wears_it(placement: Any) -> None:
    """The chest is the better place to see one from, and a heart rate strap sees none."""
    rng, part = np.random.default_rng(4), placement.partition("_")[2]
    motion, _ = fall("forward", part, RATE_HZ, rng)
    frames = sent(0, sensed(motion, part, rng, strapped=np.eye(3))[0])
    strap = Device(id="strap-1", driver="heart_rate", placement="chest", address="00:00:00:00:00:77")
    alone, beside = (
        lived(ward(Slot(id="bed-6", subject="p-8", device=[dot(1, placement), *others])), frames, 45.0)
        for others in ([], [strap])
    )
    assert [(m.metric, m.devices) for m in of(alone, "fall_event")] == [("fall_event", ("dot-1",))]
    assert beside == alone


def test_a_fall_is_for_review() -> None:
    back, _ = falling_back()
    rows = of(lived(ward(FALLS), sent(0, back), 45.0), "fall_event", "near_fall_event")
    assert [row.metric for row in rows] == ["fall_event"]
    assert "fall_event" in REVIEWED
    assert "near_fall_event" not in REVIEWED


def day() -> Performance:
    """Return somebody who walks, stands, sits, stands, sits and lies, with a sensor on the back and one on a thigh."""
    script = [
        Walking(distance_m=6), Staying(6), SittingDown(), Staying(15), Rising(), Staying(10), SittingDown(), Staying(4),
        LyingDown(), Staying(15),
    ]  # fmt: skip
    places = ["lower_back", "left_thigh"]
    return perform(
        script, patient(3, 0.2), rate_hz=RATE_HZ, placements=places, start="standing", mounting="exact", loss=0.0
    )


def frames_of(played: Performance, thigh_until_s: float = 1e9) -> list[Numbered]:
    thigh, back = played.signals["left_thigh"].acc, played.signals["lower_back"].acc
    kept = thigh[: int(min(thigh_until_s * RATE_HZ, len(thigh)))]
    return sorted([*sent(0, kept), *sent(1, back, seed=1)], key=lambda numbered: numbered[1].arrival_ns)


def in_the_end(rows: list[Measurement]) -> list[tuple[float, float | None]]:
    """Return when which posture began, seconds: what is told takes the place of what was told from then on."""
    kept: list[tuple[float, float | None]] = []
    for row in rows:
        kept = [before for before in kept if before[0] < second(row.start_us)]
        if not kept or kept[-1][1] != row.value:
            kept.append((second(row.start_us), row.value))
    return kept


def test_trunk_and_thigh_give_one_posture_of_the_person_live_and_in_a_replay(tmp_path: Path) -> None:
    played = day()
    live = lived(ward(BOTH), frames_of(played), played.truth.end_s + 1, record=tmp_path / "b.rgrec")
    assert live == [m for step in Replay(tmp_path / "b.rgrec").steps() for m in step]
    rows = of(live, "posture")
    assert {m.algorithm for m in rows} == {ALGORITHM}
    sure = [m for m in rows if second(m.start_us) > 12]
    assert {(m.quality, m.devices, m.placement) for m in sure} == {
        ("ok", ("dot-2", "dot-1"), ("lower_back", "left_thigh"))
    }
    told = in_the_end(rows)
    for start, end, posture in played.truth.postures:
        if end - start > 3:
            middle = [value for at_s, value in told if at_s < (start + end) / 2][-1]
            assert middle == CODES[posture], (start, end, posture)


def test_a_thigh_that_falls_silent_leaves_what_a_trunk_can_tell() -> None:
    played = day()
    rows = of(lived(ward(BOTH), frames_of(played, 25.0), played.truth.end_s + 1), "posture")
    sitting = [m for m in rows if second(m.start_us) < 24.5][-1]
    assert (sitting.value, sitting.quality) == (CODES["sitting"], "ok")
    after = [m for m in rows if second(m.start_us) >= 24.5]
    assert after
    assert {m.devices for m in after} == {("dot-2",)}
    assert all(NO_CHAIR in m.reason and SILENT["thigh"] in m.reason for m in after if m.value == CODES["standing"])
    assert CODES["sitting"] not in {m.value for m in after}
    assert after[-1].value == CODES["lying"]


def test_one_sensor_of_the_two_is_told_as_it_was_alone() -> None:
    played = day()
    slot = BOTH.model_copy(update={"device": [dot(2, "lower_back")]})
    back = played.signals["lower_back"].acc
    rows = of(lived(ward(slot), sent(0, back), played.truth.end_s + 1), "posture")
    assert {m.quality for m in rows if m.value == CODES["standing"]} == {"degraded"}
