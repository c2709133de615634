"""Cycling Speed and Cadence: any sensor with the Bluetooth SIG service 0x1816.

The measurement (0x2A5B, Cycling Speed and Cadence Service 1.0, section 3.1) tells how often wheel and crank have
turned, and when they did last. A lost notification is no loss: the next one counts on.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from drivers.gatt.exercise import Exercise, exercise_stream
from drivers.gatt.profile import EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.record import U16, U32, Field, Reading, Record
from drivers.gatt.rotation import MINUTE_S, Turns
from drivers.gatt.rows import Row
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec

SERVICE = sig_uuid(0x1816)
MEASUREMENT = sig_uuid(0x2A5B)

CSC: Final = Record(
    1,
    (
        Field("wheel_revs", U32, 0), Field("wheel_time_1024", U16, 0),
        Field("crank_revs", U16, 1), Field("crank_time_1024", U16, 1),
    ),
)  # fmt: skip
WHEEL_HZ: Final = 1024.0
LONGEST_WHEEL_M: Final = 4.0


def parse_measurement(data: bytes) -> Reading:
    """Read one CSC Measurement; raises MalformedFrameError when a field is cut."""
    return CSC.whole(data)


def wheel_length(driver: str, metres: object) -> float:
    """Return the option ``wheel_m``, NaN where it is not given; raises ValueError for what is no wheel."""
    if metres is None:
        return math.nan
    if isinstance(metres, bool) or not isinstance(metres, int | float) or not 0.0 < metres <= LONGEST_WHEEL_M:
        raise ValueError(f"driver '{driver}': wheel_m = {metres} is no circumference of a wheel in metres")
    return float(metres)


class CyclingSpeedDecoder(ProfileDecoder):
    """Rates between notifications, a row each.

    Args:
        wheel_m: Circumference of the wheel, metres; NaN where it is not known: then there is no speed.
    """

    spec: ClassVar[StreamSpec] = exercise_stream(("wheel_rate",), ("/min",))

    def __init__(self, wheel_m: float) -> None:
        super().__init__()
        self._wheel_m = wheel_m
        self._turns = Turns(WHEEL_HZ, self.faults)

    def row(self, frame: Frame) -> Row:
        """Return the rates up to one notification; NaN for what it does not have, or has for the first time."""
        reading = parse_measurement(frame.data)
        if reading.left:
            self.faults[EXTRA_BYTES] += 1
        wheel, crank = self._turns.a_minute(frame.arrival_ns, reading.values)
        exercise = Exercise(
            speed=wheel / MINUTE_S * self._wheel_m,
            cadence=crank,
            distance=reading.number("wheel_revs") * self._wheel_m,
        )
        return Row(frame.arrival_ns, (*exercise, wheel), Flag.LOSS_UNKNOWN)


class CyclingSpeed(Profile):
    """Subscribes to the measurement. Option ``wheel_m``: circumference of the wheel in metres, for a speed."""

    name: ClassVar[str] = "cycling_speed"
    title: ClassVar[str] = "Cycling speed and cadence sensor (Bluetooth SIG 0x1816)"
    service: ClassVar[str | None] = SERVICE
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)
    silence_s: ClassVar[float] = 60.0  # many send nothing while nothing turns

    def __init__(self, *, wheel_m: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._wheel_m = wheel_length(self.name, wheel_m)

    def decoder(self) -> CyclingSpeedDecoder:
        """Return a decoder that has seen no turn yet."""
        return CyclingSpeedDecoder(self._wheel_m)
