"""The compiled kernels of movement: each one's name, a call that makes it ready, and who needs it.

Some serve every motion sensor; where a device is worn is all that is known of it here, so whoever wears a heart strap
on the chest gets those too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from dsp.batch import Batch
from dsp.foot.contacts import FootContacts
from dsp.gait.stride_smoothness import StrideSmoothness
from dsp.joints.joints import JointAngles
from dsp.lower_back.lower_back import LowerBack
from dsp.orientation.orientation import Orientation
from dsp.posture.stepping import SPANS, climbing, mean_of, spread
from dsp.posture.watch import see
from dsp.shank.contacts import ShankContacts
from gateway.analysis.axes import picks, turn
from gateway.analysis.contacts import Part, steps_by
from gateway.analysis.imu import IMU
from gateway.analysis.joints import pairs
from gateway.analysis.motions import MOTIONS

RATE_HZ = 100.0
SAMPLES = 10

BY_PART: Final[Mapping[Part, str]] = {"foot": "feet", "shank": "shanks"}
LOOKED_AT: Final = frozenset(place for motion in MOTIONS for group in motion.places for place in group)
"""Where one sensor is looked at by itself."""
OF_EVERY_SENSOR: Final = frozenset({"axes", "smoothness", "posture"})


def kernels_for(placed: Mapping[str, int]) -> set[str]:
    """Return the names of the kernels that a person needs, by the number of the device at each placement."""
    found = {BY_PART[part] for _, part in steps_by(placed).values()}
    if pairs(placed):
        found.add("joints")
    if "lower_back" in placed:
        found.add("lower back")
    return found | OF_EVERY_SENSOR if found or not LOOKED_AT.isdisjoint(placed) else found


def _operator(operator: FootContacts | ShankContacts | LowerBack) -> None:
    still = np.zeros((SAMPLES, 3))
    sensor = operator.attach(RATE_HZ)
    operator.process(Batch.single(np.arange(SAMPLES), still, still, sensor))
    operator.flush(sensor)


def _joints() -> None:
    orientation, joints = Orientation(), JointAngles()
    sensors = [orientation.attach(RATE_HZ) for _ in range(2)]
    joints.join("knee", joints.attach("thigh", RATE_HZ), joints.attach("shank", RATE_HZ))
    index = np.tile(np.arange(SAMPLES), 2)
    still = np.zeros((2 * SAMPLES, 3))
    batch = Batch(np.array(sensors), np.array([0, SAMPLES, 2 * SAMPLES]), index, still, still)
    joints.process(batch, index / RATE_HZ, orientation.process(batch).quaternion)


def _axes() -> None:
    column, sign = picks("x y z", IMU.channels)
    acc, gyr = np.empty((2, SAMPLES, 3))
    samples = np.zeros((SAMPLES, len(IMU.channels)))
    index, first = np.arange(SAMPLES), np.zeros(1, np.int64)
    turn(index, samples, first, first + SAMPLES, first, column[None], sign[None], first, index.copy(), acc, gyr)


def _smoothness() -> None:
    operator = StrideSmoothness(RATE_HZ)
    still = np.zeros((SAMPLES, 3))
    operator.stride(1.0, SAMPLES - 2.0)
    list(operator.process(np.arange(SAMPLES), still, still))
    operator.stride(1.0, SAMPLES - 2.0)
    list(operator.finish())


def _posture() -> None:
    acc, (force, walked, stir) = np.zeros((1, SPANS[1], 3)), np.empty((3, 1, 3))
    see(acc, np.zeros(1), np.zeros(1, np.int64), force, walked, stir)
    mean_of(acc[0])
    spread(acc[0], 0, SPANS[1])
    climbing(acc[0])


KERNELS: Final[Mapping[str, Callable[[], None]]] = {
    "axes": _axes,
    "smoothness": _smoothness,
    "posture": _posture,
    "feet": lambda: _operator(FootContacts()),
    "shanks": lambda: _operator(ShankContacts()),
    "lower back": lambda: _operator(LowerBack()),
    "joints": _joints,
}
