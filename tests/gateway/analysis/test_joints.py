from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from drivers.packet import Packet, StreamSpec
from dsp.result import Result
from gateway.analysis.joints import CURVES_EVERY_S, JointBank, SubjectJoints, pairs, strides_of
from gateway.clocks.timeline import Timelines
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.streams import Stream
from simulators.body.body import Placement
from tests.dsp.bodies import SensorData, body, straight, wear
from tests.dsp.legs import true_angles

RATE_HZ = 100.0
SPEC = StreamSpec(
    "imu",
    ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"),
    ("m/s2", "m/s2", "m/s2", "rad/s", "rad/s", "rad/s"),
    rate_hz=RATE_HZ,
    tick_hz=1e6,
)
PLACEMENTS: dict[Placement, int] = {"left_thigh": 0, "left_shank": 1}
SLOT = {str(placement): number for placement, number in PLACEMENTS.items()}
AXES = dict.fromkeys(range(3), "x y z")
CHUNK = 10


class Arrivals:
    """Samples of worn sensors as the gateway's intake hands them on."""

    def __init__(self) -> None:
        self._timelines = Timelines(0)
        self._streams = {number: self._timelines.add(SPEC) for number in PLACEMENTS.values()}

    def arrived(self, number: int, sensed: SensorData, rows: slice) -> ArrivedBatch:
        ns = np.round(sensed.time_s[rows] * 1e9).astype(np.int64)
        samples = np.hstack([sensed.acc[rows], sensed.gyr[rows]])
        flags = np.zeros(len(ns), np.uint8)
        packet = Packet("imu", ns + 5_000_000, ns // 1000, samples, flags)
        placed = self._timelines.place_packets([self._streams[number]], [packet])
        streams = np.array([Stream(SPEC, self._streams[number], 1)], np.object_)
        return ArrivedBatch(
            "imu", np.array([number]), np.zeros(0, np.object_), streams, np.array([1]),
            placed.start, placed.index, samples, flags, placed.before, placed.missing, placed.reset,
        )  # fmt: skip


def test_pairs_are_neighbours_that_are_attached() -> None:
    everything = {"lower_back": 0, "left_thigh": 1, "left_shank": 2, "right_shank": 3, "right_foot": 4, "wrist": 5}
    assert pairs(everything) == {
        ("left", "hip"): (0, 1),
        ("left", "knee"): (1, 2),
        ("right", "ankle"): (3, 4),
    }


def test_a_hip_takes_its_strides_from_the_leg() -> None:
    assert pairs({"lower_back": 0, "left_thigh": 1}) == {}
    assert pairs({"lower_back": 0, "left_thigh": 1, "left_foot": 2}) == {("left", "hip"): (0, 1)}


def test_strides_come_with_their_final_contacts() -> None:
    walked = [
        Result("stride_time", 1.1, "left", 1.0, 2.1, 1, "walk/1"),
        Result("stance_time", 0.7, "left", 1.0, 1.7, 1, "walk/1"),
        Result("stride_time", None, "left", 2.1, 3.2, 0, "walk/1", quality="invalid"),
        Result("stride_time", 1.2, "right", 1.5, 2.7, 1, "walk/1"),
    ]
    found = strides_of(walked)
    assert [tuple(s) for s in found["left"]] == [(1.0, 2.1, 1.7)]
    assert len(found["right"]) == 1
    assert math.isnan(found["right"][0].lift_s)


def test_two_devices_of_a_slot_give_a_knee_stride_by_stride() -> None:
    walker = body(straight(100, 1.2, steps=30), seed=3)
    sensed = {number: wear(walker, placement) for placement, number in PLACEMENTS.items()}
    strides = [s for s in walker.truth().strides if s.foot == "left"]
    arrivals, bank = Arrivals(), JointBank(AXES)
    assert bank.put_on(SLOT) == {0, 1}
    subject = SubjectJoints(bank, SLOT)
    results, drawn = [], []
    for a in range(0, len(sensed[0].time_s), CHUNK):
        rows = slice(a, a + CHUNK)
        for number, samples in sensed.items():
            bank.add(arrivals.arrived(number, samples, rows))
        bank.step()
        newest = sensed[0].time_s[rows][-1]
        ended = [s for s in strides if newest - CHUNK / RATE_HZ < s.end_s <= newest]
        walked = [
            result
            for s in ended
            for result in (
                Result("stride_time", s.time_s, "left", s.start_s, s.end_s, 1, "walk/1"),
                Result("stance_time", s.stance_s, "left", s.start_s, s.toe_off_s, 1, "walk/1"),
            )
        ]
        results += subject.step(walked)
        if curves := subject.curves(newest):
            drawn.append((newest, curves))
    assert subject.finish([]) == []
    assert {devices for _, devices in results} == {(0, 1)}
    ranges = [r.value for r, _ in results if r.metric == "knee_rom"]
    peaks = [r.value for r, _ in results if r.metric == "knee_peak_swing"]
    assert len(ranges) == len(peaks) == len(strides)
    assert ranges[-3] == pytest.approx(54.0, abs=6.0)
    good = [r for r, _ in results if r.quality == "ok"]
    assert len(good) > len(results) / 2
    assert all(r.sync_s is not None and r.sync_s < 0.02 for r in good)
    assert min(b - a for (a, _), (b, _) in pairwise(drawn)) >= CURVES_EVERY_S
    (knee,) = drawn[-1][1]
    assert (knee.joint, knee.side, knee.reason) == ("knee", "left", "")
    kept = [s for s in strides if s.start_s >= knee.start_s - 1e-6][: knee.n]
    share = np.linspace(0.0, 1.0, 101)
    true = [true_angles(walker, "knee", s.start_s + share * s.time_s, upright=True) for s in kept]
    assert knee.mean_deg == pytest.approx(np.mean(true, axis=0), abs=5.0)
    assert knee.sd_deg == pytest.approx(np.std(true, axis=0, ddof=1), abs=3.0)


def test_a_device_that_is_part_of_no_joint_is_passed() -> None:
    bank = JointBank(AXES)
    assert bank.put_on({"left_shank": 1, "wrist": 0}) == set()
    sensed = wear(body(straight(100, 1.2, steps=4)), "left_shank")
    bank.add(Arrivals().arrived(1, sensed, slice(0, 50)))
    bank.step()
    assert len(bank.angles((0, 1))) == 0
    assert bank.doubt_s((0, 1)) is None
