"""A supervisor under observation: what it told and delivered, and waiting for either."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.driver import Driver
from drivers.identity import Identity
from drivers.packet import Frame, Packet
from drivers.transport.radios import Radios
from drivers.transport.supervisor import DeviceState, DeviceSupervisor

PATIENCE_S = 20.0  # far longer than anything here takes on a busy machine


class Watched:
    """A running supervisor.

    Attributes:
        states: What it told, in order.
        frames: What it delivered, in order; each connection begins where ``starting`` was told.
        supervisor: The supervisor.
    """

    supervisor: DeviceSupervisor

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.states: list[DeviceState] = []
        self.frames: list[Frame] = []
        self.packets: list[Packet] = []
        self.faults: Counter[str] = Counter()
        self._decoder = driver.decoder()
        self._changed = asyncio.Event()

    @property
    def names(self) -> list[str]:
        return [state.state for state in self.states]

    @property
    def last(self) -> DeviceState:
        """What it told last."""
        return self.states[-1] if self.states else DeviceState("device-1", "stopped", 0)

    def on_state(self, state: DeviceState) -> None:
        if state.state == "starting":
            self._decoder = self.driver.decoder()
        self.states.append(state)
        self._changed.set()

    def sink(self, _: str, frame: Frame) -> None:
        self.frames.append(frame)
        self.packets += self._decoder.decode([frame])
        self.faults = self._decoder.faults
        self._changed.set()

    def samples(self, stream: str) -> int:
        return sum(len(packet) for packet in self.packets if packet.stream == stream)

    async def until(self, condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_state(self, name: str, *, count: int = 1) -> DeviceState:
        await self.until(lambda: self.names.count(name) >= count)
        return [state for state in self.states if state.state == name][count - 1]


@asynccontextmanager
async def watching(
    driver: Driver,
    *,
    radio: Radios | None = None,
    address: str | None = None,
    name: str | None = None,
    port: Path | None = None,
    listen: tuple[str, int] | None = None,
    sender: str | None = None,
    judge: Callable[[Identity], str] | None = None,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> AsyncIterator[Watched]:
    """Run a supervisor; cancel it at the end."""
    watched = Watched(driver)
    supervisor = DeviceSupervisor(
        "device-1",
        driver,
        sink=watched.sink,
        on_state=watched.on_state,
        clock_ns=clock_ns,
        radio=radio,
        address=address,
        name=name,
        port=port,
        listen=listen,
        sender=sender,
        judge=judge,
        chance=random.Random(1),
    )
    watched.supervisor = supervisor
    task = asyncio.create_task(supervisor.run(), name="device:device-1")
    try:
        yield watched
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
