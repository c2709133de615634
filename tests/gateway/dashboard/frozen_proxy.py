"""A TCP proxy that stands between a browser and the dashboard, and fails as networks do: without a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65536


class FrozenProxy:
    """Passes bytes on, until told otherwise.

    Attributes:
        port: Where it listens on loopback.
        opened: Connections that were ever opened through it.
        serves_new: Whether connections that are opened now are served, or stand still from the beginning.
        passes_upgrades: Whether it passes on that somebody asks for a WebSocket; nginx as installed does not.
    """

    def __init__(self, target: int, *, passes_upgrades: bool = True) -> None:
        self.port = 0
        self.opened = 0
        self.serves_new = True
        self.passes_upgrades = passes_upgrades
        self._target = target
        self._frozen = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def freeze(self) -> None:
        """Pass nothing on any more over what is open now; nobody is told."""
        self._frozen.set()
        self._frozen = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.opened += 1
        frozen = self._frozen
        if not self.serves_new:
            frozen = asyncio.Event()
            frozen.set()
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, back]
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass(source, target, frozen), name="proxy")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, frozen: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                if frozen.is_set():
                    await asyncio.Event().wait()  # holds the connection open and says nothing, until the test ends
                if not self.passes_upgrades:
                    data = data.replace(b"Upgrade: websocket", b"X-Nothing: websocket")
                target.write(data)
                await target.drain()
        target.close()

    async def close(self) -> None:
        """Let everything go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def proxied(target: int, *, passes_upgrades: bool = True) -> AsyncIterator[FrozenProxy]:
    """Run a proxy before a port of loopback."""
    proxy = FrozenProxy(target, passes_upgrades=passes_upgrades)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
