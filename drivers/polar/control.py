"""Polar's measurement data control point (FB005C81): what a device has, how it may be set, start and stop.

Facts: Polar, online_measurement.pdf v1.0 (August 2024), and the tests of polar-ble-sdk.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drivers.errors import MalformedFrameError

GET_SETTINGS, START, STOP = 1, 2, 3
OPERATIONS: Final = {GET_SETTINGS: "get_settings", START: "start", STOP: "stop"}

REPLY, FEATURES = 0xF0, 0x0F  # first byte of an answer, and of what can be read
DONE, ALREADY = 0, 6
STATUS: Final = {
    1: "it does not know the question",
    2: "it has no such measurement",
    3: "not supported",
    4: "wrong length",
    5: "wrong parameter",
    ALREADY: "it does so already",
    7: "wrong resolution",
    8: "wrong sample rate",
    9: "wrong range",
    10: "the connection's packets are too short",
    11: "wrong number of channels",
    12: "not in its present state",
    13: "it is in its charger",
    14: "its memory is full",
}
IN_CHARGER: Final = 13

RATE, RESOLUTION, RANGE, RANGE_MILLI, CHANNELS, FACTOR = range(6)
_WIDTHS: Final = {RATE: 2, RESOLUTION: 2, RANGE: 2, RANGE_MILLI: 4, CHANNELS: 1, FACTOR: 4}

Settings = Mapping[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the control point.

    Attributes:
        operation: What was asked.
        kind: Type of measurement.
        status: 0 if it was done; else of `STATUS`.
        more: Whether another notification goes on with the parameters.
        params: What the answer tells.
    """

    operation: int
    kind: int
    status: int
    more: bool
    params: bytes

    @property
    def problem(self) -> str:
        """Why it was not done; empty if it was."""
        return "" if self.status == DONE else STATUS.get(self.status, f"status {self.status}")


def parse_reply(data: bytes) -> Reply:
    """Read an answer; raises MalformedFrameError."""
    if len(data) < 4 or data[0] != REPLY:
        raise MalformedFrameError("malformed answer")
    done = data[3] == DONE
    return Reply(data[1], data[2], data[3], done and len(data) > 4 and data[4] != 0, data[5:] if done else b"")


def parse_features(data: bytes) -> frozenset[int]:
    """Return the types of measurement that a device has; raises MalformedFrameError."""
    if len(data) < 2 or data[0] != FEATURES:
        raise MalformedFrameError("malformed list of measurements")
    bitmap = int.from_bytes(data[1:], "little")
    return frozenset(kind for kind in range(8 * (len(data) - 1)) if bitmap >> kind & 1)


def parse_settings(params: bytes) -> dict[int, tuple[float, ...]]:
    """Return the values that a device offers for each setting; raises MalformedFrameError."""
    found: dict[int, tuple[float, ...]] = {}
    at = 0
    while at < len(params):
        width = _WIDTHS.get(params[at])
        if width is None or at + 2 > len(params):
            raise MalformedFrameError("malformed settings")
        kind, count = params[at], params[at + 1]
        values = params[at + 2 : at + 2 + width * count]
        if len(values) < width * count:
            raise MalformedFrameError("malformed settings")
        if kind == FACTOR:
            found[kind] = struct.unpack(f"<{count}f", values)
        else:
            found[kind] = tuple(int.from_bytes(values[i : i + width], "little") for i in range(0, len(values), width))
        at += 2 + width * count
    return found


def get_settings(kind: int) -> bytes:
    """Return the question for the settings of a measurement."""
    return bytes((GET_SETTINGS, kind))


def stop(kind: int) -> bytes:
    """Return the command that stops a measurement."""
    return bytes((STOP, kind))


def start(kind: int, chosen: Mapping[int, int]) -> bytes:
    """Return the command that starts a measurement with these settings."""
    command = bytes((START, kind))
    for setting, value in chosen.items():
        command += bytes((setting, 1)) + value.to_bytes(_WIDTHS[setting], "little")
    return command


def is_start(command: bytes, kinds: frozenset[int]) -> bool:
    """Whether a command starts a stream of these kinds, with one value for each setting, and does no more."""
    if len(command) < 2 or command[0] != START or command[1] not in kinds:
        return False
    try:
        settings = parse_settings(command[2:])
    except MalformedFrameError:
        return False
    once = all(len(values) == 1 for values in settings.values()) and FACTOR not in settings
    return once and start(command[1], {kind: int(values[0]) for kind, values in settings.items()}) == command


def choose(offered: Settings, *, rate_hz: float, nearest: bool) -> dict[int, int]:
    """Return one value for each setting that is offered: the rate, and of all others the largest.

    Args:
        offered: As the device says.
        rate_hz: The rate that is wanted.
        nearest: Whether the nearest of those offered will do.

    Raises:
        ValueError: the rate is not among those offered; names them.
    """
    chosen = {kind: int(max(values)) for kind, values in offered.items() if values and kind != FACTOR}
    if rates := offered.get(RATE):
        rate = min(rates, key=lambda each: (abs(each - rate_hz), each))
        if rate != rate_hz and not nearest:
            known = ", ".join(f"{each:g}" for each in sorted(rates))
            raise ValueError(f"it has no rate of {rate_hz:g} Hz: it offers {known}")
        chosen[RATE] = int(rate)
    return chosen
