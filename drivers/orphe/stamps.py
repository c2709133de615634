"""When the samples of frames were taken: the time of day, which is in whole milliseconds, smoothed by the counter.

The counter says exactly how many frames lie between two; the time says how long that was. A stamp that is a little off
moves what follows by a share only, so that a frame never seems lost for a clock that ticks coarsely.
"""

from __future__ import annotations

from typing import Final

from drivers.orphe.sensor import DAY_MS, RATE_HZ, TICK_BITS, TICK_HZ

COUNTS: Final = 1 << 16  # of the counter: it begins again after so many frames, 21 minutes
MOST_LOST: Final = 2600  # counts ahead that are a loss, 50 s; more is another run, or a frame of the past
DAY: Final = 1 << TICK_BITS
TICKS_A_MS: Final = DAY / DAY_MS
SLACK: Final = 0.02 * TICK_HZ  # a stamp farther off than this is another time: the clock was set
SHARE: Final = 1 / 16  # of what a stamp is off: a sensor whose rate is off by 1 % is followed 3 ms late


class Stamps:
    """The time of each frame of one connection."""

    def __init__(self) -> None:
        self._serial: int | None = None
        self._tick = 0.0

    def next(self, serial: int, ms: int, samples: int) -> tuple[float, int]:
        """Return the tick of a frame's oldest sample, and how many frames were lost before it.

        Args:
            serial: Its counter.
            ms: Its time of day, milliseconds.
            samples: How many it has, at the rate of the sensor.
        """
        stamp = ms * TICKS_A_MS
        if self._serial is None:
            self._serial, self._tick = serial, stamp
            return stamp, 0
        ahead = (serial - self._serial) % COUNTS
        if ahead > MOST_LOST:
            if COUNTS - ahead > MOST_LOST:  # it counts anew
                self._serial, self._tick = serial, stamp
            return stamp, 0
        expected = self._tick + ahead * samples * TICK_HZ / RATE_HZ
        off = (stamp - expected + DAY / 2) % DAY - DAY / 2
        tick = (expected + SHARE * off) % DAY if abs(off) <= SLACK else stamp
        if ahead:
            self._serial, self._tick = serial, tick
        return tick if ahead else self._tick, max(0, ahead - 1)
