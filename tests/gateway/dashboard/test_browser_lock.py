"""A tablet that nobody touches, or that is locked in another window, shows no numbers: also where nothing streams."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import Browser, BrowserContext, Page, expect

from config.settings import Settings
from gateway.dashboard.server import serve
from gateway.dashboard.users import User, save
from tests.browser import WITHIN_MS
from tests.gateway.dashboard.test_sign_in_browser import PASSWORD
from tests.gateway.results.clinic import DAY_S, SUBJECT, Clinic
from tests.gateway.samples import START_US

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

IDLE_MINUTES = 0.1  # six seconds
LOGIN = re.compile(r"/login\?next=")


@pytest.fixture
def session(settings: Settings) -> str:
    clinic = Clinic(settings.site.data, simulated=True)
    made = clinic.test(int((time.time() - START_US / 1e6) / DAY_S) - 1, 0.8)
    clinic.store()
    return made


async def signed_in(
    settings: Settings, browser: Browser, *, idle_minutes: float
) -> AsyncIterator[tuple[str, BrowserContext]]:
    """Serve the dashboard, and sign a clinician in; yield its address and the browser's context."""
    users = settings.site.data / "users.jsonl"
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(users, [User("anna", "clinician", digest), User("tom", "technician", digest)])
    dashboard = settings.dashboard.model_copy(update={"users_file": users, "session_minutes": idle_minutes})
    chosen = settings.model_copy(update={"dashboard": dashboard})
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(chosen, stop=stop, ready=ready.set_result), name="dashboard")
    address = (await asyncio.wait_for(ready, 30)).replace("127.0.0.1", "localhost")
    context = await browser.new_context()
    context.set_default_timeout(WITHIN_MS)
    page = await context.new_page()
    await page.goto(f"{address}login")
    await sign_in(page, "anna", "clinician")
    yield address, context
    await context.close()
    stop.set()
    await running


async def sign_in(page: Page, name: str, role: str) -> None:
    """Fill in the form that the page shows."""
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("form.session span")).to_have_text(f"{name} ({role})")


async def opened(place: tuple[str, BrowserContext], path: str) -> tuple[Page, Page]:
    """Open a page that can be locked in a window of its own; return it, and the one in which somebody signed in."""
    address, context = place
    page = await context.new_page()
    await page.goto(address + path)
    await expect(page.locator("form.lock")).to_be_visible()
    return page, context.pages[0]


@pytest_asyncio.fixture(loop_scope="module")
async def soon(settings: Settings, browser: Browser, session: str) -> AsyncIterator[tuple[str, BrowserContext]]:
    async for place in signed_in(settings, browser, idle_minutes=IDLE_MINUTES):
        yield place


@pytest_asyncio.fixture(loop_scope="module")
async def late(settings: Settings, browser: Browser, session: str) -> AsyncIterator[tuple[str, BrowserContext]]:
    async for place in signed_in(settings, browser, idle_minutes=60.0):
        yield place


@pytest.mark.parametrize("path", ["report/{session}", f"trend/{SUBJECT}"])
async def test_a_page_that_nobody_touches_locks(soon: tuple[str, BrowserContext], session: str, path: str) -> None:
    address, context = soon
    page = await context.new_page()
    await page.goto(address + path.format(session=session))
    await expect(page.locator("h1")).to_contain_text(SUBJECT)
    await context.pages[0].close()
    await expect(page).to_have_url(LOGIN, timeout=WITHIN_MS)


@pytest.mark.parametrize("path", ["report/{session}", f"trend/{SUBJECT}"])
async def test_what_was_locked_in_another_window_is_not_looked_at_again(
    late: tuple[str, BrowserContext], session: str, path: str
) -> None:
    page, other = await opened(late, path.format(session=session))
    await other.click("form.lock button")
    await expect(other).to_have_url(LOGIN)
    await page.evaluate("dispatchEvent(new Event('pageshow'))")  # as when somebody goes back to it
    await expect(page).to_have_url(LOGIN, timeout=WITHIN_MS)


@pytest.mark.parametrize("path", ["report/{session}", f"trend/{SUBJECT}"])
async def test_what_one_person_read_is_not_there_for_whoever_signs_in_next(
    late: tuple[str, BrowserContext], session: str, path: str
) -> None:
    page, other = await opened(late, path.format(session=session))
    await other.click("form.session button")
    await sign_in(other, "tom", "technician")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    await expect(page.get_by_text(SUBJECT)).to_have_count(0)
    await expect(page.get_by_text("anna")).to_have_count(0)


async def test_a_page_from_the_browser_s_memory_shows_nothing_before_the_server_has_answered(
    late: tuple[str, BrowserContext],
) -> None:
    page, _ = await opened(late, f"trend/{SUBJECT}")
    shown = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })); document.body.checkVisibility()"
    assert not await page.evaluate(shown)
    await expect(page.locator("h1")).to_be_visible()
