"""The dashboard's web server: pages, live state, raw samples and history, to this machine or its users only."""

from __future__ import annotations

import asyncio
import errno
import signal
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, get_args

import orjson
from aiohttp import WSMsgType, hdrs, web

from config.settings import Dashboard, Settings
from dsp.catalogue import CATALOGUE, METRICS
from gateway.broker.certificates import broker_for
from gateway.dashboard import pages, signin, views
from gateway.dashboard.feed import Feed, Message
from gateway.dashboard.guard import HAS_USERS, add_headers, is_loopback, only_from_here
from gateway.dashboard.live import Live, TooManyViewersError
from gateway.dashboard.past import Past, open_past
from gateway.dashboard.users import Users
from gateway.dashboard.ward import Ward
from gateway.dashboard.waveforms import TooManyWatchersError, Watcher, Waveforms
from gateway.machine.supervision import Supervision
from gateway.model.measurement import Side
from gateway.model.usage import UsageError
from gateway.wire.topics import Topics

NAME = r"[a-z0-9][a-z0-9_-]{0,31}"  # ids of slots, devices and streams: nothing that means anything to MQTT
LONGEST_MINUTES = 24 * 60  # of history in one answer
RECONNECT_MS = 1000  # what a page waits before it asks again
SHUTDOWN_S = 2.0  # viewers are told to go at once; this is for those who do not listen
PING_S = 10.0  # a viewer that is gone without a word stops the waveform after about this
LARGEST_REQUEST = 16384  # bytes: the one form there is has a name and a password
WORDS_WITHIN = 4096  # bytes: a viewer has nothing to say on a waveform socket

SECONDS_A_MINUTE = 60
MICRO = 1_000_000


@dataclass(slots=True)
class Parts:
    """What the handlers share."""

    ward: Ward
    feed: Feed
    live: Live
    waveforms: Waveforms
    past: Past
    started: float


SIDES: dict[str, Side] = {side: side for side in get_args(Side)}
PARTS = web.AppKey("parts", Parts)
SUPERVISION = web.AppKey("supervision", Supervision)
CATALOGUE_JSON = orjson.dumps({metric.id: asdict(metric) for metric in METRICS})


def make_app(settings: Settings, *, past: Past | None = None, users: Users | None = None) -> web.Application:
    """Return the application; its MQTT subscription and its tasks live as long as it runs.

    Args:
        settings: Site, broker and where the history is.
        past: Reads the history; by default the database of the settings.
        users: Who may sign in; None lets everybody on this machine read, and nobody from elsewhere.
    """
    topics = Topics(settings.site.site, settings.site.gateway)
    ward = Ward(settings.site.gateway, speed=settings.speed)

    def render(name: str) -> dict[str, Any]:
        now = ward.now_us()
        state = views.header(ward, now, connected=feed.up)
        if name.startswith("slot/"):
            return state | views.slot_view(ward, name.removeprefix("slot/"), now)
        return state | (views.devices_view(ward) if name == "devices" else views.ward_view(ward, now))

    def revision(name: str) -> object:
        if name == "devices":  # what it shows comes with the status, once a second
            return None
        return ward.revision if name == "ward" else ward.slot(name.removeprefix("slot/")).revision

    def deliver(message: Message) -> None:
        kind, _, name = message.topic.removeprefix(f"{topics.prefix}/").partition("/")
        if kind == "waveform":
            waveforms.take(message.topic, message.payload)
        else:
            ward.take(kind, name, message.payload, retained=message.retained)

    filters = [(topics.status, 1), (topics.measurements(), 1), (topics.notices, 1)]
    filters += [(topics.cycles(), 1), (topics.waveform(), 0)]
    feed = Feed(broker_for(settings, "dashboard"), filters=filters, deliver=deliver)
    live = Live(render=render, revision=revision, told=ward.delays.told)
    waveforms = Waveforms(feed, topics)
    app = web.Application(middlewares=[only_from_here, signin.only_who_may], client_max_size=LARGEST_REQUEST)
    app[HAS_USERS] = users is not None
    if users is not None:
        secure = settings.dashboard.cert_file is not None
        app[signin.GATE] = signin.make_gate(users, idle_minutes=settings.dashboard.session_minutes, secure=secure)
    app[SUPERVISION] = Supervision()
    app[PARTS] = Parts(ward, feed, live, waveforms, past or open_past(settings), time.monotonic())
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_run_parts)
    app.on_shutdown.append(_let_viewers_go)
    _add_routes(app)
    return app


def _add_routes(app: web.Application) -> None:
    for path, name in (("/", "ward"), (f"/patient/{{slot:{NAME}}}", "patient"), ("/devices", "devices")):
        app.router.add_get(path, _page(name))
    app.router.add_get("/events", events, allow_head=False)  # a stream has no end, and so no head alone
    app.router.add_get(f"/waveform/{{device:{NAME}}}/{{stream:{NAME}}}", waveform, allow_head=False)
    app.router.add_get("/api/history", history)
    app.router.add_get("/api/catalogue", catalogue)
    app.router.add_get("/api/status", status)
    app.router.add_static("/static", pages.STATIC)
    signin.add_routes(app)


async def _run_parts(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    parts.feed.start()
    app[SUPERVISION].start("dashboard live", parts.live.run)
    app[SUPERVISION].start("dashboard waveforms", parts.waveforms.run)
    yield
    await app[SUPERVISION].end()
    await parts.feed.stop()


async def _let_viewers_go(app: web.Application) -> None:
    app[PARTS].live.close()
    app[PARTS].waveforms.close()


def _page(name: str) -> Callable[[web.Request], Any]:
    page = pages.render(name)

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=page, content_type="text/html", charset="utf-8")

    return handler


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the full state of a page, again and again."""
    parts = request.app[PARTS]
    if slot := request.query.get("slot"):
        view = f"slot/{slot}"
    else:
        view = "devices" if request.query.get("view") == "devices" else "ward"
    signin.check_view(request, view)
    updates = parts.live.follow(view)
    try:
        first = await anext(updates)
    except TooManyViewersError:
        raise web.HTTPServiceUnavailable(text="Too many pages are open.\n") from None
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"})
    await response.prepare(request)
    with suppress(ConnectionResetError):  # the page was closed
        await response.write(b"retry: %d\n\n" % RECONNECT_MS + first)
        async for update in updates:
            if not signin.still_may(request):
                break
            await response.write(update)
    await updates.aclose()
    return response


async def waveform(request: web.Request) -> web.WebSocketResponse:
    """Binary WebSocket: the frames of one stream, as the gateway sent them."""
    parts = request.app[PARTS]
    device, stream = request.match_info["device"], request.match_info["stream"]
    if not parts.ward.has_stream(device, stream):
        raise web.HTTPNotFound(text="No such stream.\n")
    try:
        with parts.waveforms.watching(device, stream) as watcher:
            socket = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=WORDS_WITHIN, compress=False)
            await socket.prepare(request)
            sending = asyncio.create_task(_send_frames(request, socket, watcher), name=f"waveform {device}/{stream}")
            try:
                async for message in socket:  # ends when the viewer goes
                    if message.type is WSMsgType.ERROR:
                        break
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
    except TooManyWatchersError:
        raise web.HTTPServiceUnavailable(text="Too many strips are open.\n") from None
    return socket


async def _send_frames(request: web.Request, socket: web.WebSocketResponse, watcher: Watcher) -> None:
    with suppress(ConnectionResetError):  # the page was closed
        while (frame := await watcher.get()) and signin.still_may(request):
            await socket.send_bytes(frame)
        await socket.close()


async def history(request: web.Request) -> web.Response:
    """Values of one metric over the last minutes: ``[[end_us, value or null, quality], …]``, oldest first."""
    slot, metric = request.query.get("slot", ""), CATALOGUE.get(request.query.get("metric", ""))
    algorithm = request.query.get("algorithm") or None
    side = SIDES.get(request.query.get("side", "none"))
    try:
        minutes = float(request.query.get("minutes", "10"))
    except ValueError:
        minutes = 0.0
    if not slot or metric is None or side is None or not 0 < minutes <= LONGEST_MINUTES:
        return _answer({"error": "slot, metric, side and minutes (up to 1440) are needed"}, status=400)
    since_us = request.app[PARTS].ward.now_us() - int(minutes * SECONDS_A_MINUTE * MICRO)
    try:
        rows = await asyncio.to_thread(request.app[PARTS].past, slot, metric.id, side, algorithm, since_us)
    except sqlite3.Error as error:
        return _answer({"error": f"the history cannot be read: {error}"}, status=503)
    return _answer({"slot": slot, "metric": metric.id, "side": side, "rows": rows})


async def catalogue(_request: web.Request) -> web.Response:
    """Titles, units and digits of every metric."""
    return web.Response(body=CATALOGUE_JSON, content_type="application/json")


async def status(request: web.Request) -> web.Response:
    """Say how the dashboard itself is doing."""
    parts = request.app[PARTS]
    dropped = parts.feed.dropped + parts.ward.dropped + parts.waveforms.dropped
    return _answer(
        {
            "broker": parts.feed.up,
            "gateway": parts.ward.status.get("gateway"),
            "gateway_state": parts.ward.gateway_state(),
            "gateway_age_s": parts.ward.gateway_age_s(),
            "slots": len(parts.ward.slot_ids()),
            "viewers": parts.live.viewers,
            "strips": parts.waveforms.watchers,
            "dropped": dict(dropped),
            "delays": parts.ward.delays.summary(),
            "up_s": round(time.monotonic() - parts.started, 1),
        }
    )


def _answer(data: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def check(settings: Settings) -> None:
    """Raise UsageError when these settings cannot be served."""
    dashboard = settings.dashboard
    protected = dashboard.cert_file and dashboard.key_file and dashboard.users_file
    if not is_loopback(dashboard.host) and not protected:
        raise UsageError(
            f"dashboard.host is {dashboard.host}, which opens the pages to the network: that needs dashboard.cert_file,"
            " key_file and users_file. Or set it to 127.0.0.1 and reach it through an SSH tunnel."
        )
    if not pages.has_plotting_library():
        raise UsageError("The dashboard's plotting library is missing: run 'pip install .' again.")


def tls_context(dashboard: Dashboard) -> ssl.SSLContext | None:
    """Return what TLS needs, if it is configured; raises UsageError."""
    if dashboard.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(dashboard.cert_file, dashboard.key_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"dashboard.cert_file and key_file cannot be used: {error.strerror or error}.") from None
    return context


async def serve(settings: Settings, *, stop: asyncio.Event, ready: Callable[[str], None] | None = None) -> None:
    """Serve until ``stop`` is set; ``ready`` is told the address. Raises UsageError."""
    check(settings)
    host, port = settings.dashboard.host, settings.dashboard.port
    context = tls_context(settings.dashboard)
    users = Users(settings.dashboard.users_file) if settings.dashboard.users_file else None
    runner = web.AppRunner(make_app(settings, users=users), shutdown_timeout=SHUTDOWN_S, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
            raise UsageError(
                f"Port {port} of {host} is taken: stop the other program or set another dashboard.port."
            ) from error
        if ready:
            ready(f"http{'s' if context else ''}://{f'[{host}]' if ':' in host else host}:{port}/")
        await runner.app[SUPERVISION].wait(stop)
    finally:
        await runner.cleanup()


def run_dashboard(settings: Settings, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve the pages until SIGTERM or SIGINT; ``ready`` is told the address. Raises UsageError."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(settings, stop=stop, ready=ready)

    asyncio.run(main())
