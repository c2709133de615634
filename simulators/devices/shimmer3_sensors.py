"""What a Shimmer3 or 3R has beside inertial sensors, written from the vendor's firmware: values to bytes of a packet.

ExG: two ADS1292R, of which the firmware hands on the high byte of the status shifted by one, and 24 bits a channel, or
16 of them from the second on. GSR: 12 bits of 3 V, and above them which feedback resistor is in. Pressure: a BMP280 in
a Shimmer3, a BMP581 in a Shimmer3R.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from simulators.body.electrodes import Electrodes
from simulators.motion.source import Floats

Exg = Literal["ecg", "emg"]

ECG_GAIN, EMG_GAIN = 4, 12
_ECG_PGA, _EMG_PGA = 4 << 4, 6 << 4  # as the registers write these gains
EXG_REGISTERS: Final = {  # as the vendor's software writes them, with leads-off comparators on
    "ecg": (
        bytes((0x02, 0xE0, 0x10, _ECG_PGA, _ECG_PGA, 0x2D, 0x07, 0x00, 0x02, 0x03)),
        bytes((0x02, 0xE0, 0x10, _ECG_PGA, _ECG_PGA | 7, 0x00, 0x04, 0x00, 0x02, 0x01)),
    ),
    "emg": (
        bytes((0x02, 0xE0, 0x10, _EMG_PGA | 9, _EMG_PGA, 0x20, 0x03, 0x00, 0x02, 0x03)),
        bytes((0x02, 0xA0, 0x10, 0x81, 0x81, 0x00, 0x00, 0x00, 0x02, 0x01)),
    ),
}  # fmt: skip
REFERENCE_MV: Final = 2420.0
FRESH: Final = 0x80  # in the status byte: the values are new
FEEDBACK_KOHM: Final = (40.2, 287.0, 1000.0, 3300.0)
UP_TO_KOHM: Final = (63.0, 220.0, 680.0)  # of skin: the first three resistors reach so far
ADC_TOP, ADC_V, GSR_V = 4095, 3.0, 0.5
PULSE_DARK, PULSE_LIGHT = 1200, 1500  # counts
BMP280_COEFFICIENTS: Final = bytes.fromhex("7a6a0d6632007f9016d7d00bbc1b2afff9ff8c3cf8c67017")
BMP280_WORDS: Final = (33966, 5540976)  # with these coefficients 33.43 degrees Celsius and 100,805 Pa
BMP581_CELSIUS, BMP581_PASCALS = 31.25, 100_805.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part that fills channels of a packet.

    Attributes:
        sensors: Bit of the command that chooses sensors, little-endian.
        channels: Channel numbers, in packet order.
        encode: Bytes of each sample, from times (n,).
    """

    sensors: int
    channels: tuple[int, ...]
    encode: Callable[[Floats], list[bytes]]


class WornParts:
    """The parts of one unit, worn by somebody.

    Args:
        worn: By whom.
        exg: What the ExG amplifiers are set up for.
        newer: Whether it is a Shimmer3R.

    Attributes:
        leads_off: Bits of leads that are off, of chips 1 and 2.
        electrodes_open: Whether the GSR electrodes touch nobody.
    """

    def __init__(self, worn: Electrodes, exg: Exg, *, newer: bool) -> None:
        self._worn, self._exg, self._newer = worn, exg, newer
        self.leads_off = [0, 0]
        self.electrodes_open = False

    @property
    def registers(self) -> tuple[bytes, bytes]:
        """Of both ExG chips."""
        return EXG_REGISTERS[self._exg]

    @property
    def analogue(self) -> list[Part]:
        """Analogue inputs in packet order, GSR last."""
        return [Part(0x000100, (0x12,), self._pulse), Part(0x000004, (0x1C,), self._conductance)]

    @property
    def barometer(self) -> Part:
        """Temperature and pressure; a Shimmer3R sends them the other way round."""
        return Part(0x040000, (0x1B, 0x1A) if self._newer else (0x1A, 0x1B), self._surroundings)

    @property
    def amplifiers(self) -> list[Part]:
        """Both ExG chips, with 24 or 16 bits a channel."""
        return [
            Part(0x000010, (0x1D, 0x1E, 0x1F), lambda t: self._chip(t, 0, wide=True)),
            Part(0x100000, (0x1D, 0x23, 0x24), lambda t: self._chip(t, 0, wide=False)),
            Part(0x000008, (0x20, 0x21, 0x22), lambda t: self._chip(t, 1, wide=True)),
            Part(0x080000, (0x20, 0x25, 0x26), lambda t: self._chip(t, 1, wide=False)),
        ]

    def _millivolts(self, time_s: Floats, chip: int) -> Floats:
        """Return what the channels of a chip see (n, 2), before its gain."""
        nothing = np.zeros(len(time_s))
        if self._exg == "emg":
            return self._worn.emg_mv(time_s) if chip == 0 else np.stack([nothing, nothing], axis=1)
        leads = self._worn.ecg_mv(time_s)
        return leads[:, :2] if chip == 0 else np.stack([nothing, leads[:, 2]], axis=1)

    def _chip(self, time_s: Floats, chip: int, *, wide: bool) -> list[bytes]:
        gain = EMG_GAIN if self._exg == "emg" else ECG_GAIN
        counts = np.rint(self._millivolts(time_s, chip) * gain / REFERENCE_MV * (2**23 - 1))
        counts = np.clip(counts, -(2**23), 2**23 - 1).astype(np.int64)
        status = bytes((FRESH | self.leads_off[chip],))
        return [
            status + b"".join(each.to_bytes(3, "big", signed=True) for each in row) if wide
            else status + b"".join((each >> 7 & 0xFFFF).to_bytes(2, "big") for each in row)
            for row in counts.tolist()
        ]  # fmt: skip

    def _conductance(self, time_s: Floats) -> list[bytes]:
        return [struct.pack("<H", self._gsr_word(us)) for us in self._worn.conductance_us(time_s).tolist()]

    def _gsr_word(self, us: float) -> int:
        if self.electrodes_open:
            return 3 << 14 | int(GSR_V / ADC_V * ADC_TOP)
        kohm = 1000.0 / us
        chosen = sum(kohm >= limit for limit in UP_TO_KOHM)
        volts = GSR_V * (1 + FEEDBACK_KOHM[chosen] / kohm)
        return chosen << 14 | min(ADC_TOP, round(volts / ADC_V * ADC_TOP))

    def _pulse(self, time_s: Floats) -> list[bytes]:
        counts = np.rint(PULSE_DARK + PULSE_LIGHT * self._worn.pulse(time_s)).astype(np.int64)
        return [struct.pack("<H", count) for count in counts.tolist()]

    def _surroundings(self, time_s: Floats) -> list[bytes]:
        if self._newer:
            words = round(BMP581_PASCALS * 64), round(BMP581_CELSIUS * 65536)
            sample = b"".join(word.to_bytes(3, "little") for word in words)
        else:
            temperature, pressure = BMP280_WORDS
            sample = temperature.to_bytes(2, "big") + pressure.to_bytes(3, "big")
        return [sample] * len(time_s)

    def coefficients(self) -> bytes:
        """Return the answer to the question for the pressure sensor's coefficients."""
        content = bytes((3,)) if self._newer else bytes((1,)) + BMP280_COEFFICIENTS
        return bytes((0xA6, len(content))) + content
