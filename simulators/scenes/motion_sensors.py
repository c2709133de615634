"""The simulators of inertial sensors and insoles of several makers, one each, on somebody who walks."""

from __future__ import annotations

from simulators.devices.metamotion import MetaMotion
from simulators.devices.orphe import Orphe
from simulators.devices.witmotion import WitMotion
from simulators.devices.witmotion_serial import WitMotionSerial
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place

RATE_HZ = 100.0
INSOLE_HZ = 208.0
DRIFT_PPM = 20.0


def metamotion(place: Place) -> PlacedDevice:
    """MbientLab MetaMotion, Bluetooth LE: acceleration and rate of turn, or orientation; battery."""
    source = place.sensor("left_shank", RATE_HZ, DRIFT_PPM)
    device = MetaMotion(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(device, "metamotion", place.worn or "left_shank", address=place.address, axes=place.axes)


def orphe(place: Place) -> PlacedDevice:
    """ORPHE INSOLE, Bluetooth LE: six pressures, acceleration and rate of turn, orientation, steps."""
    source = place.sensor("left_foot", INSOLE_HZ, DRIFT_PPM)
    device = Orphe(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source,
        side="right" if place.worn.startswith("right") else "left",
    )  # fmt: skip
    return PlacedDevice(device, "orphe", place.worn or "left_foot", address=place.address, axes=place.axes)


def witmotion(place: Place) -> PlacedDevice:
    """WitMotion WT901BLE, Bluetooth LE: acceleration, rate of turn, angles; field, temperature, battery."""
    source = place.sensor("right_foot", RATE_HZ, DRIFT_PPM)
    device = WitMotion(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(device, "witmotion", place.worn or "right_foot", address=place.address, axes=place.axes)


def witmotion_serial(place: Place) -> PlacedDevice:
    """WitMotion WT901, serial port: acceleration, rate of turn, angles, field, temperature."""
    source = place.sensor("lower_back", RATE_HZ, DRIFT_PPM)
    device = WitMotionSerial(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "witmotion_serial", place.worn or "lower_back", port=place.port, axes=place.axes)
