"""The live state of a page on its way to the browser: over a WebSocket, or as server-sent events.

A browser opens six connections to a host at one time, and each stream of events holds one; WebSockets are not counted
among them, so the pages ask for one. The stream is for what does not speak WebSocket: a proxy, or ``curl``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, hdrs, web

from gateway.dashboard import signin

RECONNECT_MS = 1000  # what a page waits before it asks again
PING_S = 10.0  # a viewer that is gone without a word is let go after about this
STUCK_S = 15.0  # so is one that does not read
WORDS_WITHIN = 4096  # bytes: a viewer has nothing to say
FRAME = (len(b"data: "), -len(b"\n\n"))  # around the JSON of an event

Updates = AsyncGenerator[bytes]


def wants_socket(request: web.Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"


async def send_events(request: web.Request, first: bytes, updates: Updates) -> web.StreamResponse:
    """Send the states as server-sent events until the viewer goes or may no longer see them."""
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: "text/event-stream",
            hdrs.CACHE_CONTROL: "no-store",
            "X-Accel-Buffering": "no",  # nginx would hand them on in blocks of 4 KiB
        }
    )
    await response.prepare(request)
    with suppress(ConnectionResetError):  # the page was closed
        await _write(request, response, b"retry: %d\n\n" % RECONNECT_MS + first)
        async for update in updates:
            if not signin.still_may(request):
                break
            await _write(request, response, update)
    return response


async def _write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    try:
        async with asyncio.timeout(STUCK_S):
            await response.write(data)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError from None


async def send_over_socket(request: web.Request, first: bytes, updates: Updates) -> web.WebSocketResponse:
    """Send the states as text over a WebSocket until the viewer goes or may no longer see them."""
    return await over_socket(request, "live state", lambda socket: _send(request, socket, first, updates))


async def over_socket(
    request: web.Request, name: str, send: Callable[[web.WebSocketResponse], Coroutine[Any, Any, None]]
) -> web.WebSocketResponse:
    """Open a WebSocket and let a task of this name send over it, until the viewer goes."""
    socket = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=WORDS_WITHIN, compress=False)
    await socket.prepare(request)
    sending = asyncio.create_task(send(socket), name=name)
    try:
        async for message in socket:  # ends when the viewer goes
            if message.type is WSMsgType.ERROR:
                break
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return socket


async def _send(request: web.Request, socket: web.WebSocketResponse, first: bytes, updates: Updates) -> None:
    with suppress(ConnectionResetError):  # the page was closed
        await socket.send_frame(first[FRAME[0] : FRAME[1]], WSMsgType.TEXT)
        async for update in updates:
            if not signin.still_may(request):
                break
            await socket.send_frame(update[FRAME[0] : FRAME[1]], WSMsgType.TEXT)
        await socket.close()
