"""Polar measurement data as its specification writes it: settings, answers, frames of samples and of differences.

Facts: Polar, online_measurement.pdf v1.0 (August 2024).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

ECG, PPG, ACC, PPI, GYRO, MAG, PRESSURE, TEMPERATURE = 0, 1, 2, 3, 5, 6, 11, 12
GET, START, STOP = 1, 2, 3
SUCCESS, BAD_OPERATION, BAD_TYPE, BAD_PARAMETER, ALREADY, BAD_RESOLUTION, BAD_RATE, BAD_RANGE = 0, 1, 2, 5, 6, 7, 8, 9
BAD_CHANNELS: Final = 11
REFUSALS: Final = {0: BAD_RATE, 1: BAD_RESOLUTION, 2: BAD_RANGE, 4: BAD_CHANNELS}
SETTING_BYTES: Final = {0: 2, 1: 2, 2: 2, 4: 1}
BLOCK_SAMPLES: Final = 10  # firmware chooses; a block may have up to 255


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a sensor can measure.

    Attributes:
        settings: Values that may be chosen, by number of the setting.
        frame_type: How its samples are written.
        bits: Of a channel; negative for floats.
        frame_samples: In a notification.
        compressed: Whether they are written as differences.
        factor: What differences are multiplied by, as the answer to the start says; None where it says none.
        real_hz: Rate at which it really comes, if that is not the one that was chosen.
    """

    settings: Mapping[int, Sequence[int]]
    frame_type: int
    bits: int
    frame_samples: int
    compressed: bool = False
    factor: float | None = None
    real_hz: float | None = None

    def offered(self) -> bytes:
        """Return the settings as a sensor lists them."""
        found = bytearray()
        for number, values in self.settings.items():
            found += bytes((number, len(values)))
            for value in values:
                found += value.to_bytes(SETTING_BYTES[number], "little")
        return bytes(found)

    def chosen(self, command: bytes) -> tuple[int, dict[int, int]]:
        """Return the status of a start with these settings, and what was chosen."""
        chosen: dict[int, int] = {}
        rest = command
        while rest:
            width = SETTING_BYTES.get(rest[0])
            if width is None or len(rest) < 2 + width or rest[1] != 1:
                return BAD_PARAMETER, {}
            chosen[rest[0]] = int.from_bytes(rest[2 : 2 + width], "little")
            rest = rest[2 + width :]
        for number, values in self.settings.items():
            if chosen.get(number) not in values:
                return REFUSALS[number], {}
        return SUCCESS, chosen

    def started(self) -> bytes:
        """Return what the answer to a start tells."""
        return b"" if self.factor is None else b"\x05\x01" + struct.pack("<f", self.factor)


def features(kinds: Sequence[int]) -> bytes:
    """Return what reading the control point gives."""
    return b"\x0f" + sum(1 << kind for kind in kinds).to_bytes(2, "little") + bytes(14)


def answer(operation: int, kind: int, status: int, params: bytes = b"") -> bytes:
    """Return the indication that answers a command."""
    return bytes((0xF0, operation, kind, status)) + (b"\0" + params if status == SUCCESS else b"")


def frame(kind: int, stamp_ns: int, measurement: Measurement, samples: Sequence[Sequence[float]]) -> bytes:
    """Return a notification; the stamp is that of its last sample."""
    head = struct.pack("<BQB", kind, stamp_ns, measurement.frame_type | (0x80 if measurement.compressed else 0))
    integers = [[_integer(value, measurement.bits) for value in row] for row in samples]
    width = abs(measurement.bits) // 8
    if not measurement.compressed:
        return head + b"".join(_field(value, width) for row in integers for value in row)
    body = b"".join(_field(value, width) for value in integers[0])
    steps = [[after - before for before, after in zip(one, other, strict=True)] for one, other in pairwise(integers)]
    for at in range(0, len(steps), BLOCK_SAMPLES):
        body += _block(steps[at : at + BLOCK_SAMPLES])
    return head + body


def _integer(value: float, bits: int) -> int:
    """Return a count, cut to what its bits hold; of a float the bit pattern."""
    if bits < 0:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    most = (1 << bits - 1) - 1
    return max(-most - 1, min(most, round(value)))


def _field(value: int, width: int) -> bytes:
    return (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def _block(steps: Sequence[Sequence[int]]) -> bytes:
    """Return a block of differences, as narrow as the largest of them allows."""
    width = max((value if value >= 0 else ~value).bit_length() + 1 for row in steps for value in row)
    packed, at = 0, 0
    for row in steps:
        for value in row:
            packed |= (value & ((1 << width) - 1)) << at
            at += width
    return bytes((width, len(steps))) + packed.to_bytes((at + 7) // 8, "little")
