"""The gateway's end of the simulated air: a Bluetooth host on a controller that is reached over a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from bumble import core, hci
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.transport.common import TransportLostError
from bumble.transport.unix import open_unix_client_transport

from drivers.transport.unix_path import short_path
from simulators.radio.notification import decode
from simulators.radio.splitter import Splitter

_log = logging.getLogger(__name__)

POWER_ON_TIMEOUT_S = 5.0
FIRST_RETRY_S = 0.1  # a simulator that is restarted by hand or by a supervisor is back within seconds
LAST_RETRY_S = 2.0
CROWD = 30  # advertisers, of which each is heard ten times a second: to listen to more costs more than all else
HEARD_FOR_S = 300.0  # in a crowd what was heard is tried without listening again
CONNECT_TIMEOUT_S = 2.0  # for a peripheral that was heard a moment ago: ten advertisements

T = TypeVar("T")

Listener = Callable[[Advertisement], None]
Taker = Callable[[bytes], object]


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of bumble's log says more than that the air went while a command was under way: we tell that."""
    return not (record.exc_info and isinstance(record.exc_info[1], TransportLostError))


logging.getLogger("bumble.host").addFilter(_is_news)


def _unavailable(reason: str) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError(reason, BleakBluetoothNotAvailableReason.NO_BLUETOOTH)


async def uninterrupted(operation: Coroutine[Any, Any, T], name: str) -> T:
    """Run an operation of bumble to its end, even if whoever asked for it is cancelled.

    Neither its command queue nor its GATT client can have a request cut off half-way: the late answer meets nobody.

    Raises:
        BleakError: if the operation was cut off because the link was lost.
    """
    task = asyncio.create_task(operation, name=name)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else may look at it any more
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if task.cancelled() and caller is not None and not caller.cancelling():
            raise BleakError("the link was lost") from None
        raise


class _Host(Host):  # type: ignore[misc] # bumble is untyped to us
    """Bumble's host, which loses its transport without stumbling over a command that has just been answered.

    Attributes:
        takers: Who takes the notifications of a connection and attribute, by their handles, without all of bumble's
            layers.
    """

    takers: Mapping[tuple[int, int], Taker] = MappingProxyType({})

    def on_packet(self, packet: bytes) -> None:
        notification = decode(packet)
        taker = self.takers.get(notification[:2]) if notification is not None else None
        if notification is None or taker is None:
            super().on_packet(packet)
        else:
            taker(notification.attribute_value)

    def on_transport_lost(self) -> None:
        if self.pending_response is not None and not self.pending_response.done():
            self.pending_response.set_exception(TransportLostError("transport lost"))
        self.emit("flush")


class Central:
    """A Bluetooth host in the central role, which attaches again whenever the simulator comes back.

    Args:
        socket: Unix socket of the simulated radio.

    Attributes:
        takers: Who takes notifications, by the handles of connection and attribute.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.takers: dict[tuple[int, int], Taker] = {}
        self._device: Device | None = None
        self._listeners: set[Listener] = set()
        self._heard: dict[str, tuple[hci.Address, float]] = {}
        self._scan_lock = asyncio.Lock()
        self._connect_lock = asyncio.Lock()
        self._attached = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def attached(self) -> bool:
        """Whether the simulator is there and the radio works."""
        return self._attached.is_set()

    async def start(self) -> None:
        """Start to attach, and to attach again; does not wait for it."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_attached(), name="simulated-radio")

    async def stop(self) -> None:
        """Detach; connections are lost."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def device(self, timeout_s: float) -> Device:
        """Return the host once it is attached; raises BleakBluetoothNotAvailableError when it is not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._attached.wait()
        except TimeoutError:
            raise _unavailable(f"no simulated radio at {self.socket}: is 'rehab-gateway simulate' running?") from None
        if self._device is None:
            raise _unavailable(f"the simulated radio at {self.socket} has just gone")
        return self._device

    async def add_listener(self, listener: Listener) -> None:
        """Call ``listener`` with each advertisement; the first one starts the scan."""
        if self._device is None:
            raise _unavailable(f"no simulated radio at {self.socket}: is 'rehab-gateway simulate' running?")
        self._listeners.add(listener)
        await uninterrupted(self._scan(), "scan")

    async def remove_listener(self, listener: Listener) -> None:
        """Undo `add_listener`; the last one stops the scan."""
        self._listeners.discard(listener)
        await uninterrupted(self._scan(), "scan")

    async def hear(self, address: str) -> hci.Address:
        """Wait until a peripheral advertises, and return its address with its type.

        A real stack does the same before it connects; it keeps one silent device from holding up the others.
        """
        loop = asyncio.get_running_loop()
        known, heard_s = self._heard.get(address.upper(), (None, 0.0))
        if len(self._heard) > CROWD and known is not None and loop.time() - heard_s < HEARD_FOR_S:
            return known
        heard: asyncio.Future[hci.Address] = loop.create_future()

        def listener(advertisement: Advertisement) -> None:
            found = advertisement.address
            if not heard.done() and found.to_string(with_type_qualifier=False) == address.upper():
                heard.set_result(found)

        await self.add_listener(listener)
        try:
            return await heard
        finally:
            await self.remove_listener(listener)

    async def connect(self, device: Device, address: hci.Address) -> Connection:
        """Connect to a peripheral that was just heard; one at a time. Raises TimeoutError."""
        async with self._connect_lock:
            connecting = asyncio.create_task(
                device.connect_le(address, own_address_type=hci.OwnAddressType.PUBLIC, timeout=CONNECT_TIMEOUT_S),
                name=f"connect {address}",
            )
            try:
                return await asyncio.shield(connecting)
            except asyncio.CancelledError:
                await self._abandon(device, connecting)
                raise
            except core.TimeoutError:
                self._heard.pop(address.to_string(with_type_qualifier=False), None)
                raise TimeoutError from None

    @staticmethod
    async def _abandon(device: Device, connecting: asyncio.Task[Connection]) -> None:
        """Take a connection request back, so that it is neither left pending nor granted later to nobody."""
        with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error):
            await device.cancel_connection()
        with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error, asyncio.CancelledError):
            connection = await connecting
            await connection.disconnect()

    async def _scan(self) -> None:
        """Scan if somebody listens. Raises BleakError when the radio fails."""
        async with self._scan_lock:
            device = self._device
            if device is None or device.is_scanning == bool(self._listeners):
                return
            try:
                if self._listeners:
                    # Passive: everything we advertise is in the advertisement (see simulators.link, fault 3).
                    await device.start_scanning(active=False, own_address_type=hci.OwnAddressType.PUBLIC)
                else:
                    await device.stop_scanning()
            except (core.BaseBumbleError, hci.HCI_Error) as error:
                raise BleakError(f"the simulated radio failed: {error}") from error

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        found = advertisement.address
        self._heard[found.to_string(with_type_qualifier=False)] = found, asyncio.get_running_loop().time()
        for listener in tuple(self._listeners):
            listener(advertisement)

    async def _keep_attached(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            try:
                await self._attach()
                retry_s = FIRST_RETRY_S
            except (OSError, TimeoutError, BleakError, core.BaseBumbleError) as error:
                _log.debug("no simulated radio at %s: %s", self.socket, error)
                retry_s = min(2 * retry_s, LAST_RETRY_S)
            await asyncio.sleep(retry_s)

    async def _attach(self) -> None:
        """Attach, and return when the simulator has gone."""
        with short_path(self.socket) as name:
            transport: Any = await open_unix_client_transport(name)
        transport.source.parser = Splitter()
        try:
            host = _Host(transport.source, transport.sink)
            device = Device(config=DeviceConfiguration(name="rehab-gateway"), host=host)
            self.takers.clear()  # of connections that went with the last simulator
            host.takers = self.takers
            async with asyncio.timeout(POWER_ON_TIMEOUT_S):
                await device.power_on()
            device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            self._device = device
            await self._scan()
            self._attached.set()
            await transport.source.terminated
        finally:
            self._attached.clear()
            self._device = None
            await transport.close()
            await transport.source.terminated  # only then have connections and commands been told
