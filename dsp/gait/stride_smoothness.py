"""How smoothly a leg moves in each stride, from the sensor that tells its strides: a foot's, or a shank's.

The stride is cut where the walk says, from initial contact to initial contact, so a value is comparable with others of
strides and of the same placement alone. Spectral arc length (SPARC) is taken of the size of the angular velocity and
log dimensionless jerk of the acceleration, neither of which has to be integrated (Melendez-Calderon et al. 2021, doi
10.3389/fbioe.2020.558771). The trunk's SPARC over a walk tells people with Parkinson's disease from others (Beck et al.
2018, doi 10.1186/s12984-018-0398-3); of a leg's, stride by stride, the project knows its simulated patients alone. The
jerk of a shank does not put them in order, and is not told.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from dsp.found import Found
from dsp.kernel import kernel
from dsp.record import Floats, Ints
from dsp.result import Quality
from dsp.smoothness import HIGHEST_HZ, LEAST_SHARE, arc_length, log_jerk

ALGORITHM: Final = "stride-smoothness/1"
LEAST_RATE_HZ: Final = 2 * HIGHEST_HZ
"""Fewer samples a second do not show the band that SPARC looks at."""
KEPT_S: Final = 16.0
"""A stride lasts eight seconds at most, and is known some seconds after it has ended."""
LONGEST_LOSS_S: Final = 0.05
"""Samples lost for longer are a piece of the movement; those of a moment are replaced by straight lines."""
LOST: Final = "samples lost"
NONE_YET: Final = -(1 << 62)
"""In place of the number of the newest sample."""
FIELDS: Final = 5
"""Of what comes out for a stride: spectral arc length, log dimensionless jerk, how many samples went in, how many were
replaced, and whether so few were lost that it has a value."""


class StrideSmoothness:
    """The smoothness of the strides of one leg; the same in any chunking of its samples.

    Args:
        rate_hz: Samples a second, at least `LEAST_RATE_HZ`.
        of: Where the sensor is.

    Raises:
        ValueError: the rate is too low.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float, of: Literal["foot", "shank"] = "foot") -> None:
        if not LEAST_RATE_HZ <= rate_hz < math.inf:
            raise ValueError(f"the smoothness of strides needs {LEAST_RATE_HZ:g} samples a second, not {rate_hz:g}")
        self._rate_hz = float(rate_hz)
        self._metrics = ("stride_sparc", "stride_ldlj") if of == "foot" else ("stride_sparc",)
        self._ring = np.full((1 << math.ceil(KEPT_S * rate_hz).bit_length(), 6), math.nan)
        self._newest = NONE_YET
        self._strides: deque[tuple[float, float, Quality, str]] = deque()

    def stride(self, first: float, last: float, quality: Quality = "ok", reason: str = "") -> None:
        """Take that a stride lasted from one number of a sample to another, in parts of one; and how sure that is."""
        self._strides.append((first, last, quality, reason))

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the smoothness of the strides that were told and of which all samples have come.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s²; a row with NaN is lost, as of ``gyr``.
            gyr: (n, 3) angular rate, rad/s.
        """
        new = np.ascontiguousarray(index, np.int64)
        forces, rates = (np.ascontiguousarray(each, np.float64).reshape(len(new), 3) for each in (acc, gyr))
        strides, out = self._waiting()
        self._newest, n = follow(self._ring, self._newest, new, forces, rates, strides, self._rate_hz, out)
        yield from self._found(out[:n].tolist())

    def finish(self) -> Iterator[Found]:
        """Yield what is left: strides at whose end samples are missing have no value."""
        strides, out = self._waiting()
        for stride, found in zip(strides, out, strict=True):
            measure(self._ring, self._newest, stride, self._rate_hz, found)
        yield from self._found(out.tolist())

    def _waiting(self) -> tuple[Floats, Floats]:
        """Return (k, 2) where the strides that wait begin and end, and room for what comes of them."""
        strides = np.array([stride[:2] for stride in self._strides], np.float64).reshape(-1, 2)
        return strides, np.empty((len(strides), FIELDS))

    def _found(self, measured: Sequence[Sequence[float]]) -> Iterator[Found]:
        for sparc, ldlj, n, replaced, whole in measured:
            first, last, quality, reason = self._strides.popleft()
            for metric, value in zip(self._metrics, (sparc, ldlj), strict=False):
                if not whole:
                    yield Found(metric, None, first, last, int(n), quality="invalid", reason=LOST)
                elif math.isfinite(value):
                    yield Found(metric, value, first, last, int(n), int(replaced), quality, reason)


@kernel
def follow(  # noqa: PLR0917 - numba takes positional arguments
    ring: Floats, newest: int, index: Ints, acc: Floats, gyr: Floats, strides: Floats, rate_hz: float, out: Floats
) -> tuple[int, int]:  # fmt: skip
    """Keep samples, and measure the strides that end with one of them; return the newest's number, and how many.

    Args:
        ring: (2^k, 6) force and rate of sample ``i`` in row ``i & (2^k - 1)``; of one that is lost, the first is NaN.
        newest: Number of the newest sample.
        index: (n,) as of `StrideSmoothness.process`.
        acc: (n, 3) likewise.
        gyr: (n, 3) likewise.
        strides: (m, 2) where strides begin and end, in the order in which they are measured.
        rate_hz: Samples a second.
        out: (m, `FIELDS`) what comes of them.
    """
    room, measured = len(ring), 0
    for i in range(len(index)):
        for lost in range(max(newest + 1, index[i] - room + 1), index[i]):
            ring[lost & (room - 1), 0] = math.nan
        newest = index[i]
        row = newest & (room - 1)
        whole = True
        for axis in range(3):
            ring[row, axis], ring[row, 3 + axis] = acc[i, axis], gyr[i, axis]
            whole = whole and math.isfinite(acc[i, axis]) and math.isfinite(gyr[i, axis])
        if not whole:
            ring[row, 0] = math.nan
        while measured < len(strides) and strides[measured, 1] <= newest:
            measure(ring, newest, strides[measured], rate_hz, out[measured])
            measured += 1
    return newest, measured


@kernel
def measure(ring: Floats, newest: int, stride: Floats, rate_hz: float, out: Floats) -> None:
    """Measure one stride of what is kept: a row of `follow`, and of what comes out of it."""
    for field in range(FIELDS):
        out[field] = 0.0
    if not 0.0 <= stride[1] - stride[0] < len(ring):
        return
    first, last = math.ceil(stride[0]), math.floor(stride[1])
    end = last + 1 if last < stride[1] else last  # one sample beyond the stride tells what is lost at its edge
    known, longest, before = 0, 0, first - 1
    for at in range(first - 1, end + 1):
        if is_known(ring, newest, at):
            longest = max(longest, at - before - 1)
            before = at
            known += 1
            if first <= at <= last:
                out[2] += 1.0
    longest = max(longest, last - before)
    if known < 3 or longest > max(1.0, LONGEST_LOSS_S * rate_hz):
        out[2] = known
        return
    acc, speed, sample = np.empty((last + 1 - first, 3)), np.empty(last + 1 - first), np.empty(6)
    for at in range(first, last + 1):
        bridge(ring, newest, first - 1, at, end, sample)
        for axis in range(3):
            acc[at - first, axis] = sample[axis]
        speed[at - first] = math.sqrt(sample[3] ** 2 + sample[4] ** 2 + sample[5] ** 2)
    out[0] = arc_length(speed, rate_hz, HIGHEST_HZ, LEAST_SHARE)
    out[1] = log_jerk(acc)
    out[3] = len(speed) - out[2]
    out[4] = 1.0


@kernel
def is_known(ring: Floats, newest: int, at: int) -> bool:
    """Whether the sample of a number came, and is still kept."""
    return newest - len(ring) < at <= newest and not math.isnan(ring[at & (len(ring) - 1), 0])


@kernel
def bridge(  # noqa: PLR0917 - numba takes positional arguments
    ring: Floats, newest: int, begin: int, at: int, end: int, sample: Floats
) -> None:  # fmt: skip
    """Write the sample of a number to (6,): on a straight line between its neighbours from begin to end, where lost.

    Beside the outermost one that is known it is as that one; there must be one.
    """
    before = after = at
    while before >= begin and not is_known(ring, newest, before):
        before -= 1
    while after <= end and not is_known(ring, newest, after):
        after += 1
    if before < begin:
        before = after
    if after > end:
        after = before
    share = (at - before) / max(1, after - before)
    for axis in range(6):
        value = ring[before & (len(ring) - 1), axis]
        sample[axis] = value + share * (ring[after & (len(ring) - 1), axis] - value)
