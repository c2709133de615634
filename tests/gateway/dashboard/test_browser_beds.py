"""One bed, two patients, in a browser: admitted, fitted with sensors, measured, discharged; the second is a stranger.

Real simulated devices over a real Bluetooth stack and a tty, a real gateway, historian and broker, each a process.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import BrowserContext, Page, expect

from config.loader import load
from config.settings import Settings
from gateway.dashboard.users import User, save
from gateway.history.reader import HistoryReader
from tests.gateway.dashboard.bedside import PASSWORD, Listener
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.served import served
from tests.servers import wait_until

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

START_S = 240.0  # where no other test has compiled the kernels before
STORED_S = 60.0
STREAMS_MS = START_S * 1000
NO_NUMBER = "\u2013"
SENSORS = (
    ("bed-1-left-foot", "Left foot"), ("bed-1-right-foot", "Right foot"), ("bed-1-lower-back", "Lower back"),
    ("bed-1-chest", "Chest"),
)  # fmt: skip


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "gateway", *arguments], stdout=log, stderr=log)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(60)


def simulated_ward(folder: Path, broker_port: int, parts: ExitStack) -> Settings:
    """Start simulated devices, a gateway and a historian; return their settings."""
    config = folder / "ward.toml"
    simulate = ("simulate", "ward", "--beds", "1", "--socket", str(folder / "radio"), "--ports", str(folder / "ports"),
                "--write-config", str(config))  # fmt: skip
    parts.enter_context(process(folder, *simulate))
    wait_until(lambda: config.exists() and (folder / "radio").exists(), START_S)
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(folder / "users.jsonl", [User("anna", "clinician", digest), User("rita", "researcher", digest)])
    with config.open("a") as file:
        file.write(
            f'\n[site]\nsite = "beds"\ngateway = "ward-7"\ndata = "{folder}/data"\n'
            f"[broker]\nembedded = false\nport = {broker_port}\n"
            f'[dashboard]\nport = {free_port()}\nusers_file = "{folder}/users.jsonl"\n'
        )
    parts.enter_context(process(folder, "historian", str(config)))
    parts.enter_context(process(folder, "run", str(config)))
    settings = load(config)
    with closing(Listener(settings)) as heard:
        wait_until(lambda: heard.ward, START_S)
    return settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Settings]:
    with ExitStack() as parts:
        yield simulated_ward(tmp_path_factory.mktemp("beds"), mosquitto_port, parts)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(settings: Settings) -> AsyncIterator[str]:
    """Serve the dashboard to its users."""
    async with served(settings) as made:
        yield made


async def sign_in(context: BrowserContext, address: str, path: str, name: str = "anna") -> Page:
    page = await context.new_page()
    await page.goto(f"{address}{path}")
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("form.session span")).to_contain_text(name)
    return page


async def ask(page: Page, button: str, send: str, answer: str, **fields: str) -> None:
    """Press a button of the card, fill in what it asks for, send it, and wait until it was done."""
    await page.get_by_role("button", name=button).first.click()
    for name, value in fields.items():
        field = page.locator(f"#ask-{name}")
        await (field.select_option(value) if await field.evaluate("f => f.tagName") == "SELECT" else field.fill(value))
    await page.locator("#ask-send").filter(has_text=send).click()
    await expect(page.locator("#change")).to_contain_text(answer)
    await expect(page.locator("#ask")).to_be_hidden()


async def put_on(page: Page, subject: str, sensors: tuple[tuple[str, str], ...] = SENSORS) -> None:
    for device, place in sensors:
        answer = f"{device} is on the {place.lower()} of {subject}."
        await ask(page, "Put a sensor on", "Put on", answer, device=device, placement=place.lower().replace(" ", "_"))
    await expect(page.locator("#worn li")).to_have_count(len(sensors))


async def test_the_second_patient_of_a_bed_sees_nothing_of_the_first(
    context: BrowserContext, address: str, settings: Settings
) -> None:
    card = await sign_in(context, address, "bed/bed-1")
    await expect(card.locator("#subject")).to_have_text("sim-001")  # whom the file has put there
    await ask(card, "Discharge", "Discharge sim-001", "sim-001 was discharged")
    await ask(card, "Admit", "Admit", "q-101 was admitted", subject="q-101", height_m="1.71")
    await expect(card.locator("#patient")).to_contain_text("1.71 m")
    await put_on(card, "q-101")
    await ask(card, "Start a session", "Start", "“10-metre walk” of q-101 has begun", protocol="10mwt")
    await expect(card.locator("#session")).to_contain_text("running")
    live = await context.new_page()
    await live.goto(f"{address}patient/bed-1")
    await expect(live.locator("#subject")).to_have_text("q-101 · 10-metre walk", timeout=STREAMS_MS)
    heart, cadence = (live.locator(f".number-card:has-text('{title}') b") for title in ("Heart rate", "Cadence"))
    await expect(heart).to_have_text(re.compile(r"\d"), timeout=STREAMS_MS)
    await expect(cadence).to_have_text(re.compile(r"\d"), timeout=STREAMS_MS)
    await ask(card, "End", "End the session", "“10-metre walk” has ended")
    await expect(card.locator("#no-session")).to_have_text("None is running.")
    await expect(card.locator("#ended li")).to_have_count(1)
    left_us = time.time_ns() // 1000
    await ask(card, "Discharge", "Discharge q-101", "q-101 was discharged")
    await ask(card, "Admit", "Admit", "q-202 was admitted", subject="q-202")

    await expect(card.locator("#subject")).to_have_text("q-202")
    await expect(card.locator("#worn li")).to_have_count(0)
    await expect(card.locator("#earlier")).to_be_hidden()
    await expect(card.locator("#no-session")).to_have_text("None. A session needs a sensor.")
    await expect(live.locator("#subject")).to_have_text(re.compile("^q-202"))
    await expect(live.locator("#change")).to_contain_text("New patient in Bed 1: q-202")
    assert set(await live.locator(".number-card b").all_inner_texts()) == {NO_NUMBER}
    await expect(live.locator("#strides-chart rect")).to_have_count(0)
    assert "q-101" not in await card.locator("main").inner_text()
    asked = f"{address}api/history?slot=bed-1&metric=heart_rate&minutes=60"
    assert (await (await context.request.get(asked)).json())["rows"] == []
    await put_on(card, "q-202", SENSORS[3:])
    await expect(heart).to_have_text(re.compile(r"\d"), timeout=STREAMS_MS)
    await asyncio.to_thread(check_history, settings, left_us)
    rows = (await (await context.request.get(asked)).json())["rows"]
    assert all(end_us > left_us for end_us, *_ in rows)


def check_history(settings: Settings, left_us: int) -> None:
    """Every number is of who wore the sensors at its own time, and of the session that was in force."""
    with closing(HistoryReader(settings.site.data / "history.db")) as history:
        wait_until(lambda: any(row.measurement.subject == "q-202" for row in history.stored()), STORED_S)
        rows = [row.measurement for row in history.stored()]
    first = [m for m in rows if m.subject == "q-101"]
    assert {"heart_rate", "cadence"} <= {m.metric for m in first}
    assert max(m.end_us for m in first) < min(m.end_us for m in rows if m.subject == "q-202")
    assert all(m.start_us > left_us for m in rows if m.subject == "q-202")
    assert len({m.session for m in first}) >= 2  # the stay, and the test within it
