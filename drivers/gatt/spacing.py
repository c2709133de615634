"""Samples that share one stamp: how far apart they lie, by the stamps of the notifications beside theirs.

A device stamps one sample of a notification and tells its rate. The rate is that of a crystal or of an oscillator on
the sensor's chip, some per cent off, and now and then it is not the rate at all (an armband that claims 135 Hz and
sends 55). The stamps tell: from one notification to the next there are as many periods as samples, unless one was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

NEAR: Final = 0.15  # share by which a period may differ from the expected one: no sensor's oscillator is further off
ALIKE: Final = 0.05  # share by which periods that contradict the expected one agree with each other
AGREE: Final = 4  # so many of them in succession are believed
AGREE_TWICE: Final = 50  # of a period that is twice or three times the expected one: so do regular losses look
SLOWEST_HZ, FASTEST_HZ = 0.1, 10_000.0  # stamps that show another rate are none
SMOOTH: Final = 1 / 16  # weight of the newest period: stamps in whole milliseconds scatter by a hundredth

Ticks = NDArray[np.int64]


class Place(NamedTuple):
    """Where the samples of one notification lie.

    Attributes:
        stamp: A tick on the wire.
        period: Ticks from sample to sample.
        first: How many periods behind the stamp the first sample lies.
        samples: How many there are.
    """

    stamp: int
    period: float
    first: int
    samples: int

    @property
    def begins(self) -> float:
        """Tick of the first sample."""
        return self.stamp + self.first * self.period


class Spacing:
    """The period of one stream of one device.

    Args:
        rate_hz: What the device says, or is known for.
        tick_hz: Of its clock.

    Attributes:
        period: Ticks from sample to sample, as far as is known.
        rate_hz: Nominal rate; measured, where the stamps contradict what the device says.
    """

    def __init__(self, rate_hz: float, tick_hz: float) -> None:
        self.rate_hz = rate_hz
        self.period = tick_hz / rate_hz
        self._tick_hz = tick_hz
        self._doubted, self._agreeing = 0.0, 0

    def adjoins(self, ticks: int, samples: int) -> bool:
        """Take the ticks between two stamps and the samples between them; whether nothing was lost there."""
        if ticks <= 0 or samples <= 0:
            return False
        seen = ticks / samples
        if abs(seen - self.period) <= NEAR * self.period:
            self.period += SMOOTH * (seen - self.period)
            self._agreeing = 0
            return True
        if not SLOWEST_HZ <= self._tick_hz / seen <= FASTEST_HZ:
            return False
        alike = self._agreeing and abs(seen - self._doubted) <= ALIKE * self._doubted
        self._agreeing = self._agreeing + 1 if alike else 1
        self._doubted = seen
        if self._agreeing < (AGREE_TWICE if self._looks_lost(seen) else AGREE):
            return False
        self.period, self._agreeing = seen, 0
        self.rate_hz = round(self._tick_hz / seen, 1)
        return True

    def _looks_lost(self, seen: float) -> bool:
        """Whether a period is a whole multiple of the expected one."""
        times = seen / self.period
        return round(times) > 1 and abs(times - round(times)) <= ALIKE * round(times)

    def up_to(self, stamp: int, count: int) -> Place:
        """Return where samples lie of which the last has the stamp."""
        return Place(stamp, self.period, 1 - count, count)

    def since(self, stamp: int, count: int) -> Place:
        """Return where samples lie of which the first has the stamp."""
        return Place(stamp, self.period, 0, count)


def between(before: int, stamp: int, count: int) -> Place:
    """Return where samples lie that follow one stamp evenly, up to the next."""
    return Place(before, (stamp - before) / count, 1, count)


def ticks_of(places: Sequence[Place]) -> Ticks:
    """Return the ticks of the samples of notifications, one behind the other."""
    stamps, periods, firsts, counts = zip(*places, strict=True)
    many = np.array(counts, np.int64)
    offset = np.array(firsts, np.int64) - np.cumsum(many) + many  # of each: its first number less where it begins
    number = np.arange(many.sum()) + np.repeat(offset, many)
    ticks: Ticks = np.rint(number * np.repeat(np.array(periods, np.float64), many)).astype(np.int64)
    ticks += np.repeat(np.array(stamps, np.int64), many)
    return ticks
