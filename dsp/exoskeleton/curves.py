"""The mean over the gait cycle of what a joint of an exoskeleton does."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from dsp.joints.cycle import Floats, MeanCurve, Stride
from dsp.result import Side

Quantity = Literal["angle", "torque", "power"]
UNITS: Final[dict[Quantity, str]] = {"angle": "deg", "torque": "N.m", "power": "W"}
"""What is drawn, and its UCUM unit."""
KEEP: Final = 20  # strides, as of the angles by sensors


@dataclass(frozen=True, slots=True)
class ExoskeletonCurve:
    """One quantity of one joint over the gait cycle, from one contact of the foot of its side to the next.

    Attributes:
        joint: Which.
        side: Of the body.
        quantity: Which.
        mean: (101,) at 0 to 100 % of the cycle, in the quantity's unit.
        sd: (101,) standard deviation of the strides about it; NaN below two strides.
        n: Strides.
        start_s: Start of the oldest of them, seconds on the gateway clock.
        end_s: End of the newest.
    """

    joint: str
    side: Side
    quantity: Quantity
    mean: Floats
    sd: Floats
    n: int
    start_s: float
    end_s: float


class KeptCurves:
    """The newest strides of one quantity of one joint."""

    def __init__(self, joint: str, side: Side, quantity: Quantity) -> None:
        self._of: tuple[str, Side, Quantity] = joint, side, quantity
        self._mean = MeanCurve(KEEP)
        self._kept: deque[Stride] = deque(maxlen=KEEP)

    def learn(self, stride: Stride, curve: Floats) -> None:
        """Take a stride's curve (101,)."""
        self._mean.learn(curve)
        self._kept.append(stride)

    @property
    def curve(self) -> ExoskeletonCurve:
        """Mean and SD over at least one stride."""
        mean, kept = self._mean, self._kept
        return ExoskeletonCurve(*self._of, mean.mean, mean.sd, mean.n, kept[0].start_s, kept[-1].end_s)
