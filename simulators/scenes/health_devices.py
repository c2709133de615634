"""The simulators of the Bluetooth health and fitness profiles, one each, for `simulate device`."""

from __future__ import annotations

from functools import partial

from simulators.body.heart import Heart
from simulators.devices.blood_pressure import BloodPressureMonitor
from simulators.devices.contec_oximeter import ContecOximeter
from simulators.devices.cycling_power import PowerMeter
from simulators.devices.cycling_speed import CadenceSensor
from simulators.devices.fitness_machine import Treadmill
from simulators.devices.pulse_oximeter import PulseOximeter
from simulators.devices.running_speed import FootPod
from simulators.devices.thermometer import Thermometer
from simulators.devices.weight_scale import WeightScale
from simulators.scenes.health import BOUT, RIDE, WALK, Make, each_after, saturation
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place


def pulse_oximeter(place: Place) -> PlacedDevice:
    """Pulse oximeter, Bluetooth LE: saturation and pulse each second, stored spot checks; battery."""
    make = partial(PulseOximeter, source=Heart(place.seed, effort=[BOUT]), saturation=saturation())
    return _placed(place, "pulse_oximeter", "finger", make)


def contec_oximeter(place: Place) -> PlacedDevice:
    """Contec CMS50D-BT, Bluetooth LE: saturation and pulse after its command; battery."""
    return _placed(place, "contec_oximeter", "finger", partial(ContecOximeter, saturation=saturation()))


def running_speed(place: Place) -> PlacedDevice:
    """Foot pod, Bluetooth LE: speed, cadence, stride, distance; battery."""
    return _placed(place, "running_speed", "right_foot", partial(FootPod, exercise=WALK))


def cycling_speed(place: Place) -> PlacedDevice:
    """Wheel and crank sensor, Bluetooth LE: counters that go round; battery."""
    return _placed(place, "cycling_speed", "right_foot", partial(CadenceSensor, exercise=RIDE))


def cycling_power(place: Place) -> PlacedDevice:
    """Power meter, Bluetooth LE: power, balance, crank, energy; battery."""
    return _placed(place, "cycling_power", "left_foot", partial(PowerMeter, exercise=RIDE))


def fitness_machine(place: Place) -> PlacedDevice:
    """Treadmill, Bluetooth LE: records in parts, status; battery."""
    return _placed(place, "fitness_machine", "bedside", partial(Treadmill, exercise=WALK, manner="split"))


def weight_scale(place: Place) -> PlacedDevice:
    """Scale, Bluetooth LE: weights with time and user; battery."""
    return _placed(place, "weight_scale", "bedside", partial(WeightScale, measured=each_after(71.2, 71.3)))


def blood_pressure(place: Place) -> PlacedDevice:
    """Blood pressure monitor, Bluetooth LE: pressures with time and pulse; battery."""
    make = partial(BloodPressureMonitor, measured=each_after(131.0, 126.0))
    return _placed(place, "blood_pressure", "upper_arm", make)


def thermometer(place: Place) -> PlacedDevice:
    """Thermometer, Bluetooth LE: temperatures with time; battery."""
    return _placed(place, "thermometer", "bedside", partial(Thermometer, measured=each_after(36.9, 37.1)))


def _placed(place: Place, driver: str, placement: str, make: Make) -> PlacedDevice:
    device = make(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address)
    return PlacedDevice(device, driver, placement, address=place.address)
