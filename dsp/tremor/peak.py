"""The one narrow peak of a spectrum that a tremor makes, and whether it is only a harmonic of a slower movement."""

from __future__ import annotations

from statistics import median
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TREMOR_HZ: Final = (3.5, 7.5)
"""Where tremor of Parkinson's disease lies (Salarian 2007, doi 10.1109/TBME.2006.886670)."""
HALF_WIDTH_HZ: Final = 0.75
"""A peak that the tapers have widened lies within this distance of its top."""
FLANK_HZ: Final = 2.0
"""What a peak stands out of is looked for up to here on either side."""
STANDS_OUT: Final = 2.25
"""Times the greater of both flanks' medians: a peak of chance in a level spectrum seldom does, a slope never."""
SLOWEST_HZ: Final = 0.6
"""A limb that goes to and fro slower than this has harmonics too close together to be told apart."""
HARMONICS: Final = range(2, 7)
HARMONIC_HZ: Final = 0.3
"""How far a multiple of a slower movement's frequency may lie from the peak's: the tapers tell no finer."""
FUNDAMENTAL_SHARE: Final = 0.25
"""Of a peak's height: a slower movement as strong as this, at a whole part of the frequency, is what makes the peak."""
FUNDAMENTAL_STANDS_OUT: Final = 2.0
"""Times the greater of the lowest points on both sides, within `BESIDE_HZ`: less is a slope's unevenness."""
POWER_OF_EDGE: Final = 0.5
"""Of a top's: where a peak ends."""
BESIDE_HZ: Final = (0.5, 1.2)


class Peak(NamedTuple):
    """A narrow peak.

    Attributes:
        hz: Its frequency.
        height: Its power, as the spectrum has it.
    """

    hz: float
    height: float


def find_peak(hz: Floats, power: Floats) -> Peak | None:
    """Return the highest narrow peak with its top within `TREMOR_HZ`; None where there is none.

    Args:
        hz: (n,) frequencies, evenly spaced from 0 to beyond the upper flank.
        power: (n,) of each.
    """
    tops = _tops(power, *np.searchsorted(hz, TREMOR_HZ).tolist())
    for top in tops[np.argsort(-power[tops])].tolist():
        if power[top] > STANDS_OUT * _flanks(hz, power, hz[top]):
            return Peak(_middle(hz, power, top), float(power[top]))
    return None


def is_harmonic(hz: Floats, power: Floats, peak: Peak) -> bool:
    """Return whether a slower movement goes on at a half to a sixth of a peak's frequency, and strongly."""
    for order in HARMONICS:
        at_hz = peak.hz / order
        if at_hz < SLOWEST_HZ:
            return False
        within_hz = HARMONIC_HZ / order
        tops = _tops(power, *np.searchsorted(hz, [at_hz - HALF_WIDTH_HZ, at_hz + HALF_WIDTH_HZ]).tolist())
        for top in tops[power[tops] > FUNDAMENTAL_SHARE * peak.height].tolist():
            stands_out = power[top] > FUNDAMENTAL_STANDS_OUT * _least_beside(hz, power, top)
            if stands_out and abs(_middle(hz, power, top) - at_hz) <= within_hz:
                return True
    return False


def band(hz: Floats, low_hz: float, high_hz: float) -> slice:
    """Return the frequencies from ``low_hz`` to before ``high_hz``."""
    return slice(int(hz.searchsorted(low_hz)), int(hz.searchsorted(high_hz)))


def _tops(power: Floats, first: int, last: int) -> NDArray[np.int64]:
    """Return where from ``first`` to ``last`` the power is higher than on both sides."""
    inside = np.arange(max(first, 1), last + 1)
    return inside[(power[inside] >= power[inside - 1]) & (power[inside] > power[inside + 1])]


def _flanks(hz: Floats, power: Floats, at_hz: float) -> float:
    below: list[float] = power[band(hz, at_hz - FLANK_HZ, at_hz - HALF_WIDTH_HZ)].tolist()
    above: list[float] = power[band(hz, at_hz + HALF_WIDTH_HZ, at_hz + FLANK_HZ)].tolist()
    return max(median(below), median(above))  # of ten numbers: numpy takes as long for a thousand


def _least_beside(hz: Floats, power: Floats, top: int) -> float:
    """Return the greater of the lowest points on both sides; below the lowest frequency there is nothing."""
    near_hz, far_hz = BESIDE_HZ
    below = power[band(hz, hz[top] - far_hz, hz[top] - near_hz)]
    above = power[band(hz, hz[top] + near_hz, hz[top] + far_hz)]
    return max(float(below.min()) if len(below) else 0.0, float(above.min()))


def _middle(hz: Floats, power: Floats, top: int) -> float:
    """Return the middle of a peak, weighted by power, as far as it is half as high: tapers make flat tops."""
    low = power < POWER_OF_EDGE * power[top]
    low[0] = low[-1] = True
    first = top - int(np.argmax(low[top::-1])) + 1
    end = top + int(np.argmax(low[top:]))
    return float(hz[first:end] @ power[first:end] / power[first:end].sum())
