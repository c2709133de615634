"""Mean curves of one slot from several modalities: one payload has all of them, whoever has new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from config.settings import Device, Slot
from dsp.exoskeleton.curves import ExoskeletonCurve
from dsp.joints.strides import JointCurve
from gateway.analysis.modality import Modality, Signal
from gateway.analysis.operators import Banks
from gateway.analysis.subject import Subject
from gateway.analysis.ward_operators import PersonOperators, WardOperators
from gateway.model.ward import Bed

FLAT = np.zeros(101)
KNEE = JointCurve("knee", "left", FLAT, FLAT, 5, 1.0, 2.0, "")
HIP = ExoskeletonCurve("hip", "left", "torque", FLAT, FLAT, 5, 1.0, 2.0)


class Drawn(PersonOperators):
    """Has curves at some instants."""

    draws = True

    def __init__(self, at: Mapping[float, Sequence[JointCurve | ExoskeletonCurve]]) -> None:
        self._at = at

    def curves(self, now_s: float) -> Sequence[JointCurve | ExoskeletonCurve]:
        return self._at.get(now_s, ())


class Sensors(WardOperators):
    made: ClassVar[Mapping[float, Sequence[JointCurve | ExoskeletonCurve]]] = {1.0: (KNEE,), 5.0: (KNEE,)}

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        del bed, devices
        return Drawn(self.made)


class Exoskeletons(Sensors):
    made = {3.0: (HIP,)}  # noqa: RUF012 - declared above


def modality(name: str, operators: type[WardOperators]) -> Modality:
    return Modality(
        name, name, signals=(Signal(name, ("x",), ("1",)),), placements=("exoskeleton",), metrics=(),
        operators=lambda: operators,
    )  # fmt: skip


def test_new_curves_of_one_modality_do_not_take_away_those_of_another() -> None:
    device = Device(id="exo", driver="exo_frame", placement="exoskeleton", port=Path("/dev/ttyACM0"))
    bed = Bed(Slot(id="bed-1", subject="p-1", device=[device]), "bed-1-a")
    table = (modality("sensors", Sensors), modality("exoskeletons", Exoskeletons))
    subject = Subject(bed, {0: device}, Banks(lambda _number, _why: None, table), simulated=True)
    drawn = {now_s: subject.curves(now_s) for now_s in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)}
    got = {now_s: (slot.curves, slot.exoskeleton) for now_s, slot in drawn.items() if slot is not None}
    assert got == {1.0: ((KNEE,), ()), 3.0: ((KNEE,), (HIP,)), 5.0: ((KNEE,), (HIP,))}
