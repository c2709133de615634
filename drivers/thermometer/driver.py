"""Thermometer: any with the Bluetooth SIG service 0x1809 (Health Thermometer Service 1.0, section 3.1)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from drivers.gatt.kept import KeptDecoder, KeptProfile
from drivers.gatt.profile import MEASUREMENT_CHANNEL, Source
from drivers.gatt.record import FLOAT, TIME, U8, Field, Reading, Record
from drivers.gatt.uuids import sig_uuid
from drivers.packet import StreamSpec

SERVICE = sig_uuid(0x1809)
MEASUREMENT = sig_uuid(0x2A1C)

FAHRENHEIT: Final = 0x01  # flag: degrees Fahrenheit, not Celsius
TEMPERATURE: Final = Record(1, (Field("temperature", FLOAT), Field("time", TIME, 1), Field("type", U8, 2)))
"""Type: 1 armpit, 2 body, 3 ear, 4 finger, 5 gastro-intestinal, 6 mouth, 7 rectum, 8 toe, 9 eardrum."""


def parse_measurement(data: bytes) -> Reading:
    """Read one Temperature Measurement; raises MalformedFrameError when a field is cut."""
    return TEMPERATURE.whole(data)


class ThermometerDecoder(KeptDecoder):
    """Temperatures, a row each."""

    spec: ClassVar[StreamSpec] = StreamSpec(
        "temperature", ("temperature", "site", "user", "age"), ("Cel", "1", "1", "s")
    )

    def parse(self, data: bytes) -> Reading:
        """Read one measurement."""
        return parse_measurement(data)

    def values(self, reading: Reading) -> tuple[float, ...]:
        """Return the temperature in degrees Celsius, and where it was taken."""
        temperature = reading.number("temperature")
        celsius = (temperature - 32.0) / 1.8 if reading.flags & FAHRENHEIT else temperature
        return celsius, reading.number("type")


class Thermometer(KeptProfile):
    """Subscribes to the measurement. Writes nothing."""

    name: ClassVar[str] = "thermometer"
    title: ClassVar[str] = "Thermometer (Bluetooth SIG 0x1809)"
    service: ClassVar[str | None] = SERVICE
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)

    def __init__(self, **options: Any) -> None:
        if "user" in options:  # its records name none
            raise ValueError(f"driver '{self.name}' has no option 'user'")
        super().__init__(**options)

    def decoder(self) -> ThermometerDecoder:
        """Return a decoder that knows nothing of the device's clock yet."""
        return ThermometerDecoder()
