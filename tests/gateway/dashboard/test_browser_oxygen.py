"""Oxygen saturation on a patient's page: beside the heart rate of who wears an oximeter, and of nobody else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]


class Breathing(Walker):
    """A person with an oximeter on a finger."""

    def means(self, now_s: float) -> list[dict[str, Any]]:
        """Return what is said once a second: saturation too."""
        return [*super().means(now_s), self.measurement("spo2", 93.0, "none", now_s, now_s)]


async def test_saturation_stands_beside_the_heart_rate_with_its_curve(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [Breathing(1), Walker(2)], topics=topics):
        await page.goto(f"{address}patient/bay-1")
        card = page.locator(".number-card", has_text="Oxygen saturation")
        await expect(card.locator("b")).to_have_text("93")
        await expect(card.locator(".unit")).to_have_text("%")
        label = re.compile(r"^Oxygen saturation over the last 10 minutes: 93 to 93 %$")
        await expect(page.locator("#trend-oxygen .plot")).to_have_attribute("aria-label", label)
        width, box = await page.evaluate(
            "() => ['canvas', '.plot'].map((what) => document.querySelector(`#trend-oxygen ${what}`).clientWidth)"
        )
        assert abs(width - box) < 4, "the curve fills its panel"
        await page.goto(f"{address}patient/bay-2")
        await expect(page.locator(".number-card")).to_have_count(4)
        await expect(page.locator("#trend-oxygen")).to_be_hidden()
