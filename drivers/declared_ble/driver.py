"""A device that notifies over Bluetooth and that the configuration declares: subscribed to, and never written to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from drivers.declared.driver import Declared
from drivers.driver import Link

NOTIFIED: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""What the Nordic UART service notifies. Its twin, which takes bytes, is named nowhere here."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class DeclaredBle(Declared):
    """Subscribes to what the device notifies.

    Options: see docs/declared-devices.md; ``characteristic`` where it is not that of the Nordic UART service.
    """

    name: ClassVar[str] = "declared_ble"
    title: ClassVar[str] = "Device declared in the configuration (Bluetooth)"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    channel: ClassVar[str] = "measurement"
    example: ClassVar[Mapping[str, Any]] = {
        "stream": "imu",
        "rate_hz": 100.0,
        "struct": "<H6h",
        "count_bits": 16,
        "values": [
            "count", "acc_x g 0.000244140625", "acc_y g 0.000244140625", "acc_z g 0.000244140625",
            "gyr_x deg/s 0.06103515625", "gyr_y deg/s 0.06103515625", "gyr_z deg/s 0.06103515625",
        ],
    }  # fmt: skip

    def __init__(self, *, characteristic: str = NOTIFIED, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(characteristic, str) or not _UUID.fullmatch(characteristic.lower()):
            raise ValueError(f"driver '{self.name}': characteristic is a UUID such as {NOTIFIED}")
        self._characteristic = characteristic.lower()

    async def start(self, link: Link) -> None:
        """Subscribe."""
        await link.subscribe(self.channel, self._characteristic)
