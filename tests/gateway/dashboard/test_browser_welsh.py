"""A Welsh browser on a ward where things are wrong: no English text of the catalogue is left on any screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from config.settings import Settings
from drivers.errors import NotFoundError, SilentStreamError
from gateway.texts.languages import read_languages
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Strapped, notice
from tests.gateway.dashboard.test_browser_dock import registry
from tests.gateway.dashboard.test_browser_languages import OPEN, PAGES, VISIBLE

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

DESK = {"width": 1280, "height": 800}
PLACE = re.compile(r"\{\w+\}")
LEAST = 6
"""Letters of a text beside what stands in it: a shorter one may be a word of both languages, or a unit."""
LOST = "no advertisement of 'dot-1' within 30 s"
QUIET = "no sample for 5 s"
DOUBT = "only 3 strides; clocks of the feet uncertain by 12 ms; left foot only"


def english_texts() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the English texts that Welsh says otherwise, each with what finds it as a whole phrase."""
    languages = read_languages()
    english, welsh = languages["en"], languages["cy"]
    for key, entry in english.entries.items():
        other = welsh.entries[key]
        same = {other} if isinstance(other, str) else set(other.values())
        for said in (entry,) if isinstance(entry, str) else entry.values():
            if said not in same and sum(map(str.isalpha, PLACE.sub("", said))) >= LEAST:
                pattern = r".+?".join(re.escape(part) for part in PLACE.split(said))
                yield key, re.compile(rf"(?<!\w){pattern}(?!\w)")
    for key, said in english.reasons.items():
        pattern = r"\d+".join(re.escape(part) for part in key.split("{n}"))
        yield said, re.compile(rf"(?<!\w){pattern}(?!\w)")


class Doubted(Strapped):
    """A person whose numbers are doubted, for reasons with numbers in them."""

    def means(self, now_s: float) -> list[dict[str, object]]:
        """Return what is said once a second."""
        return [{**one, "quality": "degraded", "reason": DOUBT} for one in super().means(now_s)]


async def leftovers(page: Page, texts: list[tuple[str, re.Pattern[str]]]) -> list[tuple[str, str]]:
    """Return which English texts a page says, and where."""
    said: list[str] = await page.evaluate(VISIBLE)
    return [(key, one) for one in said for key, text in texts if text.search(one)]


async def test_no_english_text_is_left_for_a_welsh_browser(
    browser: Browser, address: str, settings: Settings, topics: Topics
) -> None:
    texts = list(english_texts())
    assert len(texts) > 900
    said = {"key": "link_lost_why", "values": {"device": "bay-1-chest", "why": LOST}, "own_advice": True}
    lost = notice(
        "link-lost/bay-1-chest", f"bay-1-chest is not connected: {LOST}", slot="bay-1", said=said,
        advice=NotFoundError.advice,
    )  # fmt: skip
    with SimulatedGateway(settings.broker.port, [Doubted(1)], topics=topics) as simulated:
        simulated.notices = [lost]
        simulated.faults["bay-1-chest"] = {"state": "searching", "error": LOST, "advice": NotFoundError.advice}
        simulated.faults["bay-1-lower-back"] = {"state": "silent", "error": QUIET, "advice": SilentStreamError.advice}
        simulated.publish_ward(registry())
        context = await browser.new_context(viewport=DESK, locale="cy")  # type: ignore[arg-type] # a size
        for path, there in PAGES.items():
            page = await context.new_page()
            await page.goto(f"{address}{path}")
            await expect(page.locator(there).first).to_be_visible()
            assert await page.evaluate("document.documentElement.lang") == "cy"
            if path in {"", "devices"}:
                await expect(page.locator(".notice .words").first).to_contain_text(
                    "dim hysbyseb gan 'dot-1' o fewn 30 s"
                )
            if path == "devices":
                await expect(page.locator(".devices")).to_contain_text("Dim sampl ers 5 s.")
            if path.startswith("patient"):
                doubt = "dim ond 3 cam llawn; clociau'r traed yn ansicr o 12 ms; y droed chwith yn unig"
                await expect(page.locator(".number-card.doubt .remark").first).to_contain_text(doubt)
            await page.evaluate(OPEN)
            found = await leftovers(page, texts)
            assert found == [], path
            await page.close()
        await context.close()


async def test_english_would_be_found(browser: Browser, address: str, settings: Settings, topics: Topics) -> None:
    with SimulatedGateway(settings.broker.port, [Strapped(1)], topics=topics):
        page = await browser.new_page()
        await page.goto(address)
        await expect(page.locator(".tile .number").first).to_be_visible()
        assert len(await leftovers(page, list(english_texts()))) > 5
        await page.close()
