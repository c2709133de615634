"""One subject: what all devices of a slot give together, modality by modality, and the measurements it becomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from config.settings import Device
from dsp.catalogue import CATALOGUE
from dsp.exoskeleton.curves import ExoskeletonCurve
from dsp.result import Result
from gateway.analysis.derived import DerivedOfPerson
from gateway.analysis.modality import Modality
from gateway.analysis.operators import Banks
from gateway.analysis.optical import OpticalDoubt
from gateway.analysis.ward_operators import DeviceResult, PersonOperators
from gateway.intake.arrived import Arrived
from gateway.intake.frames import Origin
from gateway.model.measurements import Fields
from gateway.model.ward import Bed
from gateway.wire.curves import SlotCurves

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.joints.strides import JointCurve

    Curves = tuple[JointCurve | ExoskeletonCurve, ...]

Whose = tuple[tuple[str, ...], tuple[str, ...], str, str, str, bool]
"""The last fields of a measurement: ids of devices, where each is worn, slot, session, who, and whether simulated."""


class Subject:
    """Analysis of one slot.

    Args:
        bed: Who is there, in which session.
        devices: The devices worn there, by their number in the gateway.
        banks: The operators of the ward.
        simulated: Whether the devices are.

    Attributes:
        slot: Id of the slot.
        pseudonym: Of who it is.
        session: Id of the session.
        devices: Numbers of the devices worn.
        draws: Whether there ever are mean curves of what is worn.
        due_s: A step that ends before this gateway time, and in which nothing is new of the devices, may be passed
            over.
    """

    def __init__(self, bed: Bed, devices: Mapping[int, Device], banks: Banks, *, simulated: bool) -> None:
        self.slot = bed.slot.id
        self.pseudonym = bed.slot.subject
        self.session = bed.session
        self.devices = tuple(devices)
        self.due_s = -math.inf
        self._simulated = simulated
        self._settings = devices
        self._whose: dict[tuple[int, ...], Whose] = {}  # by numbers of devices
        self._operators = banks.put_on(bed, devices)
        # What one modality has nothing to say of at the end of a step, and it has for most people, is not asked.
        self._stepping = [each for each in self._operators.values() if type(each).step is not PersonOperators.step]
        self._drawing = [operators for operators in self._operators.values() if operators.draws]
        self.draws = bool(self._drawing)
        self._drawn: dict[int, Curves] = {}  # what each of these drew last
        self._derived = DerivedOfPerson(bed, devices)
        self._optical = OpticalDoubt(devices)
        self._results: list[DeviceResult] = []

    def process(self, modality: Modality, arrived: Arrived) -> Sequence[DeviceResult]:
        """Take what arrived of a device; return what it tells of the device itself, at once."""
        results = self._operators[modality.name].process(arrived)
        if modality.tells_of == "device":
            return results
        self._results += results
        self.due_s = -math.inf
        return ()

    def step(self, now_s: float, *, news: bool) -> list[DeviceResult]:
        """Return what this step completed.

        Args:
            now_s: Its end on the gateway clock.
            news: Whether something is new of the devices (`WardOperators.news`).
        """
        self.due_s = -math.inf if self.draws else math.inf
        for operators in self._stepping:
            if news or now_s >= operators.due_s:
                self._results += operators.step(now_s)
            self.due_s = min(self.due_s, operators.due_s)
        return self.drain_results()

    def drain_results(self) -> list[DeviceResult]:
        """Return what came since the last call: of the heart, where nothing else is analysed yet."""
        if not self._results:  # most people, at most steps
            return []
        results, self._results = self._optical.mark(self._results), []
        self._derived.follow(results)
        return results

    def mark(self, text: str, now_s: float) -> None:
        """Take what somebody marked in the session, at a gateway time."""
        self.due_s = -math.inf
        for operators in self._operators.values():
            operators.mark(text, now_s)
        self._results += self._derived.mark(text, now_s)

    def finish(self, now_s: float) -> list[DeviceResult]:
        """End of the session at a gateway time: close what is open."""
        for operators in self._operators.values():
            self._results += operators.finish()
        results, self._results = self._optical.mark(self._results), []
        self._derived.end(results, now_s)
        return results

    @property
    def waits(self) -> bool:
        """Whether anything may still follow after the end."""
        return self._derived.waits

    def afterwards(self, results: Sequence[DeviceResult]) -> list[DeviceResult]:
        """Return what follows from later results of the same person, in another session."""
        later = list(results)
        self._derived.follow(later)
        return later[len(results) :]

    def close(self) -> list[DeviceResult]:
        """Return what was still open after the end: nothing more comes."""
        return self._derived.finish()

    def curves(self, now_s: float) -> SlotCurves | None:
        """Return mean curves over the gait cycle if it is time to publish them: all, whoever has new ones."""
        new = {at: found for at, operators in enumerate(self._drawing) if (found := tuple(operators.curves(now_s)))}
        if not new:
            return None
        self._drawn |= new
        drawn = [curve for at in sorted(self._drawn) for curve in self._drawn[at]]
        return SlotCurves(
            self.slot, self.session, self.pseudonym, self._simulated,
            tuple(curve for curve in drawn if not isinstance(curve, ExoskeletonCurve)),
            tuple(curve for curve in drawn if isinstance(curve, ExoskeletonCurve)),
        )  # fmt: skip

    def measurement(self, result: Result, devices: Sequence[int], origin: Origin) -> Fields:
        """Return a result, which came from devices with these numbers, as the fields of a `Measurement`."""
        metric, value, side, start_s, end_s, n, algorithm, n_rejected, quality, reason, sync_s = result
        start_us = origin.to_utc_us(start_s)
        return (
            metric, value, CATALOGUE[metric].unit, side,
            start_us, start_us if end_s == start_s else origin.to_utc_us(end_s),
            None if sync_s is None else round(sync_s * 1000, 3), n, n_rejected, quality, reason, algorithm,
            *(self._whose.get(tuple(devices)) or self._add_whose(tuple(devices))),
        )  # fmt: skip

    def _add_whose(self, numbers: tuple[int, ...]) -> Whose:
        devices = [self._settings[number] for number in numbers]
        whose = self._whose[numbers] = (
            tuple(d.id for d in devices), tuple(d.placement for d in devices),
            self.slot, self.session, self.pseudonym, self._simulated,
        )  # fmt: skip
        return whose
