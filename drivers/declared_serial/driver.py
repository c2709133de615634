"""A device behind a serial port that the configuration declares: read, and never written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from drivers.declared.driver import Declared
from drivers.driver import Link

SLOWEST_BAUD, FASTEST_BAUD = 300, 4_000_000


class DeclaredSerial(Declared):
    """Listens to the port: the device sends by itself.

    Options: see docs/declared-devices.md; ``baud`` where the port has another rate than 115200.
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

    def __init__(self, *, baud: int = 115_200, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(baud, bool) or not isinstance(baud, int) or not SLOWEST_BAUD <= baud <= FASTEST_BAUD:
            raise ValueError(f"driver '{self.name}': baud is the rate of Serial.begin, such as 9600 or 115200")
        self.rates = (baud,)  # type: ignore[misc]  # each device of this kind may have another

    async def start(self, link: Link) -> None:
        """Nothing to do: it sends by itself."""
