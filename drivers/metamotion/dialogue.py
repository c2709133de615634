"""What is written to a MetaMotion: settings of its sensors until it is switched off, start, stop, and two questions.

Nothing of logging, of macros, of the flash, of the lamp or of reset is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drivers.metamotion.message import (
    ACC_RANGES_G,
    ACCELEROMETER,
    CONFIGURATION,
    ENABLE,
    FILTERED,
    FIRST_RATE_CODE,
    FUSION,
    GYRO_RANGES_DPS,
    GYROSCOPE,
    MAGNETOMETER,
    POWER,
    READ,
)

CHIPS: Final = ("bmi160", "bmi270")
CHIP_OF_MODEL: Final = {"5": "bmi160", "6": "bmi160", "8": "bmi270"}
"""Inertial sensor by the number that Device Information calls the model: MetaMotion R and RL, C, S."""
RATES_HZ: Final = (12.5, 25.0, 50.0, 100.0, 200.0)
FUSION_RATE_HZ: Final = 100.0

_NORMAL: Final = 0x20  # bandwidth of the filter, in the byte of the rate
_PACKED: Final = {"bmi160": (0x1C, 0x07), "bmi270": (0x05, 0x05)}  # registers of accelerometer and gyroscope
_QUATERNION: Final = 0x07
_NINE_AXES: Final = 1
_WITH_QUATERNION: Final = 0x08
_ALL_OUTPUTS: Final = 0x7F
_MAGNETOMETER: Final = (bytes((MAGNETOMETER, 0x04, 0x04, 0x0E)), bytes((MAGNETOMETER, 0x03, 0x06)))  # 9 and 15 of 25 Hz


@dataclass(frozen=True, slots=True)
class Settings:
    """How the sensors are to be set.

    Attributes:
        rate_hz: Output rate of both.
        range_g: Of the accelerometer.
        range_dps: Of the gyroscope.
        fused: Whether the quaternion is wanted, in place of what it is made of.
    """

    rate_hz: float
    range_g: float
    range_dps: float
    fused: bool


def configuration(settings: Settings, chip: str) -> list[bytes]:
    """Return the commands that set the sensors, and those that have them say how they are set."""
    code = FIRST_RATE_CODE + RATES_HZ.index(settings.rate_hz)
    ranges = {full: known for known, full in ACC_RANGES_G[chip].items()}
    rotation = GYRO_RANGES_DPS.index(settings.range_dps)
    found = [
        bytes(
            (
                ACCELEROMETER,
                CONFIGURATION,
                code | _NORMAL | (FILTERED if chip == "bmi270" else 0),
                ranges[settings.range_g],
            )
        ),
        bytes((GYROSCOPE, CONFIGURATION, code | _NORMAL, rotation)),
        bytes((ACCELEROMETER, CONFIGURATION | READ)),
        bytes((GYROSCOPE, CONFIGURATION | READ)),
    ]
    if settings.fused:
        acc = list(ACC_RANGES_G["bmi270"].values()).index(settings.range_g)
        found = [bytes((FUSION, ENABLE, _NINE_AXES, acc | rotation + 1 << 4)), *found, *_MAGNETOMETER]
    return found


def beginning(settings: Settings, chip: str) -> list[bytes]:
    """Return the commands that start the stream, once the sensors are set."""
    modules = _modules(settings)
    sampled = [bytes((module, ENABLE, 1, 0)) for module in modules]
    powered = [bytes((module, POWER, 1)) for module in modules]
    if settings.fused:
        told = bytes((FUSION, _QUATERNION, 1))
        return [
            told,
            *sampled,
            *powered,
            bytes((FUSION, CONFIGURATION, _WITH_QUATERNION, 0)),
            bytes((FUSION, POWER, 1)),
        ]
    told_by = zip(modules, _PACKED[chip], strict=True)
    return [*(bytes((module, register, 1)) for module, register in told_by), *sampled, *powered]


def ending(settings: Settings, chip: str) -> list[bytes]:
    """Return the commands that end it, in the other order."""
    modules = _modules(settings)
    quiet = [bytes((module, POWER, 0)) for module in modules] + [bytes((module, ENABLE, 0, 1)) for module in modules]
    if settings.fused:
        off = [bytes((FUSION, POWER, 0)), bytes((FUSION, CONFIGURATION, 0, _ALL_OUTPUTS))]
        return [*off, *quiet, bytes((FUSION, _QUATERNION, 0))]
    return [*quiet, *(bytes((module, register, 0)) for module, register in zip(modules, _PACKED[chip], strict=True))]


def commands(settings: Settings) -> frozenset[bytes]:
    """Return every command that these settings may need, whichever chip the device has."""
    parts = (configuration, beginning, ending)
    return frozenset(command for chip in CHIPS for part in parts for command in part(settings, chip))


def _modules(settings: Settings) -> tuple[int, ...]:
    return (ACCELEROMETER, GYROSCOPE, MAGNETOMETER) if settings.fused else (ACCELEROMETER, GYROSCOPE)
