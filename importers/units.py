"""Units in which laboratories write what the gateway keeps in one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from importers.errors import ImportProblem

G: Final = 9.80665


@dataclass(frozen=True, slots=True)
class Conversion:
    """``scale * value + offset``."""

    scale: float = 1.0
    offset: float = 0.0


_SAME = Conversion()
_DEGREES = Conversion(180.0 / math.pi)
CONVERSIONS: Final[Mapping[str, Mapping[str, Conversion]]] = {  # by the unit that the gateway keeps
    "deg": {"deg": _SAME, "rad": _DEGREES},
    "deg/s": {"deg/s": _SAME, "rad/s": _DEGREES, "rpm": Conversion(6.0)},
    "N.m": {"N.m": _SAME, "Nm": _SAME, "N.mm": Conversion(1e-3), "Nmm": Conversion(1e-3)},
    "Cel": {"Cel": _SAME, "degC": _SAME, "K": Conversion(1.0, -273.15), "degF": Conversion(5 / 9, -160 / 9)},
    "%": {"%": _SAME, "1": Conversion(100.0)},
    "V": {"V": _SAME, "mV": Conversion(1e-3)},
    "1": {"1": _SAME, "%": Conversion(0.01)},
    "m/s2": {"m/s2": _SAME, "m/s^2": _SAME, "g": Conversion(G), "mg": Conversion(G / 1000)},
    "rad/s": {"rad/s": _SAME, "deg/s": Conversion(math.pi / 180)},
}


def conversion(unit: str, kept: str, channel: str) -> Conversion:
    """Return how a unit becomes the one that is kept; raises ImportProblem with the units there are."""
    known = CONVERSIONS[kept]
    if unit not in known:
        raise ImportProblem(f"{channel} cannot be in '{unit}': known are {', '.join(known)}")
    return known[unit]
