"""A dashboard that is served for as long as a test needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import Settings
from gateway.dashboard.server import serve


@asynccontextmanager
async def served(settings: Settings, *, within_s: float = 30.0) -> AsyncIterator[str]:
    """Serve a dashboard; yield its address as soon as it listens."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(settings, stop=stop, ready=ready.set_result), name="dashboard")
    try:
        yield await asyncio.wait_for(ready, within_s)
    finally:
        stop.set()
        await running
