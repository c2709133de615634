"""A streaming detector of contacts: what those of foot and shank do alike around their kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.events import EVENT, RATE_RANGE_HZ
from dsp.contact.stride_kernel import STRIDE
from dsp.mounting.alignment import ALIGNMENT, Mounting
from dsp.roster import more_rows, require_rate
from dsp.sensor_rows import SensorRows


class ContactDetector(SensorRows, ABC):
    """Contacts of many sensors of one kind of segment, one kernel call a batch; sensors may come and go.

    Events are rows of ``EVENT``; ``dsp.gait.gait.Walk`` takes those of feet and of shanks. The same samples in any
    chunking give the same events, bit for bit. A further way to find contacts is one more such class.

    Args:
        name: Of the operator, for what is refused.
        params: Layout of the kernel's parameters.
        state: Layout of what the kernel keeps of a sensor; it has ``started`` and ``settled``.

    Attributes:
        strides: What the newest batch closed, array of ``STRIDE``.
    """

    def __init__(self, name: str, params: np.dtype[np.void], state: np.dtype[np.void]) -> None:
        super().__init__(params, state)
        self._name = name
        self._alignment = np.zeros(0, ALIGNMENT)
        self._events = np.zeros(0, EVENT)
        self.strides: NDArray[np.void] = np.zeros(0, STRIDE)

    @abstractmethod
    def _params_for(self, rate_hz: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""

    @abstractmethod
    def _run(self, batch: Batch) -> int:
        """Run the kernel on a batch; return how many events were written to ``_events``, which has room for them."""

    def attach(self, rate_hz: float) -> int:
        """Return the number of a new sensor sampled at ``rate_hz``; raises ValueError where that cannot do."""
        require_rate(f"{self._name} need", rate_hz, RATE_RANGE_HZ)
        sensor = self._attach(self._params_for(rate_hz))
        self._alignment[sensor] = np.zeros((), ALIGNMENT)
        return sensor

    def process(self, batch: Batch) -> NDArray[np.void]:
        """Return the events decided by these samples: array of ``EVENT``, by sensor in the batch's order."""
        self._look_at(batch)
        need = 4 * len(batch.index) + 16
        if len(self._events) < need:
            self._events = np.zeros(2 * need, EVENT)
        return self._events[: self._run(batch)].copy()

    def flush(self, sensor: int) -> NDArray[np.void]:
        """End the stream of a sensor: an undecided event is dropped rather than guessed; it starts afresh."""
        self._roster.check(sensor)
        self._begin(sensor)
        return np.zeros(0, EVENT)

    def settled(self, sensor: int) -> float:
        """Return the sample number before which no event of this sensor will come any more; -inf at first."""
        self._roster.check(sensor)
        state = self._state[sensor]
        return float(state["settled"]) if state["started"] else -np.inf

    def settled_all(self) -> NDArray[np.float64]:
        """Return the same of all sensors by their numbers, which are those up to the highest that was given."""
        state = self._state[: len(self._roster)]
        settled: NDArray[np.float64] = np.where(state["started"] != 0, state["settled"], -np.inf)
        return settled

    def mounting(self, sensor: int) -> Mounting:
        """Return how this sensor is found to be strapped on."""
        self._roster.check(sensor)
        return Mounting.of(self._alignment[sensor])

    def _grow(self, room: int) -> None:
        super()._grow(room)
        self._alignment = more_rows(self._alignment, room)
