"""Both wrists side by side, second by second, as their samples come: the use of both arms, hour by hour."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from dsp.arms.use import ArmUse, use_of_counts

WINDOW_S: Final = 3600
"""Arms rest for minutes: a ratio of less than an hour is one activity's."""
WAIT_S: Final = 120
"""How much later than one wrist the other may be heard of: its seconds stay without counts then."""


class Counted(NamedTuple):
    """What is known of one second: counts of the affected arm and of the other one, NaN until known; walking or not."""

    affected: float
    other: float
    walking: bool


NOTHING: Final = Counted(math.nan, math.nan, walking=False)


class UseOfHour(NamedTuple):
    """Use of both arms from ``start`` to ``end``, whole seconds."""

    start: int
    end: int
    use: ArmUse


class PairedWrists:
    """Brings the counts of two wrists together; memory is that of one window.

    Seconds are those of one clock, which both sensors' seconds have been brought to.

    Args:
        window_s: Seconds of a value.
    """

    def __init__(self, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s
        self._counted: dict[int, Counted] = {}
        self._start: int | None = None
        self._newest = -(2**62)

    def add(self, second: int, counts: float, *, affected: bool) -> Iterator[UseOfHour]:
        """Take the counts of one wrist; yield the windows that are over."""
        if self._ended(second):
            return
        counted = self._counted.get(second, NOTHING)
        self._counted[second] = counted._replace(affected=counts) if affected else counted._replace(other=counts)
        yield from self._advance(second)

    def walk(self, start: int, end: int) -> None:
        """Take it that somebody walks from one second to before another."""
        for second in range(start, end):
            if not self._ended(second):
                self._counted[second] = self._counted.get(second, NOTHING)._replace(walking=True)

    def flush(self) -> Iterator[UseOfHour]:
        """Yield what the last window has, and begin anew."""
        if self._start is not None:
            yield from self._close(self._newest + 1)
            if self._counted:
                yield self._measure(self._start, self._newest + 1)
        self._counted, self._start, self._newest = {}, None, -(2**62)

    def _ended(self, second: int) -> bool:
        return self._start is not None and second < self._start

    def _advance(self, second: int) -> Iterator[UseOfHour]:
        self._newest = max(self._newest, second)
        if self._start is None:
            self._start = second // self._window_s * self._window_s
        yield from self._close(self._newest - WAIT_S)

    def _close(self, until: int) -> Iterator[UseOfHour]:
        """Yield the windows that end before or at ``until``; in which nobody wears a sensor, none."""
        while self._start is not None and self._start + self._window_s <= until:
            end = self._start + self._window_s
            if any(at < end for at in self._counted):
                yield self._measure(self._start, end)
            self._start = end if not self._counted else max(end, min(self._counted) // self._window_s * self._window_s)

    def _measure(self, start: int, end: int) -> UseOfHour:
        seconds = [self._counted.pop(at, NOTHING) for at in range(start, end)]
        affected, other, walking = zip(*seconds, strict=True)
        return UseOfHour(start, end, use_of_counts(affected, other, walking))
