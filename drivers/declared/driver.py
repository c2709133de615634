"""Devices that the configuration declares, over a serial port or Bluetooth. Nothing is ever written to them.

A prototype of a laboratory needs no code here: its configuration says what a line or a struct of it holds. That is also
why nothing is written: bytes that a configuration could choose would be a way to an actuator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Final, Literal

from drivers.declared.declaration import Options, declared
from drivers.declared.decoder import DeclaredDecoder
from drivers.driver import Driver, Link

NOTIFIED: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""What the Nordic UART service notifies. Its twin, which takes bytes, is named nowhere here."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OPTIONS: Final = frozenset(field.name for field in fields(Options))


class _Declared(Driver):
    """What both transports share."""

    silence_s: ClassVar[float] = 10.0
    channel: ClassVar[str]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{name: value for name, value in options.items() if name not in _OPTIONS})
        if "values" not in options:
            raise ValueError(
                f"driver '{self.name}' needs the option 'values': what stands in a line, such as"
                ' values = ["time ms", "imu.acc_x m/s2", "imu.acc_y m/s2"]'
            )
        try:
            self._declaration = declared(Options(**options), self.transport)
        except ValueError as problem:
            raise ValueError(f"driver '{self.name}': {problem}") from problem

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing: nobody here knows what the device does with it."""
        return False

    def decoder(self) -> DeclaredDecoder:
        """Return a decoder for a new connection."""
        return DeclaredDecoder(self._declaration, self.channel)

    async def stop(self, link: Link) -> None:
        """Nothing to do: it sends on, to nobody."""


class DeclaredSerial(_Declared):
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


class DeclaredBle(_Declared):
    """Subscribes to what the device notifies.

    Options: see docs/devices/declared.md; ``characteristic`` where it is not that of the Nordic UART service.
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
