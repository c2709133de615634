"""Samples that share one stamp: how far apart they lie, by the stamps of the notifications beside theirs.

A device stamps one sample of a notification and tells its rate. The rate is that of a crystal or of an oscillator on
the sensor's chip, some per cent off, and now and then it is not the rate at all (an armband that claims 135 Hz and
sends 55). The stamps tell: from one notification to the next there are as many periods as samples, unless one was lost.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NEAR: Final = 0.15  # share by which a period may differ from the expected one: no sensor's oscillator is further off
ALIKE: Final = 0.05  # share by which periods that contradict the expected one agree with each other
AGREE: Final = 4  # so many of them in succession are believed
AGREE_TWICE: Final = 50  # of a period that is twice or three times the expected one: so do regular losses look
SLOWEST_HZ, FASTEST_HZ = 0.1, 10_000.0  # stamps that show another rate are none
SMOOTH: Final = 1 / 16  # weight of the newest period: stamps in whole milliseconds scatter by a hundredth

Ticks = NDArray[np.int64]


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

    def up_to(self, stamp: int, count: int) -> Ticks:
        """Return the ticks of samples of which the last has the stamp."""
        return _ticks(stamp, np.arange(1 - count, 1) * self.period)

    def since(self, stamp: int, count: int) -> Ticks:
        """Return the ticks of samples of which the first has the stamp."""
        return _ticks(stamp, np.arange(count) * self.period)


def between(before: int, stamp: int, count: int) -> Ticks:
    """Return the ticks of samples that lie evenly behind one stamp and up to the next."""
    return _ticks(before, np.arange(1, count + 1) * ((stamp - before) / count))


def _ticks(stamp: int, offsets: NDArray[np.floating[Any]]) -> Ticks:
    whole: Ticks = np.rint(offsets).astype(np.int64)
    whole += stamp
    return whole
