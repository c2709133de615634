"""The drivers of devices that the configuration declares. Nothing is ever written to them.

A prototype of a laboratory needs no code here: its configuration says what a line or a struct of it holds. That is also
why nothing is written: bytes that a configuration could choose would be a way to an actuator.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Final

from drivers.declared.declaration import Options, declared
from drivers.declared.decoder import DeclaredDecoder
from drivers.driver import Driver, Link

_OPTIONS: Final = frozenset(field.name for field in fields(Options))


class Declared(Driver):
    """What the drivers of both transports share: options, decoder, silence."""

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
            self._declaration = declared(Options(**options), "ble" if self.transport == "ble" else "serial")
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
