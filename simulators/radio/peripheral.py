"""A Bluetooth LE peripheral: a GATT server that advertises, and sends notifications to whom subscribed."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Callable, Sequence

from bumble import core, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host

from simulators.motion.timeline import Timeline
from simulators.radio.addresses import next_address
from simulators.radio.device import SimulatedDevice
from simulators.radio.hub import Hub
from simulators.radio.notification import MOST_BYTES, encode

ADVERTISING_INTERVAL_MS = 62.5  # bumble's controller takes units of 0.625 ms for milliseconds: this makes 100 ms
ADVERTISEMENT_BYTES = 31  # Core 5.0, Vol 6, Part B, 2.3.1: and there is no scan response in this air
LOCAL_NAME = 0x09  # complete (Core Supplement, Part A, 1.2)
FLAGS = bytes([2, 0x01, 0x06])  # general discoverable, no BR/EDR
ATT_HEADER = 3  # bytes of a notification before its value
SWITCH_OFF_TIMEOUT_S = 2.0
SUBSCRIBED = 0b11  # of a client's configuration: notifications, indications (Core 5.0, Vol 3, Part G, 3.3.3.3)

Read = Callable[[], bytes]
Write = Callable[[bytes], None]


def advertisement(name: str, *, services: Sequence[int] = (), maker: int | None = None) -> bytes:
    """Return advertising data (Core Supplement, Part A); raises ValueError when it does not fit.

    Args:
        name: Complete local name.
        services: 16-bit service UUIDs.
        maker: Company identifier for empty manufacturer data.
    """
    data = FLAGS + bytes([len(name.encode()) + 1, LOCAL_NAME]) + name.encode()
    if services:
        data += bytes([2 * len(services) + 1, 0x03]) + b"".join(s.to_bytes(2, "little") for s in services)
    if maker is not None:
        data += bytes([3, 0xFF]) + maker.to_bytes(2, "little")
    if len(data) > ADVERTISEMENT_BYTES:
        raise ValueError(f"the advertisement of '{name}' has {len(data)} bytes, {ADVERTISEMENT_BYTES} fit")
    return data


def characteristic(
    uuid: str,
    *,
    read: Read | bytes | None = None,
    write: Write | None = None,
    notify: bool = False,
    indicate: bool = False,
) -> Characteristic[bytes]:
    """Return a characteristic: fixed bytes or a function to read, a function to write, notifications, indications."""
    properties = Characteristic.Properties(0)
    permissions = Characteristic.Permissions(0)
    if read is not None:
        properties |= Characteristic.Properties.READ
        permissions |= Characteristic.READABLE
    if write is not None:
        properties |= Characteristic.Properties.WRITE
        permissions |= Characteristic.WRITEABLE
    if notify:
        properties |= Characteristic.Properties.NOTIFY
    if indicate:
        properties |= Characteristic.Properties.INDICATE
    value = CharacteristicValue(
        read=(lambda _: read() if callable(read) else read) if read is not None else None,
        write=(lambda _, data: write(data)) if write is not None else None,
    )
    return Characteristic(uuid, properties, permissions, value)


class Peripheral(SimulatedDevice):
    """A simulated Bluetooth LE device.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        local_name: Advertised name.
        advertised: Advertising data.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, local_name: str, advertised: bytes
    ) -> None:
        super().__init__(name=name, timeline=timeline)
        self.address = address
        self._hub = hub
        self._config = DeviceConfiguration(
            name=local_name,
            advertising_data=advertised,
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
        )
        self._device: Device | None = None
        self._connection: Connection | None = None
        self._present = False
        self._advertising: asyncio.Task[None] | None = None
        self._indicating: set[asyncio.Task[None]] = set()  # the loop only keeps weak references

    @property
    def connected(self) -> bool:
        """Whether a gateway is connected."""
        return self._connection is not None

    def subscribed(self, attribute: Characteristic[bytes]) -> bool:
        """Whether a gateway is connected and has subscribed to notifications of a characteristic."""
        return self._connection is not None and self._subscribed(self._connection, attribute)

    @abstractmethod
    def services(self) -> list[Service]:
        """Return the GATT services."""

    def notify(self, attribute: Characteristic[bytes], values: Sequence[bytes]) -> bool:
        """Send notifications, each cut to what fits; False when nobody is connected or subscribed."""
        connection = self._connection
        if connection is None or not self._subscribed(connection, attribute):
            return False
        most = min(connection.att_mtu - ATT_HEADER, MOST_BYTES)
        packets = [encode(attribute.handle, value[:most]) for value in self._as_sent(values)]
        self._controller.send_notifications(connection.peer_address, packets)
        return True

    def indicate(self, attribute: Characteristic[bytes], value: bytes) -> bool:
        """Send an indication, which the other side confirms; False when nobody is connected or subscribed."""
        connection = self._connection
        if connection is None or not self._subscribed(connection, attribute):
            return False
        for each in self._as_sent([value]):
            sending = asyncio.get_running_loop().create_task(
                self._indicate(connection, attribute, each), name=f"indicate {self.name}"
            )
            self._indicating.add(sending)
            sending.add_done_callback(self._indicating.discard)
        return True

    async def _indicate(self, connection: Connection, attribute: Characteristic[bytes], value: bytes) -> None:
        assert self._device is not None
        with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error, TimeoutError):  # the link may go meanwhile
            await self._device.indicate_subscriber(connection, attribute, value)

    def _may_send(self) -> bool:
        """Whether the gateway takes what it is sent: a device holds back what it has until it does."""
        return self._connection is None or self._hub.air.is_writable(self._connection.peer_address)

    def _subscribed(self, connection: Connection, attribute: Characteristic[bytes]) -> bool:
        assert self._device is not None
        configured = self._device.gatt_server.subscribers.get(connection, {}).get(attribute.handle, b"")
        return bool(configured and configured[0] & SUBSCRIBED)

    async def _switch_on(self) -> None:
        if self._device is None:
            self._controller = controller = self._hub.controller(self.name, self.address)
            self._device = Device(config=self._config, host=Host(controller, controller))
            self._device.add_services(self.services())
            self._device.on(Device.EVENT_CONNECTION, self._on_connection)
            await self._device.power_on()
        self._present = True
        await self._advertise()

    async def _switch_off(self) -> None:
        self._present = False
        if self._device is None:
            return
        if self._advertising is not None:
            await asyncio.wait([self._advertising])  # else what a lost link has just begun would go on for ever
        await self._device.stop_advertising()
        await self._disconnect(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def rename(self, local_name: str) -> None:
        """Advertise another name, before it is switched on; raises ValueError when it does not fit."""
        name, advertised, data = local_name.encode(), b"", self._config.advertising_data
        while data:
            part, data = data[: data[0] + 1], data[data[0] + 1 :]
            advertised += bytes([len(name) + 1, LOCAL_NAME]) + name if part[1] == LOCAL_NAME else part
        if len(advertised) > ADVERTISEMENT_BYTES:
            raise ValueError(
                f"the advertisement of '{local_name}' has {len(advertised)} bytes, {ADVERTISEMENT_BYTES} fit"
            )
        self._config.name, self._config.advertising_data = local_name, advertised

    async def rotate(self) -> None:
        """Have another address from now on: the link is lost, and whoever looks for the name finds the new one."""
        self.streaming = False
        await self._switch_off()
        self.address = next_address(self.address)
        if self._device is not None:
            self._controller.remove()
            self._device = None
        await self._switch_on()

    async def _drop(self) -> None:
        await self._disconnect(hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    async def _disconnect(self, reason: hci.HCI_ErrorCode) -> None:
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error, TimeoutError, ValueError):
            async with asyncio.timeout(SWITCH_OFF_TIMEOUT_S):
                await connection.drain()
                await connection.disconnect(reason)

    async def _advertise(self) -> None:
        if self._device is not None and self._present and self._connection is None:
            await self._device.start_advertising(own_address_type=hci.OwnAddressType.PUBLIC)

    def _on_connection(self, connection: Connection) -> None:
        self._connection = connection
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)

    def _on_disconnection(self, _: int) -> None:
        self._connection = None
        self.streaming = False
        for sending in self._indicating:  # else it would reach whoever connects next
            sending.cancel()
        self._on_link_lost()
        task = asyncio.get_running_loop().create_task(self._advertise(), name=f"advertise {self.name}")
        self._advertising = task  # the loop only keeps a weak reference

    def _on_link_lost(self) -> None:
        """Forget what the connection had set up."""
