"""Who waits for whom at the sign-in: a browser that is known for nobody, strangers for what strangers do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit import access_log
from gateway.dashboard.hashing import WAITING, BusyError, Hashing
from gateway.dashboard.known_browsers import USERS, KnownBrowsers, load_key
from gateway.dashboard.server import make_app
from gateway.dashboard.sessions import (
    FREE_FAILURES,
    FREE_OF_NAME,
    MOST_WAIT_OF_NAME_S,
    Limiter,
)
from gateway.dashboard.shares import PAGES
from gateway.dashboard.signin import Try
from gateway.dashboard.users import User, Users, save
from tests.gateway.dashboard.conftest import free_port

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
DIGEST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
OTHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("another")
ANNA, BERT = User("anna", "clinician", DIGEST), User("bert", "admin", DIGEST)


@dataclass
class Browser:
    """A browser with its cookies, at an address that the named proxy tells."""

    session: aiohttp.ClientSession
    base: str
    address: str

    async def sign_in(self, name: str, password: str = PASSWORD) -> int:
        form = {"name": name, "password": password}
        headers = {"Origin": self.base, "X-Forwarded-For": self.address}
        async with self.session.post(f"{self.base}/login", data=form, headers=headers, allow_redirects=False) as answer:
            self.retry_after = int(answer.headers.get("Retry-After", 0))
            return answer.status

    async def sign_out(self) -> None:
        async with self.session.post(f"{self.base}/logout", headers={"Origin": self.base}, allow_redirects=False):
            pass

    async def get(self, path: str) -> int:
        async with self.session.get(f"{self.base}{path}", allow_redirects=False) as answer:
            return answer.status


class Ward:
    """A dashboard behind a named proxy, so that each browser has an address of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.users_file = folder / "users.jsonl"

    def app(self) -> web.Application:
        dashboard = Dashboard(users_file=self.users_file, port=free_port(), proxies=["127.0.0.1"])
        broker = Broker(embedded=False, port=free_port())
        settings = Settings(site=Site(data=self.folder), broker=broker, dashboard=dashboard)
        return make_app(settings, users=Users(self.users_file))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TestServer]:
        server = TestServer(self.app(), host="localhost")
        async with server:
            yield server

    @asynccontextmanager
    async def browser(self, server: TestServer, address: str) -> AsyncIterator[Browser]:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            yield Browser(session, str(server.make_url("/")).rstrip("/"), address)


@pytest.fixture
def site(tmp_path: Path) -> Ward:
    save(tmp_path / "users.jsonl", [ANNA, BERT])
    return Ward(tmp_path)


async def test_wrong_tries_elsewhere_lock_nobody_out(site: Ward) -> None:
    """Not her browser, not a new browser of hers, and after a restart neither."""
    async with site.running() as server, site.browser(server, "203.0.113.1") as ward:
        assert await ward.sign_in("anna") == 303
        await ward.sign_out()
        cookies = ward.session.cookie_jar
        async with site.browser(server, "198.51.100.1") as stranger:
            tries = [await stranger.sign_in("anna", f"wrong {n}") for n in range(8)]
            assert tries == [403] * FREE_FAILURES + [429] * 3
            assert await stranger.sign_in("anna") == 429
        assert await ward.sign_in("anna") == 303
        async with site.browser(server, "203.0.113.2") as new:
            assert await new.sign_in("anna") == 303
    async with site.running() as server, site.browser(server, "198.51.100.1") as again:
        again.session.cookie_jar.update_cookies({c.key: c.value for c in cookies if c.key == "browser"})
        async with site.browser(server, "198.51.100.1") as stranger:
            for n in range(8):
                await stranger.sign_in("anna", f"wrong {n}")
        assert await again.sign_in("anna") == 303  # from the very address of the stranger


async def test_a_crowd_that_tries_one_name_makes_strangers_wait_and_not_her_browser(site: Ward) -> None:
    async with site.running() as server, site.browser(server, "203.0.113.1") as ward:
        assert await ward.sign_in("anna") == 303
        for n in range(FREE_OF_NAME):
            async with site.browser(server, f"198.51.100.{n}") as stranger:
                assert await stranger.sign_in("anna", "wrong") == 403
        async with site.browser(server, "203.0.113.2") as new:
            assert await new.sign_in("anna") == 429
            assert new.retry_after <= MOST_WAIT_OF_NAME_S
            assert await new.sign_in("bert") == 303  # another name there does not wait
        assert await ward.sign_in("anna") == 303


async def test_a_name_with_a_capital_and_a_blank_as_tablets_type_it_signs_in_and_is_limited_as_one(site: Ward) -> None:
    async with site.running() as server, site.browser(server, "203.0.113.1") as ward:
        assert await ward.sign_in("Anna ") == 303
        for n in range(FREE_OF_NAME):
            async with site.browser(server, f"198.51.100.{n}") as stranger:
                await stranger.sign_in(("anna", "Anna", " ANNA")[n % 3], "wrong")
        async with site.browser(server, "203.0.113.7") as new:
            assert await new.sign_in("anna") == 429


def test_a_password_is_tried_that_is_too_long_only_as_a_keyboard_spells_it() -> None:
    letters = "a\u0308" * 200  # two signs each
    assert Try("anna", letters, "/", "203.0.113.1", "").is_possible()
    assert not Try("anna", letters + letters, "/", "203.0.113.1", "").is_possible()


async def test_a_known_browser_that_guesses_waits_too(site: Ward) -> None:
    async with site.running() as server, site.browser(server, "203.0.113.1") as ward:
        assert await ward.sign_in("anna") == 303
        tries = [await ward.sign_in("anna", f"wrong {n}") for n in range(FREE_FAILURES + 2)]
        assert tries == [403] * FREE_FAILURES + [429] * 2
        assert await ward.sign_in("anna") == 429
        tries = [await ward.sign_in("bert", f"wrong {n}") for n in range(FREE_FAILURES + 2)]
        assert tries == [403] * FREE_FAILURES + [429] * 2  # known for anna, a stranger for bert


async def test_who_has_a_network_of_addresses_is_one(site: Ward) -> None:
    async with site.running() as server:
        found = []
        for n in range(FREE_FAILURES + 2):
            async with site.browser(server, f"2001:db8::{n:x}") as stranger:
                found.append(await stranger.sign_in("anna", "wrong"))
        assert found == [403] * FREE_FAILURES + [429] * 2


class Slow(Users):
    """Users whose passwords take as long as a test wants."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go = threading.Event()
        self.checked: list[str] = []

    def verify(self, name: str, password: str) -> User | None:
        self.checked.append(name)
        if name != "anna":
            assert self.go.wait(20)
        return super().verify(name, password)


async def test_a_thousand_wrong_passwords_delay_no_known_browser(site: Ward) -> None:
    """A thousand addresses try at once: a few wait, the rest are told so before any work, and anna is let in."""
    users = Slow(site.users_file)
    hashing = Hashing(users)
    strangers = [
        asyncio.create_task(hashing.verify(f"guess-{n}", "x", known=False, wanted=lambda: True)) for n in range(1000)
    ]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await hashing.verify("anna", PASSWORD, known=True, wanted=lambda: True) == ANNA
    users.go.set()
    results = await asyncio.gather(*strangers, return_exceptions=True)
    assert sum(isinstance(result, BusyError) for result in results) == 1000 - WAITING - 1
    assert len(users.checked) == WAITING + 2
    hashing.close()


async def test_nobody_works_for_who_has_gone(site: Ward) -> None:
    users = Slow(site.users_file)
    hashing = Hashing(users)
    assert await hashing.verify("guess", "x", known=False, wanted=lambda: False) is None
    assert users.checked == []
    hashing.close()


def test_who_was_not_looked_at_has_not_failed() -> None:
    limiter = Limiter()
    for _ in range(100):
        limiter.failed("address x")
        limiter.withdrawn("address x")
    assert limiter.wait_s("address x") == 0


def test_a_cookie_is_known_for_those_who_signed_in_and_for_their_password_only(tmp_path: Path) -> None:
    known = KnownBrowsers(load_key(tmp_path))
    cookie = known.with_user(known.with_user("", ANNA), BERT)
    assert known.number(cookie, ANNA)
    assert known.number(cookie, BERT) != known.number(cookie, ANNA)
    assert known.number(known.with_user(cookie, ANNA), ANNA) == known.number(cookie, ANNA)
    assert KnownBrowsers(load_key(tmp_path)).number(cookie, ANNA)  # the key is kept
    assert not known.number(cookie, User("carl", "viewer", DIGEST))
    assert not known.number(cookie, User("anna", "clinician", OTHER))  # a new password
    assert not KnownBrowsers(b"x" * 32).number(cookie, ANNA)
    assert not known.number(cookie.replace("anna", "carl"), User("carl", "viewer", DIGEST))
    assert not known.number(cookie, None)
    for made_up in ("", "~", ":::", "anna:x:", "anna::", "é", "anna:x:é", "~" * 5000, "a:b:c:d"):
        assert not known.number(made_up, ANNA)
    for n in range(50):
        cookie = known.with_user(cookie, User(f"{'x' * 28}-{n}", "viewer", DIGEST))
    assert cookie.count("~") == USERS - 1
    assert len(cookie) < 1000
    assert (tmp_path / "browsers.key").stat().st_mode & 0o777 == 0o600


async def test_one_browser_does_not_use_up_all_streams_and_many_tabs_work(site: Ward) -> None:
    async with site.running() as server, site.browser(server, "203.0.113.1") as hog:
        assert await hog.sign_in("anna") == 303
        streams = []
        for _ in range(PAGES.of_browser):
            answer = await hog.session.get(f"{hog.base}/events")
            assert answer.status == 200
            streams.append(answer)
        assert await hog.get("/events") == 429
        async with site.browser(server, "203.0.113.2") as other:
            assert await other.sign_in("bert") == 303
            async with other.session.get(f"{other.base}/events") as answer:
                assert answer.status == 200
        streams.pop().close()
        async with asyncio.timeout(5):
            while await first_status(hog) != 200:  # noqa: ASYNC110 - when the server has noticed, it alone knows
                await asyncio.sleep(0.05)
        for answer in streams:
            answer.close()


async def first_status(browser: Browser) -> int:
    answer = await browser.session.get(f"{browser.base}/events")
    answer.close()
    return answer.status


async def test_the_log_tells_who_did_what_from_where_and_no_password(site: Ward) -> None:
    async with site.running() as server, site.browser(server, "203.0.113.1") as browser:
        assert await browser.sign_in("anna", "my-other-password") == 403
        assert await browser.sign_in(PASSWORD, "anna") == 403  # the password in the field of the name
        assert await browser.sign_in("anna") == 303
        for _ in range(5):
            assert await browser.get("/api/history?slot=bay-1&metric=cadence&minutes=5&side=both") in {200, 503}
        await browser.sign_out()
    entries = list(access_log.read(site.folder / access_log.NAME))
    recorded = [(e.fields["what"], e.fields.get("user"), e.fields.get("role"), e.fields.get("why")) for e in entries]
    assert recorded == [
        ("users", None, None, None),
        ("refused", "anna", None, "wrong"),
        ("refused", "", None, "wrong"),
        ("signed-in", "anna", "clinician", None),
        ("look", "anna", "clinician", None),
        ("signed-out", "anna", "clinician", None),
        ("look-again", "anna", "clinician", None),
    ]
    assert {e.fields["address"] for e in entries[1:4]} == {"203.0.113.1"}
    assert entries[4].fields["page"] == "history"
    assert entries[-1].fields["times"] == 4
    data = (site.folder / access_log.NAME).read_bytes()
    assert PASSWORD.encode() not in data
    assert b"my-other" not in data


def test_changes_of_the_users_are_reported(site: Ward) -> None:
    from gateway.audit.access_log import AccessLog
    from gateway.dashboard.looks import Looks

    log = AccessLog(site.folder / "access.db", keep_days=9, keep_people_days=9)
    looks = Looks(log)
    now = looks.compare(None, {"anna": ANNA, "bert": BERT})
    now = looks.compare(now, {"anna": User("anna", "admin", DIGEST), "carl": User("carl", "viewer", DIGEST)})
    looks.compare(now, {"anna": User("anna", "admin", OTHER), "carl": User("carl", "viewer", DIGEST)})
    looks.close()
    recorded = [(e.fields["what"], e.fields.get("user")) for e in access_log.read(site.folder / "access.db")]
    assert recorded == [
        ("users", None), ("user-role", "anna"), ("user-removed", "bert"), ("user-added", "carl"),
        ("user-password", "anna"),
    ]  # fmt: skip
