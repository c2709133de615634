"""Simulated devices by the name of the driver that reads them: found by entry point, ours by the same way as others'.

A package that brings a driver may bring its simulator: it names, in the entry point group `ENTRY_POINTS` and under the
driver's name, a function that takes a `Place` and returns a `simulators.scenes.scene.PlacedDevice`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from simulators.body.body import HEIGHT_M, PLACEMENTS, Placement, WalkingBody
from simulators.motion.mounted import Mounted
from simulators.motion.source import MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import place_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import PlacedDevice
from simulators.sensing.clock import Clock

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
        seed: Makes it different from others. Devices of one seed are on one body, and move with it.
        worn: Where it is worn, as a gateway's configuration has it; empty for where such a device usually is.
        axes: Which sensor axes point forward, left and up there.
        height_m: Body height of who wears it.
        options: Of the driver that reads it.
        given_address: Its Bluetooth address, where it is given.
        given_port: Its serial port, where it is given.
        given_listen: Address and UDP port that it sends to, where they are given.
    """

    name: str
    number: int
    timeline: Timeline
    hub: Hub
    ports: Path
    seed: int = 0
    worn: str = ""
    axes: str = "x y z"
    height_m: float = HEIGHT_M
    options: Mapping[str, Any] = field(default_factory=dict)
    given_address: str = ""
    given_port: Path | None = None
    given_listen: tuple[str, int] | None = None

    @property
    def address(self) -> str:
        """Return a Bluetooth address that no other place has."""
        return self.given_address or place_address(self.number)

    @property
    def listen(self) -> tuple[str, int]:
        """Return an address and port of this computer that no other place has, for a device of the network."""
        return self.given_listen or (LOOPBACK, FIRST_UDP_PORT + self.number)

    @property
    def port(self) -> Path:
        """Return the path of a serial port that no other place has."""
        return self.given_port or self.ports / self.name

    def body(self) -> WalkingBody:
        """Return who wears it: for devices of one seed the same movement."""
        return WalkingBody(self.seed, height_m=self.height_m)

    def sensor(self, usual: Placement, rate_hz: float, drift_ppm: float = 0.0) -> MotionSource:
        """Return the movement of an inertial sensor where it is worn, in its own axes; or where such a one usually is.

        A place that does not move with the legs is taken for the lower back. Its clock runs fast by ``drift_ppm``.
        """
        placement = next((each for each in PLACEMENTS if each == self.worn), "lower_back" if self.worn else usual)
        clock = Clock(seed=self.seed, drift_ppm=drift_ppm)
        source = self.body().sensor(placement, rate_hz=rate_hz, clock=clock, seed=self.seed)
        return source if self.axes == "x y z" else Mounted(source, self.axes)


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
