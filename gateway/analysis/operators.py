"""All operators of a gateway: each modality's, and which stream of which device is for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.settings import Device, Settings
from drivers.packet import StreamSpec
from dsp.mounting.alignment import Mounting
from gateway.analysis.modalities import MODALITIES, by_stream
from gateway.analysis.modality import Modality
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.ward_operators import PersonOperators
from gateway.intake.intake import Arrived
from gateway.model.ward import Bed


class Banks:
    """The operators of every modality, over all who are on the ward.

    Args:
        refuse: Told of a device, and why, whose stream cannot be taken.
        modalities: The table.
    """

    def __init__(self, refuse: Refuse, modalities: Sequence[Modality] = MODALITIES) -> None:
        self._refuse = refuse
        self._by_stream = by_stream(modalities)
        self._of = {modality.name: modality.operators()(refuse) for modality in modalities}
        self._judged: dict[tuple[int, str], tuple[StreamSpec, Modality | None]] = {}

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> dict[str, PersonOperators]:
        """Take the devices of one person, by number; return what each modality makes of them."""
        return {name: operators.put_on(bed, devices) for name, operators in self._of.items()}

    def take_off(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        for operators in self._of.values():
            operators.take_off(number)
        self._judged = {key: judged for key, judged in self._judged.items() if key[0] != number}

    def modality(self, arrived: Arrived) -> Modality | None:
        """Return what a stream is measured by; None for one that nothing here can be computed from."""
        key = arrived.number, arrived.stream
        judged = self._judged.get(key)
        if judged is None or judged[0] is not arrived.spec:
            judged = self._judged[key] = arrived.spec, self._judge(arrived)
        return judged[1]

    def step(self) -> None:
        """Run the kernels over what was queued."""
        for operators in self._of.values():
            operators.step()

    def doubts(self) -> dict[int, str]:
        """Return what is wrong with the units of devices, by number: marked as such, whatever is computed from them."""
        found: dict[int, str] = {}
        for operators in self._of.values():
            found |= operators.doubts()
        return found

    def mounting(self, number: int) -> Mounting | None:
        """Return how a sensor is found to be strapped on; None for those where nobody looks, and before its first."""
        return next(filter(None, (operators.mounting(number) for operators in self._of.values())), None)

    def _judge(self, arrived: Arrived) -> Modality | None:
        if arrived.stream not in self._by_stream:
            return None
        modality, signal = self._by_stream[arrived.stream]
        if misfit := signal.misfit(arrived.spec):
            self._refuse(arrived.number, misfit)
            return None
        return modality


def numbered(settings: Settings) -> dict[str, dict[int, Device]]:
    """Return the devices of each slot by their numbers, which count through the whole configuration."""
    found: dict[str, dict[int, Device]] = {}
    first = 0
    for slot in settings.slot:
        found[slot.id] = dict(enumerate(slot.device, start=first))
        first += len(slot.device)
    return found
