"""The simulators of inertial sensors at the end of a cable, one each, on somebody who walks."""

from __future__ import annotations

from simulators.devices.microstrain import MicroStrain
from simulators.devices.xsens_mti import XsensMti
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place

RATE_HZ = 100.0
FIRST_MTI = 0x03700000


def microstrain(place: Place) -> PlacedDevice:
    """MicroStrain inertial sensor (MIP), serial port: acceleration, rotation, field, orientation, pressure."""
    source = place.sensor("lower_back", RATE_HZ)
    serial = f"6284.{100_000 + place.number}"
    device = MicroStrain(name=place.name, timeline=place.timeline, path=place.port, source=source, serial=serial)
    return PlacedDevice(device, "microstrain", place.worn or "lower_back", port=place.port, axes=place.axes)


def xsens_mti(place: Place) -> PlacedDevice:
    """Xsens MTi (Xbus), serial port: acceleration, rotation, field, orientation, pressure, with a counter."""
    source = place.sensor("lower_back", RATE_HZ)
    number = FIRST_MTI + place.number
    device = XsensMti(name=place.name, timeline=place.timeline, path=place.port, source=source, device_id=number)
    return PlacedDevice(device, "xsens_mti", place.worn or "lower_back", port=place.port, axes=place.axes)
