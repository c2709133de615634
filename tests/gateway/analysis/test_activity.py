"""Posture, activity and falls on a ward: from the best place, alike live and in a replay, for the right person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from config.settings import Slot
from dsp.posture.measured import CODES
from gateway.recordings.replay import Replay
from gateway.status.reviews import REVIEWED
from tests.dsp.falling import Floats, Motion, fall, sensed, steps
from tests.gateway.analysis.test_motions import RATE_HZ, dot, lived, of, second, sent, ward

SEATED = np.array([0.0, -1.45, 0.0])
BED = Slot(id="bed-3", subject="p-5", device=[dot(1, "left_thigh"), dot(2, "right_thigh"), dot(3, "lower_back")])


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
    live = lived(ward(BED), frames, 45.0, record=tmp_path / "a.rgrec")
    assert live == [m for step in Replay(tmp_path / "a.rgrec").steps() for m in step]
    postures = of(live, "posture")
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


def test_a_fall_is_for_review() -> None:
    back, _ = falling_back()
    slot = BED.model_copy(update={"device": [dot(3, "lower_back")]})
    rows = of(lived(ward(slot), sent(0, back), 45.0), "fall_event", "near_fall_event")
    assert [row.metric for row in rows] == ["fall_event"]
    assert "fall_event" in REVIEWED
    assert "near_fall_event" not in REVIEWED
