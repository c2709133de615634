"""A visit to a device that nobody wears: it is connected for a moment, to blink or to be tapped, and let go again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from config.settings import Device
from drivers.driver import Decoder
from drivers.errors import LinkError, NotFoundError
from drivers.packet import Frame
from drivers.registry import make_driver
from drivers.transport.radios import Radios
from drivers.transport.supervisor import DeviceState, DeviceSupervisor
from gateway.intake.known_devices import KnownDevices
from gateway.pairing.worn import Moved

POLL_S = 0.05


class Visit:
    """One device, kept connected while it is visited. What it sends goes to nobody but ``moved``."""

    def __init__(
        self,
        device: Device,
        *,
        radio: Radios | None,
        known: KnownDevices,
        clock_ns: Callable[[], int],
        moved: Moved,
    ) -> None:
        self.device = device
        self._driver = make_driver(device.driver, device.options)
        self._decoder: Decoder = self._driver.decoder()
        self._moved = moved
        self._state: DeviceState | None = None
        self._supervisor = DeviceSupervisor(
            device.id, self._driver, sink=self._on_frame, on_state=self._on_state, clock_ns=clock_ns, radio=radio,
            address=device.address, name=device.name, port=device.port, known=known.address(device),
            judge=lambda identity: known.judge(device, identity),
        )  # fmt: skip

    @property
    def state(self) -> DeviceState | None:
        """What its supervisor said last."""
        return self._state

    async def run(self) -> None:
        """Keep it connected until cancelled."""
        await self._supervisor.run()

    async def blink(self, within_s: float) -> None:
        """Make it show itself as soon as it streams; raises LinkError."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while self._state is None or self._state.state != "streaming":
            if loop.time() > until_s:
                why = self._state.error if self._state is not None else ""
                raise NotFoundError(f"'{self.device.id}' cannot be reached{f': {why}' if why else ''}")
            await asyncio.sleep(POLL_S)
        await self._supervisor.blink()

    def _on_state(self, state: DeviceState) -> None:
        if state.state == "starting":
            self._decoder = self._driver.decoder()
        self._state = state

    def _on_frame(self, device: str, frame: Frame) -> None:
        for packet in self._decoder.fitting(self._decoder.decode([frame])):
            self._moved(device, self._decoder.streams[packet.stream].channels, packet.samples)


@asynccontextmanager
async def visiting(*visits: Visit) -> AsyncIterator[None]:
    """Keep devices connected meanwhile, and let go of them in good order."""
    tasks = [asyncio.create_task(visit.run(), name=f"visit:{visit.device.id}") for visit in visits]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def reason(problem: LinkError) -> str:
    """Return what is wrong and what can be done, in a line."""
    return f"{problem}. {problem.advice}" if problem.advice else str(problem)
