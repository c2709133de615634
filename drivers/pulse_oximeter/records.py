"""What a pulse oximeter sends: Bluetooth SIG Pulse Oximeter Service 1.0.1, sections 3.1 and 3.2."""

from __future__ import annotations

from typing import Final

from drivers.gatt.record import SFLOAT, TIME, U16, U24, Field, Reading, Record

CONTINUOUS: Final = Record(
    1,
    (
        Field("spo2", SFLOAT), Field("pr", SFLOAT),
        Field("spo2_fast", SFLOAT, 0), Field("pr_fast", SFLOAT, 0),
        Field("spo2_slow", SFLOAT, 1), Field("pr_slow", SFLOAT, 1),
        Field("status", U16, 2), Field("sensor_status", U24, 3), Field("pai", SFLOAT, 4),
    ),
)  # fmt: skip
"""Saturation in %, pulse rate a minute, pulse amplitude index in %; fast and slow: means of shorter and longer time."""
SPOT: Final = Record(
    1,
    (
        Field("spo2", SFLOAT), Field("pr", SFLOAT), Field("time", TIME, 0),
        Field("status", U16, 1), Field("sensor_status", U24, 2), Field("pai", SFLOAT, 3),
    ),
)  # fmt: skip

CLOCK_NOT_SET: Final = 0x10  # flag of a spot check: its time says nothing
UNAVAILABLE, INVALID = 1 << 13, 1 << 15  # bits of the measurement status
NOBODY: Final = 1 << 11 | 1 << 13 | 1 << 15
"""Bits of the sensor status: not on the patient, displaced, disconnected."""


def parse_continuous(data: bytes) -> Reading:
    """Read one PLX Continuous Measurement (0x2A5F); raises MalformedFrameError when a field is cut."""
    return CONTINUOUS.whole(data)


def parse_spot(data: bytes) -> Reading:
    """Read one PLX Spot-check Measurement (0x2A5E); raises MalformedFrameError when a field is cut."""
    return SPOT.whole(data)
