"""A sensor in g: every number that rests on it is marked, no stride gets a length, and the neighbour's are right."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest

from dsp.units import IN_G
from gateway.analysis.pipeline import Pipeline
from gateway.intake.frames import STEP_NS, Numbered
from gateway.model.measurement import Measurement
from simulators.body.body import WalkingBody
from simulators.motion.source import Motion, MotionSource
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT
from tests.gateway.analysis.test_pipeline import ORIGIN, PROGRAMME, RATE_HZ, SESSIONS, SETTINGS, dot_frames

GRAVITY = 9.80665
SETTLED_US = ORIGIN.utc_us + 8_000_000  # the units are known, and the walk has begun


class InG(MotionSource):
    """A sensor that gives its acceleration in g."""

    def __init__(self, source: MotionSource) -> None:
        self.rate_hz = source.rate_hz
        self._source = source

    def read_until(self, until_s: float) -> Motion | None:
        """Return samples up to ``until_s``."""
        motion = self._source.read_until(until_s)
        return None if motion is None else replace(motion, acc=motion.acc / GRAVITY)


def test_what_rests_on_it_is_marked_and_nothing_else() -> None:
    body = WalkingBody(3, programme=PROGRAMME, repeat=False)
    left, right = (
        body.sensor(foot, rate_hz=RATE_HZ, imperfections=PERFECT, clock=Clock(1, offset_s=40.0))
        for foot in ("left_foot", "right_foot")
    )
    frames: list[Numbered] = sorted(
        [*dot_frames(0, InG(left)), *dot_frames(1, right)], key=lambda numbered: numbered[1].arrival_ns
    )
    pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
    results: list[Measurement] = []
    first = 0
    while first < len(frames):
        last = first
        while last < len(frames) and frames[last][1].arrival_ns < pipeline.end_ns + STEP_NS:
            last += 1
        results += pipeline.step(frames[first:last])
        first = last
    results += pipeline.finish()
    assert pipeline.doubts == {0: IN_G}
    later = [m for m in results if m.start_us > SETTLED_US]
    wrong = [m for m in later if "left" in m.devices]
    right_only = [m for m in later if m.devices == ("right",)]
    assert wrong
    assert all(m.quality != "ok" and IN_G in m.reason for m in wrong)
    assert not [m for m in wrong if m.metric in ("stride_length", "foot_clearance") and m.value is not None]
    lengths = [m.value for m in right_only if m.metric == "stride_length" and m.value is not None]
    assert median(lengths) == pytest.approx(1.25, abs=0.06)
    assert all(IN_G not in m.reason for m in right_only)
