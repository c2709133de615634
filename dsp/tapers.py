"""The spectrum of a short window by several sine tapers, which scatters less than one does.

Source: Riedel and Sidorenko 1995, doi 10.1109/78.365298.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sine_tapers(length: int, count: int) -> Floats:
    """Return (count, length) orthonormal tapers; together they smooth by about (count + 1) / 2 bins to each side."""
    at = np.arange(1, length + 1)
    order = np.arange(1, count + 1)[:, None]
    tapers: Floats = np.sqrt(2 / (length + 1)) * np.sin(np.pi * order * at / (length + 1))
    return tapers


def power_spectrum(movement: Floats, tapers: Floats, padding: int = 1) -> Floats:
    """Return the power of each frequency, the axes together: all frequencies add up to the mean square.

    Args:
        movement: (n, axes) samples without their mean.
        tapers: (count, n) from `sine_tapers`.
        padding: How many times finer than 1 / duration the frequencies lie.
    """
    length = len(movement) * padding
    spectra = np.fft.rfft(tapers[:, :, None] * movement, length, axis=1)
    power: Floats = 2 * (np.abs(spectra) ** 2).sum(axis=2).mean(axis=0) / length
    return power
