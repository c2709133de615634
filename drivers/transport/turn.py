"""Whose turn it is with something that one uses alone, or some together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager


class Turn:
    """A lock of one who needs it alone, and of several who share it.

    Args:
        at_once: Most that share it at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._lock = asyncio.Lock()
        self._places = asyncio.Semaphore(at_once)
        self._entering = asyncio.Lock()
        self._inside = 0  # of those who share it

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Hold it alone."""
        return self._lock

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Hold it with others who share it: the first waits for its turn, and the last lets it go."""
        async with self._places:
            async with self._entering:
                if not self._inside:
                    await self._lock.acquire()
                self._inside += 1
            try:
                yield
            finally:
                self._inside -= 1
                if not self._inside:
                    self._lock.release()
