"""What a person sees: real Chromium, real broker, a ward that walks."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.browser import WITHIN_MS
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Strapped, Walker, notice, walking

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

SHAPES = {"tablet": (1024, 768), "desk": (1280, 800), "phone": (390, 844)}

COLOURED = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [[0x00, 0x72, 0xb2], [0xc2, 0x54, 0x00]].map(([red, green, blue]) => {
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
      found += data[i + 3] > 200 && Math.hypot(data[i] - red, data[i + 1] - green, data[i + 2] - blue) < 30;
    }
    return found;
  });
}"""
"""How many pixels have the colour of the left side, and of the right one."""

WITHIN_BOXES = """() => [...document.querySelectorAll(".joint .plot")].every((box) =>
  Math.abs(box.querySelector("canvas").getBoundingClientRect().right - box.getBoundingClientRect().right) < 2)"""

SENT = """() => performance.getEntriesByType("resource").filter((one) => one.transferSize > 0)
  .map((one) => one.name.replace(location.origin, ""))"""
"""What a page has asked the server for; what the browser had is not among it."""

PICTURE = "document.querySelector('.lane canvas').toDataURL()"


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """Open a tab whose every error fails the test; it is gone before the server of ``address`` is."""
    assert address
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=False)
    made = await context.new_page()
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("console", lambda message: troubles.append(message.text) if message.type in {"error", "warning"} else None)
    made.set_default_timeout(WITHIN_MS)
    yield made
    await context.close()
    assert troubles == []


class Resting(Walker):
    """Somebody who does not walk."""

    def stride(self, side: str, end_s: float) -> list[dict[str, Any]]:
        return []

    def means(self, now_s: float) -> list[dict[str, Any]]:
        return [self.measurement("heart_rate", 61.0, "none", now_s - 1.0, now_s)]


async def test_a_tile_says_that_a_sensor_is_perhaps_not_worn(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    who = Resting(1)
    with SimulatedGateway(settings.broker.port, [who], topics=topics) as simulated:
        await page.goto(address)
        seen = page.locator(".tile .activity")
        now_s = time.time()
        simulated.publish(who, [who.measurement("posture", 0, "none", now_s - 60, now_s - 60)])
        await expect(seen).to_contain_text("Lying")
        simulated.publish(who, [who.measurement("wear_time", 0, "none", now_s - 60, now_s - 1)])
        await expect(seen).to_contain_text("Not worn?")


async def test_a_tile_changes_a_patient_opens_and_the_strip_moves(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with walking(settings.broker.port, 3, topics=topics):
        await page.goto(address)
        await expect(page.locator(".tile")).to_have_count(3)
        await expect(page.locator("#simulated")).to_have_text("Simulated data")
        tile = page.locator(".tile").nth(1)
        await expect(tile.locator(".activity")).to_contain_text("Walking")
        number = tile.locator(".figure").nth(1).locator("b")
        before = await number.inner_text()
        await expect(number).not_to_have_text(before)

        await tile.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Bay 2")
        await expect(page.locator(".lane")).to_have_count(2)
        await expect(page.locator(".lane .said").first).to_be_empty()
        for _ in range(3):
            picture = await page.evaluate(PICTURE)
            await page.wait_for_function(f"picture => {PICTURE} !== picture", arg=picture)
        await expect(page.locator("#strides-chart rect.left").first).to_be_visible()
        await expect(page.locator("#strides-chart rect.right").first).to_be_visible()
        label = re.compile("Heart rate over the last 10 minutes: [0-9]")
        await expect(page.locator("#trend-heart .plot")).to_have_attribute("aria-label", label)


async def test_what_a_page_has_fetched_is_not_asked_for_again(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    """Its scripts and styles are in the browser, and what it asks for first is asked for once."""
    with walking(settings.broker.port, 1, topics=topics):
        for _ in range(2):
            await page.goto(f"{address}patient/bay-1")
            await expect(page.locator("#trend-heart .plot")).to_have_attribute("aria-label", re.compile("[0-9] bpm"))
        await page.wait_for_function(f"({SENT})().filter((name) => name.startsWith('/api/history')).length >= 2")
        asked = await page.evaluate(SENT)
        assert not [name for name in asked if name.startswith("/static/")]
        assert sorted(name for name in asked if name in {"/api/session", "/api/catalogue"}) == [
            "/api/catalogue", "/api/session",
        ]  # fmt: skip
        curves = [name for name in asked if name.startswith("/api/history")]
        assert len(curves) == len(set(curves)) == 2
        assert all("algorithm=" in name for name in curves)


async def test_joints_are_drawn_named_and_doubted(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    with SimulatedGateway(settings.broker.port, [Strapped(1), Walker(2)], topics=topics):
        await page.goto(f"{address}patient/bay-1")
        panel = page.locator("#joints")
        await expect(panel).to_be_visible()
        plots = panel.locator(".joint .plot")
        await expect(plots).to_have_count(3)
        label = re.compile(
            r"^Knee flexion over .* left: 20 strides, from \d+° to 60°, greatest at 72 % of the cycle; right"
        )
        await expect(plots.nth(1)).to_have_attribute("aria-label", label)
        await expect(plots.nth(2)).to_have_attribute("aria-label", re.compile("right: 20 strides, not sure"))
        await expect(panel.locator("#joints-hint")).to_have_text(
            "Right ankle: not calibrated: have the patient stand still and upright for two seconds."
        )
        await page.wait_for_function(WITHIN_BOXES)
        drawn = await plots.nth(1).locator("canvas").evaluate(COLOURED)
        assert min(drawn) > 100, "both sides are drawn, each in its colour"
        row = page.locator("#joint-values tbody tr", has_text="Knee range of motion")
        await expect(row.locator("td").first).to_have_text(re.compile("^(5[89]|6[0-2])°$"))
        await panel.locator("summary").click()
        await expect(page.locator("#joint-table tbody tr")).to_have_count(33)
        await expect(page.locator("#joint-table tbody tr").first).to_contain_text("Hip flexion")
        await page.goto(f"{address}patient/bay-2")
        await expect(page.locator(".number-card").first).to_be_visible()
        await expect(page.locator("#joints")).to_be_hidden()


async def test_every_number_there_is_can_be_read(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    with SimulatedGateway(settings.broker.port, [Strapped(1)], topics=topics) as simulated:
        await page.goto(f"{address}patient/bay-1")
        await page.locator("#newest summary").click()
        rows = page.locator("#newest-table tbody tr")
        await expect(rows.filter(has_text="Heart rate")).to_have_text(re.compile(r"Heart rate\D+\d+bpm"))
        knee = rows.filter(has_text="Knee range of motion")
        await expect(knee).to_have_text(re.compile(r"motion\d{4}.°"))
        person = Strapped(1)
        doubtful = person.measurement("toe_off_angle", -48.0, "left", 0, 0) | {"quality": "degraded", "reason": "few"}
        simulated.publish(person, [doubtful])
        await expect(rows.filter(has_text="Toe-off angle").locator("td").first).to_have_text(re.compile("^≈ .48$"))


async def test_a_frozen_strip_stands_still(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        await page.goto(f"{address}patient/bay-1")
        await expect(page.locator(".lane .said").first).to_be_empty()
        await page.get_by_role("button", name="Freeze").press("Enter")
        picture = await page.evaluate(PICTURE)
        number = page.locator(".number-card").nth(1).locator("b")
        await expect(number).not_to_have_text(await number.inner_text())  # the numbers go on
        assert await page.evaluate(PICTURE) == picture


async def test_old_numbers_are_never_shown_as_new(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    with walking(settings.broker.port, 2, topics=topics) as simulated:
        await page.goto(f"{address}patient/bay-1")
        card = page.locator(".number-card").first
        await expect(card).to_contain_text("now")  # it has had a number, and the strip samples
        await expect(page.locator(".lane .said").first).to_be_empty()
        simulated.silent.add("bay-1")
        await expect(card).to_contain_text("no data for 5 s")
        await expect(card).to_have_class("number-card old")
        await expect(page.locator(".lane .said").first).to_contain_text("no data for")
        await page.goto(address)
        await expect(page.locator(".tile").first).to_have_class("tile stale")
        await expect(page.locator(".tile").first.locator(".age")).to_contain_text("No data for")
        await expect(page.locator(".tile").nth(1)).to_have_class("tile")


class OnRight(Walker):
    """A person of whose left foot nothing comes."""

    def stride(self, side: str, end_s: float) -> list[dict[str, Any]]:
        return super().stride(side, end_s) if side == "right" else []


async def test_a_foot_of_which_nothing_comes_any_more_is_no_part_of_the_stride_time_of_now(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    person = OnRight(1)
    with SimulatedGateway(settings.broker.port, [person], topics=topics) as simulated:
        await page.goto(f"{address}patient/bay-1")
        card = page.locator(".number-card", has_text="Stride time")
        await expect(card.locator(".remark")).to_have_text("right · now")
        earlier = time.time() - 600
        simulated.publish(person, [person.measurement("stride_time", 2.4, "left", earlier - 2.4, earlier)])
        await page.locator("#newest summary").click()
        row = page.locator("#newest-table tbody tr", has_text="Stride time")
        await expect(row.locator("td").first).to_have_text(re.compile(r"^2\.4"))
        await expect(card.locator(".remark")).to_have_text("right · now")
        await expect(card.locator("b")).to_have_text(re.compile(r"^1\.1"))


async def test_a_dead_gateway_is_shown_on_top(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    with SimulatedGateway(settings.broker.port, [Walker(1)], topics=topics) as simulated:
        await page.goto(address)
        await expect(page.locator(".tile")).to_have_count(1)
        await expect(page.locator("#banner")).to_be_hidden()
        simulated.die()
        await expect(page.locator("#banner")).to_contain_text("The gateway is offline")


async def test_a_notice_is_a_word_a_shape_and_a_colour_on_strip_and_tile(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    lost = notice("link-lost/bay-2-chest", "bay-2-chest is not connected", device="bay-2-chest", slot="bay-2")
    low = notice("battery-low/bay-2-left-foot", "The battery is at 15 %", priority="low", slot="bay-2")
    with walking(settings.broker.port, 2, topics=topics) as simulated:
        await page.goto(address)
        await expect(page.locator(".tile")).to_have_count(2)
        await expect(page.locator("#notices")).to_be_hidden()
        simulated.shout(topics.notices, orjson.dumps(lost))
        simulated.notices = [lost]
        strip = page.locator("#notices .notice")
        await expect(strip).to_have_count(1)
        await expect(strip).to_contain_text("▲ Medium")
        await expect(strip).to_contain_text("bay-2-chest is not connected. The gateway searches for it.")
        tile, other = (page.locator(".tile").filter(has_text=bed).locator(".tile-notice") for bed in ("Bay 2", "Bay 1"))
        await expect(page.locator(".tile h2")).to_have_text(["Bay 2", "Bay 1"])  # what has a notice comes first
        await expect(tile).to_have_text("▲ Medium: bay-2-chest is not connected")
        await expect(page.locator("#spoken")).to_contain_text("medium priority: bay-2-chest is not connected")
        simulated.notices = [lost, low]
        await expect(strip).to_have_count(2)
        await expect(strip.nth(1)).to_contain_text("◆ Low")
        await expect(tile).to_have_text("▲ 2 notices")
        await expect(other).to_be_hidden()
        colours = await strip.evaluate_all("(items) => items.map((item) => getComputedStyle(item).borderLeftColor)")
        assert len(set(colours)) == 2
        moving = await strip.evaluate_all("(items) => items.flatMap((item) => item.getAnimations({ subtree: true }))")
        assert moving == []
        simulated.notices = [notice(f"battery-low/d-{i}", f"Battery {i}", priority="low") for i in range(7)]
        await expect(strip).to_have_count(4)
        await expect(page.locator("#notices .more")).to_have_text("And 3 more on the Devices page.")
        await page.goto(f"{address}devices")
        await expect(strip).to_have_count(7)
        simulated.notices = []
        await expect(page.locator("#notices")).to_be_hidden()


async def test_a_whole_ward_is_paged_and_found(page: Page, address: str, settings: Settings, topics: Topics) -> None:
    with walking(settings.broker.port, 70, topics=topics):
        await page.goto(address)
        await expect(page.locator(".tile")).to_have_count(24)
        await expect(page.locator("#page")).to_have_text("1 of 3")
        await page.get_by_role("button", name="Next beds").click()
        await expect(page.locator(".tile h2").first).to_have_text("Bay 25")
        await page.get_by_label("Find").fill("bay 7")
        await expect(page.locator(".tile h2")).to_have_text(["Bay 7", "Bay 70"])


CUT_OFF = """() => [...document.querySelectorAll(".tile .figure b")]
  .map((node, i) => { node.textContent = i % 2 ? "188" : "1088"; return [node.clientWidth, node.scrollWidth]; })
  .filter(([there, needed]) => needed > there)"""


@pytest.mark.parametrize("beds", [3, 12])
async def test_two_numbers_are_never_read_as_one(
    page: Page, address: str, settings: Settings, topics: Topics, beds: int
) -> None:
    with walking(settings.broker.port, beds, topics=topics):
        for path in ("", "?kiosk"):
            await page.goto(f"{address}{path}")
            await expect(page.locator(".tile .figure b")).to_have_count(2 * beds, timeout=WITHIN_MS)
            for width in (320, 390, 1280, 1920, 3840):
                await page.set_viewport_size({"width": width, "height": 2160})
                if path and width < 1280:
                    continue  # a wall is no telephone
                assert await page.evaluate(CUT_OFF) == [], f"{path} at {width}"


async def test_less_motion_is_less_motion(browser: Browser, address: str, settings: Settings, topics: Topics) -> None:
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    with walking(settings.broker.port, 1, topics=topics):
        await page.goto(f"{address}patient/bay-1")
        await expect(page.locator(".lane .said").first).to_be_empty()
        draws = await page.evaluate("""async () => {
          const canvas = document.querySelector(".lane canvas").getContext("2d");
          let draws = 0;
          const clear = canvas.clearRect.bind(canvas);
          canvas.clearRect = (...box) => { draws += 1; clear(...box); };
          await new Promise((done) => setTimeout(done, 2500));
          return draws;
        }""")
    assert 1 <= draws <= 4
    await context.close()


@pytest.mark.parametrize("shape", SHAPES)
async def test_nothing_sticks_out_and_everything_can_be_pressed(
    page: Page, address: str, settings: Settings, topics: Topics, shape: str
) -> None:
    width, height = SHAPES[shape]
    await page.set_viewport_size({"width": width, "height": height})
    people = [Strapped(1), *(Walker(number) for number in range(2, 5))]
    with SimulatedGateway(settings.broker.port, people, topics=topics) as simulated:
        simulated.notices = [notice("link-lost/a-very-long-name", "a-very-long-name-of-a-device is away", slot="bay-1")]
        for path in ("", "patient/bay-1", "devices"):
            await page.goto(f"{address}{path}")
            await expect(page.locator(".tile, .number-card, .devices tbody tr").first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            small = await page.evaluate("""() => [...document.querySelectorAll("button, select, input, summary, nav a")]
              .filter((node) => node.offsetParent)
              .map((node) => [node.outerHTML.slice(0, 60), node.getBoundingClientRect()])
              .filter(([, box]) => box.width < 24 || box.height < 24).map(([html]) => html)""")
            assert small == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation(
    browser: Browser, address: str, settings: Settings, topics: Topics, scheme: Any
) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    context = await browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1024, "height": 768})
    page = await context.new_page()
    with SimulatedGateway(settings.broker.port, [Strapped(1), Walker(2), Walker(3)], topics=topics) as simulated:
        simulated.silent.add("bay-2")
        simulated.notices = [
            notice("link-lost/x", "x is not connected", slot="bay-2"),
            notice("battery-low/y", "The battery of y is at 15 %", priority="low", slot="bay-1"),
        ]
        for path in ("", "patient/bay-1", "patient/bay-2", "devices"):
            await page.goto(f"{address}{path}")
            await expect(page.locator(".tile, .number-card, .devices tbody tr").first).to_be_visible()
            await page.add_script_tag(path=axe.SCRIPT)
            found = await page.evaluate(
                "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])"
            )
            assert found == [], path
    await context.close()


async def test_what_a_test_gave_stands_with_its_time(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [Strapped(1)], topics=topics) as simulated:
        await page.goto(f"{address}patient/bay-1")
        await expect(page.locator(".number-card").first).to_be_visible()
        await expect(page.locator("#tests")).to_be_hidden()
        person = Strapped(1)
        doubtful = person.measurement("hr_peak", 131.0, "none", 0, 3600) | {"quality": "degraded", "reason": "few"}
        simulated.publish(person, [doubtful])
        await expect(page.locator("#tests-table tbody tr")).to_have_text(
            re.compile(r"Heart rate, peak.*≈ 131bpm\d+ \w{3}, \d\d:\d\d:\d\d")
        )
