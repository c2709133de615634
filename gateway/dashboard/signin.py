"""Signing in and out, and the gate that every request passes when there are users."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.audit.access_log import Person
from gateway.dashboard import login_page
from gateway.dashboard.access import NOBODY, may, may_answer, may_change, may_pair, may_see
from gateway.dashboard.connections import HERE, Owner, own
from gateway.dashboard.guard import SAFE_METHODS, names_its_page
from gateway.dashboard.hashing import BusyError, Hashing
from gateway.dashboard.known_browsers import KEEP_S, KnownBrowsers
from gateway.dashboard.language import links
from gateway.dashboard.login_page import Ways
from gateway.dashboard.looks import LOOKS
from gateway.dashboard.openid_provider import PROVIDER
from gateway.dashboard.passwords import LONGEST, composed
from gateway.dashboard.pins import Pins, Today
from gateway.dashboard.proxies import PROXIES, neighbourhood
from gateway.dashboard.sessions import Limiter, Session, Sessions
from gateway.dashboard.users import NAME, User, Users, known_as
from gateway.texts.languages import text

log = logging.getLogger(__name__)

LARGEST_FORM = 4096
FORM_WITHIN_S = 10.0
"""From the headers of a form to its end: it is less than one packet."""
BUSY_WAIT_S = 5.0
KEPT = ("gateway", "kiosk", "number", "show", "ward", "sort", "find", "turn", "subject", "baseline")
"""Of an address that is asked for: without its gateway it would be the bed of that name of another, without its subject
or baseline a report beside something else, and a screen on a wall has nobody to choose again what it shows."""
OPENED_BY_PEOPLE = frozenset({
    "/", "/patient/{slot}", "/feedback/{slot}", "/devices", "/dock", "/fleet", "/people", "/beds", "/bed/{bed}",
    "/test/{bed}", "/pin", "/report/{session}", "/trend/{subject}",
})  # fmt: skip
"""Routes that a person opens: a sign that somebody is there. Everything else a page asks for by itself."""


@dataclass(slots=True)
class Gate:
    """What signing in needs; there is none where there are no users."""

    users: Users
    sessions: Sessions
    limiter: Limiter
    hashing: Hashing
    browsers: KnownBrowsers
    secure: bool
    pins: Pins
    today: Today
    key: bytes

    @property
    def cookie(self) -> str:
        """Return the cookie's name; ``__Host-`` binds it to this host and to TLS (RFC 6265bis, section 4.1.3)."""
        return "__Host-session" if self.secure else "session"

    @property
    def browser_cookie(self) -> str:
        """Return the name of the cookie by which a browser is known."""
        return "__Host-browser" if self.secure else "browser"


@dataclass(frozen=True, slots=True)
class Try:
    """A name and a password that somebody has typed, and how it is limited.

    Attributes:
        address: Where it comes from.
        browser: Number of a browser that has signed this user in before; empty for a stranger.
    """

    name: str
    password: str
    onward: str
    address: str
    browser: str

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what counts this try. What strangers do is no limit of a browser that is known."""
        if self.browser:
            return (f"browser {self.browser}",)
        return f"name {self.name[:64]}", f"address {neighbourhood(self.address)}"

    def is_possible(self) -> bool:
        """Whether anybody could have such a name and password; seen without any work."""
        return NAME.fullmatch(self.name) is not None and 0 < len(composed(self.password)) <= LONGEST


GATE = web.AppKey("gate", Gate)
SESSION = web.RequestKey("session", Session)


def make_gate(users: Users, *, idle_minutes: float, secure: bool, key: bytes, pins: Pins) -> Gate:
    """Return the gate of these users.

    Args:
        users: Who may sign in.
        idle_minutes: Without a sign of a person for so long, a session is over.
        secure: Whether browsers reach us over TLS, so that the cookie never travels without.
        key: Signs the cookies by which browsers are known.
        pins: Of people who go on with one.
    """
    sessions = Sessions(users, idle_s=idle_minutes * 60)
    return Gate(users, sessions, Limiter(), Hashing(users), KnownBrowsers(key), secure, pins, Today(), key)


@web.middleware
async def only_who_may(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request pass if the table says so; nobody is sent to sign in, whoever is signed in is told no."""
    gate = request.app.get(GATE)
    if gate is None:
        own(request, HERE)
        return await handler(request)
    if SESSION in request:  # a program, by its token: see `gateway.dashboard.bearer`
        return await handler(request)
    token = request.cookies.get(gate.cookie, "")
    session = gate.sessions.get(token) if token else None
    who = session.user.role if session else NOBODY
    own(request, Owner(id(session), session.user.name) if session else None)
    route = _route(request)
    if request.method not in SAFE_METHODS and not names_its_page(request):
        raise web.HTTPForbidden(text="A form is taken from our own pages only.\n")  # the guard has compared the others
    if not may(who, request.method, route):
        if session is not None:
            if request.match_info.http_exception is not None:
                return await handler(request)  # there is no such page, or it cannot do that: says so itself
            raise web.HTTPForbidden(text=text("answers.not_for_role", role=text(f"words.{who}")) + "\n")
        if request.method in SAFE_METHODS and route in OPENED_BY_PEOPLE:
            raise web.HTTPSeeOther(from_here(request, f"/login?next={quote(request.path_qs, safe='')}"))
        raise web.HTTPUnauthorized(text="Sign in first.\n")
    if session is not None:
        request[SESSION] = session
        if route in OPENED_BY_PEOPLE:
            gate.sessions.touch(token)
    return await handler(request)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


def still_may(request: web.Request) -> bool:
    """Whether what streams to this request may go on: its session still holds."""
    gate, session = request.app.get(GATE), request.get(SESSION)
    return gate is None or (session is not None and gate.sessions.good(session))


def check_view(request: web.Request, view: str) -> None:
    """Raise HTTPForbidden when the live state of a view is not for whoever asks."""
    session = request.get(SESSION)
    if request.app.get(GATE) is not None and (session is None or not may_see(session.user.role, view)):
        raise web.HTTPForbidden(text="This is not for your role.\n")


def add_routes(app: web.Application) -> None:
    """Add the routes of signing in and out; without users they only say that there are none."""
    app.router.add_get("/api/session", who_am_i)
    if app.get(GATE) is not None:
        app.router.add_get("/login", form)
        app.router.add_post("/login", sign_in)
        app.router.add_post("/logout", sign_out)
        app.router.add_post("/api/active", active)


async def who_am_i(request: web.Request) -> web.Response:
    """Say who is signed in, what they may change, and after how many seconds without a person the session ends."""
    gate, session = request.app.get(GATE), request.get(SESSION)
    who = (
        {
            "user": session.user.name,
            "role": session.user.role,
            "idle_s": gate.sessions.idle_s,
            "may": may_change(session.user.role),
            "reads": may(session.user.role, "GET", "/report/{session}"),
            "may_answer": may_answer(session.user.role),
            "may_pair": may_pair(session.user.role),
        }
        if gate and session
        else {}
    )
    return web.Response(body=orjson.dumps(who), content_type="application/json")


async def active(request: web.Request) -> web.Response:
    """Note that a person has moved on the page."""
    gate = request.app[GATE]
    gate.sessions.touch(request.cookies.get(gate.cookie, ""))
    return web.Response(status=204)


async def form(request: web.Request) -> web.Response:
    """Show the form."""
    return show_form(request, request.query.get("next", "/"))


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Check name and password; wrong ones cost more and more time."""
    gate, looks = request.app[GATE], request.app[LOOKS]
    tried = await _read_try(request)
    known = tried.name if gate.users.get(tried.name) else ""  # else no name: people type their password there
    wait_s = gate.limiter.wait_s(*tried.limits)
    if wait_s > 0:
        looks.repeat("refused", user=known, address=tried.address, why="too many tries")
        return show_form(
            request, tried.onward, text("signing.too_many_tries", n=math.ceil(wait_s)), status=429, wait_s=wait_s
        )
    gate.limiter.failed(*tried.limits)  # before the answer is known: many tries at one time are many
    try:
        user = await _verify(request, tried)
    except BusyError:
        gate.limiter.withdrawn(*tried.limits)
        looks.repeat("refused", user=known, address=tried.address, why="busy")
        reason = text("signing.too_many_are_signing_in", seconds=f"{BUSY_WAIT_S:g}")
        return show_form(request, tried.onward, reason, status=503, wait_s=BUSY_WAIT_S)
    if user is None and gate.users.unreadable:
        gate.limiter.withdrawn(*tried.limits)
        looks.repeat("refused", user=known, address=tried.address, why="no users file")
        return show_form(request, tried.onward, text("signing.nobody_can"), status=503)
    if user is None:
        log.info("sign-in refused from %s", tried.address)
        looks.repeat("refused", user=known, address=tried.address, why="wrong")
        return show_form(request, tried.onward, text("signing.wrong"), status=403)
    gate.limiter.succeeded(*tried.limits)
    log.info("%s signed in as %s", user.name, user.role)
    looks.record("signed-in", user=user.name, role=user.role, address=tried.address, known_browser=bool(tried.browser))
    answer = web.HTTPSeeOther(from_here(request, ours(tried.onward)))
    let_in(request, user, answer)
    raise answer


async def read_form(request: web.Request) -> Mapping[str, object]:
    """Return the fields of one of our small forms; raises HTTPBadRequest for what is none."""
    if (request.content_length or 0) > LARGEST_FORM or request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest(text="This is not our form.\n")
    try:
        async with asyncio.timeout(FORM_WITHIN_S):
            return await read_fields(request)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The form did not come.\n") from None


async def read_fields(request: web.Request) -> Mapping[str, object]:
    """Return the fields of a form; raises HTTPBadRequest where its letters are of an alphabet that nobody knows."""
    try:
        return await request.post()
    except (LookupError, UnicodeError):
        raise web.HTTPBadRequest(text="This is not our form.\n") from None


async def _read_try(request: web.Request) -> Try:
    fields = await read_form(request)
    typed, password, onward = (str(fields.get(key, "")) for key in ("name", "password", "next"))
    name = known_as(typed)
    gate = request.app[GATE]
    browser = gate.browsers.number(request.cookies.get(gate.browser_cookie, ""), gate.users.get(name))
    return Try(name, password, onward, request.app[PROXIES].client(request), browser)


async def _verify(request: web.Request, tried: Try) -> User | None:
    """Return whose password it is; raises BusyError."""
    if not tried.is_possible():
        return None
    return await request.app[GATE].hashing.verify(
        tried.name, tried.password, known=bool(tried.browser), wanted=lambda: request.transport is not None
    )


def let_in(
    request: web.Request, user: User, answer: web.StreamResponse, *, began: float | None = None, id_token: str = ""
) -> None:
    """Open a session, and put its cookies on an answer; ``began`` is that of a whole sign-in before, for a PIN."""
    gate = request.app[GATE]
    gate.sessions.close(request.cookies.get(gate.cookie, ""))
    known = gate.browsers.with_user(request.cookies.get(gate.browser_cookie, ""), user)
    token = gate.sessions.open(user, began=began, id_token=id_token)
    if began is None:
        gate.today.note(gate.browsers.number(known, user), user)
    for name, value, age_s in ((gate.cookie, token, None), (gate.browser_cookie, known, KEEP_S)):
        answer.set_cookie(name, value, max_age=age_s, httponly=True, samesite="Strict", secure=gate.secure, path="/")


async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session, what streams to it and the way back with a PIN; of a trust's sign-in, the session there too."""
    session, provider = end_session(request, "signed-out"), request.app.get(PROVIDER)
    away = None
    if session is not None:
        gate = request.app[GATE]
        number = gate.browsers.number(request.cookies.get(gate.browser_cookie, ""), session.user)
        gate.today.forget(number, session.user.name)
        if provider is not None and session.id_token:
            back = f"{provider.origin(request)}/login"
            away = await provider.sign_out_address(session.id_token, back=back)
    if away is None:
        answer: web.Response = web.HTTPSeeOther(from_here(request, "/login"))
    else:
        page = login_page.onward(away, text("signing.signed_out_here"), root=from_here(request, "/"))
        answer = web.Response(text=page, content_type="text/html")
    drop_cookie(request, answer)
    if isinstance(answer, web.HTTPException):
        raise answer
    return answer


def end_session(request: web.Request, what: str) -> Session | None:
    """End the session of a request, and tell the log; return whose it was."""
    gate, session = request.app[GATE], request.get(SESSION)
    if session is not None:
        address = request.app[PROXIES].client(request)
        request.app[LOOKS].record(what, user=session.user.name, role=session.user.role, address=address)
    gate.sessions.close(request.cookies.get(gate.cookie, ""))
    return session


def drop_cookie(request: web.Request, answer: web.StreamResponse) -> None:
    """Take the cookie of a session back."""
    gate = request.app[GATE]
    answer.del_cookie(gate.cookie, path="/", secure=gate.secure, httponly=True, samesite="Strict")


def note_look(request: web.Request, page: str, people: Sequence[Person] = (), **fields: str) -> None:
    """Tell the log what somebody looks at, and whom it is about."""
    session = request.get(SESSION)
    if session is not None:
        request.app[LOOKS].repeat(
            "look", people, user=session.user.name, role=session.user.role,
            address=request.app[PROXIES].client(request), page=page, **fields,
        )  # fmt: skip


def show_form(
    request: web.Request, onward: str, reason: str = "", *, status: int = 200, wait_s: float = 0.0
) -> web.Response:
    """Show the page with all the ways in, and why somebody was not let in."""
    gate, provider = request.app[GATE], request.app.get(PROVIDER)
    other = links(request, f"login?next={quote(ours(onward), safe='')}&")
    ways = Ways(returning(request, gate), provider.settings.label if provider else "", other)
    headers = {hdrs.RETRY_AFTER: str(math.ceil(wait_s))} if wait_s else {}
    page = login_page.sign_in(ours(onward), reason, ways)
    return web.Response(text=page, content_type="text/html", status=status, headers=headers)


def returning(request: web.Request, gate: Gate) -> list[str]:
    """Return the names of those who may go on with a PIN in this browser, whoever was there last first."""
    cookie = request.cookies.get(gate.browser_cookie, "")
    return [name for name in gate.browsers.names(cookie) if may_return(gate, cookie, name) is not None]


def may_return(gate: Gate, cookie: str, name: str) -> tuple[str, User, float] | None:
    """Return the browser's number, who it is and when they signed in whole; None for who has to do that now."""
    for number in gate.browsers.numbers(cookie, name):
        found = gate.today.find(number, name)
        if found is None:
            continue
        user, since = found
        real = gate.browsers.number(cookie, user) == number  # else somebody has made it up
        if real and gate.sessions.is_user(user) and gate.pins.has(user):
            return number, user, since
    return None


def from_here(request: web.Request, address: str) -> str:
    """Return an address of this server as seen from a request: behind a proxy all of them may be within a folder."""
    up = request.rel_url.raw_path.count("/") - 1
    return ("../" * up or "./") + address.lstrip("/")


def ours(address: str) -> str:
    """Return a path of this server, and whose beds it is of; whatever could lead elsewhere is the first page."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    plain = not parts.scheme and not parts.netloc and address.startswith("/") and address.isprintable()
    if not plain or address.startswith(("//", "/\\")) or "\\" in address:
        return "/"
    query = parse_qs(parts.query, keep_blank_values=True)
    kept = "&".join(f"{name}={quote(query[name][0], safe='')}" for name in KEPT if name in query)
    return f"{parts.path}?{kept}" if kept else parts.path
