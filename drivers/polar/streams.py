"""What a Polar sensor can stream: names as in a configuration, types of measurement, channels, rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from drivers.heart_rate.driver import HEART_RATE, RR
from drivers.packet import StreamSpec
from drivers.polar.frame import (
    ACCELERATION,
    ECG,
    MAGNETIC_FIELD,
    PPG,
    PPI,
    PRESSURE,
    ROTATION,
    TEMPERATURE,
    TICK_BITS,
    TICK_HZ,
)

PULSE_INTERVALS: Final = StreamSpec("rr", ("rr", "error"), ("s", "s"))


class Wave(NamedTuple):
    """A measurement that is sampled at a rate.

    Attributes:
        kind: Its type.
        spec: Its stream, at the rate that is asked for unless the configuration names another: the nearest there is.
        limit: Largest magnitude, in the stream's unit, that a sensor can mean: twice the widest range there is.
    """

    kind: int
    spec: StreamSpec
    limit: float


def _wave(kind: int, name: str, channels: tuple[str, ...], units: tuple[str, ...], rate_hz: float, limit: float) -> Wave:  # noqa: PLR0917 - a row of the table below
    return Wave(kind, StreamSpec(name, channels, units, rate_hz, TICK_HZ, TICK_BITS), limit)


_XYZ = ("x", "y", "z")

WAVES: Final[Mapping[str, Wave]] = {
    wave.spec.name: wave
    for wave in (
        _wave(ECG, "ecg", ("ecg_1",), ("mV",), 130.0, 2.0**23 * 1e-3),
        _wave(PPG, "ppg", ("ppg_1", "ppg_2", "ppg_3", "ambient"), ("1",) * 4, 55.0, 2.0**31),
        _wave(ACCELERATION, "acceleration", tuple(f"acc_{a}" for a in _XYZ), ("m/s2",) * 3, 50.0, 320.0),
        _wave(ROTATION, "rotation", tuple(f"gyr_{a}" for a in _XYZ), ("rad/s",) * 3, 52.0, 70.0),
        _wave(
            MAGNETIC_FIELD, "magnetic_field", (*(f"mag_{a}" for a in _XYZ), "calibration"), ("uT",) * 3 + ("1",), 20.0,
            10_000.0,
        ),
        _wave(PRESSURE, "air_pressure", ("pressure",), ("Pa",), 1.0, 250_000.0),
        _wave(TEMPERATURE, "sensor_temperature", ("temperature",), ("Cel",), 1.0, 200.0),
    )
}  # fmt: skip
BY_KIND: Final[Mapping[int, Wave]] = {wave.kind: wave for wave in WAVES.values()}

PULSES: Final = "ppi"  # as the configuration calls intervals between pulses: they come as the stream rr
CHOICES: Final = (*WAVES, PULSES)
KINDS: Final[Mapping[str, int]] = {name: wave.kind for name, wave in WAVES.items()} | {PULSES: PPI}

BY_DEFAULT: Final = ("ecg", "ppg")
"""The wave that a device has: who writes `polar` rather than `heart_rate` wants it, and a sensor has one or the other."""

__all__ = ["BY_DEFAULT", "BY_KIND", "CHOICES", "HEART_RATE", "KINDS", "PULSES", "PULSE_INTERVALS", "RR", "WAVES", "Wave"]
