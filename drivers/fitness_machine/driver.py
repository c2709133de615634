"""Fitness machines with the Bluetooth SIG service 0x1826: treadmill, cross trainer, bike, rower, climbers.

They are read and never steered: their control point is not subscribed to and cannot be written. A record may come in
parts, and machines of the field send frames of a fixed length whatever their flags say (see `records`).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, NamedTuple

from drivers.errors import MalformedFrameError
from drivers.fitness_machine.records import BACKWARD, MACHINES, MORE_DATA, parse_part
from drivers.fitness_machine.status import parse_machine_status, parse_training_status, trains
from drivers.gatt.exercise import SI_SPEED, Exercise, exercise_stream
from drivers.gatt.profile import EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.record import Reading
from drivers.gatt.rows import Row
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec

SERVICE = sig_uuid(0x1826)
TREADMILL = sig_uuid(0x2ACD)
MACHINE_STATUS, TRAINING_STATUS = sig_uuid(0x2ADA), sig_uuid(0x2AD3)
CONTROL_POINT = sig_uuid(0x2AD9)  # named to be refused

MACHINE_OF: Final = {MEASUREMENT_CHANNEL: "treadmill"} | {name: name for name in MACHINES if name != "treadmill"}
"""Which machine's records the frames of a channel are."""
DATA: Final = (
    Source(MEASUREMENT_CHANNEL, TREADMILL), Source("cross_trainer", sig_uuid(0x2ACE)),
    Source("step_climber", sig_uuid(0x2ACF)), Source("stair_climber", sig_uuid(0x2AD0)),
    Source("rower", sig_uuid(0x2AD1)), Source("bike", sig_uuid(0x2AD2)),
)  # fmt: skip
STATUS: Final = (Source("machine_status", MACHINE_STATUS), Source("training_status", TRAINING_STATUS))

NS: Final = 1_000_000_000
PARTS_WITHIN_S: Final = 3.0  # parts of one record follow each other within one second; later ones are of another
FIXED_BYTES: Final = 20  # what fits into a notification where nobody asked for more: some machines send no other length
FIXED: Final = "fixed frame: shorter than its flags say"
UNENDED: Final = "record without its end"
CADENCES: Final = ("cadence_rpm", "step_spm", "stroke_spm")


class Open(NamedTuple):
    """What has come of a record that is not whole yet.

    Attributes:
        parts: Its fields.
        arrival_ns: Arrival of the newest part.
    """

    parts: dict[str, Any]
    arrival_ns: int


class FitnessMachineDecoder(ProfileDecoder):
    """Records of whichever machine it is, put together from their parts, a row each."""

    spec: ClassVar[StreamSpec] = exercise_stream(
        ("inclination", "resistance", "heart_rate", "elapsed", "running", "backward"),
        ("%", "1", "/min", "s", "1", "1"),
    )
    channels: ClassVar[frozenset[str]] = frozenset({*MACHINE_OF, *(source.channel for source in STATUS)})
    uncounted: ClassVar[dict[str, float]] = dict.fromkeys(MACHINE_OF, 0.2)

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, Open] = {}  # by channel: a computer may show two machines, whose parts come in between
        self._running = math.nan

    def row(self, frame: Frame) -> Row | None:
        """Return a record when its last part has come."""
        machine = MACHINE_OF.get(frame.channel)
        if machine is None:
            self._read_status(frame)
            return None
        reading = parse_part(machine, frame.data)
        flag = self._judge(reading, len(frame.data))
        backward = float(bool(reading.flags & BACKWARD)) if machine == "cross_trainer" else math.nan
        known = self._open.pop(frame.channel, Open({}, 0))
        before = self._unended(known, frame.arrival_ns, reading)
        parts = reading.values if before else known.parts | reading.values
        if reading.flags & MORE_DATA:
            self._open[frame.channel] = Open(parts, frame.arrival_ns)
            return self._row(known.arrival_ns, known.parts, backward, flag | Flag.TRUNCATED) if before else None
        return self._row(frame.arrival_ns, parts, backward, flag)

    def _row(self, arrival_ns: int, record: dict[str, Any], backward: float, flag: Flag) -> Row:
        return Row(arrival_ns, (*_values(record), self._running, backward), flag)

    def _judge(self, reading: Reading, size: int) -> Flag:
        """Return what is wrong with a part that can be used all the same; raises MalformedFrameError for others."""
        if reading.truncated:
            if size != FIXED_BYTES:
                raise MalformedFrameError("truncated frame")
            self.faults[FIXED] += 1
            return Flag.LOSS_UNKNOWN | Flag.TRUNCATED
        if reading.left:
            self.faults[EXTRA_BYTES] += 1
        return Flag.LOSS_UNKNOWN

    def _unended(self, known: Open, arrival_ns: int, reading: Reading) -> bool:
        """Whether the end of a record never came: this part says the same again, or comes much later."""
        again = known.parts.keys() & reading.values.keys()
        if not known.parts or not (again or arrival_ns - known.arrival_ns > PARTS_WITHIN_S * NS):
            return False
        self.faults[UNENDED] += 1
        return True

    def _read_status(self, frame: Frame) -> None:
        parse = parse_training_status if frame.channel == "training_status" else parse_machine_status
        running = trains(frame.channel, parse(frame.data))
        if running is not None:
            self._running = float(running)


def _values(record: dict[str, Any]) -> tuple[float, ...]:
    def number(name: str) -> float:
        value = record.get(name)
        return math.nan if value is None else float(value)

    cadence = next((number(name) for name in CADENCES if name in record), math.nan)
    exercise = Exercise(
        number("speed_kmh") / SI_SPEED, cadence, number("power_w"), number("distance_m"), number("energy_kcal")
    )
    heart_rate = number("hr") or math.nan  # 0 where nobody holds the grips
    return (*exercise, number("inclination_pct"), number("resistance"), heart_rate, number("elapsed_s"))


class FitnessMachine(Profile):
    """Subscribes to the records of the machine and to its status. Writes nothing: no machine is steered from here."""

    name: ClassVar[str] = "fitness_machine"
    title: ClassVar[str] = "Treadmill, cross trainer, bike, rower or climber (Bluetooth SIG 0x1826)"
    service: ClassVar[str | None] = SERVICE
    live: ClassVar[frozenset[str]] = frozenset(MACHINE_OF)
    optional: ClassVar[tuple[Source, ...]] = (*DATA, *STATUS)
    silence_s: ClassVar[float] = 30.0  # some send only while their belt or wheel moves, and pause with it

    def decoder(self) -> FitnessMachineDecoder:
        """Return a decoder that knows of no part yet."""
        return FitnessMachineDecoder()
