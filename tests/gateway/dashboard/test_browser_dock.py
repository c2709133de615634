"""The sensors of a ward on one page, and how devices and gateway are in sentences: real Chromium, real broker."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import orjson
import pytest
from playwright.async_api import Browser, Page, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

WHO = Walker(1)


def registry() -> bytes:
    """Return a ward with one patient who wears what they wear, and two sensors on nobody."""
    worn = [{**d, "bed": d["slot"], "since_us": 1} for d in WHO.devices()]
    free = [
        {"id": name, "driver": "heart_rate", "bed": None, "since_us": 1, "placement": None}
        for name in ("strap-8", "strap-9")
    ]
    kept = ("id", "driver", "bed", "since_us", "placement")
    return orjson.dumps(
        {
            "v": 1, "gateway": "gateway-1", "number": 1, "beds": [{"id": "bay-1", "label": "Bay 1"}],
            "subjects": [{"id": WHO.subject, "bed": "bay-1", "since_us": 1, "height_m": None}],
            "devices": [{key: one[key] for key in kept} for one in [*worn, *free]], "sessions": [],
        }
    )  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_each_sensor_stands_where_it_is_and_axe_finds_nothing(
    browser: Browser, address: str, settings: Settings, topics: Topics, scheme: Any
) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    context = await browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    with SimulatedGateway(settings.broker.port, [WHO], topics=topics) as simulated:
        simulated.faults["bay-1-chest"] = {"battery": 12.0}
        simulated.faults["bay-1-left-foot"] = {"state": "silent"}
        simulated.publish_ward(registry())
        await page.goto(f"{address}dock")
        await expect(page.locator("#groups h2")).to_have_text(
            ["To charge (1)", "On nobody (2)", "Worn, and not heard (1)", "Worn (2)"]
        )
        await expect(page.locator(".sensor.low")).to_contain_text("▲ Battery low, 12 %")
        await page.locator("#find").fill("strap")
        await expect(page.locator(".sensor h3")).to_have_text(["strap-8", "strap-9"])
        await expect(page.locator(".sensor").first).to_contain_text("Battery not told")
        await page.locator("#find").fill("")
        await no_violation(page)
        await page.goto(f"{address}devices")
        await expect(page.locator("#health li").nth(0)).to_contain_text("1 of 4 worn sensors is not sending")
        await expect(page.locator("#health li").nth(1)).to_contain_text("will not last: bay-1-chest (12 %)")
        await expect(page.locator("#health li").nth(2)).to_contain_text("✓Every number reaches the store")
        await no_violation(page)
    await context.close()


async def no_violation(page: Page) -> None:
    """Fail with what the accessibility checker finds on an open page."""
    await page.add_script_tag(path=axe.SCRIPT)
    found = await page.evaluate(
        "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html)])"
    )
    assert found == []
