"""What streaming operators over many sensors do alike: a row of parameters and one of state for each sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.roster import Roster, more_rows
from dsp.units import UnitWatch


class SensorRows:
    """Base of such an operator: sensors come and go, and their numbers are rows of the arrays that its kernel gets.

    Args:
        params: Layout of the kernel's parameters.
        state: Layout of what the kernel keeps of a sensor; all zero before its first sample.
    """

    def __init__(self, params: np.dtype[np.void], state: np.dtype[np.void]) -> None:
        self._roster = Roster(self._grow)
        self._rows = np.zeros(0, params)
        self._state = np.zeros(0, state)
        self._units = UnitWatch()
        self._view()

    def detach(self, sensor: int) -> None:
        """Forget a sensor; its number may be given to another."""
        self._roster.detach(sensor)

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor; empty if nothing is."""
        self._roster.check(sensor)
        return self._units.doubt(sensor)

    def _attach(self, params: NDArray[np.void]) -> int:
        """Return the number of a new sensor, whose parameters are this one row."""
        sensor = self._roster.attach()
        self._rows[sensor] = params[0]
        self._units.forget(sensor)
        self._begin(sensor)
        return sensor

    def _begin(self, sensor: int) -> None:
        """Have a sensor start afresh."""
        self._state[sensor] = np.zeros((), self._state.dtype)

    def _look_at(self, batch: Batch) -> None:
        """See that all sensors of a batch are attached (KeyError), and what units their samples seem to be in."""
        self._roster.check(*batch.sensor.tolist())
        self._units.look(batch)

    def _grow(self, room: int) -> None:
        self._rows = more_rows(self._rows, room)
        self._state = more_rows(self._state, room)
        self._units.grow(room)
        self._view()

    def _view(self) -> None:
        """Views of the same rows with their fields as attributes, for kernels: they take their time to make."""
        self._row_records = self._rows.view(np.recarray)
        self._state_records = self._state.view(np.recarray)
