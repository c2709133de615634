"""Sagittal joint angles from the orientations of two segments: hip, knee and ankle.

Methods: static calibration from a standing pose (its angles are the neutral ones), functional calibration from the
axis that walking turns about, headings compared by the common axis (Seel, Raisch & Schauer 2014; Laidig et al. 2017),
flexion as in Grood & Suntay 1983. Flexion and dorsiflexion are positive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import require_shape
from dsp.batch import Batch
from dsp.joints.kernel import follow_joints
from dsp.joints.segment_kernel import follow_segments
from dsp.joints.segment_layout import (
    ANGLE,
    FOOT,
    FUNCTIONAL,
    HEADING,
    HISTORY,
    JOINT,
    PELVIS,
    SEGMENT,
    SEGMENT_PARAMS,
    SHANK,
    STATIC,
    THIGH,
)
from dsp.mounting.alignment import ALIGNMENT
from dsp.roster import Roster, more_rows

__all__ = ["ALGORITHM", "ANGLE", "JOINTS", "Calibration", "JointAngles", "JointParams", "calibration"]

ALGORITHM: Final = "joint-angles/1"

JointName = Literal["hip", "knee", "ankle"]
SegmentName = Literal["lower_back", "thigh", "shank", "foot"]

JOINTS: Final[Mapping[JointName, tuple[SegmentName, SegmentName]]] = {
    "hip": ("lower_back", "thigh"),
    "knee": ("thigh", "shank"),
    "ankle": ("shank", "foot"),
}
"""Proximal and distal segment of each joint."""

_KINDS: Final[Mapping[SegmentName, int]] = {"lower_back": PELVIS, "thigh": THIGH, "shank": SHANK, "foot": FOOT}
_SIGNS: Final[Mapping[JointName, float]] = {"hip": -1.0, "knee": 1.0, "ankle": -1.0}  # knees bend backward
_SLICE: Final = HISTORY // 2  # samples of a sensor at a time: the other segment's must not be overtaken


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the angles of a joint rest on.

    Attributes:
        kind: ``nominal`` as the devices are configured, ``static`` from a standing pose, ``functional`` from the axis
            of walking, or ``static+functional``.
        sure: Whether the angles may be taken as they are.
        reason: Why not; empty if sure.
    """

    kind: Literal["nominal", "static", "functional", "static+functional"]
    sure: bool
    reason: str


def calibration(bits: int) -> Calibration:
    """Return what the ``bits`` of an angle say."""
    static, functional = bool(bits & STATIC), bool(bits & FUNCTIONAL)
    if not functional:
        return Calibration("static" if static else "nominal", False, "axis not known from walking yet")
    if not static:
        return Calibration("functional", False, "no standing pose before walking")
    agreed = bool(bits & HEADING)
    return Calibration("static+functional", agreed, "" if agreed else "axes of the segments disagree")


@dataclass(frozen=True, slots=True)
class JointParams:
    """Times in seconds, angles in degrees.

    Attributes:
        bridge_s: Longest time between two samples of the distal segment that is interpolated.
        still_s: Time without rotation that makes rest.
        pose_s: Time of rest that makes a neutral pose.
        gap_s: Lost time after which the heading of a sensor is not taken for the one before.
        neutral_deg: Angle of each joint in the standing pose; people who cannot straighten a knee stand with it bent.
    """

    bridge_s: float = 0.1
    still_s: float = 0.2
    pose_s: float = 0.8
    gap_s: float = 0.3
    neutral_deg: Mapping[JointName, float] = field(default_factory=lambda: {"hip": 0.0, "knee": 0.0, "ankle": 0.0})


class JointAngles:
    """Streaming joint angles of many subjects: two kernel calls a batch, one for segments, one for joints.

    Samples of both sensors of a joint are brought together by time, at the instants of the proximal one; what one has
    and the other lacks is left out, and after a gap the headings are compared anew. The same samples at the same times
    give the same angles, bit for bit, in any portions in which neither sensor runs ahead by ``HISTORY`` samples.
    """

    def __init__(self, params: JointParams | None = None) -> None:
        self._params = params or JointParams()
        self._roster = Roster(self._grow)
        self._rows = np.zeros(0, SEGMENT_PARAMS)
        self._state = np.zeros(0, SEGMENT)
        self._alignment = np.zeros(0, ALIGNMENT)
        self._times = np.zeros((0, HISTORY))
        self._matrices = np.zeros((0, HISTORY, 3, 3))
        self._marks = np.zeros((0, HISTORY, 2), np.int64)
        self._joints = np.zeros(0, JOINT)
        self._joined: list[int] = []

    def attach(self, segment: SegmentName, rate_hz: float) -> int:
        """Return the number of a new sensor on a segment."""
        if not 0.0 < rate_hz < math.inf:
            raise ValueError(f"rate_hz must be positive, got {rate_hz}")
        sensor = self._roster.attach()
        row, p = self._rows[sensor : sensor + 1], self._params
        row["dt"] = 1.0 / rate_hz
        row["kind"] = _KINDS[segment]
        row["still"] = max(2, round(p.still_s * rate_hz))
        row["pose"] = round(p.pose_s * rate_hz)
        row["gap"] = round(p.gap_s * rate_hz)
        self._state[sensor] = np.zeros((), SEGMENT)
        return sensor

    def join(self, joint: JointName, proximal: int, distal: int) -> int:
        """Return the number of a new joint between two sensors."""
        self._roster.check(proximal, distal)
        row = np.zeros(1, JOINT)
        row["proximal"], row["distal"], row["sign"] = proximal, distal, _SIGNS[joint]
        row["neutral"] = math.radians(self._params.neutral_deg.get(joint, 0.0))
        row["read"], row["behind"] = self._state["written"][[proximal, distal]]
        row["epochs"] = -1
        free = sorted(set(range(len(self._joints))) - set(self._joined))
        number = free[0] if free else len(self._joints)
        if not free:
            self._joints = np.concatenate([self._joints, np.zeros(1, JOINT)])
        self._joints[number] = row[0]
        self._joined = sorted([*self._joined, number])
        return number

    def detach(self, sensor: int) -> None:
        """Forget a sensor and the joints it belongs to; their numbers may be given to others."""
        self._roster.detach(sensor)
        self._joined = [j for j in self._joined if sensor not in self._joints[j][["proximal", "distal"]].item()]

    def process(self, batch: Batch, time_s: NDArray[np.float64], quaternion: NDArray[np.float64]) -> NDArray[np.void]:
        """Return the angles that these samples complete, rows of ``ANGLE``, by joint and then by time.

        Args:
            batch: New samples; only their angular velocity is looked at.
            time_s: (m,) their times on the gateway clock, seconds, rising for each sensor.
            quaternion: (m, 4) w, x, y, z: sensor to an earth frame with z up, of any and slowly drifting heading; NaN
                where unknown. Other sensors' earth frames need not be the same.
        """
        self._roster.check(*batch.sensor.tolist())
        require_shape("time_s", time_s, (len(batch.index),), np.float64)
        require_shape("quaternion", quaternion, (len(batch.index), 4), np.float64)
        counts = np.diff(batch.start)
        found = []
        for first in range(0, max(1, int(counts.max(initial=0))), _SLICE):
            part = np.clip(counts - first, 0, _SLICE)
            rows = np.concatenate(
                [np.arange(a, a + n) for a, n in zip(batch.start[:-1] + first, part, strict=True)] or [np.zeros(0)]
            ).astype(np.int64)
            start = np.concatenate([[0], np.cumsum(part)]).astype(np.int64)
            found.append(
                self._run(batch.sensor, start, batch.index[rows], time_s[rows], batch.gyr[rows], quaternion[rows])
            )
        angles = np.concatenate(found)
        return angles[np.argsort(angles["joint"], kind="stable")] if len(found) > 1 else angles

    def calibration(self, joint: int) -> Calibration:
        """Return what the newest angle of a joint rests on."""
        if joint not in self._joined:
            raise KeyError(f"joint {joint} is not joined")
        return calibration(int(self._joints[joint]["bits"]))

    def _run(  # noqa: PLR0917 - the columns of a batch
        self,
        sensor: NDArray[np.int64],
        start: NDArray[np.int64],
        index: NDArray[np.int64],
        time_s: NDArray[np.float64],
        gyr: NDArray[np.float64],
        quaternion: NDArray[np.float64],
    ) -> NDArray[np.void]:
        state = self._state.view(np.recarray)
        follow_segments(
            sensor, start, index, time_s, gyr, quaternion, self._rows.view(np.recarray), state,
            self._alignment.view(np.recarray), self._times, self._matrices, self._marks,
        )  # fmt: skip
        joined = np.array(self._joined, np.int64)
        joints = self._joints[joined]
        ready = self._state["written"][joints["proximal"]] - joints["read"]
        out = np.zeros(int(np.minimum(ready, HISTORY).sum()), ANGLE)
        n = follow_joints(
            joined, self._joints.view(np.recarray), state, self._times, self._matrices, self._marks,
            self._params.bridge_s, out.view(np.recarray),
        )  # fmt: skip
        return out[:n]

    def _grow(self, room: int) -> None:
        self._rows = more_rows(self._rows, room)
        self._state = more_rows(self._state, room)
        self._alignment = more_rows(self._alignment, room)
        self._times = np.concatenate([self._times, np.zeros((room, HISTORY))])
        self._matrices = np.concatenate([self._matrices, np.zeros((room, HISTORY, 3, 3))])
        self._marks = np.concatenate([self._marks, np.zeros((room, HISTORY, 2), np.int64)])
