"""Frames as they arrive, cut into pipeline steps by their arrival stamps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from drivers.packet import Frame
from gateway.intake.frames import NO_DEVICE, STEP_NS, Numbered

MAX_WAITING = 200_000  # frames: several seconds of a whole ward; more means that the pipeline has stopped


class Ticker:
    """Collects frames and hands out whole steps, once the clock has passed their end.

    Attributes:
        dropped: Frames that found no room, by reason.
    """

    def __init__(self, origin_ns: int, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._end_ns = origin_ns
        self._waiting: list[Numbered] = []
        self._newest_ns = origin_ns
        self.dropped: Counter[str] = Counter()

    def append_frame(self, number: int, frame: Frame) -> None:
        """Take a frame. One stamped before a step that is over belongs to the next: a step never changes."""
        arrival_ns = frame.arrival_ns
        # What is of no device says whose the others are, or when: it is never left out, and there is little of it.
        if len(self._waiting) >= MAX_WAITING and number != NO_DEVICE:
            self.dropped["pipeline too slow"] += 1
            return
        if arrival_ns < self._end_ns:
            frame = frame._replace(arrival_ns=self._end_ns)
        elif arrival_ns > self._newest_ns:
            self._newest_ns = arrival_ns
        self._waiting.append((number, frame))

    def due(self) -> Iterator[tuple[int, list[Numbered]]]:
        """Yield (end of step, its frames in the order they were pushed) for every step whose end has passed."""
        now_ns = self._clock_ns()
        while self._end_ns + STEP_NS <= now_ns:
            self._end_ns = end_ns = self._end_ns + STEP_NS
            frames = self._waiting
            if self._newest_ns < end_ns:
                self._waiting = []
            else:
                self._waiting = [numbered for numbered in frames if numbered[1].arrival_ns >= end_ns]
                frames = [numbered for numbered in frames if numbered[1].arrival_ns < end_ns]
            yield end_ns, frames
