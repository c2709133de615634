"""A link that notes what a driver does to a device, and has answers for what it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from drivers.driver import Link
from drivers.errors import DialogueError
from drivers.packet import Frame


class Told(Link):
    """A device that takes whatever it is told.

    Args:
        answers: What may be read, by characteristic; the rest is refused.
        refused: Characteristics that cannot be subscribed to.
        heard: What a serial port gives.
    """

    def __init__(
        self, answers: Mapping[str, bytes] | None = None, *, refused: Collection[str] = (), heard: bytes = b""
    ) -> None:
        self.subscribed: list[tuple[str, str]] = []
        self.written: list[tuple[str, bytes]] = []
        self.announced: list[Frame] = []
        self._answers = answers or {}
        self._refused = refused
        self._heard = heard

    async def subscribe(self, channel: str, characteristic: str) -> None:
        if characteristic in self._refused:
            raise DialogueError("refused")
        self.subscribed.append((channel, characteristic))

    async def read(self, characteristic: str) -> bytes:
        if characteristic not in self._answers:
            raise DialogueError("not there")
        return self._answers[characteristic]

    async def write(self, characteristic: str, data: bytes) -> None:
        self.written.append((characteristic, data))

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        if len(self._heard) < count:
            raise DialogueError(f"no {count} bytes within {timeout_s} s")
        found, self._heard = self._heard[:count], self._heard[count:]
        return found

    def announce(self, channel: str, data: bytes) -> None:
        self.announced.append(Frame(0, channel, data))
