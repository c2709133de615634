"""One Bluetooth adapter of this computer, through BlueZ."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Sequence
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZClientArgs, BlueZScannerArgs
from bleak.backends.device import BLEDevice
from dbus_fast import Variant
from dbus_fast.aio import MessageBus

from drivers.errors import AdapterError, one_line
from drivers.transport import pairing
from drivers.transport.bluez import ADAPTER, PROPERTIES, SERVICE, Held, held, managed_objects, objects_of, paired
from drivers.transport.radio import BLEAK_ERRORS, CONNECT_S, DISCONNECT_S, GATT_S, Found, Lost, Radio
from drivers.transport.search import Wanted
from drivers.transport.system_bus import BusError, call, system_bus
from drivers.transport.troubles import in_use, switched_off

log = logging.getLogger(__name__)

RESET_PAUSE_S = 2.0  # between off and on; USB adapters lose their firmware if it is shorter
RESET_INTERVAL_S = 60.0  # a reset drops every device of the adapter
OTHERS_S = 3.0  # another program subscribes within so long of its connection; one that was killed never does
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
RESTART_S = 15.0
UNIT = "bluetooth.service"


class BluezRadio(Radio):
    """The machine's Bluetooth adapter."""

    _last_reset_s: float | None = None

    def scanner(self, found: Found) -> BleakScanner:
        """Return an active scanner on the adapter."""
        return BleakScanner(found, bluez=BlueZScannerArgs(adapter=self.adapter) if self.adapter else {})

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a client for a device of the adapter."""
        return BleakClient(device, disconnected_callback=lost, timeout=CONNECT_S, bluez=self._client_args())

    async def held(self, wanted: Wanted, ours: Collection[str]) -> Sequence[BLEDevice]:
        """Return the wanted devices that BlueZ still holds connected: a killed process leaves them so, and silent.

        Raises:
            ConnectError: another program on this computer has subscribed to one, or does so within a moment.
            AdapterError: BlueZ does not answer.
        """
        found = _not_in_use(await self._held(wanted, ours))
        if found:  # whoever has just connected it has not subscribed yet
            await asyncio.sleep(OTHERS_S)
            found = _not_in_use(await self._held(wanted, ours))
        return [each.device for each in found]

    async def _held(self, wanted: Wanted, ours: Collection[str]) -> list[Held]:
        try:
            async with asyncio.timeout(GATT_S):
                connected = held(await managed_objects(), self.adapter)
        except TimeoutError as problem:
            raise AdapterError("the Bluetooth service does not answer: no answer in time") from problem
        return [each for each in connected if each.is_wanted(wanted) and each.device.address.upper() not in ours]

    def has_no_keys(self, device: BLEDevice) -> bool:
        """Whether BlueZ said that it keeps no keys for a device."""
        return not paired(_properties(device))

    async def keep(self, device: BLEDevice, passkey: int | None = None) -> None:
        """Pair a device, while nobody scans or connects. Raises ConnectError, AdapterError."""
        async with self.quiet():
            await pairing.pair(device.address, passkey, adapter=self.adapter)

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
        """Power the adapter off and on, at most once a minute, while nobody scans or connects.

        Raises:
            AdapterError: It cannot be done, or a person has switched it off.
        """
        async with self.quiet():
            now = asyncio.get_running_loop().time()
            if self._last_reset_s is not None and now - self._last_reset_s < RESET_INTERVAL_S:
                return
            adapter = self.adapter or "hci0"
            try:
                async with system_bus() as bus:
                    await _check_on(bus, adapter)
                    self._last_reset_s = now
                    await _power_cycle(bus, adapter)
            except BusError as problem:
                raise AdapterError(f"adapter {adapter} cannot be reset: {problem}") from problem

    def _client_args(self) -> BlueZClientArgs:
        return BlueZClientArgs(adapter=self.adapter) if self.adapter else {}


async def restart_bluetoothd() -> None:
    """Have systemd start bluetoothd again, where this user may. Raises AdapterError."""
    try:
        async with system_bus() as bus:
            log.warning("starting %s again", UNIT)
            manager = f"{SYSTEMD}.Manager"
            body = [UNIT, "replace"]
            await call(bus, SYSTEMD, SYSTEMD_PATH, manager, "RestartUnit", "ss", body, limit_s=RESTART_S)
    except BusError as problem:
        raise AdapterError(f"{UNIT} cannot be started again: {problem}") from problem


def _not_in_use(found: list[Held]) -> list[Held]:
    """Return them all; raises ConnectError where another program is subscribed to one."""
    for each in found:
        if each.notifying:
            raise in_use(each.device.address)
    return found


def _properties(device: BLEDevice) -> dict[str, Any]:
    """Return what BlueZ said of a device that was found."""
    details = device.details
    return dict(details.get("props") or {}) if isinstance(details, dict) else {}


async def _check_on(bus: MessageBus, adapter: str) -> None:
    """Raise AdapterError where an adapter is switched off: a person did that. Raises BusError."""
    props = (await objects_of(bus)).get(f"/org/bluez/{adapter}", {}).get(ADAPTER)
    if props is None:
        raise AdapterError(f"adapter {adapter} cannot be reset: it is not there")
    if not props.get("Powered"):
        raise switched_off(adapter)


async def _power_cycle(bus: MessageBus, adapter: str) -> None:
    """Switch an adapter off and on; on again also where this is interrupted. Raises AdapterError."""
    log.warning("switching Bluetooth adapter %s off and on", adapter)
    try:
        await _power(bus, adapter, on=False)
        await asyncio.sleep(RESET_PAUSE_S)
    finally:
        await _power(bus, adapter, on=True)
    await asyncio.sleep(RESET_PAUSE_S)


async def _power(bus: MessageBus, adapter: str, *, on: bool) -> None:
    body = [ADAPTER, "Powered", Variant("b", on)]
    try:
        await call(bus, SERVICE, f"/org/bluez/{adapter}", PROPERTIES, "Set", "ssv", body)
    except BusError as problem:
        raise AdapterError(
            f"adapter {adapter} cannot be switched {'on' if on else 'off'}: {one_line(problem)}"
        ) from problem
