"""The feet of all subjects: contacts and strides of each step, and how far each foot has been decided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.foot import FootContacts
from dsp.gait import Contact, Shape
from dsp.gait_window import Foot
from gateway.movement import Bank


class FootBank(Bank):
    """All foot sensors of the gateway.

    Attributes:
        strides: Strides that foot-flats closed in the newest step, by device number, rows of the operator's dtype.
    """

    __slots__ = ("_contacts", "strides")

    def __init__(self, axes: Sequence[str]) -> None:
        self._contacts = FootContacts()
        super().__init__(self._contacts, lambda _number, rate_hz: self._contacts.attach(rate_hz), axes)
        self.strides: dict[int, NDArray[np.void]] = {}

    def step(self) -> None:
        """Run the kernel over what was queued; `events` and `strides` then hold what it decided."""
        self.strides = {}
        if not self.queued:
            self.events = {}
            return
        super().step()
        self.strides = self.by_device(self._contacts.strides)

    def contacts(self, number: int, side: Foot) -> Iterator[Contact]:
        """Yield the contacts of a foot that the newest step decided."""
        events = self.events.get(number)
        if events is not None:
            times = self.seconds(number, events["index"]).tolist()
            for event, time_s in zip(events, times, strict=True):
                yield Contact(side, int(event["kind"]), time_s, float(event["confidence"]))

    def shapes(self, number: int, side: Foot) -> Iterator[Shape]:
        """Yield the strides of a foot that the newest step closed."""
        strides: Any = self.strides.get(number)
        if strides is None:
            return
        ends, starts, initials = (self.seconds(number, strides[name]).tolist() for name in ("end", "start", "initial"))
        for stride, end_s, start_s, initial_s in zip(strides, ends, starts, initials, strict=True):
            yield Shape(
                side, end_s, start_s, initial_s, float(stride["time_s"]), float(stride["length"]),
                float(stride["clearance"]), float(stride["strike_angle"]), float(stride["toe_off_angle"]),
                float(stride["turn"]),
            )  # fmt: skip

    def settled_s(self, number: int) -> float:
        """Return the gateway time before which no contact of this foot will come any more."""
        index = self._contacts.settled(self.worn[number].sensor)
        return float(self.seconds(number, np.array([index]))[0]) if math.isfinite(index) else -math.inf
