"""Simulated time: the same for all devices of a ward, and as fast as asked for."""

from __future__ import annotations

import asyncio

from simulators.motion.rounds import Rounds

TICK_S = 0.02  # seconds between two looks at the sources: a Bluetooth connection interval is 7.5 to 50 ms


class Timeline:
    """Seconds since the beginning of the scene.

    Args:
        speed: Simulated seconds in a real one.
        running: False holds the time at 0 until `start`.

    Attributes:
        tick_s: Real seconds from one tick to the next. Where time runs slowly, so does everything else: the ticks of
            fast time are no closer, since devices would do nothing but look.
        rounds: Whoever joins is called once a tick.
    """

    def __init__(self, *, speed: float = 1.0, running: bool = True) -> None:
        self.speed = speed
        self.tick_s = TICK_S / min(speed, 1.0)
        self.rounds = Rounds(self.tick)
        self._started = 0.0
        self._begun = asyncio.Event()
        self._ticking: asyncio.Event | None = None
        if running:
            self.start()

    @property
    def running(self) -> bool:
        """Whether the scene has begun."""
        return self._begun.is_set()

    @property
    def now_s(self) -> float:
        """Simulated seconds since the beginning; 0 before it."""
        if not self.running:
            return 0.0
        return (asyncio.get_running_loop().time() - self._started) * self.speed

    def start(self) -> None:
        """Begin, unless it has."""
        if not self.running:
            self._begun.set()
            self._started = asyncio.get_running_loop().time()

    async def reach(self, time_s: float) -> None:
        """Wait until simulated time is ``time_s``; for ever if the scene never begins."""
        await self._begun.wait()
        if (left_s := time_s - self.now_s) > 0:
            await asyncio.sleep(left_s / self.speed)

    async def tick(self) -> None:
        """Wait for the next tick; all who wait wake up together."""
        if (ticking := self._ticking) is None:
            loop = asyncio.get_running_loop()
            self._ticking = ticking = asyncio.Event()
            now = loop.time()
            loop.call_at(now + self.tick_s - now % self.tick_s, self._tick, ticking)
        await ticking.wait()

    def _tick(self, ticking: asyncio.Event) -> None:
        self._ticking = None
        ticking.set()
