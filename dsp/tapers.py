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


def power_spectrum(movement: Floats, tapers: Floats, padding: int = 1, count: int | None = None) -> Floats:
    """Return the power (..., frequency), the axes together: all frequencies add up to the mean square.

    Args:
        movement: (..., axes, n) samples without their mean, of any number of windows: along the rows numpy is quickest.
        tapers: (count, n) from `sine_tapers`.
        padding: How many times finer than 1 / duration the frequencies lie.
        count: How many frequencies are wanted, from 0 on; None: all. The fewer, the quicker.
    """
    length = movement.shape[-1] * padding
    spectra = np.fft.rfft(tapers[:, None] * movement[..., None, :, :], length)[..., :count]
    real, imaginary = spectra.real, spectra.imag
    power: Floats = np.einsum("...tak,...tak->...k", real, real) + np.einsum(
        "...tak,...tak->...k", imaginary, imaginary
    )
    power *= 2 / (len(tapers) * length)
    return power
