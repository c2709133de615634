"""Whether somebody walks, and whether on stairs: how a sensor moves to and fro over the last seconds."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from dsp.kernel import kernel
from dsp.posture.blocks import BLOCK_HZ, TURN_BLOCKS
from dsp.record import Floats

LEAST_LAG: Final = 6
"""Blocks: .3 s, the quickest step."""
RHYTHMIC: Final = 0.3
"""Walks of 2 s have .3 to .9 (the first steps the least), standing up .0 to .4."""
PAUSED: Final = 0.5
"""Of the least spread of walking: half a second with less holds no step."""
SPANS: Final = (2 * BLOCK_HZ, 4 * BLOCK_HZ)
"""Blocks: two seconds show a walk at once, four also the slow one of a patient."""
LONGEST_LAG: Final = 0.75
"""Of a span: beyond it too little is left to compare."""
LEAST_KNOWN: Final = 0.8
"""Of a span: with less of it known no rhythm is."""
NOTHING: Final = 1e-9
"""m/s², or its square: less is no force, and no movement."""
RISE: Final = 0.1
"""A slow sway is like itself a moment later: what counts is a rise again, by so much, after a fall."""
STAIRS_LIFT: Final = 2.3
"""m/s², spread of the vertical force: .9 to 2.0 in level walking, 1.9 to 6 on stairs. It finds a third of the time on
stairs, and calls a fiftieth of level walking so."""
STAIRS_SHARE: Final = 1.2
"""Vertical by horizontal spread: .7 to 1.1 in level walking, and more where each step goes up or down."""


class Stir(NamedTuple):
    """How much a sensor moves.

    Attributes:
        last_s: Spread of the force over the last second, m/s², all axes together.
        least: The least spread of four half seconds.
        rhythm: How alike successive steps or strides are, 0 to 1.
    """

    last_s: float
    least: float
    rhythm: float

    def begins(self, least: float) -> bool:
        """Whether this is walking: no less spread over a second than ``least`` m/s², no pause, and a rhythm."""
        return self.last_s >= least and self.least >= PAUSED * least and self.rhythm >= RHYTHMIC


@kernel
def stirs(acc: Floats, paused: Floats, out: Floats) -> None:
    """Work out how much sensors moved over the last seconds: (k, 3) the fields of `Stir`.

    Args:
        acc: (k, n, 3) mean specific force of the newest blocks of each, m/s²; n at least four seconds.
        paused: (k,) m/s²: after a second with less nobody looks for a rhythm, nor at its halves: both are then 0.
        out: (k, 3) of each.
    """
    n = acc.shape[1]
    for k in range(len(acc)):
        out[k, 0], out[k, 1], out[k, 2] = spread(acc[k], n - BLOCK_HZ, n), 0.0, 0.0
        if out[k, 0] >= paused[k]:
            out[k, 1] = math.inf
            for first in range(n - SPANS[0], n, TURN_BLOCKS):
                out[k, 1] = min(out[k, 1], spread(acc[k], first, first + TURN_BLOCKS))
            out[k, 2] = rhythm(acc[k], n - SPANS[0])
            if out[k, 2] < RHYTHMIC:
                out[k, 2] = max(out[k, 2], rhythm(acc[k], n - SPANS[1]))


def mean_of(acc: Floats) -> Floats:
    """Return the mean force (3,) of what is known of one (n, 3); NaN where nothing is."""
    middle = np.empty(3)
    mean(acc, 0, len(acc), middle)
    return middle


@kernel
def mean(acc: Floats, first: int, end: int, out: Floats) -> int:
    """Write the mean force of what is known of rows of (n, 3) to (3,): NaN where nothing is; return how many are."""
    known = 0
    for axis in range(3):
        out[axis] = 0.0
    for i in range(first, end):
        if math.isfinite(acc[i, 0]):
            known += 1
            for axis in range(3):
                out[axis] += acc[i, axis]
    for axis in range(3):
        out[axis] = out[axis] / known if known else math.nan
    return known


@kernel
def spread(acc: Floats, first: int, end: int) -> float:
    """Return the spread of rows of a force (n, 3) about their mean, m/s²; 0 where less than half of them is known."""
    middle = np.empty(3)
    known = mean(acc, first, end, middle)
    if not known or 2 * known < end - first:
        return 0.0
    square = 0.0
    for i in range(first, end):
        if math.isfinite(acc[i, 0]):
            for axis in range(3):
                square += (acc[i, axis] - middle[axis]) ** 2
    return math.sqrt(square / known)


@kernel
def rhythm(acc: Floats, first: int) -> float:
    """Return how like itself a force (n, 3) is a step or a stride later, from a row on: a correlation; 0 if unknown."""
    n = len(acc) - first
    middle, moved, energy = np.empty(3), np.zeros((n, 3)), np.zeros(n + 1)
    if mean(acc, first, len(acc), middle) < LEAST_KNOWN * n:
        return 0.0
    for i in range(n):
        if math.isfinite(acc[first + i, 0]):
            for axis in range(3):
                moved[i, axis] = acc[first + i, axis] - middle[axis]
        energy[i + 1] = energy[i] + moved[i, 0] ** 2 + moved[i, 1] ** 2 + moved[i, 2] ** 2
    found, lowest = 0.0, math.inf
    for lag in range(LEAST_LAG, int(LONGEST_LAG * n)):
        product = 0.0
        for i in range(n - lag):
            for axis in range(3):
                product += moved[i, axis] * moved[i + lag, axis]
        scale = math.sqrt(energy[n - lag] * (energy[n] - energy[lag]))
        alike = product / scale if scale > NOTHING else 0.0
        lowest = min(lowest, alike)
        if alike - lowest > RISE:
            found = max(found, alike)
    return found


@kernel
def climbing(acc: Floats) -> bool:
    """Whether the steps of somebody who walks go up or down, from the trunk (n, 3); False where that is unknown."""
    middle = np.empty(3)
    known = mean(acc, 0, len(acc), middle)
    if not known or 2 * known < len(acc):
        return False
    size = max(NOTHING, math.sqrt(middle[0] ** 2 + middle[1] ** 2 + middle[2] ** 2))
    square, total = 0.0, 0.0
    for i in range(len(acc)):
        if math.isfinite(acc[i, 0]):
            lift = 0.0
            for axis in range(3):
                moved = acc[i, axis] - middle[axis]
                lift += moved * middle[axis] / size
                total += moved**2
            square += lift**2  # its mean is zero, as that of what moved
    square /= known
    sideways = max(0.0, total / known - square)
    return square > STAIRS_LIFT**2 and square > STAIRS_SHARE**2 * sideways
