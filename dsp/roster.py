"""The sensors of a streaming operator: their numbers, lowest free first, which are rows of the operator's arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIRST_ROOM: Final = 8  # sensors


class Roster:
    """Which sensors are attached.

    Args:
        grow: Called with how many rows to add to the operator's arrays, before a number beyond them is given.
    """

    def __init__(self, grow: Callable[[int], None]) -> None:
        self._grow = grow
        self._room = 0
        self._attached: list[bool] = []

    def __len__(self) -> int:
        """Return one more than the highest number that was ever given."""
        return len(self._attached)

    def attach(self) -> int:
        """Return the number of a new sensor: the lowest that is free."""
        if False in self._attached:
            sensor = self._attached.index(False)
        else:
            sensor = len(self._attached)
            if sensor == self._room:
                more = max(FIRST_ROOM, self._room)
                self._grow(more)
                self._room += more
            self._attached.append(False)
        self._attached[sensor] = True
        return sensor

    def detach(self, sensor: int) -> None:
        """Forget a sensor; its number may be given to another. Raises KeyError if it is not attached."""
        self.check(sensor)
        self._attached[sensor] = False

    def check(self, *sensors: int) -> None:
        """Raise KeyError for a sensor that is not attached."""
        for sensor in sensors:
            if not 0 <= sensor < len(self._attached) or not self._attached[sensor]:
                raise KeyError(f"sensor {sensor} is not attached")


def more_rows(rows: NDArray[np.void], room: int) -> NDArray[np.void]:
    """Return rows with so many empty ones behind them."""
    longer: NDArray[np.void] = np.concatenate([rows, np.zeros((room, *rows.shape[1:]), rows.dtype)])
    return longer


def require_rate(what: str, rate_hz: float, limits_hz: tuple[float, float]) -> None:
    """Raise ValueError for a sampling rate outside the limits of an operator, which ``what`` names."""
    low, high = limits_hz
    if not low <= rate_hz <= high:
        raise ValueError(f"{what} {low:g} to {high:g} Hz, not {rate_hz:g} Hz")
