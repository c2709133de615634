"""A treadmill and a bike: Bluetooth SIG Fitness Machine Service 1.0 (0x1826), well-behaved or as some in the field."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar, Literal

from bumble.gatt import Service

from simulators.body.exercise import Exercise
from simulators.devices.periodic import PeriodicDevice
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import characteristic

MACHINE_STATUS, CONTROL_POINT = "2ADA", "2AD9"
STARTED, STOPPED = b"\x04", b"\x02\x01"
FIXED_BYTES = 20
KMH = 3.6

Manner = Literal["whole", "split", "fixed"]
"""One notification a record; two; or one of twenty bytes, whatever the flags say."""

_MORE, _DISTANCE, _SLOPE, _ENERGY, _ELAPSED, _POWER = 0x0001, 0x0004, 0x0008, 0x0080, 0x0400, 0x1000
_BIKE_CADENCE, _BIKE_DISTANCE, _BIKE_POWER = 0x0004, 0x0010, 0x0040


def treadmill(exercise: Exercise, now_s: float, manner: Manner) -> list[bytes]:
    """Return the notifications of one Treadmill Data record (section 4.9)."""
    speed = struct.pack("<H", round(exercise.speed(now_s) * KMH * 100))
    distance = round(exercise.distance_m(now_s)).to_bytes(3, "little")
    slope, elapsed = struct.pack("<hh", 15, 9), struct.pack("<H", round(exercise.lasted_s(now_s)))
    energy = struct.pack("<HHB", round(exercise.energy_kcal(now_s)), 0xFFFF, 0xFF)
    power = struct.pack("<hh", 0x7FFF, round(exercise.power_w if exercise.works(now_s) else 0))
    if manner == "split":
        first = struct.pack("<H", _MORE | _DISTANCE | _SLOPE | _ENERGY) + distance + slope + energy
        return [first, struct.pack("<H", _ELAPSED | _POWER) + speed + elapsed + power]
    flags = struct.pack("<H", _DISTANCE | _SLOPE | _ENERGY | _ELAPSED | _POWER)
    whole = flags + speed + distance + slope + energy + elapsed + power
    return [whole[:FIXED_BYTES]] if manner == "fixed" else [whole]


def bike(exercise: Exercise, now_s: float) -> list[bytes]:
    """Return one Indoor Bike Data record (section 4.8)."""
    works = exercise.works(now_s)
    flags = _BIKE_CADENCE | _BIKE_DISTANCE | _BIKE_POWER
    speed, cadence = round(exercise.speed(now_s) * KMH * 100), round(2 * exercise.cadence) if works else 0
    distance = round(exercise.distance_m(now_s)).to_bytes(3, "little")
    return [struct.pack("<HHH", flags, speed, cadence) + distance + struct.pack("<h", round(exercise.power_w * works))]


class Treadmill(PeriodicDevice):
    """A simulated treadmill.

    Args:
        exercise: What the patient does on it.
        manner: How it sends its records.

    Attributes:
        written: What was written to its control point: nothing may be.
    """

    service: ClassVar[int] = 0x1826
    measurement: ClassVar[str] = "2ACD"
    model: ClassVar[str] = "Treadmill"

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, exercise: Exercise, manner: Manner = "whole"
    ) -> None:
        super().__init__(name=name, timeline=timeline, hub=hub, address=address)
        self._exercise, self._manner = exercise, manner
        self._status = characteristic(MACHINE_STATUS, notify=True)
        self._worked = False
        self.written: list[bytes] = []

    def services(self) -> list[Service]:
        """Return the GATT services, with a control point that could steer it."""
        first, *rest = super().services()
        control = characteristic(CONTROL_POINT, write=self.written.append, indicate=True)
        return [Service(f"{self.service:04X}", [*first.characteristics, self._status, control]), *rest]

    def records(self, now_s: float) -> Sequence[bytes]:
        """Return the record of a moment; tell when it starts and stops."""
        works = self._exercise.works(now_s)
        if works != self._worked and self.notify(self._status, [STARTED if works else STOPPED]):
            self._worked = works
        return self._data(now_s)

    def _data(self, now_s: float) -> Sequence[bytes]:
        return treadmill(self._exercise, now_s, self._manner)


class Bike(Treadmill):
    """A simulated bike that stands."""

    measurement: ClassVar[str] = "2AD2"
    model: ClassVar[str] = "Bike"

    def _data(self, now_s: float) -> Sequence[bytes]:
        return bike(self._exercise, now_s)
