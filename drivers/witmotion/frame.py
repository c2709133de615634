"""The frames of a WitMotion sensor over Bluetooth: data (55 61) and answers of registers (55 71), 20 bytes each.

They have neither check sum nor counter nor stamp. Some models of the family send other frames behind 55 61 (28 or 32
bytes), which are read as no frame at all: their fields lie elsewhere.

Facts: the vendor's Python SDK and manuals, and captures (obedier/vib).
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from drivers.errors import MalformedFrameError
from drivers.witmotion.units import (
    CELSIUS_A_COUNT,
    DEGREES_RANGE,
    DEGREES_S_RANGE,
    FULL,
    G_RANGE,
    MICROTESLA_A_COUNT,
    RATES_HZ,
    VOLTS_A_COUNT,
    percent,
)

FRAME_BYTES: Final = 20
DATA, REGISTERS = b"\x55\x61", b"\x55\x71"
RATE, FIELD, TEMPERATURE, QUATERNION, BATTERY = 0x03, 0x3A, 0x40, 0x51, 0x64

UNLOCK: Final = bytes.fromhex("ff aa 69 88 b5")
"""Has the sensor take settings for ten seconds. What is not saved is gone when it is switched off; we never save."""

NO_FRAME = "bytes that belong to no frame"

_MARK = re.compile(rb"\x55[\x61\x71]")
_SIZES: Final = {"acc_g": (3, G_RANGE), "gyro_dps": (3, DEGREES_S_RANGE), "angle_deg": (3, DEGREES_RANGE)}
_ANGLES: Final = ("roll_deg", "pitch_deg", "yaw_deg")


def read_command(register: int) -> bytes:
    """Return the request for a register and the seven behind it."""
    return bytes((0xFF, 0xAA, 0x27, register, 0))


def rate_command(rate_hz: float) -> bytes:
    """Return the command that sets the output rate, until the sensor is switched off; raises ValueError."""
    code = next((code for code, known in RATES_HZ.items() if known == rate_hz), None)
    if code is None:
        raise ValueError(f"no rate of {rate_hz:g} Hz")
    return bytes((0xFF, 0xAA, RATE, code, 0))


def parse_frame(data: bytes) -> dict[str, Any]:
    """Return what one frame says, in the units of its maker (g, deg/s, deg); raises MalformedFrameError."""
    if len(data) != FRAME_BYTES:
        raise MalformedFrameError("no whole frame")
    return parse_fields(data)


def parse_fields(data: bytes) -> dict[str, Any]:
    """Return what a frame says that may be cut behind any field; raises MalformedFrameError where none is whole."""
    if not 4 <= len(data) <= FRAME_BYTES or data[:2] not in {DATA, REGISTERS}:
        raise MalformedFrameError("no frame")
    words = struct.unpack_from(f"<{len(data) // 2 - 1}h", data, 2)
    found = _registers(words) if data[:2] == REGISTERS else _data(words)
    return found | ({} if len(data) == FRAME_BYTES else {"incomplete": True})


def _data(words: tuple[int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    for name, (count, scale) in _SIZES.items():
        own = [word * scale / FULL for word in words[at : at + count]]
        if len(own) == count:
            found[name] = own
        if name == "angle_deg":
            found |= dict(zip(_ANGLES, own, strict=False))
        at += count
    return found


def _registers(words: tuple[int, ...]) -> dict[str, Any]:
    """Return the answer to a question: number of the register, eight values, and what they mean where it is known."""
    register, values = words[0] & 0xFFFF, list(words[1:])
    found: dict[str, Any] = {"register": register, "values": values}
    if register == FIELD and len(values) >= 3:
        found |= {"mag_raw": values[:3], "mag_ut": [value * MICROTESLA_A_COUNT for value in values[:3]]}
    elif register == QUATERNION and len(values) >= 4:
        found["quat_wxyz"] = [value / FULL for value in values[:4]]
    elif register == TEMPERATURE and values:
        found["temperature_c"] = values[0] * CELSIUS_A_COUNT
    elif register == BATTERY and values:
        volts = (values[0] & 0xFFFF) * VOLTS_A_COUNT
        found |= {"battery_v": volts, "battery_pct": percent(volts)}
    elif register == RATE and values:
        found["rate_hz"] = RATES_HZ.get(values[0])
    return found


class Framing:
    """Cuts notifications into frames: several in one, or one in several.

    A frame is believed where a notification ends with it or another frame begins behind it: nothing else tells one from
    bytes of a cut frame and of the next.

    Args:
        faults: Where bytes that belong to no frame are counted.
    """

    def __init__(self, faults: Counter[str]) -> None:
        self._faults = faults
        self._rest = b""

    def frames(self, data: bytes) -> Iterator[bytes]:
        """Yield the frames that a notification completes."""
        if not self._rest and len(data) == FRAME_BYTES and data[:2] in {DATA, REGISTERS}:
            yield data  # as nearly all are
            return
        self._rest += data
        at, end = 0, len(self._rest)
        while at < end:
            begin = self._begin(at)
            if begin > at:
                self._faults[NO_FRAME] += begin - at
                at = begin
                continue
            behind = at + FRAME_BYTES
            if behind > end or (behind == end - 1 and self._rest[behind] == DATA[0]):
                break  # more bytes decide
            if behind == end or _MARK.match(self._rest, behind):
                yield self._rest[at:behind]
                at = behind
            else:
                self._faults[NO_FRAME] += 1
                at += 1
        self._rest = self._rest[at:]

    def _begin(self, at: int) -> int:
        """Return where a frame may begin, from a place on."""
        found = _MARK.search(self._rest, at)
        if found:
            return found.start()
        return len(self._rest) - (1 if self._rest.endswith(DATA[:1]) else 0)
