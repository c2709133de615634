"""A page that shows a bed while somebody else takes it: whose numbers a person sees, and what is said about it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.history.history import History
from gateway.wire.payload import Message
from gateway.wire.topics import Topics
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.simulated_gateway import MICRO, SimulatedGateway
from tests.gateway.dashboard.test_wearers import Patient
from tests.gateway.samples import measurement

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

NO_NUMBER = "\u2013"
PICTURE = "document.querySelector('.lane canvas').toDataURL()"
FIRST, AGAIN, SECOND = Patient("p-101", "s-1"), Patient("p-101", "s-2"), Patient("p-152", "s-3")


def fill_history(settings: Settings) -> None:
    """Write what the first patient did in the bed in the last minutes: a heart of 45, as nobody has now."""
    now_us = time.time_ns() // 1000
    rows = [
        replace(
            measurement(value=45.0), metric="heart_rate", unit="/min", side="none", algorithm="test/1", slot="bay-1",
            subject="p-101", session="s-1", start_us=now_us - (i + 1) * MICRO, end_us=now_us - i * MICRO,
        )
        for i in range(200, 20, -1)
    ]  # fmt: skip
    history = History(settings.site.data / "history.db")
    history.store([Message("gateway-1", "0" * 16, 0, list(enumerate(rows, 1)))])
    history.close()


@pytest_asyncio.fixture(loop_scope="module")
async def address(settings: Settings) -> AsyncIterator[str]:
    """Serve the dashboard with a history."""
    await asyncio.to_thread(fill_history, settings)
    async with served(settings, within_s=10) as made:
        yield made


async def shows_first(page: Page) -> None:
    """Return when the page shows the first patient, history and all."""
    await expect(page.locator("#subject")).to_contain_text("p-101")
    await expect(page.locator("#trend-heart .remark").first).to_contain_text("45 to")
    await expect(page.locator("#joint-values td").first).to_contain_text("°")
    await expect(page.locator("#strides-chart rect").first).to_be_visible()


@pytest_asyncio.fixture(loop_scope="module")
async def simulated(page: Page, address: str, settings: Settings, topics: Topics) -> AsyncIterator[SimulatedGateway]:
    """Show the bed of the first patient, history and all; yield the gateway that tells of it."""
    with SimulatedGateway(settings.broker.port, [FIRST], topics=topics) as gateway:
        await page.goto(f"{address}patient/bay-1")
        await shows_first(page)
        yield gateway


async def test_a_page_left_open_switches_at_once_clears_everything_and_says_so(
    page: Page, simulated: SimulatedGateway
) -> None:
    await expect(page.locator("#change")).to_be_hidden()
    await page.get_by_role("button", name="Freeze").click()
    frozen = await page.evaluate(PICTURE)
    simulated.silent.add("bay-1")
    simulated.seat(SECOND)
    await expect(page.locator("#change")).to_contain_text("New patient in Bay 1: p-152, since")
    await expect(page.locator("#change")).to_contain_text("Nothing of p-101 is shown any more.")
    await expect(page.locator("#subject")).to_contain_text("p-152")
    assert set(await page.locator(".number-card b").all_inner_texts()) == {NO_NUMBER}
    await expect(page.locator("#strides-chart rect")).to_have_count(0)
    await expect(page.locator("#joints-hint")).to_contain_text("No strides yet")
    await expect(page.locator("#trend-heart .remark").first).to_have_text("no values yet")
    await expect(page.get_by_role("button", name="Freeze", exact=True)).to_be_visible()
    assert await page.evaluate(PICTURE) != frozen
    simulated.silent.clear()
    remark = page.locator("#trend-heart .remark")
    await expect(remark.first).to_contain_text(re.compile(r"^[89]\d to"))
    await expect(remark.nth(1)).to_have_text(re.compile(r"^new patient: p-152 from \d\d:\d\d$"))
    label = re.compile(r"Heart rate over .* [89]\d to [89]\d bpm; new patient: p-152 from \d\d:\d\d$")
    await expect(page.locator("#trend-heart .plot")).to_have_attribute("aria-label", label)
    await page.get_by_role("button", name="Seen").click()
    await expect(page.locator("#change")).to_be_hidden()


TAKEN = """new Promise((done) => {
  const look = () => (sessionStorage.getItem("wearer of bay-1").includes("s-3") ? done() : setTimeout(look, 20));
  look();
})"""


async def test_the_session_that_a_new_patient_begins_does_not_take_the_place_of_what_is_said_of_them(
    page: Page, simulated: SimulatedGateway
) -> None:
    simulated.silent.add("bay-1")
    simulated.seat(Patient("p-152", ""))
    await expect(page.locator("#spoken")).to_contain_text("New patient in Bay 1: p-152")
    simulated.seat(SECOND)
    await page.evaluate(TAKEN)
    await expect(page.locator("#change")).to_contain_text("Nothing of p-101 is shown any more.")
    await page.get_by_role("button", name="Seen").click()
    simulated.seat(Patient("p-152", "s-4"))
    await expect(page.locator("#change")).to_contain_text("New session from")


class Unworn(Patient):
    """Somebody who has no sensor on yet."""

    placements = ()


async def test_a_bed_taken_by_somebody_without_a_sensor_keeps_no_bar_of_the_earlier_patient(
    page: Page, simulated: SimulatedGateway
) -> None:
    """The sheet is hidden with the very word that empties it: a chart that is drawn by its width has none by then."""
    simulated.silent.add("bay-1")
    simulated.seat(Unworn("p-152", "s-3"))
    await expect(page.locator("#change")).to_contain_text("New patient in Bay 1: p-152")
    await expect(page.locator("#sheet")).to_be_hidden()
    await expect(page.locator("#strides-chart rect")).to_have_count(0)


async def test_a_closed_table_of_all_numbers_keeps_none_of_the_earlier_patient(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    rows, summary = page.locator("#newest-table tbody tr"), page.locator("#newest summary")
    with SimulatedGateway(settings.broker.port, [FIRST], topics=topics) as simulated:
        await page.goto(f"{address}patient/bay-1")
        await summary.click()
        await expect(rows.first).to_be_attached()
        await summary.click()
        simulated.silent.add("bay-1")
        simulated.seat(SECOND)
        await expect(page.locator("#subject")).to_contain_text("p-152")
        await expect(rows).to_have_count(0)
        simulated.silent.clear()
        await expect(page.locator(".number-card b").first).not_to_have_text(NO_NUMBER)
        await summary.click()
        await expect(rows.first).to_be_attached()


async def test_numbers_of_the_earlier_patient_that_come_late_do_not_come_back(
    page: Page, simulated: SimulatedGateway
) -> None:
    simulated.seat(SECOND)
    await expect(page.locator("#change")).to_contain_text("New patient")
    ended = time.time() - 5
    late = FIRST.measurement("heart_rate", 33.0, "none", ended - 1, ended)
    simulated.publish(FIRST, [late | {"end_us": late["end_us"] + i} for i in range(20)])
    simulated.publish_curves(FIRST, ended)
    number = page.locator(".number-card").last.locator("b")
    await expect(number).not_to_have_text(await number.inner_text())
    await expect(page.locator("#subject")).to_contain_text("p-152")
    await expect(number).to_have_text(re.compile(r"^[89]\d$"))
    await expect(page.locator("#trend-heart .remark").first).to_contain_text(re.compile(r"^[89]\d to"))


async def test_a_page_opened_again_says_that_another_patient_is_there(
    page: Page, address: str, simulated: SimulatedGateway
) -> None:
    await page.get_by_role("link", name="Devices").click()
    await expect(page.locator("#devices tbody tr").first).to_be_visible()
    simulated.seat(SECOND)
    await page.go_back()
    await expect(page.locator("#change")).to_contain_text("New patient in Bay 1: p-152")
    await expect(page.locator("#subject")).to_contain_text("p-152")
    await expect(page.locator("#trend-heart .remark").first).to_contain_text(re.compile(r"^[89]\d to"))
    await expect(page.locator("#trend-heart .remark").nth(1)).to_contain_text("new patient: p-152 from")
    await page.goto(address)
    tile = page.locator(".tile").first
    await expect(tile.locator(".subject")).to_have_text(re.compile(r"^p-152 · new since \d\d:\d\d$"))


async def test_a_new_session_of_the_same_patient_breaks_the_curve_and_keeps_it(
    page: Page, simulated: SimulatedGateway
) -> None:
    simulated.seat(AGAIN)
    await expect(page.locator("#change")).to_contain_text("New session from")
    await expect(page.locator("#trend-heart .remark").nth(1)).to_have_text(re.compile(r"^new session from \d\d:\d\d$"))
    await expect(page.locator("#trend-heart .remark").first).to_contain_text("45 to")


async def test_an_emptied_bed_is_shown(page: Page, simulated: SimulatedGateway) -> None:
    simulated.silent.add("bay-1")
    simulated.seat(Patient("", ""))
    await expect(page.locator("#change")).to_contain_text("p-101 is no longer in Bay 1: nobody is.")
    await expect(page.locator("#subject")).to_contain_text("nobody")
    assert set(await page.locator(".number-card b").all_inner_texts()) == {NO_NUMBER}


async def test_texts_that_would_be_html_or_turn_the_line_round_are_plain_text(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    evil = "\u202e<img src=x onerror=document.title='taken'>\x1b[31m"
    person = Patient(evil, "s-1")
    person.label = evil
    with SimulatedGateway(settings.broker.port, [person], topics=topics) as simulated:
        simulated.faults["bay-1-chest"] = {"state": "silent", "error": evil, "advice": evil, "placement": evil}
        for path in ("", "patient/bay-1", "devices"):
            await page.goto(f"{address}{path}")
            await expect(page.locator("body")).to_contain_text("\ufffd<img src=x")
            assert await page.locator("img[src=x]").count() == 0
            assert not re.search("[\u202e\x1b]", await page.locator("body").inner_text())
            assert "taken" not in (await page.title()).split("'")[0]
