"""What a patient sees of their own movement, in a browser: their band, the newest sample, and nobody else's."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any

import orjson
import pytest
from paho.mqtt.publish import single
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.dashboard.pages import FILES
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, walking
from tests.gateway.dashboard.test_wearers import Patient

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

SUBJECT = "p-137"  # who walks in bay-1
BAND = {"kind": "turning", "of": "left_foot", "side": "none", "low": 0.0, "high": 5000.0, "shape": "bar"}
CADENCE = {"kind": "metric", "of": "cadence", "side": "both", "low": 60.0, "high": 120.0, "shape": "bar"}
NO_NUMBER = "\u2013"
EMPTY = re.compile(r"scaleX\(0\)")
LISTEN = "() => { window.seen = []; document.addEventListener('painted', ({ detail }) => window.seen.push(detail)); }"


def publish_registry(settings: Settings, topics: Topics, chosen: dict[str, Any] | None, subject: str = SUBJECT) -> None:
    """Say who is in bay-1, and what they are to see."""
    body = {
        "v": 1, "gateway": topics.gateway, "number": time.time_ns() // 1000, "devices": [], "sessions": [], "ended": [],
        "beds": [{"id": "bay-1", "label": "Bay 1"}],
        "subjects": [{"id": subject, "bed": "bay-1", "since_us": 1, "height_m": None, "feedback": chosen}],
    }  # fmt: skip
    single(topics.ward, orjson.dumps(body), 1, retain=True, hostname="127.0.0.1", port=settings.broker.port)


async def test_the_bar_follows_the_newest_sample_and_says_how_it_is(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    publish_registry(settings, topics, BAND)
    with walking(settings.broker.port, 1, topics=topics):
        await page.goto(f"{address}feedback/bay-1")
        await expect(page.locator("#what")).to_have_text("How fast the left foot turns")
        await expect(page.locator("#aim")).to_have_text("Stay between 0 and 5000 °/s.")
        await expect(page.locator("#words")).to_contain_text("Just right")
        await expect(page.locator("#value")).to_have_text(re.compile(r"^\d+$"))
        await page.evaluate(LISTEN)
        await page.wait_for_function("() => window.seen.length >= 20")
        seen = await page.evaluate("() => window.seen")
        assert all(one["painted_ms"] > one["sample_ms"] for one in seen)
        assert all(later["sample_ms"] > one["sample_ms"] for one, later in pairwise(seen))
        publish_registry(settings, topics, {**BAND, "low": 4000.0})
        await expect(page.locator("#words")).to_contain_text("A little more")
        publish_registry(
            settings, topics, {**BAND, "kind": "metric", "of": "heart_rate", "shape": "number", "high": 60.0}
        )
        await expect(page.locator("#what")).to_have_text("Heart rate")
        await expect(page.locator("#words")).to_contain_text("A little less")


async def test_another_patient_in_the_bed_is_shown_nothing_that_was_chosen_for_the_one_before(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    publish_registry(settings, topics, BAND, subject="p-901")
    with walking(settings.broker.port, 1, topics=topics):  # whose numbers are those of p-137
        await page.goto(f"{address}feedback/bay-1")
        await expect(page.locator("#empty")).to_have_text("Nothing is chosen to be shown yet.")
        await expect(page.locator("#shown")).to_be_hidden()


async def test_the_lean_is_told_from_where_it_began(page: Page, address: str) -> None:
    """Thirty degrees about one axis, however the sensor is strapped on, with and without gravity to go by."""
    await page.goto(address)
    found = await page.evaluate(
        """async (module) => {
      const { Lean } = await import(module);
      const lean = new Lean();
      const rate = 100;
      const told = [];
      for (let i = 0; i < 400; i += 1) {
        const turning = i >= 100 && i < 150;
        const angle = Math.min(Math.max(i - 99, 0), 50) / 50 * Math.PI / 6;
        const acc = [0, 9.81 * Math.sin(angle), 9.81 * Math.cos(angle)];
        told.push(lean.add(turning ? acc.map((one) => one * 3) : acc, [turning ? Math.PI / 3 : 0, 0, 0], 1 / rate));
      }
      return told;
    }""",
        f"{address}{FILES}/movement.js",
    )
    assert found[0] is None  # half a second of stillness first
    assert found[99] == pytest.approx(0, abs=0.01)
    assert found[124] == pytest.approx(15, abs=0.5)  # of turning alone: thrown about so, it weighs three times itself
    assert found[150] == pytest.approx(30, abs=0.5)
    assert found[-1] == pytest.approx(30, abs=0.2)


def publish_past(simulated: SimulatedGateway, person: Patient, metric: str, value: float, ended_s_ago: float) -> None:
    """Say a number that is no longer one of now."""
    ended = time.time() - ended_s_ago
    simulated.publish(person, [person.measurement(metric, value, "both", ended - 10, ended)])


async def test_an_old_number_is_that_of_who_is_there_and_of_what_was_chosen(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    first, second = Patient("p-101", "s-1"), Patient("p-152", "s-2")
    number, fill, words = (page.locator(f"#{name}") for name in ("value", "fill", "words"))
    publish_registry(settings, topics, CADENCE, first.subject)
    with SimulatedGateway(settings.broker.port, [first], topics=topics) as simulated:
        await page.goto(f"{address}feedback/bay-1")
        await expect(number).to_have_text(re.compile(r"^1\d\d$"))
        publish_past(simulated, first, "walking_speed", 0.62, 30)
        publish_registry(settings, topics, {**CADENCE, "of": "walking_speed", "low": 0.5, "high": 1.0}, first.subject)
        await expect(page.locator("#unit")).to_have_text("m/s")
        await expect(number).to_have_text("0.62")
        await expect(words).to_contain_text("No data for")
        publish_registry(settings, topics, CADENCE, first.subject)
        await expect(number).to_have_text(re.compile(r"^1\d\d$"))
        simulated.silent.add("bay-1")
        simulated.seat(second)
        await expect(page.locator("#empty")).to_be_visible()
        publish_registry(settings, topics, CADENCE, second.subject)
        await expect(words).to_contain_text("Waiting for the sensor")
        await expect(number).to_have_text(NO_NUMBER)
        await expect(fill).to_have_attribute("style", EMPTY)
        publish_past(simulated, second, "cadence", 75.0, 70)
        await expect(words).to_contain_text("No data for 1")
        await expect(number).to_have_text(NO_NUMBER)
        publish_past(simulated, second, "cadence", 75.0, 10)
        await expect(number).to_have_text("75")
        await expect(fill).not_to_have_attribute("style", EMPTY)
