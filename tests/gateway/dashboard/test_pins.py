"""PINs: only where somebody has signed in whole today, five tries, and never a way in by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit import access_log
from gateway.dashboard.access import ROLES
from gateway.dashboard.known_browsers import KnownBrowsers
from gateway.dashboard.pins import FILE_NAME, TRIES, Pins, Today, reason_against
from gateway.dashboard.server import make_app
from gateway.dashboard.sessions import LONGEST_S
from gateway.dashboard.users import User, Users, from_elsewhere, save
from gateway.model.usage import UsageError
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.test_access import PASSWORD, leads_to

PIN = "4729"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ANNA = User("anna", "clinician", "$argon2id$1")

Client = TestClient[Any, Any]


@dataclass
class Tablet:
    """A browser at a dashboard with users."""

    client: Client
    data: Path
    users_file: Path

    async def post(self, path: str, **form: str) -> aiohttp.ClientResponse:
        ours = {"Origin": str(self.client.make_url("/")).rstrip("/")}
        return await self.client.post(path, data=form, headers=ours, allow_redirects=False)

    async def sign_in(self, name: str) -> None:
        assert (await self.post("/login", name=name, password=PASSWORD)).status == 303

    async def get(self, path: str) -> int:
        return (await self.client.get(path, allow_redirects=False)).status

    async def login_page(self) -> str:
        return await (await self.client.get("/login")).text()


@pytest.fixture
async def tablet(tmp_path: Path) -> AsyncIterator[Tablet]:
    digest, users_file = CHEAP.hash(PASSWORD), tmp_path / "users.jsonl"
    save(users_file, [User(f"{role}-1", role, digest) for role in ROLES])
    settings = Settings(
        site=Site(data=tmp_path),
        broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), users_file=users_file),
    )
    async with TestClient(TestServer(make_app(settings, users=Users(users_file)), host="localhost")) as client:
        yield Tablet(client, tmp_path, users_file)


async def test_a_locked_tablet_goes_on_with_the_pin_where_it_was(tablet: Tablet) -> None:
    await tablet.sign_in("clinician-1")
    assert (await tablet.post("/pin", pin=PIN, again=PIN)).status == 200
    locked = await tablet.post("/lock", next="/patient/bay-1?gateway=south")
    assert unquote(leads_to(locked)) == "/login?next=/patient/bay-1?gateway=south"
    assert await tablet.get("/api/history") == 401
    page = await tablet.login_page()
    assert "<option>clinician-1</option>" in page
    back = await tablet.post("/unlock", name="clinician-1", pin=PIN, next="/patient/bay-1?gateway=south")
    assert back.status == 303
    assert leads_to(back) == "/patient/bay-1?gateway=south"
    assert await tablet.get("/api/history") == 400
    assert (await tablet.post("/pin", pin="5830", again="5830")).status == 403  # a PIN makes no other PIN
    await tablet.client.close()
    told = [entry.fields for entry in access_log.read(tablet.data / access_log.NAME)]
    assert [one["what"] for one in told if one.get("user") == "clinician-1"] == [
        "signed-in",
        "pin",
        "locked",
        "unlocked",
    ]
    assert PIN not in (tablet.data / FILE_NAME).read_text()


async def test_a_report_is_the_same_one_after_the_pin(tablet: Tablet) -> None:
    await tablet.sign_in("clinician-1")
    await tablet.post("/pin", pin=PIN, again=PIN)
    report = "/report/bay-1-20260922t091500z?subject=p-0151&baseline=bay-1-20260901t091500z"
    locked = await tablet.post("/lock", next=report)
    assert sorted(unquote(leads_to(locked)).partition("?next=")[2].partition("?")[2].split("&")) == [
        "baseline=bay-1-20260901t091500z", "subject=p-0151",
    ]  # fmt: skip
    back = await tablet.post("/unlock", name="clinician-1", pin=PIN, next=report)
    assert leads_to(back) == report


async def test_colleagues_share_a_tablet_and_each_comes_back_as_themselves(tablet: Tablet) -> None:
    for name in ("clinician-1", "technician-1"):
        await tablet.sign_in(name)
        await tablet.post("/pin", pin=PIN, again=PIN)
        await tablet.post("/lock", next="/")
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 303
    who = await (await tablet.client.get("/api/session")).json()
    assert (who["user"], who["role"]) == ("clinician-1", "clinician")


async def test_five_wrong_ones_and_the_password_is_asked_for(tablet: Tablet) -> None:
    await tablet.sign_in("clinician-1")
    await tablet.post("/pin", pin=PIN, again=PIN)
    await tablet.post("/lock", next="/")
    answers = await asyncio.gather(*(tablet.post("/unlock", name="clinician-1", pin=f"900{n}") for n in range(9)))
    assert {answer.status for answer in answers} == {403}
    said = [await answer.text() for answer in answers]
    assert sum("The PIN is wrong" in text for text in said) == TRIES
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 403
    assert "<option>" not in await tablet.login_page()
    await tablet.sign_in("clinician-1")
    await tablet.post("/lock", next="/")
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 303


async def test_a_pin_is_no_way_in_by_itself(tablet: Tablet) -> None:
    """Another browser, one that has signed out, a user who was taken out: none of them with a PIN."""
    await tablet.sign_in("clinician-1")
    await tablet.post("/pin", pin=PIN, again=PIN)
    cookies = tablet.client.session.cookie_jar.filter_cookies(tablet.client.make_url("/"))
    await tablet.post("/logout")
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 403
    await tablet.sign_in("clinician-1")
    await tablet.post("/lock", next="/")
    tablet.client.session.cookie_jar.clear()
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 403
    made_up = cookies["browser"].value.rpartition(":")[0] + ":AAAAAAAAAAAAAAAAAAAAAA"
    tablet.client.session.cookie_jar.update_cookies({"browser": made_up}, tablet.client.make_url("/"))
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 403
    assert (await tablet.post("/login", name="clinician-1", password=PIN)).status == 403


async def test_who_is_taken_out_has_no_pin(tablet: Tablet) -> None:
    await tablet.sign_in("clinician-1")
    await tablet.post("/pin", pin=PIN, again=PIN)
    await tablet.post("/lock", next="/")
    save(tablet.users_file, [User("admin-1", "admin", CHEAP.hash(PASSWORD))])
    assert (await tablet.post("/unlock", name="clinician-1", pin=PIN)).status == 403


async def test_a_screen_on_a_wall_has_no_lock_and_no_pin(tablet: Tablet) -> None:
    await tablet.sign_in("viewer-1")
    assert await tablet.get("/pin") == 403
    for path in ("/pin", "/lock"):
        assert (await tablet.post(path, pin=PIN, again=PIN)).status == 403


async def test_pins_that_differ_or_are_guessed_first_are_not_kept(tablet: Tablet) -> None:
    await tablet.sign_in("clinician-1")
    for pin, again in ((PIN, "4728"), ("1234", "1234"), ("", ""), ("٤٧٢٩", "٤٧٢٩")):
        answer = await tablet.post("/pin", pin=pin, again=again)
        assert answer.status == 400
        assert 'role="alert"' in await answer.text()
    assert (await tablet.post("/pin", pin=PIN, again=PIN)).status == 200
    assert (await tablet.post("/pin", remove="yes")).status == 200
    await tablet.post("/lock", next="/")
    assert "<option>" not in await tablet.login_page()


@pytest.mark.parametrize(
    "pin", ["1234", "0000", "1212", "123123", "987654", "1999", "2026", "2580", "345678", "112112"]
)
def test_what_everybody_tries_first_is_refused(pin: str) -> None:
    assert "first" in reason_against(pin)


@pytest.mark.parametrize("pin", ["", "123", "1234567", "12a4", " 4729", "\uff14\uff17\uff12\uff19"])
def test_what_is_no_pin_is_refused(pin: str) -> None:
    assert reason_against(pin) == "A PIN is four to six digits."
    assert reason_against("4729") == reason_against("80415") == reason_against("271828") == ""


def test_a_new_password_or_role_makes_a_pin_void_and_so_does_another_key(tmp_path: Path) -> None:
    pins = Pins(tmp_path / FILE_NAME, b"k" * 32, hasher=CHEAP)
    pins.set(ANNA, PIN)
    assert pins.verify(ANNA, PIN)
    assert not pins.verify(ANNA, "4720")
    for changed in (User("anna", "clinician", "$argon2id$2"), User("anna", "admin", "$argon2id$1")):
        assert not pins.has(changed)
        assert not pins.verify(changed, PIN)
    assert not Pins(tmp_path / FILE_NAME, b"x" * 32, hasher=CHEAP).verify(ANNA, PIN)
    with pytest.raises(UsageError):
        pins.set(ANNA, "1111")
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_the_way_back_ends_with_the_shift() -> None:
    now = 0.0
    today = Today(clock=lambda: now)
    today.note("tablet", ANNA)
    now = LONGEST_S - 1
    assert today.find("tablet", "anna") == (ANNA, 0.0)
    assert today.find("other", "anna") is None
    now = LONGEST_S + 1
    assert today.find("tablet", "anna") is None


def test_two_people_of_a_trust_with_one_name_have_neither_a_pin_nor_a_browser_in_common(tmp_path: Path) -> None:
    """Names are made of what is kept here: d.ŵyn and d.ŷyn are one."""
    one, other = (from_elsewhere("d.-yn@trust.example", "clinician", subject) for subject in ("4711", "4712"))
    pins, browsers = Pins(tmp_path / FILE_NAME, b"key", hasher=CHEAP), KnownBrowsers(b"key")
    pins.set(one, PIN)
    assert pins.verify(one, PIN)
    assert not pins.has(other)
    assert not pins.verify(other, PIN)
    cookie = browsers.with_user("", one)
    assert browsers.number(cookie, one)
    assert not browsers.number(cookie, other)
