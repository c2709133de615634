"""A physiotherapist gives timed tests to a simulated patient: by touch, by keys alone, with a second tablet beside."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.bedside import PASSWORD
from tests.gateway.dashboard.clinic import Clinic, clinic
from tests.gateway.dashboard.served import served
from tests.gateway.dashboard.test_browser_bed_card import AXE

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

QUICK, SLOW = 5.0, 1.5
BUSY = 1.5
"""Processes that wait for each processor: where there are more, simulated time that is quick loses its samples."""
FOUND_MS = 300_000  # several rounds of the patient, on a machine that is slow
MOST_TABS = 120
GOAL_S = 10.0  # from the end of a test to its result
SECONDS = re.compile(r"([\d.]+) s\b")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Clinic]:
    """Somebody who stands up, walks, turns and sits down, and walks ten metres, again and again."""
    folder = tmp_path_factory.mktemp("clinic")
    speed = QUICK if os.getloadavg()[0] / (os.cpu_count() or 1) < BUSY else SLOW
    with clinic(folder, mosquitto_port, site="timed", speed=speed, only=("tug", "10mwt")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(patient: Clinic) -> AsyncIterator[str]:
    async with served(patient.settings) as made:
        yield made


async def opened(context: BrowserContext, address: str, path: str = "test/bed-1", role: str = "clinician") -> Page:
    page = await context.new_page()
    await page.goto(f"{address}{path}")
    await page.fill("[name=name]", f"{role}-1")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    return page


async def check(*pages: Page) -> None:
    """Have axe look at pages as they are, where it is there: in CI it is."""
    if not await asyncio.to_thread(axe.available):
        assert not os.environ.get("CI"), f"needs {axe.PACKAGE} from npm"
        return
    for page in pages:
        await page.add_script_tag(path=axe.SCRIPT)
        assert await page.evaluate(AXE) == []


async def run_until_found(page: Page) -> None:
    """Press Start, wait until the sensors have found a movement, and press Stop."""
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#run")).to_be_visible()
    await expect(page.locator("#found")).to_contain_text("found", timeout=FOUND_MS)
    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator(".trials .value").first).to_be_visible()


async def seconds(place: Locator) -> float:
    found = SECONDS.search(await place.inner_text())
    assert found, await place.inner_text()
    return float(found[1])


def stored(patient: Clinic, *metrics: str) -> list[Measurement]:
    path = patient.settings.site.data / "history.db"
    sessions = [one["id"] for one in patient.heard.ward["ended"]]
    with closing(HistoryReader(path)) as reader:
        return reader.in_sessions(sessions, metrics)


async def becomes_stored(patient: Clinic, *metrics: str) -> list[Measurement]:
    for _ in range(300):
        if found := [m for m in await asyncio.to_thread(stored, patient, *metrics) if not m.devices]:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{metrics} of people did not reach the history")


async def drag_start(page: Page, lasted_s: float, later_s: float) -> None:
    """Take hold of the line of the start, and move it: the plot shows four seconds on both sides of what was found."""
    await page.locator("#plot").scroll_into_view_if_needed()
    box = await page.locator("#plot .u-over").bounding_box()
    assert box is not None
    a_second = box["width"] / (lasted_s + 8.0)
    x, y = box["x"] + 4.0 * a_second, box["y"] + box["height"] / 2
    await page.mouse.move(x + 3, y)
    await page.mouse.down()
    await page.mouse.move(x + later_s * a_second, y, steps=4)
    await page.mouse.up()


async def test_a_physio_runs_a_ten_metre_walk_and_an_up_and_go_and_corrects_a_start(
    browser: Browser, address: str, patient: Clinic
) -> None:
    shapes: list[Any] = [
        {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    ]
    contexts = [await browser.new_context(**shape, bypass_csp=True) for shape in shapes]  # axe is a script of ours
    page, tablet = [await opened(context, address) for context in contexts]
    for one in (page, tablet):
        await one.get_by_role("radio", name="10 m walk, comfortable").check()
        await expect(one.locator("#needs")).to_contain_text("Lower back (bed-1-lower-back): steps")
    await check(page, tablet)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#refused")).to_have_text("How it starts: choose one, or the result is in doubt.")
    await page.get_by_label("How it starts").select_option("dynamic")
    size = await page.locator("#start").bounding_box()
    assert size is not None
    assert size["height"] >= 88
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(tablet.locator("#running")).to_have_text("10 m walk, comfortable")
    await check(page, tablet)
    await expect(page.locator("#found")).to_contain_text("found", timeout=FOUND_MS)
    await tablet.get_by_role("button", name="Stop", exact=True).click()
    first = page.locator(".trials li").first
    await expect(first.locator(".value")).to_contain_text("m/s")
    await expect(page.locator("#waits")).to_contain_text("The result was there")
    assert await seconds(page.locator("#waits")) < GOAL_S
    await expect(page.locator("#plot")).to_have_attribute("aria-label", re.compile(r"Curve over time.*lower back"))
    shown = await first.locator(".value").inner_text()
    await first.get_by_role("button", name="Correct start and end").click()
    await drag_start(page, await seconds(first.locator(".value small")), 0.6)
    await expect(page.locator("#preview")).to_contain_text(re.compile(r"start \+0\.[4-8]"))
    await page.get_by_label("What was wrong").fill("a cough")
    await check(page)
    await page.get_by_role("button", name="Save beside what was found").click()
    for one in (page, tablet):
        await expect(one.locator(".by-hand").first).to_contain_text(
            re.compile(r"By hand: [\d.]+ m/s · [\d.]+ s \(start \+0")
        )
    assert await first.locator(".value").inner_text() == shown, "what was found stays"
    await check(tablet)
    by_hand = {m.metric: m for m in await becomes_stored(patient, "tmwt10_time", "tmwt10_speed")}
    time, speed = by_hand["tmwt10_time"].value, by_hand["tmwt10_speed"].value
    assert time is not None
    assert speed == pytest.approx(10.0 / time)
    assert {m.subject for m in by_hand.values()} == {"sim-001"}
    await page.get_by_role("button", name="Another test").click()
    await page.get_by_role("radio", name="Timed Up and Go").check()
    await run_until_found(page)
    await expect(page.locator("#result-title")).to_have_text("Timed Up and Go")
    await expect(page.locator(".trials .value").first).to_contain_text(SECONDS)
    await page.get_by_text("All of it, as a table").click()
    await expect(page.locator("#parts-table")).to_contain_text("Timed Up and Go")
    audited = [one for one in patient.heard.changes() if one["change"] == "test-correct"]
    assert [(one["by"], one["metric"]) for one in audited] == [("clinician-1 (clinician)", "tmwt10_time")]
    assert audited[0]["start_us"] > audited[0]["found_start_us"]
    for context in contexts:
        await context.close()


async def press_until(page: Page, key: str, selector: str) -> None:
    """Press a key until an element has the focus."""
    for _ in range(MOST_TABS):
        if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{selector} is not reached by {key}")


async def test_a_ten_metre_walk_by_keys_alone(context: BrowserContext, address: str, patient: Clinic) -> None:
    page = await opened(context, address)
    await expect(page.locator("#result, #prepare").locator("visible=true").first).to_be_visible()
    if await page.locator("#again").is_visible():
        await press_until(page, "Tab", "#again")
        await page.keyboard.press("Enter")
    await press_until(page, "Tab", "[name=test]")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("radio", name="10 m walk, comfortable")).to_be_checked()
    await press_until(page, "Tab", "[name=start]")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await press_until(page, "Tab", "#start")
    await page.keyboard.press("Enter")
    await expect(page.locator("#run")).to_be_visible()
    await expect(page.locator("#found")).to_contain_text("found", timeout=FOUND_MS)
    await press_until(page, "Tab", "#stop")
    await page.keyboard.press("Enter")
    await expect(page.locator("#result-title")).to_be_focused()
    await expect(page.locator(".trials .value").first).to_contain_text("m/s")
    await press_until(page, "Tab", ".trials button")
    await page.keyboard.press("Enter")
    await expect(page.locator("#end-start_us")).to_be_focused()
    await press_until(page, "Tab", "[aria-label='Start 0.1 s later']")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#preview")).to_contain_text("start +0.20 s, end +0.00 s")
    await press_until(page, "Tab", "#save-times")
    await page.keyboard.press("Enter")
    await expect(page.locator(".by-hand").first).to_contain_text("start +0.20 s")
    await press_until(page, "Tab", "[name=borg_cr10]")
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowRight")
    await press_until(page, "Tab", "#report button")
    await page.keyboard.press("Enter")
    await expect(page.locator("#so-far")).to_contain_text("Exertion, Borg CR10: 0.5")
    (said,) = await becomes_stored(patient, "borg_cr10")
    assert (said.value, said.subject, said.algorithm) == (0.5, "sim-001", "reported/1")
