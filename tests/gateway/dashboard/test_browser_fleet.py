"""The fleet page in real Chromium: what stands in a row, by keyboard, on a phone, and what axe finds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from config.settings import Dashboard, Settings
from gateway.fleet.topics import FleetTopics
from gateway.wire.topics import Topics
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker
from tests.gateway.dashboard.test_browser_dock import no_violation
from tests.gateway.dashboard.test_browser_languages import OPEN
from tests.gateway.dashboard.test_browser_welsh import english_texts, leftovers

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


@pytest_asyncio.fixture(loop_scope="module")
async def fleet_address(settings: Settings) -> AsyncIterator[str]:
    """Serve a dashboard that hears the fleet's desk."""
    shown = Dashboard(port=settings.dashboard.port, gateways=["*"], fleet=True)
    async with served(settings.model_copy(update={"dashboard": shown}), within_s=10) as made:
        yield made


def tell(simulated: SimulatedGateway, settings: Settings) -> None:
    """Say who is in the fleet, and that a roll-out has stopped."""
    topics = FleetTopics(settings.site.site)
    member = {"ring": "first", "joined_us": 1, "revoked_us": None, "why": ""}
    members = [{"gateway": "gateway-1", **member}, {"gateway": "ward-9", **member, "revoked_us": 2, "why": "stolen"}]
    roll_out = {"id": 1, "kind": "upgrade", "version": "1.1.0", "state": "stopped", "why": "gateway-1: no receipt",
                "open": 1, "rings": [{"name": "first"}, {"name": "all"}]}  # fmt: skip
    simulated.shout(topics.overview, orjson.dumps({"members": members, "invitations": [], "roll_out": roll_out}))
    result = {"bundle": "1.1.0", "outcome": "failed", "why": "no receipt; 1.0.0 runs again", "last_refusal": ""}
    simulated.shout(topics.state("gateway-1"), orjson.dumps(result))


@pytest.mark.parametrize("look", [("light", DESK), ("dark", PHONE)])
async def test_every_gateway_stands_in_a_row_and_axe_finds_nothing(
    browser: Browser, fleet_address: str, settings: Settings, topics: Topics, look: tuple[Any, Any]
) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    context = await browser.new_context(bypass_csp=True, color_scheme=look[0], viewport=look[1])
    page = await context.new_page()
    with SimulatedGateway(settings.broker.port, [Walker(1)], topics=topics) as simulated:
        await page.goto(f"{fleet_address}fleet")
        await expect(page.locator("#gateways tbody tr")).to_have_count(1)
        tell(simulated, settings)
        rows = page.locator("#gateways tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(0)).to_contain_text("gateway-1✓ is well")
        await expect(rows.nth(0)).to_contain_text("▲ 1.1.0 failed: no receipt; 1.0.0 runs again")
        await expect(rows.nth(1)).to_contain_text("▲ was taken out of the fleet: stolen")
        await expect(page.locator("#roll-out-words")).to_have_text("▲ upgrade 1.1.0: stopped. gateway-1: no receipt")
        await expect(page.locator("#counts")).to_have_text("1 of 2 well")
        await no_violation(page)
        await page.locator("#main").focus()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.getAttribute('aria-label')") == "Gateways"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.goto(f"{fleet_address}devices")
        await page.get_by_role("link", name="Fleet: versions, certificates, roll-outs").click()
        await expect(page.locator("h1")).to_have_text("Fleet")
    await context.close()


async def test_no_english_text_is_left_of_a_fleet(
    browser: Browser, fleet_address: str, settings: Settings, topics: Topics
) -> None:
    context = await browser.new_context(locale="cy", viewport=DESK)  # type: ignore[arg-type] # a size
    page = await context.new_page()
    with SimulatedGateway(settings.broker.port, [Walker(1)], topics=topics) as simulated:
        await page.goto(f"{fleet_address}fleet")
        await expect(page.locator("#gateways tbody tr")).to_have_count(1)
        tell(simulated, settings)
        await expect(page.locator("#gateways tbody tr")).to_have_count(2)
        await expect(page.locator("#roll-out-words")).to_contain_text("1.1.0")
        await page.evaluate(OPEN)
        assert await leftovers(page, list(english_texts())) == []
    await context.close()
