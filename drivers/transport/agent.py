"""Answers BlueZ's questions while a device is paired: for the devices that are ours, and for nobody else.

Without an agent of ours bluetoothd refuses every pairing that a device asks for ("No agent available"), and a
subscription that needs one is never answered. It says yes to a pairing that asks nothing (just works), types the
passkey that the configuration has for a device, and rejects all else: a phone that wants to pair with the gateway, a
device that nobody configured, a service that wants in.
"""

# No deferred annotations here: dbus-fast reads the D-Bus types of the methods from them.

import logging
from collections.abc import Callable

from dbus_fast import DBusError
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

from drivers.transport.bluez import SERVICE
from drivers.transport.system_bus import call

log = logging.getLogger(__name__)

PATH = "/org/rehab_gateway/agent"
MANAGER, MANAGER_PATH = "org.bluez.AgentManager1", "/org/bluez"
REJECTED = "org.bluez.Error.Rejected"
JUST_WORKS, WITH_PASSKEY = "NoInputNoOutput", "KeyboardOnly"


class Agent(ServiceInterface):
    """A pairing agent.

    Args:
        ours: Whether a device, by its D-Bus path, is one of ours.
        passkey: Returns the passkey for a device, by its D-Bus path; None where none is known.
        capability: What it can do: `JUST_WORKS`, or `WITH_PASSKEY` where any device has one.

    Attributes:
        missing: Devices, by path, whose passkey was asked for and is not known.
    """

    def __init__(
        self, ours: Callable[[str], bool], passkey: Callable[[str], int | None], capability: str = JUST_WORKS
    ) -> None:
        super().__init__("org.bluez.Agent1")
        self._ours = ours
        self._passkey = passkey
        self.capability = capability
        self.missing: set[str] = set()

    async def register(self, bus: MessageBus, *, default: bool = False) -> None:
        """Offer it to BlueZ, for what this connection to the bus pairs, or for all (``default``). Raises BusError."""
        bus.export(PATH, self)
        await call(bus, SERVICE, MANAGER_PATH, MANAGER, "RegisterAgent", "os", [PATH, self.capability])
        if default:
            await call(bus, SERVICE, MANAGER_PATH, MANAGER, "RequestDefaultAgent", "o", [PATH])

    @dbus_method()
    def Release(self) -> None:  # noqa: N802 - BlueZ's names from here on
        """BlueZ needs it no more."""

    @dbus_method()
    def Cancel(self) -> None:  # noqa: N802
        """What was asked last is not needed any more."""

    @dbus_method()
    def RequestAuthorization(self, device: DBusObjectPath) -> None:  # noqa: N802
        """Say yes to a pairing that asks nothing."""
        self._check(device)

    @dbus_method()
    def RequestConfirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:  # noqa: N802
        """Compare the number that the device shows with the passkey that is known for it."""
        self._check(device)
        known = self._passkey(device)
        if known is not None and known != passkey:
            raise DBusError(REJECTED, "another passkey is configured")

    @dbus_method()
    def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:  # noqa: N802
        """Type the passkey that the device shows, or has on its label."""
        return self._known(device)

    @dbus_method()
    def RequestPinCode(self, device: DBusObjectPath) -> DBusStr:  # noqa: N802
        """The same for a device of old."""
        return f"{self._known(device):06d}"

    @dbus_method()
    def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: N802
        """Let nobody use a service of this computer."""
        raise DBusError(REJECTED, f"{device} may not use {uuid}")

    @dbus_method()
    def DisplayPasskey(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:  # noqa: N802
        """Nobody looks."""

    @dbus_method()
    def DisplayPinCode(self, device: DBusObjectPath, pincode: DBusStr) -> None:  # noqa: N802
        """Nobody looks."""

    def _check(self, device: str) -> None:
        if not self._ours(device):
            log.warning("a pairing with %s was refused: it is none of our devices", device)
            raise DBusError(REJECTED, "not a device of this gateway")

    def _known(self, device: str) -> int:
        self._check(device)
        known = self._passkey(device)
        if known is None:
            self.missing.add(device)
            raise DBusError(REJECTED, "no passkey is configured")
        return known
