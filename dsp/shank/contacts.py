"""Foot contacts from inertial sensors on the shanks: initial and final contact, mid-swing, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.detector import ContactDetector
from dsp.contact.events import EVENT, FINAL_CONTACT, GAP, INITIAL_CONTACT
from dsp.contact.params import StepParams
from dsp.shank.kernel import contacts
from dsp.shank.layout import MID_SWING, PARAMS, STATE

__all__ = ["ALGORITHM", "EVENT", "FINAL_CONTACT", "GAP", "INITIAL_CONTACT", "MID_SWING", "ShankContacts", "ShankParams"]

ALGORITHM = "shank-contacts/1"


@dataclass(frozen=True, slots=True)
class ShankParams(StepParams):
    """Physical limits of what counts as a step of a shank: its swing throws it forward, its landing turns it back.

    Attributes:
        mid_swing: Also report mid-swing, which ``dsp.gait.gait.Walk`` has no use for.
    """

    landing_min_s: float = 0.03
    landing_max_s: float = 0.2
    lift_max_s: float = 1.0
    propulsion_age_s: float = 0.8
    calm_s: float = 0.1
    rate_floor: float = 0.8
    angle_floor: float = 0.2
    mid_swing: bool = False

    def for_rate(self, rate_hz: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""
        row = self.row(PARAMS, rate_hz)
        row["mid_swing"] = int(self.mid_swing)
        return row


class ShankContacts(ContactDetector):
    """Streaming detector of foot contacts for many shank sensors, one kernel call a batch.

    Sensors lie in the segment frame (x forward, y left, z up) or askew: gravity at rest and the axis and direction in
    which the leg swings are found within the first stride, of slow walks within the first two. There is no foot-flat.
    Methods: Aminian 2002, Salarian 2004, Catalfamo 2010, with timing levels of our own.

    Attributes:
        strides: None, array (0,) of ``dsp.contact.stride_kernel.STRIDE``: a shank never rests in walking, so its way
            cannot be measured.
    """

    def __init__(self, params: ShankParams | None = None) -> None:
        super().__init__("shank contacts", PARAMS, STATE)
        self._params = params or ShankParams()

    def _params_for(self, rate_hz: float) -> NDArray[np.void]:
        return self._params.for_rate(rate_hz)

    def _run(self, batch: Batch) -> int:
        return contacts(
            batch.sensor,
            batch.start,
            batch.index,
            batch.acc,
            batch.gyr,
            self._row_records,
            self._state_records,
            self._alignment.view(np.recarray),
            self._events.view(np.recarray),
        )
