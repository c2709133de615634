"""One driver and its simulated device: found, connected, streaming, back after a lost link and after an absence."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.registry import load_driver, make_driver
from drivers.transport.radios import Radios
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place, load_simulator, simulator_names
from tests.drivers.watching import Watched, watching

SPEED, SELDOM_SPEED = 4.0, 60.0  # of simulated time: a cuff or a scale measures every few minutes
SELDOM_S = 7200.0  # a driver whose device may be silent for longer reads one that measures now and then
STEP_S = 60.0  # far longer than any step takes, also on an emulated machine
AWAY_S = 3.0
LET_GO_S = 10.0
LOOK_S = 0.1  # a device tells nobody when it begins to send
FRAMES = 3  # that must come: one may be the rest of a dialogue


class TrialError(Exception):
    """A driver does not do what it should."""


@dataclass
class Outcome:
    """What one driver did, or what became of one fault.

    Attributes:
        driver: Its name.
        times: Seconds that each step took.
        samples: How many came, by stream.
        fault: What was missing; empty if nothing.
    """

    driver: str
    times: dict[str, float] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    fault: str = ""

    def __str__(self) -> str:
        """Say it in a line."""
        steps = ", ".join(f"{name} {took_s:.1f} s" for name, took_s in self.times.items())
        samples = ", ".join(f"{count} {stream}" for stream, count in sorted(self.samples.items()))
        told = "; ".join(filter(None, (steps, self.fault))) + (f" ({samples})" if samples else "")
        return f"{'FAIL' if self.fault else 'ok':4} {self.driver:20} {told}"


def ble_drivers() -> list[str]:
    """Return the names of the Bluetooth drivers with a simulator, and of those without: they are missed."""
    from importlib.metadata import entry_points

    names = sorted({point.name for point in entry_points(group="rehab_gateway.drivers")})
    return [name for name in names if load_driver(name).transport == "ble"]


async def attempt(driver: str, number: int, hub: Hub, radio: Radios, folder: Path) -> Outcome:
    """Try one driver to the end of what it can do."""
    outcome = Outcome(driver)
    if driver not in simulator_names():
        outcome.fault = "there is no simulator of it"
        return outcome
    speed = SELDOM_SPEED if load_driver(driver).silence_s > SELDOM_S else SPEED
    timeline = Timeline(speed=speed)
    placed = load_simulator(driver)(Place(f"{driver}-{number}", number, timeline, hub, folder, seed=number))
    try:
        await placed.device.start()
        await _follow(placed, radio, outcome)
    except TrialError as problem:
        outcome.fault = str(problem)
    finally:
        await let_go(placed.device)
        await placed.device.stop()
    return outcome


async def let_go(device: object) -> None:
    """Wait until a link that is being ended has ended: the simulated controller does not answer for one that went."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LET_GO_S):
            while getattr(device, "connected", False):  # noqa: ASYNC110 - a device tells nobody
                await asyncio.sleep(0.05)


async def _follow(placed: PlacedDevice, radio: Radios, outcome: Outcome) -> None:
    device = placed.device
    async with watching(make_driver(placed.driver, placed.options), radio=radio, address=placed.address) as watched:
        await _step(outcome, watched, placed, "stream", count=1)
        dropping = asyncio.create_task(device.drop())  # beside it: a device is told late that its link has ended
        await _step(outcome, watched, placed, "back from a lost link", count=2)
        await dropping
        away = asyncio.create_task(device.leave(AWAY_S * device.timeline.speed))
        await _step(outcome, watched, placed, "back from an absence", count=3)
        await away
    for stream in {packet.stream for packet in watched.packets}:
        outcome.samples[stream] = watched.samples(stream)
    if not outcome.samples:
        raise TrialError("frames came, and no sample in them")
    if device.streaming:
        raise TrialError("it was not told to stop")


async def _step(outcome: Outcome, watched: Watched, placed: PlacedDevice, name: str, *, count: int) -> None:
    """Wait until it was started for the ``count``-th time, and a few frames more have come."""
    began = time.monotonic()
    seldom = load_driver(placed.driver).silence_s > SELDOM_S

    def streams() -> bool:
        started = watched.names.count("starting") >= count and placed.device.streaming
        return started and (watched.last.state == "streaming" or (seldom and count > 1))

    try:
        await until(watched, streams)
        frames = len(watched.frames) + (0 if seldom else FRAMES)  # those have told all that they had measured
        await until(watched, lambda: len(watched.frames) >= frames)
    except TimeoutError:
        last = watched.last
        raise TrialError(f"no {name} within {STEP_S:g} s: {last.state} {last.error}".rstrip()) from None
    outcome.times[name] = time.monotonic() - began


async def until(watched: Watched, condition: Callable[[], object], *, within_s: float = STEP_S) -> None:
    """Wait for something that a supervisor or a device does; raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():
            with contextlib.suppress(TimeoutError):
                await watched.until(condition, within_s=LOOK_S)
