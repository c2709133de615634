"""Movement operators over all sensors of the gateway: one kernel call a step, events on gateway time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.packet import StreamSpec
from dsp.batch import Batch
from gateway.analysis.axes import picks, turn
from gateway.clocks.timeline import Floats, Ints, Timeline
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.streams import Stream

Refuse = Callable[[int, str], None]

NOT_FED: Final = -2  # in place of a sensor's number: the operator has nothing to do with the device
NONE_YET: Final = -1  # none was attached: nothing has come yet, or nothing that the operator takes


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
class AttachedSensor:
    """One sensor of a bank.

    Attributes:
        sensor: Its number in the operator.
        spec: Its stream.
        timeline: Of that stream.
    """

    sensor: int
    spec: StreamSpec
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class _Part:
    """What waits for the next step of some devices, in a batch of perhaps more.

    Attributes:
        sensor: (k,) numbers in the operator.
        first: (k,) where the samples of each begin.
        counts: (k,) how many they are.
        index: Number of each sample of the batch.
        samples: Of the batch.
    """

    sensor: Ints
    first: Ints
    counts: Ints
    index: Ints
    samples: Floats


@dataclass(slots=True)
class Bank:
    """All devices that one operator serves.

    Attributes:
        operator: The kernel.
        attach: Makes a sensor of it for (device number, rate in Hz).
        axes: How each device is strapped on, by number (``Device.axes``); it may grow.
        refuse: Told of a device, and why, whose stream the operator cannot take; its samples are passed over.
        events: Events of the newest step by device number, rows of the operator's dtype.
        attached: Its sensors by device number.
    """

    operator: Operator
    attach: Callable[[int, float], int]
    axes: Mapping[int, str]
    refuse: Refuse | None = None
    events: dict[int, NDArray[np.void]] = field(default_factory=dict)
    attached: dict[int, AttachedSensor] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)  # sensor → device number
    _parts: list[_Part] = field(default_factory=list)
    _sensor: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by device number; NOT_FED, NONE_YET
    _version: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by device number, of the stream it is for
    _column: Ints = field(
        default_factory=lambda: np.zeros((0, 6), np.int64)
    )  # by sensor, from `gateway.analysis.axes.picks`
    _sign: Floats = field(default_factory=lambda: np.zeros((0, 6)))
    _stream: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by sensor, its timeline's number

    def feed(self, number: int) -> None:
        """Take the samples of a device from now on."""
        self._make_room(number)
        self._sensor[number], self._version[number] = NONE_YET, 0

    def add(self, arrived: ArrivedBatch) -> None:
        """Queue, for this step, what arrived of the devices that the operator is fed with.

        The stream must have the channels of an inertial sensor.
        """
        self._make_room(int(arrived.numbers.max()))
        sensor = self._sensor[arrived.numbers]
        changed = np.flatnonzero((sensor != NOT_FED) & (self._version[arrived.numbers] != arrived.versions))
        if len(changed):
            for at in changed.tolist():
                self._put_on_or_refuse(int(arrived.numbers[at]), arrived.streams[at])
            sensor = self._sensor[arrived.numbers]
        taken = np.flatnonzero(sensor >= 0)
        if len(taken):
            first = arrived.start[taken]
            counts = arrived.start[taken + 1] - first
            samples = np.ascontiguousarray(arrived.samples, np.float64)  # a kernel is compiled for this alone
            self._parts.append(_Part(sensor[taken], first, counts, arrived.index, samples))

    def detach(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        self._make_room(number)
        self._sensor[number] = NOT_FED
        self._detach_sensor(number)

    def _detach_sensor(self, number: int) -> None:
        self.events.pop(number, None)
        attached = self.attached.pop(number, None)
        if attached is not None:
            self.operator.detach(attached.sensor)
            del self._numbers[attached.sensor]

    def step(self) -> None:
        """Run the kernel over what was queued; `events` then holds what it decided."""
        self.events = self.by_device(self.run()) if self._parts else {}

    def run(self) -> NDArray[np.void]:
        """Run the kernel over what was queued, which must be something; return its events."""
        parts, self._parts = self._parts, []
        counts = np.concatenate([part.counts for part in parts])
        start = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=start[1:])
        index = np.empty(start[-1], np.int64)
        acc, gyr = np.empty((2, start[-1], 3))
        begin = 0
        for part in parts:
            end = begin + len(part.counts)
            turn(
                part.index, part.samples, part.first, part.counts, part.sensor, self._column, self._sign,
                start[begin:end], index, acc, gyr,
            )  # fmt: skip
            begin = end
        return self.operator.process(Batch(np.concatenate([part.sensor for part in parts]), start, index, acc, gyr))

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
        found = {number: self.operator.doubt(attached.sensor) for number, attached in self.attached.items()}
        return {number: doubt for number, doubt in found.items() if doubt}

    def numbers(self, rows: NDArray[np.void]) -> list[int]:
        """Return the device numbers of rows with a field ``sensor``."""
        return [self._numbers[sensor] for sensor in rows["sensor"].tolist()]

    def at(self, sensors: Ints, index: Floats) -> Floats:
        """Return gateway seconds of fractional indices (n,) of sensors (n,)."""
        timelines = next(iter(self.attached.values())).timeline.all
        return timelines.at(self._stream[sensors], index)

    def uncertainty_s(self) -> Floats:
        """Return the uncertainty of the clock of each sensor, 1 sigma, seconds; none before the first is attached."""
        for attached in self.attached.values():
            uncertainty_s: Floats = attached.timeline.all.uncertainty_s[self._stream]
            return uncertainty_s
        return np.zeros(0)

    def seconds(self, number: int, index: Floats) -> Floats:
        """Return gateway seconds of fractional indices of a device."""
        return self.attached[number].timeline.at(index)

    def _put_on_or_refuse(self, number: int, stream: Stream) -> None:
        self._version[number] = stream.version
        try:
            self._sensor[number] = self._put_on(number, stream)
        except ValueError as problem:  # a rate that a device may be set to, and an operator is not made for
            self._sensor[number] = NONE_YET
            if self.refuse is not None:
                self.refuse(number, str(problem))

    def _put_on(self, number: int, stream: Stream) -> int:
        """Attach a sensor that is new, again if its rate is another one now; return its number in the operator."""
        spec = stream.spec
        assert spec.rate_hz is not None
        old = self.attached.get(number)
        if old is not None and old.spec.rate_hz == spec.rate_hz:
            sensor = old.sensor
        else:
            if old is not None:
                self._detach_sensor(number)
            sensor = self.attach(number, spec.rate_hz)
        if sensor >= len(self._column):
            more = ((0, sensor + 1), (0, 0))
            self._column, self._sign = np.pad(self._column, more), np.pad(self._sign, more)
            self._stream = np.pad(self._stream, more[0])
        self._column[sensor], self._sign[sensor] = picks(self.axes[number], spec.channels)
        self._stream[sensor] = stream.timeline.number
        self.attached[number] = AttachedSensor(sensor, spec, stream.timeline)
        self._numbers[sensor] = number
        return sensor

    def _make_room(self, number: int) -> None:
        if number >= len(self._sensor):
            more = (0, number + 1)
            self._sensor = np.pad(self._sensor, more, constant_values=NOT_FED)
            self._version = np.pad(self._version, more)
