"""All Bluetooth adapters of this computer that the gateway may use: those that are there at the moment.

Which those are is asked of BlueZ at each search, so that one that is plugged in later is used from the next search on,
one that was pulled out is not, and one that a person has switched off is left so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from drivers.errors import AdapterError
from drivers.transport.agent import JUST_WORKS, WITH_PASSKEY, Agent
from drivers.transport.bluez import ADAPTER, SERVICE, Objects, managed_objects
from drivers.transport.bluez_radio import BluezRadio
from drivers.transport.radio import Radio
from drivers.transport.radios import Radios, RadioState
from drivers.transport.system_bus import BusError, call, system_bus
from drivers.transport.troubles import switched_off

log = logging.getLogger(__name__)

BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
AGAIN_S = 2.0  # between two tries to be on the bus
DEFAULT_LINKS = 5  # what cheap adapters hold; 7 is the most that is common
NO_ADAPTER_ADVICE = "Plug in a Bluetooth adapter; 'rehab-gateway doctor' says what the computer has."


class BluezRadios(Radios):
    """The adapters of this computer.

    Args:
        adapters: Names or addresses of those to use; empty for all.
        limit: Links that each may have.
    """

    def __init__(self, adapters: Collection[str] = (), *, limit: int = DEFAULT_LINKS) -> None:
        super().__init__(())
        self._chosen = tuple(adapters)
        self._limit = limit
        self._missing: dict[str, str] = {}
        self._presence: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to notice when bluetoothd ends, and to answer what it asks."""
        self._presence = asyncio.create_task(self._be_present(), name="bluetoothd")

    async def stop(self) -> None:
        """End every search, and answer no more."""
        if self._presence is not None:
            self._presence.cancel()
            await asyncio.wait([self._presence])
        await super().stop()

    async def usable(self) -> list[Radio]:
        """Return the adapters that are there and switched on.

        Raises:
            AdapterError: None is, or BlueZ does not answer.
        """
        there = adapters_of(await managed_objects(), self._chosen)
        self._missing = {name: "is not there" for name in self._chosen if name not in there.names}
        for name in there.off:
            self._missing[name] = "is switched off"
        for name in there.on:
            if name not in self._radios:
                radio = BluezRadio(adapter=name)
                radio.limit = self._limit
                self._add(radio)
        if there.on:
            return [self._radios[name] for name in there.on]
        if there.off:
            raise switched_off(there.off[0])
        wanted = ", ".join(self._chosen)
        raise AdapterError(f"no Bluetooth adapter {wanted}".rstrip() + " is there", advice=NO_ADAPTER_ADVICE)

    def states(self) -> list[RadioState]:
        """Return how each adapter is; also those that are configured and not there."""
        known = super().states()
        names = {state.name for state in known}
        missing = [RadioState(name, 0, self._limit, 0, why) for name, why in self._missing.items() if name not in names]
        return [replace(of, trouble=self._missing.get(of.name, of.trouble)) for of in known] + missing

    async def _be_present(self) -> None:
        """Stay on the bus: with an agent, and with an ear for the end of bluetoothd."""
        while True:
            try:
                async with system_bus() as bus:
                    bus.add_message_handler(_owner_changes(self._came, self._went))
                    rule = f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{SERVICE}'"
                    await call(bus, BUS, BUS_PATH, BUS, "AddMatch", "s", [rule])
                    self._bus = bus
                    await self._offer_agent(bus)
                    await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
            except (BusError, OSError, EOFError) as problem:
                log.debug("not on the bus: %s", problem)
            self._went()
            await asyncio.sleep(AGAIN_S)

    def _came(self) -> None:
        """Have an agent with a bluetoothd that has begun."""
        self._offering = asyncio.create_task(self._offer_agent(self._bus), name="agent")

    def _went(self) -> None:
        """Let go of every link: bluetoothd ended, without a word to bleak, whose copy still has them all."""
        for radio in self._radios.values():
            if radio.links:
                log.warning("bluetoothd ended: %d links of %s are gone", len(radio.links), radio)
            radio.lose_links()

    async def _offer_agent(self, bus: MessageBus) -> None:
        agent = Agent(
            lambda path: self.searches.is_ours(address_in(path)),
            lambda path: self.passkeys.get(address_in(path)),
            WITH_PASSKEY if self.passkeys else JUST_WORKS,
        )
        try:
            await agent.register(bus, default=True)
        except BusError as problem:
            log.debug("no pairing agent: %s", problem)


class Adapters:
    """Names of adapters: of those that may be used, which are there, on and off."""

    def __init__(self, on: Sequence[str], off: Sequence[str], names: Collection[str]) -> None:
        self.on, self.off, self.names = list(on), list(off), set(names)


def adapters_of(objects: Objects, chosen: Collection[str]) -> Adapters:
    """Return the adapters among the objects of BlueZ; ``chosen`` by name or address, all where it is empty."""
    wanted = {each.upper() for each in chosen}
    found: dict[str, Any] = {}
    names: set[str] = set()
    for path, interfaces in objects.items():
        props = interfaces.get(ADAPTER)
        if props is None or "central" not in props.get("Roles", ["central"]):
            continue
        name = path.rsplit("/", 1)[1]
        if not wanted or {name.upper(), str(props.get("Address", "")).upper()} & wanted:
            found[name] = props
            names |= {name, str(props.get("Address", ""))}
    on = sorted(name for name, props in found.items() if props.get("Powered"))
    names |= {each for each in chosen if each.upper() in {name.upper() for name in names}}
    return Adapters(on, sorted(set(found) - set(on)), names)


def address_in(path: str) -> str:
    """Return the address of a device by the path of its object, upper case."""
    return path.rsplit("/dev_", 1)[-1].replace("_", ":").upper()


def _owner_changes(came: Callable[[], None], went: Callable[[], None]) -> Callable[[Message], None]:
    def handle(message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, new = message.body
            if name == SERVICE:
                (came if new else went)()

    return handle
