"""The packets of a VESC over a serial port, and what stands in them.

``02 length payload CRC 03``, ``03`` with two bytes of length; the CRC is CRC-16/XMODEM of the payload, and everything
is big-endian. The first byte of a payload says what it is. The answer to "values" has grown with the firmware at its
end: what is known is read, and the rest left. Facts: vedderb/bldc, comm/packet.c and comm/commands.c.
"""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from drivers.errors import MalformedFrameError
from drivers.packet import Samples

SHORT, LONG, END = 0x02, 0x03, 0x03
TAIL_BYTES: Final = 3  # CRC and end
MOST_PAYLOAD: Final = 512  # bytes: the firmware's own limit
MOST_ANSWER: Final = 128  # of an answer that we ask for: 74 of firmware 6; so long a mark in garbage holds others up
FW_VERSION, GET_VALUES, SET_RPM, GET_VALUES_SELECTIVE = 0, 4, 8, 50
NAMES: Final = {
    FW_VERSION: "FW_VERSION",
    GET_VALUES: "GET_VALUES",
    SET_RPM: "SET_RPM",
    GET_VALUES_SELECTIVE: "GET_VALUES_SELECTIVE",
}

_MARK = re.compile(rb"[\x02\x03]")
_KINDS: Final = "hhiiiihihiiiiiiB"
_VALUES = struct.Struct(f">{_KINDS}")
STEPS: Final[Mapping[str, int]] = {
    "fet_temp": 10, "motor_temp": 10, "motor_current": 100, "input_current": 100, "id": 100, "iq": 100, "duty": 1000,
    "erpm": 1, "v_in": 10, "ah": 10_000, "ah_charged": 10_000, "wh": 10_000, "wh_charged": 10_000, "tacho": 1,
    "tacho_abs": 1, "fault": 1,
}  # fmt: skip
"""Steps to a unit of each of `Values`, in order."""
MOST_READERS: Final = 8  # that are kept: what is told of a joint is one of five sets
_WATCHED = struct.Struct(">29xi16xiB")  # of a payload: ampere hours drawn, all steps added, fault
_POSITION = struct.Struct(">iB")
_POSITION_STEPS = 1e6


@dataclass(frozen=True, slots=True)
class Values:
    """What a controller measures.

    Attributes:
        fet_temp: Degrees Celsius.
        motor_temp: Degrees Celsius.
        motor_current: Amperes.
        input_current: Amperes.
        id: Direct current, amperes.
        iq: Quadrature current, amperes.
        duty: -1 to 1.
        erpm: Electrical revolutions a minute.
        v_in: Volts.
        ah: Ampere hours drawn.
        ah_charged: Ampere hours put back.
        wh: Watt hours drawn.
        wh_charged: Watt hours put back.
        tacho: Steps, with sign.
        tacho_abs: Steps, all added.
        fault: As the firmware numbers them; 0 for none.
        pid_pos: Degrees; NaN where the firmware does not tell.
        controller_id: On its CAN bus; NaN where the firmware does not tell.
    """

    fet_temp: float
    motor_temp: float
    motor_current: float
    input_current: float
    id: float
    iq: float
    duty: float
    erpm: float
    v_in: float
    ah: float
    ah_charged: float
    wh: float
    wh_charged: float
    tacho: float
    tacho_abs: float
    fault: float
    pid_pos: float = math.nan
    controller_id: float = math.nan


class Reader:
    """Reads some of `Values`, a column each, of answers that `parse_watched` took for whole.

    Args:
        names: Those that are integers of two or four bytes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        chosen = [list(STEPS).index(name) for name in names]
        begins = [1 + struct.calcsize(f">{_KINDS[:at]}") for at in chosen]
        self._at = np.array([begin + k for begin in begins for k in range(4)])
        self._shift = np.array([0 if _KINDS[at] == "i" else 16 for at in chosen])  # what is behind the shorter ones
        self._steps = np.array([float(STEPS[name]) for name in names])

    def read(self, payloads: Sequence[bytes]) -> Samples:
        """Return the values (n, names), in the units of `Values`."""
        size = 1 + _VALUES.size
        answers = np.frombuffer(b"".join([payload[:size] for payload in payloads]), np.uint8).reshape(-1, size)
        words = answers.take(self._at, 1).view(">i4") >> self._shift
        values: Samples = words / self._steps
        return values


reader_of = lru_cache(MOST_READERS)(Reader)
"""`Reader`, the same one for all devices of which the same is told: theirs are read together."""


def packet(payload: bytes) -> bytes:
    """Return a payload of up to 255 bytes as it goes over the port."""
    return bytes((SHORT, len(payload))) + payload + binascii.crc_hqx(payload, 0).to_bytes(2, "big") + bytes((END,))


def parse_packet(data: bytes) -> bytes:
    """Return the payload of one whole packet; raises MalformedFrameError."""
    try:
        begin, end = _bounds(data, 0, MOST_PAYLOAD)
    except IndexError as problem:
        raise MalformedFrameError("no whole packet") from problem
    if end != len(data):
        raise MalformedFrameError("no whole packet")
    return _checked(data, begin, end)


def parse_values(payload: bytes) -> Values:
    """Read the answer to "values"; raises MalformedFrameError where it is another payload, or cut."""
    values = Values(*(raw / divisor for raw, divisor in zip(parse_steps(payload), STEPS.values(), strict=True)))
    if len(payload) < 1 + _VALUES.size + _POSITION.size:
        return values
    position, number = _POSITION.unpack_from(payload, 1 + _VALUES.size)
    return replace(values, pid_pos=position / _POSITION_STEPS, controller_id=float(number))


def parse_steps(payload: bytes) -> tuple[int, ...]:
    """Return the same as the wire has it, in steps, without the position; raises MalformedFrameError."""
    if not payload or payload[0] != GET_VALUES or len(payload) < 1 + _VALUES.size:
        raise MalformedFrameError("no whole values")
    return _VALUES.unpack_from(payload, 1)


def parse_watched(payload: bytes) -> tuple[int, int, int]:
    """Return only ``ah``, ``tacho_abs`` and ``fault``, in steps; raises MalformedFrameError as `parse_steps`."""
    if payload[0] != GET_VALUES or len(payload) < 1 + _VALUES.size:
        raise MalformedFrameError("no whole values")
    return _WATCHED.unpack_from(payload)


def number_of(payload: bytes) -> int | None:
    """Return the controller's number on its CAN bus; None where the firmware does not tell."""
    at = _VALUES.size + _POSITION.size
    return payload[at] if len(payload) > at else None


def describe(payload: bytes) -> dict[str, Any]:
    """Return what a payload is, for people: of commands too, which are read here and never sent."""
    if not payload:
        raise MalformedFrameError("empty payload")
    kind, rest = payload[0], payload[1:]
    found: dict[str, Any] = {"payload": payload.hex(), "cmd": NAMES.get(kind, str(kind))}
    if kind == SET_RPM and len(rest) == 4:
        found["erpm"] = int.from_bytes(rest, "big", signed=True)
    elif kind == GET_VALUES_SELECTIVE and len(rest) >= 4:
        found["mask"] = int.from_bytes(rest[:4], "big")
    elif kind == GET_VALUES and rest:
        values = parse_values(payload)
        found |= {name: getattr(values, name) for name in Values.__slots__}
    return found


def _bounds(data: bytes, at: int, most: int) -> tuple[int, int]:
    """Return where the payload of a packet at ``at`` begins and where the packet ends; ``most`` bytes in it.

    Raises:
        MalformedFrameError: none can begin here.
        IndexError: more bytes must come first.
    """
    kind = data[at]
    if kind == SHORT:
        begin, size = at + 2, data[at + 1]
    elif kind == LONG:
        begin, size = at + 3, data[at + 1] << 8 | data[at + 2]
    else:
        raise MalformedFrameError("no packet")
    if not 0 < size <= most:
        raise MalformedFrameError("no packet")
    return begin, begin + size + TAIL_BYTES


def _checked(data: bytes, begin: int, end: int) -> bytes:
    """Return the payload of the packet with these bounds; raises MalformedFrameError.

    Over a payload and its check sum, highest byte first, the check sum is nought.
    """
    if data[end - 1] != END or binascii.crc_hqx(data[begin : end - 1], 0):
        raise MalformedFrameError("check sum")
    return data[begin : end - TAIL_BYTES]


class Payloads:
    """Cuts the bytes of one connection into payloads; the same ones in any chunking.

    Args:
        faults: Where bytes that belong to no packet are counted.
    """

    def __init__(self, faults: Counter[str]) -> None:
        self._faults = faults
        self._rest = b""

    def cut(self, new: bytes) -> list[bytes]:
        """Return the payloads that these bytes complete."""
        data = self._rest + new
        at, size = 0, len(data)
        found = []
        while at < size:
            try:
                begin, end = _bounds(data, at, MOST_ANSWER)
                if end > size:
                    break
                found.append(_checked(data, begin, end))
                at = end
            except IndexError:
                break
            except MalformedFrameError:
                at = self._skipped(data, at)
        self._rest = data[at:]
        return found

    def _skipped(self, data: bytes, at: int) -> int:
        """Return where a packet could begin behind ``at``, and count what lies between."""
        found = _MARK.search(data, at + 1)
        end = found.start() if found else len(data)
        self._faults["bytes that belong to no packet"] += end - at
        return end
