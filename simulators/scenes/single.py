"""A person in a bed who wears any devices that have a simulator; and the simulators of our own drivers, one each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simulators.body.heart import Heart
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot
from simulators.devices.shimmer3 import Shimmer3
from simulators.faults import Fault
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from simulators.scenes.simulators import Place, load_simulator

BEDSIDE = "bedside"
DOT_RATE_HZ = 60.0  # the most that a DOT streams
SHIMMER_RATE_HZ = 51.2  # as Shimmers are shipped


def single(
    drivers: Sequence[str], *, ports: Path, seed: int = 0, speed: float = 1.0, faults: Sequence[Fault] = ()
) -> Scene:
    """Return a scene with one simulated device for each driver named, not started; those of a bed are on one body.

    A device whose place is taken is worn by whoever is in the next bed: nobody wears two on one foot.

    Raises:
        ValueError: if a driver has no simulator, it cannot be loaded, or a fault names a device that is not there.
    """
    hub, timeline = Hub(), Timeline(speed=speed, running=False)
    beds: list[list[PlacedDevice]] = []
    for number, driver in enumerate(drivers, 1):
        simulator, like = load_simulator(driver), Place(_name(driver, number), number, timeline, hub, ports)
        for bed in itertools.count():
            if bed == len(beds):
                beds.append([])
            placed = simulator(replace(like, seed=seed + bed + 1))
            if not any(_in_the_way(placed, other) for other in beds[bed]):
                beds[bed].append(placed)
                break
    scene = Scene(
        hub, timeline, [Bed(f"bed-{n}", f"Bed {n}", f"sim-{n:03}", worn) for n, worn in enumerate(beds, 1)], faults
    )
    scene.check()
    return scene


def _name(driver: str, number: int) -> str:
    return f"{driver.replace('_', '-')}-{number}"


def _in_the_way(one: PlacedDevice, other: PlacedDevice) -> bool:
    """Say whether two cannot be in one place: beside a bed there is room for all kinds, on a body for one device."""
    return one.placement == other.placement and (one.placement != BEDSIDE or one.driver == other.driver)


def heart_rate(place: Place) -> PlacedDevice:
    """Heart-rate strap, Bluetooth LE: rate, RR intervals, contact; battery."""
    strap = HeartRateStrap(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=Heart(place.seed)
    )
    return PlacedDevice(strap, "heart_rate", "chest", address=place.address)


def movella_dot(place: Place) -> PlacedDevice:
    """Movella DOT, Bluetooth LE: all modes of the specification; battery."""
    source = place.sensor("left_foot", DOT_RATE_HZ)
    dot = MovellaDot(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(dot, "movella_dot", place.worn or "left_foot", address=place.address, axes=place.axes)


def shimmer3(place: Place) -> PlacedDevice:
    """Shimmer3 LogAndStream, serial port: wide-range accelerometer, gyroscope, magnetometer; battery."""
    source = place.sensor("lower_back", SHIMMER_RATE_HZ)
    device = Shimmer3(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "shimmer3", place.worn or "lower_back", port=place.port, axes=place.axes)
