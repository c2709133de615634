"""Activity counts of a wrist, second by second: how much it moved, in the unit that studies of arm use are told in.

The steps are those of Neishabouri et al. 2022 (doi 10.1038/s41598-022-16003-x): acceleration in g at 30 Hz, a band-pass
filter of .29 to 1.63 Hz, its output scaled, cut off above and set to none below a dead band, a whole number, brought to
10 Hz by means of three, a whole number again, and summed over the second. How a sensor's rate is brought to 30 Hz is
our own: the mean of what was measured in each thirtieth of a second, so counts at other rates are close to those of an
ActiGraph and not the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.units import STANDARD_GRAVITY

Floats = NDArray[np.float64]

ALGORITHM: Final = "activity_counts/1"
STEPS: Final = 30
"""Values a second that the filter is made for."""
INPUT: Final = (
    -0.009341062898525, -0.025470289659360, -0.004235264826105, 0.044152415456420,
    0.036493718347760, -0.011893961934740, -0.022917390623150, -0.006788163862310,
)  # fmt: skip
OUTPUT: Final = (
    -3.63367395910957, 5.03689812757486, -3.09612247819666, 0.50620507633883,
    0.32421701566682, -0.15685485875559, 0.01949130205890,
)  # fmt: skip
"""The filter's coefficients: of its inputs, and of its earlier outputs (that of the present one is 1)."""
SCALE: Final = 17.127404
"""Counts a g of the filter's output."""
MOST: Final = 128.0
DEAD_BAND: Final = 4.0
"""Counts: no more is counted, and no less."""
THIRDS: Final = 3
"""Values of 30 Hz to one of 10 Hz."""
LOST_SHARE: Final = 0.2
"""With more of its samples lost a second has no count."""
SETTLED_S: Final = 3
"""After a start the filter rings for so long: these seconds have no count."""
LOST: Final = "samples lost"
STARTING: Final = "the filter begins anew"
KEPT_BEFORE: Final = 1
"""Samples before a second, from which a line is drawn into it."""
LEAST_RATE_HZ: Final = 20.0


class SecondCounts(NamedTuple):
    """Counts of one second.

    Attributes:
        second: Its number: from ``second`` to ``second + 1`` seconds on the sensor's own clock.
        counts: Vector magnitude of the three axes' counts; NaN where there are none.
        reason: Why not; empty if there are.
    """

    second: int
    counts: float
    reason: str = ""


class ActivityCounts:
    """Counts of one wrist, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 20.

    Raises:
        ValueError: the rate is too low.
    """

    def __init__(self, rate_hz: float) -> None:
        if not LEAST_RATE_HZ <= rate_hz < math.inf:
            raise ValueError(f"activity counts need {LEAST_RATE_HZ:.0f} samples a second, not {rate_hz:g}")
        self._rate_hz = rate_hz
        self._filter = BlockFilter()
        self._since = 0
        """Seconds that the filter has run."""
        self._second: int | None = None
        self._index = np.zeros(0, np.int64)
        self._acc = np.zeros((0, 3))

    def process(self, index: ArrayLike, acc: ArrayLike) -> Iterator[SecondCounts]:
        """Yield each second that samples complete; those that a gap leaves without any are passed over.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s².
        """
        new = np.asarray(index, np.int64)
        self._index = np.concatenate([self._index, new])
        self._acc = np.concatenate([self._acc, np.asarray(acc, float).reshape(len(new), 3)])
        if self._second is None and len(self._index):
            self._second = math.ceil(int(self._index[0]) / self._rate_hz)
        while self._second is not None and self._index[-1] >= (self._second + 1) * self._rate_hz:
            yield self._count(self._second)
            next_sample = np.searchsorted(self._index, (self._second + 1) * self._rate_hz)
            due, self._second = self._second + 1, int(self._index[next_sample] / self._rate_hz)
            self._since = self._since if self._second == due else 0
        if self._second is not None:
            kept = max(0, int(np.searchsorted(self._index, self._second * self._rate_hz)) - KEPT_BEFORE)
            self._index, self._acc = self._index[kept:], self._acc[kept:]

    def _count(self, second: int) -> SecondCounts:
        begin, end = second * self._rate_hz, (second + 1) * self._rate_hz
        first, last = np.searchsorted(self._index, [begin, end])
        part = slice(max(0, int(first) - KEPT_BEFORE), int(last) + 1)
        known = np.isfinite(self._acc[part]).all(axis=1)
        index, acc = self._index[part][known], self._acc[part][known]
        inside = int(np.searchsorted(index, end) - np.searchsorted(index, begin))
        if inside < (1 - LOST_SHARE) * self._rate_hz - 1:
            self._since = 0
            return SecondCounts(second, math.nan, LOST)
        in_g = _thirtieths(index, acc, begin, end) / STANDARD_GRAVITY
        if self._since == 0:
            self._filter.rest(in_g[0])
        filtered = self._filter.run(in_g)
        self._since += 1
        if self._since <= SETTLED_S:
            return SecondCounts(second, math.nan, STARTING)
        return SecondCounts(second, _vector_magnitude(filtered))


class BlockFilter:
    """The band-pass filter, a second of three axes at a time: exact, with matrices instead of a loop."""

    def __init__(self) -> None:
        order = len(OUTPUT)
        # A state of `order` delayed sums (direct form II transposed): out = state[0] + b0 * in.
        shift = np.eye(order, k=1)
        shift[:, 0] -= OUTPUT
        feed = np.array(INPUT[1:]) - np.array(OUTPUT) * INPUT[0]
        self._shift, self._feed = shift, feed
        powers = [np.eye(order)]
        for _ in range(STEPS):
            powers.append(shift @ powers[-1])
        self._of_state = np.array([power[0] for power in powers[:STEPS]])
        reply = np.concatenate([[INPUT[0]], [power[0] @ feed for power in powers[: STEPS - 1]]])
        self._of_input = np.array([[reply[i - j] if i >= j else 0.0 for j in range(STEPS)] for i in range(STEPS)])
        self._kept = powers[STEPS]
        self._fed = np.array([powers[STEPS - 1 - j] @ feed for j in range(STEPS)]).T
        self._state = np.zeros((order, 3))

    def rest(self, level: Floats) -> None:
        """Begin as if the axes (3,) had been at this level for ever."""
        order = len(OUTPUT)
        self._state = np.outer(np.linalg.solve(np.eye(order) - self._shift, self._feed), level)

    def run(self, values: Floats) -> Floats:
        """Return what comes out for (30, 3) values."""
        out: Floats = self._of_state @ self._state + self._of_input @ values
        self._state = self._kept @ self._state + self._fed @ values
        return out


def _thirtieths(index: NDArray[np.int64], acc: Floats, begin: float, end: float) -> Floats:
    """Return (30, 3) means of the acceleration between its samples, straight lines from each to the next."""
    edges = np.linspace(begin, end, STEPS + 1)
    at = np.union1d(edges, index[(index > begin) & (index < end)].astype(float))
    nodes = np.column_stack([np.interp(at, index, axis) for axis in acc.T])
    areas = np.diff(at)[:, None] * (nodes[1:] + nodes[:-1]) / 2
    whole = np.concatenate([np.zeros((1, 3)), np.cumsum(areas, axis=0)])
    means: Floats = np.diff(whole[np.searchsorted(at, edges)], axis=0) / (edges[1] - edges[0])
    return means


def _vector_magnitude(filtered: Floats) -> float:
    scaled = np.minimum(np.abs(SCALE * filtered), MOST)
    counted = np.floor(np.where(scaled < DEAD_BAND, 0.0, scaled))
    tenths = np.floor(counted.reshape(-1, THIRDS, 3).mean(axis=1) + 1e-9)
    return float(np.sqrt((tenths.sum(axis=0) ** 2).sum()))
