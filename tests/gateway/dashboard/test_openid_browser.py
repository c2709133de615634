"""A trust's sign-in over TLS in a real browser, at a real provider of another site; and a tablet that locks."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import Browser, Page, expect

from config.settings import Broker, Dashboard, OpenId, Settings, Site
from gateway.audit import access_log
from gateway.dashboard.server import serve
from gateway.dashboard.users import User, save
from tests.browser import WITHIN_MS
from tests.certificates import Authority
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.conftest import free_port
from tests.openid_server import CLIENT, PASSWORD, openid_server

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LOCAL = "correct horse battery"
AXE = "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])"
PEOPLE: dict[str, dict[str, Any]] = {"anna": {"groups": ["physios"]}, "gardener": {"groups": ["gardens"]}}


@dataclass
class Place:
    """Where the dashboard is, and its files."""

    address: str
    data: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A provider at 127.0.0.1 and a dashboard at localhost: for a browser these are two sites."""
    folder = tmp_path_factory.mktemp("openid")
    authority = Authority(folder / "ca")
    cert, key = authority.issue("localhost", server=True)
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(LOCAL)
    save(folder / "users.jsonl", [User("bert", "technician", digest)])
    front = free_port()
    address = f"https://localhost:{front}"
    with openid_server(folder / "op", free_port(), tls=(cert, key), back=address, people=PEOPLE) as provider:
        openid = OpenId(
            issuer=provider.issuer, client_id=CLIENT, client_secret_file=provider.secret_file, ca_file=authority.path,
            roles_claim="groups", roles={"physios": "clinician"}, label="the trust",
        )  # fmt: skip
        settings = Settings(
            site=Site(data=folder / "data"), broker=Broker(embedded=False, port=free_port()), simulated=True,
            dashboard=Dashboard(port=front, cert_file=cert, key_file=key, users_file=folder / "users.jsonl",
                                openid=openid),
        )  # fmt: skip
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        running = asyncio.create_task(serve(settings, stop=stop, ready=ready.set_result), name="dashboard")
        await asyncio.wait_for(ready, 30)
        yield Place(address, folder / "data")
        stop.set()
        await running


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(WITHIN_MS)
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def loose_page(browser: Browser) -> AsyncIterator[Page]:
    """A page into which a test may load the accessibility checker."""
    context = await browser.new_context(ignore_https_errors=True, bypass_csp=True)
    context.set_default_timeout(WITHIN_MS)
    yield await context.new_page()
    await context.close()


async def at_the_trust(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill the provider's form."""
    await page.fill("[name=username]", name)
    await page.fill("[name=password]", password)
    await page.click("[type=submit]")


def signed_in(page: Page) -> Any:
    return page.locator("form.session span")


async def check_axe(page: Page) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=cast("Any", scheme))
        await page.add_script_tag(path=axe.SCRIPT)
        assert await page.evaluate(AXE) == [], scheme


async def test_a_clinician_of_the_trust_signs_in_where_they_wanted_to_go_and_out_of_both(
    place: Place, page: Page
) -> None:
    await page.goto(f"{place.address}/beds")
    await page.click("text=Sign in with the trust")
    assert page.url.startswith("https://127.0.0.1:")
    await at_the_trust(page, "anna")
    await expect(signed_in(page)).to_have_text("anna@127.0.0.1 (clinician)")
    assert page.url == f"{place.address}/beds"
    cookies = {c.get("name"): c for c in await page.context.cookies(place.address)}
    session = cookies["__Host-session"]
    assert (session.get("secure"), session.get("httpOnly"), session.get("sameSite")) == (True, True, "Strict")
    assert "__Host-openid" not in cookies
    assert await page.evaluate("fetch('api/status').then((a) => a.status)") == 403  # of technicians
    await page.click("form.session button")
    await expect(page).to_have_url(re.compile(rf"^{place.address}/login"))
    await page.click("text=Sign in with the trust")
    await expect(page.locator("[name=password]")).to_be_visible()  # there nobody is signed in any more either
    assert page.url.startswith("https://127.0.0.1:")


async def test_the_next_at_a_shared_tablet_is_not_whoever_was_there_before(place: Place, page: Page) -> None:
    await page.goto(f"{place.address}/login")
    await page.click("text=Sign in with the trust")
    await at_the_trust(page, "anna")
    await expect(signed_in(page)).to_have_text("anna@127.0.0.1 (clinician)")
    await page.context.clear_cookies(domain="localhost")  # the dashboard's session is over, the provider's is not
    await page.goto(f"{place.address}/login")
    await page.click("text=Sign in with the trust")
    await expect(page.locator("[name=password]")).to_be_visible()
    assert page.url.startswith("https://127.0.0.1:")


async def test_somebody_without_a_role_here_is_told_so_and_local_users_come_in(place: Place, loose_page: Page) -> None:
    page = loose_page
    await page.goto(f"{place.address}/login")
    await page.click("text=Sign in with the trust")
    await at_the_trust(page, "gardener")
    await expect(page.locator("[role=alert]")).to_contain_text("no role on this ward")
    await check_axe(page)
    await page.click("text=Back to signing in")
    await page.fill("[name=name]", "bert")
    await page.fill("[name=password]", LOCAL)
    await page.click("button[type=submit]")
    await expect(signed_in(page)).to_have_text("bert (technician)")


async def test_an_answer_that_nobody_here_asked_for_lets_nobody_in(place: Place, page: Page) -> None:
    for query in ("", "?state=x&code=y", "?code=y", "?error=access_denied", "?state=&code="):
        answer = await page.goto(f"{place.address}/openid/back{query}")
        assert answer is not None
        assert answer.status == 403, query
        await expect(page.locator("[role=alert]")).to_contain_text("Begin again")
        assert not [c for c in await page.context.cookies(place.address) if c.get("name") == "__Host-session"]


async def test_a_code_and_state_of_another_sign_in_lets_nobody_in(place: Place, browser: Browser, page: Page) -> None:
    """The answer that somebody else got, in another browser: it fits neither state nor verifier there."""
    await page.goto(f"{place.address}/login")
    await page.click("text=Sign in with the trust")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    await at_the_trust(page, "anna")
    await expect(signed_in(page)).to_have_text("anna@127.0.0.1 (clinician)")
    (back,) = [url for url in sent if "/openid/back?" in url]
    stranger = await browser.new_context(ignore_https_errors=True)
    other = await stranger.new_page()
    await other.goto(back)
    await expect(other.locator("[role=alert]")).to_contain_text("Begin again")
    await other.goto(f"{place.address}/openid")  # one of their own is on its way
    await other.goto(back)
    await expect(other.locator("[role=alert]")).to_contain_text("Begin again")
    await stranger.close()


async def test_a_tablet_locks_and_goes_on_with_a_pin(place: Place, loose_page: Page) -> None:
    page = loose_page
    await page.goto(f"{place.address}/beds")
    await page.click("text=Sign in with the trust")
    await at_the_trust(page, "anna")
    await page.click("form.lock a")
    await page.fill("[name=pin]", "4729")
    await page.fill("[name=again]", "4729")
    await page.click("text=Keep this PIN")
    await expect(page.locator("[role=status]")).to_have_text("The PIN is kept.")
    await check_axe(page)
    await page.goto(f"{place.address}/beds")
    await page.click("form.lock button")
    await expect(page.locator("h1")).to_have_text("Locked")
    await check_axe(page)
    await page.fill("[name=pin]", "4720")
    await page.keyboard.press("Enter")
    await expect(page.locator("[role=alert]")).to_contain_text("The PIN is wrong. 4 more tries")
    await page.fill("[name=pin]", "4729")
    await page.keyboard.press("Enter")
    await expect(signed_in(page)).to_have_text("anna@127.0.0.1 (clinician)")
    assert page.url == f"{place.address}/beds"


async def test_a_page_that_nobody_touches_locks_by_itself(place: Place, page: Page) -> None:
    """The page asks when the time is up, also one on which nothing streams; the clock is the browser's."""
    await page.clock.install()
    await page.goto(f"{place.address}/login?next=/beds")
    await page.fill("[name=name]", "bert")
    await page.fill("[name=password]", LOCAL)
    await page.click("button[type=submit]")
    await expect(signed_in(page)).to_have_text("bert (technician)")
    await page.context.clear_cookies(name="__Host-session")  # what the server does to a session that is idle
    await page.clock.fast_forward("10:03")
    await expect(page).to_have_url(f"{place.address}/login?next=%2Fbeds")
    await expect(page.locator("main")).not_to_contain_text("Bay")


async def test_the_access_log_names_who_came_how(place: Place) -> None:
    entries = [entry.fields for entry in access_log.read(place.data / access_log.NAME)]
    came = {(one["user"], one.get("by", "password")) for one in entries if one["what"] == "signed-in"}
    assert came == {("anna@127.0.0.1", "openid"), ("bert", "password")}
    assert any("no role on this ward" in one.get("why", "") for one in entries if one["what"] == "refused")
    assert not any(entry.trouble for entry in access_log.read(place.data / access_log.NAME))
