"""Smooth curves through knots, known together with their first two derivatives.

Everything in the simulated body that moves is a curve of quintic pieces between knots that give value, rate and
acceleration (quintic Hermite interpolation): position, velocity and acceleration are continuous and exact, so that
what a gyroscope and an accelerometer would read follows without numeric differentiation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulators.motion.source import Floats


class State(NamedTuple):
    """A quantity and its derivatives at n instants: each (n,) or (n, channels); per second and per second squared."""

    value: Floats
    rate: Floats
    accel: Floats

    def channel(self, index: int) -> State:
        """Return one channel, each (n,)."""
        return State(self.value[:, index], self.rate[:, index], self.accel[:, index])

    def plus(self, other: State) -> State:
        """Return the sum."""
        return State(self.value + other.value, self.rate + other.rate, self.accel + other.accel)

    def times(self, factor: float) -> State:
        """Return the product with a constant."""
        return State(self.value * factor, self.rate * factor, self.accel * factor)


class Curve:
    """A curve with one or more channels, extended at its end and forgotten at its beginning.

    Before the first and after the last knot it stays where it is.
    """

    def __init__(self, *start: float) -> None:
        zeros = (0.0,) * len(start)
        self._times = [-1.0]
        self._values: list[Sequence[float]] = [start]
        self._rates: list[Sequence[float]] = [zeros]
        self._accels: list[Sequence[float]] = [zeros]
        self._open = False  # the rate of the last knot waits for the next knot

    def __len__(self) -> int:
        """Return how many knots are kept."""
        return len(self._times)

    @property
    def last(self) -> Sequence[float]:
        """The value at the last knot."""
        return self._values[-1]

    def through(self, time: float, *value: float) -> None:
        """Add a knot that is passed at the speed its neighbours suggest: at rest where the curve turns back there."""
        self._close(time, value)
        zeros = (0.0,) * len(value)
        self._append(time, value, zeros, zeros)
        self._open = True

    def rest(self, time: float, *value: float) -> None:
        """Add a knot at which nothing moves."""
        zeros = (0.0,) * len(value)
        self.knot(time, value, zeros, zeros)

    def knot(self, time: float, value: Sequence[float], rate: Sequence[float], accel: Sequence[float]) -> None:
        """Add a knot with everything given; raises ValueError when it is not after the last one."""
        self._close(time, value)
        self._append(time, value, rate, accel)

    def _append(self, time: float, value: Sequence[float], rate: Sequence[float], accel: Sequence[float]) -> None:
        if time <= self._times[-1]:
            raise ValueError(f"a knot at {time} s cannot follow one at {self._times[-1]} s")
        self._times.append(time)
        self._values.append(value)
        self._rates.append(rate)
        self._accels.append(accel)

    def _close(self, time: float, value: Sequence[float]) -> None:
        """Give the last knot its rate: the harmonic mean of the slopes to both sides never overshoots."""
        if not self._open:
            return
        before, at = self._times[-2:]
        rates = []
        for earlier, here, later in zip(*self._values[-2:], value, strict=True):
            rise, fall = (here - earlier) / (at - before), (later - here) / (time - at)
            rates.append(2 * rise * fall / (rise + fall) if rise * fall > 0 else 0.0)
        self._rates[-1] = rates
        self._open = False

    def forget(self, before_s: float) -> None:
        """Drop the knots that nothing at or after ``before_s`` needs."""
        keep = max(int(np.searchsorted(self._times, before_s, side="right")) - 1, 0)
        keep = min(keep, len(self._times) - 2)  # an open knot needs its predecessor
        if keep > 0:
            for column in (self._times, self._values, self._rates, self._accels):
                del column[:keep]

    def at(self, times: Floats) -> State:
        """Return the state (n, channels) at times (n,)."""
        if len(self) == 1:
            shape = (len(times), len(self.last))
            return State(np.tile(np.array(self.last), (len(times), 1)), np.zeros(shape), np.zeros(shape))
        near = self._near(times)
        knots = np.array(self._times[near])
        k = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
        h = (knots[k + 1] - knots[k])[:, None]
        u = np.clip((times - knots[k])[:, None] / h, 0.0, 1.0)
        value, rate, accel = (np.array(column[near]) for column in (self._values, self._rates, self._accels))
        rise = value[k + 1] - value[k]
        v0, v1 = rate[k] * h, rate[k + 1] * h
        a0, a1 = accel[k] * h * h, accel[k + 1] * h * h
        c3 = 10 * rise - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1
        c4 = -15 * rise + 8 * v0 + 7 * v1 + 1.5 * a0 - a1
        c5 = 6 * rise - 3 * v0 - 3 * v1 - 0.5 * a0 + 0.5 * a1
        return State(
            value[k] + u * (v0 + u * (0.5 * a0 + u * (c3 + u * (c4 + u * c5)))),
            (v0 + u * (a0 + u * (3 * c3 + u * (4 * c4 + u * 5 * c5)))) / h,
            (a0 + u * (6 * c3 + u * (12 * c4 + u * 20 * c5))) / (h * h),
        )

    def _near(self, times: Floats) -> slice:
        """Return which of two or more knots lie about times (n,): a long curve is not copied for a few of them."""
        if not len(times):
            return slice(0, 2)
        first = min(max(bisect_right(self._times, float(times.min())) - 1, 0), len(self) - 2)
        return slice(first, max(bisect_right(self._times, float(times.max())) + 1, first + 2))
