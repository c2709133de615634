"""Bluetooth LE over bleak: connections of any radio, and the machine's own adapter through BlueZ.

Every call to bleak has a time limit of ours: D-Bus calls are known to hang (research notes of the project, and
bleak's issue list: reads of protected characteristics, disconnects of devices that are gone).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZClientArgs, BlueZScannerArgs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError

from drivers.driver import Driver
from drivers.errors import AdapterError, ConnectError, DialogueError, LinkError, NotFoundError
from drivers.packet import Frame
from drivers.transport.bluez import held, managed_objects, paired
from drivers.transport.radio import BLEAK_ERRORS, Found, Lost, Radio
from drivers.transport.search import Wanted
from drivers.transport.transport import Clock, Connection, Sink, Transport
from drivers.transport.troubles import in_use

log = logging.getLogger(__name__)

SEARCH_S = 15.0  # a device in range advertises every 0.1 to 2 s; then the supervisor says "not found" and goes on
CONNECT_S = 20.0  # BlueZ itself gives up after about 25 s
GATT_S = 5.0  # an operation takes 0.05 to 0.5 s; a hung one must not hold the other devices up
DISCONNECT_S = 5.0
RESET_PAUSE_S = 2.0  # between off and on; USB adapters lose their firmware if it is shorter
RESET_INTERVAL_S = 60.0  # a reset drops every device of the adapter

ADAPTER_DBUS_ERRORS = ("org.bluez.Error.NotReady", "org.freedesktop.DBus.Error.ServiceUnknown")

T = TypeVar("T")


class BluezRadio(Radio):
    """The machine's Bluetooth adapter."""

    _last_reset_s: float | None = None

    def scanner(self, found: Found) -> BleakScanner:
        """Return an active scanner on the adapter."""
        return BleakScanner(found, bluez=BlueZScannerArgs(adapter=self.adapter) if self.adapter else {})

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a client for a device of the adapter."""
        return BleakClient(device, disconnected_callback=lost, timeout=CONNECT_S, bluez=self._client_args())

    async def held(self, wanted: Wanted) -> Sequence[BLEDevice]:
        """Return the wanted devices that BlueZ still holds connected: a killed process leaves them so, and silent.

        Raises:
            ConnectError: another program on this computer has subscribed to one.
            AdapterError: BlueZ does not answer.
        """
        if wanted.address is None and wanted.name is None:
            return ()
        try:
            async with asyncio.timeout(GATT_S):
                connected = held(await managed_objects(), self.adapter)
        except BLEAK_ERRORS as problem:
            raise AdapterError(f"the Bluetooth service does not answer: {_text(problem)}") from problem
        ours = self.searches.taken()
        found = [
            each for each in connected if wanted.is_device(each.device) and each.device.address.upper() not in ours
        ]
        for each in found:
            if each.notifying:
                raise in_use(each.device.address)
        return [each.device for each in found]

    async def forget(self, device: BLEDevice) -> None:
        """Have BlueZ remove the device: the cure for a connection attempt that never ends ("InProgress").

        One that a person has paired stays: without its keys it would not talk to us again.
        """
        if paired(_properties(device)):
            return
        with contextlib.suppress(*BLEAK_ERRORS):
            async with asyncio.timeout(DISCONNECT_S):
                await self.client(device, lambda _: None).unpair()

    async def reset(self) -> None:
        """Power the adapter off and on, at most once a minute, while nobody scans or connects."""
        async with self.quiet():
            now = asyncio.get_running_loop().time()
            if self._last_reset_s is not None and now - self._last_reset_s < RESET_INTERVAL_S:
                return
            self._last_reset_s = now
            await _power_cycle(self.adapter or "hci0")

    def _client_args(self) -> BlueZClientArgs:
        return BlueZClientArgs(adapter=self.adapter) if self.adapter else {}


def _properties(device: BLEDevice) -> dict[str, Any]:
    """Return what BlueZ said of a device that was found."""
    details = device.details
    return dict(details.get("props") or {}) if isinstance(details, dict) else {}


async def _power_cycle(adapter: str) -> None:
    """Set the adapter's Powered property to false and to true."""
    from dbus_fast import BusType, Message, MessageType, Variant
    from dbus_fast.aio import MessageBus

    try:
        async with asyncio.timeout(4 * GATT_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            log.warning("switching Bluetooth adapter %s off and on", adapter)
            try:
                for powered in (False, True):
                    request = Message(
                        destination="org.bluez",
                        path=f"/org/bluez/{adapter}",
                        interface="org.freedesktop.DBus.Properties",
                        member="Set",
                        signature="ssv",
                        body=["org.bluez.Adapter1", "Powered", Variant("b", powered)],
                    )
                    reply = await bus.call(request)
                    if reply is None or reply.message_type is MessageType.ERROR:
                        raise AdapterError(f"adapter {adapter} cannot be switched {'on' if powered else 'off'}")
                    await asyncio.sleep(RESET_PAUSE_S)
            finally:
                bus.disconnect()
    except (TimeoutError, OSError, EOFError) as problem:
        raise AdapterError(f"adapter {adapter} cannot be reset: {_text(problem)}") from problem


class BleTransport(Transport):
    """The way to one BLE device by address, by name, or by the driver's service.

    ``known`` is the address under which it was met before: of several devices of the name it is the one.
    """

    def __init__(
        self,
        radio: Radio,
        *,
        address: str | None = None,
        name: str | None = None,
        service: str | None = None,
        known: str | None = None,
    ) -> None:
        self._radio = radio
        self._address = address
        self._name = name
        self._service = service
        self._known = known
        self._device: BLEDevice | None = None

    async def search(self) -> None:
        """Wait for an advertisement."""
        self._device = None
        self._device = await self._radio.find(
            address=self._address,
            name=self._name,
            service=self._service,
            timeout_s=SEARCH_S,
            known=self._known,
            owner=self,
        )

    async def connect(self, driver: Driver, sink: Sink, clock_ns: Clock) -> Connection:
        """Connect and discover services, one device at a time."""
        if self._device is None:
            raise NotFoundError("the device has not been searched for")
        connection = BleConnection(driver, sink, clock_ns)
        client = self._radio.client(self._device, connection.on_lost)
        async with self._radio.quiet():
            try:
                async with asyncio.timeout(CONNECT_S):
                    await client.connect()
            except BLEAK_ERRORS as problem:
                await _disconnect(client)
                raise _connect_error(problem) from problem
        connection.client, connection.address = client, self._device.address
        return connection

    def begin(self) -> None:
        """Keep the address from searches by name, and the name from other searches by name."""
        self._radio.searches.register(Wanted(self._address, self._name, self._service), self)

    def end(self) -> None:
        """Let others have them."""
        self._radio.searches.unregister(self)

    def confirm(self) -> None:
        """Prefer this address among others of the name: it is the same radio."""
        if self._device is not None:
            self._known = self._device.address

    def release(self) -> None:
        """Let other searches have the device."""
        self._radio.searches.release(self)

    async def reset(self, error: LinkError) -> None:
        """Forget a half-open connection; reset the adapter when that is what fails."""
        if isinstance(error, AdapterError):
            await self._radio.reset()
        elif self._device is not None:
            await self._radio.forget(self._device)


class BleConnection(Connection):
    """A connected client."""

    client: BleakClient

    def on_lost(self, _: BleakClient) -> None:
        """Bleak's disconnected callback."""
        self.lost.set()

    async def subscribe(self, channel: str, characteristic: str) -> None:
        """Deliver notifications; stamped in a plain function, since bleak makes a task of each async callback."""
        sink, clock_ns = self._sink, self._clock_ns

        def notified(_: BleakGATTCharacteristic, data: bytearray) -> None:
            sink(Frame(clock_ns(), channel, bytes(data)))

        await self._within(self.client.start_notify(characteristic, notified), f"subscribe to {characteristic}")

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
        await _disconnect(self.client)

    async def _within(self, operation: Awaitable[T], what: str) -> T:
        try:
            async with asyncio.timeout(GATT_S):
                return await operation
        except BLEAK_ERRORS as problem:
            raise DialogueError(f"could not {what}: {_text(problem)}") from problem


async def _disconnect(client: BleakClient) -> None:
    try:
        async with asyncio.timeout(DISCONNECT_S):
            await client.disconnect()
    except BLEAK_ERRORS as problem:
        log.debug("disconnecting %s: %s", client.address, _text(problem))


def _connect_error(problem: BaseException) -> LinkError:
    if isinstance(problem, BleakBluetoothNotAvailableError) or (
        isinstance(problem, BleakDBusError) and problem.dbus_error in ADAPTER_DBUS_ERRORS
    ):
        return AdapterError(f"the adapter cannot connect: {_text(problem)}")
    return ConnectError(f"could not connect: {_text(problem)}")


def _text(problem: BaseException) -> str:
    return " ".join(str(problem).split()) or (
        "no answer in time" if isinstance(problem, TimeoutError) else type(problem).__name__
    )
