"""One subject: what all devices of a slot say together, modality by modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from config.settings import Device
from gateway.analysis.modality import Modality
from gateway.analysis.operators import Banks
from gateway.analysis.ward_operators import PersonOperators, Said
from gateway.intake.intake import Arrived
from gateway.model.ward import Bed

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.joints.strides import JointCurve

Names = tuple[tuple[str, ...], tuple[str, ...]]  # ids of devices, and where each is worn


class Subject:
    """Analysis of one slot.

    Args:
        bed: Who is there, in which session.
        devices: The devices worn there, by their number in the gateway.
        banks: The operators of the ward.

    Attributes:
        pseudonym: Of who it is.
        session: Id of the session.
        devices: Numbers of the devices worn.
    """

    def __init__(self, bed: Bed, devices: Mapping[int, Device], banks: Banks) -> None:
        self.pseudonym = bed.slot.subject
        self.session = bed.session
        self.devices = tuple(devices)
        self._worn = devices
        self._names: dict[tuple[int, ...], Names] = {}
        self._operators = banks.put_on(bed, devices)
        # What one modality has nothing to say of at the end of a step, and it has for most people, is not asked.
        self._stepping = [o for o in self._operators.values() if type(o).step is not PersonOperators.step]
        self._drawing = [operators for operators in self._operators.values() if operators.draws]
        self._said: list[Said] = []

    def process(self, modality: Modality, arrived: Arrived) -> Sequence[Said]:
        """Take what arrived of a device; return what it tells of the device itself, at once."""
        said = self._operators[modality.name].process(arrived)
        if modality.tells_of == "device":
            return said
        self._said += said
        return ()

    def worn(self, numbers: Sequence[int]) -> Names:
        """Return the ids of devices worn here, and where each is, by their numbers."""
        key = tuple(numbers)
        names = self._names.get(key)
        if names is None:
            devices = [self._worn[number] for number in key]
            names = self._names[key] = tuple(d.id for d in devices), tuple(d.placement for d in devices)
        return names

    def step(self, now_s: float) -> list[Said]:
        """Return what this step completed; ``now_s`` is its end on the gateway clock."""
        for operators in self._stepping:
            self._said += operators.step(now_s)
        return self.told()

    def told(self) -> list[Said]:
        """Return what was said since the last call: of the heart, where nothing else is analysed yet."""
        said, self._said = self._said, []
        return said

    def finish(self) -> list[Said]:
        """End of the run: close what is open."""
        for operators in self._operators.values():
            self._said += operators.finish()
        return self.told()

    def curves(self, now_s: float) -> list[JointCurve]:
        """Return mean curves over the gait cycle if it is time to tell them."""
        return [curve for operators in self._drawing for curve in operators.curves(now_s)]
