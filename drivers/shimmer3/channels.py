"""Channels of a Shimmer3's data packets, and of a Shimmer3R's: one number, and not always the same bytes.

Facts: the vendor's streaming format and firmware, and what its users publish. A packet says nothing of its layout; the
inquiry lists the numbers in packet order, and the hardware version tells which of the two tables holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

SHIMMER3, SHIMMER3R = 3, 10  # hardware versions

Y_MAG, Z_MAG = 0x08, 0x09
EXG_STATUS: Final = (0x1D, 0x20)  # of chips 1 and 2
EXG_24_BIT: Final = ((0x1E, 0x1F), (0x21, 0x22))  # channels 1 and 2 of chips 1 and 2
EXG_16_BIT: Final = ((0x23, 0x24), (0x25, 0x26))
GSR: Final = 0x1C
TEMPERATURE, PRESSURE = 0x1A, 0x1B


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a data packet.

    Attributes:
        name: As the peers name it.
        width: Bytes on the wire.
        signed: Two's complement.
        big: Big-endian.
        shift: Low bits that hold nothing.
    """

    name: str
    width: int = 2
    signed: bool = True
    big: bool = False
    shift: int = 0


def _axes(name: str, first: int, *, big: bool = False, shift: int = 0) -> dict[int, Channel]:
    return {first + i: Channel(f"{name}_{axis}", big=big, shift=shift) for i, axis in enumerate("XYZ")}


def _exg(chip: int, first: int) -> dict[int, Channel]:
    names = (f"EXG{chip}_CH1_24BIT", f"EXG{chip}_CH2_24BIT")
    status = {first: Channel(f"EXG{chip}_STATUS", 1, signed=False)}
    return status | {first + 1 + i: Channel(name, 3, big=True) for i, name in enumerate(names)}


_ADC = ("EXTERNAL_ADC_A0", "EXTERNAL_ADC_A1", "EXTERNAL_ADC_A2", "INTERNAL_ADC_A3", "INTERNAL_ADC_A0",
        "INTERNAL_ADC_A1", "INTERNAL_ADC_A2")  # fmt: skip
_EXG16 = ("EXG1_CH1_16BIT", "EXG1_CH2_16BIT", "EXG2_CH1_16BIT", "EXG2_CH2_16BIT")

CHANNELS: Mapping[int, Channel] = (
    _axes("ACCEL_LN", 0x00)
    | {0x03: Channel("VBATT")}
    | _axes("ACCEL_WR", 0x04)
    | _axes("MAG_REG", 0x07)
    | _axes("GYRO", 0x0A, big=True)
    | {0x0D + i: Channel(name, signed=False) for i, name in enumerate(_ADC)}
    | _axes("ACCEL_HG", 0x14)  # declared for a Shimmer3 too, and never sent by one
    | _axes("MAG_WR", 0x17)
    | {TEMPERATURE: Channel("TEMPERATURE", signed=False, big=True)}
    | {PRESSURE: Channel("PRESSURE", 3, signed=False, big=True)}
    | {GSR: Channel("GSR_RAW", signed=False)}
    | _exg(1, EXG_STATUS[0])
    | _exg(2, EXG_STATUS[1])
    | {0x23 + i: Channel(name, big=True) for i, name in enumerate(_EXG16)}
    | {0x27: Channel("STRAIN_HIGH", signed=False), 0x28: Channel("STRAIN_LOW", signed=False)}
)
"""Of a Shimmer3."""

CHANNELS_3R: Mapping[int, Channel] = (
    dict(CHANNELS)
    | _axes("GYRO", 0x0A)
    | _axes("ACCEL_HG", 0x14, big=True, shift=4)  # 12 bits at the upper end of 16
    | {TEMPERATURE: Channel("TEMPERATURE", 3, signed=False), PRESSURE: Channel("PRESSURE", 3, signed=False)}
)
"""Of a Shimmer3R."""

ADC_NAMES: Mapping[str, int] = {name.lower().replace("_adc", ""): 0x0D + i for i, name in enumerate(_ADC)}
"""Analogue inputs by the name that the configuration uses: ``external_a0`` to ``internal_a2``."""

_MAG_BIG = {number: replace(CHANNELS[number], big=True) for number in (0x07, Y_MAG, Z_MAG)}


def channel_table(hardware: int, channels: Sequence[int]) -> Mapping[int, Channel]:
    """Return the channels by number of a device whose packets hold ``channels``, in that order.

    The first Shimmer3s have a magnetometer (LSM303DLHC) that sends x, z, y, high byte first; the order shows it.
    """
    return _table(hardware, Z_MAG in channels and Z_MAG in channels[: _place(channels, Y_MAG)])


def _place(channels: Sequence[int], number: int) -> int:
    return channels.index(number) if number in channels else 0


@cache
def _table(hardware: int, first_magnetometer: bool) -> Mapping[int, Channel]:
    if hardware == SHIMMER3R:
        return CHANNELS_3R
    return {**CHANNELS, **_MAG_BIG} if first_magnetometer else CHANNELS
