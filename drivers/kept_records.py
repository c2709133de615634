"""Which measurements a device has sent already: one that keeps them may send them again on its next connection.

Scales, cuffs, thermometers and oximeters for spot checks send again what was not acknowledged, and some all that they
hold. What has the device's own time is known by it and by its bytes, whenever it comes again. What has none is known
by its bytes alone, which somebody may measure twice: for a short while such a one is doubted, and never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, Final

NS: Final = 1_000_000_000
MOST: Final = 512
"""Records of one device, the newest: a cuff of two users holds twice a hundred."""
AGAIN_S: Final = 2.0
"""Within this, on one connection, the same bytes again are the same measurement: nothing is used twice so soon."""
STAMPED_AGAIN_S: Final = 60.0
"""The same where the bytes have a time that proves nothing: the device's clock stands still."""
PERHAPS_AGAIN_S: Final = 900.0
"""On another connection: so long a device tries to bring a record that has no time, and a person may weigh again."""
STANDS_STILL_S: Final = 120.0
"""Other bytes with one time came so far apart: the clock that told it does not run."""
SUM_BYTES: Final = 8  # of a record: the values themselves are kept nowhere but among the measurements


class Came(Enum):
    """Whether a record came before."""

    NEW = "new"
    TWICE = "twice"
    PERHAPS = "perhaps"


@dataclass(slots=True)
class Sent:
    """A record that came.

    Attributes:
        stamp: The device's time as it stood in the record; empty where that has none that says anything.
        first_ns: Arrival on the gateway's monotonic clock; before the present run it may be negative.
        last_ns: When it came last.
        connection: On which connection that was.
    """

    stamp: str
    first_ns: int
    last_ns: int
    connection: int = 0


class KeptRecords:
    """The records of one device, over all its connections.

    Attributes:
        again: How many came before, and were left out.
        changed: Whether there is anything that was not told since the last `told`.
    """

    def __init__(self) -> None:
        self.again = 0
        self.changed = False
        self._sent: dict[str, Sent] = {}
        self._connection = 1

    def connected(self) -> None:
        """Begin another connection."""
        self._connection += 1

    def take(self, arrival_ns: int, data: bytes, stamp: str = "", age_s: float = float("nan")) -> Came:
        """Take a record that is to be measured; return whether it came before.

        Args:
            arrival_ns: Its arrival, nanoseconds on the gateway's monotonic clock.
            data: Its bytes.
            stamp: The device's time in it, as text; empty where it has none, or none that says anything.
            age_s: How long ago it was measured by the device's own clock, seconds; NaN where that is not known.
        """
        sum_ = blake2b(data, digest_size=SUM_BYTES).hexdigest()
        before = self._sent.pop(sum_, None)
        first_ns = arrival_ns if before is None else before.first_ns
        came = Came.NEW if before is None else self._judge(before, arrival_ns, stamp, age_s)
        if came is Came.NEW:
            first_ns = arrival_ns
        self._sent[sum_] = Sent(stamp, first_ns, arrival_ns, self._connection)
        while len(self._sent) > MOST:
            del self._sent[next(iter(self._sent))]
        self.again += came is Came.TWICE
        self.changed = True
        return came

    def _judge(self, before: Sent, now_ns: int, stamp: str, age_s: float) -> Came:
        since_s = (now_ns - before.last_ns) / NS
        if before.connection == self._connection:  # what came here was acknowledged: only an indication comes once more
            if since_s < (STAMPED_AGAIN_S if stamp else AGAIN_S):
                return Came.TWICE
            return Came.PERHAPS if stamp else Came.NEW
        if stamp:
            return Came.PERHAPS if self._clock_fails(before, now_ns, stamp, age_s) else Came.TWICE
        return Came.PERHAPS if since_s < PERHAPS_AGAIN_S else Came.NEW

    def _clock_fails(self, before: Sent, now_ns: int, stamp: str, age_s: float) -> bool:
        """Whether a time proves nothing: the device calls it new long after it came, or has it for other values too."""
        known_s = (now_ns - before.first_ns) / NS
        if age_s < known_s / 2 - STANDS_STILL_S:
            return True
        others = [one.first_ns for one in self._sent.values() if one.stamp == stamp]
        return any(abs(other_ns - before.first_ns) > STANDS_STILL_S * NS for other_ns in others)

    def told(self, to_us: Callable[[int], int]) -> list[list[str | int]]:
        """Return all records as plain values, which `read` takes: sum, time, and UTC microseconds of both arrivals.

        Args:
            to_us: Turns an arrival into UTC microseconds.
        """
        self.changed = False
        return [[sum_, one.stamp, to_us(one.first_ns), to_us(one.last_ns)] for sum_, one in self._sent.items()]

    def read(self, told: Sequence[Any], to_ns: Callable[[int], int]) -> None:
        """Take what `told` returned in an earlier run; what cannot be read is passed over.

        Args:
            told: The records.
            to_ns: Turns UTC microseconds into the present run's arrivals.
        """
        for each in told[-MOST:]:
            try:
                sum_, stamp, first_us, last_us = each
                found = Sent(str(stamp), to_ns(int(first_us)), to_ns(int(last_us)))
            except (TypeError, ValueError):
                continue
            self._sent.setdefault(str(sum_), found)
