from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.gait.rhythm import (
    HARMONICS,
    even_to_odd,
    forward_angle,
    median,
    pendulum_height,
    pendulum_step,
    regularity,
    spectrum,
)

RATE_HZ = 100.0
RING = 1024


def ring_of(values: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    ring = np.full(RING, np.nan)
    ring[(first + np.arange(len(values))) % RING] = values
    return ring


def test_regularity_agrees_with_plain_numpy() -> None:
    x = np.random.default_rng(1).standard_normal(300)
    centred = x - x.mean()
    expected = [
        np.sum(centred[: 300 - lag] * centred[lag:]) / (300 - lag) / np.mean(centred**2) for lag in range(48, 73)
    ]
    assert regularity(ring_of(x, 5000), 5000, 300, 60.0) == pytest.approx(max(expected), rel=1e-12)


def test_regularity_is_the_highest_autocorrelation_near_the_period() -> None:
    x = np.sin(2.0 * np.pi * np.arange(440) / 55.0)
    assert regularity(ring_of(x, 7), 7, 440, 52.0) == pytest.approx(1.0, abs=0.01)
    assert math.isnan(regularity(ring_of(x, 7), 7, 30, 52.0))
    assert math.isnan(regularity(ring_of(np.zeros(440), 7), 7, 440, 52.0))


def test_spectrum_agrees_with_the_fast_fourier_transform() -> None:
    x = np.random.default_rng(2).standard_normal(110)
    out = np.zeros((HARMONICS, 2))
    spectrum(ring_of(x, 900), 900.0, 1010.0, out, 0)
    expected = np.fft.fft(x)[1 : HARMONICS + 1] / 110
    np.testing.assert_allclose(out[:, 0] + 1j * out[:, 1], expected, atol=1e-12)


def test_harmonic_ratio_of_known_amplitudes() -> None:
    # Even harmonics 3 and 1, odd ones 0.5 and 1.5: ratio (3 + 1) / (0.5 + 1.5) = 2.
    phase = 2.0 * np.pi * np.arange(200) / 200.0
    x = 3.0 * np.cos(2 * phase) + np.sin(4 * phase) + 0.5 * np.cos(phase) + 1.5 * np.sin(3 * phase)
    spectra = np.zeros((1, HARMONICS, 6))
    spectrum(ring_of(x, 0), 0.0, 200.0, spectra[0], 4)
    assert even_to_odd(spectra, 1, 4, 0.0, 1) == pytest.approx(2.0)
    assert math.isnan(even_to_odd(np.zeros((1, HARMONICS, 6)), 1, 4, 0.0, 1))


@pytest.mark.parametrize("degrees", [-80.0, -30.0, 0.0, 45.0, 89.0])
def test_forwards_is_where_the_steps_are_alike(degrees: float) -> None:
    phase = 2.0 * np.pi * np.arange(120) / 120.0
    ahead, sideways = np.cos(2 * phase) + 0.1 * np.cos(phase), np.sin(phase) + 0.2 * np.sin(2 * phase)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    spectra = np.zeros((1, HARMONICS, 6))
    spectrum(ring_of(c * ahead - s * sideways, 3), 3.0, 123.0, spectra[0], 0)
    spectrum(ring_of(s * ahead + c * sideways, 3), 3.0, 123.0, spectra[0], 2)
    found = np.degrees(forward_angle(spectra, 1))
    assert (found - degrees + 90.0) % 180.0 - 90.0 == pytest.approx(0.0, abs=10.0)
    assert even_to_odd(spectra, 1, 0, np.radians(degrees), 2) == pytest.approx(10.0, rel=1e-6)


def test_pendulum_height_of_a_known_rise_and_fall() -> None:
    # Height 0.02 cos(2 pi t / T) rises and falls by 4 cm; any constant error of acceleration must not matter.
    t = np.arange(61) / RATE_HZ
    turns = 2.0 * np.pi / 0.6
    up = -0.02 * turns**2 * np.cos(turns * t) + 0.3
    assert pendulum_height(ring_of(up, 1000), 1000.0, 1060.0, 1.0 / RATE_HZ) == pytest.approx(0.04, rel=0.02)
    assert math.isnan(pendulum_height(ring_of(up, 1000), 1000.0, 1004.0, 1.0 / RATE_HZ))


def test_golden_pendulum_step() -> None:
    # 2 sqrt(2 * 0.9 * 0.03 - 0.03^2) = 2 sqrt(0.0531) = 0.460869 m
    assert pendulum_step(0.03, 0.9) == pytest.approx(0.46086874, abs=1e-8)
    assert pendulum_step(5.0, 0.9) == 0.0
    assert math.isnan(pendulum_step(0.03, math.nan))


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_median_agrees_with_numpy(n: int) -> None:
    values = np.random.default_rng(n).standard_normal(16)
    assert median(values, n, np.zeros(16)) == np.median(values[:n])
