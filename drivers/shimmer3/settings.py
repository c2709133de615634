"""What the options of a Shimmer ask for: which sensors are on, and how they are to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drivers.shimmer3.channels import ADC_NAMES
from drivers.shimmer3.protocol import SET_SENSORS

SENSOR_BITS: Final[Mapping[str, int]] = {
    "gyroscope": 1 << 6,
    "low_noise": 1 << 7,
    "wide_range": 1 << 12,
    "high_g": 1 << 22,
    "magnetometer": 1 << 5,
    "second_magnetometer": 1 << 21,
    "gsr": 1 << 2,
    "pressure": 1 << 18,
    "exg_24_bit": 1 << 4 | 1 << 3,
    "exg_16_bit": 1 << 20 | 1 << 19,
    "exg1_24_bit": 1 << 4,
    "exg1_16_bit": 1 << 20,
    "external_a1": 1 << 0,
    "external_a0": 1 << 1,
    "internal_a1": 1 << 8,
    "internal_a0": 1 << 9,
    "internal_a3": 1 << 10,
    "external_a2": 1 << 11,
    "internal_a2": 1 << 23,
}
"""Bits of the command that switches sensors on, by the names of the option ``sensors``."""


def sensors_command(sensors: Sequence[str]) -> bytes:
    """Return the command that switches on exactly these; raises ValueError with the names there are."""
    unknown = next((name for name in sensors if name not in SENSOR_BITS), None)
    if unknown is not None:
        raise ValueError(f"a Shimmer3 has no sensor '{unknown}': known are {', '.join(SENSOR_BITS)}")
    if not sensors:
        raise ValueError("a Shimmer3 with no sensor switched on sends nothing: name at least one in 'sensors'")
    mask = 0
    for name in sensors:
        mask |= SENSOR_BITS[name]
    return bytes((SET_SENSORS,)) + mask.to_bytes(3, "little")


def pulse_inputs(names: str | Sequence[str]) -> tuple[int, ...] | None:
    """Return the channel numbers of a pulse sensor's inputs, None for the usual; raises ValueError."""
    if names == "auto":
        return None
    chosen = [names] if isinstance(names, str) else list(names)
    unknown = next((name for name in chosen if name not in ADC_NAMES), None)
    if unknown is not None:
        raise ValueError(f"a Shimmer3 has no analogue input '{unknown}': known are {', '.join(ADC_NAMES)}")
    return tuple(ADC_NAMES[name] for name in chosen)
