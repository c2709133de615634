"""A time that runs only at times, and waiting by it."""

from __future__ import annotations

import asyncio
from typing import Any


class Stopwatch:
    """Runs by the clock of the event loop, and stands still while it is paused, as it does at first."""

    def __init__(self) -> None:
        self._before_s = 0.0
        self._since_s: float | None = None  # None while it is paused

    @property
    def elapsed_s(self) -> float:
        """Return for how long it has run in all."""
        if self._since_s is None:
            return self._before_s
        return self._before_s + asyncio.get_running_loop().time() - self._since_s

    def run(self) -> None:
        """Run on from here."""
        self._since_s = asyncio.get_running_loop().time()

    def pause(self) -> None:
        """Stand still from here."""
        self._before_s, self._since_s = self.elapsed_s, None

    async def wait(self, future: asyncio.Future[Any], timeout_s: float) -> bool:
        """Wait until a future is done; False if it is not when the stopwatch has run for so long."""
        until_s = self.elapsed_s + timeout_s
        while (left_s := until_s - self.elapsed_s) > 0:
            if (await asyncio.wait([future], timeout=left_s))[0]:
                return True
        return False
