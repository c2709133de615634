"""Two gateways with beds of one name on one dashboard: a change reaches the gateway that was meant, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import BrowserContext, Page, expect

from config.settings import Settings
from gateway.broker.embedded import find_mosquitto
from gateway.dashboard.server import make_app
from gateway.dashboard.users import Users
from tests.gateway.dashboard.bedside import PASSWORD, Bedside, bedside
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.test_ward_api import Client, origin, post
from tests.servers import Child, free_port, missing, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module")]

NORTH, SOUTH = "north", "south"
SITE = "apart"
WITHIN_S = 30.0
BOTH = (NORTH, SOUTH)
FORBIDDEN = "The message broker does not let this dashboard command the gateway 'west'"


@pytest.fixture(scope="module")
def broker_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a broker whose access list lets everybody do everything, but nobody command the gateway ``west``."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto")
    assert program
    folder, port = tmp_path_factory.mktemp("apart"), free_port()
    (folder / "acl").write_text(f"topic readwrite #\ntopic deny rehab/v1/{SITE}/west/command/#\n")
    (folder / "mosquitto.conf").write_text(
        f"user {Path('/proc/self').owner()}\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {folder}/acl\n"
    )
    child = Child(port, [program, "-c", str(folder / "mosquitto.conf")])
    try:
        yield port
    finally:
        child.end()


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory, broker_port: int) -> Iterator[dict[str, Bedside]]:
    """Run two gateways, each with beds bay-1 and bay-2, in which p-1 and p-2 are: the same names twice."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                bedside(tmp_path_factory.mktemp(name), broker_port, site=SITE, beds=2, gateway=name)
            )
            for name in (*BOTH, "west")
        }


def listening(gateways: dict[str, Bedside]) -> Settings:
    """Return settings of a dashboard of the gateway ``north`` that shows the others, too."""
    settings = gateways[NORTH].settings
    more = settings.dashboard.model_copy(update={"gateways": ["*"]})
    return settings.model_copy(update={"dashboard": more})


@asynccontextmanager
async def dashboard(settings: Settings) -> AsyncIterator[Client]:
    """Sign a clinician in to a dashboard that has heard of all the wards."""
    assert settings.dashboard.users_file is not None
    app = make_app(settings, users=Users(settings.dashboard.users_file))
    async with TestClient(TestServer(app, host="localhost")) as client:
        form = {"name": "clinician-1", "password": PASSWORD}
        await client.post("/login", data=form, headers=origin(client), allow_redirects=False)
        async with asyncio.timeout(WITHIN_S):
            while not all([await is_known(client, name) for name in (*BOTH, "west")]):  # noqa: ASYNC110 - processes
                await asyncio.sleep(0.02)
        yield client


async def is_known(client: Client, gateway: str) -> bool:
    answer = await client.get(f"/api/ward?gateway={gateway}")
    if answer.status != 200:
        return False
    found = await answer.json()
    return found["number"] is not None and found["gateway_state"] == "online"


def number(gateways: dict[str, Bedside], name: str) -> int:
    found: int = gateways[name].heard.ward["number"]
    return found


def in_bed(gateways: dict[str, Bedside], name: str, bed: str) -> str | None:
    found = [one["id"] for one in gateways[name].heard.ward["subjects"] if one["bed"] == bed]
    return found[0] if found else None


async def test_a_change_reaches_the_gateway_that_was_meant_alone(gateways: dict[str, Bedside]) -> None:
    async with dashboard(listening(gateways)) as client:
        before = number(gateways, NORTH)
        status, answer = await post(client, "discharge?gateway=south", subject="p-1")
        assert status == 200, answer
        await asyncio.to_thread(wait_until, lambda: in_bed(gateways, SOUTH, "bay-1") is None, WITHIN_S)
        south = number(gateways, SOUTH)
        status, answer = await post(client, "admit", subject="p-9", bed="bay-1")  # north's own p-1 is there still
        assert (status, answer["error"].startswith("'p-1' is in bed 'bay-1'")) == (409, True)
        assert (number(gateways, NORTH), in_bed(gateways, NORTH, "bay-1")) == (before, "p-1")
        status, answer = await post(client, "admit?gateway=south", subject="p-9", bed="bay-1")
        assert status == 200, answer
        await asyncio.to_thread(wait_until, lambda: in_bed(gateways, SOUTH, "bay-1") == "p-9", WITHIN_S)
        assert number(gateways, SOUTH) == south + 1
        assert (number(gateways, NORTH), in_bed(gateways, NORTH, "bay-1")) == (before, "p-1")


async def test_a_key_of_one_gateway_is_no_answer_for_another(gateways: dict[str, Bedside]) -> None:
    async with dashboard(listening(gateways)) as client:
        first = await post(client, "session-start?gateway=south", key="k" * 16, subject="p-2", protocol="tug")
        assert first[0] == 200, first
        again = await post(client, "session-start?gateway=north", key="k" * 16, subject="p-2", protocol="tug")
        assert again[0] == 422, again
        await asyncio.to_thread(wait_until, lambda: gateways[SOUTH].heard.ward["sessions"], WITHIN_S)
        assert gateways[NORTH].heard.ward["sessions"] == []


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?gateway=east", 404, "This dashboard hears no gateway 'east'. Nothing was changed."),
        ("?gateway=north&gateway=south", 400, "More than one gateway is named. Nothing was changed."),
        ("?gateway=west", 503, f"{FORBIDDEN}: see its access list. Nothing was changed."),
    ],
)  # fmt: skip
async def test_who_cannot_be_asked_is_reported(
    gateways: dict[str, Bedside], query: str, status: int, words: str
) -> None:
    async with dashboard(listening(gateways)) as client:
        before = {name: number(gateways, name) for name in gateways}
        assert await post(client, f"discharge{query}", subject="p-2") == (status, {"error": words})
        assert {name: number(gateways, name) for name in gateways} == before


async def test_the_ward_over_http_is_of_the_gateway_that_is_named(gateways: dict[str, Bedside]) -> None:
    async with dashboard(listening(gateways)) as client:
        own = await (await client.get("/api/ward")).json()
        south = await (await client.get("/api/ward?gateway=south")).json()
        assert (own["gateway"], south["gateway"]) == BOTH
        assert sorted(own["gateways"]) == ["north", "south", "west"]
        assert (await client.get("/api/ward?gateway=east")).status == 404


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(gateways: dict[str, Bedside]) -> AsyncIterator[str]:
    """Serve the dashboard of all the gateways."""
    async with served(listening(gateways), within_s=WITHIN_S) as made:
        yield made


async def signed_in(context: BrowserContext, address: str, path: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{address}{path}")
    await page.fill("[name=name]", "clinician-1")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    return page


@pytest.mark.browser
async def test_a_card_changes_the_bed_of_its_own_gateway(
    context: BrowserContext, address: str, gateways: dict[str, Bedside]
) -> None:
    before = number(gateways, NORTH)
    page = await signed_in(context, address, "bed/bay-2?gateway=south")
    await expect(page).to_have_url(f"{address}bed/bay-2?gateway=south")  # signing in loses no gateway
    await expect(page.locator("#label")).to_have_text("Bay 2 of south")
    await page.get_by_role("button", name="Discharge").click()
    await page.click("#ask-send")
    await expect(page.locator("#subject")).to_have_text("nobody")
    await asyncio.to_thread(wait_until, lambda: in_bed(gateways, SOUTH, "bay-2") is None, WITHIN_S)
    assert (number(gateways, NORTH), in_bed(gateways, NORTH, "bay-2")) == (before, "p-2")


@pytest.mark.browser
async def test_the_page_of_beds_leads_to_the_bed_of_its_gateway(context: BrowserContext, address: str) -> None:
    page = await signed_in(context, address, "beds")
    await expect(page.locator(".bed")).to_have_count(6)
    await page.fill("#find", "north")
    await expect(page.locator(".bed .who")).to_have_text(["p-1 · north", "p-2 · north"])
    await page.locator(".bed a").first.click()
    await expect(page).to_have_url(f"{address}bed/bay-1?gateway=north")
    await expect(page.locator("#subject")).to_have_text("p-1")
    await page.click("#live")
    await expect(page).to_have_url(f"{address}patient/bay-1?gateway=north")
    await expect(page.locator("#card")).to_have_attribute("href", f"{address}bed/bay-1?gateway=north")
    await page.click("#card")
    await expect(page).to_have_url(f"{address}bed/bay-1?gateway=north")


@pytest.mark.browser
async def test_devices_and_sensors_are_of_the_gateway_whose_page_leads_to_them(
    context: BrowserContext, address: str
) -> None:
    page = await signed_in(context, address, "bed/bay-1?gateway=south")
    await page.get_by_role("link", name="Devices", exact=True).click()
    await expect(page).to_have_url(f"{address}devices?gateway=south")
    await page.locator("a[href*=dock]").click()
    await expect(page).to_have_url(f"{address}dock?gateway=south")
    await expect(page.locator("#gateway")).to_contain_text("south")
    await page.goto(f"{address}beds?gateway=south")
    await expect(page.locator("a[href*=dock]")).to_have_attribute("href", "./dock?gateway=south")


@pytest.mark.browser
async def test_the_card_says_whom_it_may_not_command(
    context: BrowserContext, address: str, gateways: dict[str, Bedside]
) -> None:
    page = await signed_in(context, address, "bed/bay-1?gateway=west")
    await page.get_by_role("button", name="Discharge").click()
    await page.click("#ask-send")
    await expect(page.locator("#ask-refused")).to_contain_text("does not let this dashboard command the gateway 'west'")
    assert in_bed(gateways, "west", "bay-1") == "p-1"
