"""Curves on the gait cycle: what a signal does from one contact of a foot to its next, on 101 points."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import require_one_length, require_shape

Floats = NDArray[np.float64]

POINTS: Final = 101
"""0 to 100 % of the cycle."""
HISTORY: Final = 8192  # samples that wait for the end of a stride: 10 s at 800 Hz; strides take up to 8 s
WAITING: Final = 16  # strides that may wait for their samples; more means that these do not come


class Stride(NamedTuple):
    """From one initial contact of a foot to its next, gateway seconds; ``lift_s`` is NaN where it is not known."""

    start_s: float
    end_s: float
    lift_s: float = math.nan


@dataclass(frozen=True, slots=True)
class StrideCurve:
    """A signal over one stride, in its own unit.

    Attributes:
        stride: When.
        curve: (101,) at 0 to 100 % of the cycle, interpolated on straight lines; NaN throughout if samples are missing.
        n: Samples that went in; 0 if some are missing.
        low: Least value of samples and ends.
        high: Greatest value.
        swing_high: Greatest value from final contact on; NaN if that is not known.
    """

    stride: Stride
    curve: Floats
    n: int
    low: float
    high: float
    swing_high: float

    @property
    def range(self) -> float:
        """Greatest less least value."""
        return self.high - self.low


def stride_curve(time_s: Floats, value: Floats, stride: Stride, bridge_s: float) -> StrideCurve:
    """Return the curve of one stride.

    Args:
        time_s: (n,) rising instants of the samples, which reach beyond both ends of the stride.
        value: (n,) samples.
        stride: From where to where.
        bridge_s: Longest time between two samples that is interpolated.
    """
    require_one_length(time_s=time_s, value=value)
    first = int(np.searchsorted(time_s, stride.start_s, side="right")) - 1
    last = int(np.searchsorted(time_s, stride.end_s, side="left"))
    if first < 0 or last >= len(time_s) or not stride.end_s > stride.start_s:
        return _missing(stride)
    t, y = time_s[first : last + 1], value[first : last + 1]
    if not np.isfinite(y).all() or float(np.diff(t).max(initial=0.0)) > bridge_s:
        return _missing(stride)
    grid = stride.start_s + (stride.end_s - stride.start_s) * np.linspace(0.0, 1.0, POINTS)
    curve = np.interp(grid, t, y)
    within = y[(t > stride.start_s) & (t < stride.end_s)]
    ends = (float(curve[0]), float(curve[-1]))
    swing = y[(t > stride.lift_s) & (t < stride.end_s)]
    lifted = stride.start_s < stride.lift_s < stride.end_s
    high = max(*ends, float(within.max(initial=-math.inf)))
    return StrideCurve(
        stride,
        curve,
        len(within),
        min(*ends, float(within.min(initial=math.inf))),
        high,
        max(ends[1], float(np.interp(stride.lift_s, t, y)), float(swing.max(initial=-math.inf)))
        if lifted
        else math.nan,
    )


def _missing(stride: Stride) -> StrideCurve:
    return StrideCurve(stride, np.full(POINTS, np.nan), 0, math.nan, math.nan, math.nan)


class MeanCurve:
    """Mean and SD over the newest curves.

    Args:
        keep: How many.
    """

    def __init__(self, keep: int = 20) -> None:
        if keep < 1:
            raise ValueError(f"mean and SD need at least one stride, got keep={keep}")
        self._kept = np.zeros((keep, POINTS))
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._count = 0
        self._mean = np.zeros(POINTS)
        self._squares = np.zeros(POINTS)

    @property
    def n(self) -> int:
        """How many strides mean and SD rest on."""
        return min(self._count, len(self._kept))

    @property
    def mean(self) -> Floats:
        """Mean curve (101,); NaN without strides."""
        return self._mean.copy() if self._count else np.full(POINTS, np.nan)

    @property
    def sd(self) -> Floats:
        """Standard deviation of the strides about it, (101,); NaN below two."""
        if self.n < 2:
            return np.full(POINTS, np.nan)
        return np.asarray(np.sqrt(np.maximum(self._squares, 0.0) / (self.n - 1)))

    def learn(self, curve: Floats) -> None:
        """Take a curve into mean and squares (Welford 1962), and the oldest one out once there are enough."""
        require_shape("curve", curve, (POINTS,), np.float64)
        slot = self._count % len(self._kept)
        if self._count < len(self._kept):
            change = curve - self._mean
            self._mean += change / (self._count + 1)
            self._squares += change * (curve - self._mean)
        else:
            old = self._kept[slot]
            change = curve - old
            before = self._mean.copy()
            self._mean += change / len(self._kept)
            self._squares += change * (curve - self._mean + old - before)
        self._kept[slot] = curve
        self._count += 1


class Cycles:
    """Strides of one signal as they come: each one's curve, once its samples are there.

    Samples and strides may come in any portions and in either order; the results are the same, bit for bit.

    Args:
        bridge_s: Longest time between two samples that is interpolated.
    """

    def __init__(self, bridge_s: float = 0.1) -> None:
        self._bridge_s = bridge_s
        self._time_s = np.zeros(HISTORY)
        self._value = np.zeros(HISTORY)
        self._filled = 0
        self._waiting: deque[Stride] = deque()
        self.lost = 0  # strides given up because their samples never came

    def process(self, time_s: Floats, value: Floats, strides: Iterable[Stride] = ()) -> list[StrideCurve]:
        """Take new samples (n,) with rising times, and new strides; return the strides that are complete now."""
        require_one_length(time_s=time_s, value=value)
        for stride in strides:
            if len(self._waiting) == WAITING:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(stride)
        done: list[StrideCurve] = []
        room = HISTORY // 2
        for a in range(0, max(1, len(time_s)), room):
            self._append(time_s[a : a + room], value[a : a + room])
            while self._waiting and self._filled and self._waiting[0].end_s <= self._time_s[self._filled - 1]:
                times, values = self._time_s[: self._filled], self._value[: self._filled]
                done.append(stride_curve(times, values, self._waiting.popleft(), self._bridge_s))
        return done

    def _append(self, time_s: Floats, value: Floats) -> None:
        over = self._filled + len(time_s) - HISTORY
        if over > 0:
            drop = max(over, HISTORY // 2)
            left = self._filled - drop
            self._time_s[:left] = self._time_s[drop : self._filled]
            self._value[:left] = self._value[drop : self._filled]
            self._filled = left
        end = self._filled + len(time_s)
        self._time_s[self._filled : end] = time_s
        self._value[self._filled : end] = value
        self._filled = end
