"""Rounds: everybody who has joined gets a turn once a tick, all in one task, and others are served between the turns.

A ward of seventy beds has three hundred devices. A task for each, all woken by one tick, would keep the event loop for
as long as all their turns take together, and whoever waits for an answer of one device, as a gateway does thirty times
to connect it, would wait each time for the turns of all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

SLICE_S = 0.003  # of turns at a stretch: then whoever waits for the event loop is served

Turn = Callable[[], None]


class Rounds:
    """Calls everybody who has joined, in the order in which they did.

    Args:
        tick: Waits until the next round begins.
    """

    def __init__(self, tick: Callable[[], Awaitable[None]]) -> None:
        self._tick = tick
        self._turns: dict[Turn, None] = {}
        self._task: asyncio.Task[None] | None = None

    def join(self, turn: Turn) -> None:
        """Have ``turn`` called in every round, once in each; it must not block."""
        self._turns[turn] = None
        if self._task is None:
            self._task = asyncio.create_task(self._go_round(), name="rounds")

    def leave(self, turn: Turn) -> None:
        """Call it no more; does nothing if it has left."""
        self._turns.pop(turn, None)
        if not self._turns and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _go_round(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._tick()
            began_s = loop.time()
            for turn in list(self._turns):
                if turn in self._turns:  # it may have left since
                    self._call(turn)
                if loop.time() - began_s >= SLICE_S:
                    await asyncio.sleep(0)
                    began_s = loop.time()

    def _call(self, turn: Turn) -> None:
        try:
            turn()
        except Exception:  # a defect of one device must not silence all others
            log.exception("a simulated device failed, and sends no more")
            self.leave(turn)
