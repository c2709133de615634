"""What a person sees of a patient in an exoskeleton: joints of both sides, battery, faults, the emergency stop."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config.settings import Settings
from gateway.wire.topics import Topics
from tests.browser import WITHIN_MS
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Strapped, Walker

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]


class Helped(Walker):
    """A person in an exoskeleton of hips; ``stopped`` says whether its emergency stop is pressed."""

    stopped = False
    connected = True

    def means(self, now_s: float) -> list[dict[str, Any]]:
        """Return what is said once a second: of the exoskeleton too, while it is connected."""
        if not self.connected:
            return super().means(now_s)
        values = [
            ("exo_hip_angle", 24.0, "left"), ("exo_hip_angle", 21.0, "right"), ("exo_hip_torque", -6.25, "left"),
            ("exo_hip_torque", 7.5, "right"), ("exo_assistance", 60.0, "none"), ("exo_battery_voltage", 48.0, "none"),
            ("exo_fault", 128.0 if self.stopped else 0.0, "none"), ("exo_emergency_stop", float(self.stopped), "none"),
        ]  # fmt: skip
        return super().means(now_s) + [self.measurement(m, v, side, now_s - 1, now_s) for m, v, side in values]


class Striding(Strapped):
    """A person in an exoskeleton of hips that tells its strides; the right hip has no torque sensor."""

    def means(self, now_s: float) -> list[dict[str, Any]]:
        """Return what the last strides gave."""
        values = [
            ("exo_hip_work_pos", 3.42, "left"), ("exo_hip_work_pos", 2.91, "right"), ("exo_hip_work_neg", -0.4, "left"),
            ("exo_hip_power_peak", 13.2, "left"),
        ]  # fmt: skip
        strides = [self.measurement(m, v, side, now_s - 1.3, now_s - 0.1) for m, v, side in values]
        return [*super().means(now_s), *strides, self.measurement("exo_steps", 212, "none", now_s - 200, now_s)]

    def curves(self, now_s: float) -> dict[str, Any]:
        """Return what the topic ``cycles`` says, with the curves of the exoskeleton."""
        shapes = {"angle": (12.0, 20.0), "torque": (-1.0, 6.0), "power": (4.0, 9.0)}
        exoskeleton = [
            {
                "joint": "hip", "side": side, "quantity": quantity, "unit": "", "n": 14,
                "start_us": round((now_s - 20) * 1e6), "end_us": round(now_s * 1e6),
                "mean": [round(mean + size * math.cos(6.28 * i / 100), 1) for i in range(101)], "sd": [0.8] * 101,
            }
            for quantity, (mean, size) in shapes.items()
            for side in ("left", "right")
            if (quantity, side) != ("torque", "right")
        ]  # fmt: skip
        return super().curves(now_s) | {"exoskeleton": exoskeleton}


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    made = await context.new_page()
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.set_default_timeout(WITHIN_MS)
    yield made
    await context.close()
    assert troubles == []


async def test_its_joints_and_its_state_are_shown_and_the_stop_is_called_out(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    helped = Helped(1)
    with SimulatedGateway(settings.broker.port, [helped, Walker(2)], topics=topics):
        await page.goto(f"{address}patient/bay-1")
        panel = page.locator("#exoskeleton")
        await expect(panel).to_be_visible()
        joints = panel.locator("#exoskeleton-joints tbody tr")
        await expect(joints).to_have_text(
            [re.compile("^Hip angle.*24.*21.*°$"), re.compile("^Hip torque.*\u22126.*7.5.*Nm$")]
        )
        await expect(panel.locator("#exoskeleton-whole tbody tr").first).to_have_text(re.compile("^Assistance.*60.*%$"))
        await expect(panel.locator("#exoskeleton-hint")).to_be_empty()
        helped.stopped = True
        await expect(panel.locator("#exoskeleton-hint")).to_have_text(
            "▲ Emergency stop pressed · ▲ The exoskeleton reports fault 128"
        )
        helped.stopped = False
        await expect(panel.locator("#exoskeleton-hint")).to_be_empty()
        await page.goto(f"{address}patient/bay-2")
        await expect(page.locator(".number-card").first).to_be_visible()
        await expect(page.locator("#exoskeleton")).to_be_hidden()


async def test_a_stop_and_a_fault_of_which_nothing_more_is_heard_stay_and_say_since_when(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    helped = Helped(1)
    helped.stopped = True
    with SimulatedGateway(settings.broker.port, [helped], topics=topics):
        await page.goto(f"{address}patient/bay-1")
        hint = page.locator("#exoskeleton-hint")
        await expect(hint).to_have_text("▲ Emergency stop pressed · ▲ The exoskeleton reports fault 128")
        helped.connected = False
        at = r"at \d\d:\d\d:\d\d, nothing newer"
        await expect(hint).to_have_text(
            re.compile(f"^▲ Emergency stop pressed {at} · ▲ The exoskeleton reported fault 128 {at}$")
        )


async def test_the_ward_s_tile_calls_out_a_stop_and_a_fault_and_so_does_its_first_line(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    helped, sound = Helped(1), Helped(2)
    with SimulatedGateway(settings.broker.port, [helped, sound], topics=topics):
        await page.goto(address)
        tiles = page.locator(".tile")
        await expect(tiles).to_have_count(2)
        alarm, counts = tiles.nth(0).locator(".tile-alarm"), page.locator("#counts")
        await expect(tiles.nth(0).locator(".figure b").first).to_have_text(re.compile(r"\d"))
        await expect(page.locator(".tile-alarm:visible")).to_have_count(0)
        await expect(counts).not_to_contain_text("emergency stop")
        helped.stopped = True
        await expect(alarm).to_have_text("▲ Emergency stop pressed · ▲ The exoskeleton reports fault 128")
        await expect(counts).to_contain_text("▲ emergency stop in Bay 1")
        await expect(page.locator(".tile-alarm:visible")).to_have_count(1)
        await expect(page.locator(".tile.alarmed")).to_have_count(1)
        helped.stopped = False
        await expect(alarm).to_be_hidden()
        await expect(counts).not_to_contain_text("emergency stop")
        await expect(page.locator(".tile.alarmed")).to_have_count(0)


async def test_the_tile_of_a_stop_of_which_nothing_more_is_heard_says_since_when(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    helped = Helped(1)
    helped.stopped = True
    with SimulatedGateway(settings.broker.port, [helped], topics=topics):
        await page.goto(address)
        alarm = page.locator(".tile-alarm")
        await expect(alarm).to_contain_text("Emergency stop pressed")
        helped.connected = False
        at = r"at \d\d:\d\d:\d\d, nothing newer"
        await expect(alarm).to_have_text(
            re.compile(f"^▲ Emergency stop pressed {at} · ▲ The exoskeleton reported fault 128 {at}$")
        )
        await expect(page.locator("#counts")).to_contain_text("emergency stop in")
        await expect(page.locator(".tile.alarmed")).to_have_count(1)


async def test_its_curves_over_the_gait_cycle_and_its_last_stride_are_shown(
    page: Page, address: str, settings: Settings, topics: Topics
) -> None:
    with SimulatedGateway(settings.broker.port, [Striding(1), Walker(2)], topics=topics):
        await page.goto(f"{address}patient/bay-1")
        panel = page.locator("#exoskeleton-cycles")
        await expect(panel).to_be_visible()
        await expect(panel.locator(".joint h3")).to_have_text(["Hip angle (°)", "Hip torque (Nm)", "Hip power (W)"])
        torque = panel.locator(".joint").nth(1)
        await expect(torque.locator(".remark")).to_have_text("Left 14 strides")
        await expect(torque.locator(".plot")).to_have_attribute(
            "aria-label",
            "Hip torque over the gait cycle, mean of the last strides. "
            "left: 14 strides, from \u22127 Nm to 5 Nm, greatest at 0 % of the cycle.",
        )
        await expect(panel.locator(".joint").nth(0).locator(".remark")).to_have_text(
            "Left 14 strides · right 14 strides"
        )
        await expect(panel.locator("tbody tr")).to_have_text(
            [
                re.compile("^Hip peak power13\u2013W$"), re.compile("^Hip positive work3.42.9J$"),
                re.compile("^Hip negative work\u22120.4\u2013J$"),
            ]
        )  # fmt: skip
        rows = page.locator("#exoskeleton-whole tbody tr")
        await expect(rows).to_have_text([re.compile("^Steps in the exoskeleton212$")])
        await page.goto(f"{address}patient/bay-2")
        await expect(page.locator(".number-card").first).to_be_visible()
        await expect(page.locator("#exoskeleton-cycles")).to_be_hidden()
