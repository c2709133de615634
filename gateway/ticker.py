"""Frames as they arrive, cut into pipeline steps by their arrival stamps."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator

from drivers.packet import Frame
from gateway.pipeline import STEP_NS, Numbered

MAX_WAITING = 200_000  # frames: several seconds of a whole ward; more means that the pipeline has stopped


class Ticker:
    """Collects frames and hands out whole steps, once the clock has passed their end.

    Attributes:
        dropped: Frames that found no room, by reason.
    """

    def __init__(self, origin_ns: int, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._end_ns = origin_ns
        self._waiting: deque[Numbered] = deque()
        self.dropped: Counter[str] = Counter()

    def push(self, number: int, frame: Frame) -> None:
        """Take a frame. One stamped before a step that is over belongs to the next: a step never changes."""
        if len(self._waiting) >= MAX_WAITING:
            self.dropped["pipeline too slow"] += 1
        elif frame.arrival_ns < self._end_ns:
            self._waiting.append((number, frame._replace(arrival_ns=self._end_ns)))
        else:
            self._waiting.append((number, frame))

    def due(self) -> Iterator[tuple[int, list[Numbered]]]:
        """Yield (end of step, its frames) for every step whose end has passed."""
        now_ns = self._clock_ns()
        while self._end_ns + STEP_NS <= now_ns:
            self._end_ns += STEP_NS
            frames: list[Numbered] = []
            while self._waiting and self._waiting[0][1].arrival_ns < self._end_ns:
                frames.append(self._waiting.popleft())
            yield self._end_ns, frames
