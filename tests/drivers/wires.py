"""What tests of drivers on a byte stream share: bytes as frames, cut anywhere, and a port that nobody writes to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from drivers.driver import Link
from drivers.errors import DialogueError
from drivers.packet import Frame

STEP_NS = 10_000_000


def frames_of(*pieces: bytes, channel: str = "data") -> list[Frame]:
    """Return pieces as they would arrive, a step apart."""
    return [Frame(STEP_NS * k, channel, piece) for k, piece in enumerate(pieces)]


def cut(wire: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return bytes in pieces of such sizes, again and again."""
    pieces: list[bytes] = []
    at = 0
    for size in cycle(sizes):
        if at >= len(wire):
            return pieces
        pieces.append(wire[at : at + size])
        at += size
    return pieces


class Noted(Link):
    """A connection that notes what is done to it, and gives the bytes that it has been handed."""

    def __init__(self, gives: bytes = b"") -> None:
        self.written: list[tuple[str, bytes]] = []
        self.subscribed: list[tuple[str, str]] = []
        self.gives = bytearray(gives)

    async def subscribe(self, channel: str, characteristic: str) -> None:
        self.subscribed.append((channel, characteristic))

    async def read(self, characteristic: str) -> bytes:
        raise DialogueError(f"no {characteristic}")

    async def write(self, characteristic: str, data: bytes) -> None:
        self.written.append((characteristic, data))

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        if len(self.gives) < count:
            raise DialogueError(f"no {count} bytes within {timeout_s} s")
        data = bytes(self.gives[:count])
        del self.gives[:count]
        return data

    def announce(self, channel: str, data: bytes) -> None:
        del channel, data
