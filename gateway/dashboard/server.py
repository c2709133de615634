"""The dashboard's web server: pages, live state, raw samples and history, to this machine or its users only."""

from __future__ import annotations

import asyncio
import errno
import signal
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from functools import partial
from typing import Any, get_args

import orjson
from aiohttp import web

from config.settings import Dashboard, Settings
from dsp.catalogue import CATALOGUE, METRICS
from dsp.metric import Metric
from gateway.audit import access_log
from gateway.audit.access_log import AccessLog
from gateway.broker.answers import name_at
from gateway.broker.certificates import broker_for
from gateway.dashboard import (
    bearer,
    devices_api,
    export,
    fleet_api,
    live_api,
    notices_api,
    openapi,
    page_states,
    pages,
    people_api,
    results_api,
    signin,
    static_files,
    timed_api,
    ward_api,
)
from gateway.dashboard import people as those_who_ask
from gateway.dashboard.bounded_log import bound_logs
from gateway.dashboard.connections import CONNECTIONS, IDLE_S, MOST, Connections, note_streams, time_requests
from gateway.dashboard.door import Door, raise_descriptor_limit
from gateway.dashboard.feed import Feed, Message
from gateway.dashboard.guard import HAS_USERS, add_headers, is_loopback, only_from_here
from gateway.dashboard.language import LANGUAGES, Languages, in_language, languages_of
from gateway.dashboard.live import Live
from gateway.dashboard.looks import LOOKS, Looks, whose
from gateway.dashboard.outside_text import clean
from gateway.dashboard.parts import PARTS, Parts
from gateway.dashboard.past import Past, Question, open_history, past_of
from gateway.dashboard.proxies import PROXIES, Proxies
from gateway.dashboard.site import Site
from gateway.dashboard.users import Users
from gateway.dashboard.versions import add_versions
from gateway.dashboard.ward_requests import WardRequests
from gateway.dashboard.waveforms import ask_again
from gateway.machine.garbage import leave_alone, look_seldom
from gateway.machine.supervision import Supervision
from gateway.model.measurement import Side
from gateway.model.usage import UsageError
from gateway.texts.languages import Language, spoken

NAME = r"[a-z0-9][a-z0-9_-]{0,31}"  # ids of slots, devices and streams: nothing that means anything to MQTT
PATHS = {
    "/": "ward", f"/patient/{{slot:{NAME}}}": "patient", "/beds": "beds", f"/bed/{{bed:{NAME}}}": "bed",
    "/devices": "devices", "/dock": "dock", "/fleet": "fleet", "/people": "people", f"/test/{{bed:{NAME}}}": "test",
    f"/feedback/{{slot:{NAME}}}": "feedback",
}  # fmt: skip
"""The pages, by where they are."""
LONGEST_MINUTES = 24 * 60  # of history in one answer
SHUTDOWN_S = 2.0  # viewers are told to go at once; this is for those who do not listen
LINGER_S = 2.0  # for the rest of a body that nobody will read, so that its sender sees the answer
LARGEST_REQUEST = 16384  # bytes: the one form there is has a name and a password

SECONDS_A_MINUTE = 60
MICRO = 1_000_000


SIDES: dict[str, Side] = {side: side for side in get_args(Side)}
TRUTH = {"true": True, "false": False}
SUPERVISION = web.AppKey("supervision", Supervision)
CATALOGUES = web.AppKey("catalogues", dict[str, static_files.Packed])
"""Of the metrics, by the code of a language, once somebody has asked for one; a restart alone changes it."""


def make_app(settings: Settings, *, past: Past | None = None, users: Users | None = None) -> web.Application:
    """Return the application; its MQTT subscription and its tasks live as long as it runs.

    Args:
        settings: Site, broker and where the history is.
        past: Reads the history; by default the database of the settings.
        users: Who may sign in; None lets everybody on this machine read, and nobody from elsewhere.
    """
    site, broker = Site(settings), broker_for(settings, "dashboard")
    requests = WardRequests(settings.site.site, name=name_at(broker))

    def deliver(message: Message) -> None:
        if message.topic == requests.answers:
            requests.on_answer(message)
        else:
            site.on_message(message)
            live.look()

    feed = Feed(broker, filters=[*site.filters(), (requests.answers, 1)], deliver=deliver)
    site.use(feed)
    of_site = {name: partial(getattr(page_states, name), site) for name in ("render", "revision", "least_s")}
    live = Live(**of_site, on_shown=site.note_shown)
    middlewares = [time_requests, only_from_here, in_language, bearer.only_good_tokens, signin.only_who_may]
    app = web.Application(middlewares=middlewares, client_max_size=LARGEST_REQUEST)
    app[HAS_USERS] = users is not None
    app[LANGUAGES] = languages_of(settings.dashboard)
    app[CATALOGUES] = {}
    proxies = app[PROXIES] = Proxies(settings.dashboard)
    app[CONNECTIONS] = Connections(most=min(MOST, raise_descriptor_limit()), is_proxy=proxies.are_named)
    if users is not None:
        those_who_ask.let_in(app, settings, users)
    app[LOOKS] = Looks(_open_log(settings) if users is not None else None)
    app[SUPERVISION] = Supervision()
    app[PARTS] = Parts(site, feed, live, past or past_of(open_history(app, settings)), time.monotonic())
    app[ward_api.API] = ward_api.WardApi(site, feed, requests)
    app.on_response_prepare.extend([add_headers, note_streams])
    app.cleanup_ctx.append(_run_parts)
    app.on_shutdown.append(_let_viewers_go)
    _add_routes(app, settings, site)
    return app


def _open_log(settings: Settings) -> AccessLog:
    keep_days = settings.dashboard.access_log_days
    people_days = min(keep_days, settings.historian.keep_days)
    return AccessLog(settings.site.data / access_log.NAME, keep_days=keep_days, keep_people_days=people_days)


def _add_routes(app: web.Application, settings: Settings, site: Site) -> None:
    for path, name in PATHS.items():
        app.router.add_get(path, _page(name, settings.speed, app[LANGUAGES]))
    live_api.add_routes(app, NAME)
    app.router.add_get("/api/history", history)
    app.router.add_get("/api/catalogue", catalogue)
    app.router.add_get("/api/status", status)
    app.router.add_get("/static/{path:.+}", static_files.serve(pages.STATIC))
    ward_api.add_routes(app)
    devices_api.add_routes(app)
    those_who_ask.add_routes(app)
    openapi.add_routes(app)
    export.add_routes(app, settings)
    results_api.add_routes(app, settings)
    timed_api.add_routes(app, settings, site, NAME)
    notices_api.add_routes(app)
    fleet_api.add_routes(app)
    people_api.add_routes(app, settings)
    add_versions(app)


async def _run_parts(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    parts.feed.start()
    app[SUPERVISION].start("dashboard live", parts.live.run)
    app[SUPERVISION].start("dashboard waveforms", partial(ask_again, parts.site.all_waveforms))
    gate = app.get(signin.GATE)
    app[SUPERVISION].start("dashboard traces", app[timed_api.API].traces.run)
    app[SUPERVISION].start("dashboard log", partial(app[LOOKS].run, gate.users if gate else None))
    yield
    await app[SUPERVISION].end()
    await asyncio.to_thread(app[LOOKS].close)
    if gate is not None:
        gate.hashing.close()
    await parts.feed.stop()


async def _let_viewers_go(app: web.Application) -> None:
    app[PARTS].live.close()
    for waveforms in app[PARTS].site.all_waveforms():
        waveforms.close()


def _page(name: str, speed: float, languages: Languages) -> Callable[[web.Request], Any]:
    made: dict[str, static_files.Packed] = {}

    async def handler(request: web.Request) -> web.Response:
        language = spoken()
        if language.code not in made:
            page = pages.render(name, speed, language, languages.by_code)
            made[language.code] = static_files.Packed(page, "text/html")
        return made[language.code].answer(request)

    return handler


async def history(request: web.Request) -> web.Response:
    """Values of one metric over the last minutes: ``[[end_us, value or null, quality], …]``, oldest first.

    They are one person's: those of ``subject``, in whatever bed, or else of who is in ``slot`` now.
    """
    question = _question(request)
    if question is None:
        return _answer({"error": "slot or subject, metric, side and minutes (up to 1440) are needed"}, status=400)
    signin.note_look(request, "history", whose(question), slot=question.slot)
    try:
        curve = await asyncio.to_thread(request.app[PARTS].past, question)
    except sqlite3.Error as error:
        return _answer({"error": f"the history cannot be read: {error}"}, status=503)
    shown = {"subject": clean(curve.subject), "simulated": curve.simulated, "new_patient": curve.is_new}
    breaks = [{"from_us": s.from_us, "session": clean(s.session), "slot": clean(s.slot)} for s in curve.stretches]
    about = {"slot": question.slot, "metric": question.metric, "side": question.side}
    return _answer({**about, **shown, "sessions": breaks, "rows": curve.rows})


def _question(request: web.Request) -> Question | None:
    """Return which curve of whom is asked for; None where that cannot be told."""
    query, ward = request.query, request.app[PARTS].site.ward(request.query.get("gateway"))
    slot, subject, session = query.get("slot", ""), query.get("subject") or None, query.get("session") or None
    metric, side = CATALOGUE.get(query.get("metric", "")), SIDES.get(query.get("side", "none"))
    simulated = TRUTH.get(query.get("simulated", ""))
    try:
        minutes = float(query.get("minutes", "10"))
    except ValueError:
        return None
    if ward is None or not (slot or subject) or metric is None or side is None or not 0 < minutes <= LONGEST_MINUTES:
        return None
    wearer = ward.wearer(slot) if subject is None else None
    if wearer is not None:
        subject, simulated = wearer.subject, wearer.simulated
        session = session if subject else wearer.session  # without a pseudonym a session is all that tells people apart
    since_us = ward.now_us() - int(minutes * SECONDS_A_MINUTE * MICRO)
    return Question(
        gateway=ward.gateway, slot=slot, metric=metric.id, side=side, since_us=since_us, subject=subject,
        session=session, simulated=simulated, algorithm=query.get("algorithm") or None,
    )  # fmt: skip


async def catalogue(request: web.Request) -> web.Response:
    """Titles, units and digits of every metric; with ``language`` the titles are in that, as far as it has them."""
    made, language = request.app[CATALOGUES], spoken()
    if language.code not in made:
        made[language.code] = _catalogue(language)
    return made[language.code].answer(request)


def _catalogue(language: Language) -> static_files.Packed:
    found = {metric.id: asdict(metric) | _said(metric, language) for metric in METRICS}
    return static_files.Packed(orjson.dumps(found), "application/json")


def _said(metric: Metric, language: Language) -> dict[str, str]:
    """Return what is said of a metric in another language: without a title of its own, all of it stays as it is."""
    unit = {"unit_text": language.units.get(metric.unit_text, metric.unit_text)}
    title = language.metrics.get(metric.id)
    return unit if title is None else {**unit, "title": title, "description": ""}


async def status(request: web.Request) -> web.Response:
    """Say how the dashboard itself is doing."""
    parts = request.app[PARTS]
    signin.note_look(request, "status")
    dropped, ward = parts.feed.dropped + parts.site.losses(), parts.site.first
    return _answer(
        {
            "broker": parts.feed.up,
            "gateway": ward.status.gateway,
            "gateway_state": ward.gateway_state(),
            "gateway_age_s": ward.gateway_age_s(),
            "gateways": {other.gateway: other.gateway_state() for other in parts.site.wards()},
            "slots": sum(len(other.slot_ids()) for other in parts.site.wards()),
            "connections": len(request.app[CONNECTIONS]),
            "connections_ended": dict(request.app[CONNECTIONS].ended),
            "access_log_lost": request.app[LOOKS].lost,
            "viewers": parts.live.viewers,
            "strips": sum(waveforms.watchers for waveforms in parts.site.all_waveforms()),
            "dropped": dict(dropped),
            "delays": ward.delays.summary(),
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
    bound_logs()
    host, port = settings.dashboard.host, settings.dashboard.port
    context = tls_context(settings.dashboard)
    users = Users(settings.dashboard.users_file, settings.site.data) if settings.dashboard.users_file else None
    runner = web.AppRunner(
        make_app(settings, users=users), shutdown_timeout=SHUTDOWN_S, access_log=None, keepalive_timeout=IDLE_S,
        lingering_time=LINGER_S,
    )  # fmt: skip
    await runner.setup()
    assert runner.server is not None
    supervision, connections = runner.app[SUPERVISION], runner.app[CONNECTIONS]
    door = Door(connections, runner.server, tls=context)
    try:
        try:
            await door.listen(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
            raise UsageError(
                f"Port {port} of {host} is taken: stop the other program or set another dashboard.port."
            ) from error
        supervision.start("dashboard door", door.run)
        supervision.start("dashboard connections", connections.sweep)
        if ready:
            ready(f"http{'s' if context else ''}://{f'[{host}]' if ':' in host else host}:{port}/")
        await supervision.wait(stop)
    finally:
        await supervision.end(name for name in ("dashboard door",) if name in supervision.parts)
        door.close()
        await runner.cleanup()


def run_dashboard(settings: Settings, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve the pages until SIGTERM or SIGINT; ``ready`` is told the address. Raises UsageError."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(settings, stop=stop, ready=ready)

    look_seldom()
    leave_alone()  # nobody has a page open yet: a look at all of it later is a pause of every page
    asyncio.run(main())
