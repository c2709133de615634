"""What counts as a step, of a foot and of a shank alike, in seconds; their kernels count in samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import MAX_LANDING, MAX_TAPS


@dataclass(frozen=True, slots=True)
class StepParams:
    """Physical limits of what counts as a step. Times in seconds, rates in rad/s, angles in rad.

    Attributes:
        landing_min_s: Time after the end of swing before which no rotation is taken for the landing's.
        landing_max_s: The same after which it is taken as it is.
        lift_max_s: Time in which a rotation must become that of a swing.
        propulsion_age_s: Longest time from propulsion to the start of swing.
        calm_s: Time without rotation that ends a swing whose landing turned nothing.
        rate_floor: Slowest peak of a swing; slower rotations are shifts of weight.
        angle_floor: Smallest rotation of a swing.
        smoothing_s: Half-width of the triangular smoothing window over the pitch rate.
        bridge_s: Longest run of lost samples that is interpolated once the next sample is there.
        swing_max_s: Longest swing (exoskeleton strides take up to 8 s).
        phase_min_s: Shortest stance and shortest swing.
        ringing_s: Time after an initial contact in which the impact may still ring.
        still_s: Time without any rotation after which nothing before counts as the start of a step.
        memory_s: Time constant with which the typical stride is forgotten in a pause.
    """

    landing_min_s: float
    landing_max_s: float
    lift_max_s: float
    propulsion_age_s: float
    calm_s: float
    rate_floor: float
    angle_floor: float
    smoothing_s: float = 0.04
    bridge_s: float = 0.1
    swing_max_s: float = 5.0
    phase_min_s: float = 0.1
    ringing_s: float = 0.3
    still_s: float = 0.05
    memory_s: float = 20.0

    def row(self, layout: np.dtype[np.void], rate_hz: float) -> NDArray[np.void]:
        """Return one row of a layout that has the fields of ``ContactParams``, these filled in for a sampling rate."""
        row = np.zeros(1, layout)
        row["dt"] = 1.0 / rate_hz
        row["half"], row["taps"] = smoothing(self.smoothing_s, rate_hz)
        row["bridge"] = round(self.bridge_s * rate_hz)
        row["landing_min"] = max(2, round(self.landing_min_s * rate_hz))
        row["landing_max"] = min(round(self.landing_max_s * rate_hz), MAX_LANDING - 1)
        row["swing_max"] = round(self.swing_max_s * rate_hz)
        row["lift_max"] = round(self.lift_max_s * rate_hz)
        row["min_phase"] = self.phase_min_s * rate_hz
        row["ringing"] = self.ringing_s * rate_hz
        row["propulsion_age"] = self.propulsion_age_s * rate_hz
        row["calm"] = max(2, round(self.calm_s * rate_hz))
        row["still"] = max(2, round(self.still_s * rate_hz))
        row["rate_floor"] = self.rate_floor
        row["angle_floor"] = self.angle_floor
        row["fade"] = np.exp(-1.0 / (self.memory_s * rate_hz))
        return row


def smoothing(smoothing_s: float, rate_hz: float) -> tuple[int, NDArray[np.float64]]:
    """Return half the width of the triangular window over the pitch rate, in samples, and its weights."""
    half = min(max(int(np.ceil(smoothing_s * rate_hz)) - 1, 0), MAX_TAPS // 2)
    taps: NDArray[np.float64] = 1.0 - np.abs(np.arange(-half, half + 1)) / max(smoothing_s * rate_hz, 1.0)
    weights = np.zeros(MAX_TAPS)
    weights[: 2 * half + 1] = taps / taps.sum()
    return half, weights
