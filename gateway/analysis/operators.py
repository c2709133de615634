"""All operators of a gateway: each modality's, and which stream of which device is for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from config.settings import Device, Settings
from drivers.packet import StreamSpec
from gateway.analysis.common_clock import CommonClocks
from gateway.analysis.modalities import MODALITIES, by_stream
from gateway.analysis.modality import Modality, Signal
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.ward_operators import PersonOperators
from gateway.clocks.timeline import Ints
from gateway.intake.arrived import ArrivedBatch
from gateway.model.ward import Bed

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.mounting.alignment import Mounting

COMMON_CLOCK = "common clock"  # among the operators of a person: of no modality, since it takes the streams of two


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
        self._clocks = CommonClocks()
        self._judged = {name: _Judged() for name in self._by_stream}

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> dict[str, PersonOperators]:
        """Take the devices of one person, by number; return what each modality makes of them."""
        made = {name: operators.put_on(bed, devices) for name, operators in self._of.items()}
        return made | {COMMON_CLOCK: self._clocks.put_on(bed, devices)}

    def remove_device(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        for operators in self._of.values():
            operators.remove_device(number)
        self._clocks.remove_device(number)
        for judged in self._judged.values():
            judged.forget(number)

    def process(self, arrived: ArrivedBatch) -> tuple[Modality, ArrivedBatch] | None:
        """Hand over what arrived of a stream; return what each person's operators are to take, and of what modality."""
        if arrived.name not in self._by_stream:
            return None
        modality, signal = self._by_stream[arrived.name]
        judged = self._judged[arrived.name]
        for at in judged.unseen(arrived.numbers, arrived.versions):
            number = int(arrived.numbers[at])
            fit = self._judge(number, arrived.streams[at].spec, signal)
            judged.note(number, int(arrived.versions[at]), fits=fit)
        fits = judged.fits[arrived.numbers]
        if not fits.all():
            if not fits.any():
                return None
            arrived = arrived.kept(np.repeat(fits, np.diff(arrived.start)))
        self._clocks.add(arrived)
        return None if self._of[modality.name].process(arrived) else (modality, arrived)

    def step(self) -> set[int]:
        """Run the kernels over what was queued; return the numbers of the devices of which that found something."""
        for operators in self._of.values():
            operators.step()
        return {number for operators in self._of.values() for number in operators.news}

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


class _Judged:
    """Whether the streams of one name are what something can be computed from, by device number.

    Attributes:
        fits: Whether that of a device is, as of the version that was looked at last.
    """

    def __init__(self) -> None:
        self.fits = np.zeros(0, np.bool_)
        self._versions = np.zeros(0, np.int64)  # 0: none was looked at

    def unseen(self, numbers: Ints, versions: Ints) -> list[int]:
        """Return which of these devices have a version of the stream that was not looked at."""
        more = int(numbers.max(initial=-1)) + 1 - len(self.fits)
        if more > 0:
            self.fits = np.pad(self.fits, (0, more))
            self._versions = np.pad(self._versions, (0, more))
        return np.flatnonzero(self._versions[numbers] != versions).tolist()

    def note(self, number: int, version: int, *, fits: bool) -> None:
        """Keep what came of a look."""
        self.fits[number], self._versions[number] = fits, version

    def forget(self, number: int) -> None:
        """Have a device looked at again."""
        if number < len(self._versions):
            self._versions[number] = 0


def numbered(settings: Settings) -> dict[str, dict[int, Device]]:
    """Return the devices of each slot by their numbers, which count through the whole configuration."""
    found: dict[str, dict[int, Device]] = {}
    first = 0
    for slot in settings.slot:
        found[slot.id] = dict(enumerate(slot.device, start=first))
        first += len(slot.device)
    return found
