"""Simulated devices by the name of the driver that reads them: found by entry point, ours by the same way as others'.

A package that brings a driver may bring its simulator: it names, in the entry point group `ENTRY_POINTS` and under the
driver's name, a function that takes a `Place` and returns a `simulators.scenes.scene.PlacedDevice`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from simulators.motion.timeline import Timeline
from simulators.radio.addresses import place_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import PlacedDevice

ENTRY_POINTS = "rehab_gateway.simulators"
LOOPBACK = "127.0.0.1"
FIRST_UDP_PORT = 27_200  # below those that the system gives out by itself


@dataclass(frozen=True, slots=True)
class Place:
    """Where a simulated device is to be, and what it may use.

    Attributes:
        name: What the device is called in the scene and in the gateway's configuration.
        number: Its number in the scene, from 1.
        timeline: Simulated time.
        hub: The air, for a Bluetooth device.
        ports: Folder for its serial port, if it has one.
        seed: Makes it different from others.
    """

    name: str
    number: int
    timeline: Timeline
    hub: Hub
    ports: Path
    seed: int = 0

    @property
    def address(self) -> str:
        """Return a Bluetooth address that no other place has."""
        return place_address(self.number)

    @property
    def listen(self) -> tuple[str, int]:
        """Return an address and port of this computer that no other place has, for a device of the network."""
        return LOOPBACK, FIRST_UDP_PORT + self.number

    @property
    def port(self) -> Path:
        """Return the path of a serial port that no other place has."""
        return self.ports / self.name


Simulator = Callable[[Place], PlacedDevice]


def simulator_names() -> list[str]:
    """Return the names of the drivers that have a simulator, in order; none is imported."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINTS)})


def load_simulator(name: str) -> Simulator:
    """Import one simulator.

    Raises:
        ValueError: there is none of that name, two packages bring it, or it cannot be loaded; names the package.
    """
    found = list(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        raise ValueError(f"no simulator '{name}': there are {', '.join(simulator_names())}")
    if len(found) > 1:
        raise ValueError(f"more than one simulator '{name}' is installed ({', '.join(map(_package, found))})")
    try:
        simulator = found[0].load()
    except Exception as error:  # a stranger's module may raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"simulator '{name}' of {_package(found[0])} cannot be loaded: {why}") from error
    if not callable(simulator):
        raise ValueError(f"simulator '{name}' of {_package(found[0])} is no function: {found[0].value}")  # noqa: TRY004
    made: Simulator = simulator
    return made


def summaries() -> Iterator[tuple[str, str]]:
    """Yield each name with the first line of its function's docstring, or why it cannot be loaded."""
    for name in simulator_names():
        try:
            yield name, (load_simulator(name).__doc__ or "").strip().partition("\n")[0]
        except ValueError as error:
            yield name, str(error)


def _package(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
