"""How late events are here: from the samples that decided them to the broker's message, and to the open pages.

The gateway says in its status when those samples arrived (`gateway.status.event_delays`); both clocks are the wall
clock, so on two machines the figures are as good as their synchronisation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from gateway.model.latency import Latency
from gateway.model.status import Percentiles

KEPT = 4096  # events that wait for the other half of the story: a minute of a full ward
MICRO = 1_000_000

Event = tuple[str, int]


class Delays:
    """Matches what the gateway says of its events with when they came here.

    Args:
        clock_us: UTC microseconds of this machine.
    """

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._heard: OrderedDict[Event, int] = OrderedDict()
        self._shown: OrderedDict[Event, int] = OrderedDict()
        self._untold: list[tuple[Event, int]] = []  # with when they were heard
        self._to_message = Latency()
        self._to_page = Latency()

    @property
    def most_kept(self) -> int:
        """How many events are remembered, in the longest of the lists."""
        return max(len(self._heard), len(self._shown), len(self._untold))

    def heard(self, epoch: str, seq: int) -> None:
        """Note that the message with an event has come; only the first counts."""
        event = (epoch, seq)
        if event not in self._heard and event not in self._shown:
            self._heard[event] = now_us = self._clock_us()
            self._untold.append((event, now_us))
            _bound(self._heard)
            del self._untold[:-KEPT]

    def note_shown(self, behind_s: float = 0.0) -> None:
        """Note that all pages have been told what had come so many seconds ago."""
        now_us = self._clock_us()
        upto_us = now_us - round(behind_s * MICRO)
        shown = bisect_right(self._untold, upto_us, key=lambda untold: untold[1])
        for event, _ in self._untold[:shown]:
            self._shown[event] = now_us
        del self._untold[:shown]
        _bound(self._shown)

    def arrived(self, events: Any) -> None:
        """Take what a status says of events: ``{"epoch": …, "arrived_us": [[seq, UTC microseconds], …]}``."""
        epoch, pairs = _parsed(events)
        for seq, arrived_us in pairs:
            heard_us, shown_us = self._heard.pop((epoch, seq), None), self._shown.get((epoch, seq))
            if heard_us is not None:
                self._to_message.add((heard_us - arrived_us) / MICRO)
                if shown_us is not None:
                    self._to_page.add((shown_us - arrived_us) / MICRO)

    def summary(self) -> dict[str, Percentiles]:
        """Return median and 95th percentile in milliseconds: to the message, and to the pages."""
        return {"to_message_ms": self._to_message.summary_ms(), "to_page_ms": self._to_page.summary_ms()}


def _parsed(events: Any) -> tuple[str, list[tuple[int, int]]]:
    """Return epoch and pairs of what may be anything."""
    if not isinstance(events, dict) or not isinstance(events.get("arrived_us"), list):
        return "", []
    pairs = [pair for pair in events["arrived_us"] if isinstance(pair, list) and [type(x) for x in pair] == [int, int]]
    return str(events.get("epoch")), [(seq, arrived_us) for seq, arrived_us in pairs]


def _bound(events: OrderedDict[Event, int]) -> None:
    while len(events) > KEPT:
        events.popitem(last=False)
