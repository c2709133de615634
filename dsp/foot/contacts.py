"""Foot contacts from inertial sensors on the feet: initial and final contact, foot-flat, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.detector import ContactDetector
from dsp.contact.events import HISTORY
from dsp.contact.params import StepParams
from dsp.contact.stride_kernel import SCRATCH, STRIDE
from dsp.foot.kernel import Sink, contacts
from dsp.foot.layout import PARAMS, STATE

__all__ = ["ALGORITHM", "FootContacts", "FootParams"]

ALGORITHM = "foot-contacts/2"

MEASURED = ("length", "clearance", "strike_angle", "toe_off_angle", "turn")
"""What a stride is integrated to: as wrong as the units are."""


@dataclass(frozen=True, slots=True)
class FootParams(StepParams):
    """Physical limits of what counts as a step of a foot: its swing turns the toes up, its landing slaps them down.

    Attributes:
        again_s: What is gone through again when another axis is found: a heel rise and half a swing.
        hidden_s: Longest gap in which a foot that swings before and after it cannot have stood meanwhile.
        stand_s: Time without any rotation after which the foot stands, whatever a gap before has hidden.
        flat_s: Quiet time that makes foot-flat.
        flat_search_s: Time after that in which the stillest instant of foot-flat is looked for.
    """

    landing_min_s: float = 0.08
    landing_max_s: float = 0.18
    lift_max_s: float = 2.0
    propulsion_age_s: float = 0.5
    calm_s: float = 0.08
    rate_floor: float = 0.25
    angle_floor: float = 0.1
    again_s: float = 2.0
    hidden_s: float = 0.3
    stand_s: float = 0.5
    flat_s: float = 0.1
    flat_search_s: float = 0.2

    def for_rate(self, rate_hz: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""
        row = self.row(PARAMS, rate_hz)
        row["again"] = min(round(self.again_s * rate_hz), HISTORY)
        row["hidden"] = round(self.hidden_s * rate_hz)
        row["stand"] = round(self.stand_s * rate_hz)
        row["flat_search"] = round(self.flat_search_s * rate_hz)
        row["quiet"] = round(self.flat_s * rate_hz)
        return row


class FootContacts(ContactDetector):
    """Streaming detector of foot contacts for many sensors, one kernel call a batch.

    Sensors should lie in the segment frame (x to the toe, y left, z up); one strapped on askew is found out within the
    first strides, and what it saw of them is gone through again. Methods: Aminian 2002, Salarian 2004 (gyroscope), with
    timing levels of our own.

    Attributes:
        strides: What the newest batch closed, array of ``STRIDE``: a stride comes with the foot-flat that ends it.
    """

    def __init__(self, params: FootParams | None = None) -> None:
        super().__init__("foot contacts", PARAMS, STATE)
        self._params = params or FootParams()
        self._history = np.zeros((0, HISTORY, 6))
        self._strides = np.zeros(0, STRIDE)
        self._scratch = np.zeros((HISTORY, SCRATCH))

    def _params_for(self, rate_hz: float) -> NDArray[np.void]:
        return self._params.for_rate(rate_hz)

    def _run(self, batch: Batch) -> int:
        if len(self._strides) < len(self._events) // 2:
            self._strides = np.zeros(len(self._events) // 2, STRIDE)
        counts = np.zeros(2, np.int64)
        contacts(
            batch.sensor,
            batch.start,
            batch.index,
            batch.acc,
            batch.gyr,
            self._row_records,
            self._state_records,
            self._alignment.view(np.recarray),
            self._history,
            Sink(self._events.view(np.recarray), self._strides.view(np.recarray), counts, self._scratch),
        )
        self.strides = self._strides[: counts[1]].copy()
        if counts[1]:
            bad = self._units.doubted(self.strides["sensor"])
            for name in MEASURED:
                self.strides[name][bad] = np.nan
        return int(counts[0])

    def _grow(self, room: int) -> None:
        super()._grow(room)
        self._history = np.concatenate([self._history, np.zeros((room, HISTORY, 6))])
