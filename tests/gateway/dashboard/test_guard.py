"""Whose pages are ours, who stands behind a proxy, and a proxy before a dashboard that has no users."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from argon2 import PasswordHasher

from config.checks import check
from config.settings import Broker, Dashboard, Settings, Site
from gateway.dashboard.proxies import PROXIES, Proxies, neighbourhood
from gateway.dashboard.server import make_app
from gateway.dashboard.users import User, Users, save
from tests.certificates import Authority
from tests.gateway.dashboard.conftest import free_port
from tests.nginx import as_installed, documented, nginx

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
PUBLIC = "https://ward.example"
Client = TestClient[Any, Any]


def settings_in(folder: Path, **dashboard: Any) -> Settings:
    broker = Broker(embedded=False, port=free_port())
    return Settings(site=Site(data=folder), broker=broker, dashboard=Dashboard(port=free_port(), **dashboard))


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(tmp_path / "users.jsonl", [User("anna", "clinician", digest)])
    return tmp_path / "users.jsonl"


@pytest.fixture
async def client(tmp_path: Path, users_file: Path) -> AsyncIterator[Client]:
    """A dashboard behind a proxy that is named."""
    settings = settings_in(tmp_path, users_file=users_file, public_url=PUBLIC, proxies=["127.0.0.1"])
    async with TestClient(TestServer(make_app(settings, users=Users(users_file)))) as made:
        yield made


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Client]:
    """A dashboard without users."""
    async with TestClient(TestServer(make_app(settings_in(tmp_path)))) as made:
        yield made


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": PUBLIC}, 303),
        ({"Origin": "https://ward.example:443"}, 303),
        ({"Origin": PUBLIC, "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303),  # something on the way set another policy
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),  # a frame in a sandbox
        ({"Origin": "null", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Origin": PUBLIC, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Origin": PUBLIC, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "http://ward.example"}, 403),  # the same name without TLS: anybody on the way
        ({"Origin": "https://ward.example:8443"}, 403),
        ({"Origin": "https://ward.example.evil.example"}, 403),
        ({"Origin": "https://user@evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "https://[half"}, 403),
    ],
)
async def test_a_form_is_taken_from_our_own_pages_only(client: Client, headers: Mapping[str, str], status: int) -> None:
    form = {"name": "anna", "password": PASSWORD}
    answer = await client.post("/login", data=form, headers=headers, allow_redirects=False)
    assert answer.status == status
    assert ("Set-Cookie" in answer.headers) is (status == 303)
    out = await client.post("/logout", headers=headers, allow_redirects=False)
    assert out.status == status


@pytest.mark.parametrize("charset", ["nothing", "utf-8", "idna", "hex"])
async def test_a_form_in_letters_that_nobody_knows_is_none(client: Client, charset: str) -> None:
    headers = {"Origin": PUBLIC, "Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    answer = await client.post("/login", data=b"name=\xff\xfe\x00", headers=headers, allow_redirects=False)
    assert answer.status == 400


async def test_a_link_from_elsewhere_opens_a_page_and_a_script_from_elsewhere_opens_nothing(client: Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await client.get("/login", headers=link)).status == 200
    script = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert (await client.get("/login", headers=script)).status == 403


async def test_the_policy_lets_a_browser_name_our_page(client: Client) -> None:
    """With "no-referrer" every browser posts our own form with "Origin: null"."""
    assert (await client.get("/login")).headers["Referrer-Policy"] == "same-origin"


async def test_the_cookie_is_secure_where_browsers_use_tls(client: Client) -> None:
    form = {"name": "anna", "password": PASSWORD}
    answer = await client.post("/login", data=form, headers={"Origin": PUBLIC}, allow_redirects=False)
    assert all("Secure" in cookie for cookie in answer.headers.getall("Set-Cookie"))
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["1.2.3.4, 203.0.113.7"], "203.0.113.7"),  # the browser wrote the first
        ("127.0.0.1", ["1.2.3.4", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.1.2.3"], "203.0.113.7"),  # a second proxy that is named
        ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("127.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, nonsense"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("198.51.100.9", ["203.0.113.7"], "198.51.100.9"),  # nobody whom we have named
    ],
)
def test_the_address_is_the_word_of_a_named_proxy_only(peer: str, forwarded: list[str], found: str) -> None:
    proxies = Proxies(Dashboard(public_url=PUBLIC, proxies=["127.0.0.1", "10.1.0.0/16"]))
    request = make_mocked_request("GET", "/", headers=[("X-Forwarded-For", line) for line in forwarded])
    assert proxies.client(request.clone(remote=peer)) == found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True), ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
     ("192.0.2.1", "192.0.2.2", False), ("::ffff:192.0.2.1", "192.0.2.1", True), ("fe80::1%eth0", "fe80::2", True)],
)  # fmt: skip
def test_a_network_that_is_one_subscriber_s_is_one_address(one: str, other: str, same: bool) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is same


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}, {"X-Real-IP": "203.0.113.7"},
     {"Via": "1.1 proxy"}, {"X-Forwarded-Proto": "https"}, {"Referer": "http://ward.example/"}],
)  # fmt: skip
async def test_without_users_nothing_that_came_through_a_proxy_is_answered(
    alone: Client, headers: Mapping[str, str]
) -> None:
    for path in ("/", "/events", "/api/history", "/static/base.css"):
        answer = await alone.get(path, headers=headers)
        assert answer.status == 403
        assert "dashboard.users_file" in await answer.text()
    assert (await alone.get("/api/session")).status == 200


async def test_without_users_our_own_pages_are_answered(alone: Client) -> None:
    here = str(alone.make_url("/"))
    for headers in ({"Referer": here}, {"Referer": "https://intranet.example/", "Sec-Fetch-Site": "cross-site",
                                        "Sec-Fetch-Mode": "navigate"}):  # fmt: skip
        assert (await alone.get("/", headers=headers)).status == 200


def get(
    port: int, path: str, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1", **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    if tls is not None:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, source_address=(source, 0), context=tls)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


async def test_nginx_as_installed_does_not_open_a_dashboard_without_users(alone: Client, tmp_path: Path) -> None:
    front, upstream = free_port(), alone.port
    assert upstream
    with nginx(tmp_path / "nginx", front, as_installed(front, upstream)):
        status, body = await asyncio.to_thread(get, front, "/api/history")
    assert (status, "dashboard.users_file" in body) == (403, True)


async def test_behind_the_documented_nginx_limits_see_the_browser(tmp_path: Path, users_file: Path) -> None:
    """What a browser claims of itself is replaced by what nginx sees of it."""
    settings = settings_in(tmp_path, users_file=users_file, public_url=PUBLIC, proxies=["127.0.0.1"])
    app, heard = make_app(settings, users=Users(users_file)), []

    async def note(request: web.Request, _response: web.StreamResponse) -> None:
        heard.append(request.app[PROXIES].client(request))

    app.on_response_prepare.append(note)
    authority, front = Authority(tmp_path / "ca"), free_port()
    cert, key = authority.issue("localhost", server=True)
    tls = ssl.create_default_context(cafile=str(authority.path))
    async with TestClient(TestServer(app)) as client:
        assert client.port
        with nginx(tmp_path / "nginx", front, documented(front, client.port, cert, key)):
            for claim in ({}, {"X-Forwarded-For": "198.51.100.1"}):
                status, _ = await asyncio.to_thread(get, front, "/login", tls, "127.0.0.9", **claim)
                assert status == 200
    assert heard == ["127.0.0.9", "127.0.0.9"]


@pytest.mark.parametrize(
    ("dashboard", "reason"),
    [
        ({"proxies": ["127.0.0.1"], "users_file": Path("u")}, "needs dashboard.public_url"),
        ({"proxies": ["127.0.0.1"], "public_url": PUBLIC}, "dashboard.proxies needs dashboard.users_file"),
        ({"proxies": ["nginx"], "public_url": PUBLIC, "users_file": Path("u")}, "no address"),
        ({"proxies": ["0.0.0.0/0"], "public_url": PUBLIC, "users_file": Path("u")}, "everybody"),
        ({"proxies": ["::/0"], "public_url": PUBLIC, "users_file": Path("u")}, "everybody"),
        ({"public_url": PUBLIC}, "dashboard.public_url needs dashboard.users_file"),
        ({"public_url": "http://ward.example", "users_file": Path("u")}, "over http"),
        ({"public_url": "https://ward.example/ward", "users_file": Path("u")}, "has a path"),
        ({"public_url": "ward.example", "users_file": Path("u")}, "write https://"),
        ({"public_url": "https://[half", "users_file": Path("u")}, "write https://"),
        ({"public_url": "https://ward.example:port", "users_file": Path("u")}, "write https://"),
        ({"public_url": "https://anna@ward.example", "users_file": Path("u")}, "write https://"),
    ],
)
def test_a_proxy_that_would_open_the_pages_is_refused(dashboard: dict[str, Any], reason: str) -> None:
    found = [sentence for _, sentence in check(Settings(dashboard=Dashboard(**dashboard)), None)]
    assert any(reason in sentence for sentence in found), found


def test_the_documented_proxy_is_right() -> None:
    dashboard = Dashboard(proxies=["127.0.0.1", "10.1.0.0/16"], public_url=f"{PUBLIC}:8443/", users_file=Path("u"))
    assert [path for path, _ in check(Settings(dashboard=dashboard), None) if path[0] == "dashboard"] == []
