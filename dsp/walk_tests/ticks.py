"""Samples of one sensor to twenty rows a second: upward force, force of movement, rate of turning about gravity.

How the sensor is strapped on or held does not matter and may change: gravity is carried along by the gyroscope and
corrected slowly by the accelerometer, which only has to measure specific force (it points up at rest).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.limits import ACC_LIMIT, GYR_LIMIT

TICK_S: Final = 0.05
"""A row stands for so long: a step takes six of them and more, and the fastest turn goes on by 15 degrees."""
SLOWEST_HZ: Final = 20.0
"""Fewer samples a second do not fill every row."""
GRAVITY_MEMORY_S: Final = 3.0
"""With this time constant gravity is corrected: longer than a stride, shorter than a stand between two walks."""
SWINGING: Final = 1.0
"""rad/s: at such a rate the accelerometer counts half: a phone held before the body feels the turn's own force."""
STEADY_S: Final = 0.5
"""Whether a rate is steady is said over so much."""
STEADY: Final = 0.03
"""rad/s: about its mean the rate of somebody who stands and holds a phone stays within it."""
REST_RATE: Final = 0.1
"""rad/s, 6 degrees a second: a steady rate below is the gyroscope's own offset, above it somebody turns."""
OFFSET_MEMORY_S: Final = 5.0
"""Of standing, with which the offset is followed."""
KNOWN_S: Final = 0.5
"""What gravity before a gap still counts for, as if seen so long."""
HELD_S: Final = 0.5
"""Lost for longer, and the sensor may have turned: gravity is found anew."""
ROWS_AT_ONCE: Final = 10
"""Samples wait until they make so many rows, half a second: one by one they would cost five times as much."""
LONGEST_GAP_S: Final = 5.0
"""Of a gap no more rows are made; the numbers of the rows after it tell how long it was."""

Floats = NDArray[np.float64]
Vector = tuple[float, ...]


class Tick(NamedTuple):
    """One row.

    Attributes:
        number: Which, from the first sample on.
        up: Upward force beyond that of rest, mean, m/s².
        force: Force beyond gravity in the sensor's frame, mean, m/s²: taps and buzzing are averaged out.
        yaw: Rate about gravity, to the left positive, rad/s.
        known: Whether any of its samples arrived; where none did the other fields are NaN.
    """

    number: int
    up: float
    force: Vector
    yaw: float
    known: bool


class Ticks:
    """The rows of one sensor, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 20.

    Raises:
        ValueError: the rate is too low.
    """

    def __init__(self, rate_hz: float) -> None:
        if not SLOWEST_HZ <= rate_hz < math.inf:
            raise ValueError(f"a walk needs {SLOWEST_HZ:.0f} samples a second, not {rate_hz:g}")
        self.samples = max(1, round(rate_hz * TICK_S))
        self.tick_s = self.samples / rate_hz
        self.first: int | None = None
        self._next = 0  # number of the row to come
        self._arrived: list[tuple[NDArray[np.int64], Floats, Floats]] = []  # samples of rows to come
        self._gravity: Vector = (0.0, 0.0, 0.0)
        self._measured: Vector = (0.0, 0.0, 0.0)  # rad/s, the newest
        self._rate: Vector = (0.0, 0.0, 0.0)  # the same without the offset
        self._offset: Vector = (0.0, 0.0, 0.0)
        self._mean: Vector = (0.0, 0.0, 0.0)  # of the rate, over a while
        self._spread = 1.0  # about that mean, (rad/s)²: nothing is steady yet
        self._rested = 0.0  # rows that made the offset
        self._seen = 0.0  # rows that made gravity
        self._lost = 0  # rows since one was known

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> list[Tick]:
        """Return the rows that samples complete.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s²; NaN is lost.
            gyr: (n, 3) angular velocity, rad/s; NaN is lost.
        """
        at = np.array(index, np.int64)
        if not len(at):
            return []
        if self.first is None:
            self.first = int(at[0])
        self._arrived.append((at, np.array(acc, float).reshape(-1, 3), np.array(gyr, float).reshape(-1, 3)))
        newest = (int(at[-1]) - self.first) // self.samples
        return self._complete(newest) if newest >= self._next + ROWS_AT_ONCE else []

    def flush(self) -> list[Tick]:
        """Return the rows that were begun, if any."""
        return self._complete(None)

    def _complete(self, until: int | None) -> list[Tick]:
        """Return the rows before number ``until``, or all."""
        if not self._arrived:
            return []
        at, acc, gyr = (np.concatenate(parts) for parts in zip(*self._arrived, strict=True))
        number = (at - (self.first or 0)) // self.samples
        ahead = number >= np.maximum.accumulate(np.concatenate([[self._next], number]))[:-1]
        done = ahead if until is None else ahead & (number < until)
        later = ahead & ~done
        self._arrived = [(at[later], acc[later], gyr[later])] if later.any() else []
        numbers, starts = np.unique(number[done], return_index=True)
        sums = np.add.reduceat(_columns(acc[done], gyr[done]), starts) if len(starts) else np.zeros((0, 7))
        out: list[Tick] = []
        for row_number, row in zip(numbers.tolist(), sums.tolist(), strict=True):
            out += self._skip(row_number)
            out.append(self._tick(row))
        return out

    def _skip(self, until: int) -> list[Tick]:
        """Return lost rows before number ``until``; of a long gap the first ones alone."""
        missing = until - self._next
        out = [self._tick([0.0] * 7) for _ in range(min(missing, round(LONGEST_GAP_S / self.tick_s)))]
        self._next = until
        return out

    def _tick(self, sums: list[float]) -> Tick:
        n, ax, ay, az, wx, wy, wz = sums
        number, self._next = self._next, self._next + 1
        if n:
            ax, ay, az = ax / n, ay / n, az / n
            self._measured = (wx / n, wy / n, wz / n)
        self._learn_offset(steady=bool(n))
        self._turn()
        if not n:
            self._lost += 1
            return Tick(number, math.nan, (math.nan, math.nan, math.nan), math.nan, known=False)
        if self._lost * self.tick_s > HELD_S:
            self._seen = min(self._seen, KNOWN_S / self.tick_s)
        self._lost = 0
        self._seen += 1.0
        turning = math.hypot(*self._rate) / SWINGING
        gain = max(1.0 / self._seen, self.tick_s / GRAVITY_MEMORY_S) / (1.0 + turning * turning)
        x, y, z = self._gravity
        x, y, z = self._gravity = (x + gain * (ax - x), y + gain * (ay - y), z + gain * (az - z))
        norm = math.sqrt(x * x + y * y + z * z) or 1.0
        up = (ax * x + ay * y + az * z) / norm - norm
        yaw = (wx * x + wy * y + wz * z) / n / norm
        return Tick(number, up, (ax - x, ay - y, az - z), yaw, known=True)

    def _learn_offset(self, *, steady: bool) -> None:
        """Follow what the gyroscope shows at rest, and take it out of the newest rate."""
        if steady:
            keep = self.tick_s / STEADY_S
            away = [now - mean for now, mean in zip(self._measured, self._mean, strict=True)]
            self._mean = tuple(mean + keep * off for mean, off in zip(self._mean, away, strict=True))
            self._spread += keep * (sum(off * off for off in away) - self._spread)
            if self._spread < STEADY**2 and math.hypot(*self._mean) < REST_RATE:
                self._rested += 1.0
                gain = max(1.0 / self._rested, self.tick_s / OFFSET_MEMORY_S)
                self._offset = tuple(o + gain * (m - o) for o, m in zip(self._offset, self._mean, strict=True))
        self._rate = tuple(now - o for now, o in zip(self._measured, self._offset, strict=True))

    def _turn(self) -> None:
        """Carry gravity along; through lost rows at the rate before them, for as long as that may hold."""
        if self._lost * self.tick_s > HELD_S:
            return
        x, y, z = self._gravity
        wx, wy, wz = (self.tick_s * part for part in self._rate)
        self._gravity = (x - (wy * z - wz * y), y - (wz * x - wx * z), z - (wx * y - wy * x))


def _columns(force: Floats, rate: Floats) -> Floats:
    """Return a row a sample: 1, specific force, angular velocity; all zero where it is lost."""
    with np.errstate(invalid="ignore"):
        bad = (~(np.abs(force) < ACC_LIMIT) | ~(np.abs(rate) < GYR_LIMIT)).sum(axis=1) > 0
    columns = np.column_stack([np.ones(len(force)), force, rate])
    columns[bad] = 0.0
    return columns
