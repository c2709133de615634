"""A wall of seventy beds in a browser: a nurse acknowledges a notice of a real gateway, a viewer's screen cannot."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.cli.notice_answers import answer
from gateway.ward.refusals import RefusedError
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.bedside import PASSWORD, Bedside, bedside
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.served import served
from tests.servers import missing

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

BEDS = 70
TEXT = "No Bluetooth"  # of the notice that a gateway whose radio is not there raises after five seconds
AXE = "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Bedside]:
    with bedside(tmp_path_factory.mktemp("wall"), mosquitto_port, site=f"wall{free_port()}", beds=BEDS) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(gateway: Bedside) -> AsyncIterator[str]:
    """Serve the dashboard to its users."""
    async with served(gateway.settings) as made:
        yield made


def browser_of(address: str) -> aiohttp.ClientSession:
    """Return a client that keeps cookies of an address without a name."""
    return aiohttp.ClientSession(headers={"Origin": address.rstrip("/")}, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def sign_in(context: BrowserContext, address: str, role: str, path: str = "") -> Page:
    page = await context.new_page()
    await page.goto(f"{address}{path}")
    await page.fill("[name=name]", f"{role}-1")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("form.session span")).to_contain_text(role)
    return page


async def test_a_nurse_acknowledges_a_notice_on_the_wall_and_everybody_sees_who_did(
    browser: Browser, context: BrowserContext, address: str, gateway: Bedside
) -> None:
    nurse = await sign_in(context, address, "clinician")
    await expect(nurse.locator("#counts")).to_contain_text(f"{BEDS} beds")
    notice = nurse.locator(".notice", has_text=TEXT)
    seen = notice.get_by_role("button", name="Seen")
    await expect(seen).to_have_accessible_name(re.compile("^Seen: No Bluetooth"))  # what is read on it, and then which
    await seen.click()
    await nurse.fill("#ask-why", "on its way to the workshop")
    await nurse.locator("#ask-send").click()
    words = re.compile(r"Seen by clinician-1 \(clinician\) at \d\d:\d\d: on its way to the workshop")
    await expect(notice).to_contain_text(words)
    await expect(notice).to_have_class(re.compile("quiet"))
    await expect(notice.get_by_role("button")).to_have_count(0)
    told = [record for record in gateway.heard.records() if record["what"] == "notice-answered"]
    assert [(one["command"], one["by"]) for one in told] == [("notice-acknowledge", "clinician-1 (clinician)")]
    other = await browser.new_context(viewport={"width": 1920, "height": 1080})
    wall = await sign_in(other, address, "viewer", "?kiosk&turn=5&show=taken")
    assert "kiosk" in wall.url  # it still shows what it was hung up for
    await expect(wall.locator(".notice", has_text=TEXT)).to_contain_text(words)
    await other.close()


async def test_a_viewer_s_screen_is_read_only_and_turns_its_pages(browser: Browser, address: str) -> None:
    context = await browser.new_context(viewport={"width": 1920, "height": 1080})
    wall = await sign_in(context, address, "viewer", "?turn=5&sort=bed")
    await expect(wall.locator("body")).to_have_class(re.compile("kiosk"))
    await expect(wall.locator(".tile")).to_have_count(24)
    await expect(wall.locator(".tile h2").first).to_have_text("Bay 1")
    assert await wall.locator("a[href], .notice button").count() == 0
    within = "e => e.getBoundingClientRect().bottom <= innerHeight && e.scrollHeight <= e.clientHeight + 1"
    assert await wall.locator(".tile").last.evaluate(within)
    sizes = "s => [...document.querySelectorAll(s)].map((e) => parseFloat(getComputedStyle(e).fontSize))"
    assert min(await wall.evaluate(sizes, ".tile h2")) >= 32
    assert min(await wall.evaluate(sizes, ".figure b")) >= 44
    await expect(wall.locator(".tile h2").first).to_have_text("Bay 25")
    await expect(wall.locator("#heard")).to_contain_text("Last heard")
    await context.close()


@pytest.mark.parametrize("role", ["viewer", "researcher", "nobody"])
async def test_who_may_not_answer_is_refused_by_the_server(address: str, gateway: Bedside, role: str) -> None:
    before = len(gateway.heard.records())
    async with browser_of(address) as session:
        if role != "nobody":
            form = {"name": f"{role}-1", "password": PASSWORD}
            async with session.post(f"{address}login", data=form, allow_redirects=False) as got:
                assert got.status == 303
        for name, fields in (("acknowledge", {"notice": "x"}), ("pause", {"bed": "bay-1", "minutes": 5})):
            async with session.post(f"{address}api/notices/{name}", json=fields, allow_redirects=False) as got:
                assert got.status in {303, 401, 403}, (role, name)
    assert len(gateway.heard.records()) == before


async def test_a_pause_is_asked_for_said_to_everybody_and_ended(address: str) -> None:
    async with browser_of(address) as session:
        form = {"name": "clinician-1", "password": PASSWORD}
        await session.post(f"{address}login", data=form, allow_redirects=False)

        async def ask(name: str, **fields: Any) -> tuple[int, dict[str, Any]]:
            async with session.post(f"{address}api/notices/{name}", json=fields) as got:
                return got.status, await got.json()

        assert (await ask("pause", bed="bay-77", minutes=5))[0] == 409
        assert (await ask("pause", bed="bay-3", minutes=5, by="somebody"))[0] == 400
        status, said = await ask("pause", bed="bay-3", minutes=5, why="in the pool")
        assert (status, said["bed"]) == (200, "bay-3")
        assert (await _pauses(session, address, 1))[0]["by"] == "clinician-1 (clinician)"
        assert (await ask("resume", bed="bay-3"))[0] == 200
        await _pauses(session, address, 0)
        assert (await ask("resume", bed="bay-3"))[0] == 409


async def test_the_command_line_gives_the_same_answers(
    address: str, gateway: Bedside, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, fields, said in (
        ("notice-pause", {"bed": "bay-5", "minutes": 5.0}, "Paused: bay-5."),
        ("notice-resume", {"bed": "bay-5"}, "Not paused any more: bay-5."),
    ):
        await asyncio.to_thread(answer, gateway.settings, name, fields, by="terry", as_json=False)
        assert said in capsys.readouterr().out
        async with browser_of(address) as session:
            form = {"name": "viewer-1", "password": PASSWORD}
            await session.post(f"{address}login", data=form, allow_redirects=False)
            pauses = await _pauses(session, address, int(name == "notice-pause"))
        assert [pause["by"] for pause in pauses] == ["terry"] * len(pauses)
    with pytest.raises(RefusedError, match="does not stand"):
        await asyncio.to_thread(answer, gateway.settings, "notice-acknowledge", {"notice": "x"}, by="", as_json=False)


async def _pauses(session: aiohttp.ClientSession, address: str, count: int) -> list[dict[str, Any]]:
    """Return the pauses that the ward page is told, once there are so many."""
    async with asyncio.timeout(30), session.ws_connect(f"{address}events") as socket:
        while len(found := (await socket.receive_json())["pauses"]) != count:
            continue
    pauses: list[dict[str, Any]] = found
    return pauses


async def test_what_the_page_shows_is_kept_in_its_address(context: BrowserContext, address: str) -> None:
    page = await sign_in(context, address, "technician")
    await page.select_option("#show", "bare")
    await expect(page.locator("#empty")).to_have_text("No bed matches.")
    await page.select_option("#show", "silent")
    await page.fill("#find", "bay 7")
    await expect(page.locator(".tile h2")).to_have_text(["Bay 7", "Bay 70"])
    await page.select_option("#number", "walking_speed")
    await expect(page.locator(".figure .title").first).to_have_text("Walking speed")
    assert {"show=silent", "find=bay+7", "number=walking_speed"} <= set(page.url.partition("?")[2].split("&"))
    await expect(page.locator(".tile h2")).to_have_text(["Bay 7", "Bay 70"])


async def test_a_choice_of_a_gateway_that_is_not_there_can_be_undone(
    context: BrowserContext, address: str, gateway: Bedside
) -> None:
    page = await sign_in(context, address, "technician", "?ward=gateway-2")
    await expect(page.locator("#empty")).to_have_text("No bed matches.")
    await expect(page.locator("#ward")).to_have_value("gateway-2")
    await page.select_option("#ward", "")
    await expect(page.locator(".tile")).to_have_count(24)
    assert "ward=" not in page.url
    await page.goto(f"{address}?ward={gateway.settings.site.gateway}")
    await expect(page.locator(".tile")).to_have_count(24)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation(browser: Browser, address: str, scheme: Any) -> None:
    if not await asyncio.to_thread(axe.available):
        missing(f"{axe.PACKAGE} from npm")
    context = await browser.new_context(viewport={"width": 1920, "height": 1080}, color_scheme=scheme, bypass_csp=True)
    page = await sign_in(context, address, "clinician")
    for path, there in (
        ("", ".tile"),
        ("?kiosk", ".kiosk .tile"),
        ("feedback/bay-1", "#empty"),
        ("bed/bay-1", ".card"),
    ):
        await page.goto(f"{address}{path}")
        await expect(page.locator(there).first).to_be_visible()
        await page.add_script_tag(path=axe.SCRIPT)
        assert await page.evaluate(AXE) == [], path
    await context.close()


@pytest.fixture
def another(tmp_path: Path, mosquitto_port: int) -> Iterator[Bedside]:
    """Yields a gateway that a test may end: nobody has answered anything of it."""
    with bedside(tmp_path, mosquitto_port, site=f"wall{free_port()}", beds=1) as made:
        yield made


async def test_an_answer_outlives_the_gateway(another: Bedside, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 1920, "height": 1080})
    async with served(another.settings) as address:
        page = await sign_in(context, address, "technician")
        notice = page.locator(".notice", has_text=TEXT)
        await notice.get_by_role("button", name="Seen").click()
        await page.locator("#ask-send").click()
        await expect(notice).to_contain_text("Seen by technician-1")
        await asyncio.to_thread(another.end)
        await expect(page.locator("#banner")).to_contain_text("offline")
        another.begin()
        await expect(page.locator("#gateway")).to_contain_text("online", timeout=120_000)
        await expect(notice).to_contain_text("Seen by technician-1 (technician)", timeout=120_000)
    await context.close()
