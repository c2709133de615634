"""The two ExG amplifiers (ADS1292R) of a Shimmer: what their registers say of a channel, and counts to millivolts.

Of each chip the ten registers CONFIG1, CONFIG2, LOFF, CH1SET, CH2SET, RLD_SENS, LOFF_SENS, LOFF_STAT, RESP1, RESP2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from drivers.errors import MalformedFrameError
from drivers.shimmer3.channels import EXG_16_BIT, EXG_24_BIT, EXG_STATUS
from drivers.shimmer3.protocol import EXG_REGISTERS, EXG_REPLY, body

Use = Literal["ecg", "emg", "test", ""]

_CONFIG2, _CH1SET, _RLD_SENS, _LOFF_SENS, _RESP1 = 1, 3, 5, 6, 8
_GAINS: Final = (6, 1, 2, 3, 4, 8, 12)
_POWERED_DOWN = 0x80
_INPUT_BITS = 0x0F
_ELECTRODES: Final = (0, 6, 7, 8, 9)  # inputs of a channel that are no short, supply, thermometer or test signal
_ECG, _EMG, _TEST = ((0, 0), (0, 7)), ((9, 0), (1, 1)), ((5, 5), (5, 5))  # inputs as the vendor's software sets them
_RESPIRATION = 0xC0
_COMPARATORS, _REFERENCE_4V = 0x40, 0x10
_REFERENCE_MV, _REFERENCE_4V_MV = 2420.0, 4033.0
_RIGHT_LEG = 0x10
_LEADS_OFF = 0x1F
_TOP_24, _TOP_16 = 2**23 - 1, 2**15 - 1
_DOUBLED = 2  # the firmware sends 16 of the 24 bits from the second one on


@dataclass(frozen=True, slots=True)
class Chip:
    """Registers of one amplifier."""

    registers: bytes

    @property
    def inputs(self) -> tuple[int, int]:
        """What channels 1 and 2 are connected to."""
        return self.registers[_CH1SET] & _INPUT_BITS, self.registers[_CH1SET + 1] & _INPUT_BITS

    @property
    def watched(self) -> int:
        """Bits of the status byte that tell of a lead that is off; none where nothing looks for one."""
        if not self.registers[_CONFIG2] & _COMPARATORS:
            return 0
        return (self.registers[_LOFF_SENS] & _LEADS_OFF >> 1) | (self.registers[_RLD_SENS] & _RIGHT_LEG)

    def measures(self, channel: int) -> bool:
        """Whether a channel (0 or 1) is powered and connected to electrodes."""
        setting = self.registers[_CH1SET + channel]
        return not setting & _POWERED_DOWN and setting & _INPUT_BITS in _ELECTRODES

    def millivolts(self, channel: int, *, wide: bool) -> float:
        """Millivolts a count of 24 bits (``wide``) or of 16; raises MalformedFrameError for a gain there is not."""
        code = self.registers[_CH1SET + channel] >> 4 & 7
        if code >= len(_GAINS):
            raise MalformedFrameError("an ExG gain that is not known")
        full = _REFERENCE_4V_MV if self.registers[_CONFIG2] & _REFERENCE_4V else _REFERENCE_MV
        return full / _GAINS[code] / (_TOP_24 if wide else _DOUBLED * _TOP_16)


@dataclass(frozen=True, slots=True)
class Lead:
    """One channel of an amplifier in the packets.

    Attributes:
        number: Its channel number.
        status: Channel number of the chip's status byte; None where the packets have none.
        watched: Bits of that byte that tell of a lead that is off.
        millivolts: A count.
        top: Largest count.
    """

    number: int
    status: int | None
    watched: int
    millivolts: float
    top: int


def parse_registers(reply: bytes) -> Chip:
    """Read the reply to 0x63 for all ten registers; raises MalformedFrameError."""
    data = body(reply, EXG_REPLY, 1 + EXG_REGISTERS)
    if data[0] != EXG_REGISTERS:
        raise MalformedFrameError("unexpected count of ExG registers")
    return Chip(data[1:])


def use_of(chips: Sequence[Chip]) -> Use:
    """Return what the vendor's software has set the amplifiers to; empty for anything else."""
    if not chips:
        return ""
    first, second = chips[0].inputs, chips[1].inputs if len(chips) > 1 else None
    if first == _EMG[0] and second in {None, _EMG[1]}:
        return "emg"
    if first == _TEST[0] and second in {None, _TEST[1]}:
        return "test"
    return "ecg" if first == _ECG[0] and second in {None, _ECG[1]} else ""


def leads_of(chips: Sequence[Chip], channels: Sequence[int]) -> tuple[Lead, ...]:
    """Return the channels of amplifiers that are in the packets and on electrodes; raises MalformedFrameError."""
    standard_ecg = use_of(chips) == "ecg"
    found = []
    for at, chip in enumerate(chips):
        for channel in (0, 1):
            breathing = at == 1 and channel == 0 and (standard_ecg or _breathes(chip))
            if breathing or not chip.measures(channel):
                continue  # in the standard ECG this channel is connected to nothing, or to the breathing circuit
            for numbers, wide in ((EXG_24_BIT, True), (EXG_16_BIT, False)):
                if numbers[at][channel] in channels:
                    status = EXG_STATUS[at] if EXG_STATUS[at] in channels else None
                    scale = chip.millivolts(channel, wide=wide)
                    top = _TOP_24 if wide else _TOP_16
                    found.append(Lead(numbers[at][channel], status, chip.watched, scale, top))
    return tuple(found)


def _breathes(chip: Chip) -> bool:
    return chip.registers[_RESP1] & _RESPIRATION == _RESPIRATION
