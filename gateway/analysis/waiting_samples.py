"""What arrived of many motion sensors and waits for their turns, in one array for the whole ward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dsp.limits import MOST_FORCE, MOST_SPIN, credible
from gateway.analysis.axes import picks, turn
from gateway.clocks.timeline import Floats, Ints
from gateway.intake.arrived import ArrivedBatch

ROOM: Final = 512  # samples of a sensor that wait at most: one that samples faster has its turn more often


class WaitingSamples:
    """Samples along the axes of the segments, a row of the arrays for each sensor.

    Attributes:
        held: (rows,) how many wait.
        due: (rows,) a sensor's turn comes with the sample of this number.
        numbers: (rows,) whose row it is.
    """

    def __init__(self) -> None:
        self.held = np.zeros(0, np.int64)
        self.due = np.zeros(0, np.int64)
        self.numbers = np.zeros(0, np.int64)
        self._column, self._sign = np.zeros((0, 6), np.int64), np.zeros((0, 6))  # from `picks`
        self._index = np.zeros((0, ROOM), np.int64)
        self._acc, self._gyr = np.zeros((0, ROOM, 3)), np.zeros((0, ROOM, 3))
        self._free: list[int] = []

    def take_row(self, number: int) -> int:
        """Return a row for a device with this number."""
        if not self._free:
            rows = len(self.held)
            more = max(8, rows)
            for name in ("held", "due", "numbers", "_column", "_sign", "_index", "_acc", "_gyr"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)]))
            self._free = list(range(rows + more - 1, rows - 1, -1))
        row = self._free.pop()
        self.numbers[row], self.held[row], self.due[row] = number, 0, 0
        return row

    def free_row(self, row: int) -> None:
        """Forget what waits in a row: it may be another's."""
        self.held[row] = 0
        self._free.append(row)

    def set_axes(self, row: int, axes: str, channels: Sequence[str]) -> None:
        """Set how the sensor of a row is strapped on, and the channels of its stream (`picks`)."""
        self._column[row], self._sign[row] = picks(axes, channels)

    def append(self, arrived: ArrivedBatch, first: Ints, counts: Ints, rows: Ints) -> None:
        """Have wait so many samples each from these places on, of rows that differ and have room for them."""
        samples = np.ascontiguousarray(arrived.samples, np.float64)  # a kernel is compiled for this alone
        turn(
            arrived.index, samples, first, counts, rows, self._column, self._sign, rows * ROOM + self.held[rows],
            self._index.reshape(-1), self._acc.reshape(-1, 3), self._gyr.reshape(-1, 3),
        )  # fmt: skip
        self.held[rows] += counts

    def due_numbers(self) -> list[int]:
        """Return whose turn it is."""
        held = np.flatnonzero(self.held)
        newest = self._index[held, self.held[held] - 1]
        numbers: list[int] = self.numbers[held[newest >= self.due[held]]].tolist()
        return numbers

    def take(self, row: int) -> tuple[Ints, Floats, Floats]:
        """Return number, force and rate of what waits in a row, as of `MotionOperator.process`; nothing waits then."""
        held, self.held[row] = int(self.held[row]), 0
        acc, gyr = credible(self._acc[row, :held], MOST_FORCE), credible(self._gyr[row, :held], MOST_SPIN)
        return self._index[row, :held].copy(), acc, gyr
