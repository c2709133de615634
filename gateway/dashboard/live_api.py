"""What never ends: the live state of a page, and the raw samples of a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from aiohttp import web

from gateway.dashboard import page_states, signin
from gateway.dashboard.event_stream import over_socket, send_events, send_over_socket, wants_socket
from gateway.dashboard.live import TooManyViewersError
from gateway.dashboard.looks import people, slot_of
from gateway.dashboard.page_looks import PAGE_NAMES, Look
from gateway.dashboard.parts import PARTS
from gateway.dashboard.site import read_view
from gateway.dashboard.waveforms import TooManyWatchersError, Watcher

LOOK_S = 1.0
"""So often it is asked whether a viewer may still see a stream of which nothing comes."""


def add_routes(app: web.Application, name: str) -> None:
    """Add the routes; ``name`` is the pattern of an id. A stream has no end, and so no head alone."""
    app.router.add_get("/events", events, allow_head=False)
    app.router.add_get(f"/waveform/{{device:{name}}}/{{stream:{name}}}", waveform, allow_head=False)


async def events(request: web.Request) -> web.StreamResponse:
    """Live state of a page, again and again: over a WebSocket where one is asked for, else as server-sent events."""
    parts = request.app[PARTS]
    view = page_states.view_of(request.query)
    signin.check_view(request, view)
    with parts.pages.taken(request):
        return await _stream(request, view)


async def _stream(request: web.Request, view: str) -> web.StreamResponse:
    parts = request.app[PARTS]
    updates = parts.live.follow(view)
    try:
        first = await anext(updates)
    except TooManyViewersError:
        raise web.HTTPServiceUnavailable(text="Too many pages are open.\n") from None
    send = send_over_socket if wants_socket(request) else send_events
    shown = read_view(view)
    look = Look(request, PAGE_NAMES[shown.kind], lambda: parts.site.people(shown))
    async with aclosing(updates), aclosing(_noted(look, updates)) as noted:
        return await send(request, first, noted)


async def _noted(look: Look, updates: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async for update in updates:
        look.renew()
        yield update


async def waveform(request: web.Request) -> web.WebSocketResponse:
    """Binary WebSocket: the frames of one stream, as the gateway sent them."""
    parts = request.app[PARTS]
    device, stream = request.match_info["device"], request.match_info["stream"]
    ward = parts.site.ward(request.query.get("gateway"))
    if ward is None or not ward.has_stream(device, stream):
        raise web.HTTPNotFound(text="No such stream.\n")
    try:
        with parts.strips.taken(request), parts.site.waveforms(ward).watching(device, stream) as watcher:
            look = Look(request, "waveform", lambda: people(ward, slot_of(ward, device)), device=device)
            return await over_socket(
                request, f"waveform {device}/{stream}", lambda socket: _send_frames(request, socket, watcher, look)
            )
    except TooManyWatchersError:
        raise web.HTTPServiceUnavailable(text="Too many strips are open.\n") from None


async def _send_frames(request: web.Request, socket: web.WebSocketResponse, watcher: Watcher, look: Look) -> None:
    with suppress(ConnectionResetError):  # the page was closed
        while signin.still_may(request):
            look.renew()
            frame = await watcher.get(LOOK_S)
            if frame == b"":
                break
            if frame is not None and signin.still_may(request):
                await socket.send_bytes(frame)
        await socket.close()
