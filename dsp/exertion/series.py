"""Values of one kind over time, with their quality: what the operators of this room look at."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final, NamedTuple

MOST: Final = 7200
"""Values: two hours at one a second; of a longer session the end counts."""


class Reading(NamedTuple):
    """One value: when, how much, and whether nothing was doubtful about it."""

    at_s: float
    value: float
    sure: bool


class Series:
    """The readings of one session, in the order in which they came."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=MOST)
        self.heard = False  # also of values that were none
        self.newest_s = float("-inf")

    def add(self, at_s: float, value: float | None, *, sure: bool) -> None:
        """Append a reading; None is heard and is none."""
        self.heard = True
        self.newest_s = max(self.newest_s, at_s)
        if value is not None:
            self._readings.append(Reading(at_s, value, sure))

    def within(self, from_s: float, to_s: float) -> list[Reading]:
        """Return the readings between two instants, in order of time."""
        return sorted(reading for reading in self._readings if from_s <= reading.at_s <= to_s)

    def level(self, from_s: float, to_s: float, least: int) -> float | None:
        """Return the median of what is sure between two instants; None where that is fewer than ``least``."""
        values = [reading.value for reading in self.within(from_s, to_s) if reading.sure]
        return median(values) if len(values) >= least else None


def smoothed(readings: list[Reading], span: int) -> list[float]:
    """Return the median of each ``span`` readings in a row: one that is wrong by itself is never among them."""
    values = [reading.value for reading in readings]
    return [median(values[i : i + span]) for i in range(len(values) - span + 1)]
