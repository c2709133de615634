"""Every route and method as every role and as nobody, with and without TLS; and what signing in withstands."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.dashboard import signin
from gateway.dashboard.access import ANYBODY, NOBODY, ROLES, TABLE, may, may_change, may_see
from gateway.dashboard.server import make_app, tls_context
from gateway.dashboard.users import User, Users, save
from gateway.dashboard.versions import is_api, unversioned, versioned
from gateway.wire.commands import WARD
from tests.certificates import Authority
from tests.gateway.dashboard.conftest import free_port

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
PATHS = {"/patient/{slot}": "/patient/bay-1", "/bed/{bed}": "/bed/bay-1", "/feedback/{slot}": "/feedback/bay-1",
         "/report/{session}": "/report/none", "/report/{session}/pdf": "/report/none/pdf",
         "/api/report/{session}": "/api/report/none", "/trend/{subject}": "/trend/p-1",
         "/api/trend/{subject}": "/api/trend/p-1", "/api/days/{subject}": "/api/days/p-1",
         "/test/{bed}": "/test/bay-1", "/api/test/{bed}": "/api/test/bay-1",
         "/waveform/{device}/{stream}": "/waveform/dot-1/imu", "/static/{path}": "/static/base.css"}  # fmt: skip
STREAMS = {"/events", "/waveform/{device}/{stream}"}
REFUSED = {303, 401, 403}
FORMS = {"/login", "/lock", "/unlock", "/pin"}

Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def digest() -> str:
    """A cheap hash: what it costs stands in it, and here nobody guesses."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture
def users_file(tmp_path: Path, digest: str) -> Path:
    path = tmp_path / "users.jsonl"
    save(path, [User(f"{role}-1", role, digest) for role in ROLES])
    return path


@dataclass
class Place:
    """A running dashboard with users."""

    client: Client
    app: web.Application
    users_file: Path

    @property
    def gate(self) -> signin.Gate:
        return self.app[signin.GATE]

    @property
    def origin(self) -> dict[str, str]:
        return {"Origin": str(self.client.make_url("/")).rstrip("/")}

    async def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> aiohttp.ClientResponse:
        form = {"name": name, "password": password, **fields}
        return await self.client.post("/login", data=form, headers=self.origin, allow_redirects=False)


def leads_to(answer: aiohttp.ClientResponse) -> str:
    """Return the path that a redirection leads to; it is told as seen from the request, for proxies with folders."""
    assert answer.headers["Location"].startswith(("./", "../"))
    return urljoin(answer.url.raw_path, answer.headers["Location"])


def settings_in(folder: Path, **dashboard: Any) -> Settings:
    return Settings(
        site=Site(data=folder),
        broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), **dashboard),
    )


@pytest.fixture(params=["plain", "tls"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, users_file: Path) -> AsyncIterator[Place]:
    files, client_tls = {}, None
    if request.param == "tls":
        authority = Authority(tmp_path / "ca")
        cert, key = authority.issue("localhost", server=True)
        files = {"cert_file": cert, "key_file": key}
        client_tls = ssl.create_default_context(cafile=authority.path)
    settings = settings_in(tmp_path, users_file=users_file, **files)
    app = make_app(settings, users=Users(users_file))
    server = TestServer(app, host="localhost", scheme="https" if client_tls else "http")
    await server.start_server(ssl=tls_context(settings.dashboard))
    connector = aiohttp.TCPConnector(ssl=client_tls or True)
    async with TestClient(server, connector=connector) as client:
        yield Place(client, app, users_file)


def routes(app: web.Application) -> set[tuple[str, str]]:
    return {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}


async def test_the_table_and_the_routes_are_the_same(place: Place) -> None:
    """A route that somebody adds is refused until it has a row, and this test says so."""
    assert {(m, unversioned(r)) for m, r in routes(place.app) if m != "HEAD"} == set(TABLE)


async def test_every_route_of_the_api_has_its_version_and_no_other_route_has_one(place: Place) -> None:
    found = routes(place.app)
    plain = {(method, route) for method, route in found if is_api(route)}
    assert {(method, versioned(route)) for method, route in plain} == {pair for pair in found if "/v1" in pair[1]}
    for who in (NOBODY, *ROLES):
        for method, route in plain:
            assert may(who, method, route) == may(who, method, versioned(route))


async def test_without_users_there_is_no_route_that_the_table_does_not_know(tmp_path: Path) -> None:
    assert {(m, r) for m, r in routes(make_app(settings_in(tmp_path))) if m != "HEAD" and r == unversioned(r)} <= set(
        TABLE
    )


async def test_every_route_and_method_as_everybody(place: Place) -> None:
    """Answers are compared with the table, and the table with what must never be (below)."""
    every = sorted({route for _, route in TABLE})
    for who in (NOBODY, *ROLES):
        place.client.session.cookie_jar.clear()
        for route in every:
            for method in METHODS:
                cookies = place.client.session.cookie_jar.filter_cookies(place.client.make_url("/"))
                if who != NOBODY and place.gate.cookie not in cookies:  # signed out by the last request
                    assert (await place.sign_in(f"{who}-1")).status == 303
                address = PATHS.get(route, route)
                async with place.client.request(
                    method, address, headers=place.origin, allow_redirects=False, timeout=aiohttp.ClientTimeout(10)
                ) as answer:
                    check(who, method, route, answer)


def check(who: str, method: str, route: str, answer: aiohttp.ClientResponse) -> None:
    asked = (who, method, route, answer.status)
    if method == "HEAD" and route in STREAMS:
        assert answer.status in {401, 405}, asked
    elif may(who, method, route):
        assert answer.status not in {401, 405} or route == "/login", asked
        if method == "POST" and route in FORMS:
            assert answer.status == 400, asked  # no form came with it
        elif route != "/logout":
            assert answer.status not in REFUSED, asked
    elif who == NOBODY:
        assert answer.status in {303, 401}, asked
        assert answer.status != 303 or leads_to(answer).startswith("/login?next="), asked
    else:
        assert answer.status in {403, 405}, asked


def test_what_must_never_be_in_the_table() -> None:
    assert {key for key, allowed in TABLE.items() if NOBODY in allowed} == {
        ("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/static/{path}"), ("POST", "/unlock"),
        ("GET", "/openid"), ("GET", "/openid/back"),
    }  # fmt: skip
    # A viewer's screen hangs on a wall: it writes nothing but its own signing in and out.
    writes = {key for key, allowed in TABLE.items() if key[0] != "GET" and "viewer" in allowed}
    assert writes == {("POST", "/login"), ("POST", "/logout"), ("POST", "/unlock"), ("POST", "/api/active")}
    assert all(allowed <= ANYBODY for allowed in TABLE.values())
    assert not may("viewer", "GET", "/devices")
    assert {role: set(may_change(role)) for role in ROLES} == {
        "viewer": set(), "researcher": set(), "admin": set(WARD),
        "clinician": set(WARD) - {"add-bed", "add-beds", "remove-bed", "add-device", "remove-device"},
        "technician": {"assign", "take-off", "add-bed", "add-beds", "remove-bed", "add-device", "remove-device"},
    }  # fmt: skip
    assert not may("admin", "GET", "/nowhere")
    assert not may("admin", "DELETE", "/")


async def test_live_state_is_sent_to_those_who_may_open_its_page(place: Place) -> None:
    for role in ROLES:
        place.client.session.cookie_jar.clear()
        assert (await place.sign_in(f"{role}-1")).status == 303
        for query, view in (
            ("", "ward"), ("?slot=bay-1", "slot/bay-1"), ("?view=devices", "devices"), ("?view=beds", "beds"),
            ("?bed=bay-1", "bed/bay-1"), ("?feedback=bay-1", "feedback/bay-1"), ("?number=cadence", "ward/cadence"),
        ):  # fmt: skip
            async with place.client.get(f"/events{query}") as answer:
                assert answer.status == (200 if may_see(role, view) else 403), (role, view)


async def test_a_route_without_a_row_is_refused_to_everybody(tmp_path: Path, users_file: Path) -> None:
    app = make_app(settings_in(tmp_path), users=Users(users_file))
    app.router.add_get("/new", signin.who_am_i)
    async with TestClient(TestServer(app)) as client:
        place = Place(client, app, users_file)
        assert (await client.get("/new")).status == 401
        assert (await place.sign_in("admin-1")).status == 303
        assert (await client.get("/new")).status == 403


async def test_a_socket_is_refused_too(place: Place) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await place.client.ws_connect("/waveform/dot-1/imu")


@pytest.mark.parametrize("cookie", ["", "x", "é", "a" * 5000, "../../etc/passwd", "None"])
async def test_a_cookie_that_was_made_up_is_nobody(place: Place, cookie: str) -> None:
    name = place.gate.cookie
    answer = await place.client.get("/api/history", headers={"Cookie": f"{name}={cookie}"})
    assert answer.status == (400 if len(cookie) > 8000 else 401)


async def test_the_cookie_is_kept_from_scripts_and_other_sites(place: Place) -> None:
    answer = await place.sign_in("clinician-1", next="/devices")
    assert answer.headers["Location"] == "./devices"
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    secure = place.client.make_url("/").scheme == "https"
    assert ("Secure" in cookie) is secure
    assert cookie.startswith("__Host-session=" if secure else "session=")
    assert ("Strict-Transport-Security" in answer.headers) is secure
    token = cookie.partition("=")[2].partition(";")[0]
    assert len(token) >= 43  # 256 bits
    assert token not in repr(vars(place.gate.sessions))  # we keep its hash only


async def test_signing_out_ends_the_session_and_what_streams(place: Place) -> None:
    await place.sign_in("clinician-1")
    async with place.client.get("/events") as stream:
        assert stream.status == 200
        await stream.content.readline()
        answer = await place.client.post("/logout", headers=place.origin, allow_redirects=False)
        assert answer.headers["Location"] == "./login"
        async with asyncio.timeout(5):
            await stream.content.read()  # to its end
    assert (await place.client.get("/api/history")).status == 401


async def test_who_is_taken_out_of_the_file_is_out_at_once(place: Place, digest: str) -> None:
    await place.sign_in("technician-1")
    assert (await place.client.get("/api/status")).status == 200
    save(place.users_file, [User("admin-1", "admin", digest)])
    assert (await place.client.get("/api/status")).status == 401
    assert (await place.sign_in("technician-1")).status == 403


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}]
)
async def test_a_form_of_another_site_is_refused(place: Place, headers: Mapping[str, str]) -> None:
    form = {"name": "admin-1", "password": PASSWORD}
    for path in ("/login", "/logout", "/api/active"):
        answer = await place.client.post(path, data=form, headers=headers, allow_redirects=False)
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


async def test_without_a_readable_file_nobody_is_told_that_their_password_is_wrong(place: Place) -> None:
    content = place.users_file.read_bytes()
    place.users_file.unlink()
    for _ in range(10):  # nor is anybody made to wait for it afterwards
        answer = await place.sign_in("admin-1")
        assert answer.status == 503
    assert "Nobody can sign in at present" in await answer.text()
    place.users_file.touch(0o600)
    place.users_file.write_bytes(content)
    assert (await place.sign_in("admin-1")).status == 303


async def test_guessing_grows_slow_and_says_nothing_about_names(place: Place) -> None:
    first = await place.sign_in("admin-1", "wrong")
    stranger = await place.sign_in("nobody-1", "wrong")
    assert first.status == stranger.status == 403
    assert await first.text() == await stranger.text()
    for _ in range(5):
        answer = await place.sign_in("admin-1", "wrong")
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert (await place.sign_in("admin-1")).status == 429  # not even with the right one, before the wait is over
    assert place.gate.limiter.wait_s("address 127.0.0.1") > 0


async def test_guesses_at_one_time_are_counted_before_they_are_answered(place: Place) -> None:
    answers = await asyncio.gather(*(place.sign_in("admin-1", f"guess {n}") for n in range(12)))
    assert sorted(answer.status for answer in answers) == [403] * 5 + [429] * 7


@pytest.mark.parametrize(
    "onward",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "\\\\evil", "", "/\n/x"],
)
async def test_signing_in_leads_nowhere_else(place: Place, onward: str) -> None:
    assert leads_to(await place.sign_in("admin-1", next=onward)) == "/"


async def test_signing_in_keeps_whose_bed_was_asked_for_and_nothing_else(place: Place) -> None:
    answer = await place.sign_in("admin-1", next="/bed/bay-1?x=1&gateway=so%0Auth%26")
    assert leads_to(answer) == "/bed/bay-1?gateway=so%0Auth%26"


async def test_what_is_typed_is_not_shown_as_page(place: Place) -> None:
    page = await (await place.client.get('/login?next=/"><script>alert(1)</script>')).text()
    assert "<script" not in page


@pytest.mark.parametrize("length", [300, 5000, 100_000])
async def test_a_form_that_is_too_large_is_refused_without_work(place: Place, length: int) -> None:
    began = time.process_time()
    answer = await place.sign_in("admin-1", "x" * length)
    assert answer.status in {400, 403, 413}
    assert time.process_time() - began < 0.2


async def test_tls_is_version_1_2_at_least(place: Place) -> None:
    url = place.client.make_url("/")
    if url.scheme != "https":
        return
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("localhost", url.port, ssl=old)
