"""Weight scale: any with the Bluetooth SIG service 0x181D (Weight Scale Service 1.0, section 3.2)."""

from __future__ import annotations

from typing import ClassVar, Final

from drivers.gatt.kept import UNKNOWN_USER, KeptDecoder, KeptProfile
from drivers.gatt.profile import MEASUREMENT_CHANNEL, Source
from drivers.gatt.record import TIME, U8, U16, Field, Reading, Record
from drivers.gatt.uuids import sig_uuid
from drivers.packet import StreamSpec

SERVICE = sig_uuid(0x181D)
MEASUREMENT = sig_uuid(0x2A9D)

UNSUCCESSFUL: Final = 0xFFFF
IMPERIAL: Final = 0x01  # flag: pounds and inches
KG_IN_LB: Final = 0.45359237
M_IN_INCH: Final = 0.0254

_BEHIND: Final = (
    Field("time", TIME, 1),
    Field("user_id", U8, 2, missing=(UNKNOWN_USER,)),
    Field("bmi", U16, 3, per=10),
)
METRIC: Final = Record(
    1, (Field("weight", U16, per=200, missing=(UNSUCCESSFUL,)), *_BEHIND, Field("height", U16, 3, per=1000))
)
ENGLISH: Final = Record(
    1, (Field("weight", U16, per=100, missing=(UNSUCCESSFUL,)), *_BEHIND, Field("height", U16, 3, per=10))
)


def parse_measurement(data: bytes) -> Reading:
    """Read one Weight Measurement: in kg and m, or in lb and inches where its flag says so.

    Raises:
        MalformedFrameError: a field is cut.
    """
    return (ENGLISH if data[:1] and data[0] & IMPERIAL else METRIC).whole(data)


class WeightScaleDecoder(KeptDecoder):
    """Weights, a row each."""

    spec: ClassVar[StreamSpec] = StreamSpec(
        "weight", ("weight", "bmi", "height", "user", "age"), ("kg", "kg/m2", "m", "1", "s")
    )

    def parse(self, data: bytes) -> Reading:
        """Read one measurement."""
        return parse_measurement(data)

    def values(self, reading: Reading) -> tuple[float, ...]:
        """Return weight, body-mass index and height in SI units."""
        kg, m = (KG_IN_LB, M_IN_INCH) if reading.flags & IMPERIAL else (1.0, 1.0)
        return kg * reading.number("weight"), reading.number("bmi"), m * reading.number("height")


class WeightScale(KeptProfile):
    """Subscribes to the measurement. Writes nothing."""

    name: ClassVar[str] = "weight_scale"
    title: ClassVar[str] = "Weight scale (Bluetooth SIG 0x181D)"
    service: ClassVar[str | None] = SERVICE
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)

    def decoder(self) -> WeightScaleDecoder:
        """Return a decoder for the configured user."""
        return WeightScaleDecoder(self.user)
