"""The freeze index as Moore, MacDougall and Ondo defined it in 2008: one axis, six seconds, squared areas.

It is here beside `dsp.freezing.freeze_index` for who compares with studies that used it; their numbers are on another
scale, so a threshold of one says nothing for the other. The vertical axis of the shank is found from gravity.

Source: doi 10.1016/j.jneumeth.2007.08.023: ln of a hundred times the squared quotient of the spectrum's areas from 3 to
8 and from 0.5 to 3 Hz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from dsp.freezing.freeze_index import TREMBLING_HZ, WALKING_HZ, FreezeWindows
from dsp.tapers import Floats, power_spectrum

WINDOW_S: Final = 6.0
EVERY_S: Final = 0.5
SCALE: Final = 100.0


class FreezeIndexMoore(FreezeWindows):
    """The freeze index of one sensor on a shank, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 20.

    Raises:
        ValueError: the rate is too low for 8 Hz.
    """

    def __init__(self, rate_hz: float) -> None:
        length = round(WINDOW_S * rate_hz)
        super().__init__(rate_hz, length, EVERY_S)
        self._whole: Floats = np.ones((1, length)) / math.sqrt(length)
        hz = np.fft.rfftfreq(length, 1 / rate_hz)
        self._walking = (hz >= WALKING_HZ[0]) & (hz < WALKING_HZ[1])
        self._trembling = (hz >= TREMBLING_HZ[0]) & (hz <= TREMBLING_HZ[1])

    def values(self, acc: Floats) -> Sequence[tuple[float, float] | None]:
        """Return value and power of windows."""
        return [self._value(each) for each in acc]

    def _value(self, acc: Floats) -> tuple[float, float] | None:
        gravity = acc.mean(axis=1)
        upward = (gravity / (np.linalg.norm(gravity) or 1.0)) @ acc
        power = power_spectrum((upward - upward.mean())[None], self._whole)
        walking, trembling = float(power[self._walking].sum()), float(power[self._trembling].sum())
        if walking <= 0 or trembling <= 0:
            return None
        return math.log(SCALE * (trembling / walking) ** 2), walking + trembling
