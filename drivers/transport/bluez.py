"""What BlueZ itself says of devices, asked over D-Bus at that moment.

bleak keeps a copy of BlueZ's objects, in which a device stays connected for ever when bluetoothd ends without a word;
and it leaves out held devices without a service of its choice. So who is connected is asked of the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bleak.backends.device import BLEDevice
from dbus_fast import unpack_variants
from dbus_fast.aio import MessageBus

from drivers.errors import AdapterError
from drivers.transport.search import Wanted
from drivers.transport.system_bus import BusError, call, system_bus

SERVICE = "org.bluez"
ADAPTER, DEVICE, CHARACTERISTIC = "org.bluez.Adapter1", "org.bluez.Device1", "org.bluez.GattCharacteristic1"
OBJECT_MANAGER, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"

Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Held:
    """A device that is connected to an adapter.

    Attributes:
        device: As bleak takes it.
        paired: Whether the system keeps keys for it: somebody paired it by hand, and it is not ours to remove.
        notifying: Whether some program is subscribed to it. BlueZ ends the subscriptions of a program that was killed.
    """

    device: BLEDevice
    paired: bool
    notifying: bool

    def is_wanted(self, wanted: Wanted) -> bool:
        """Whether it is what is looked for: by address or name, or by service where there is neither."""
        if wanted.address is not None or wanted.name is not None:
            return wanted.is_device(self.device)
        return wanted.service is not None and wanted.service in self.device.details["props"].get("UUIDs", ())


def held(objects: Objects, adapter: str | None) -> list[Held]:
    """Return the connected devices among the objects of BlueZ, those of one adapter or of all."""
    found = []
    for path, interfaces in objects.items():
        props = interfaces.get(DEVICE)
        if props is None or not props.get("Connected"):
            continue
        if adapter is not None and props.get("Adapter") != f"/org/bluez/{adapter}":
            continue
        address = str(props["Address"])
        alias = props.get("Alias")
        name = None if alias == address.replace(":", "-") else alias  # BlueZ makes one up where there is none
        notifying = any(
            other.startswith(f"{path}/") and bool(of.get(CHARACTERISTIC, {}).get("Notifying"))
            for other, of in objects.items()
        )
        device = BLEDevice(address, name, {"path": path, "props": dict(props)})
        found.append(Held(device, paired(props), notifying))
    return found


def paired(props: Mapping[str, Any]) -> bool:
    """Whether the system keeps keys for a device with these properties."""
    return bool(props.get("Paired") or props.get("Bonded"))


async def managed_objects() -> Objects:
    """Ask BlueZ for all its objects; raises AdapterError where it does not answer or is not there."""
    try:
        async with system_bus() as bus:
            return await objects_of(bus)
    except BusError as problem:
        raise AdapterError(f"the Bluetooth service does not answer: {problem}") from problem


async def objects_of(bus: MessageBus) -> Objects:
    """Ask BlueZ for all its objects over a connection; raises BusError."""
    (found,) = await call(bus, SERVICE, "/", OBJECT_MANAGER, "GetManagedObjects")
    objects: Objects = unpack_variants(found)
    return objects
