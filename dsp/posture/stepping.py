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


def stirs(acc: Floats, paused: Floats) -> list[Stir]:
    """Return how much sensors moved over the last seconds: of each what it would be alone, bit for bit.

    Args:
        acc: (k, n, 3) mean specific force of the newest blocks of each, m/s²; n at least four seconds.
        paused: (k,) m/s²: after a second with less nobody looks for a rhythm, nor at its halves: both are then 0.
    """
    last_s = spreads(acc[:, -BLOCK_HZ:])
    least, alike = np.zeros(len(acc)), np.zeros(len(acc))
    moving = np.flatnonzero(last_s >= paused)
    if len(moving):
        lately = acc[moving, -SPANS[0] :]
        least[moving] = spreads(lately.reshape(-1, TURN_BLOCKS, 3)).reshape(len(moving), -1).min(axis=1)
        alike[moving] = rhythms(lately)
        slow = moving[alike[moving] < RHYTHMIC]
        if len(slow):
            alike[slow] = np.maximum(alike[slow], rhythms(acc[slow, -SPANS[1] :]))
    return list(map(Stir, last_s.tolist(), least.tolist(), alike.tolist()))


def spread(acc: Floats) -> float:
    """Return the spread of a force (n, 3) about its mean, m/s²; 0 where less than half of it is known."""
    return float(spreads(acc[None])[0])


def spreads(acc: Floats) -> Floats:
    """Return the spread of each force of several (k, n, 3), m/s²; 0 where less than half of one is known."""
    moved = acc - acc.sum(axis=1, keepdims=True) / acc.shape[1]
    result: Floats = np.sqrt(np.einsum("ijk,ijk->i", moved, moved) / acc.shape[1])
    if math.isfinite(result @ result):  # all is known, as nearly always
        return result
    lossy = ~np.isfinite(result)
    parts = acc[lossy]
    known = np.isfinite(parts[:, :, 0])
    n = known.sum(axis=1)
    parts = np.where(known[:, :, None], parts, 0.0)
    mean = parts.sum(axis=1) / np.maximum(n, 1)[:, None]
    moved = (parts - mean[:, None]) * known[:, :, None]
    square = np.einsum("ijk,ijk->i", moved, moved) / np.maximum(n, 1)
    result[lossy] = np.sqrt(np.where(2 * n >= acc.shape[1], square, 0.0))
    return result


def mean_of(acc: Floats) -> Floats:
    """Return the mean force (3,) of what is known of one (n, 3); NaN where nothing is."""
    mean: Floats = means(acc[None])[0]
    return mean


def means(acc: Floats) -> Floats:
    """Return the mean (k, 3) of what is known of each force of several (k, n, 3); NaN where nothing is."""
    mean: Floats = acc.sum(axis=1) / acc.shape[1]
    for lossy in np.flatnonzero(~np.isfinite(mean[:, 0])).tolist():
        known = acc[lossy, np.isfinite(acc[lossy, :, 0])]
        if len(known):
            mean[lossy] = known.sum(axis=0) / len(known)
    return mean


def rhythms(acc: Floats) -> Floats:
    """Return the greatest correlation of each movement (k, n, 3) with itself a step or a stride later; 0 if unknown."""
    n = acc.shape[1]
    moved = acc - means(acc)[:, None]
    unknown = ~np.isfinite(moved[:, :, 0])
    moved[unknown] = 0.0
    energy = np.einsum("ijk,ijk->ij", moved, moved).cumsum(axis=1)
    end = int(LONGEST_LAG * n)
    spectra = np.fft.rfft(moved, n + end, axis=1)
    power = (spectra.real**2 + spectra.imag**2).sum(axis=2)
    product = np.fft.irfft(power, n + end)[:, LEAST_LAG:end]
    early, late = energy[:, n - end : n - LEAST_LAG][:, ::-1], energy[:, -1:] - energy[:, LEAST_LAG - 1 : end - 1]
    scale = np.sqrt(early * late)
    alike = np.divide(product, scale, out=np.zeros(scale.shape), where=scale > 1e-9)
    # A slow sway is like itself a moment later: what counts is a rise again after a fall.
    lowest = np.minimum.accumulate(alike, axis=1)
    found: Floats = (alike * (alike - lowest > 0.1)).max(axis=1, initial=0.0)
    found[n - unknown.sum(axis=1) < 0.8 * n] = 0.0
    return found


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
