"""The day of each role, from a bare ward: real processes, a real broker, a real browser, simulated devices.

Who fits sensors, who tests, who answers a notice, who takes numbers away and who only looks: each does the work of the
day, in its order, and each of the others is refused it.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import APIResponse, Browser, BrowserContext, Page, expect

from config.loader import load
from config.settings import Device, Settings
from gateway.dashboard.access import ROLES
from gateway.dashboard.users import User, save
from gateway.results import pdf
from tests.gateway.dashboard.bedside import PASSWORD, START_S, Listener
from tests.gateway.dashboard.conftest import free_port, wait_for_port
from tests.gateway.dashboard.test_browser_beds import ask, process
from tests.gateway.dashboard.test_timed_browser import FOUND_MS, run_until_found
from tests.servers import wait_until

pytestmark = [
    pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(1500), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

QUICK, SLOW = 5.0, 1.0
BUSY = 1.5
"""Processes that wait for each processor: where there are more, or other tests run beside this one, simulated time that
is quick loses its samples, and a TUG is not found."""
STREAMS_MS = 240_000  # the analysis may have to be compiled first
REQUEST_MS = 60_000
SUBJECT, BED, BEDS = "p-0420", "bay-1", 70
WALK, UP_AND_GO = "10 m walk, comfortable", "Timed Up and Go"
CADENCES = re.compile(r"\d")


@dataclass
class Ward:
    """A ward without a bed, a sensor or a person: its settings, the devices that are on the air, and who plays them."""

    settings: Settings
    devices: list[Device]
    air: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """Where its dashboard is."""
        return f"http://127.0.0.1:{self.settings.dashboard.port}/"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Ward]:
    """Start simulated devices, a gateway of a bare ward, a historian and a dashboard with a user of each role."""
    folder = tmp_path_factory.mktemp("day")
    alone = "PYTEST_XDIST_WORKER" not in os.environ and os.getloadavg()[0] / (os.cpu_count() or 1) < BUSY
    speed = QUICK if alone else SLOW
    with ExitStack() as parts:
        air = parts.enter_context(process(
            folder, "simulate", "timed-tests", "--beds", "1", "--rounds", "100", "--speed", str(speed),
            "--socket", str(folder / "radio"), "--ports", str(folder / "ports"),
            "--write-config", str(folder / "devices.toml"), "--only=tug", "--only=10mwt",
        ))  # fmt: skip
        wait_until((folder / "devices.toml").exists, START_S)
        digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        save(folder / "users.jsonl", [User(f"{role}-1", role, digest) for role in ROLES])
        path = folder / "ward.toml"
        path.write_text(
            f'simulated = true\nspeed = {speed}\n[radio]\nname = "simulated"\nsocket = "{folder}/radio"\n'
            f'[site]\nsite = "day"\ndata = "{folder}/data"\n[broker]\nembedded = false\nport = {mosquitto_port}\n'
            f'[dashboard]\nport = {free_port()}\nusers_file = "{folder}/users.jsonl"\n'
        )
        settings = load(path)
        for command in ("historian", "run", "dashboard"):
            parts.enter_context(process(folder, command, str(path)))
        with closing(Listener(settings)) as heard:
            wait_until(lambda: heard.ward, START_S)
        wait_for_port(settings.dashboard.port)
        yield Ward(settings, list(load(folder / "devices.toml").slot[0].device), air)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(browser: Browser, ward: Ward) -> AsyncIterator[dict[str, BrowserContext]]:
    """Sign everybody in, each on a tablet of their own."""
    found: dict[str, BrowserContext] = {}
    for role in ROLES:
        found[role] = await browser.new_context(viewport={"width": 1280, "height": 800})
        found[role].set_default_timeout(REQUEST_MS)
        page = await found[role].new_page()
        await page.goto(f"{ward.address}login")
        await page.fill("[name=name]", f"{role}-1")
        await page.fill("[name=password]", PASSWORD)
        await page.click("button[type=submit]")
        await expect(page.locator("form.session span")).to_contain_text(f"{role}-1")
    yield found
    for context in found.values():
        await context.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def tablets_put_away(people: dict[str, BrowserContext]) -> AsyncIterator[None]:
    """Close what was open after each: pages of seventy beds that nobody looks at would take the time of the devices."""
    yield
    for context in people.values():
        for page in context.pages:
            await page.close()


async def post(context: BrowserContext, ward: Ward, path: str, role: str, **fields: Any) -> APIResponse:
    """Ask as a page of ours does."""
    headers = {
        "Origin": ward.address.rstrip("/"), "Idempotency-Key": secrets.token_hex(16), "Signed-In-As": f"{role}-1",
    }  # fmt: skip
    return await context.request.post(f"{ward.address}{path}", data=fields, headers=headers, timeout=REQUEST_MS)


async def done(answer: APIResponse) -> dict[str, Any]:
    found: dict[str, Any] = await answer.json()
    assert answer.status == 200, found
    return found


async def opened(context: BrowserContext, ward: Ward, path: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{ward.address}{path}")
    return page


async def add_sensor(dock: Page, device: Device) -> None:
    """Take a sensor that was heard into the ward, on the page of the sensors."""
    heard = dock.locator("#heard-list li", has_text=device.address)
    await heard.get_by_role("button").click()
    await dock.fill("#ask-id", device.id)
    await dock.locator("#ask-driver").select_option(device.driver)
    await dock.locator("#ask-placement").select_option(device.placement)
    await dock.locator("#ask-send").click()
    await expect(dock.locator("#change")).to_have_text(f"{device.id} was added: it is on nobody yet.")


async def test_a_technician_makes_seventy_beds_and_finds_the_sensors(
    ward: Ward, people: dict[str, BrowserContext]
) -> None:
    technician = people["technician"]
    beds = await opened(technician, ward, "beds")
    await expect(beds.locator("#empty")).to_have_text("The ward has no beds yet.")
    await beds.get_by_role("button", name="Add beds").click()
    await beds.fill("#ask-label", "Bay")
    await beds.fill("#ask-last", str(BEDS))
    await expect(beds.locator("#ask-warnings")).to_contain_text(f"{BEDS} beds: Bay 1 to Bay {BEDS}")
    await beds.locator("#ask-send").click()
    await expect(beds.locator("#change")).to_have_text(f"{BEDS} beds were added.")
    await expect(beds.locator(".bed h2")).to_have_text([f"Bay {n}" for n in range(1, BEDS + 1)])
    dock = await opened(technician, ward, "dock")
    await dock.get_by_role("button", name="Find sensors").click()
    on_air = {one.address: one for one in ward.devices if one.address}
    await expect(dock.locator("#heard-list li")).to_have_count(len(on_air), timeout=REQUEST_MS)
    for device in ward.devices:
        if device.address:
            await add_sensor(dock, device)
        else:  # a serial line is not on the air: the technician says it
            told = device.model_dump(mode="json", exclude_unset=True)
            await done(await post(technician, ward, "api/ward/add-device", "technician", device=told))
    await expect(dock.locator("#heard")).to_be_hidden()
    await expect(beds.locator("#free-list li")).to_have_count(len(ward.devices))
    dot = next(one.id for one in ward.devices if one.driver == "movella_dot")
    await dock.get_by_role("button", name=f"Have {dot} blink").click()
    await expect(dock.locator("#pairing-said")).to_have_text(f"{dot} blinks now.", timeout=REQUEST_MS)


async def test_a_clinician_admits_and_a_technician_puts_the_sensors_on(
    ward: Ward, people: dict[str, BrowserContext]
) -> None:
    card = await opened(people["clinician"], ward, f"bed/{BED}")
    await ask(card, "Admit", "Admit", f"{SUBJECT} was admitted", subject=SUBJECT, height_m="1.71")
    fitting = await opened(people["technician"], ward, f"bed/{BED}")
    await expect(fitting.locator("#subject")).to_have_text(SUBJECT)
    await expect(fitting.get_by_role("button", name="Discharge")).to_have_count(0)
    for device in ward.devices:
        await ask(
            fitting, "Put a sensor on", "Put on", f"{device.id} is on", device=device.id, placement=device.placement
        )
    await expect(fitting.locator("#worn li .state").filter(has_text="streaming")).to_have_count(
        len(ward.devices), timeout=STREAMS_MS
    )
    lift = await post(people["technician"], ward, "api/devices/lift", "technician", bed=BED, side="left", for_s=2.0)
    found = await lift.json()
    assert lift.status == 200, found
    assert found["moved"] in {"left", None}


async def test_a_patient_sees_one_number_of_their_movement(ward: Ward, people: dict[str, BrowserContext]) -> None:
    choosing = await opened(people["clinician"], ward, f"feedback/{BED}")
    await choosing.get_by_role("button", name="Choose").click()
    await choosing.locator("#ask-what").select_option(label="How fast the left thigh turns")
    await choosing.fill("#ask-low", "0")
    await choosing.fill("#ask-high", "300")
    await choosing.locator("#ask-shape").select_option("number")
    await choosing.locator("#ask-send").click()
    await expect(choosing.locator("#change")).to_contain_text(f"{SUBJECT} is shown")
    seen = await opened(people["viewer"], ward, f"feedback/{BED}")
    await expect(seen.locator("#value")).to_have_text(CADENCES, timeout=STREAMS_MS)
    await expect(seen.locator("#choose")).to_be_hidden()


async def test_a_physio_tests_corrects_and_hands_over_a_report(ward: Ward, people: dict[str, BrowserContext]) -> None:
    page = await opened(people["clinician"], ward, f"test/{BED}")
    for n, name in enumerate((WALK, UP_AND_GO, WALK)):
        if n:
            await page.get_by_role("button", name="Another test").click()
        await page.get_by_role("radio", name=name).check()
        if name == WALK:
            await page.get_by_label("How it starts").select_option("dynamic")
        await expect(page.locator("#needs li:not(.missing)").first).to_be_visible(timeout=FOUND_MS)
        await run_until_found(page)
        await expect(page.locator("#result-title")).to_have_text(name)
    await page.locator(".trials li").first.get_by_role("button", name="Correct start and end").click()
    for _ in range(3):
        await page.get_by_role("button", name="Start 0.1 s later").click()
    await page.get_by_label("What was wrong").fill("a cough")
    await page.get_by_role("button", name="Save beside what was found").click()
    await expect(page.locator(".by-hand").first).to_contain_text("start +0.30 s")
    card = await opened(people["clinician"], ward, f"bed/{BED}")
    await expect(card.locator("#ended li")).to_have_count(3)
    address = await card.locator("#ended a").filter(has_text="Report").first.get_attribute("href")
    assert address is not None
    report = await opened(people["clinician"], ward, "")
    await report.goto(address)
    await expect(report.locator("h1")).to_contain_text(f"Session report: {SUBJECT}, 10-metre walk")
    await expect(report.locator("form.session")).to_contain_text("clinician-1 (clinician)")
    await expect(report.get_by_role("button", name="Sign out")).to_be_visible()
    await expect(report.locator(".results thead").first).to_contain_text("Change from the previous")
    speed = report.locator(".results tbody tr", has_text="Ten-metre walk, speed").first
    await expect(speed.locator("td").nth(2)).to_contain_text(re.compile(r"[+\u2212]?\d|not compared|nothing earlier"))
    if pdf.program() is not None:
        printed = await people["clinician"].request.get(f"{address.replace('?', '/pdf?')}", timeout=REQUEST_MS)
        assert (printed.status, (await printed.body())[:5]) == (200, b"%PDF-")


async def test_a_researcher_takes_the_numbers_away(ward: Ward, people: dict[str, BrowserContext]) -> None:
    answer = await people["researcher"].request.get(f"{ward.address}api/export?subject={SUBJECT}", timeout=REQUEST_MS)
    assert answer.status == 200
    rows = (await answer.text()).splitlines()
    assert any("tmwt10_time" in row for row in rows)
    assert all(SUBJECT in row for row in rows[1:])


REFUSED = {
    "viewer": ("GET beds", f"GET bed/{BED}", f"GET test/{BED}", "GET devices", f"GET trend/{SUBJECT}", "EXPORT"),
    "clinician": ("EXPORT", "POST api/ward/add-beds", "POST api/ward/add-device"),
    "technician": (
        f"GET test/{BED}", f"GET trend/{SUBJECT}", "EXPORT", "POST api/ward/admit", "POST api/ward/session-start",
        "POST api/ward/test-correct", "POST api/ward/feedback-choose",
    ),
    "researcher": (
        f"GET test/{BED}", "POST api/ward/add-beds", "POST api/ward/admit", "POST api/ward/assign",
        "POST api/ward/session-start", "POST api/ward/test-correct", "POST api/devices/scan",
        "POST api/notices/acknowledge", "POST api/ward/feedback-choose",
    ),
}  # fmt: skip
"""Of the work of this day, what is not for whom; an admin may do all of it."""
VIEWERS = ("add-beds", "admit", "assign", "session-start", "test-correct", "feedback-choose")


@pytest.mark.parametrize("role", REFUSED)
async def test_nobody_else_can_do_any_of_it(ward: Ward, people: dict[str, BrowserContext], role: str) -> None:
    more = (*(f"POST api/ward/{name}" for name in VIEWERS), "POST api/notices/acknowledge", "POST api/devices/scan")
    for what in (*REFUSED[role], *(more if role == "viewer" else ())):
        method, _, path = what.partition(" ")
        if method == "POST":
            answer = await post(people[role], ward, path, role)
        else:
            path = f"api/export?subject={SUBJECT}" if method == "EXPORT" else path
            answer = await people[role].request.get(f"{ward.address}{path}", max_redirects=0)
        assert answer.status == 403, f"{role}: {what}: {answer.status}"


async def test_who_has_not_signed_in_is_sent_to_the_form(browser: Browser, ward: Ward) -> None:
    stranger = await browser.new_context()
    page = await stranger.new_page()
    for path in ("", "beds", f"bed/{BED}", f"test/{BED}", f"feedback/{BED}", f"trend/{SUBJECT}"):
        await page.goto(f"{ward.address}{path}")
        await expect(page.locator("[name=password]")).to_be_visible()
    for path in (f"api/export?subject={SUBJECT}", "api/ward", "events"):
        assert (await stranger.request.get(f"{ward.address}{path}")).status == 401
    await stranger.close()


async def test_a_nurse_acknowledges_a_notice_on_the_wall(ward: Ward, people: dict[str, BrowserContext]) -> None:
    """The last of the day: the sensors are gone, as when somebody walks out of range."""
    wall = await opened(people["clinician"], ward, "")
    screen = await opened(people["viewer"], ward, "")
    for page in (wall, screen):
        await expect(page.locator("#counts")).to_contain_text(f"{BEDS} beds")
    ward.air.terminate()
    lost = wall.locator("#notices .notice", has_text="is not connected").first
    await expect(lost).to_be_visible(timeout=STREAMS_MS)
    await lost.get_by_role("button", name="Seen").click()
    await wall.fill("#ask-why", "gone home")
    await wall.locator("#ask-send").click()
    await expect(wall.locator("#change")).to_contain_text("Acknowledged")
    every = await opened(people["clinician"], ward, "devices")  # on the wall what is seen makes room for what is not
    await expect(every.locator(".notice.quiet")).to_contain_text(["Seen by clinician-1"])
    await expect(every.locator(".notice.quiet")).to_contain_text(["gone home"])
    await expect(screen.locator(".tile-notice, .notice").first).to_be_visible()
    await expect(screen.get_by_role("button", name="Seen")).to_have_count(0)
