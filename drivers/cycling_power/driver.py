"""Cycling Power: pedals, cranks and ergometers with the Bluetooth SIG service 0x1818.

The measurement (0x2A63, Cycling Power Service 1.1, section 3.2) has the power of the moment and, as far as the sensor
can, counters of wheel and crank. Its control point is never written: nothing is calibrated from here.
"""

from __future__ import annotations

import math
from typing import ClassVar, Final

from drivers.gatt.exercise import Exercise, exercise_stream
from drivers.gatt.profile import EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.record import I16, U8, U16, U24, U32, Field, Reading, Record
from drivers.gatt.rotation import Turns
from drivers.gatt.rows import Row
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec

SERVICE = sig_uuid(0x1818)
MEASUREMENT = sig_uuid(0x2A63)

POWER: Final = Record(
    2,
    (
        Field("power_w", I16), Field("balance_pct", U8, 0, per=2), Field("torque_nm", U16, 2, per=32),
        Field("wheel_revs", U32, 4), Field("wheel_time_2048", U16, 4),
        Field("crank_revs", U16, 5), Field("crank_time_1024", U16, 5),
        Field("max_force_n", I16, 6), Field("min_force_n", I16, 6),
        Field("max_torque_nm", I16, 7, per=32), Field("min_torque_nm", I16, 7, per=32),
        Field("extreme_angles", U24, 8), Field("top_dead_spot_deg", U16, 9), Field("bottom_dead_spot_deg", U16, 10),
        Field("energy_kj", U16, 11),
    ),
)  # fmt: skip
BALANCE_OF_LEFT: Final = 0x02  # flag: the balance is the left leg's share; else nobody says whose
WHEEL_HZ: Final = 2048.0
KCAL_IN_KJ: Final = 1 / 4.184


def parse_measurement(data: bytes) -> Reading:
    """Read one Cycling Power Measurement; raises MalformedFrameError when a field is cut."""
    return POWER.whole(data)


class CyclingPowerDecoder(ProfileDecoder):
    """Power, and the rates between notifications, a row each."""

    spec: ClassVar[StreamSpec] = exercise_stream(("left_share", "wheel_rate"), ("%", "/min"))

    def __init__(self) -> None:
        super().__init__()
        self._turns = Turns(WHEEL_HZ, self.faults)

    def row(self, frame: Frame) -> Row:
        """Return what one notification tells."""
        reading = parse_measurement(frame.data)
        if reading.left:
            self.faults[EXTRA_BYTES] += 1
        wheel, crank = self._turns.a_minute(frame.arrival_ns, reading.values)
        power, energy = reading.number("power_w"), KCAL_IN_KJ * reading.number("energy_kj")
        left = reading.number("balance_pct") if reading.flags & BALANCE_OF_LEFT else math.nan
        return Row(
            frame.arrival_ns, (*Exercise(cadence=crank, power=power, energy=energy), left, wheel), Flag.LOSS_UNKNOWN
        )


class CyclingPower(Profile):
    """Subscribes to the measurement. Writes nothing."""

    name: ClassVar[str] = "cycling_power"
    title: ClassVar[str] = "Cycling power sensor (Bluetooth SIG 0x1818)"
    service: ClassVar[str | None] = SERVICE
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)
    silence_s: ClassVar[float] = 60.0  # many send nothing while nothing turns

    def decoder(self) -> CyclingPowerDecoder:
        """Return a decoder that has seen no turn yet."""
        return CyclingPowerDecoder()
