"""Skin conductance from the raw word of a Shimmer's GSR amplifier.

The upper two bits say which resistor is in the feedback, the others are the reading of a 12-bit converter. Skin and
feedback resistor R amplify 0.5 V: U = 0.5 V (1 + R / skin).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Flag, Samples, Ticks

FEEDBACK_KOHM: Final = np.array([40.2, 287.0, 1000.0, 3300.0])
_RANGE_SHIFT, _READING = 14, 0x3FFF
FULL_SCALE: Final = 4095  # of 3 V
_PER_REFERENCE: Final = 3.0 / 0.5 / FULL_SCALE  # of the amplifier's 0.5 V, a count
_US_OF_A_KOHM: Final = 1000.0


def conductance(raw: Ticks) -> tuple[Samples, NDArray[np.uint8]]:
    """Return conductances in microsiemens and flags of raw words (n,).

    A reading below 0.5 V is one of no skin at all: the electrodes are open.
    """
    reading = raw & _READING
    ratio = reading * _PER_REFERENCE - 1.0
    values = np.maximum(ratio, 0.0) / FEEDBACK_KOHM[raw >> _RANGE_SHIFT & 3] * _US_OF_A_KOHM
    flags = np.where(ratio <= 0.0, np.uint8(Flag.NO_CONTACT), np.uint8(Flag.NONE))
    flags[reading >= FULL_SCALE] |= np.uint8(Flag.CLIPPED)
    return values, flags
