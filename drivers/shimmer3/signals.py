"""What a Shimmer sends beside movement: from whole packets to the samples of one stream each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Flag, Samples, Ticks
from drivers.shimmer3.channels import GSR, PRESSURE, TEMPERATURE
from drivers.shimmer3.exg import Lead
from drivers.shimmer3.gsr import conductance
from drivers.shimmer3.pressure import Barometer
from drivers.shimmer3.stream import Bytes, Layout

Flags = NDArray[np.uint8]

ADC_TOP: Final = 4095


class Signal(ABC):
    """One stream; equal signals of several connections are decoded at once."""

    stream: str

    @property
    @abstractmethod
    def channels(self) -> tuple[str, ...]:
        """Names of its channels."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """UCUM unit of all of them."""

    @abstractmethod
    def measure(self, layout: Layout, rows: Bytes) -> tuple[Samples, Flags]:
        """Return samples (n, channels) and flags (n,) of whole packets (n, size)."""


@dataclass(frozen=True)
class Potentials(Signal):
    """ECG or EMG: channels of the ExG amplifiers.

    Attributes:
        stream: ``"ecg"`` or ``"emg"``; its channels are numbered from 1.
        leads: In that order.
    """

    stream: str
    leads: tuple[Lead, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """Numbered in the order of the chips."""
        return tuple(f"{self.stream}_{number}" for number in range(1, len(self.leads) + 1))

    @property
    def unit(self) -> str:
        """Millivolts at the electrodes."""
        return "mV"

    def measure(self, layout: Layout, rows: Bytes) -> tuple[Samples, Flags]:
        """A lead that is off marks the sample, and so does a count at the end of its range."""
        counts = _counts(layout, rows, [lead.number for lead in self.leads])
        tops = np.array([lead.top for lead in self.leads])
        clipped = ((counts >= tops) | (counts < -tops)).any(axis=1)
        flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))
        for status, watched in dict.fromkeys((lead.status, lead.watched) for lead in self.leads):
            if status is not None and watched:
                off = layout.raw(rows, (status,))[:, 0] & watched != 0
                flags[off] |= np.uint8(Flag.NO_CONTACT)
        return counts * np.array([lead.millivolts for lead in self.leads]), flags


def _counts(layout: Layout, rows: Bytes, numbers: Sequence[int]) -> Ticks:
    """Raw values (n, numbers); chips may differ in how many bits they send."""
    if len({layout.places[number][1].width for number in numbers}) == 1:
        return layout.raw(rows, numbers)
    return np.concatenate([layout.raw(rows, (number,)) for number in numbers], axis=1)


@dataclass(frozen=True)
class SkinConductance(Signal):
    """Of the GSR amplifier."""

    stream: str = "skin_conductance"

    @property
    def channels(self) -> tuple[str, ...]:
        """One."""
        return ("conductance",)

    @property
    def unit(self) -> str:
        """Microsiemens."""
        return "uS"

    def measure(self, layout: Layout, rows: Bytes) -> tuple[Samples, Flags]:
        """The range is in each sample."""
        values, flags = conductance(layout.raw(rows, (GSR,))[:, 0])
        return values[:, None], flags


@dataclass(frozen=True)
class PulseWave(Signal):
    """An optical pulse sensor at analogue inputs.

    Attributes:
        inputs: Channel numbers.
    """

    inputs: tuple[int, ...]
    stream: str = "ppg"

    @property
    def channels(self) -> tuple[str, ...]:
        """Numbered in the order of the inputs."""
        return tuple(f"ppg_{number}" for number in range(1, len(self.inputs) + 1))

    @property
    def unit(self) -> str:
        """Counts of the converter."""
        return "1"

    def measure(self, layout: Layout, rows: Bytes) -> tuple[Samples, Flags]:
        """Counts as they are: what they mean depends on the probe."""
        counts = layout.raw(rows, self.inputs)
        clipped = ((counts <= 0) | (counts >= ADC_TOP)).any(axis=1)
        return counts.astype(np.float64), np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))


@dataclass(frozen=True)
class Surroundings(Signal):
    """What the pressure sensor tells."""

    barometer: Barometer

    def _measured(self, layout: Layout, rows: Bytes) -> tuple[Samples, Samples]:
        return self.barometer.measure(*(layout.raw(rows, (number,))[:, 0] for number in (TEMPERATURE, PRESSURE)))


@dataclass(frozen=True)
class SensorTemperature(Surroundings):
    """Inside the sensor's case, which is not that of the skin."""

    stream: str = "sensor_temperature"

    @property
    def channels(self) -> tuple[str, ...]:
        """One."""
        return ("temperature",)

    @property
    def unit(self) -> str:
        """Degrees Celsius."""
        return "Cel"

    def measure(self, layout: Layout, rows: Bytes) -> tuple[Samples, Flags]:
        """By the coefficients of the sensor."""
        celsius, _ = self._measured(layout, rows)
        return celsius[:, None], np.zeros(len(rows), np.uint8)


@dataclass(frozen=True)
class AirPressure(Surroundings):
    """Of the air around the sensor."""

    stream: str = "air_pressure"

    @property
    def channels(self) -> tuple[str, ...]:
        """One."""
        return ("pressure",)

    @property
    def unit(self) -> str:
        """Pascals."""
        return "Pa"

    def measure(self, layout: Layout, rows: Bytes) -> tuple[Samples, Flags]:
        """By the coefficients of the sensor."""
        _, pascals = self._measured(layout, rows)
        return pascals[:, None], np.zeros(len(rows), np.uint8)
