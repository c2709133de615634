"""Joint angles of all subjects: sensors become oriented segments, neighbouring segments become joints.

A gateway has one ``JointBank``, which runs the kernels, and one ``SubjectJoints`` a slot, which gives what each stride
showed. Both take part in the pipeline's step like ``sensor_bank.Bank`` and ``subject.Subject``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.gait.window import Foot
from dsp.joints.cycle import Stride
from dsp.joints.joints import ANGLE, JOINTS, JointAngles, JointName, SegmentName
from dsp.joints.strides import JointCurve, JointStrides
from dsp.orientation.orientation import GYR_MISSING, Orientation
from dsp.result import Result
from gateway.analysis.contacts import steps_by
from gateway.analysis.sensor_bank import Bank, Refuse
from gateway.analysis.ward_operators import DeviceResult
from gateway.intake.arrived import ArrivedBatch

CURVES_EVERY_S = 5.0  # some strides: a mean over twenty changes little with each


def pairs(placements: Mapping[str, int]) -> dict[tuple[Foot, JointName], tuple[int, int]]:
    """Return proximal and distal device number of each joint with a device on both segments, where steps are seen."""
    found: dict[tuple[Foot, JointName], tuple[int, int]] = {}
    for side in steps_by(placements):
        for joint, segments in JOINTS.items():
            ends = [placements.get(s if s == "lower_back" else f"{side}_{s}") for s in segments]
            if ends[0] is not None and ends[1] is not None:
                found[side, joint] = (ends[0], ends[1])
    return found


class JointBank:
    """All devices on segments that form joints, and their angles in the newest step.

    The axes of the devices are only where the search for the true mounting begins: upright from standing, the axis to
    the left from walking (``dsp.joints.joints``).

    Args:
        axes: How each device of the gateway is strapped on, by number (``Device.axes``); it may grow.
        refuse: As of ``gateway.analysis.sensor_bank.Bank``.
    """

    def __init__(self, axes: Mapping[int, str], refuse: Refuse | None = None) -> None:
        self._orientation = Orientation()
        self._joints = JointAngles()
        self._bank = Bank(self, self._attach, axes, refuse)
        self._pairs: dict[tuple[int, int], JointName] = {}
        self._segments: dict[int, SegmentName] = {}
        self._numbers: dict[tuple[int, int], int] = {}  # of the joints, by device numbers
        self._sensors: dict[int, int] = {}  # sensor → device number

    def put_on(self, placements: Mapping[str, int]) -> set[int]:
        """Take a slot's devices, by number at each placement; return those that take part: on segments of a joint."""
        segments: dict[int, SegmentName] = {}
        for (_, joint), pair in pairs(placements).items():
            self._pairs[pair] = joint
            segments |= dict(zip(pair, JOINTS[joint], strict=True))
        self._segments |= segments
        for number in segments:
            self._bank.feed(number)
        return set(segments)

    def remove_device(self, number: int) -> None:
        """Forget a device, and the joints it is part of."""
        self._bank.detach(number)
        self._segments.pop(number, None)
        self._pairs = {pair: joint for pair, joint in self._pairs.items() if number not in pair}

    def add(self, arrived: ArrivedBatch) -> None:
        """Queue what arrived of a stream with the channels of an inertial sensor; others than joints' are passed."""
        self._bank.add(arrived)

    def step(self) -> None:
        """Run the kernels over what was queued."""
        self._bank.step()

    def angles(self, pair: tuple[int, int]) -> NDArray[np.void]:
        """Return the newest step's rows of ``ANGLE`` of the joint between two devices."""
        rows = self._bank.events.get(pair[0])
        if rows is None or pair not in self._numbers:
            return np.zeros(0, ANGLE)
        chosen: NDArray[np.void] = rows[rows["joint"] == self._numbers[pair]]
        return chosen

    def doubt_s(self, pair: tuple[int, int]) -> float | None:
        """Return the uncertainty between the clocks of two devices; None until both have sent."""
        if any(number not in self._bank.attached for number in pair):
            return None
        return math.hypot(*(self._bank.attached[number].timeline.uncertainty_s for number in pair))

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor (for the bank)."""
        return self._orientation.doubt(sensor)

    def doubts(self) -> dict[int, str]:
        """Return what is wrong with the units of devices, by number."""
        return self._bank.doubts()

    def detach(self, sensor: int) -> None:
        """Forget a sensor (for the bank)."""
        number = self._sensors.pop(sensor)
        self._joints.detach(sensor)
        self._orientation.detach(sensor)
        self._numbers = {pair: joint for pair, joint in self._numbers.items() if number not in pair}

    def process(self, batch: Batch) -> NDArray[np.void]:
        """Return the angles that these samples complete (for the bank)."""
        oriented = self._orientation.process(batch)
        known = (oriented.flags & GYR_MISSING) == 0
        time_s = np.empty(len(batch.index))
        for k, sensor in enumerate(batch.sensor.tolist()):
            rows = slice(batch.start[k], batch.start[k + 1])
            time_s[rows] = self._bank.seconds(self._sensors[sensor], batch.index[rows].astype(float))
        return self._joints.process(batch, time_s, np.where(known[:, None], oriented.quaternion, np.nan))

    def _attach(self, number: int, rate_hz: float) -> int:
        sensor = self._orientation.attach(rate_hz)  # first: it is the one that may refuse
        assert self._joints.attach(self._segments[number], rate_hz) == sensor, "both give the lowest free number"
        self._sensors[sensor] = number
        sensors = {n: s for s, n in self._sensors.items()}
        for pair, joint in self._pairs.items():
            if number in pair and pair not in self._numbers and all(n in sensors for n in pair):
                self._numbers[pair] = self._joints.join(joint, sensors[pair[0]], sensors[pair[1]])
        return sensor


class SubjectJoints:
    """Joint angles of one slot, stride by stride, and their mean over the gait cycle.

    Args:
        bank: Where the angles come from.
        placements: Device number at each placement.
        exoskeleton: Take the wider plausibility limits of exoskeleton gait.
    """

    def __init__(self, bank: JointBank, placements: Mapping[str, int], *, exoskeleton: bool = False) -> None:
        self.joints = {
            (side, joint): (pair, JointStrides(joint, side, exoskeleton=exoskeleton))
            for (side, joint), pair in pairs(placements).items()
        }
        self._bank = bank
        self._changed = False
        self._drawn_at_s = -math.inf

    def step(self, walked: Iterable[Result]) -> list[DeviceResult]:
        """Take the angles of this step and what the walk gave in it; return what the strides showed."""
        strides = strides_of(walked)
        results: list[DeviceResult] = []
        for (side, _), (pair, joint) in self.joints.items():
            angles, doubt_s = self._bank.angles(pair), self._bank.doubt_s(pair)
            results += [(result, pair) for result in joint.process(angles, strides[side], doubt_s)]
        self._changed = self._changed or bool(results)
        return results

    def finish(self, walked: Iterable[Result]) -> list[DeviceResult]:
        """End of the run: strides that still wait for samples are not made up."""
        strides = strides_of(walked)
        results: list[DeviceResult] = []
        for (side, _), (pair, joint) in self.joints.items():
            results += [(r, pair) for r in joint.process(np.zeros(0, ANGLE), strides[side], self._bank.doubt_s(pair))]
        return results

    def curves(self, now_s: float) -> list[JointCurve]:
        """Return the mean curves of all joints if they have changed since they were drawn some strides ago."""
        if not self._changed or now_s - self._drawn_at_s < CURVES_EVERY_S:
            return []
        self._changed, self._drawn_at_s = False, now_s
        return [curve for _, joint in self.joints.values() if (curve := joint.curve) is not None]


def strides_of(results: Iterable[Result]) -> dict[Foot, list[Stride]]:
    """Return the valid strides among what a walk gave, with their final contacts where it gave them."""
    found: dict[Foot, list[Stride]] = {"left": [], "right": []}
    lifts: dict[tuple[str, float], float] = {}
    valid: list[tuple[Foot, float, float]] = []
    for result in results:
        if result.value is None or result.side not in ("left", "right"):
            continue
        if result.metric == "stride_time":
            valid.append((result.side, result.start_s, result.end_s))
        elif result.metric == "stance_time":
            lifts[result.side, result.start_s] = result.end_s
    for side, start_s, end_s in valid:
        found[side].append(Stride(start_s, end_s, lifts.get((side, start_s), math.nan)))
    return found
