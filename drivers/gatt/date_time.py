"""Date and time as Bluetooth devices tell it (0x2A08, 0x2A2B): seven bytes, in the device's own idea of local time.

Nobody knows how right a device's clock is, so nothing is placed in time by it. It tells one thing that matters: whether
a value was measured just now, or comes out of the device's memory, where it may have been somebody else's.
"""

from __future__ import annotations

import math
from calendar import monthrange, timegm
from typing import NamedTuple

NS = 1_000_000_000
DATE_TIME_BYTES = 7
MOST_AHEAD_S = 60.0
"""A moment may be so far ahead of a clock that was read: it runs a little faster than ours, and tells seconds only."""
_YEARS = range(1582, 10000)  # as the characteristic has them; 0 is "not known"


class DateTime(NamedTuple):
    """What a device tells of a moment; None for the parts that it does not know."""

    year: int | None
    month: int | None
    day: int | None
    hour: int
    minute: int
    second: int

    @property
    def seconds(self) -> float:
        """Seconds since 1970 as if the device's zone were UTC; NaN where a part is not known."""
        if self.year is None or self.month is None or self.day is None:
            return math.nan
        return float(timegm((self.year, self.month, self.day, self.hour, self.minute, self.second)))

    def __str__(self) -> str:
        """Return it as ISO 8601, with question marks for what is not known."""
        year = "????" if self.year is None else f"{self.year:04}"
        month, day = ("??" if part is None else f"{part:02}" for part in (self.month, self.day))
        return f"{year}-{month}-{day}T{self.hour:02}:{self.minute:02}:{self.second:02}"


def date_time(data: bytes) -> DateTime | None:
    """Return the moment of seven bytes; None where there is no such one (month 13, 30 February, hour 24)."""
    year, month, day = int.from_bytes(data[:2], "little"), data[2], data[3]
    hour, minute, second = data[4], data[5], data[6]
    known = bool(year and month and day)
    in_range = month <= 12 and day <= 31 and hour <= 23 and minute <= 59 and second <= 59
    if not in_range or (year and year not in _YEARS) or (known and day > monthrange(year, month)[1]):
        return None
    return DateTime(year or None, month or None, day or None, hour, minute, second)


class DeviceTime:
    """The device's clock against ours, from what it tells: its clock's reading, and the moments of its values.

    Where its clock cannot be read, the latest that it ever told of, on arrival, is the least that it can have been.
    Where it was read, a moment that lies ahead of it is of when the clock stood otherwise: each autumn it is set back.
    """

    def __init__(self) -> None:
        self._ahead_s = -math.inf  # device's clock less ours
        self._read = False  # whether its clock was read: by moments alone, the newest that it kept seems to be of now

    def set_by(self, arrival_ns: int, current_time: bytes) -> None:
        """Take the reading of the device's clock (0x2A2B: the seven bytes, and more that is not needed)."""
        moment = date_time(current_time[:DATE_TIME_BYTES]) if len(current_time) >= DATE_TIME_BYTES else None
        if moment is not None and not math.isnan(moment.seconds):
            self._ahead_s, self._read = moment.seconds - arrival_ns / NS, True

    def dates(self, arrival_ns: int, stamp: DateTime | None) -> bool:
        """Whether the age of a value with this time, that arrives now, is known, not only the least that it can be."""
        return self._read and stamp is not None and self._since_s(arrival_ns, stamp) >= -MOST_AHEAD_S

    def age_s(self, arrival_ns: int, stamp: DateTime | None) -> float:
        """Return how long ago a value was measured that arrives now, seconds; NaN where the device does not tell."""
        if stamp is None or math.isnan(stamp.seconds) or (self._read and not self.dates(arrival_ns, stamp)):
            return math.nan
        self._ahead_s = max(self._ahead_s, stamp.seconds - arrival_ns / NS)
        return max(0.0, self._since_s(arrival_ns, stamp))

    def _since_s(self, arrival_ns: int, stamp: DateTime) -> float:
        return arrival_ns / NS + self._ahead_s - stamp.seconds
