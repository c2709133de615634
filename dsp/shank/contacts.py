"""Foot contacts from inertial sensors on the shanks: initial and final contact, mid-swing, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.detector import ContactDetector, longest_landing, smoothing
from dsp.contact.events import EVENT, FINAL_CONTACT, GAP, INITIAL_CONTACT
from dsp.shank.kernel import contacts
from dsp.shank.layout import MID_SWING, PARAMS, STATE

__all__ = ["ALGORITHM", "EVENT", "FINAL_CONTACT", "GAP", "INITIAL_CONTACT", "MID_SWING", "ShankContacts", "ShankParams"]

ALGORITHM = "shank-contacts/1"


@dataclass(frozen=True, slots=True)
class ShankParams:
    """Physical limits of what counts as a step. Times in seconds, rates in rad/s, angles in rad.

    Attributes:
        smoothing_s: Half-width of the triangular smoothing window over the pitch rate.
        bridge_s: Longest run of lost samples that is interpolated once the next sample is there.
        landing_min_s: Time after the turn of sign before which a trough is not taken for the landing's.
        landing_max_s: The same after which it is taken as it is.
        swing_max_s: Longest swing (exoskeleton strides take up to 8 s).
        lift_max_s: Time in which a forward rotation must become that of a swing.
        phase_min_s: Shortest stance and shortest swing.
        ringing_s: Time after an initial contact in which the impact may still ring.
        push_off_age_s: Longest time from push-off to the start of swing.
        calm_s: Time without rotation that ends a swing whose landing turned nothing.
        still_s: Time without any rotation after which gravity is read off.
        rate_floor: Slowest peak of a swing; slower rotations are shifts of weight.
        angle_floor: Smallest forward rotation of a swing.
        memory_s: Time constant with which the typical stride is forgotten in a pause.
        mid_swing: Also tell mid-swing, which ``dsp.gait.gait.Walk`` has no use for.
    """

    smoothing_s: float = 0.04
    bridge_s: float = 0.1
    landing_min_s: float = 0.03
    landing_max_s: float = 0.2
    swing_max_s: float = 5.0
    lift_max_s: float = 1.0
    phase_min_s: float = 0.1
    ringing_s: float = 0.3
    push_off_age_s: float = 0.8
    calm_s: float = 0.1
    still_s: float = 0.05
    rate_floor: float = 0.8
    angle_floor: float = 0.2
    memory_s: float = 20.0
    mid_swing: bool = False

    def for_rate(self, rate_hz: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""
        row = np.zeros(1, PARAMS)
        row["dt"] = 1.0 / rate_hz
        row["half"], row["taps"] = smoothing(self.smoothing_s, rate_hz)
        row["bridge"] = round(self.bridge_s * rate_hz)
        row["landing_min"] = max(2, round(self.landing_min_s * rate_hz))
        row["landing_max"] = longest_landing(self.landing_max_s, rate_hz)
        row["swing_max"] = round(self.swing_max_s * rate_hz)
        row["lift_max"] = round(self.lift_max_s * rate_hz)
        row["min_phase"] = self.phase_min_s * rate_hz
        row["ringing"] = self.ringing_s * rate_hz
        row["push_off_age"] = self.push_off_age_s * rate_hz
        row["calm"] = max(2, round(self.calm_s * rate_hz))
        row["still"] = max(2, round(self.still_s * rate_hz))
        row["rate_floor"] = self.rate_floor
        row["angle_floor"] = self.angle_floor
        row["fade"] = np.exp(-1.0 / (self.memory_s * rate_hz))
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
            self._rows.view(np.recarray),
            self._state.view(np.recarray),
            self._alignment.view(np.recarray),
            self._events.view(np.recarray),
        )
