"""Turns about the vertical: when somebody turns, which way and how far.

The rate about the vertical is averaged over most of a stride, as a leg or an arm swings about it at every step; a turn
is where it lasts until it has made an angle that no step makes, from half of its greatest rate to half of it again.
Peers use edges at 5 deg/s (El-Gohary 2014, doi 10.3390/s140100356), which come out seconds too early and too late.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from dsp.transfers.bins import BIN_S
from dsp.transfers.past import Past, hann

SEEN_S: Final = 0.9
"""Of the mean of the rate: longer hides the end of a turn longer, shorter lets single steps through."""
BEGUN: Final = math.radians(30.0)
"""A turn is looked for where the mean rate exceeds this, rad/s."""
LONGEST_S: Final = 10.0


class Sight(NamedTuple):
    """What a sensor at some place sees of a turn.

    Attributes:
        least_angle: Less is no turn, rad.
        edge_share: Of the greatest rate: there a turn begins and ends.
        highest_edge: Of a quick turn it is no more than this, rad/s.
    """

    least_angle: float
    edge_share: float
    highest_edge: float


OF_LEG: Final = Sight(math.radians(45.0), 0.5, math.radians(80.0))
"""A leg swings about the vertical too: a mean that sees as much before as after an edge is at half of it there."""
OF_HAND: Final = Sight(math.radians(100.0), 0.5, math.radians(80.0))
"""And a hand turns by less than this on its own, when it leaves the lap or swings."""
OF_TRUNK: Final = Sight(math.radians(45.0), 0.2, math.radians(20.0))
"""A trunk hardly does: a turn is looked at from its first movement to its last."""


class TurnSpan(NamedTuple):
    """One turn in bins: from ``start`` to ``end``, by ``angle`` rad, to the left positive; greatest rate, rad/s."""

    start: float
    end: float
    angle: float
    peak: float


class Turns:
    """Finds turns as motion comes; each is told half of ``SEEN_S`` after its end."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._weights = hann(SEEN_S)
        self._half = len(self._weights) // 2
        self._rates: dict[int, float] = {}
        self._begun: int | None = None
        self._side = 1.0
        self._peak = 0.0
        self._reported = False
        self._free = 0

    def process(self, past: Past) -> Iterator[TurnSpan]:
        """Yield the turn that the newest motion ends."""
        at = past.last - self._half
        if at - self._half < past.first:
            self._rates.clear()
            self._begun, self._free = None, at
            return
        seen = past.between(at - self._half, past.last)
        rate = sum(weight * row.yaw for weight, row in zip(self._weights, seen, strict=True))
        self._rates[at] = rate
        self._rates.pop(at - round(LONGEST_S / BIN_S) - 1, None)
        if self._begun is None or rate * self._side < 0:
            self._begin(at, rate)
            return
        if self._reported:  # what is left of a turn is no second one
            self._begun = at if abs(rate) > BEGUN else None
            return
        rate *= self._side
        self._peak = max(self._peak, rate)
        edge = min(self._sight.edge_share * self._peak, self._sight.highest_edge)
        if rate < edge:
            found = self._span(past, at, edge)
            self._reported = abs(found.angle) >= self._sight.least_angle
            if self._reported:
                self._free = at
                yield found
            else:
                self._begin(at, rate * self._side)

    def finish(self, past: Past) -> Iterator[TurnSpan]:
        """Yield the turn that the end of the stream cuts off."""
        at = past.last - self._half
        if self._begun is None or self._reported or at not in self._rates or at - 1 not in self._rates:
            return
        found = self._span(past, at, min(self._sight.edge_share * self._peak, self._sight.highest_edge))
        if abs(found.angle) >= self._sight.least_angle:
            yield found._replace(end=past.last + 0.5)

    def _begin(self, at: int, rate: float) -> None:
        self._begun = at if abs(rate) > BEGUN else None
        self._side, self._peak, self._reported = math.copysign(1.0, rate), abs(rate), False

    def _span(self, past: Past, at: int, edge: float) -> TurnSpan:
        before, after = self._rates[at - 1] * self._side, self._rates[at] * self._side
        end = at - 1 + (before - edge) / (before - after)
        k = at - 1
        while k - 1 >= self._free and k - 1 in self._rates and self._rates[k - 1] * self._side >= edge:
            k -= 1
        start = float(k)
        if k > self._free and k - 1 in self._rates:
            inside, outside = self._rates[k] * self._side, self._rates[k - 1] * self._side
            start = k - (inside - edge) / (inside - outside)
        angle = BIN_S * sum(row.yaw for row in past.between(k - self._half // 2, past.last))
        return TurnSpan(start, end, angle, self._peak)
