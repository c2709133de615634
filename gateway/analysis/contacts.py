"""The feet, or shanks, of all subjects: contacts and strides of each step, and how far each one has been decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsp.foot.contacts import FootContacts
from dsp.gait.gait import Contact, Shape
from dsp.gait.window import Foot
from dsp.mounting.alignment import Mounting
from dsp.shank.contacts import ShankContacts
from gateway.analysis.sensor_bank import Bank, Refuse

Part = Literal["foot", "shank"]
Row = TypeVar("Row", bound=tuple[float, ...])

SIDES: Final[tuple[Foot, Foot]] = ("left", "right")

SHAPE_TIMES = ("end", "start", "initial")
SHAPE_VALUES = ("time_s", "length", "clearance", "strike_angle", "toe_off_angle", "turn")


class ContactBank(Bank):
    """All foot sensors, or all shank sensors. What a step decided is put on gateway time for all of them at once.

    Args:
        detector: The kernel.
        axes: How each device is strapped on, by number (``Device.axes``).
        refuse: As of ``Bank``.

    Attributes:
        devices_with_events: Numbers of the devices of which the newest step decided a contact, or closed a stride.
    """

    __slots__ = ("_closed", "_contacts", "_detector", "_settled_s", "_uncertainty_s", "devices_with_events")

    def __init__(
        self, detector: FootContacts | ShankContacts, axes: Mapping[int, str], refuse: Refuse | None = None
    ) -> None:
        self._detector = detector
        super().__init__(detector, lambda _number, rate_hz: detector.attach(rate_hz), axes, refuse)
        self.devices_with_events: AbstractSet[int] = frozenset()
        self._contacts: dict[int, list[tuple[int, float, float]]] = {}  # (kind, seconds, confidence) by device number
        self._closed: dict[int, list[tuple[float, ...]]] = {}  # `Shape` without its side
        self._settled_s: list[float] = []  # by sensor
        self._uncertainty_s: list[float] = []  # by sensor, of its clock

    def step(self) -> None:
        """Run the kernel over what was queued."""
        self._contacts, self._closed = {}, {}
        self.devices_with_events = frozenset()
        self._uncertainty_s = self.uncertainty_s().tolist()
        if not self.queued:
            return
        rows: Any = self.run()
        contacts = zip(rows["kind"].tolist(), self.times(rows, "index"), rows["confidence"].tolist(), strict=True)
        self._sort(rows, contacts, self._contacts)
        strides: Any = self._detector.strides
        columns = [self.times(strides, name) for name in SHAPE_TIMES]
        columns += [strides[name].tolist() for name in SHAPE_VALUES]
        self._sort(strides, zip(*columns, strict=True), self._closed)
        self.devices_with_events = self._contacts.keys() | self._closed.keys()
        settled = self._detector.settled_all()
        self._settled_s = self.at(np.arange(len(settled)), settled).tolist()

    def contacts(self, number: int, side: Foot) -> list[Contact]:
        """Return the contacts of a side that the newest step decided."""
        return [Contact(side, *contact) for contact in self._contacts.get(number, ())]

    def shapes(self, number: int, side: Foot) -> list[Shape]:
        """Return the strides of a foot that the newest step closed."""
        return [Shape(side, *closed) for closed in self._closed.get(number, ())]

    def settled_s(self, number: int) -> float:
        """Return the gateway time before which no contact of this sensor will come any more."""
        return self._settled_s[self.attached[number].sensor]

    def clock_doubt_s(self, number: int) -> float:
        """Return the uncertainty of a sensor's clock (1 sigma) after the newest step, seconds."""
        return self._uncertainty_s[self.attached[number].sensor]

    def mounting(self, number: int) -> Mounting | None:
        """Return how a sensor is found to be strapped on; None while it has sent nothing."""
        attached = self.attached.get(number)
        return None if attached is None else self._detector.mounting(attached.sensor)

    def _sort(self, rows: NDArray[np.void], values: Iterable[Row], into: dict[int, list[Row]]) -> None:
        for number, value in zip(self.numbers(rows), values, strict=True):
            into.setdefault(number, []).append(value)


def steps_by(placed: Mapping[str, int]) -> dict[Foot, tuple[int, Part]]:
    """Return which device tells the steps of each leg, and where it is: the foot's, or the shank's where there is none.

    Args:
        placed: Device number at each placement.
    """
    found: dict[Foot, tuple[int, Part]] = {}
    parts: tuple[Part, Part] = ("foot", "shank")
    for side in SIDES:
        for part in parts:
            number = placed.get(f"{side}_{part}")
            if number is not None:
                found[side] = (number, part)
                break
    return found
