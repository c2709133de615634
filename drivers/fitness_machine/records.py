"""What the machines of the Fitness Machine Service 1.0 tell of themselves each second (section 4).

Flag 0 says the opposite of the others: where it is set, the first field is missing and more of the same record follows
in another notification. Two fields are of two widths in the field: resistance (16 bits in tenths in version 1.0, 8 bits
in the present GATT specification), and pace. The one that fits the length is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.gatt.record import I16, U8, U16, U24, Field, Reading, Record

MORE_DATA: Final = 0x01  # flag: the record goes on in the next notification
NONE_16, NONE_8, NONE_SIGNED = (0xFFFF,), (0xFF,), (0x7FFF,)


def _energy(bit: int) -> tuple[Field, ...]:
    return (
        Field("energy_kcal", U16, bit, missing=NONE_16),
        Field("energy_per_h", U16, bit, missing=NONE_16),
        Field("energy_per_min", U8, bit, missing=NONE_8),
    )


def _end(bit: int) -> tuple[Field, ...]:
    """Return what most records end with, from the heart rate on."""
    return (
        Field("hr", U8, bit),
        Field("met", U8, bit + 1, per=10),
        Field("elapsed_s", U16, bit + 2),
        Field("remaining_s", U16, bit + 3, missing=NONE_16),
    )


def _slope(bit: int) -> tuple[Field, ...]:
    return (
        Field("inclination_pct", I16, bit, per=10, missing=NONE_SIGNED),
        Field("ramp_deg", I16, bit, per=10, missing=NONE_SIGNED),
    )


def _resistance(bit: int, *, wide: bool) -> Field:
    return Field("resistance", I16, bit, per=10) if wide else Field("resistance", U8, bit)


SPEED: Final = Field("speed_kmh", U16, 0, per=100, inverted=True)
AVERAGE_SPEED: Final = Field("avg_speed_kmh", U16, 1, per=100)


def _treadmill(*, wide: bool) -> Record:
    pace = (U16, 1.0) if wide else (U8, 10.0)
    names = ("pace_s_per_500m", "avg_pace_s_per_500m") if wide else ("pace_km_per_min", "avg_pace_km_per_min")
    return Record(
        2,
        (
            SPEED, AVERAGE_SPEED, Field("distance_m", U24, 2), *_slope(3),
            Field("elev_pos_m", U16, 4, per=10), Field("elev_neg_m", U16, 4, per=10),
            Field(names[0], pace[0], 5, per=pace[1]), Field(names[1], pace[0], 6, per=pace[1]),
            *_energy(7), *_end(8),
            Field("force_n", I16, 12, missing=NONE_SIGNED), Field("power_w", I16, 12, missing=NONE_SIGNED),
        ),
    )  # fmt: skip


def _cross_trainer(*, wide: bool) -> Record:
    return Record(
        3,
        (
            SPEED, AVERAGE_SPEED, Field("distance_m", U24, 2),
            Field("step_spm", U16, 3, missing=NONE_16), Field("avg_step_spm", U16, 3, missing=NONE_16),
            Field("stride_count", U16, 4, per=10),
            Field("elev_pos_m", U16, 5, missing=NONE_16), Field("elev_neg_m", U16, 5, missing=NONE_16),
            *_slope(6), _resistance(7, wide=wide), Field("power_w", I16, 8), Field("avg_power_w", I16, 9),
            *_energy(10), *_end(11),
        ),
    )  # fmt: skip


def _bike(*, wide: bool) -> Record:
    return Record(
        2,
        (
            SPEED, AVERAGE_SPEED, Field("cadence_rpm", U16, 2, per=2), Field("avg_cadence_rpm", U16, 3, per=2),
            Field("distance_m", U24, 4), _resistance(5, wide=wide), Field("power_w", I16, 6),
            Field("avg_power_w", I16, 7), *_energy(8), *_end(9),
        ),
    )  # fmt: skip


def _rower(*, wide: bool) -> Record:
    return Record(
        2,
        (
            Field("stroke_spm", U8, 0, per=2, inverted=True), Field("stroke_count", U16, 0, inverted=True),
            Field("avg_stroke_spm", U8, 1, per=2), Field("distance_m", U24, 2),
            Field("pace_s_per_500m", U16, 3, missing=NONE_16), Field("avg_pace_s_per_500m", U16, 4, missing=NONE_16),
            Field("power_w", I16, 5), Field("avg_power_w", I16, 6), _resistance(7, wide=wide), *_energy(8), *_end(9),
        ),
    )  # fmt: skip


STEP_CLIMBER: Final = Record(
    2,
    (
        Field("floors", U16, 0, inverted=True), Field("step_count", U16, 0, inverted=True),
        Field("step_spm", U16, 1), Field("avg_step_spm", U16, 2), Field("elev_pos_m", U16, 3), *_energy(4), *_end(5),
    ),
)  # fmt: skip
STAIR_CLIMBER: Final = Record(
    2,
    (
        Field("floors", U16, 0, inverted=True), Field("step_spm", U16, 1), Field("avg_step_spm", U16, 2),
        Field("elev_pos_m", U16, 3), Field("stride_count", U16, 4), *_energy(5), *_end(6),
    ),
)  # fmt: skip

MACHINES: Final[dict[str, tuple[Record, ...]]] = {
    "treadmill": (_treadmill(wide=False), _treadmill(wide=True)),
    "cross_trainer": (_cross_trainer(wide=True), _cross_trainer(wide=False)),
    "step_climber": (STEP_CLIMBER,),
    "stair_climber": (STAIR_CLIMBER,),
    "rower": (_rower(wide=True), _rower(wide=False)),
    "bike": (_bike(wide=True), _bike(wide=False)),
}
"""The layouts of each machine, that of version 1.0 first."""
BACKWARD: Final = 1 << 15
"""Flag of a cross trainer: it is trodden backwards."""


def parse_part(machine: str, data: bytes) -> Reading:
    """Read one notification of a machine by the layout that fits its length, as far as it is whole.

    Raises:
        MalformedFrameError: not even the flags are whole, or it is longer than any value.
    """
    readings = [layout.leading(data) for layout in MACHINES[machine]]
    return next((reading for reading in readings if not reading.truncated and not reading.left), readings[0])


def known_flags(machine: str) -> int:
    """Return the flags that mean something."""
    bits = [field.bit for layout in MACHINES[machine] for field in layout.fields if field.bit >= 0]
    own: Sequence[int] = (15,) if machine == "cross_trainer" else ()
    return sum(1 << bit for bit in {*bits, *own})
