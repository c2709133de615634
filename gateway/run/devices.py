"""The devices that are worn: one supervised task each, which comes and goes as the ward changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import cast

from config.hardware import address_and_port
from config.settings import Device, Settings
from drivers.errors import NotFoundError
from drivers.packet import Frame
from drivers.registry import make_driver
from drivers.transport.link_quality import LinkQuality
from drivers.transport.radio_kinds import open_radios
from drivers.transport.radios import Radios
from drivers.transport.supervisor import DeviceState, DeviceSupervisor
from gateway.intake.intake import Intake
from gateway.intake.intakes import CONNECTED
from gateway.intake.known_devices import known_devices
from gateway.intake.steps import Ticker
from gateway.intake.unread import ADVICE
from gateway.machine.supervision import Supervision
from gateway.model.status import AdapterStatus, RadioStatus
from gateway.run.device_log import DeviceLog

BLUETOOTH = "ble"


def part_of(device: str) -> str:
    """Return the name of the task that keeps a device streaming."""
    return f"device:{device}"


class Devices:
    """Keeps each device that somebody wears connected, and lets go of those that nobody does.

    A device that moves to another bed, or to another place on the body, keeps its connection.

    Args:
        settings: The radio, and where known devices are remembered.
        intakes: The devices that were ever worn in this run, by number; it grows.
        supervision: Where the tasks run.
        ticker: Where frames go.
        clock_ns: Stamps them.
        states: Where what each device's supervisor said last is kept, by device.
        links: Where how good each device's link is is kept, by device.
    """

    def __init__(
        self,
        settings: Settings,
        intakes: Sequence[Intake],
        supervision: Supervision,
        ticker: Ticker,
        *,
        clock_ns: Callable[[], int],
        states: dict[str, DeviceState],
        links: dict[str, LinkQuality] | None = None,
    ) -> None:
        self._settings = settings
        self._intakes = intakes
        self._supervision = supervision
        self._ticker = ticker
        self._clock_ns = clock_ns
        self._states = states
        self._links = {} if links is None else links
        self._known = known_devices(settings)
        self._transports: dict[str, str] = {}
        self._log = DeviceLog(self._transports)
        self._kept: set[int] = set()
        self._ended = False
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._radio: Radios | None = None
        self._radio_turn = asyncio.Lock()
        self._supervisors: dict[str, DeviceSupervisor] = {}

    async def open(self) -> None:
        """Make the radio ready where somebody wears a device that needs it."""
        if any(intake.transport == BLUETOOTH and intake.slot is not None for intake in self._intakes):
            await self.open_radio()

    def kept(self, device: str) -> bool:
        """Whether somebody wears a device, so that it is connected or looked for."""
        return any(self._intakes[number].device.id == device for number in self._kept)

    async def blink(self, device: str) -> None:
        """Make a device show itself while it streams; raises LinkError."""
        supervisor = self._supervisors.get(device)
        if supervisor is None:
            raise NotFoundError(f"'{device}' is not connected at present")
        await supervisor.blink()

    def follow(self) -> None:
        """Begin with the devices that are worn and were not, and end with those that are worn no more."""
        if self._ended:
            return
        attached = {number for number, intake in enumerate(self._intakes) if intake.slot is not None}
        for number in sorted(self._kept - attached):
            self._dismiss(self._intakes[number].device.id)
        for number in sorted(attached - self._kept):
            self._begin(number)
        for number in sorted(attached & self._kept):
            self._judge_again(number)
        self._kept = attached

    async def end(self) -> None:
        """Stop every device; none begins any more."""
        self._ended = True
        await self._supervision.end([part_of(self._intakes[number].device.id) for number in self._kept])
        if self._leaving:
            await asyncio.wait(self._leaving.values())

    def radio_status(self) -> RadioStatus:
        """Return how the radios are; empty where no device needs one."""
        if self._radio is None:
            return {}
        return {
            "adapters": [cast("AdapterStatus", asdict(state)) for state in self._radio.states()],
            "steps": self._radio.steps(),
        }

    def radios_exhausted(self) -> bool:
        """Return whether every step was taken to help the radios, and none helped."""
        return self._radio is not None and self._radio.exhausted

    async def close(self) -> None:
        """Let go of the radio."""
        if self._radio is not None:
            await self._radio.stop()

    def _judge_again(self, number: int) -> None:
        """Let go of a device that moved to the side of the body that it says it is not for."""
        device = self._intakes[number].device
        state = self._states.get(device.id)
        if state is not None and state.identity.denies(device.placement) and state.state != "failed":
            self._dismiss(device.id)
            self._begin(number)

    def _begin(self, number: int) -> None:
        intake = self._intakes[number]
        name, before = intake.device.id, self._leaving.get(intake.device.id)
        self._transports[name] = intake.transport
        device = intake.device

        async def keep() -> None:
            if before is not None:  # it is still being disconnected from where it was
                await asyncio.wait({before})
            if intake.unread:
                await self._leave_alone(name, intake.unread)
            radio = await self.open_radio() if intake.transport == BLUETOOTH else None
            self._supervisors[name] = supervisor = self._supervisor(number, device, radio)
            await supervisor.run()

        self._supervision.start(part_of(name), keep, essential=False)

    async def _leave_alone(self, device: str, why: str) -> None:
        """Say why a device cannot be read, and never touch it."""
        state = DeviceState(device, "failed", self._clock_ns(), error=why, advice=ADVICE)
        self._states[device] = state
        self._log.log_state(state)
        await asyncio.Event().wait()

    def _dismiss(self, device: str) -> None:
        self._states.pop(device, None)
        self._links.pop(device, None)
        self._supervisors.pop(device, None)
        keeper = self._supervision.dismiss(part_of(device))
        if keeper is not None:
            self._leaving[device] = keeper
            keeper.add_done_callback(lambda _: self._left(device, keeper))

    def _left(self, device: str, keeper: asyncio.Task[None]) -> None:
        if self._leaving.get(device) is keeper:
            del self._leaving[device]

    async def open_radio(self) -> Radios:
        """Return the radio, made ready where it is not yet; raises AdapterError."""
        async with self._radio_turn:
            if self._radio is None:
                of = self._settings.radio
                adapters = [of.adapter] if of.adapter else of.adapters
                radio = open_radios(name=of.name, socket=of.socket, adapters=adapters, links=of.links)
                await radio.start()
                self._radio = radio
            return self._radio

    def _supervisor(self, number: int, device: Device, radio: Radios | None) -> DeviceSupervisor:
        def sink(_device: str, frame: Frame) -> None:
            self._ticker.append_frame(number, frame)

        def on_state(state: DeviceState) -> None:
            if number not in self._kept:
                return  # its last words: nobody wears it
            if state.state == "starting":
                self._ticker.append_frame(number, Frame(self._clock_ns(), CONNECTED, b""))
            self._states[state.id] = state
            self._log.log_state(state)

        if radio is not None and device.address and device.passkey:
            radio.passkeys[device.address.upper()] = int(device.passkey)
        supervisor = DeviceSupervisor(
            device.id,
            make_driver(device.driver, device.options),
            sink=sink,
            on_state=on_state,
            clock_ns=self._clock_ns,
            radio=radio,
            address=device.address,
            name=device.name,
            port=device.port,
            listen=address_and_port(device.listen) if device.listen else None,
            sender=device.sender,
            known=self._known.address(device),
            judge=lambda identity: self._known.judge(self._intakes[number].device, identity),
        )
        self._links[device.id] = supervisor.link
        return supervisor
