"""Bleak's scanner over the simulated radio."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Literal

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement

from simulators.radio.central import Central

ATTACH_TIMEOUT_S = 5.0


def advertised(advertisement: Advertisement) -> AdvertisementData:
    """Return what an advertisement says, as bleak says it."""
    data = advertisement.data
    makers = data.get_all(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
    services = [
        service
        for kind in (
            AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
            AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
            AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
        )
        for listed in data.get_all(kind)
        for service in listed
    ]
    return AdvertisementData(
        local_name=data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or data.get(AdvertisingData.SHORTENED_LOCAL_NAME),
        manufacturer_data=dict(makers),
        service_data={},
        service_uuids=[long_uuid(service) for service in services],
        tx_power=None,
        rssi=advertisement.rssi,
        platform_data=(),
    )


def long_uuid(short: UUID) -> str:
    """Return the 128-bit form in lower case, with hyphens, as bleak writes UUIDs."""
    return str(uuid.UUID(bytes=short.to_bytes(force_128=True)[::-1]))


class SimulatedScanner(BaseBleakScanner):
    """A scanner backend; `simulators.radio.radio.SimulatedRadio` derives one that is bound to its radio.

    Attributes:
        central: The radio.
    """

    central: ClassVar[Central]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"] = "active",  # noqa: ARG002 # all is in the advertisement
        **_: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        """Start to scan; raises BleakBluetoothNotAvailableError when the simulator is not there."""
        self.seen_devices = {}
        await self.central.device(ATTACH_TIMEOUT_S)
        await self.central.add_listener(self._on_advertisement)

    async def stop(self) -> None:
        """Stop scanning."""
        await self.central.remove_listener(self._on_advertisement)

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = advertised(advertisement)
        if not self.is_allowed_uuid(data.service_uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        device = self.create_or_update_device(address, address, data.local_name, advertisement.address, data)
        self.call_detection_callbacks(device, data)
