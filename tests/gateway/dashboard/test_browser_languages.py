"""Pages in a language that nobody speaks, longer than English: nothing is left in English, and nothing sticks out."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from config.pseudonym import check_digit
from config.settings import Settings
from gateway.texts.plurals import form_of
from gateway.wire.topics import Topics
from tests.gateway.dashboard.bedside import PASSWORD, bedside
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Strapped, notice
from tests.gateway.dashboard.test_browser_dock import registry
from tests.gateway.results.clinic import DAY_S, SUBJECT, Clinic
from tests.gateway.samples import START_US
from tests.gateway.texts.pseudo import CODE, write_pseudo

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

SIZES = ((1280, 800), (390, 844))
ZOOMED = (640, 400)
"""Pixels of CSS of a page of 1280 x 800 at 200 %."""
PAGES = {
    "": ".tile .number", "patient/bay-1": ".joint canvas", "beds": ".bed", "bed/bay-1": "#card",
    "devices": ".devices tbody tr", "dock": ".sensor", "feedback/bay-1": "#empty", "test/bay-1": "#label",
}  # fmt: skip
"""By address: what is there when it is drawn."""
ENGLISH = re.compile(r"(?<![^\W\d_])[A-Za-z]{3,}(?![^\W\d_])")
DATA = re.compile(
    r"rehab-gateway|gateway-1|[Bb]ay[ -]\d\S*|strap-\d|dot-\S+|p-\d+|movella dot|English"
    r"|Cymraeg \(drafft\)|Psëudo|Nm/kg|ppm|PDF|g-1 \S+|^cadence "
    r"|UTC[^\s,;]*|[a-z0-9-]+/\d|\b[a-z]+_[a-z_]+\b"
)
"""What is nobody's language: names, protocols, versions, kinds of sensor."""
REFUSED_DATA = re.compile(
    r"(?i)\b(?:10mwt|6mwt|clinician-1|no-such|NHS|pace|start|aid|ceiling|comfortable|fast|quick|speed=1|course_m)\b"
)
"""What stands in refusals: protocols, their fields and values, names."""
VISIBLE = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const parent = node.parentElement;
    if (parent.closest("script, style, noscript, [lang=en], [hidden], #forms, #spoken")) continue;
    if (node.textContent.trim()) found.push(node.textContent.trim());
  }
  for (const name of ["aria-label", "title", "placeholder"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) {
      if (!node.closest("[hidden], #forms")) found.push(node.getAttribute(name));
    }
  }
  return [document.title, ...found];
}"""
STICKS_OUT = """() => [...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility() && !node.closest(".scroll, .visually-hidden, svg, .uplot"))
  .filter((node) => node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((node) => node.outerHTML.slice(0, 160))"""

OPEN = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
FORMS = """(code) => {
  const rules = new Intl.PluralRules(code);
  return Array.from({ length: 200 }, (_, n) => rules.select(n));
}"""


@pytest.fixture
def pseudo(settings: Settings, tmp_path: Path) -> Settings:
    folder = write_pseudo(tmp_path / "texts")
    return settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"texts_folder": folder})})


@pytest_asyncio.fixture(loop_scope="module")
async def address(pseudo: Settings) -> AsyncIterator[str]:
    async with served(pseudo) as made:
        yield made


async def spoken_in(browser: Browser, address: str, code: str, size: tuple[int, int]) -> BrowserContext:
    made = await browser.new_context(viewport={"width": size[0], "height": size[1]})
    await made.add_cookies([{"name": "language", "value": code, "url": address}])
    return made


async def leftovers(page: Page) -> list[str]:
    """Return what is English on a page, but for names."""
    return [one for one in await page.evaluate(VISIBLE) if ENGLISH.search(DATA.sub("", one))]


async def test_nothing_is_left_in_english_and_nothing_sticks_out(
    browser: Browser, address: str, settings: Settings, topics: Topics
) -> None:
    said = {"key": "battery_low", "values": {"device": "bay-1-chest", "percent": "12"}, "own_advice": False}
    low = notice("battery-low/bay-1-chest", "The battery is low", slot="bay-1", said=said)
    with SimulatedGateway(settings.broker.port, [Strapped(1)], topics=topics) as simulated:
        simulated.notices = [low]
        advice = "Is the device charged, switched on, in range, and not connected to a phone?"
        simulated.faults["bay-1-chest"] = {"battery": 12.0, "state": "searching", "advice": advice}
        simulated.publish_ward(registry())
        for size in SIZES:
            context = await spoken_in(browser, address, CODE, size)
            for path, there in PAGES.items():
                page = await context.new_page()
                await page.goto(f"{address}{path}")
                await expect(page.locator(there).first).to_be_visible()
                assert await page.evaluate("document.documentElement.lang") == CODE
                await page.evaluate(OPEN)
                found = await leftovers(page)
                assert found == [], f"{path} at {size}: {found}"
                assert await page.evaluate("document.documentElement.scrollWidth") <= size[0], f"{path} at {size}"
                assert await page.evaluate(STICKS_OUT) == [], f"{path} at {size}"
                await page.close()
            await context.close()


async def send(page: Page, actions: str, **fields: str) -> str:
    """Press the first button of a part of a bed's card, fill in and send; return with what it was refused."""
    await page.locator(f"{actions} button").first.click()
    for name, value in fields.items():
        await page.fill(f"#ask-{name}", value)
    await page.locator("#ask-send").click()
    await expect(page.locator("#ask-refused")).to_be_visible(timeout=30_000)
    found = await page.locator("#ask-refused").inner_text()
    await page.locator("#ask-close").click()
    return found


async def test_what_is_refused_is_said_in_the_language_of_the_page(
    browser: Browser, tmp_path: Path, mosquitto_port: int
) -> None:
    number = f"943 476 591{check_digit('943476591')}"
    with bedside(tmp_path, mosquitto_port, site="refusals") as gateway:
        dashboard = gateway.settings.dashboard.model_copy(update={"texts_folder": write_pseudo(tmp_path / "texts")})
        async with served(gateway.settings.model_copy(update={"dashboard": dashboard})) as address:
            context = await spoken_in(browser, address, CODE, SIZES[0])
            page = await context.new_page()
            await page.goto(f"{address}bed/bay-1")
            await page.fill("[name=name]", "clinician-1")
            await page.fill("[name=password]", PASSWORD)
            await page.click("button[type=submit]")
            await expect(page.locator("#subject")).to_have_text("p-1")
            said = [
                await send(page, "#session-actions", protocol="10mwt pace=quick"),
                await send(page, "#session-actions", protocol="10mwt speed=1"),
                await send(page, "#session-actions", protocol="6mwt course_m=0"),
                await send(page, "#session-actions", protocol="rest", notes=f"is {number}"),
            ]
            await asyncio.to_thread(gateway.end)
            await expect(page.locator("#banner")).to_be_visible()
            said.append(await send(page, "#session-actions", protocol="rest"))
            await page.goto(f"{address}trend/p-999")
            await expect(page.locator("#trouble")).to_be_visible()
            said += await leftovers(page)
            for path in ("report/no-such", "beds?gateway=no-such", "fleet"):
                await page.goto(f"{address}{path}")
                said.append(await page.locator("body").inner_text())
            await context.close()
    words = [REFUSED_DATA.sub("", DATA.sub("", one)) for one in said]
    assert len(words) >= 8
    assert [one for one in words if not one.strip() or ENGLISH.search(one)] == [], said


async def test_trend_and_report_are_in_the_language_that_was_chosen(browser: Browser, pseudo: Settings) -> None:
    clinic = Clinic(pseudo.site.data, simulated=True)
    last = int((time.time() - START_US / 1e6) / DAY_S) - 1
    clinic.test(last - 7, 0.8)
    clinic.walk(last - 6, 90.0, minutes=5)
    session = clinic.walk(last, 96.0, minutes=8, but={3: "invalid"})
    clinic.store()
    async with served(pseudo) as address:
        for size in (*SIZES, ZOOMED):
            context = await spoken_in(browser, address, CODE, size)
            for path, there in ((f"trend/{SUBJECT}", "#milestones tbody tr"), (f"report/{session}", ".results")):
                page = await context.new_page()
                await page.goto(f"{address}{path}")
                await expect(page.locator(there).first).to_be_visible()
                await page.evaluate(OPEN)
                found = await leftovers(page)
                assert found == [], f"{path} at {size}: {found}"
                assert await page.evaluate("document.documentElement.scrollWidth") <= size[0], f"{path} at {size}"
                await page.close()
            await context.close()


async def test_a_person_chooses_welsh_and_comes_back(
    browser: Browser, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [Strapped(1)], topics=topics):
        context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        page = await context.new_page()
        await page.goto(f"{address}?sort=bed")
        await page.get_by_role("link", name="Cymraeg").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ward")
        await expect(page.locator("#counts")).to_contain_text("1 gwely")
        assert page.url.endswith("?sort=bed")
        assert await page.evaluate("document.documentElement.lang") == "cy"
        await expect(page.locator(".draft")).to_be_visible()
        await page.get_by_role("link", name="English").click()
        await expect(page.locator("#counts")).to_contain_text("1 bed")
        await context.close()


async def test_browsers_know_the_same_forms(browser: Browser) -> None:
    page = await browser.new_page()
    for code in ("en", "cy", "fr", "ga", "pl", "de"):
        found: list[Any] = await page.evaluate(FORMS, code)
        assert found == [form_of(code, n) for n in range(200)], code
    await page.close()


async def test_at_200_per_cent_no_page_scrolls_sideways_and_nothing_is_lost(
    browser: Browser, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [Strapped(1)], topics=topics) as simulated:
        simulated.publish_ward(registry())
        size = {"width": ZOOMED[0], "height": ZOOMED[1]}
        context = await browser.new_context(viewport=size, device_scale_factor=2)  # type: ignore[arg-type] # a size
        for path, there in PAGES.items():
            page = await context.new_page()
            await page.goto(f"{address}{path}")
            await expect(page.locator(there).first).to_be_attached()
            await expect(page.locator("h1")).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= ZOOMED[0], path
            assert await page.evaluate(STICKS_OUT) == [], path
            await page.locator("footer").scroll_into_view_if_needed()
            await expect(page.locator("footer")).to_be_in_viewport()
            await page.close()
        await context.close()
