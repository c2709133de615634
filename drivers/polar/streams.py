"""What a Polar sensor can stream: names as in a configuration, types of measurement, channels, rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

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


def _wave(kind: int, name: str, units: Mapping[str, str], *, rate_hz: float, limit: float) -> Wave:
    return Wave(kind, StreamSpec(name, tuple(units), tuple(units.values()), rate_hz, TICK_HZ, TICK_BITS), limit)


def _axes(name: str, unit: str) -> dict[str, str]:
    return {f"{name}_{axis}": unit for axis in "xyz"}


_LIGHT = dict.fromkeys(("ppg_1", "ppg_2", "ppg_3", "ambient"), "1")

WAVES: Final[Mapping[str, Wave]] = {
    wave.spec.name: wave
    for wave in (
        _wave(ECG, "ecg", {"ecg_1": "mV"}, rate_hz=130.0, limit=2.0**23 * 1e-3),
        _wave(PPG, "ppg", _LIGHT, rate_hz=55.0, limit=2.0**31),
        _wave(ACCELERATION, "acceleration", _axes("acc", "m/s2"), rate_hz=50.0, limit=320.0),
        _wave(ROTATION, "rotation", _axes("gyr", "rad/s"), rate_hz=52.0, limit=70.0),
        _wave(
            MAGNETIC_FIELD, "magnetic_field", _axes("mag", "uT") | {"calibration": "1"}, rate_hz=20.0, limit=10_000.0
        ),
        _wave(PRESSURE, "air_pressure", {"pressure": "Pa"}, rate_hz=1.0, limit=250_000.0),
        _wave(TEMPERATURE, "sensor_temperature", {"temperature": "Cel"}, rate_hz=1.0, limit=200.0),
    )
}
BY_KIND: Final[Mapping[int, Wave]] = {wave.kind: wave for wave in WAVES.values()}

PULSES: Final = "ppi"  # as the configuration calls intervals between pulses: they come as the stream rr
CHOICES: Final = (*WAVES, PULSES)
KINDS: Final[Mapping[str, int]] = {name: wave.kind for name, wave in WAVES.items()} | {PULSES: PPI}

BY_DEFAULT: Final = ("ecg", "ppg")
"""The wave that a device has, one or the other: who writes `polar` rather than `heart_rate` wants it."""
