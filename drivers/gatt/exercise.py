"""What all devices of exercise tell, whatever they count: one stream, of which each fills in what it has."""

from __future__ import annotations

import math
from typing import NamedTuple

from drivers.packet import StreamSpec

SI_SPEED = 3.6  # km/h in a m/s


class Exercise(NamedTuple):
    """A moment of exercise; NaN for what the device does not tell.

    Attributes:
        speed: m/s.
        cadence: A minute: steps, or turns of the crank.
        power: W.
        distance: Since the device began to count, m.
        energy: Since the device began to count, kcal.
    """

    speed: float = math.nan
    cadence: float = math.nan
    power: float = math.nan
    distance: float = math.nan
    energy: float = math.nan


UNITS = ("m/s", "/min", "W", "m", "kcal")


def exercise_stream(channels: tuple[str, ...] = (), units: tuple[str, ...] = ()) -> StreamSpec:
    """Return the stream of a device that tells more than the common channels, which come first."""
    return StreamSpec("exercise", (*Exercise._fields, *channels), (*UNITS, *units))
