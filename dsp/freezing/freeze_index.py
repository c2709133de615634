"""The freeze index of a leg: power of its acceleration where a frozen leg trembles, by that where a leg walks.

Moore, MacDougall and Ondo 2008 (doi 10.1016/j.jneumeth.2007.08.023) put the border at 3 Hz. This variant takes all
three axes together, so it does not matter how the sensor is strapped on, and estimates the spectrum with several
tapers (sine tapers, Riedel and Sidorenko 1995, doi 10.1109/78.365298), which do not scatter as one does. Variants are
not interchangeable: a name says which, and this one is ``freeze_index_multitaper``, the natural logarithm of the ratio.

It says nothing of somebody who stands or sits: noise is nearly all above 3 Hz. Mean area under the ROC curve against
episodes rated from video, nothing tuned to either: .921 on three recordings of Daphnet (worst .914), .696 on nine of
another set, where single recordings go from .34 to 1.00; one axis and a window of 3 to 6 s give .79 to .83 and .66 to
.69 there.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dsp.tapers import Floats, power_spectrum, sine_tapers
from dsp.windows import SlidingWindows

WALKING_HZ: Final = (0.5, 3.0)
TREMBLING_HZ: Final = (3.0, 8.0)
WINDOW_S: Final = 4.0
"""Long enough for two steps of a slow walker, short enough for a freeze of a few seconds: it lags by half of it."""
EVERY_S: Final = 0.5
TAPERS: Final = 5
AT_ONCE: Final = 32
"""Windows: their spectra take 50 kB each."""


class FreezeValue(NamedTuple):
    """The index of one window.

    Attributes:
        last: Number of the window's last sample, on the sensor's own grid.
        value: ln of trembling by walking power; above 0 a leg trembles more than it walks. NaN where it hardly moves.
        power: Mean square of the movement from .5 to 8 Hz, (m/s²)².
    """

    last: int
    value: float
    power: float


class FreezeWindows(ABC):
    """Windows of one sensor of which each has an index, in one of its variants; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 20.
        length: Samples of a window.
        every_s: From window to window, seconds.

    Attributes:
        rate_hz: Samples a second.

    Raises:
        ValueError: the rate is too low for 8 Hz.
    """

    def __init__(self, rate_hz: float, length: int, every_s: float) -> None:
        if rate_hz < 2.5 * TREMBLING_HZ[1]:
            raise ValueError(f"a freeze index needs {2.5 * TREMBLING_HZ[1]:.0f} samples a second, not {rate_hz:g}")
        self.rate_hz = rate_hz
        self._windows = SlidingWindows(length, max(1, round(every_s * rate_hz)), 3)
        self._fed_to = -1
        self._found: deque[FreezeValue] = deque()

    @staticmethod
    def feed(fed: Sequence[tuple[FreezeWindows, ArrayLike, ArrayLike]]) -> None:
        """Take samples of sensors, all of one variant, as `process` does, which then yields what these complete.

        What windows of sensors of one rate have, is worked out at once: of each what it would be alone, bit for bit.
        """
        whole: dict[float, list[tuple[FreezeWindows, int, Floats]]] = {}
        for one, index, acc in fed:
            whole.setdefault(one.rate_hz, []).extend((one, *each) for each in one.complete(index, acc))
        for alike in whole.values():
            for first in range(0, len(alike), AT_ONCE):
                some = alike[first : first + AT_ONCE]
                values = some[0][0].values(np.array([acc for _, _, acc in some]))
                for (one, last, _), found in zip(some, values, strict=True):
                    if found is not None:
                        one.add(FreezeValue(last, *found))

    def complete(self, index: ArrayLike, acc: ArrayLike) -> Iterator[tuple[int, Floats]]:
        """Yield the number of the last sample, and the force (3, length), of each window that samples complete."""
        at = np.asarray(index, np.int64)
        self._fed_to = int(at[-1]) if len(at) else self._fed_to
        for window in self._windows.process(at, acc):
            acc_here = window.filled(0, 3)
            if acc_here is not None:
                yield window.last, acc_here

    def add(self, value: FreezeValue) -> None:
        """Keep a value for `process` to yield."""
        self._found.append(value)

    def process(self, index: ArrayLike, acc: ArrayLike) -> Iterator[FreezeValue]:
        """Yield the index of each window that samples complete; they may have been fed before.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s², in any frame that is fixed to the leg.
        """
        at = np.asarray(index, np.int64)
        if not len(at):
            return
        if at[-1] > self._fed_to:
            self.feed([(self, at, acc)])
        while self._found and self._found[0].last <= at[-1]:
            yield self._found.popleft()

    @abstractmethod
    def values(self, acc: Floats) -> Sequence[tuple[float, float] | None]:
        """Return value and power of windows (k, 3, length); None where one has no index."""


class FreezeIndex(FreezeWindows):
    """The freeze index of one sensor on a shank or foot, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 20.
        every_s: From window to window, seconds.
        still: Below so much movement, (m/s²)², a window has no index, and costs no spectrum.

    Raises:
        ValueError: the rate is too low for 8 Hz.
    """

    def __init__(self, rate_hz: float, *, every_s: float = EVERY_S, still: float = 0.0) -> None:
        length = round(WINDOW_S * rate_hz)
        super().__init__(rate_hz, length, every_s)
        self._still = still
        self._tapers = sine_tapers(length, TAPERS)
        hz = np.fft.rfftfreq(length, 1 / rate_hz)
        slow, fast = (int(first) for first in np.searchsorted(hz, (WALKING_HZ[0], TREMBLING_HZ[0])))
        self._count = int(np.searchsorted(hz, TREMBLING_HZ[1], side="right"))
        self._walking, self._trembling = slice(slow, fast), slice(fast, self._count)

    def values(self, acc: Floats) -> Sequence[tuple[float, float] | None]:
        """Return value and power of windows."""
        moved = acc - acc.mean(axis=2, keepdims=True)
        spread = np.einsum("kij,kij->k", moved, moved) / acc.shape[2]
        found: list[tuple[float, float] | None] = [(math.nan, power) for power in spread.tolist()]
        moving = np.flatnonzero(spread >= self._still)
        power = power_spectrum(moved[moving], self._tapers, count=self._count)
        walking, trembling = power[:, self._walking].sum(axis=1), power[:, self._trembling].sum(axis=1)
        for at, slow, fast in zip(moving.tolist(), walking.tolist(), trembling.tolist(), strict=True):
            found[at] = (math.log(fast / slow), slow + fast) if slow > 0 and fast > 0 else None
        return found
