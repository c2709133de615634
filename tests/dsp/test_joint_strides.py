from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.joints.cycle import Stride
from dsp.joints.joints import ANGLE, JointName
from dsp.joints.segment_layout import FUNCTIONAL, HEADING, STATIC
from dsp.joints.strides import JointStrides
from dsp.result import Result
from tests.dsp.bodies import body, straight
from tests.dsp.legs import angles, leg, true_angles

SURE = STATIC | FUNCTIONAL | HEADING
WALKER = body(straight(100, 1.2, steps=30), seed=6)
FOUND = angles(leg(WALKER, None))
STRIDES = [Stride(s.start_s, s.end_s, s.toe_off_s) for s in WALKER.truth().strides if s.foot == "left"]


def rows(seconds: float, value: float = 20.0, bits: int = SURE) -> NDArray[np.void]:
    found = np.zeros(int(seconds * 100), ANGLE)
    found["time_s"] = np.arange(len(found)) / 100.0
    found["angle_deg"] = value + 10.0 * np.sin(2 * np.pi * found["time_s"])
    found["bits"] = bits
    return found


def values(results: list[Result], metric: str) -> list[float]:
    return [r.value for r in results if r.metric == metric and r.value is not None and r.quality == "ok"]


@pytest.mark.parametrize(("joint", "least"), [("hip", 25.0), ("knee", 45.0), ("ankle", 20.0)])
def test_each_stride_shows_what_the_joint_did(joint: JointName, least: float) -> None:
    found = JointStrides(joint, "left")
    results = found.process(FOUND[joint], STRIDES, 0.001)
    time_s = np.arange(0.0, STRIDES[-1].end_s + 1.0, 0.01)
    truth = true_angles(WALKER, joint, time_s)
    true = [np.ptp(truth[(time_s >= s.start_s) & (time_s <= s.end_s)]) for s in STRIDES]
    spans = values(results, f"{joint}_rom")
    assert len(spans) >= len(STRIDES) - 5, "strides before it was calibrated are degraded"
    np.testing.assert_allclose(spans, true[-len(spans) :], atol=3.0)
    assert min(spans[:-1]) > least
    curve = found.curve
    assert curve is not None
    assert curve.mean_deg.shape == (101,)
    assert curve.sd_deg.max() < 15.0
    assert np.ptp(curve.mean_deg) == pytest.approx(np.mean(spans), abs=4.0)
    assert (curve.n, curve.end_s, curve.reason) == (min(20, len(spans)), STRIDES[-1].end_s, "")


def test_the_knee_bends_most_in_swing() -> None:
    results = JointStrides("knee", "left").process(FOUND["knee"], STRIDES, 0.001)
    peaks, contacts = values(results, "knee_peak_swing"), values(results, "knee_flexion_angle")
    assert len(peaks) == len(contacts) > 5
    assert min(peaks[:-1]) > 40.0
    assert max(contacts) < 25.0
    assert all(r.side == "left" and r.algorithm == "joint-angles/1" for r in results)


def test_doubts_are_reported() -> None:
    strides = [Stride(1.0, 2.0), Stride(2.0, 3.0)]
    doubts = {
        "clocks of the sensors not compared": JointStrides("hip", "right").process(rows(4), strides, None),
        "clocks of the sensors uncertain by 30 ms": JointStrides("hip", "right").process(rows(4), strides, 0.03),
        "no standing pose before walking": JointStrides("hip", "right").process(rows(4, bits=FUNCTIONAL), strides, 0.0),
    }
    for reason, results in doubts.items():
        assert {(r.quality, r.reason) for r in results} == {("degraded", reason)}
        assert len(results) == 4
    both = np.concatenate([rows(1.5, bits=STATIC), rows(4)[150:]])
    results = JointStrides("hip", "right").process(both, strides, 0.0)
    assert {(r.end_s, r.reason) for r in results} == {(2.0, "calibrated within this stride"), (3.0, "")}


def test_the_curve_is_of_doubtful_strides_only_until_there_are_others() -> None:
    found = JointStrides("hip", "left")
    assert found.curve is None
    early, late = rows(3, value=5.0, bits=FUNCTIONAL), rows(9)[300:]
    found.process(early, [Stride(1.0, 2.0)], 0.0)
    curve = found.curve
    assert curve is not None
    assert (curve.n, curve.reason) == (1, "no standing pose before walking")
    assert curve.mean_deg.mean() == pytest.approx(5.0, abs=0.2)
    assert np.isnan(curve.sd_deg).all()
    found.process(late, [Stride(2.5, 3.5), *(Stride(4.0 + k, 5.0 + k) for k in range(3))], 0.0)
    found.process(rows(12, value=90.0, bits=FUNCTIONAL)[900:], [Stride(9.5, 10.5)], 0.0)
    curve = found.curve
    assert curve is not None
    assert (curve.n, curve.start_s, curve.end_s, curve.reason) == (3, 4.0, 7.0, "")
    assert curve.mean_deg.mean() == pytest.approx(20.0, abs=0.2)
    assert curve.sd_deg.max() < 0.1


def test_lost_samples_are_no_range() -> None:
    found = JointStrides("ankle", "right").process(np.delete(rows(4), slice(150, 180)), [Stride(1.0, 2.0)], 0.0)
    assert [(r.metric, r.value, r.quality, r.reason, r.n_rejected) for r in found] == [
        ("ankle_rom", None, "invalid", "samples lost", 1)
    ]


def test_what_no_joint_can_do_is_rejected() -> None:
    found = JointStrides("knee", "right").process(rows(4, value=160.0), [Stride(1.0, 2.0)], 0.0)
    assert [(r.metric, r.quality) for r in found] == [("knee_flexion_angle", "invalid"), ("knee_rom", "ok")]
