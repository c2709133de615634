"""Walking speed of both feet over the last steady strides: way by time.

The first and the last stride of a walk are neither steady nor short of telling: who begins, and who closes the feet, is
slower than who walks. So a stride counts when its foot has made another after it, and the first of each foot never does
(metrics reference, section 0 rules 5 and 6).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from dsp.gait.window import Foot, Stride, Window, speed

SPEED_STRIDES: Final = 6  # of both feet: as long a window as that of the cadence


class SteadySpeed:
    """The speed of one walk, stride by stride."""

    def __init__(self) -> None:
        self._newest: dict[Foot, Stride | None] = {}  # of each foot, if it may turn out to be steady
        self._steady: deque[Stride] = deque(maxlen=SPEED_STRIDES)

    def add(self, stride: Stride, *, straight: bool) -> Window | None:
        """Take a stride; return the speed if it shows the one before to be steady, and there are enough.

        One that was part of a turn, or could not be measured, is left out; the one before it is not the last.
        """
        side = stride.side
        before, first = self._newest.get(side), side not in self._newest
        measured = straight and stride.length_m > 0.0 and stride.end_s > stride.start_s
        self._newest[side] = stride if measured and not first else None
        if before is None:
            return None
        self._steady.append(before)
        alone = "" if len(self._newest) > 1 else f"{side} foot only"
        return speed(list(self._steady), alone)
