"""The simulators of inertial sensors and insoles of several makers, one each, on somebody who walks."""

from __future__ import annotations

from simulators.body.body import BodySensor, Placement, WalkingBody
from simulators.devices.metamotion import MetaMotion
from simulators.devices.orphe import Orphe
from simulators.devices.witmotion import WitMotion
from simulators.devices.witmotion_serial import WitMotionSerial
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place
from simulators.sensing.clock import Clock

RATE_HZ = 100.0
INSOLE_HZ = 208.0
DRIFT_PPM = 20.0


def metamotion(place: Place) -> PlacedDevice:
    """MbientLab MetaMotion, Bluetooth LE: acceleration and rate of turn, or orientation; battery."""
    source = _sensor(place, "left_shank", RATE_HZ)
    device = MetaMotion(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(device, "metamotion", "left_shank", address=place.address)


def orphe(place: Place) -> PlacedDevice:
    """ORPHE INSOLE, Bluetooth LE: six pressures, acceleration and rate of turn, orientation, steps."""
    source = _sensor(place, "left_foot", INSOLE_HZ)
    device = Orphe(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(device, "orphe", "left_foot", address=place.address)


def witmotion(place: Place) -> PlacedDevice:
    """WitMotion WT901BLE, Bluetooth LE: acceleration, rate of turn, angles; field, temperature, battery."""
    source = _sensor(place, "right_foot", RATE_HZ)
    device = WitMotion(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(device, "witmotion", "right_foot", address=place.address)


def witmotion_serial(place: Place) -> PlacedDevice:
    """WitMotion WT901, serial port: acceleration, rate of turn, angles, field, temperature."""
    source = _sensor(place, "lower_back", RATE_HZ)
    device = WitMotionSerial(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "witmotion_serial", "lower_back", port=place.port)


def _sensor(place: Place, placement: Placement, rate_hz: float) -> BodySensor:
    clock = Clock(seed=place.seed, drift_ppm=DRIFT_PPM)
    return WalkingBody(place.seed).sensor(placement, rate_hz=rate_hz, clock=clock, seed=place.seed)
