"""How one wrist swings, window by window, walking or not: who knows of that, chooses (`swing_of_person.py`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arms.swing import ALGORITHM, measure_swing
from dsp.found import Found

AMPLITUDE: Final = "arm_swing_amplitude"
PEAK_VELOCITY: Final = "arm_swing_peak_velocity"
WINDOW_S: Final = 5.0
"""Four strides or so: a patient's walk across a room holds one or two."""
LEAST_RATE_HZ: Final = 20.0
"""Quicker than that nothing in a swing is; with less its peak is missed."""
LEAST_KNOWN: Final = 0.8
"""Share of a window's samples: straight lines between the others change a swing by less than one step to the next."""

LOST: Final = "the wrist's rotation was not measured, or samples were lost"
HARDLY_SWINGS: Final = "the arm hardly swings: by less than 2 degrees"

Floats = NDArray[np.float64]


class SwingWindows:
    """The swing of one wrist; the same in any chunking.

    Args:
        rate_hz: Samples a second.

    Raises:
        ValueError: the rate is too low.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float) -> None:
        if not rate_hz >= LEAST_RATE_HZ:
            raise ValueError(f"the swing of an arm needs {LEAST_RATE_HZ:g} samples a second, not {rate_hz:g}")
        self._rate_hz = rate_hz
        self._length = round(WINDOW_S * rate_hz)
        self._gyr: Floats = np.full((self._length, 3), np.nan)
        self._window: int | None = None
        self._cut = True  # before the first sample there was nothing to lose

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the amplitude and the peak velocity of each window that samples complete.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: Not looked at.
            gyr: (n, 3) angular rate, rad/s; a row with NaN is lost.
        """
        del acc
        at = np.asarray(index, np.int64)
        turn = np.asarray(gyr, float).reshape(len(at), 3)
        windows = at // self._length
        edges = (windows[1:] != windows[:-1]).nonzero()[0] + 1
        for first, end in pairwise([0, *edges.tolist(), len(at)]):
            if first == end:
                continue
            if int(windows[first]) != self._window:
                yield from self._close()
                self._window = int(windows[first])
            self._gyr[at[first:end] - self._window * self._length] = turn[first:end]

    def finish(self) -> Iterator[Found]:
        """Yield what the open window shows, if there is enough of it: nothing more comes."""
        self._cut = True
        yield from self._close()

    def _close(self) -> Iterator[Found]:
        """Yield what the open window shows, and begin anew."""
        if self._window is None:
            return
        enough = int(np.isfinite(self._gyr).all(axis=1).sum()) >= LEAST_KNOWN * self._length
        if enough or not self._cut:
            yield from self._found(self._window, enough=enough)
        self._gyr[:] = np.nan
        self._window, self._cut = None, False

    def _found(self, window: int, *, enough: bool) -> Iterator[Found]:
        first, last = float(window * self._length), float((window + 1) * self._length)
        swing = measure_swing(self._gyr, self._rate_hz)
        reason = "" if enough else LOST
        if enough and math.isnan(swing.amplitude_deg):
            reason = HARDLY_SWINGS
        for metric, value in ((AMPLITUDE, swing.amplitude_deg), (PEAK_VELOCITY, swing.peak_velocity_dps)):
            if reason:
                yield Found(metric, None, first, last, 0, quality="invalid", reason=reason)
            else:
                yield Found(metric, value, first, last, swing.n)
