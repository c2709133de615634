"""Running Speed and Cadence: any foot pod or treadmill with the Bluetooth SIG service 0x1814.

The measurement (0x2A53, Running Speed and Cadence Service 1.0, section 3.1) has neither clock nor counter.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from drivers.gatt.exercise import Exercise, exercise_stream
from drivers.gatt.profile import EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.record import U8, U16, U32, Field, Reading, Record
from drivers.gatt.rows import Row
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec

SERVICE = sig_uuid(0x1814)
MEASUREMENT = sig_uuid(0x2A53)

RSC: Final = Record(
    1,
    (
        Field("speed_mps", U16, per=256), Field("cadence_spm", U8),
        Field("stride_length_m", U16, 0, per=100), Field("total_distance_m", U32, 1, per=10),
    ),
)  # fmt: skip
RUNNING: Final = 0x04  # flag: running, not walking
STEPS_IN: Final = {"steps": 1.0, "strides": 2.0}
"""What a device counts as one: the service says steps, and some devices count strides all the same."""


def parse_measurement(data: bytes) -> Reading:
    """Read one RSC Measurement; raises MalformedFrameError when a field is cut."""
    return RSC.whole(data)


class RunningSpeedDecoder(ProfileDecoder):
    """Speed, cadence and distance, a row a notification.

    Args:
        steps: How many steps a minute one of the device's cadence is.
    """

    spec: ClassVar[StreamSpec] = exercise_stream(("stride_length", "running"), ("m", "1"))

    def __init__(self, steps: float) -> None:
        super().__init__()
        self._steps = steps

    def row(self, frame: Frame) -> Row:
        """Return what one notification tells."""
        reading = parse_measurement(frame.data)
        if reading.left:
            self.faults[EXTRA_BYTES] += 1
        exercise = Exercise(
            speed=reading.number("speed_mps"),
            cadence=self._steps * reading.number("cadence_spm"),
            distance=reading.number("total_distance_m"),
        )
        own = (reading.number("stride_length_m"), float(bool(reading.flags & RUNNING)))
        return Row(frame.arrival_ns, (*exercise, *own), Flag.LOSS_UNKNOWN)


class RunningSpeed(Profile):
    """Subscribes to the measurement. Option ``cadence``: what the device counts, ``steps`` (default) or ``strides``."""

    name: ClassVar[str] = "running_speed"
    title: ClassVar[str] = "Running speed and cadence sensor (Bluetooth SIG 0x1814)"
    service: ClassVar[str | None] = SERVICE
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)
    silence_s: ClassVar[float] = 10.0  # some pods send only while the foot moves, and go on a little

    def __init__(self, *, cadence: str = "steps", **options: Any) -> None:
        super().__init__(**options)
        if cadence not in STEPS_IN:
            raise ValueError(f"driver '{self.name}' counts no '{cadence}': known are {', '.join(STEPS_IN)}")
        self._steps = STEPS_IN[cadence]

    def decoder(self) -> RunningSpeedDecoder:
        """Return a decoder for what the device counts."""
        return RunningSpeedDecoder(self._steps)
