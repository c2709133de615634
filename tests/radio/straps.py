"""Heart rate straps as awkward as real ones: with keys, with a private address, without a service that is expected."""

from __future__ import annotations

import asyncio

from bumble import hci
from bumble.att import Attribute
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR
from bumble.pairing import PairingConfig, PairingDelegate

from simulators.devices.heart_rate import HeartRateStrap
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.hearts import Steady

PASSKEY = 123456
BPM = 75.0


class Strap(HeartRateStrap):
    """A strap that a trial can make awkward, before it is switched on.

    Attributes:
        bpm: Its heart rate, beats a minute.
        local_name: Its name.
        rude: Whether it ends each connection as soon as it is made.
    """

    def __init__(self, hub: Hub, number: int, *, bpm: float = BPM, battery_notifies: bool = True) -> None:
        super().__init__(
            name=f"strap-{number}", timeline=Timeline(), hub=hub, address=f"02:48:52:0F:00:{number:02X}",
            source=Steady(bpm), battery_notifies=battery_notifies,
        )  # fmt: skip
        self.local_name = str(self._config.name)
        self.bpm = bpm
        self.rude = False
        self._delegate: PairingDelegate | None = None
        self._own = hci.OwnAddressType.PUBLIC

    def rename(self, local_name: str) -> None:
        """Advertise another name."""
        super().rename(local_name)
        self.local_name = local_name

    def without_attribute_service(self) -> None:
        """Have no service 0x1801, as many cheap devices."""
        self._config.gatt_service_enabled = False

    def with_private_address(self, address: str) -> None:
        """Advertise an address that is made up, as a strap does that keeps its own to itself."""
        self.address = address
        self._config.address = hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS)
        self._own = hci.OwnAddressType.RANDOM

    def with_keys(self, *, passkey: bool) -> None:
        """Let nobody subscribe who is not paired; ``passkey`` shows `PASSKEY` for it."""
        self._delegate = _Shows() if passkey else PairingDelegate()

    async def _switch_on(self) -> None:
        first = self._device is None
        await super()._switch_on()
        if first and self._delegate is not None:
            self._lock(self._delegate)

    def _lock(self, delegate: PairingDelegate) -> None:
        assert self._device is not None
        shows = isinstance(delegate, _Shows)
        self._device.pairing_config_factory = lambda _: PairingConfig(
            sc=True, mitm=shows, bonding=True, delegate=delegate
        )
        for attribute in self._device.gatt_server.attributes:
            if attribute.type == GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR:
                permissions = Attribute.Permissions
                attribute.permissions |= (
                    permissions.WRITE_REQUIRES_AUTHENTICATION if shows else permissions.WRITE_REQUIRES_ENCRYPTION
                )

    async def _advertise(self) -> None:
        if self._device is not None and self._present and self._connection is None:
            await self._device.start_advertising(own_address_type=self._own)

    def _on_connection(self, connection: Connection) -> None:
        super()._on_connection(connection)
        if self.rude:
            self._rudeness = asyncio.create_task(self._drop())


class _Shows(PairingDelegate):  # type: ignore[misc] # bumble is untyped to us
    """Shows the passkey, and has no keys to type one."""

    def __init__(self) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)

    async def confirm(self, auto: bool = False) -> bool:
        """Refuse to be paired without it."""
        return False

    async def generate_passkey(self) -> int:
        """Return what it shows."""
        return PASSKEY
