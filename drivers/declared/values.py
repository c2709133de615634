"""What a declaration says of each value of a line: which channel of which stream it is, its unit, its factor.

An entry is ``"acc_x m/s2"``, ``"imu.acc_x g 0.000061"`` (stream, channel, unit, factor), ``"time ms"``, ``"count"`` or
``"-"`` for a value that is not wanted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SKIPPED: Final = "-"
TIME: Final = "time"
COUNT: Final = "count"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
LONGEST_UNIT: Final = 16

TICKS: Final = {"s": 1e6, "ms": 1e3, "us": 1e6, "ns": 1e9}
"""Ticks a second of a time in such a unit; of seconds, which have decimals, a millionth is a tick."""

_RADIANS: Final = math.pi / 180
_MOVEMENT: Final = {
    "g": (9.80665, "m/s2"), "[g]": (9.80665, "m/s2"), "mg": (9.80665e-3, "m/s2"), "m/s^2": (1.0, "m/s2"),
    "deg/s": (_RADIANS, "rad/s"), "dps": (_RADIANS, "rad/s"), "deg": (_RADIANS, "rad"),
    "G": (100.0, "uT"), "mG": (0.1, "uT"),
}  # fmt: skip
_ELECTRODE: Final = {"V": (1e3, "mV"), "uV": (1e-3, "mV")}
_SAME_UNIT: Final[Mapping[str, Mapping[str, tuple[float, str]]]] = {
    "imu": _MOVEMENT, "acceleration": _MOVEMENT, "rotation": _MOVEMENT, "orientation": _MOVEMENT,
    "magnetic_field": _MOVEMENT, "emg": _ELECTRODE, "ecg": _ELECTRODE,
}  # fmt: skip
"""What sensors print in other units than these streams have, and what makes the one of the other."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a line.

    Attributes:
        role: `SKIPPED`, `TIME`, `COUNT`, or the channel's name behind that of its stream and a dot.
        unit: Of the channel's samples; of a time, as it stands in the line.
        factor: From the number in the line to that unit.
    """

    role: str
    unit: str = ""
    factor: float = 1.0

    @property
    def stream(self) -> str:
        """Name of the stream; empty for what is no channel."""
        return self.role.rpartition(".")[0]

    @property
    def channel(self) -> str:
        """Name of the channel; of what is no channel, its role."""
        return self.role.rpartition(".")[2]


def parse_value(entry: object, stream: str) -> Value:
    """Return what an entry says; ``stream`` is meant where it names none. Raises ValueError with a sentence."""
    words = entry.split() if isinstance(entry, str) else []
    if not words:
        raise ValueError(f'values: {entry!r} is no entry: write "acc_x m/s2", "time ms", "count" or "-"')
    name, rest = words[0], words[1:]
    if name in {SKIPPED, COUNT}:
        if rest:
            raise ValueError(f"values: '{entry}': '{name}' has no unit")
        return Value(name)
    if name == TIME:
        if len(rest) != 1 or rest[0] not in {*TICKS, "ticks"}:
            raise ValueError(f"values: '{entry}': a time is in {', '.join(TICKS)} or ticks, such as \"time ms\"")
        return Value(TIME, rest[0])
    return _channel(str(entry), name, rest, stream)


def _channel(entry: str, name: str, rest: list[str], stream: str) -> Value:
    own, dot, channel = name.rpartition(".")
    stream = own if dot else stream
    if not stream:
        raise ValueError(f'values: \'{entry}\' is of no stream: write "imu.{name} ...", or set stream = "imu" for all')
    if not _NAME.fullmatch(stream) or not _NAME.fullmatch(channel) or channel in {TIME, COUNT}:
        raise ValueError(f"values: '{entry}': names are lower-case letters, digits and _, such as imu.acc_x")
    if not 1 <= len(rest) <= 2:
        raise ValueError(f"values: '{entry}' wants a unit, and a factor if the line has counts: \"acc_x m/s2 0.0006\"")
    unit = rest[0]
    if len(unit) > LONGEST_UNIT or not unit.isprintable():
        raise ValueError(f"values: '{entry}': '{unit}' is no unit")
    scale, unit = _SAME_UNIT.get(stream, {}).get(unit, (1.0, unit))
    return Value(f"{stream}.{channel}", unit, scale * (_factor(entry, rest[1]) if rest[1:] else 1.0))


def _factor(entry: str, text: str) -> float:
    try:
        factor = float(text.removeprefix("*"))
    except ValueError:
        factor = math.nan
    if not math.isfinite(factor) or factor == 0:
        raise ValueError(f"values: '{entry}': the factor '{text}' is a number with a decimal point, and not 0")
    return factor
