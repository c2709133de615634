"""What a joint does in each stride: angle at contact, range, peak in swing, and the mean curve of the gait cycle."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.catalogue import CATALOGUE
from dsp.joints.cycle import Cycles, Floats, MeanCurve, Stride, StrideCurve
from dsp.joints.joints import ALGORITHM, JointName, calibration
from dsp.result import Quality, Result, Side

CONTACT: Final[dict[JointName, str]] = {
    "hip": "hip_flexion_angle",
    "knee": "knee_flexion_angle",
    "ankle": "ankle_dorsiflexion_angle",
}
"""The metric of the angle at initial contact."""

SYNC_LIMIT_S = 0.020  # a knee turns at up to 7 rad/s: 20 ms between its two sensors are 8 degrees for an instant


@dataclass(frozen=True, slots=True)
class JointCurve:
    """What a joint does over the gait cycle, from one contact of the foot of its side to the next.

    Attributes:
        joint: Which.
        side: Of the body.
        mean_deg: (101,) mean angle at 0 to 100 % of the cycle; flexion and dorsiflexion positive.
        sd_deg: (101,) standard deviation of the strides about it; NaN below two strides.
        n: Strides.
        start_s: Start of the oldest of them, seconds on the gateway clock.
        end_s: End of the newest.
        reason: Why these angles are not to be trusted fully; empty if they are.
    """

    joint: JointName
    side: Side
    mean_deg: Floats
    sd_deg: Floats
    n: int
    start_s: float
    end_s: float
    reason: str


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
        self._cycles = Cycles()
        self._mean = MeanCurve(keep)
        self._kept: deque[Stride] = deque(maxlen=keep)
        self._doubt = ""
        self._exoskeleton = exoskeleton
        self._bits = 0
        self._sure_from_s = math.inf

    @property
    def curve(self) -> JointCurve | None:
        """Mean and SD over the newest strides that may be trusted; over the newest of all before there is one."""
        if not self._kept:
            return None
        start_s, end_s = self._kept[0].start_s, self._kept[-1].end_s
        mean = self._mean
        return JointCurve(self.joint, self.side, mean.mean, mean.sd, mean.n, start_s, end_s, self._doubt)

    def process(
        self, angles: NDArray[np.void], strides: Iterable[Stride] = (), sync_s: float | None = None
    ) -> list[Result]:
        """Take new angles and strides; return what is complete now.

        Args:
            angles: Rows of ``dsp.joints.joints.ANGLE`` of this joint, in order of time.
            strides: From contact to contact of the foot of this side.
            sync_s: Uncertainty between the clocks of the two sensors (1 sigma), seconds; None if unknown.
        """
        out: list[Result] = []
        strides = list(strides)
        if not len(angles) and not strides:
            return out
        # Portions of equal bits, so that each stride is judged by what was known at its end.
        bits = angles["bits"]
        cuts = (bits[1:] != bits[:-1]).nonzero()[0] + 1
        for part in np.split(angles, cuts) if len(cuts) else (angles,):
            if len(part):
                self._bits = int(part["bits"][0])
                sure = calibration(self._bits).sure
                self._sure_from_s = min(self._sure_from_s, float(part["time_s"][0])) if sure else math.inf
            for curve in self._cycles.process(part["time_s"], part["angle_deg"], strides):
                results = self._results(curve, sync_s)
                if all(result.value is not None for result in results):
                    self._learn(curve, results[0].reason)
                out += results
            strides = []
        return out

    def _learn(self, curve: StrideCurve, doubt: str) -> None:
        """Take a stride into the mean; what is doubtful gives way to the first that is not, and then stays out."""
        if doubt and self._kept and not self._doubt:
            return
        if self._doubt and not doubt:
            self._mean.forget()
            self._kept.clear()
        self._doubt = doubt
        self._mean.learn(curve.curve)
        self._kept.append(curve.stride)

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
