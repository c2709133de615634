"""An answer to a notice is of who was in the bed when it was opened, and of nobody who comes after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.dashboard.users import User, save
from gateway.wire.topics import Topics
from tests.gateway.dashboard.bedside import PASSWORD
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker, notice

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

FALL = notice("fall_event/bay-1", "Possible fall in Bay 1", slot="bay-1")


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    users = tmp_path / "users.jsonl"
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(users, [User("clinician-1", "clinician", digest)])
    return settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"users_file": users})})


@pytest.fixture
def ward(settings: Settings, topics: Topics) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(settings.broker.port, [Walker(1)], topics=topics) as made:
        made.notices = [FALL]
        yield made


async def opened(page: Page, address: str, button: str) -> None:
    await page.goto(address)
    await page.fill("[name=name]", "clinician-1")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await page.get_by_role("button", name=button).first.click()
    await expect(page.locator("#ask-send")).to_be_enabled()


def next_patient() -> Walker:
    person = Walker(1)
    person.subject, person.session = "p-next", "s-next"
    return person


@pytest.mark.parametrize("button", ["Pause", "Seen"])
async def test_nothing_is_answered_for_whoever_has_come_into_the_bed(
    page: Page, address: str, ward: SimulatedGateway, button: str
) -> None:
    await opened(page, address, button)
    ward.seat(next_patient())
    await expect(page.locator("#ask-warnings")).to_contain_text("In Bay 1 is another patient by now, or nobody")
    await expect(page.locator("#ask-send")).to_be_disabled()


@pytest.mark.parametrize("button", ["Pause", "Seen"])
@pytest.mark.parametrize("now", [[], [{**FALL, "since_us": 2}]], ids=["over", "raised anew"])
async def test_nothing_is_answered_to_a_notice_that_is_over(
    page: Page, address: str, ward: SimulatedGateway, button: str, now: list[dict[str, object]]
) -> None:
    await opened(page, address, button)
    ward.notices = now
    await expect(page.locator("#ask-warnings")).to_contain_text("This notice does not stand any more.")
    await expect(page.locator("#ask-send")).to_be_disabled()


async def test_a_pause_says_whose_notices_are_meant(page: Page, address: str, ward: SimulatedGateway) -> None:
    del ward
    await opened(page, address, "Pause")
    async with page.expect_request("**/api/notices/pause**") as asked:
        await page.click("#ask-send")
    assert (await asked.value).post_data_json == {
        "bed": "bay-1", "code": "fall_event", "minutes": 30, "was": Walker(1).subject,
    }  # fmt: skip


async def test_a_pause_that_is_over_is_not_ended_for_the_next(page: Page, address: str, ward: SimulatedGateway) -> None:
    pause = {"bed": "bay-1", "code": "fall_event", "until_us": 2, "by": "anna", "why": ""}
    ward.pauses = [pause]
    await opened(page, address, "End the pause")
    ward.pauses = [pause | {"until_us": 3}]
    await expect(page.locator("#ask-warnings")).to_contain_text("This pause is over, or another by now.")
    await expect(page.locator("#ask-send")).to_be_disabled()
