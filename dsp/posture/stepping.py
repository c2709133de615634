"""Whether somebody walks, and whether on stairs: how a sensor moves to and fro over the last seconds."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from dsp.posture.blocks import BLOCK_HZ, TURN_BLOCKS, Floats

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


def stir(acc: Floats, paused: float) -> Stir:
    """Return how much a sensor moved over the last seconds.

    Args:
        acc: (n, 3) mean specific force of the newest blocks, m/s²; n at least four seconds.
        paused: m/s²: after a second with less nobody looks for a rhythm, nor at its halves: both are then 0.
    """
    last_s = spread(acc[-BLOCK_HZ:])
    if last_s < paused:
        return Stir(last_s, 0.0, 0.0)
    least = float(spreads(acc[-SPANS[0] :]).min())
    alike = rhythm(acc[-SPANS[0] :])
    if alike < RHYTHMIC:
        alike = max(alike, rhythm(acc[-SPANS[1] :]))
    return Stir(last_s, least, alike)


def spread(acc: Floats) -> float:
    """Return the spread of a force (n, 3) about its mean, m/s²; 0 where less than half of it is known."""
    return float(spreads(acc, len(acc))[0])


def spreads(acc: Floats, each: int = TURN_BLOCKS) -> Floats:
    """Return the spread of each so many rows of a force (n, 3), the oldest first; 0 where less than half is known."""
    parts = acc.reshape(-1, each, 3)
    moved = parts - parts.sum(axis=1, keepdims=True) / each
    whole: Floats = np.sqrt(np.einsum("ijk,ijk->i", moved, moved) / each)
    if math.isfinite(whole @ whole):  # all is known, as nearly always
        return whole
    known = np.isfinite(parts[:, :, 0])
    n = known.sum(axis=1)
    parts = np.where(known[:, :, None], parts, 0.0)
    mean = parts.sum(axis=1) / np.maximum(n, 1)[:, None]
    moved = (parts - mean[:, None]) * known[:, :, None]
    square = np.einsum("ijk,ijk->i", moved, moved) / np.maximum(n, 1)
    result: Floats = np.sqrt(np.where(2 * n >= each, square, 0.0))
    return result


def mean_of(acc: Floats) -> Floats:
    """Return the mean force (3,) of what is known of one (n, 3); NaN where nothing is."""
    total = acc.sum(axis=0)
    if math.isfinite(total[0]):
        mean: Floats = total / len(acc)
        return mean
    known = acc[np.isfinite(acc[:, 0])]
    return known.sum(axis=0) / len(known) if len(known) else np.full(3, np.nan)


def rhythm(acc: Floats) -> float:
    """Return the greatest correlation of a movement (n, 3) with itself a step or a stride later; 0 where unknown."""
    n = len(acc)
    moved = acc - mean_of(acc)
    energy = np.einsum("ij,ij->i", moved, moved).cumsum()
    if not math.isfinite(energy[-1]):
        known = np.isfinite(acc[:, 0])
        if known.sum() < 0.8 * n:
            return 0.0
        moved = np.where(known[:, None], moved, 0.0)
        energy = np.einsum("ij,ij->i", moved, moved).cumsum()
    end = int(LONGEST_LAG * n)
    flat = moved.ravel()
    product = np.correlate(flat, flat, "full")[3 * n - 1 :: 3]  # three numbers later is a block later
    early, late = energy[n - end : n - LEAST_LAG][::-1], energy[-1] - energy[LEAST_LAG - 1 : end - 1]
    scale = np.sqrt(early * late)
    alike = np.divide(product[LEAST_LAG:end], scale, out=np.zeros(end - LEAST_LAG), where=scale > 1e-9)
    # A slow sway is like itself a moment later: what counts is a rise again after a fall.
    lowest = np.minimum.accumulate(alike)
    return float((alike * (alike - lowest > 0.1)).max(initial=0.0))


def climbing(acc: Floats) -> bool:
    """Whether the steps of somebody who walks go up or down, from the trunk (n, 3); False where that is unknown."""
    mean = mean_of(acc)
    moved = acc - mean
    if not math.isfinite(moved[:, 0].sum()):
        moved = moved[np.isfinite(acc[:, 0])]
        if 2 * len(moved) < len(acc):
            return False
    lift = moved @ (mean / math.sqrt(mean @ mean))
    square = float(lift @ lift) / len(moved)  # its mean is zero, as that of what moved
    sideways = max(0.0, float(np.einsum("ij,ij->", moved, moved)) / len(moved) - square)
    return square > STAIRS_LIFT**2 and square > STAIRS_SHARE**2 * sideways
