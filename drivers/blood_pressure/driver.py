"""Blood pressure monitor: any with the Bluetooth SIG service 0x1810 (Blood Pressure Service 1.1, section 3.1)."""

from __future__ import annotations

from typing import ClassVar, Final

from drivers.gatt.kept import UNKNOWN_USER, KeptDecoder, KeptProfile
from drivers.gatt.profile import MEASUREMENT_CHANNEL, Source
from drivers.gatt.record import SFLOAT, TIME, U8, U16, Field, Reading, Record
from drivers.gatt.uuids import sig_uuid
from drivers.packet import StreamSpec

SERVICE = sig_uuid(0x1810)
MEASUREMENT = sig_uuid(0x2A35)

KILOPASCAL: Final = 0x01  # flag: kPa, not mmHg
MMHG_IN_KPA: Final = 7.500617

PRESSURE: Final = Record(
    1,
    (
        Field("systolic", SFLOAT), Field("diastolic", SFLOAT), Field("map", SFLOAT),
        Field("time", TIME, 1), Field("pulse_rate", SFLOAT, 2), Field("user_id", U8, 3, missing=(UNKNOWN_USER,)),
        Field("status", U16, 4),
    ),
)  # fmt: skip


def parse_measurement(data: bytes) -> Reading:
    """Read one Blood Pressure Measurement; raises MalformedFrameError when a field is cut."""
    return PRESSURE.whole(data)


class BloodPressureDecoder(KeptDecoder):
    """Blood pressures, a row each."""

    spec: ClassVar[StreamSpec] = StreamSpec(
        "blood_pressure",
        ("systolic", "diastolic", "mean", "pulse_rate", "status", "user", "age"),
        ("mm[Hg]", "mm[Hg]", "mm[Hg]", "/min", "1", "1", "s"),
    )

    def parse(self, data: bytes) -> Reading:
        """Read one measurement."""
        return parse_measurement(data)

    def values(self, reading: Reading) -> tuple[float, ...]:
        """Return the pressures in mmHg, the pulse rate, and the bits of the measurement status."""
        mmhg = MMHG_IN_KPA if reading.flags & KILOPASCAL else 1.0
        pressures = (mmhg * reading.number(name) for name in ("systolic", "diastolic", "map"))
        return (*pressures, reading.number("pulse_rate"), reading.number("status"))


class BloodPressure(KeptProfile):
    """Subscribes to the measurement. Writes nothing: no cuff is inflated from here."""

    name: ClassVar[str] = "blood_pressure"
    title: ClassVar[str] = "Blood pressure monitor (Bluetooth SIG 0x1810)"
    service: ClassVar[str | None] = SERVICE
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)

    def decoder(self) -> BloodPressureDecoder:
        """Return a decoder for the configured user."""
        return BloodPressureDecoder(self.user)
