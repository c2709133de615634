"""All operators of a gateway: each modality's, and which stream of which device is for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from config.settings import Device, Settings
from drivers.packet import StreamSpec
from dsp.mounting.alignment import Mounting
from gateway.analysis.modalities import MODALITIES, by_stream
from gateway.analysis.modality import Modality, Signal
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.ward_operators import PersonOperators
from gateway.intake.intake import ArrivedBatch
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
        self._judged: dict[str, dict[int, tuple[StreamSpec, bool]]] = {name: {} for name in self._by_stream}

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> dict[str, PersonOperators]:
        """Take the devices of one person, by number; return what each modality makes of them."""
        return {name: operators.put_on(bed, devices) for name, operators in self._of.items()}

    def remove_device(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        for operators in self._of.values():
            operators.remove_device(number)
        for judged in self._judged.values():
            judged.pop(number, None)

    def process(self, arrived: ArrivedBatch) -> tuple[Modality, ArrivedBatch] | None:
        """Hand over what arrived of a stream; return what each person's operators are to take, and of what modality."""
        if arrived.name not in self._by_stream:
            return None
        modality, signal = self._by_stream[arrived.name]
        judged = self._judged[arrived.name]
        fits = np.ones(len(arrived.numbers), np.bool_)
        for at, (number, stream) in enumerate(zip(arrived.numbers.tolist(), arrived.streams, strict=True)):
            known = judged.get(number)
            if known is None or known[0] is not stream.spec:
                known = judged[number] = stream.spec, self._judge(number, stream.spec, signal)
            fits[at] = known[1]
        if not fits.all():
            if not fits.any():
                return None
            arrived = arrived.kept(np.repeat(fits, np.diff(arrived.start)))
        return None if self._of[modality.name].process(arrived) else (modality, arrived)

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

    def _judge(self, number: int, spec: StreamSpec, signal: Signal) -> bool:
        """Whether a stream is what something here can be computed from."""
        misfit = signal.misfit(spec)
        if misfit:
            self._refuse(number, misfit)
        return not misfit


def numbered(settings: Settings) -> dict[str, dict[int, Device]]:
    """Return the devices of each slot by their numbers, which count through the whole configuration."""
    found: dict[str, dict[int, Device]] = {}
    first = 0
    for slot in settings.slot:
        found[slot.id] = dict(enumerate(slot.device, start=first))
        first += len(slot.device)
    return found
