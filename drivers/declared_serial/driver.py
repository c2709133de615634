"""A device behind a serial port that the configuration declares: read, and never written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from drivers.declared.driver import Declared
from drivers.driver import Link


class DeclaredSerial(Declared):
    """Listens to the port: the device sends by itself.

    Options: see docs/devices/declared.md.
    """

    name: ClassVar[str] = "declared_serial"
    title: ClassVar[str] = "Device declared in the configuration (serial)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    channel: ClassVar[str] = "data"
    example: ClassVar[Mapping[str, Any]] = {
        "stream": "imu",
        "rate_hz": 100.0,
        "values": [
            "time ms", "acc_x m/s2", "acc_y m/s2", "acc_z m/s2", "gyr_x rad/s", "gyr_y rad/s", "gyr_z rad/s",
        ],
    }  # fmt: skip

    async def start(self, link: Link) -> None:
        """Nothing to do: it sends by itself."""
