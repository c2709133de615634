"""The messages of a MetaMotion: module, register, and what stands in the register. Little-endian, 20 bytes at most.

What is streamed has neither stamp nor counter. Facts: mbientlab/MetaWear-SDK-Cpp (its tests, and the registers of its
sources).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drivers.errors import MalformedFrameError

ACCELEROMETER, GYROSCOPE, MAGNETOMETER, FUSION = 0x03, 0x13, 0x15, 0x19
POWER, ENABLE, CONFIGURATION = 0x01, 0x02, 0x03
READ: Final = 0x80  # set in the register of a question and of its answer

FULL: Final = 32768.0
GYRO_FULL: Final = 32800.0  # counts at the end of the gyroscope's range, which it never tells
MICROTESLA_A_COUNT: Final = 1 / 16
STANDARD_GRAVITY: Final = 9.80665  # m/s2
MG: Final = 1000.0

GYRO_RANGES_DPS: Final = (2000.0, 1000.0, 500.0, 250.0, 125.0)  # by their codes
ACC_RANGES_G: Final[Mapping[str, Mapping[int, float]]] = {
    "bmi160": {0x03: 2.0, 0x05: 4.0, 0x08: 8.0, 0x0C: 16.0},
    "bmi270": {0x00: 2.0, 0x01: 4.0, 0x02: 8.0, 0x03: 16.0},
}
FILTERED: Final = 0x80  # in the configuration of a BMI270's accelerometer: its filter; a BMI160 has it clear
FIRST_RATE_HZ: Final = 12.5  # of code 5; each code is twice the one before
FIRST_RATE_CODE: Final = 5

COUNTS, FLOATS = "counts", "floats"
SINGLE_BYTES, PACKED_BYTES = 6, 18


@dataclass(frozen=True, slots=True)
class Signal:
    """What a register streams.

    Attributes:
        what: ``acc``, ``gyr``, ``mag``, ``quaternion``, ``euler``, ``gravity`` or ``linear``.
        form: `COUNTS` or `FLOATS`.
        sizes: How many bytes it may have.
    """

    what: str
    form: str
    sizes: tuple[int, ...]


_TRIPLES: Final = (SINGLE_BYTES, PACKED_BYTES)
SIGNALS: Final[Mapping[tuple[int, int], Signal]] = {
    (ACCELEROMETER, 0x04): Signal("acc", COUNTS, (SINGLE_BYTES,)),
    (ACCELEROMETER, 0x05): Signal("acc", COUNTS, (PACKED_BYTES,)),  # of a BMI270
    (ACCELEROMETER, 0x1C): Signal("acc", COUNTS, (PACKED_BYTES,)),  # of a BMI160
    (GYROSCOPE, 0x04): Signal("gyr", COUNTS, (SINGLE_BYTES,)),  # of a BMI270
    (GYROSCOPE, 0x05): Signal("gyr", COUNTS, _TRIPLES),  # of a BMI160; packed, of a BMI270
    (GYROSCOPE, 0x07): Signal("gyr", COUNTS, (PACKED_BYTES,)),  # of a BMI160
    (MAGNETOMETER, 0x05): Signal("mag", COUNTS, (SINGLE_BYTES,)),
    (MAGNETOMETER, 0x09): Signal("mag", COUNTS, (PACKED_BYTES,)),
    (FUSION, 0x04): Signal("acc", FLOATS, (13,)),  # three numbers and how good they are
    (FUSION, 0x05): Signal("gyr", FLOATS, (13,)),
    (FUSION, 0x06): Signal("mag", FLOATS, (13,)),
    (FUSION, 0x07): Signal("quaternion", FLOATS, (16,)),
    (FUSION, 0x08): Signal("euler", FLOATS, (16,)),
    (FUSION, 0x09): Signal("gravity", FLOATS, (12,)),
    (FUSION, 0x0A): Signal("linear", FLOATS, (12,)),
}


def signal_of(data: bytes) -> Signal | None:
    """Return what a message streams, None for an answer; raises MalformedFrameError for one that is cut or too long."""
    if len(data) < 2:
        raise MalformedFrameError("truncated message")
    signal = SIGNALS.get((data[0], data[1]))
    if signal is None:
        return None
    if len(data) - 2 not in signal.sizes:
        raise MalformedFrameError("another length than the register has")
    return signal


@dataclass(frozen=True, slots=True)
class Configured:
    """How a sensor says that it is set.

    Attributes:
        what: ``acc`` or ``gyr``.
        rate_hz: Output rate.
        full: End of its range, g or deg/s.
    """

    what: str
    rate_hz: float
    full: float


def parse_configuration(data: bytes) -> Configured | None:
    """Return what the answer to a question for the configuration says; None for any other message.

    Raises:
        MalformedFrameError: It is cut, or says what no sensor can be set to.
    """
    if data[:2] not in {bytes((module, CONFIGURATION | READ)) for module in (ACCELEROMETER, GYROSCOPE)}:
        return None
    if len(data) < 4:
        raise MalformedFrameError("truncated message")
    rate_code, code = data[2] & 0x0F, data[3]
    rate_hz = FIRST_RATE_HZ * 2.0 ** (rate_code - FIRST_RATE_CODE)
    if data[0] == GYROSCOPE:
        full = dict(enumerate(GYRO_RANGES_DPS)).get(code & 0x07)
    else:
        full = ACC_RANGES_G["bmi270" if data[2] & FILTERED else "bmi160"].get(code)
    if full is None or not rate_code:
        raise MalformedFrameError("impossible configuration")
    return Configured("gyr" if data[0] == GYROSCOPE else "acc", rate_hz, full)


def parse_message(data: bytes, *, range_g: float = 8.0, range_dps: float = 2000.0) -> dict[str, Any]:
    """Return what a streamed message says, in the units of its maker's program; raises MalformedFrameError."""
    signal = signal_of(data)
    if signal is None:
        raise MalformedFrameError("a message that streams nothing")
    if signal.form == COUNTS:
        words = struct.unpack_from(f"<{(len(data) - 2) // 2}h", data, 2)
        name, scale = {
            "acc": ("g", range_g / FULL), "gyr": ("dps", range_dps / GYRO_FULL), "mag": ("ut", MICROTESLA_A_COUNT)
        }[signal.what]  # fmt: skip
        rows = [[word * scale for word in words[at : at + 3]] for at in range(0, len(words), 3)]
        return {name: rows[0] if len(rows) == 1 else rows, "samples": rows}
    return _fused(signal.what, list(struct.unpack_from(f"<{(len(data) - 2) // 4}f", data, 2)), data)


def _fused(what: str, numbers: list[float], data: bytes) -> dict[str, Any]:
    if not all(map(math.isfinite, numbers)):
        raise MalformedFrameError("impossible values")
    if what == "quaternion":
        return {"wxyz": numbers}
    if what == "euler":
        return dict(zip(("heading", "pitch", "roll", "yaw"), numbers, strict=True)) | {"deg": numbers}
    if what in {"gravity", "linear"}:
        return {"g": [number / STANDARD_GRAVITY for number in numbers]}
    name, scale = {"acc": ("g", 1 / MG), "gyr": ("dps", 1.0), "mag": ("ut", 1.0)}[what]
    return {name: [number * scale for number in numbers], "accuracy": data[-1]}
