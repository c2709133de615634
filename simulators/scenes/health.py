"""Patients who train and are measured: the devices of the Bluetooth health and fitness profiles.

Beds take turns: a walk on a treadmill with an oximeter; a ride with sensors at the crank; a scale, a cuff and a
thermometer beside the bed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from simulators.body.exercise import Exercise
from simulators.body.heart import Heart
from simulators.body.saturation import Saturation
from simulators.devices.blood_pressure import BloodPressureMonitor
from simulators.devices.contec_oximeter import ContecOximeter
from simulators.devices.cycling_power import PowerMeter
from simulators.devices.cycling_speed import CadenceSensor
from simulators.devices.fitness_machine import Bike, Treadmill
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.pulse_oximeter import PulseOximeter
from simulators.devices.running_speed import FootPod
from simulators.devices.thermometer import Thermometer
from simulators.devices.weight_scale import WeightScale
from simulators.faults import Fault
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import health_address, strap_address
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral
from simulators.scenes.scene import Bed, PlacedDevice, Scene

MOST_BEDS = 99
BOUT = (30.0, 330.0)  # seconds: five minutes of exercise after half a minute of rest
WALK = Exercise(*BOUT, speed_mps=1.1, cadence=98.0, power_w=35.0)
RIDE = Exercise(*BOUT, speed_mps=4.5, cadence=58.0, power_w=60.0)
EACH_S = 120.0  # between two measurements of a scale, a cuff or a thermometer

Make = Callable[..., Peripheral]


def health(*, beds: int, seed: int = 0, speed: float = 1.0, faults: Sequence[Fault] = ()) -> Scene:
    """Return a scene, not started; the same for the same seed.

    Raises:
        ValueError: if there are too many beds, or a fault names a device that is not there.
    """
    if not 1 <= beds <= MOST_BEDS:
        raise ValueError(f"a ward has 1 to {MOST_BEDS} beds, not {beds}")
    hub, timeline = Hub(), Timeline(speed=speed, running=False)
    scene = Scene(hub, timeline, [_bed(number, seed, hub, timeline) for number in range(1, beds + 1)], faults)
    scene.check()
    return scene


def _bed(number: int, seed: int, hub: Hub, timeline: Timeline) -> Bed:
    heart = partial(Heart, seed + number, effort=[BOUT])
    outfits: tuple[tuple[tuple[str, str, Make], ...], ...] = (
        (
            ("heart_rate", "chest", partial(HeartRateStrap, source=heart(), battery_notifies=False)),
            ("pulse_oximeter", "finger", partial(PulseOximeter, source=heart(), saturation=saturation())),
            ("fitness_machine", "bedside", partial(Treadmill, exercise=WALK, manner="split")),
            ("running_speed", "right_foot", partial(FootPod, exercise=WALK)),
        ),
        (
            ("contec_oximeter", "finger", partial(ContecOximeter, saturation=saturation())),
            ("fitness_machine", "bedside", partial(Bike, exercise=RIDE)),
            ("cycling_power", "left_foot", partial(PowerMeter, exercise=RIDE)),
            ("cycling_speed", "right_foot", partial(CadenceSensor, exercise=RIDE)),
        ),
        (
            ("weight_scale", "bedside", partial(WeightScale, measured=each_after(71.2, 71.3))),
            ("blood_pressure", "upper_arm", partial(BloodPressureMonitor, measured=each_after(131.0, 126.0))),
            ("thermometer", "bedside", partial(Thermometer, measured=each_after(36.9, 37.1))),
        ),
    )
    placed = []
    for at, (driver, placement, make) in enumerate(outfits[(number - 1) % len(outfits)]):
        address = strap_address(number) if driver == "heart_rate" else health_address(number, at)
        name = f"bed-{number}-{driver.replace('_', '-')}"
        placed.append(
            PlacedDevice(
                make(name=name, timeline=timeline, hub=hub, address=address), driver, placement, address=address
            )
        )
    return Bed(f"bed-{number}", f"Bed {number}", f"sim-{number:03d}", placed)


def saturation() -> Saturation:
    """Return the saturation of somebody whom the bout takes down."""
    return Saturation(rest=97.0, effort=90.0, efforts=[BOUT])


def each_after(*values: float) -> list[tuple[float, float]]:
    """Return values measured one after another, the first of them before the scene."""
    return [(EACH_S * (at - 1) + 5.0, value) for at, value in enumerate((values[0], *values))]
