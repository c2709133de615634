"""One leg of the simulated body with a sensor on each segment, its true joint angles, and those of the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.joints.joints import JointAngles, JointName, JointParams, SegmentName
from dsp.orientation.orientation import orient
from simulators.body.body import Placement, WalkingBody
from simulators.sensing.imu import PERFECT, Imperfections
from tests.dsp.bodies import Floats, SensorData, wear

# Noise alone, far below any sensor's: without it a foot that stands repeats its values like a frozen channel.
CLEAN = replace(PERFECT, gyr_noise=1e-5, acc_noise=1e-4)
LEG: dict[SegmentName, Placement] = {
    "lower_back": "lower_back",
    "thigh": "left_thigh",
    "shank": "left_shank",
    "foot": "left_foot",
}
RIGHT_LEG: dict[SegmentName, Placement] = {
    "lower_back": "lower_back",
    "thigh": "right_thigh",
    "shank": "right_shank",
    "foot": "right_foot",
}
PAIRS: dict[JointName, tuple[SegmentName, SegmentName]] = {
    "hip": ("lower_back", "thigh"),
    "knee": ("thigh", "shank"),
    "ankle": ("shank", "foot"),
}
SIGNS: dict[JointName, float] = {"hip": -1.0, "knee": 1.0, "ankle": -1.0}


@dataclass(frozen=True)
class Leg:
    """Sensors of one leg, and their orientations, each in its own earth frame."""

    sensors: Mapping[SegmentName, SensorData]
    quaternion: Mapping[SegmentName, Floats]
    rate_hz: float = 100.0

    def batch(self, rows: Mapping[SegmentName, NDArray[np.int64]]) -> tuple[Batch, Floats, Floats]:
        """Return some rows of each sensor, with their times and orientations."""
        index = [rows[s] for s in LEG]
        return (
            Batch(
                np.arange(len(LEG)),
                np.cumsum([0, *(len(i) for i in index)]),
                np.concatenate(index),
                np.concatenate([self.sensors[s].acc[i] for s, i in zip(LEG, index, strict=True)]),
                np.concatenate([self.sensors[s].gyr[i] for s, i in zip(LEG, index, strict=True)]),
            ),
            np.concatenate([self.sensors[s].time_s[i] for s, i in zip(LEG, index, strict=True)]),
            np.concatenate([self.quaternion[s][i] for s, i in zip(LEG, index, strict=True)]),
        )


def leg(
    walker: WalkingBody,
    imperfections: Imperfections | None = CLEAN,
    mounted: Mapping[SegmentName, Floats] | None = None,
    rate_hz: float = 100.0,
    seed: int = 0,
) -> Leg:
    """Return a leg whose sensors are turned by the matrices of ``mounted``."""
    sensors = {s: wear(walker, place, rate_hz, imperfections, seed) for s, place in LEG.items()}
    sensors = {s: w.turned(mounted[s]) if mounted and s in mounted else w for s, w in sensors.items()}
    return Leg(sensors, {s: orient(w.acc, w.gyr, None, rate_hz) for s, w in sensors.items()}, rate_hz)


def angles(
    of: Leg,
    rows: Mapping[SegmentName, NDArray[np.int64]] | None = None,
    cuts: Sequence[float] = (),
    params: JointParams | None = None,
) -> dict[JointName, NDArray[np.void]]:
    """Run the operator over a leg, in portions that end at the times ``cuts``."""
    operator = JointAngles(params)
    sensors = {s: operator.attach(s, of.rate_hz) for s in LEG}
    assert list(sensors.values()) == list(range(len(LEG)))
    joints = {j: operator.join(j, sensors[a], sensors[b]) for j, (a, b) in PAIRS.items()}
    kept = rows or {s: w.index for s, w in of.sensors.items()}
    found = []
    edges = [-np.inf, *sorted(cuts), np.inf]
    for a, b in zip(edges, edges[1:], strict=False):  # noqa: RUF007 - mixed with infinities
        part = {s: i[(of.sensors[s].time_s[i] > a) & (of.sensors[s].time_s[i] <= b)] for s, i in kept.items()}
        found.append(operator.process(*of.batch(part)))
    everything = np.concatenate(found)
    return {j: everything[everything["joint"] == number] for j, number in joints.items()}


def true_angles(
    walker: WalkingBody, joint: JointName, time_s: Floats, *, upright: bool = False, side: str = "left"
) -> Floats:
    """Return the true angle, degrees, against that of the first instant, or of the standing body at its beginning."""
    on = {"left": LEG, "right": RIGHT_LEG}[side]

    def at(times: Floats) -> Floats:
        a, b = (walker.figure().pose(on[s], times).attitude.matrix for s in PAIRS[joint])
        up = np.einsum("nij,ni->nj", a, b[:, :, 2])  # the distal long axis in the proximal segment
        return np.asarray(np.rad2deg(SIGNS[joint] * np.arctan2(up[:, 0], up[:, 2])))

    angle = at(time_s)
    return np.asarray(angle - (at(np.zeros(1)) if upright else angle[:1]))
