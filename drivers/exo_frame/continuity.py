"""Whether samples can all be of one device that tells no serial number: by its clock and its counter."""

from __future__ import annotations

from typing import Final

CLOCK_US: Final = 1 << 32
COUNTS: Final = 1 << 16
SLACK_US: Final = 10_000_000  # the clock may seem ahead of arrival by what waited on the way, and never by so much
SLACK_COUNTS: Final = 1000  # between clock and counter, and
RATE_ERROR: Final = 0.1  # of a rate that is only nominal


class Continuity:
    """Follows clock and counter, which never go back but at a power-on.

    A clock that is ahead of the time that has passed has gone back and round, or is another one. Where it fits by
    chance, the counter of another device hardly does.

    Args:
        rate_hz: Samples a second.

    Attributes:
        soon_us: What the clock may go on by from one count to the next, so that neither slack is used up.
        newest: Counter, time and arrival of the newest sample; None before the first.
    """

    def __init__(self, rate_hz: float) -> None:
        self._a_us = rate_hz / 1e6
        self.soon_us = min(SLACK_US, SLACK_COUNTS / self._a_us)
        self.newest: tuple[int, int, int] | None = None

    def broken(self, counter: int, time_us: int, arrival_ns: int) -> bool:
        """Take the next sample; return whether it cannot follow the one before on one device that stayed on."""
        before, self.newest = self.newest, (counter, time_us, arrival_ns)
        if before is None:
            return False
        clock_us = (time_us - before[1]) % CLOCK_US
        if clock_us > (arrival_ns - before[2]) // 1000 + SLACK_US:
            return True
        expected = clock_us * self._a_us
        slack = SLACK_COUNTS + RATE_ERROR * expected
        return slack < (counter - before[0] - round(expected)) % COUNTS < COUNTS - slack
