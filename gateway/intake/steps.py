"""Frames as they arrive, cut into pipeline steps by their arrival stamps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from drivers.packet import Frame
from gateway.intake.frames import NO_DEVICE, STEP_NS, Numbered

MAX_WAITING = 200_000  # frames: several seconds of a whole ward; more means that the pipeline has stopped


class Ticker:
    """Collects frames by the step that they belong to, and hands out whole steps, once the clock has passed their end.

    Attributes:
        dropped: Frames that found no room, by reason.
    """

    def __init__(self, origin_ns: int, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._origin_ns = origin_ns
        self._end_ns = origin_ns
        self._waiting: defaultdict[int, list[Numbered]] = defaultdict(list)  # by the number of their step
        self._held = 0
        self.dropped: Counter[str] = Counter()

    def append_frame(self, number: int, frame: Frame) -> None:
        """Take a frame. One stamped before a step that is over belongs to the next: a step never changes."""
        arrival_ns = frame.arrival_ns
        # What is of no device says whose the others are, or when: it is never left out, and there is little of it.
        if self._held >= MAX_WAITING and number != NO_DEVICE:
            self.dropped["pipeline too slow"] += 1
            return
        if arrival_ns < self._end_ns:
            arrival_ns = self._end_ns
            frame = frame._replace(arrival_ns=arrival_ns)
        self._waiting[(arrival_ns - self._origin_ns) // STEP_NS].append((number, frame))
        self._held += 1

    def due(self) -> Iterator[tuple[int, list[Numbered]]]:
        """Yield (end of step, its frames in the order they were pushed) for every step whose end has passed."""
        now_ns = self._clock_ns()
        while self._end_ns + STEP_NS <= now_ns:
            frames = self._waiting.pop((self._end_ns - self._origin_ns) // STEP_NS, [])
            self._held -= len(frames)
            self._end_ns += STEP_NS
            yield self._end_ns, frames
