"""Answers that a device sends as notifications: a dialogue over Bluetooth asks and waits for the one that is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from drivers.driver import Link
from drivers.errors import DialogueError

ANSWER_S: Final = 3.0  # devices answer within some connection intervals, 0.1 to 0.5 s
MOST_WAITING: Final = 32  # notifications that nobody asked for


class Answers:
    """What was notified on the channel of the answers and not yet taken.

    Args:
        channel: Where the answers come.
        is_answer: Which of its notifications are answers at all; by default each.
    """

    def __init__(self, channel: str, is_answer: Callable[[bytes], bool] = bool) -> None:
        self._channel = channel
        self._is_answer = is_answer
        self._heard: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)

    def listen(self, link: Link) -> None:
        """Begin to hear, on a new link. Raises DialogueError."""
        self._heard = asyncio.Queue(MOST_WAITING)
        link.listen(self._channel, self.heard)

    async def ask(
        self,
        link: Link,
        characteristic: str,
        question: bytes,
        meant: Callable[[bytes], bool],
        *,
        timeout_s: float = ANSWER_S,
    ) -> bytes:
        """Write a question and return the answer that is meant. Raises DialogueError, ForbiddenWriteError."""
        while not self._heard.empty():
            self._heard.get_nowait()
        await link.write(characteristic, question)
        return await self.next(meant, timeout_s=timeout_s)

    async def next(self, meant: Callable[[bytes], bool], *, timeout_s: float = ANSWER_S) -> bytes:
        """Return the next answer that is meant; others are passed over. Raises DialogueError."""
        try:
            async with asyncio.timeout(timeout_s):
                while not meant(answer := await self._heard.get()):
                    pass
                return answer
        except TimeoutError as problem:
            raise DialogueError(f"no answer on '{self._channel}' within {timeout_s:g} s") from problem

    def heard(self, data: bytes) -> None:
        """Take a notification of the channel."""
        if self._is_answer(data) and not self._heard.full():
            self._heard.put_nowait(data)
