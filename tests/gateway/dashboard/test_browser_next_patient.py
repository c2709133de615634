"""What was chosen for a test of somebody is not said of whoever comes into that bed next."""

from __future__ import annotations

import orjson
import pytest
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker
from tests.gateway.dashboard.test_timed_api import registry

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]


async def test_a_test_that_was_prepared_is_of_one_person(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    person = Walker(1)
    with SimulatedGateway(settings.broker.port, [person], topics=topics) as ward:
        ward.publish_ward(registry(person, [], []))
        await page.goto(f"{address}test/{person.slot}")
        await page.get_by_role("radio", name="10 m walk, comfortable").check()
        await page.get_by_label("Walking aid").select_option("frame")
        ward.publish_ward(registry(person, [], [], 2))
        await expect(page.get_by_label("Walking aid")).to_have_value("frame")
        told = orjson.loads(registry(person, [], [], 3))
        told["subjects"] = []
        ward.publish_ward(orjson.dumps(told))
        await expect(page.locator("#subject")).to_have_text("nobody")
        told = orjson.loads(registry(person, [], [], 4))
        told["subjects"][0]["id"] = "p-next"
        ward.publish_ward(orjson.dumps(told))
        await expect(page.locator("#subject")).to_have_text("p-next")
        await expect(page.locator("#details")).to_be_hidden()
        assert await page.locator("#tests :checked").count() == 0
        await page.get_by_role("radio", name="10 m walk, comfortable").check()
        await expect(page.get_by_label("Walking aid")).to_have_value("")
