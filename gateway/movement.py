"""Movement operators over all sensors of the gateway: one kernel call a step, events on gateway time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from gateway.intake import Arrived
from gateway.timeline import Floats, Ints, Timeline


class Operator(Protocol):
    """A streaming kernel for many sensors; its events are rows with ``sensor`` and fractional ``index``."""

    def detach(self, sensor: int) -> None:
        """Forget a sensor."""
        ...

    def push(self, batch: Batch) -> NDArray[np.void]:
        """Return the events that these samples decided."""
        ...


@dataclass(slots=True)
class Worn:
    """One sensor of a bank."""

    sensor: int
    rate_hz: float
    timeline: Timeline


@dataclass(slots=True)
class Bank:
    """All devices that one operator serves.

    Attributes:
        operator: The kernel.
        attach: Makes a sensor of it for (device number, rate in Hz).
        events: Events of the newest step by device number, rows of the operator's dtype.
        worn: Its sensors by device number.
    """

    operator: Operator
    attach: Callable[[int, float], int]
    events: dict[int, NDArray[np.void]] = field(default_factory=dict)
    worn: dict[int, Worn] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)  # sensor → device number
    _parts: list[tuple[int, Ints, Floats, Floats]] = field(default_factory=list)

    def add(self, number: int, arrived: Arrived, acc: Floats, gyr: Floats) -> None:
        """Queue what arrived from a device for this step: ``acc`` and ``gyr`` (n, 3) in the segment frame."""
        rate_hz = arrived.spec.rate_hz
        assert rate_hz is not None
        worn = self.worn.get(number)
        if worn is None or worn.rate_hz != rate_hz:
            if worn is not None:
                self.operator.detach(worn.sensor)
            worn = self.worn[number] = Worn(self.attach(number, rate_hz), rate_hz, arrived.timeline)
            self._numbers[worn.sensor] = number
        self._parts.append((worn.sensor, arrived.placed.index, acc, gyr))

    def step(self) -> None:
        """Run the kernel over what was queued; `events` then holds what it decided."""
        self.events = {}
        if not self._parts:
            return
        sensors, indices, accs, gyrs = zip(*self._parts, strict=True)
        self._parts = []
        batch = Batch(
            np.array(sensors, np.int64),
            np.cumsum([0, *(len(i) for i in indices)], dtype=np.int64),
            np.concatenate(indices),
            np.concatenate(accs),
            np.concatenate(gyrs),
        )
        found: Any = self.operator.push(batch)
        for sensor in np.unique(found["sensor"]).tolist():
            self.events[self._numbers[sensor]] = found[found["sensor"] == sensor]

    def seconds(self, number: int, index: Floats) -> Floats:
        """Return gateway seconds of fractional indices of a device."""
        return self.worn[number].timeline.at(index)
