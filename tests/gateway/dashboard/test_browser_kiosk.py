"""A wall of few beds and of many: each tile as large as the screen has room for, and the name of a bed always whole."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import walking

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

ROOM = """() => {
  const tiles = document.querySelector("#tiles").getBoundingClientRect();
  const each = [...document.querySelectorAll(".tile")].map((one) => one.getBoundingClientRect());
  const all = (what) => [...document.querySelectorAll(what)];
  const sizes = (what) => Math.min(...all(what).map((one) => parseFloat(getComputedStyle(one).fontSize)));
  const whole = all(".tile h2, .tile .figure b").every((one) => one.scrollWidth <= one.clientWidth + 1);
  return {
    covered: each.reduce((sum, one) => sum + one.width * one.height, 0) / (tiles.width * tiles.height), whole,
    label: sizes(".tile h2"), number: sizes(".tile .figure b"),
    over: Math.max(...each.map((one) => one.bottom)) - innerHeight,
  };
}"""
WALLS = {(1920, 1080): {1: 120, 3: 64, 4: 60, 12: 40, 24: 32}, (1280, 800): {1: 80, 4: 42, 12: 28}}
"""By the size of a screen: how large the name of a bed has to be, in pixels, where so many beds are shown."""


@pytest.mark.parametrize("size", WALLS, ids=str)
async def test_the_fewer_beds_a_wall_shows_the_larger_they_are(
    browser: Browser, settings: Settings, address: str, topics: Topics, size: tuple[int, int]
) -> None:
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]})
    for beds, least in WALLS[size].items():
        with walking(settings.broker.port, beds, topics=topics):
            page = await context.new_page()
            await page.goto(f"{address}?kiosk&turn=0")
            await expect(page.locator(".tile .number b").first).to_have_text(re.compile(r"\d"))
            await expect(page.locator(".tile")).to_have_count(beds)
            room = await page.evaluate(ROOM)
            assert room["covered"] > 0.7, (beds, room)  # one empty place of four, and what lies between
            assert room["label"] >= least, (beds, room)
            assert room["number"] >= least, (beds, room)
            assert room["over"] <= 0, (beds, room)
            assert room["whole"], (beds, room)
            await page.close()
    await context.close()
