"""Bleak's client over the simulated radio: real ATT and GATT, spoken by bumble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar, cast

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.att import ATT_Error
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy

from simulators.radio.central import Central, uninterrupted
from simulators.radio.scanner import long_uuid

MTU = 517  # bytes, what BlueZ asks for
ATT_HEADER = 3  # bytes of a write or notification before its value
DISCONNECT_TIMEOUT_S = 2.0

T = TypeVar("T")

_PROPERTIES: dict[Any, CharacteristicPropertyName] = {
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
}


class SimulatedClient(BaseBleakClient):
    """A client backend; `simulators.radio.radio.SimulatedRadio` derives one that is bound to its radio.

    Attributes:
        central: The radio.
    """

    central: ClassVar[Central]

    def __init__(self, address_or_ble_device: BLEDevice | str, **kwargs: Any) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback=kwargs["disconnected_callback"],
            timeout=kwargs["timeout"],
        )
        self._known = isinstance(address_or_ble_device, BLEDevice)
        self._name = address_or_ble_device.name if isinstance(address_or_ble_device, BLEDevice) else None
        self._connection: Connection | None = None
        self._peer: Peer | None = None

    @property
    def name(self) -> str:
        """The advertised name, or the address with hyphens."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """Size of the largest ATT packet, bytes."""
        return int(self._connected().att_mtu)

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._connection is not None

    async def connect(self, pair: bool, **_: Any) -> None:  # bleak's signature
        """Connect and discover.

        Raises:
            BleakBluetoothNotAvailableError: if the simulator is not there.
            BleakDeviceNotFoundError: if only an address was given and nothing advertises under it.
            TimeoutError: if a known device does not answer.
            BleakError: if the link breaks while the services are discovered.
        """
        if self._connection is not None:
            raise BleakError("already connected")
        deadline = asyncio.get_running_loop().time() + self._timeout
        device = await self.central.device(self._timeout)
        try:
            async with asyncio.timeout_at(deadline):
                await self._connect(device)
        except TimeoutError:
            if self._known:
                raise
            raise BleakDeviceNotFoundError(self.address, f"nothing advertises under {self.address}") from None
        if pair:
            await self.pair()

    async def _connect(self, device: Device) -> None:
        while self._connection is None:
            address = await self.central.hear(self.address)
            with contextlib.suppress(TimeoutError):  # it stopped advertising at that moment: listen again
                self._adopt(await self.central.connect(device, address))
        try:
            self._peer = Peer(self._connection)
            self.services = await self._do(_discover(self._peer))
        except BaseException:
            await self.disconnect()
            raise

    def _adopt(self, connection: Connection) -> None:
        self._connection = connection

        def on_disconnection(_: int) -> None:
            for characteristic in self.services.characteristics if self.services else ():
                self.central.takers.pop((connection.handle, characteristic), None)
            self._connection = self._peer = None
            if self._disconnected_callback is not None:
                self._disconnected_callback()

        connection.on(connection.EVENT_DISCONNECTION, on_disconnection)

    async def disconnect(self) -> None:
        """Disconnect; does nothing if the link is already gone."""
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error, TimeoutError, BleakError):
            async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                await uninterrupted(connection.disconnect(), f"disconnect {self.address}")

    async def pair(self, *_: Any, **__: Any) -> None:
        """Pair, Just Works."""
        await self._do(self._connected().pair())

    async def unpair(self) -> None:
        """Forget the keys; they only live as long as the radio."""
        device = await self.central.device(self._timeout)
        if device.keystore is not None:
            with contextlib.suppress(KeyError):
                await device.keystore.delete(self.address)

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Read a characteristic."""
        del use_cached  # nothing is cached
        return await self._read(characteristic.handle)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Read a descriptor."""
        del use_cached
        return await self._read(descriptor.handle)

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # bleak's signature
    ) -> None:
        """Write a characteristic."""
        await self._do(self._gatt().write_value(characteristic.handle, bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        await self._do(self._gatt().write_value(descriptor.handle, bytes(data), with_response=True))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_: Any) -> None:
        """Subscribe: ``callback`` gets each value. Refused as BlueZ does where the characteristic has no such thing."""
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakError("[org.bluez.Error.NotSupported] Operation is not supported")
        await self._do(self._gatt().subscribe(characteristic.obj, lambda value: callback(bytearray(value))))
        if self._connection is not None:
            taken = (self._connection.handle, characteristic.handle)
            self.central.takers[taken] = lambda value: callback(bytearray(value))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe."""
        self.central.takers.pop((self._connected().handle, characteristic.handle), None)
        await self._do(self._gatt().unsubscribe(characteristic.obj))

    async def _read(self, handle: int) -> bytearray:
        return bytearray(await self._do(self._gatt().read_value(handle)))

    def _connected(self) -> Connection:
        if self._connection is None:
            raise BleakError("not connected")
        return self._connection

    def _gatt(self) -> Any:
        self._connected()
        assert self._peer is not None
        return self._peer.gatt_client

    async def _do(self, operation: Coroutine[Any, Any, T]) -> T:
        """Carry out one operation to its end, and turn bumble's errors into bleak's."""
        try:
            return await uninterrupted(operation, f"gatt {self.address}")
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            raise BleakError(str(error) or type(error).__name__) from error


async def _discover(peer: Peer) -> BleakGATTServiceCollection:
    await peer.request_mtu(MTU)
    found = BleakGATTServiceCollection()
    for service in await peer.discover_services():
        bleak_service = BleakGATTService(service, service.handle, long_uuid(service.uuid))
        found.add_service(bleak_service)
        for proxy in await service.discover_characteristics():
            characteristic = _characteristic(proxy, peer.connection, bleak_service)
            found.add_characteristic(characteristic)
            for descriptor in await proxy.discover_descriptors():
                uuid = long_uuid(descriptor.type)
                found.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, uuid, characteristic))
    return found


def _characteristic(
    proxy: CharacteristicProxy[bytes], connection: Connection, service: BleakGATTService
) -> BleakGATTCharacteristic:
    return BleakGATTCharacteristic(
        proxy,
        proxy.handle,
        long_uuid(proxy.uuid),
        [name for flag, name in _PROPERTIES.items() if proxy.properties & flag],
        cast("Callable[[], int]", lambda: connection.att_mtu - ATT_HEADER),
        service,
    )
