"""Movement operators over all sensors of the gateway: one kernel call a step, events on gateway time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.packet import StreamSpec
from dsp.batch import Batch
from gateway.analysis.axes import picks, turn
from gateway.clocks.timeline import Floats, Ints, Timeline
from gateway.intake.intake import Arrived

Refuse = Callable[[int, str], None]


class Operator(Protocol):
    """A streaming kernel for many sensors; its events are rows with ``sensor`` and fractional ``index``."""

    def detach(self, sensor: int) -> None:
        """Forget a sensor."""
        ...

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor; empty if nothing is."""
        ...

    def process(self, batch: Batch) -> NDArray[np.void]:
        """Return the events that these samples decided."""
        ...


@dataclass(slots=True)
class Worn:
    """One sensor of a bank.

    Attributes:
        sensor: Its number in the operator.
        spec: Its stream.
        timeline: Of that stream.
    """

    sensor: int
    spec: StreamSpec
    timeline: Timeline


@dataclass(slots=True)
class Bank:
    """All devices that one operator serves.

    Attributes:
        operator: The kernel.
        attach: Makes a sensor of it for (device number, rate in Hz).
        axes: How each device is strapped on, by number (``Device.axes``); it may grow.
        refuse: Told of a device, and why, whose stream the operator cannot take; its samples are passed over.
        events: Events of the newest step by device number, rows of the operator's dtype.
        worn: Its sensors by device number.
    """

    operator: Operator
    attach: Callable[[int, float], int]
    axes: Mapping[int, str]
    refuse: Refuse | None = None
    events: dict[int, NDArray[np.void]] = field(default_factory=dict)
    worn: dict[int, Worn] = field(default_factory=dict)
    _refused: dict[int, StreamSpec] = field(default_factory=dict)  # by device number
    _numbers: dict[int, int] = field(default_factory=dict)  # sensor → device number
    _parts: list[tuple[Worn, Arrived]] = field(default_factory=list)
    _column: Ints = field(
        default_factory=lambda: np.zeros((0, 6), np.int64)
    )  # by sensor, from `gateway.analysis.axes.picks`
    _sign: Floats = field(default_factory=lambda: np.zeros((0, 6)))
    _stream: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by sensor, its timeline's number

    def add(self, arrived: Arrived) -> None:
        """Queue what arrived of a stream with the channels of an inertial sensor, for this step."""
        worn = self.worn.get(arrived.number)
        if worn is None or worn.spec is not arrived.spec:
            if self._refused.get(arrived.number) is arrived.spec:
                return
            try:
                worn = self._put_on(arrived)
            except ValueError as problem:  # a rate that a device may be set to, and an operator is not made for
                self._refused[arrived.number] = arrived.spec
                if self.refuse is not None:
                    self.refuse(arrived.number, str(problem))
                return
        self._parts.append((worn, arrived))

    def detach(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        self._refused.pop(number, None)
        self.events.pop(number, None)
        worn = self.worn.pop(number, None)
        if worn is not None:
            self.operator.detach(worn.sensor)
            del self._numbers[worn.sensor]

    def step(self) -> None:
        """Run the kernel over what was queued; `events` then holds what it decided."""
        self.events = self.by_device(self.run()) if self._parts else {}

    def run(self) -> NDArray[np.void]:
        """Run the kernel over what was queued, which must be something; return its events."""
        parts, self._parts = self._parts, []
        # Streams of one width turn in one call; devices of one kind have the same.
        parts.sort(key=_width)
        sensor = np.array([worn.sensor for worn, _ in parts], np.int64)
        start = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(arrived.index) for _, arrived in parts], out=start[1:])
        acc, gyr = np.empty((2, start[-1], 3))
        end = 0
        for _, same in groupby(parts, key=_width):
            samples = [arrived.samples for _, arrived in same]
            begin, end = end, end + len(samples)
            rows, who = slice(start[begin], start[end]), sensor[begin:end]
            own = start[begin : end + 1] - start[begin]
            turn(np.concatenate(samples), own, self._column[who], self._sign[who], acc[rows], gyr[rows])
        index = np.concatenate([arrived.index for _, arrived in parts])
        return self.operator.process(Batch(sensor, start, index, acc, gyr))

    @property
    def queued(self) -> bool:
        """Whether anything waits for the next step."""
        return bool(self._parts)

    def by_device(self, rows: NDArray[np.void]) -> dict[int, NDArray[np.void]]:
        """Split rows with a field ``sensor`` by device number."""
        sensor: Any = rows["sensor"]
        return {self._numbers[number]: rows[sensor == number] for number in np.unique(sensor).tolist()}

    def times(self, rows: NDArray[np.void], name: str) -> list[float]:
        """Return gateway seconds of a field of fractional indices, of rows with a field ``sensor``."""
        if not len(rows):
            return []
        times: list[float] = self.at(rows["sensor"], rows[name]).tolist()
        return times

    def doubts(self) -> dict[int, str]:
        """Return what is wrong with the units of devices, by number."""
        found = {number: self.operator.doubt(worn.sensor) for number, worn in self.worn.items()}
        return {number: doubt for number, doubt in found.items() if doubt}

    def numbers(self, rows: NDArray[np.void]) -> list[int]:
        """Return the device numbers of rows with a field ``sensor``."""
        return [self._numbers[sensor] for sensor in rows["sensor"].tolist()]

    def at(self, sensors: Ints, index: Floats) -> Floats:
        """Return gateway seconds of fractional indices (n,) of sensors (n,)."""
        timelines = next(iter(self.worn.values())).timeline.all
        return timelines.at(self._stream[sensors], index)

    def seconds(self, number: int, index: Floats) -> Floats:
        """Return gateway seconds of fractional indices of a device."""
        return self.worn[number].timeline.at(index)

    def _put_on(self, arrived: Arrived) -> Worn:
        """Attach a sensor that is new; again if its rate is another one now."""
        number, spec = arrived.number, arrived.spec
        assert spec.rate_hz is not None
        old = self.worn.get(number)
        if old is not None and old.spec.rate_hz == spec.rate_hz:
            sensor = old.sensor
        else:
            if old is not None:
                self.detach(number)
            sensor = self.attach(number, spec.rate_hz)
        if sensor >= len(self._column):
            more = ((0, sensor + 1), (0, 0))
            self._column, self._sign = np.pad(self._column, more), np.pad(self._sign, more)
            self._stream = np.pad(self._stream, more[0])
        self._column[sensor], self._sign[sensor] = picks(self.axes[number], spec.channels)
        self._stream[sensor] = arrived.timeline.number
        worn = self.worn[number] = Worn(sensor, spec, arrived.timeline)
        self._numbers[sensor] = number
        return worn


def _width(part: tuple[Worn, Arrived]) -> int:
    return len(part[1].spec.channels)
