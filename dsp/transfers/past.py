"""The last seconds of motion, and where a quantity crosses a limit in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from dsp.transfers.bins import BINS_HZ
from dsp.transfers.motion import Motion

KEPT_S: Final = 15.0
"""Longer than any rise, sitting down or turn is looked back upon."""


class Past:
    """Motion of the last 15 s, by the numbers of its bins."""

    def __init__(self) -> None:
        self._rows: list[Motion] = []
        self.begun = 0
        """Where the stream begins, or begins again after a long gap."""
        self._most = round(KEPT_S * BINS_HZ)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, row: Motion) -> None:
        """Take the newest motion; after a gap, all before it is forgotten."""
        if self._rows and row.number != self._rows[-1].number + 1:
            self._rows.clear()
        if not self._rows:
            self.begun = row.number
        self._rows.append(row)
        if len(self._rows) > 2 * self._most:
            del self._rows[: -self._most]

    @property
    def first(self) -> int:
        """The number of the oldest bin."""
        return max(self._rows[0].number, self._rows[-1].number - self._most)

    @property
    def last(self) -> int:
        """The number of the newest bin."""
        return self._rows[-1].number

    def __getitem__(self, number: int) -> Motion:
        return self._rows[number - self._rows[0].number]

    def between(self, first: int, last: int) -> list[Motion]:
        """Return the motion from one bin to another, both included, as far as it is kept."""
        begin = max(first, self.first) - self._rows[0].number
        return self._rows[begin : max(begin, last + 1 - self._rows[0].number)]

    def filled_share(self, first: float, last: float) -> float:
        """Return the share of bins without a sample from one place to another."""
        rows = self.between(math.floor(first), math.ceil(last))
        return sum(row.filled for row in rows) / len(rows) if rows else 0.0


def hann(seconds: float) -> list[float]:
    """Return the weights of a mean that sees ``seconds``: an odd number, 1 together."""
    half = round(seconds * BINS_HZ) // 2
    weights = [0.5 + 0.5 * math.cos(math.pi * k / (half + 1)) for k in range(-half, half + 1)]
    return [weight / sum(weights) for weight in weights]


def smoothed(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return a weighted mean about each value; beyond both ends the last value goes on."""
    half = len(weights) // 2
    padded = [values[0]] * half + list(values) + [values[-1]] * half
    return [sum(weight * value for weight, value in zip(weights, padded[k:], strict=False)) for k in range(len(values))]


def crossed_before(values: Sequence[float], at: int, limit: float) -> float:
    """Return the place before ``at`` where values came up to a limit; the first where they never were below it."""
    k = at
    while k > 0 and values[k - 1] >= limit:
        k -= 1
    if k == 0 or values[k] < limit:
        return float(k)
    return k - (values[k] - limit) / (values[k] - values[k - 1])


def crossed_after(values: Sequence[float], limit: float) -> float:
    """Return the place from which on values stay below a limit up to the last; the last where they do not."""
    k = len(values)
    while k > 0 and values[k - 1] < limit:
        k -= 1
    if not 0 < k < len(values):
        return float(min(k, len(values) - 1))
    return k - (limit - values[k]) / (values[k - 1] - values[k])
