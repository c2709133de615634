"""What a joint does in each stride: angle at contact, range, peak in swing, and the mean curve of the gait cycle."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.catalogue import CATALOGUE
from dsp.cycle import Cycles, Stride, StrideCurve
from dsp.joints import ALGORITHM, JointName, calibration
from dsp.result import Quality, Result, Side

CONTACT: Final[dict[JointName, str]] = {
    "hip": "hip_flexion_angle",
    "knee": "knee_flexion_angle",
    "ankle": "ankle_dorsiflexion_angle",
}
"""The metric of the angle at initial contact."""

SYNC_LIMIT_S = 0.020  # a knee turns at up to 7 rad/s: 20 ms between its two sensors are 8 degrees for an instant


class JointStrides:
    """Streaming results of one joint of one side.

    Args:
        joint: Which.
        side: Of the body.
        keep: Strides over which the mean curve goes.
        exoskeleton: Take the wider plausibility limits of exoskeleton gait.
    """

    def __init__(self, joint: JointName, side: Side, *, keep: int = 20, exoskeleton: bool = False) -> None:
        self.joint, self.side = joint, side
        self.cycles = Cycles(keep)
        self._exoskeleton = exoskeleton
        self._bits = 0
        self._sure_from_s = math.inf

    def push(
        self, angles: NDArray[np.void], strides: Iterable[Stride] = (), sync_s: float | None = None
    ) -> list[Result]:
        """Take new angles and strides; return what is complete now.

        Args:
            angles: Rows of ``dsp.joints.ANGLE`` of this joint, in order of time.
            strides: From contact to contact of the foot of this side.
            sync_s: Uncertainty between the clocks of the two sensors (1 sigma), seconds; None if unknown.
        """
        out: list[Result] = []
        strides = list(strides)
        # Portions of equal bits, so that each stride is judged by what was known at its end.
        cuts = np.flatnonzero(np.diff(angles["bits"])) + 1
        for part in np.split(angles, cuts):
            if len(part):
                self._bits = int(part["bits"][0])
                sure = calibration(self._bits).sure
                self._sure_from_s = min(self._sure_from_s, float(part["time_s"][0])) if sure else math.inf
            for curve in self.cycles.push(part["time_s"], part["angle_deg"], strides):
                out += self._results(curve, sync_s)
            strides = []
        return out

    def _results(self, curve: StrideCurve, sync_s: float | None) -> list[Result]:
        if not curve.n:
            return [self._result(f"{self.joint}_rom", None, curve.stride, sync_s)]
        values = {CONTACT[self.joint]: float(curve.curve[0]), f"{self.joint}_rom": curve.range}
        if self.joint == "knee" and not math.isnan(curve.swing_high):
            values["knee_peak_swing"] = curve.swing_high
        return [self._result(metric, value, curve.stride, sync_s) for metric, value in values.items()]

    def _result(self, metric: str, value: float | None, stride: Stride, sync_s: float | None) -> Result:
        quality: Quality = "ok"
        known = calibration(self._bits)
        reason = known.reason
        if not reason and self._sure_from_s > stride.start_s:
            reason = "calibrated within this stride"
        if not reason and sync_s is None:
            reason = "clocks of the sensors not compared"
        elif not reason and sync_s is not None and sync_s > SYNC_LIMIT_S:
            reason = f"clocks of the sensors uncertain by {1000 * sync_s:.0f} ms"
        if reason:
            quality = "degraded"
        if value is None:
            quality, reason = "invalid", "samples lost"
        elif not CATALOGUE[metric].plausible(value, exoskeleton=self._exoskeleton):
            value, quality, reason = None, "invalid", "implausible"
        n, rejected = (0, 1) if value is None else (1, 0)
        return Result(
            metric, value, self.side, stride.start_s, stride.end_s, n, ALGORITHM, rejected, quality, reason, sync_s
        )
