"""The card of a bed in a browser, before a real gateway process: what it says before, what it does once, who may."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.dashboard.pages import FILES
from gateway.wire.commands import WARD
from tests.gateway.dashboard import axe
from tests.gateway.dashboard.bedside import PASSWORD, Bedside, bedside
from tests.gateway.dashboard.served import served

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

SHAPES = {"tablet": (1024, 768), "desk": (1280, 800), "phone": (390, 844)}
AXE = "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Bedside]:
    """A gateway whose tests have a bed each; bay-9 is for moving to."""
    with bedside(tmp_path_factory.mktemp("bedside"), mosquitto_port, site="bed-card", beds=9) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(gateway: Bedside) -> AsyncIterator[str]:
    """Serve the dashboard to its users."""
    async with served(gateway.settings) as made:
        yield made


async def signed_in(context: BrowserContext, address: str, path: str, role: str = "clinician") -> Page:
    page = await context.new_page()
    await page.goto(f"{address}{path}")
    await page.fill("[name=name]", f"{role}-1")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("form.session span")).to_contain_text(f"{role}-1")
    await expect(page.locator("#card, .bed").first).to_be_visible()
    return page


async def open_dialog(page: Page, button: str) -> None:
    await page.get_by_role("button", name=button).first.click()
    await expect(page.locator("#ask")).to_be_visible()


async def start(page: Page, protocol: str) -> None:
    await open_dialog(page, "Start a session")
    await page.fill("#ask-protocol", protocol)
    await page.click("#ask-send")
    await expect(page.locator("#session")).to_contain_text("running")


async def test_what_may_go_wrong_is_reported_before_it_is_done(context: BrowserContext, address: str) -> None:
    page = await signed_in(context, address, "bed/bay-1")
    await open_dialog(page, "Put a sensor on")
    await page.select_option("#ask-device", "strap-2")
    warnings, send = page.locator("#ask-warnings"), page.locator("#ask-send")
    await expect(warnings).to_contain_text("strap-2 is worn in Bay 2, on the chest: take it off there first")
    await expect(warnings.get_by_role("link", name="Open Bay 2")).to_be_visible()
    await expect(send).to_be_disabled()
    await page.click("#ask-close")
    await open_dialog(page, "Start a session")
    await expect(warnings).to_contain_text("strap-1 (chest) is")  # nobody is on the air
    await page.click("#ask-close")
    await start(page, "6mwt")
    await open_dialog(page, "Discharge")
    await expect(warnings).to_contain_text("The session “6-minute walk” is running: it ends now.")
    await expect(warnings).to_contain_text("1 sensor will be free for others: strap-1 (chest).")
    await page.click("#ask-close")
    await open_dialog(page, "Take off")
    await expect(warnings).to_contain_text("this is its last sensor: nothing is measured any more")
    await page.click("#ask-close")
    await open_dialog(page, "End")
    await expect(warnings).to_contain_text("cannot go on once it has ended")
    await page.click("#ask-close")
    await open_dialog(page, "Move …")
    await expect(page.locator("#ask-bed option:not([disabled])")).to_have_count(0)
    await expect(warnings).to_contain_text("Every other bed is taken.")
    await expect(send).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(page.locator("#ask")).to_be_hidden()


async def test_a_double_click_does_it_once_and_another_tab_sees_it(
    context: BrowserContext, address: str, gateway: Bedside
) -> None:
    page = await signed_in(context, address, "bed/bay-3")
    other = await context.new_page()
    await other.goto(f"{address}beds")
    tile = other.locator(".bed").filter(has_text="Bay 3")
    await expect(tile).to_contain_text("no session")
    await start(page, "tug")
    await expect(tile).to_contain_text("Timed Up and Go, running")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "api/ward/session-mark" in request.url else None)
    await open_dialog(page, "Mark")
    await page.fill("#ask-text", "stood up")
    await page.dblclick("#ask-send")
    await page.evaluate("document.getElementById('ask-form').requestSubmit?.()")
    await expect(page.locator("#change")).to_contain_text("“Timed Up and Go” was marked.")
    await expect(page.locator("#session")).to_contain_text("Marks")
    assert len(sent) == 1
    (session,) = (s for s in gateway.heard.ward["sessions"] if s["subject"] == "p-3")
    assert len(session["marks_us"]) == 1


@pytest.mark.skipif("session-discard" not in WARD, reason="this gateway has no command that mends a session")
async def test_a_session_that_is_over_is_mended(context: BrowserContext, address: str) -> None:
    page = await signed_in(context, address, "bed/bay-5")
    await start(page, "tug")
    await open_dialog(page, "End …")
    await page.click("#ask-send")
    ended = page.locator("#ended li")
    await expect(ended).to_have_count(1)
    await open_dialog(page, "Discard Timed Up and Go")
    await page.fill("#ask-why", "a sensor hung loose")
    await page.click("#ask-send")
    await expect(ended).to_contain_text("Timed Up and Go (discarded)")
    await open_dialog(page, "Take back Timed Up and Go")
    await page.click("#ask-send")
    await expect(ended).not_to_contain_text("discarded")
    await open_dialog(page, "Correct Timed Up and Go")
    await expect(page.locator("#ask-send")).to_be_disabled()  # nothing is different yet
    await page.fill("#ask-subject", "p-50")
    await expect(page.locator("#ask-warnings")).to_contain_text("becomes p-50's, and nothing of it is shown of p-5")
    await page.click("#ask-send")
    await expect(page.locator("#earlier")).to_be_hidden()  # it is not of who is here


WHOLE_MINUTE = """async (given) => {
  const { correct } = await import(given.module);
  const spec = correct(given.session);
  const filled = spec.fields.filter(({ value }) => value);
  const values = Object.fromEntries(filled.map(({ name, type = "text", step, value }) => {
    const input = Object.assign(document.createElement("input"), step ? { type, step, value } : { type, value });
    return [name, input.value];
  }));
  const asked = [];
  window.fetch = async (_address, { body }) => { asked.push(JSON.parse(body)); return new Response("{}"); };
  const stops = spec.means(values).some(({ stops }) => stops);
  await spec.send({ ...values, subject: "p-50" }, "0123456789abcdef");
  return { shown: values.start, stops, asked };
}"""
"""What a dialog makes of times that it has shown and nobody has touched, and what is sent with another subject."""


async def test_times_that_nobody_has_touched_are_not_corrected(context: BrowserContext, address: str) -> None:
    page = await signed_in(context, address, "bed/bay-5")
    at_us = 1_790_000_040_400_000  # 14:14:00.4 UTC: a browser shortens a time without seconds
    session = {
        "id": "s-1", "subject": "p-5", "protocol": "tug", "started_us": at_us, "ended_us": at_us + 60_000_000,
        "discarded": False,
    }  # fmt: skip
    given = {"module": f"{address}{FILES}/changes.js", "session": session}
    found = await page.evaluate(WHOLE_MINUTE, given)
    assert found["shown"].endswith(":14")
    assert found["stops"]  # nothing is different yet
    assert found["asked"] == [{"subject": "p-50", "session": "s-1", "was": "p-5"}]


async def test_a_plan_says_what_differs_and_is_asked_for_only_then(context: BrowserContext, address: str) -> None:
    page = await signed_in(context, address, "bed/bay-5")
    await open_dialog(page, "Plan")
    send = page.locator("#ask-send")
    await expect(page.locator("#ask-warnings")).to_contain_text("Nothing is different yet.")
    await expect(send).to_be_disabled()
    await page.fill("#ask-sessions_a_week", "3")
    await expect(send).to_be_enabled()
    async with page.expect_request("**/api/ward/plan**") as asked:
        await send.click()
    assert (await asked.value).post_data_json == {"subject": "p-5", "sessions_a_week": 3}
    await expect(page.locator("#change")).to_contain_text("p-5")


async def test_a_dialog_for_somebody_who_has_gone_stops(context: BrowserContext, address: str) -> None:
    page = await signed_in(context, address, "bed/bay-4")
    await open_dialog(page, "Start a session")
    await page.fill("#ask-protocol", "rest")
    other = await context.new_page()
    await other.goto(f"{address}bed/bay-4")
    await open_dialog(other, "Discharge")
    await other.click("#ask-send")
    await expect(page.locator("#ask-warnings")).to_contain_text("p-4 is not in this bed any more.")
    await expect(page.locator("#ask-send")).to_be_disabled()
    await page.click("#ask-close")
    await open_dialog(page, "Admit")
    await page.fill("#ask-subject", "p-5")
    await page.click("#ask-send")
    await expect(page.locator("#ask-refused")).to_have_text("'p-5' is in bed 'bay-5' already: move them instead.")
    await expect(page.locator("#ask-send")).to_be_enabled()  # something else may be typed
    await page.fill("#ask-subject", "n-4")
    await page.keyboard.press("Enter")
    await expect(page.locator("#subject")).to_have_text("n-4")


async def test_nothing_is_changed_in_the_name_of_who_signed_in_in_another_tab(
    context: BrowserContext, address: str, gateway: Bedside
) -> None:
    page = await signed_in(context, address, "bed/bay-8")
    before = gateway.heard.ward["number"]
    await open_dialog(page, "Start a session")
    await page.fill("#ask-protocol", "rest")
    other = await context.new_page()
    await other.goto(f"{address}login?next=/beds")
    await other.fill("[name=name]", "admin-1")
    await other.fill("[name=password]", PASSWORD)
    await other.click("button[type=submit]")
    await expect(other.locator("form.session span")).to_contain_text("admin-1")
    await expect(page.locator("form.session span")).to_contain_text("clinician-1")  # what this page still says
    await page.click("#ask-send")
    await expect(page.locator("#ask-refused")).to_contain_text("Somebody else has signed in with this browser")
    assert gateway.heard.ward["number"] == before


async def test_where_no_answer_comes_nothing_is_pretended(
    context: BrowserContext, address: str, gateway: Bedside
) -> None:
    page = await signed_in(context, address, "bed/bay-6")
    await open_dialog(page, "Take off")
    gateway.process.send_signal(signal.SIGSTOP)
    try:
        await page.click("#ask-send")
        await expect(page.locator("#ask-refused")).to_contain_text("Whether the change was made is not known")
        await expect(page.locator("#ask-send")).to_be_disabled()
        await expect(page.locator("#change")).to_contain_text("The ward is as it was before")
        await expect(page.locator("#worn li")).to_have_count(1)
    finally:
        gateway.process.send_signal(signal.SIGCONT)
    await page.click("#ask-close")
    await expect(page.locator("#worn li")).to_have_count(0)  # it came late, and is seen


@pytest.mark.parametrize(
    ("role", "buttons", "words"),
    [
        ("researcher", 0, "As researcher you see the beds, and change nothing."),
        ("technician", 3, ""),  # move, take off and put on sensors
        ("admin", 8, ""),  # and move, plan, notices, discharge the patient, start a session
    ],
)
async def test_who_may_not_is_offered_nothing(
    browser: Browser, address: str, role: str, buttons: int, words: str
) -> None:
    context = await browser.new_context()
    page = await signed_in(context, address, "bed/bay-7", role)
    await expect(page.locator("#card button")).to_have_count(buttons)
    await (
        expect(page.locator("#rights")).to_have_text(words) if words else expect(page.locator("#rights")).to_be_hidden()
    )
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation(browser: Browser, address: str, scheme: Any) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    context = await browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1024, "height": 768})
    page = await signed_in(context, address, "beds")
    await page.add_script_tag(path=axe.SCRIPT)
    assert await page.evaluate(AXE) == []
    await page.goto(f"{address}bed/bay-8")
    await expect(page.locator("#card")).to_be_visible()
    await page.add_script_tag(path=axe.SCRIPT)
    assert await page.evaluate(AXE) == []
    for button in ("Put a sensor on", "Start a session", "Discharge"):
        await open_dialog(page, button)
        assert await page.evaluate(AXE) == [], button
        await page.click("#ask-close")
    await context.close()


@pytest.mark.parametrize("shape", SHAPES)
async def test_nothing_is_wider_than_the_screen(browser: Browser, address: str, shape: str) -> None:
    width, height = SHAPES[shape]
    context = await browser.new_context(viewport={"width": width, "height": height}, has_touch=True)
    page = await signed_in(context, address, "beds")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.goto(f"{address}bed/bay-8")
    await open_dialog(page, "Put a sensor on")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    box = await page.locator("#ask").bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= width, box["y"] + box["height"] <= height) == (True,) * 3
    heights = await page.locator("#ask button, #card button").evaluate_all("all => all.map((b) => b.offsetHeight)")
    assert min(heights) >= 44
    await context.close()
