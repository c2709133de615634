"""Notifications that were delivered twice, of channels that carry no counter by which that would show by itself.

The same bytes again are no proof: a heart that is paced sends the same bytes each second, and a radio that was held up
delivers three of them at once. What cannot be is that a device tells of more time than has passed. So where
notifications tell of time (intervals between beats), a second delivery is one that says the same again and for which
there was no time. Where they tell of none, five in succession must each have come twice, the second time sooner than
the device can have had news.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

WINDOW_S = 60.0  # what is compared: as far back as the least delayed notification is looked for
SETTLED_S = 10.0  # of a connection, or after a pause of `WINDOW_S`: earlier, the first one may itself have been late
MOST_KEPT = 600  # ten a second: more than any heart, and few enough to look through for one that floods
AGAIN_S = 5.0  # a second delivery comes within this
NO_TIME_SHARE = 0.25  # of what a notification tells of: so much must be lacking, which no jitter of the radio makes up
TWINS = 5  # deliveries in succession, each of them twice: none of them alone
STEADY = 3  # of the newest ten: a device that repeats, and not a single mishap
NEWEST = 10
COUNTED_WITHIN_S = 60.0  # so many within this are counted


class _Kept(NamedTuple):
    arrival_s: float
    lag_s: float  # arrival less all time that was told of until then
    data: bytes


class Repeats:
    """Looks at the notifications of one channel of one connection.

    Args:
        least_s: Shortest time in which the device has something new to say, seconds.

    Attributes:
        counted: Second deliveries that are sure to be no mishap of a moment.
    """

    def __init__(self, least_s: float) -> None:
        self.counted = 0
        self._least_s = least_s
        self._kept: deque[_Kept] = deque(maxlen=MOST_KEPT)
        self._covered_s = 0.0
        self._newest: deque[bool] = deque(maxlen=NEWEST)  # whether each was a second delivery
        self._lately: deque[float] = deque(maxlen=STEADY)  # arrivals of the newest second deliveries
        self._uncounted = 0
        self._last_s = float("-inf")
        self._last = b""
        self._group: tuple[int, bool] = (0, False)  # those that came together: how many, and whether all say the same
        self._twins = 0

    def again(self, arrival_s: float, data: bytes, span_s: float) -> bool:
        """Take the next notification; return whether it is one that was delivered before.

        Args:
            arrival_s: Its arrival, seconds on the monotonic clock.
            data: Its bytes.
            span_s: How much time it tells of; 0 if of none.
        """
        twin = self._see_twin(arrival_s, data)
        found = self._has_no_time(arrival_s, data, span_s, twin) if span_s > 0.0 else twin and self._twins >= TWINS
        self._newest.append(found)
        if found:
            self._count(arrival_s)
        return found

    def _has_no_time(self, arrival_s: float, data: bytes, span_s: float, twin: bool) -> bool:
        kept = self._kept
        while kept and kept[0].arrival_s < arrival_s - WINDOW_S:
            kept.popleft()
        lag_s = arrival_s - (self._covered_s + span_s)
        if any(each.data == data and each.arrival_s >= arrival_s - AGAIN_S for each in kept):
            settled = arrival_s - kept[0].arrival_s >= SETTLED_S
            lacking_s = min(each.lag_s for each in kept) - lag_s
            if settled and (lacking_s > NO_TIME_SHARE * span_s or (twin and sum(self._newest) >= STEADY)):
                return True
        self._covered_s += span_s
        kept.append(_Kept(arrival_s, lag_s, data))
        return False

    def _see_twin(self, arrival_s: float, data: bytes) -> bool:
        """Return whether this says the same as the one before it, sooner than the device can have had news."""
        (count, alike), same = self._group, data == self._last
        together = arrival_s - self._last_s < self._least_s
        self._last_s, self._last = arrival_s, data
        if not together:
            self._twins = self._twins + 1 if count > 1 and alike else 0
            self._group = (1, True)
            return False
        self._group = (count + 1, alike and same)
        return same

    def _count(self, arrival_s: float) -> None:
        self._lately.append(arrival_s)
        self._uncounted += 1
        if len(self._lately) == STEADY and self._lately[0] >= arrival_s - COUNTED_WITHIN_S:
            self.counted += self._uncounted
            self._uncounted = 0
