"""People, audit and looks in real Chromium: a ward change and a nurse's look stand there; by keyboard, axe, a phone."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.audit import access_log, newest
from gateway.dashboard.access import ROLES
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.bedside import PASSWORD, START_S, Bedside, ward_file
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.test_browser_beds import process
from tests.gateway.dashboard.test_browser_dock import no_violation
from tests.gateway.dashboard.test_browser_languages import OPEN, STICKS_OUT
from tests.gateway.dashboard.test_browser_welsh import english_texts, leftovers
from tests.servers import wait_until

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

DESK, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 640}
STORED_S = 60.0


@dataclass
class Place:
    """A ward with a historian, and where its dashboard is."""

    ward: Bedside
    address: str

    @property
    def history(self) -> Path:
        return self.ward.settings.site.data / "history.db"

    @property
    def looks(self) -> Path:
        return self.ward.settings.site.data / access_log.NAME


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Bedside]:
    folder = tmp_path_factory.mktemp("people")
    path = ward_file(folder, mosquitto_port, site="people", beds=2)
    with process(folder, "historian", str(path)):
        made = Bedside(path)
        try:
            wait_until(lambda: made.heard.ward, START_S)
            wait_until(lambda: newest.count_records(made.settings.site.data / "history.db"), START_S)
            yield made
        finally:
            made.end()
            made.heard.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(ward: Bedside) -> AsyncIterator[Place]:
    async with served(ward.settings, within_s=START_S) as address:
        yield Place(ward, address)


async def signed_in(
    browser: Browser, place: Place, name: str, *, locale: str = "en-GB", **options: Any
) -> BrowserContext:
    context = await browser.new_context(bypass_csp=True, locale=locale, **options)
    page = await context.new_page()
    await page.goto(f"{place.address}login")
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("form.session span")).to_contain_text(name)
    return context


async def opened(context: BrowserContext, place: Place) -> Page:
    page = await context.new_page()
    await page.goto(f"{place.address}people")
    await expect(page.locator("#users tbody tr")).to_have_count(5)
    await expect(page.locator("#looks tbody tr").first).to_be_visible()
    return page


async def until(found: Any) -> None:
    await asyncio.to_thread(wait_until, found, STORED_S)


async def test_an_admin_reads_users_a_change_that_was_just_made_and_a_nurses_look(
    browser: Browser, place: Place
) -> None:
    nurse = await signed_in(browser, place, "clinician-1", viewport=DESK)
    patient = await nurse.new_page()
    await patient.goto(f"{place.address}patient/bay-1")
    await expect(patient.locator(".subject").first).to_contain_text("p-1")
    headers = {
        "Origin": place.address.rstrip("/"), "Idempotency-Key": secrets.token_hex(16), "Signed-In-As": "clinician-1",
    }  # fmt: skip
    answer = await nurse.request.post(
        f"{place.address}api/ward/discharge", data={"subject": "p-2"}, headers=headers, timeout=STORED_S * 1000
    )
    assert answer.status == 200, await answer.text()
    await until(lambda: newest.newest_records(place.history, newest.Wanted(kind="ward-changed")).entries)
    await until(
        lambda: any(
            one.fields.get("page") == "patient" and [person.subject for person in one.people] == ["p-1"]
            for one in newest.newest_looks(place.looks, newest.Wanted()).entries
        )
    )
    await nurse.close()

    admin = await signed_in(browser, place, "admin-1", viewport=DESK)
    page = await opened(admin, place)
    await expect(page.locator("#users tbody tr", has_text="clinician-1")).not_to_contain_text("not in the log")
    await expect(page.locator("#users tbody tr", has_text="researcher-1")).to_contain_text("not in the log")
    change = page.locator("#audit tbody tr", has_text="discharge")
    await expect(change).to_contain_text("clinician-1 (clinician)")
    await expect(change).to_contain_text("p-2")
    look = page.locator("#looks tbody tr", has_text="page patient").filter(has_text="bay-1: p-1").first
    await expect(look).to_contain_text("clinician-1")
    await expect(page.locator("#audit-chains")).to_contain_text("✓ gateway-1: The chain is whole")
    await expect(page.locator("#looks-chains")).to_contain_text("✓ The log is whole.")

    await page.locator("#audit-choices [name=kind]").select_option("start")
    await expect(page.locator("#audit tbody tr")).to_have_count(1)
    await expect(page.locator("#audit tbody tr")).to_contain_text("version")
    await page.locator("#audit-choices [name=day]").fill("2020-02-29")
    await expect(page.locator("#audit-count")).to_have_text("There is no such entry.")
    await expect(page.locator("#audit tbody tr")).to_have_count(0)

    await page.locator("#looks-choices button").click()  # also this look at the log stands in it now
    await expect(page.locator("#looks tbody tr", has_text="page access-log")).to_contain_text("admin-1")
    await admin.close()


async def test_no_english_text_is_left_of_people(browser: Browser, place: Place) -> None:
    admin = await signed_in(browser, place, "admin-1", locale="cy", viewport=DESK)
    page = await opened(admin, place)
    await expect(page.locator("#audit tbody tr").first).to_be_visible()
    await expect(page.locator("#looks-chains")).to_contain_text("✓")
    assert await page.evaluate("document.documentElement.lang") == "cy"
    await page.evaluate(OPEN)
    found = await leftovers(page, list(english_texts()))
    assert [
        each for each in found if each[1] not in {f"{role}-1" for role in ROLES}
    ] == []  # names are nobody's language
    await admin.close()


async def test_older_entries_are_reached_by_keyboard_and_the_link_is_for_admins(browser: Browser, place: Place) -> None:
    log = access_log.AccessLog(place.looks, keep_days=9999, keep_people_days=9999)
    for n in range(newest.PAGE + 5):
        log.write(
            "look", [access_log.Person(f"bay-{m}", f"p-{m}", "s") for m in range(20)], user=f"nurse-{n}", page="ward"
        )
    await asyncio.to_thread(log.close)
    admin = await signed_in(browser, place, "admin-1", viewport=DESK)
    page = await admin.new_page()
    await page.goto(f"{place.address}devices")
    await page.get_by_role("link", name="People, audit, who looked at what").click()
    await expect(page.locator("#looks tbody tr")).to_have_count(newest.PAGE)
    await expect(page.locator("#looks tbody summary").last).to_have_text("20 people")
    await page.locator("#looks-older").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#looks tbody tr", has_text="nurse-0").first).to_be_visible()
    assert await page.evaluate("document.activeElement.id") == "looks-region"
    await admin.close()
    other = await signed_in(browser, place, "technician-1", viewport=DESK)
    page = await other.new_page()
    await page.goto(f"{place.address}devices")
    await expect(page.get_by_role("link", name="Fleet: versions")).to_be_visible()
    await expect(page.locator("a.for-admins")).to_be_hidden()
    refused = await page.goto(f"{place.address}people")
    assert refused is not None
    assert refused.status == 403
    await other.close()


@pytest.mark.parametrize("look", [("light", DESK), ("dark", DESK), ("light", NARROW), ("dark", NARROW)])
async def test_axe_finds_nothing_and_nothing_sticks_out(browser: Browser, place: Place, look: tuple[Any, Any]) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    admin = await signed_in(browser, place, "admin-1", color_scheme=look[0], viewport=look[1])
    page = await opened(admin, place)
    await expect(page.locator("#looks-chains")).to_contain_text("whole")
    await expect(page.locator("#audit tbody tr").first).to_be_visible()
    await no_violation(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(STICKS_OUT) == []
    for caption in await page.locator("table:visible caption").all():
        assert await caption.inner_text()
    if look[1] == NARROW:
        first = page.locator("#audit tbody tr").first
        for cell in await first.locator("td").all():
            await expect(cell).to_be_visible()
    await admin.close()
