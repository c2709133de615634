"""A page that stops says so and heals: connections that die without a word, sleep, errors, versions, nine tabs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion
from playwright.async_api import BrowserContext, Page, WebSocketRoute, expect

from config.settings import Settings
from gateway.dashboard.server import make_app
from gateway.wire.topics import Topics
from tests.browser import WITHIN_MS
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.frozen_proxy import proxied
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker, device, walking
from tests.gateway.dashboard.test_ward import status

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

TABS = 9  # of one browser; it opens six connections to a host
OPENS_WITHIN_S = 10.0  # on a busy machine; it was 53 s

CLOCKS = """(() => {
  const date = Date.now;
  let slept = 0;
  Date.now = () => date() + slept;  // while a tablet sleeps performance.now stands still, and Date.now goes on
  window.sleep = (ms) => { slept += ms; };
})()"""

WATCH_NUMBERS = """() => {
  window.seen = [];
  const numbers = document.querySelector("#numbers");
  const note = () => seen.push(...[...numbers.querySelectorAll("b")].map((node) => node.textContent));
  new MutationObserver(note).observe(numbers, { subtree: true, childList: true, characterData: true });
}"""


async def is_live(page: Page) -> None:
    """Return when a patient's page shows numbers of now that change."""
    await expect(page.locator("#banner")).to_be_hidden()
    card = page.locator(".number-card").last
    await expect(card.locator(".remark")).to_have_text("now")
    number = card.locator("b")
    await expect(number).not_to_have_text(await number.inner_text())


async def test_nine_tabs_of_one_browser_are_all_live(
    context: BrowserContext, address: str, settings: Settings, topics: Topics
) -> None:
    paths = ["", "devices", *(f"patient/bay-{1 + i % 3}" for i in range(TABS - 2))]
    with walking(settings.broker.port, 3, topics=topics):
        pages = [await context.new_page() for _ in paths]
        for page, path in zip(pages, paths, strict=True):
            await page.goto(f"{address}{path}")
        await expect(pages[0].locator(".tile")).to_have_count(3)
        await expect(pages[1].locator("#devices tbody tr")).to_have_count(12)
        for page in pages[2:]:
            await is_live(page)
            await expect(page.locator(".lane .said").first).to_be_empty()


async def test_a_connection_that_dies_without_a_word_is_opened_anew(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    assert address
    with walking(settings.broker.port, 1, topics=topics):
        async with proxied(settings.dashboard.port) as proxy:
            await page.goto(f"http://127.0.0.1:{proxy.port}/patient/bay-1")
            await is_live(page)
            await expect(page.locator(".lane .said").first).to_be_empty()
            proxy.freeze()
            await expect(page.locator("#banner")).to_contain_text("No connection to the dashboard")
            await expect(page.locator(".lane .said").first).to_contain_text("no data")
            await is_live(page)
            await expect(page.locator(".lane .said").first).to_be_empty()


async def test_a_network_that_is_away_for_a_while_costs_few_tries_and_heals_when_it_is_back(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    assert address
    with walking(settings.broker.port, 1, topics=topics):
        async with proxied(settings.dashboard.port) as proxy:
            await page.goto(f"http://127.0.0.1:{proxy.port}/patient/bay-1")
            await is_live(page)
            proxy.serves_new = False
            proxy.freeze()
            await expect(page.locator("#banner")).to_contain_text("No connection to the dashboard")
            before = proxy.opened
            await asyncio.sleep(8)
            assert proxy.opened - before <= 6
            proxy.serves_new = True
            await page.evaluate("dispatchEvent(new Event('online'))")
            await is_live(page)


async def test_after_sleep_nothing_old_is_of_now(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    assert address
    await page.add_init_script(CLOCKS)
    with walking(settings.broker.port, 1, topics=topics):
        async with proxied(settings.dashboard.port) as proxy:
            await page.goto(f"http://127.0.0.1:{proxy.port}/patient/bay-1")
            await is_live(page)
            proxy.serves_new = False
            proxy.freeze()
            await page.evaluate("sleep(3_600_000); document.dispatchEvent(new Event('visibilitychange'))")
            assert "no data for 1\xa0h" in await page.locator(".number-card").first.inner_text()  # at once
            assert "for 1\xa0h" in await page.locator("#banner").inner_text()
            proxy.serves_new = True
            await page.evaluate("dispatchEvent(new Event('pageshow'))")
            await is_live(page)


async def test_what_had_been_waiting_in_a_connection_while_the_tablet_slept_is_not_taken_for_new(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    """The network's buffers give the states of an hour ago first: none of them may be shown as of now."""
    await page.add_init_script(CLOCKS)
    with walking(settings.broker.port, 1, topics=topics):
        held: list[str | bytes] = []
        sockets: list[WebSocketRoute] = []
        holding, anew = asyncio.Event(), asyncio.Event()

        def through(route: WebSocketRoute) -> None:
            sockets.append(route)
            first = len(sockets) == 1
            if not first:
                anew.set()

            def on(message: str | bytes) -> None:
                held.append(message)
                if not (first and holding.is_set()):
                    route.send(message)

            route.connect_to_server().on_message(on)

        await page.route_web_socket(re.compile("/events"), through)
        await page.goto(f"{address}patient/bay-1")
        await is_live(page)
        holding.set()
        old = orjson.loads(held[-1])
        for value in old["slot"]["values"]:
            value["value"] = 7.0  # as nothing that this walker gives
        await page.evaluate(WATCH_NUMBERS)
        await page.evaluate("sleep(3_600_000)")
        sockets[0].send(orjson.dumps(old).decode())
        await asyncio.wait_for(anew.wait(), WITHIN_MS / 1000)
        await is_live(page)
        assert not [text for text in await page.evaluate("seen") if text.startswith("7")]


STRANGE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another version": lambda state: {**state, "v": 2},
    "a part missing": lambda state: {key: value for key, value in state.items() if key != "slot"},
    "another type": lambda state: {**state, "slot": {**state["slot"], "values": "none"}},
    "a list": lambda state: [state],  # type: ignore[dict-item, return-value]
    "an odd value": lambda state: {**state, "slot": {**state["slot"], "values": [{"metric": "cadence", "value": "x"}]}},
}


@asynccontextmanager
async def mangled(page: Page, mangle: Callable[[dict[str, Any]], Any]) -> AsyncIterator[asyncio.Event]:
    """Have the page sent something else while the event is set."""
    on = asyncio.Event()

    def through(route: WebSocketRoute) -> None:
        def send(message: str | bytes) -> None:
            state = orjson.loads(message)
            route.send(orjson.dumps(mangle(state) if on.is_set() else state).decode())

        route.connect_to_server().on_message(send)

    await page.route_web_socket(re.compile("/events"), through)
    yield on


@pytest.mark.parametrize("strange", STRANGE)
async def test_a_state_of_an_unknown_shape_hides_the_numbers_says_so_and_heals(
    page: Page, address: str, settings: Settings, topics: Topics, strange: str
) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        async with mangled(page, STRANGE[strange]) as on:
            await page.goto(f"{address}patient/bay-1")
            await is_live(page)
            on.set()
            await expect(page.locator("#banner")).to_contain_text("This page has stopped and hides its numbers")
            await expect(page.locator("main")).to_be_hidden()
            on.clear()
            await is_live(page)


async def test_an_error_of_a_script_hides_the_numbers_says_so_and_heals(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        await page.goto(f"{address}patient/bay-1")
        await is_live(page)
        await page.evaluate("setTimeout(() => { throw new Error('x'); })")
        await expect(page.locator("#banner")).to_contain_text("This page has stopped and hides its numbers")
        await expect(page.locator("main")).to_be_hidden()
        await is_live(page)


async def test_a_script_that_does_not_come_is_reported(page: Page, address: str) -> None:
    await page.route("**/trend.js", lambda route: route.abort())
    await page.goto(f"{address}patient/bay-1")
    await expect(page.locator("#banner")).to_contain_text("This page has stopped")


async def test_another_version_of_the_server_loads_the_page_again(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        async with mangled(page, lambda state: {**state, "build": "newer"}) as on:
            await page.goto(f"{address}patient/bay-1")
            await is_live(page)
            loads: list[str] = []
            page.on("load", lambda loaded: loads.append(loaded.url))
            on.set()
            await expect(page.locator("#banner")).to_contain_text("The dashboard has been updated")
            on.clear()
            await is_live(page)
            assert len(loads) == 1


async def test_where_a_proxy_passes_no_websockets_on_the_page_is_live_all_the_same(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    assert address
    with walking(settings.broker.port, 1, topics=topics):
        async with proxied(settings.dashboard.port, passes_upgrades=False) as proxy:
            await page.goto(f"http://127.0.0.1:{proxy.port}/patient/bay-1")
            await is_live(page)
            proxy.freeze()
            await expect(page.locator("#banner")).to_contain_text("No connection to the dashboard")
            await is_live(page)


async def test_the_dashboard_works_in_a_folder(page: Page, settings: Settings, topics: Topics) -> None:
    """As behind a proxy that serves other things too."""
    outer = web.Application()
    outer.add_subapp("/rehab/ward/", make_app(settings))
    runner = web.AppRunner(outer)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    with walking(settings.broker.port, 2, topics=topics):
        await page.goto(f"http://127.0.0.1:{port}/rehab/ward/")
        await page.locator(".tile").nth(1).get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Bay 2")
        await is_live(page)
        await expect(page.locator(".lane .said").first).to_be_empty()
        await page.get_by_role("link", name="Devices").click()
        await expect(page.locator("#devices tbody tr")).to_have_count(8)
        await page.get_by_role("link", name="rehab-gateway").click()
        await expect(page.locator(".tile")).to_have_count(2)
    await page.close()
    await runner.cleanup()


async def test_a_status_of_another_version_is_on_top_and_no_number_is_called_new(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [Walker(1)], topics=topics) as simulated:
        await page.goto(f"{address}patient/bay-1")
        await is_live(page)
        simulated.version = 2
        simulated.silent.add("bay-1")
        await expect(page.locator("#banner")).to_contain_text("The gateway's status is not understood here")
        await expect(page.locator(".number-card").first).to_contain_text("no data for")
        simulated.version = 1
        simulated.silent.clear()
        await is_live(page)


async def test_twelve_thousand_beds_open_at_once_and_the_rest_is_reported(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    beds = [{**Walker(1).status(), "id": f"bed-{i}", "label": f"Bed {i}"} for i in range(12_000)]
    devices = [device(f"bed-{i}", "chest") for i in range(12_000)]
    payload = status([], time.time(), slots=beds, devices=devices)
    await asyncio.to_thread(
        publish.single, topics.status, payload, 1, True, "127.0.0.1", settings.broker.port,
        protocol=MQTTProtocolVersion.MQTTv5,
    )  # fmt: skip
    began = time.monotonic()
    await page.goto(address)
    await expect(page.locator(".tile")).to_have_count(24)
    assert time.monotonic() - began < OPENS_WITHIN_S
    await expect(page.locator("#counts")).to_contain_text("256 beds and 11,744 more that are not shown")
    await expect(page.locator("#banner")).to_contain_text("11,744 more beds")
