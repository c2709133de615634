"""Passwords are checked by a few threads with a short queue: who cannot be served soon is told so before any work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.dashboard.users import User, Users

Done = TypeVar("Done")

WAITING = 8
"""Passwords that wait in one lane: two seconds of a quarter each."""


class BusyError(Exception):
    """Too many passwords wait to be checked."""


class _Lane:
    def __init__(self, name: str) -> None:
        self.waiting = 0
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)


class Hashing:
    """Two lanes of one thread each, 64 MiB at a time: strangers never delay somebody whose browser is known."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._known = _Lane("password-known")
        self._strangers = _Lane("password-stranger")

    async def verify(self, name: str, password: str, *, known: bool, wanted: Callable[[], bool]) -> User | None:
        """Return the user whose password this is.

        Args:
            name: As it was typed.
            password: As it was typed.
            known: Whether this browser has signed this user in before.
            wanted: Whether anybody still waits for the answer, asked when its turn has come.

        Raises:
            BusyError: Too many wait already.
        """
        return await self.work(lambda: self._users.verify(name, password) if wanted() else None, known=known)

    async def work(self, what: Callable[[], Done], *, known: bool) -> Done:
        """Return what comes of work with a hash, done in its turn; raises BusyError, and whatever the work raises."""
        lane = self._known if known else self._strangers
        if lane.waiting > WAITING:
            raise BusyError
        lane.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(lane.thread, what)
        finally:
            lane.waiting -= 1

    def close(self) -> None:
        """End the threads."""
        for lane in (self._known, self._strangers):
            lane.thread.shutdown(wait=False, cancel_futures=True)
