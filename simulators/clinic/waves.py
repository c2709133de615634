"""What sways, trembles and breathes: sums of sines, exact in their derivatives, known from a seed."""

from __future__ import annotations

import math

import numpy as np

from simulators.body.curve import State
from simulators.motion.source import Floats

SLOWEST_SWAY_HZ, FASTEST_SWAY_HZ = 0.05, 2.5
"""A third of a minute to the quickest corrections: standing people show hardly anything above."""
SWAY_CORNER_HZ = 0.3
"""Above it the power of the sway's displacement falls: half of it lies below 0.3 Hz (Prieto 1996)."""
SWAY_STEEPNESS = 2.6
"""Amplitude falls with this power of frequency above the corner."""
SWAY_SINES = 48

UNREST_HZ, UNREST_SINES = (0.2, 7.0), 14
"""Slow shifts and quick twitches; no frequency stands out."""

WANDER_HZ = (0.11, 0.37)
"""How slowly the frequency of a trembling limb comes and goes."""
WANDER_SHARE = 0.03
"""Of the frequency: tremor keeps its own within some per cent."""


def _sines(times: Floats, frequency_hz: Floats, amplitude: Floats, phase: Floats) -> State:
    w = 2 * np.pi * frequency_hz
    angle = times[:, None] * w + phase
    s, c = np.sin(angle), np.cos(angle)
    return State(s @ amplitude, c @ (w * amplitude), -(s @ (w * w * amplitude)))


class Sway:
    """Displacement of a body that stands still, in one direction, of standard deviation 1.

    Args:
        seed: Which body, which direction, which trial.
        corner_hz: Stiffer bodies sway faster.
    """

    def __init__(self, seed: tuple[int, ...], corner_hz: float = SWAY_CORNER_HZ) -> None:
        random = np.random.default_rng([*seed, 0x5A4])
        edges = np.geomspace(SLOWEST_SWAY_HZ, FASTEST_SWAY_HZ, SWAY_SINES + 1)
        self._frequency_hz = random.uniform(edges[:-1], edges[1:])
        shape = (1 + (self._frequency_hz / corner_hz) ** 2) ** (-SWAY_STEEPNESS / 2)
        amplitude = shape * np.sqrt(np.diff(edges)) * random.uniform(0.7, 1.3, SWAY_SINES)
        self._amplitude = amplitude / math.sqrt(float(np.sum(amplitude**2)) / 2)
        self._phase = random.uniform(0, 2 * np.pi, SWAY_SINES)

    def at(self, times: Floats) -> State:
        """Return the displacement at times (n,)."""
        return _sines(times, self._frequency_hz, self._amplitude, self._phase)


class Unrest:
    """What a limb that is alive does besides, of standard deviation 1: no limb that is not laid down is ever still.

    Args:
        seed: Which limb of which body.
    """

    def __init__(self, seed: tuple[int, ...]) -> None:
        random = np.random.default_rng([*seed, 0x0E57])
        edges = np.geomspace(*UNREST_HZ, UNREST_SINES + 1)
        self._frequency_hz = random.uniform(edges[:-1], edges[1:])
        amplitude = random.uniform(0.5, 1.5, UNREST_SINES) / self._frequency_hz
        self._amplitude = amplitude / math.sqrt(float(np.sum(amplitude**2)) / 2)
        self._phase = random.uniform(0, 2 * np.pi, UNREST_SINES)

    def at(self, times: Floats) -> State:
        """Return the movement at times (n,)."""
        return _sines(times, self._frequency_hz, self._amplitude, self._phase)


class Trembling:
    """An oscillation of amplitude 1 whose frequency wanders a little.

    Args:
        seed: Which limb of which body.
        frequency_hz: Mean frequency.
    """

    def __init__(self, seed: tuple[int, ...], frequency_hz: float) -> None:
        random = np.random.default_rng([*seed, 0x73E])
        self.frequency_hz = frequency_hz
        self._wander_hz = np.array(WANDER_HZ)
        self._depth = WANDER_SHARE * frequency_hz / self._wander_hz * np.array([0.7, 0.5])
        self._phase = random.uniform(0, 2 * np.pi, len(WANDER_HZ))
        self._start = float(random.uniform(0, 2 * np.pi))

    def at(self, times: Floats) -> State:
        """Return the oscillation at times (n,)."""
        wander = _sines(times, self._wander_hz, self._depth, self._phase)
        angle = 2 * np.pi * self.frequency_hz * times + self._start + wander.value
        rate = 2 * np.pi * self.frequency_hz + wander.rate
        s, c = np.sin(angle), np.cos(angle)
        return State(s, c * rate, c * wander.accel - s * rate**2)
