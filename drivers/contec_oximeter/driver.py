"""Contec CMS50D-BT finger oximeter: a protocol of its maker, as others have found it out.

It streams after one command, ``9B 01 1C`` to FF01: the only write that the driver may make. Frames come on FF02: eight
bytes with pulse rate and saturation, six with the waveform, each ending with the sum of the bytes before it.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from drivers.driver import Link
from drivers.errors import MalformedFrameError
from drivers.gatt.profile import MEASUREMENT_CHANNEL, Profile, ProfileDecoder, Source
from drivers.gatt.rows import Row
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec

COMMAND, FRAMES = sig_uuid(0xFF01), sig_uuid(0xFF02)
START: Final = bytes.fromhex("9b011c")

WAVE, VALUES = 0x00, 0x01
LENGTHS: Final = {WAVE: 6, VALUES: 8}
HEADER: Final = 0xEB
SUM_BITS: Final = 0x7F  # of the sum and of the last byte: it is not known whether the highest one counts
NO_SPO2: Final = (0, 127)
NO_PULSE: Final = (0, 255)


def parse_frame(data: bytes) -> dict[str, Any]:
    """Read one frame; raises MalformedFrameError for another header, length or sum."""
    if not data:
        raise MalformedFrameError("empty frame")
    if len(data) < 2 or data[0] != HEADER or data[1] not in LENGTHS:
        raise MalformedFrameError("unknown frame")
    if len(data) != LENGTHS[data[1]]:
        raise MalformedFrameError("frame of another length")
    if (sum(data[:-1]) ^ data[-1]) & SUM_BITS:
        raise MalformedFrameError("wrong sum")
    if data[1] == WAVE:
        return {"frame": "wave", "finger_byte": data[2], "ppg": data[3], "bar": data[4]}
    return {"frame": "values", "finger_byte": data[2], "pulse_rate": data[3], "spo2": data[4]}


class ContecDecoder(ProfileDecoder):
    """Pulse rate and saturation, a row a frame that has them; waveforms are passed over."""

    spec: ClassVar[StreamSpec] = StreamSpec(
        "oximetry",
        ("spo2", "pulse_rate", "perfusion", "status", "sensor_status", "age", "finger"),
        ("%", "/min", "%", "1", "1", "s", "1"),
    )

    def compared(self, frame: Frame) -> str | None:
        """Look for values that are delivered twice; the waveform between them is passed over."""
        return frame.channel if frame.data[1:2] == bytes([VALUES]) else None

    def row(self, frame: Frame) -> Row | None:
        """Return what one frame tells; None for a waveform."""
        values = parse_frame(frame.data)
        if values["frame"] != "values":
            return None
        spo2 = math.nan if values["spo2"] in NO_SPO2 else float(values["spo2"])
        pulse = math.nan if values["pulse_rate"] in NO_PULSE else float(values["pulse_rate"])
        unknown = (math.nan,) * 4
        return Row(frame.arrival_ns, (spo2, pulse, *unknown, float(values["finger_byte"])), Flag.LOSS_UNKNOWN)


class ContecOximeter(Profile):
    """Subscribes, and asks for the stream by the one command that there is for it."""

    name: ClassVar[str] = "contec_oximeter"
    title: ClassVar[str] = "Contec CMS50D-BT finger oximeter"
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, FRAMES),)

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Permit the command that starts the stream; none that reads the memory, sets the clock or deletes."""
        return characteristic == COMMAND and data == START

    def decoder(self) -> ContecDecoder:
        """Return a decoder without state."""
        return ContecDecoder()

    async def start(self, link: Link) -> None:
        """Subscribe, then have it stream."""
        await super().start(link)
        await link.write(COMMAND, START)
