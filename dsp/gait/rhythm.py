"""How regular and how even the steps are: autocorrelation and stride harmonics of trunk acceleration.

All functions read a ring buffer: ``ring[i & (len(ring) - 1)]`` holds sample ``i``, and the length is a power of two.
"""

from __future__ import annotations

import math

from dsp.kernel import kernel
from dsp.record import Floats

HARMONICS = 20  # of the stride frequency: up to about 20 Hz, where the trunk hardly moves (Bellanca 2013)
SEARCH = 0.2  # the dominant period lies within this share of the mean step or stride
NOTHING = 1e-9  # m/s^2, or its square: less is no movement


@kernel
def moments(ring: Floats, first: int, count: int) -> tuple[float, float]:
    """Return mean and variance of so many samples."""
    mask = len(ring) - 1
    mean, variance = 0.0, 0.0
    for i in range(first, first + count):
        mean += ring[i & mask]
    mean /= count
    for i in range(first, first + count):
        variance += (ring[i & mask] - mean) ** 2
    return mean, variance / count


@kernel
def regularity(ring: Floats, first: int, count: int, period: float) -> float:
    """Return the highest unbiased autocorrelation within ``SEARCH`` of ``period`` samples; 1 is perfect repetition.

    Step or stride regularity of Moe-Nilssen & Helbostad 2004. NaN when the stretch is too short or nothing moves.
    """
    mask = len(ring) - 1
    mean, variance = moments(ring, first, count)
    best = math.nan
    if variance <= NOTHING:
        return best
    for lag in range(math.ceil((1.0 - SEARCH) * period), int((1.0 + SEARCH) * period) + 1):
        if lag >= count:
            break
        total = 0.0
        for i in range(first, first + count - lag):
            total += (ring[i & mask] - mean) * (ring[(i + lag) & mask] - mean)
        value = total / (count - lag) / variance
        if math.isnan(best) or value > best:
            best = value
    return best


@kernel
def spectrum(ring: Floats, start: float, end: float, out: Floats, column: int) -> None:
    """Write real and imaginary parts of the first harmonics of [start, end) to ``out[:, column:column + 2]``."""
    mask = len(ring) - 1
    first, last = math.ceil(start), math.ceil(end) - 1
    count = last - first + 1
    mean = 0.0
    for i in range(first, last + 1):
        mean += ring[i & mask]
    mean /= count
    for h in range(HARMONICS):
        angle = 2.0 * math.pi * (h + 1) / (end - start)
        turn_cos, turn_sin = math.cos(angle), math.sin(angle)
        c, s = math.cos(angle * (first - start)), math.sin(angle * (first - start))
        real, imag = 0.0, 0.0
        for i in range(first, last + 1):
            x = ring[i & mask] - mean
            real += x * c
            imag -= x * s
            c, s = c * turn_cos - s * turn_sin, s * turn_cos + c * turn_sin
        out[h, column] = real / count
        out[h, column + 1] = imag / count


@kernel
def forward_angle(spectra: Floats, strides: int) -> float:
    """Return the angle in the horizontal plane along which the two steps of a stride look most alike: forwards.

    ``spectra`` (strides, harmonics, 4+): columns 0 to 3 are the two horizontal axes. Sideways the body swings once a
    stride, forwards once a step, so forwards is where even harmonics outweigh odd ones most. Its sign is not told.
    """
    xx, yy, xy = 0.0, 0.0, 0.0
    for k in range(strides):
        for h in range(HARMONICS):
            weight = 1.0 if h % 2 == 1 else -1.0  # row h is harmonic h + 1
            a, b, c, d = spectra[k, h, 0], spectra[k, h, 1], spectra[k, h, 2], spectra[k, h, 3]
            xx += weight * (a * a + b * b)
            yy += weight * (c * c + d * d)
            xy += weight * (a * c + b * d)
    return 0.5 * math.atan2(2.0 * xy, xx - yy)


@kernel
def even_to_odd(spectra: Floats, strides: int, column: int, angle: float, width: int) -> float:
    """Return the mean over strides of the sum of even over the sum of odd amplitudes.

    With ``width`` 2 the two axes from ``column`` on are turned into ``angle`` first; with 1 the axis is taken as is.
    """
    ca, sa = math.cos(angle), math.sin(angle)
    total = 0.0
    for k in range(strides):
        even, odd = 0.0, 0.0
        for h in range(HARMONICS):
            real, imag = spectra[k, h, column], spectra[k, h, column + 1]
            if width == 2:
                real = ca * real + sa * spectra[k, h, column + 2]
                imag = ca * imag + sa * spectra[k, h, column + 3]
            amplitude = math.sqrt(real * real + imag * imag)
            if h % 2 == 1:
                even += amplitude
            else:
                odd += amplitude
        if odd <= NOTHING:
            return math.nan
        total += even / odd
    return total / strides


@kernel
def pendulum_height(ring: Floats, start: float, end: float, dt: float) -> float:
    """Return the vertical excursion in metres between two contacts, from upward acceleration in m/s^2.

    Velocity and height are taken to be the same at both contacts, which removes the drift of the two integrations
    (Zijlstra & Hof 2003). NaN for fewer than eight samples.
    """
    mask = len(ring) - 1
    first, last = round(start), round(end)
    count = last - first  # the last contact is the first sample of the next step
    if count < 8:
        return math.nan
    mean = 0.0
    for i in range(first, last):
        mean += ring[i & mask]
    mean /= count
    velocity, mean_velocity = 0.0, 0.0
    for i in range(first, last):
        velocity += (ring[i & mask] - mean) * dt
        mean_velocity += velocity
    mean_velocity /= count
    velocity, height, low, high = 0.0, 0.0, math.inf, -math.inf
    for i in range(first, last):
        velocity += (ring[i & mask] - mean) * dt
        height += (velocity - mean_velocity) * dt
        low, high = min(low, height), max(high, height)
    return high - low


@kernel
def median(values: Floats, count: int, scratch: Floats) -> float:
    """Return the median of the first values, so many of them, using ``scratch`` (at least as long) to sort in."""
    if count == 0:
        return math.nan
    for i in range(count):
        value = values[i]
        j = i
        while j > 0 and scratch[j - 1] > value:
            scratch[j] = scratch[j - 1]
            j -= 1
        scratch[j] = value
    if count % 2 == 1:
        return float(scratch[count // 2])
    return 0.5 * float(scratch[count // 2 - 1] + scratch[count // 2])


@kernel
def pendulum_step(height_m: float, leg_m: float) -> float:
    """Return the step length 2 * sqrt(2 l h - h^2) of an inverted pendulum of length l whose top rises by h."""
    return 2.0 * math.sqrt(max(2.0 * leg_m * height_m - height_m * height_m, 0.0))
