"""Times that pages tell: with the day where it is not today's."""

from __future__ import annotations

import re
import time

import pytest
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import MICRO, SimulatedGateway, Walker, notice
from tests.gateway.dashboard.test_timed_api import registry, session

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

LONG_AGO_S = 50 * 3600
DAY = r"\d+ [A-Z][a-z]{2}, "


async def test_what_is_not_of_today_says_its_day(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    person = Walker(1)
    then = time.time() - LONG_AGO_S
    result = person.measurement("tmwt10_speed", 0.55, "none", then - 12, then) | {"session": "s-old"}
    stop = person.measurement("exo_emergency_stop", 1.0, "none", then - 1, then)
    test = session(person) | {"started_us": round(then * MICRO), "ended_us": round((then + 60) * MICRO)}
    seen = {"by": "anna (clinician)", "at_us": round(then * MICRO), "why": ""}
    with SimulatedGateway(settings.broker.port, [person], topics=topics) as ward:
        ward.notices = [notice("device-silent/bay-1-chest", "Silent", slot="bay-1", acknowledged=seen)]
        await page.goto(f"{address}patient/{person.slot}")
        await expect(page.locator("#subject")).to_contain_text(person.subject)
        ward.publish(person, [result, stop])
        await expect(page.locator("#tests-table tbody td").last).to_have_text(re.compile(rf"^{DAY}\d\d:\d\d:\d\d$"))
        await expect(page.locator("#exoskeleton-hint")).to_contain_text(re.compile(rf"{DAY}\d\d:\d\d:\d\d"))
        await page.goto(f"{address}devices")
        said = re.compile(rf"^Seen by anna \(clinician\) at {DAY}\d\d:\d\d")
        await expect(page.locator(".answer")).to_have_text(said)
        ward.publish_ward(registry(person, [], [test | {"discarded": False}]))
        await page.goto(f"{address}test/{person.slot}")
        await page.get_by_role("button", name="Result of the last test").click()
        await expect(page.locator("#result-when")).to_contain_text(re.compile(rf"{DAY}\d\d:\d\d:\d\d to "))
