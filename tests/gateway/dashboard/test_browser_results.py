"""A report and a trend in a browser: read, chosen from, checked for accessibility, light and dark, wide and narrow."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config.settings import Settings
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.test_browser_languages import OPEN
from tests.gateway.dashboard.test_browser_welsh import english_texts, leftovers
from tests.gateway.results.clinic import DAY_S, FULL, SUBJECT, Clinic, monday_before
from tests.gateway.samples import START_US

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

AXE = "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])"
WIDTHS = {"light": (1280, 320), "dark": (1280,)}
SMALL = """() => [...document.querySelectorAll("button, select, summary, nav a, .button")]
  .filter((node) => node.offsetParent)
  .filter((node) => node.getBoundingClientRect().height < 24).map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture
def session(settings: Settings) -> str:
    """Three weeks that ended lately; return the last session."""
    clinic = Clinic(settings.site.data, simulated=True)
    last = int((time.time() - START_US / 1e6) / DAY_S) - 1
    clinic.gateway.do((last - 30) * DAY_S, "plan", subject=SUBJECT, bands="stroke-chronic", sessions_a_week=2)
    for day in (last - 28, last - 7):
        clinic.test(day, 0.5 if day == last - 28 else 0.8)
        clinic.walk(day + 1, 90.0, minutes=5)
    monday = monday_before(last - 8)
    for day, quarters in ((monday, FULL), (monday + 1, FULL), (last - 2, 6)):
        clinic.wear(day, quarters)
    made = clinic.walk(last, 96.0, minutes=8, but={3: "invalid", 4: "invalid"})
    clinic.store()
    return made


@pytest_asyncio.fixture(loop_scope="module")
async def address(settings: Settings, session: str) -> AsyncIterator[str]:
    async with served(settings) as made:
        yield made


async def check(page: Page, scheme: str) -> None:
    """See to it that nothing sticks out, nothing is too small to press, and axe-core finds nothing."""
    for width in WIDTHS[scheme]:
        where = f"{page.url}, {scheme}, {width}"
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, where
        assert await page.evaluate(SMALL) == [], where
        await page.add_script_tag(path=axe.SCRIPT)
        assert await page.evaluate(AXE) == [], where
    await page.set_viewport_size({"width": 1280, "height": 800})


async def open_page(browser: Browser, address: str, scheme: str) -> Page:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    context = await browser.new_context(bypass_csp=True, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    page.set_default_timeout(30_000)
    await page.goto(address)
    return page


async def test_a_trend_leads_to_the_report_of_a_session(browser: Browser, address: str, session: str) -> None:
    for scheme in ("light", "dark"):
        page = await open_page(browser, f"{address}trend/{SUBJECT}", scheme)
        await expect(page.locator("#title")).to_have_text(f"Trend of {SUBJECT}")
        await expect(page.locator("#simulated")).to_be_visible()
        await expect(page.locator("#measure-sentence")).to_contain_text("0.50 at first")
        await expect(page.locator("#weeks-sentence")).to_contain_text(
            re.compile("5 sessions in [56] weeks")
        )  # by today's weekday
        await expect(page.locator("#milestones tbody tr")).to_have_count(2)
        await page.locator("#metric").select_option("cadence")
        await page.locator("#by").select_option("session")
        await expect(page.locator("#plot")).to_have_attribute("aria-label", re.compile("^Cadence: .*3 sessions"))
        await expect(page.locator("#days-sentence")).to_contain_text(
            "3 days with measurements, 2 of them worn for ten hours or more; at the median 4.4 h upright and"
        )
        await expect(page.locator("#days-bars rect.done")).to_have_count(2)
        await expect(page.locator("#days-bars rect.little")).to_have_count(1)
        for summary in await page.locator("summary").all():
            await summary.click()
        await expect(page.locator("#days-table tbody tr").filter(has_text="mean of 2 days")).to_contain_text("11.0")
        await check(page, scheme)
        if scheme == "light":
            await page.locator("#measure-table tbody tr a").first.click()
            await expect(page.locator("h1")).to_contain_text(f"Session report: {SUBJECT}")
            assert session in page.url
        await page.context.close()


async def test_a_choice_that_could_not_be_read_is_said_and_taken_back(page: Page, address: str) -> None:
    await page.goto(f"{address}trend/{SUBJECT}")
    await expect(page.locator("#days-bars rect").first).to_be_visible()
    await page.context.set_offline(True)
    for name, other in (("metric", "cadence"), ("days", "42"), ("by", "week")):
        before = await page.locator(f"#{name}").input_value()
        assert before != other
        await page.locator(f"#{name}").select_option(other)
        await expect(page.locator(f"#{name}")).to_have_value(before)
    await expect(page.locator("#trouble")).to_be_visible()
    await expect(page.locator("#spoken")).to_have_text(await page.locator("#trouble").inner_text())
    await expect(page.locator("#days-bars")).to_be_visible()
    await page.context.set_offline(False)
    await page.locator("#metric").select_option("cadence")
    await expect(page.locator("#plot")).to_have_attribute("aria-label", re.compile("^Cadence"))
    await expect(page.locator("#trouble")).to_be_hidden()


async def test_days_that_could_not_be_read_leave_none_of_before(page: Page, address: str) -> None:
    await page.goto(f"{address}trend/{SUBJECT}")
    await expect(page.locator("#days-bars rect").first).to_be_visible()
    await page.route("**/api/days/*", lambda route: route.abort())
    await page.locator("#days").select_option("42")
    await expect(page.locator("#days-sentence")).to_contain_text("The days cannot be read now")
    await expect(page.locator("#days-bars")).to_be_hidden()
    await expect(page.locator("#days-bars")).to_have_attribute("aria-label", re.compile("cannot be read now"))
    await expect(page.locator("#days-table tbody tr")).to_have_count(0)


async def test_days_and_weeks_are_the_server_s_in_every_zone(browser: Browser, address: str, session: str) -> None:
    context = await browser.new_context(timezone_id="America/New_York")
    page = await context.new_page()
    await page.goto(f"{address}trend/{SUBJECT}")
    await expect(page.locator("#days-bars rect.done").first).to_be_attached()
    trend = await (await page.request.get(f"{address}api/trend/{SUBJECT}?days=90&by=day&metric=cadence")).json()
    days = await (await page.request.get(f"{address}api/days/{SUBJECT}?days=90")).json()
    await page.locator("#metric").select_option("cadence")
    await page.locator("#by").select_option("day")
    await expect(page.locator("#measure-title")).to_contain_text("each point a day")
    for table, told in (
        ("measure", [one["at_us"] for one in trend["lines"][0]["points"]]),
        ("weeks", [one["from_us"] for one in trend["weeks"]]),
        ("days", [one["at_us"] for one in days["days"]]),
    ):
        heads = page.locator(f"#{table}-table tbody th").filter(has_not_text="week")
        dates = [datetime.fromtimestamp(at / 1e6, UTC) for at in reversed(told)]
        assert await heads.all_text_contents() == [f"{at.day} {at:%b} {at.year}" for at in dates], table
    first = f"{dates[-1].day} {dates[-1]:%b} {dates[-1].year}"
    await expect(page.locator("#days-bars")).to_contain_text(first)
    await context.close()


async def test_no_english_text_is_left_on_a_trend_or_a_report(browser: Browser, address: str, session: str) -> None:
    texts = list(english_texts())
    context = await browser.new_context(locale="cy")
    for path, there in ((f"trend/{SUBJECT}", "#days-bars rect.done"), (f"report/{session}", ".results tbody tr")):
        page = await context.new_page()
        await page.goto(f"{address}{path}")
        await expect(page.locator(there).first).to_be_visible()
        assert await page.evaluate("document.documentElement.lang") == "cy"
        await page.evaluate(OPEN)
        assert await leftovers(page, texts) == [], path
    await context.close()


async def test_a_report_is_read_and_another_baseline_chosen(browser: Browser, address: str, session: str) -> None:
    for scheme in ("light", "dark"):
        page = await open_page(browser, f"{address}report/{session}", scheme)
        await expect(page.locator("h1")).to_contain_text(f"Session report: {SUBJECT}")
        await expect(page.locator(".curve svg")).to_have_count(1)
        await expect(page.locator(".results tbody tr")).to_contain_text("+6.0")
        await check(page, scheme)
        if scheme == "light":
            await page.locator("[name=baseline]").select_option(index=2)
            await page.get_by_role("button", name="Show").click()
            await expect(page.locator(".results thead")).to_contain_text("Change from the baseline")
        await page.context.close()


async def test_a_report_prints_without_what_is_for_a_screen(
    browser: Browser, address: str, session: str, tmp_path: Path
) -> None:
    page = await open_page(browser, f"{address}report/{session}", "dark")
    await page.emulate_media(media="print")
    await expect(page.locator(".tools")).to_be_hidden()
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)", "paper is white, whatever the screen is"
    answer = await page.request.get(f"{address}report/{session}/pdf", timeout=90_000)
    assert answer.headers["content-type"] == "application/pdf"
    (tmp_path / "report.pdf").write_bytes(await answer.body())
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
    await page.context.close()
