"""What a Shimmer has told of itself before its inquiry reply, and the signals that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from drivers.errors import MalformedFrameError
from drivers.shimmer3.channels import (
    ADC_NAMES,
    EXG_16_BIT,
    EXG_24_BIT,
    GSR,
    PRESSURE,
    SHIMMER3,
    SHIMMER3R,
    TEMPERATURE,
)
from drivers.shimmer3.exg import Chip, leads_of, parse_registers, use_of
from drivers.shimmer3.pressure import Barometer, parse_barometer
from drivers.shimmer3.protocol import (
    EXG_REPLY,
    HARDWARE_REPLY,
    SECOND_STATUS_BYTE_FROM,
    Inquiry,
    parse_hardware,
)
from drivers.shimmer3.signals import (
    AirPressure,
    Potentials,
    PulseWave,
    SensorTemperature,
    Signal,
    SkinConductance,
)

ExgChoice = Literal["auto", "ecg", "emg"]

OLD_FIRMWARE_BEFORE: Final = (0, 5, 4)  # LogAndStream: 16-bit stamps
EXG_CHIPS: Final = 2
EXG_CHANNELS: Final = frozenset(number for chip in (*EXG_24_BIT, *EXG_16_BIT) for number in chip)
PULSE_INPUTS: Final = (ADC_NAMES["internal_a1"], ADC_NAMES["internal_a0"])  # of a GSR+ unit, the usual one first

NO_EXG_REGISTERS: Final = "ExG channels without the registers that tell their gain"
EXG_TEST: Final = "the ExG amplifiers measure their own test signal"
EXG_UNKNOWN: Final = "ExG set up as neither ECG nor EMG: the option exg says which it is"
NO_ELECTRODES: Final = "no ExG channel is connected to electrodes"
NO_BAROMETER: Final = "pressure channels without the coefficients of the sensor"


@dataclass
class Announced:
    """Answers so far.

    Attributes:
        hardware: Version; a Shimmer3 where it was not told.
        firmware: Version, or None.
        chips: ExG amplifiers.
        barometer: The pressure sensor, or None.
    """

    hardware: int = SHIMMER3
    firmware: tuple[int, int, int] | None = None
    chips: list[Chip] = field(default_factory=list)
    barometer: Barometer | None = None

    @property
    def stamp_bytes(self) -> int:
        """Of a time stamp, by the firmware."""
        old = self.hardware == SHIMMER3 and self.firmware is not None and self.firmware < OLD_FIRMWARE_BEFORE
        return 2 if old else 3

    @property
    def status_bytes(self) -> int:
        """Of the status in a reply, by hardware and firmware."""
        more = self.hardware == SHIMMER3R and self.firmware is not None and self.firmware >= SECOND_STATUS_BYTE_FROM
        return 2 if more else 1

    def take(self, reply: bytes) -> None:
        """Read an answer of the dialogue; raises MalformedFrameError."""
        if reply[:1] == bytes((HARDWARE_REPLY,)):
            self.hardware = parse_hardware(reply)
        elif reply[:1] == bytes((EXG_REPLY,)):
            if len(self.chips) == EXG_CHIPS:
                raise MalformedFrameError("a third ExG chip")
            self.chips.append(parse_registers(reply))
        else:
            self.barometer = parse_barometer(reply)

    def signals(
        self, inquiry: Inquiry, *, exg: ExgChoice, ppg: Sequence[int] | None, faults: Counter[str]
    ) -> tuple[Signal, ...]:
        """Return what the packets hold beside movement; ``ppg`` are the inputs of a pulse sensor, None for the usual.

        What cannot be told in units is left out and counted.
        """
        found = [*self._potentials(inquiry, exg, faults), *_skin(inquiry, ppg)]
        if {TEMPERATURE, PRESSURE} <= set(inquiry.channels):
            if self.barometer is None:
                faults[NO_BAROMETER] += 1
            else:
                barometer = replace(self.barometer, oversampling=inquiry.pressure_oversampling)
                found += [SensorTemperature(barometer), AirPressure(barometer)]
        return tuple(found)

    def _potentials(self, inquiry: Inquiry, exg: ExgChoice, faults: Counter[str]) -> list[Signal]:
        if not EXG_CHANNELS & set(inquiry.channels):
            return []
        use = use_of(self.chips) if exg == "auto" else exg
        if not self.chips or use in {"", "test"}:
            faults[NO_EXG_REGISTERS if not self.chips else EXG_TEST if use else EXG_UNKNOWN] += 1
            return []
        try:
            leads = leads_of(self.chips, inquiry.channels)
        except MalformedFrameError as problem:
            faults[str(problem)] += 1
            return []
        if not leads:
            faults[NO_ELECTRODES] += 1
            return []
        return [Potentials(use, leads)]


def _skin(inquiry: Inquiry, ppg: Sequence[int] | None) -> list[Signal]:
    """Without a word about it, only a GSR+ unit is taken to have a pulse sensor, and at one of its usual inputs."""
    channels, found = inquiry.channels, list[Signal]()
    if GSR in channels:
        found.append(SkinConductance())
    usual = [number for number in PULSE_INPUTS if number in channels][:1] if GSR in channels else []
    inputs = tuple(number for number in (usual if ppg is None else ppg) if number in channels)
    return [*found, PulseWave(inputs)] if inputs else found
