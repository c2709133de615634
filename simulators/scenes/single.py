"""A person in a bed who wears any devices that have a simulator; and the simulators of our own drivers, one each."""

from __future__ import annotations

from collections.abc import Sequence
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

DOT_RATE_HZ = 60.0  # the most that a DOT streams
SHIMMER_RATE_HZ = 51.2  # as Shimmers are shipped


def single(
    drivers: Sequence[str], *, ports: Path, seed: int = 0, speed: float = 1.0, faults: Sequence[Fault] = ()
) -> Scene:
    """Return a scene of one bed with one simulated device for each driver named, not started.

    Raises:
        ValueError: if a driver has no simulator, it cannot be loaded, or a fault names a device that is not there.
    """
    hub, timeline = Hub(), Timeline(speed=speed, running=False)
    placed = []
    for number, driver in enumerate(drivers, 1):
        name = f"{driver.replace('_', '-')}-{number}"
        placed.append(load_simulator(driver)(Place(name, number, timeline, hub, ports, seed + number)))
    scene = Scene(hub, timeline, [Bed("bed-1", "Bed 1", "sim-001", placed)], faults)
    scene.check()
    return scene


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
