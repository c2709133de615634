"""What somebody has asked for, or is about to, of a bed in which somebody else is by then, or which is gone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from argon2 import PasswordHasher
from playwright.async_api import BrowserContext, Page, expect

from config.settings import Settings
from gateway.dashboard.users import User, save
from gateway.wire.topics import Topics
from tests.gateway.dashboard.bedside import PASSWORD
from tests.gateway.dashboard.simulated_gateway import MICRO, SimulatedGateway
from tests.gateway.dashboard.test_browser_wall import sign_in
from tests.gateway.dashboard.test_timed_api import registry, session
from tests.gateway.dashboard.test_wearers import Patient

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

ASKED_S = 10.0
FIRST, SECOND = Patient("p-101", "s-1"), Patient("p-152", "s-2")


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Return them with somebody who may change the ward."""
    users = tmp_path / "users.jsonl"
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(users, [User("clinician-1", "clinician", digest)])
    dashboard = settings.dashboard.model_copy(update={"users_file": users})
    return settings.model_copy(update={"dashboard": dashboard})


def over(person: Patient) -> dict[str, Any]:
    """Return a walk that ended a minute ago."""
    now = round(time.time() * MICRO)
    return session(person) | {"started_us": now - 120 * MICRO, "ended_us": now - 60 * MICRO, "discarded": False}


def publish_walk(
    ward: SimulatedGateway, person: Patient, walk: dict[str, Any], after_s: float, lasted_s: float
) -> None:
    """Say what was found in a walk; the status before it says whose numbers these are."""
    ward.publish_status(time.time())
    start = walk["started_us"] / MICRO + after_s
    found = {"tmwt10_time": lasted_s, "tmwt10_speed": 10 / lasted_s}
    ward.publish(person, [person.measurement(m, value, "none", start, start + lasted_s) for m, value in found.items()])


async def asked(ward: SimulatedGateway) -> tuple[str, bytes]:
    """Return where the change is to be answered that the gateway was asked for."""
    return await asyncio.to_thread(ward.asked.get, timeout=ASKED_S)


async def shows(page: Page, person: Patient) -> None:
    await expect(page.locator("#result-when")).to_contain_text(person.subject)


async def test_times_of_an_earlier_patient_are_not_marked_in_the_test_of_the_next(
    context: BrowserContext, address: str, settings: Settings, topics: Topics
) -> None:
    mine, theirs = over(FIRST), over(SECOND)
    with SimulatedGateway(settings.broker.port, [FIRST], topics=topics) as ward:
        ward.publish_ward(registry(FIRST, [], [mine]))
        page = await sign_in(context, address, "clinician", "test/bay-1")
        await shows(page, FIRST)
        publish_walk(ward, FIRST, mine, 30.0, 12.0)
        await page.get_by_role("button", name="Correct start and end").click()
        await page.get_by_role("button", name="Start 0.1 s later").click()
        await page.get_by_role("button", name="Save beside what was found").click()
        change = await asked(ward)
        ward.seat(SECOND)
        ward.publish_ward(registry(SECOND, [], [theirs], 2))
        await shows(page, SECOND)
        publish_walk(ward, SECOND, theirs, 20.0, 9.0)
        await expect(page.locator("#plot-said")).to_contain_text("20.0")
        ward.answer(change, ok=True, number=3)
        await expect(page.locator("#change")).to_contain_text("p-101: The corrected times stand beside")
        await expect(page.locator("#plot-said")).to_contain_text("20.0")


async def test_what_was_saved_of_an_earlier_patient_empties_no_form_of_the_next(
    context: BrowserContext, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [FIRST], topics=topics) as ward:
        ward.publish_ward(registry(FIRST, [], [over(FIRST)]))
        page = await sign_in(context, address, "clinician", "test/bay-1")
        await shows(page, FIRST)
        await page.locator("#note").fill("dizzy")
        await page.get_by_role("button", name="Save", exact=True).click()
        change = await asked(ward)
        ward.publish_ward(registry(SECOND, [], [over(SECOND)], 2))
        await shows(page, SECOND)
        await page.locator("#note").fill("in pain")
        ward.answer(change, ok=True, number=3)
        await expect(page.locator("#change")).to_contain_text("p-101: Saved with the test of")
        await expect(page.locator("#note")).to_have_value("in pain")


async def test_what_was_refused_of_an_earlier_patient_is_said_with_their_name(
    context: BrowserContext, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [FIRST], topics=topics) as ward:
        ward.publish_ward(registry(FIRST, [], []))
        page = await sign_in(context, address, "clinician", "test/bay-1")
        await page.get_by_role("radio", name="10 m walk, comfortable").check()
        await page.get_by_label("How it starts").select_option("dynamic")
        await page.get_by_role("button", name="Start", exact=True).click()
        change = await asked(ward)
        ward.publish_ward(registry(SECOND, [], [], 2))
        await expect(page.locator("#subject")).to_have_text(SECOND.subject)
        ward.answer(change, ok=False, error="the disk is full")
        await expect(page.locator("#refused")).to_have_text("p-101: The disk is full.")


async def test_a_bed_that_is_gone_has_no_name_no_trend_and_nothing_to_be_sent(
    context: BrowserContext, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [FIRST], topics=topics) as ward:
        ward.publish_ward(registry(FIRST, [], []))
        page = await sign_in(context, address, "clinician", "bed/bay-1")
        await expect(page.locator("#trend")).to_be_visible()
        await page.get_by_role("button", name="Discharge").click()
        await expect(page.locator("#ask-send")).to_be_enabled()
        told = orjson.loads(registry(FIRST, [], [], 2))
        ward.publish_ward(orjson.dumps({**told, "beds": [], "subjects": [], "devices": []}))
        await expect(page.locator("#empty")).to_have_text("The ward has no bed 'bay-1'.")
        await expect(page.locator("#subject")).to_be_empty()
        await expect(page.locator("#trend")).to_be_hidden()
        await expect(page.locator("#ask-warnings")).to_contain_text("p-101 is not in this bed any more.")
        await expect(page.locator("#ask-send")).to_be_disabled()
