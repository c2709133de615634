"""Bluetooth LE over bleak: the way to a device over any radio.

Every call to bleak has a time limit of ours: D-Bus calls are known to hang (research notes of the project, and
bleak's issue list: reads of protected characteristics, disconnects of devices that are gone).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakGATTProtocolError

from drivers.driver import Driver
from drivers.errors import (
    AdapterError,
    ConnectError,
    DialogueError,
    DriverError,
    LinkError,
    LinkLostError,
    NotFoundError,
    one_line,
)
from drivers.packet import Frame
from drivers.transport.ladder import Step
from drivers.transport.radio import BLEAK_ERRORS, CONNECT_S, DISCONNECT_S, GATT_S
from drivers.transport.radios import Radios
from drivers.transport.search import Wanted
from drivers.transport.sighting import Placed
from drivers.transport.transport import Clock, Connection, Sink, Transport
from drivers.transport.troubles import IN_USE, NO_ROOM, UNPAIRED, no_room, unpaired

log = logging.getLogger(__name__)

LOST_STARTS = 3  # in a row: a weak link is lost at any time, and is not found now and then
SEARCH_S = 15.0  # a device in range advertises every 0.1 to 2 s; then the supervisor says "not found" and goes on

ADAPTER_DBUS_ERRORS = ("org.bluez.Error.NotReady", "org.freedesktop.DBus.Error.ServiceUnknown")
FULL = ("concurrent-connection-limit", "memory-allocation", "Too many links")  # BlueZ 5.66: src/error.c, EMLINK, ENOMEM
LOST = "device disconnected"  # bleak 3.1: it was connected, and was gone before its services were known
NEEDS_KEYS = {
    0x05,
    0x08,
    0x0C,
    0x0F,
}  # ATT: authentication, authorisation, key size, encryption (Core, Vol 3, F, 3.4.1)

T = TypeVar("T")


class BleTransport(Transport):
    """The way to one BLE device by address, by name, or by the driver's service.

    ``known`` is the address under which it was met before: of several devices of the name it is the one.
    """

    def __init__(
        self,
        radio: Radios,
        *,
        address: str | None = None,
        name: str | None = None,
        service: str | None = None,
        known: str | None = None,
    ) -> None:
        self._radio = radio
        self._wanted = Wanted(address, name, service, known)
        self._placed: Placed | None = None
        self._connected_before = False
        self._lost_starts, self._lost_by = 0, ""  # in a row, and the address that they were of

    async def search(self) -> None:
        """Wait for an advertisement."""
        self._placed = None
        self._placed = await self._radio.place(self._wanted, timeout_s=SEARCH_S, owner=self)

    async def connect(self, driver: Driver, sink: Sink, clock_ns: Clock) -> Connection:
        """Connect and discover services, one device at a time."""
        if self._placed is None:
            raise NotFoundError("the device has not been searched for")
        radio, device = self._placed.radio, self._placed.device
        connection = BleConnection(driver, sink, clock_ns)
        client = radio.client(device, connection.on_lost)
        radio.steps[Step.RECONNECT] += self._connected_before
        async with radio.quiet():
            try:
                async with asyncio.timeout(CONNECT_S):
                    await client.connect()
            except BLEAK_ERRORS as problem:
                await _disconnect(client)
                raise _connect_error(problem, self._placed) from problem
        self._connected_before = True
        connection.client, connection.placed, connection.address = client, self._placed, device.address
        connection.radio, connection.signal_dbm = radio.adapter or radio.name, self._placed.signal_dbm
        radio.links.add(connection)
        return connection

    def begin(self) -> None:
        """Keep the address from searches by name, and the name from other searches by name."""
        self._radio.searches.register(self._wanted, self)

    def end(self) -> None:
        """Let others have them."""
        self._radio.searches.unregister(self)

    def confirm(self) -> None:
        """Prefer this address among others of the name: it is the same radio."""
        if self._placed is not None:
            self._wanted = replace(self._wanted, known=self._placed.device.address)

    def release(self) -> None:
        """Let other searches have the device."""
        self._radio.searches.release(self)

    def explain(self, error: DriverError) -> DriverError:
        """Take a link that is lost at each start for one that wants keys.

        BlueZ pairs by itself where a device asks for keys, and ends the link without a word where that fails.
        """
        at_start = isinstance(error, LinkLostError) and error.at_start
        placed = self._placed
        address = placed.device.address if placed is not None else ""
        if address != self._lost_by:  # another device of the name: what one does says nothing of the other
            self._lost_starts, self._lost_by = 0, address
        self._lost_starts = self._lost_starts + 1 if at_start else 0
        if self._lost_starts < LOST_STARTS or placed is None or not placed.radio.has_no_keys(placed.device):
            return error
        times = f"{self._lost_starts} times in a row"
        return unpaired(f"{error}, {times}, as with one that must be paired first: {placed.device.address}")

    async def reset(self, error: LinkError) -> None:
        """Help the radio where it is what fails; pair a device that wants it; forget a half-open connection."""
        if isinstance(error, AdapterError):
            await self._radio.help(self._placed)
        elif error.problem == UNPAIRED and self._placed is not None:
            await self._radio.keep(self._placed)
        elif self._placed is not None and error.problem not in {IN_USE, NO_ROOM}:
            await self._placed.radio.forget(self._placed.device)


class BleConnection(Connection):
    """A connected client.

    Attributes:
        client: bleak's.
        placed: The device, and the radio that has it.
    """

    client: BleakClient
    placed: Placed

    def __init__(self, driver: Driver, sink: Sink, clock_ns: Clock) -> None:
        super().__init__(driver, sink, clock_ns)
        self._heard: dict[str, Callable[[bytes], None]] = {}

    def on_lost(self, _: BleakClient) -> None:
        """Bleak's disconnected callback."""
        self.lost.set()

    async def subscribe(self, channel: str, characteristic: str) -> None:
        """Deliver notifications; stamped in a plain function, since bleak makes a task of each async callback."""
        sink, clock_ns = self._sink, self._clock_ns

        def notified(_: BleakGATTCharacteristic, data: bytearray) -> None:
            frame = Frame(clock_ns(), channel, bytes(data))
            sink(frame)
            if (heard := self._heard.get(channel)) is not None:
                heard(frame.data)

        await self._within(self.client.start_notify(characteristic, notified), f"subscribe to {characteristic}")

    def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """Tell the dialogue too what is notified on a channel."""
        self._heard[channel] = heard

    async def read(self, characteristic: str) -> bytes:
        """Read a characteristic."""
        return bytes(await self._within(self.client.read_gatt_char(characteristic), f"read {characteristic}"))

    async def write(self, characteristic: str, data: bytes) -> None:
        """Write, if the driver may."""
        self._check_write(characteristic, data)
        await self._within(self.client.write_gatt_char(characteristic, data), f"write to {characteristic}")

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        """BLE has no byte stream."""
        raise DialogueError(f"a BLE link has no {count} bytes to receive within {timeout_s:g} s; subscribe instead")

    async def close(self) -> None:
        """Disconnect."""
        self.placed.radio.links.discard(self)
        await _disconnect(self.client)

    async def _within(self, operation: Awaitable[T], what: str) -> T:
        try:
            async with asyncio.timeout(GATT_S):
                return await operation
        except BLEAK_ERRORS as problem:
            if _needs_keys(problem):
                raise unpaired(f"could not {what}: {self.address} must be paired first") from problem
            if isinstance(problem, TimeoutError) and self.placed.radio.has_no_keys(self.placed.device):
                raise unpaired(f"could not {what}: no answer in time, as of one that must be paired first") from problem
            raise DialogueError(f"could not {what}: {one_line(problem)}") from problem


async def _disconnect(client: BleakClient) -> None:
    try:
        async with asyncio.timeout(DISCONNECT_S):
            await client.disconnect()
    except BLEAK_ERRORS as problem:
        log.debug("disconnecting %s: %s", client.address, one_line(problem))


def _connect_error(problem: BaseException, placed: Placed) -> LinkError:
    text = one_line(problem)
    if isinstance(problem, BleakBluetoothNotAvailableError) or (
        isinstance(problem, BleakDBusError) and problem.dbus_error in ADAPTER_DBUS_ERRORS
    ):
        return AdapterError(f"the adapter cannot connect: {text}")
    if any(word in text for word in FULL):
        placed.radio.limit = max(1, len(placed.radio.links))
        log.warning("%s holds %d links and no more", placed.radio, placed.radio.limit)
        return no_room(placed.device.address, [str(placed.radio)])
    if LOST in text:
        return LinkLostError("the link was lost while the device was asked what it has", at_start=True)
    return ConnectError(f"could not connect: {text}")


def _needs_keys(problem: BaseException) -> bool:
    """Whether a device answers that it only talks to whom it is paired with."""
    return (isinstance(problem, BleakGATTProtocolError) and problem.code in NEEDS_KEYS) or "Not paired" in str(problem)
