"""People sign in and out over TLS in real browsers, straight and behind a real nginx as we document it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from playwright.async_api import Browser, expect

from config.settings import Settings
from gateway.dashboard.access import ROLES, Role
from gateway.dashboard.server import serve
from gateway.dashboard.users import User, save
from gateway.wire.topics import Topics
from tests.browser import WITHIN_MS
from tests.certificates import Authority
from tests.firefox import Firefox, firefox_in
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.simulated_gateway import walking
from tests.nginx import documented, in_folder, nginx

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist

FOLDER = "/ward"
"""Where another site has the dashboard."""


@pytest_asyncio.fixture(loop_scope="module", params=["straight", "nginx", "folder of nginx"])
async def address(
    request: pytest.FixtureRequest, settings: Settings, topics: Topics, mosquitto_port: int, tmp_path: Path
) -> AsyncIterator[str]:
    """Serve a ward of one to users of every role; return where browsers reach it."""
    cert, key = Authority(tmp_path / "ca").issue("localhost", server=True)
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(tmp_path / "users.jsonl", [User(f"{role}-1", role, digest) for role in ROLES])
    front = free_port()
    here = site_url = f"https://localhost:{front}"
    files: dict[str, object] = {"users_file": tmp_path / "users.jsonl"}
    if request.param != "straight":
        files |= {"public_url": site_url, "proxies": ["127.0.0.1"]}
    else:
        files |= {"cert_file": cert, "key_file": key, "port": front}
    chosen = settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update=files)})
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    with walking(mosquitto_port, 1, topics=topics):
        running = asyncio.create_task(serve(chosen, stop=stop, ready=ready.set_result), name="dashboard")
        await asyncio.wait_for(ready, 10)
        if request.param != "straight":
            site = documented(front, chosen.dashboard.port, cert, key)
            if request.param == "folder of nginx":
                site, here = in_folder(site, FOLDER), f"{here}{FOLDER}"
            with nginx(tmp_path / "nginx", front, site):
                yield here
        else:
            yield here
        stop.set()
        await running


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox_in(tmp_path_factory.mktemp("firefox")) as started:
        yield started


async def test_every_role_signs_in_and_out_in_chromium(address: str, browser: Browser) -> None:
    for role in ROLES:
        context = await browser.new_context(ignore_https_errors=True)
        context.set_default_timeout(WITHIN_MS)
        page = await context.new_page()
        await page.goto(f"{address}/patient/bay-1")
        assert page.url == f"{address}/login?next=/patient/bay-1"
        await page.fill("[name=name]", f"{role}-1")
        await page.fill("[name=password]", PASSWORD)
        await page.click("button[type=submit]")
        await expect(page.locator("form.session span")).to_have_text(f"{role}-1 ({role})")
        assert page.url == f"{address}/patient/bay-1"
        await expect(page.locator("main")).to_contain_text("Cadence", timeout=WITHIN_MS)  # live numbers have come
        session = next(c for c in await context.cookies() if "session" in c.get("name", ""))
        assert (session.get("secure"), session.get("httpOnly"), session.get("sameSite")) == (True, True, "Strict")
        await page.click("form.session button")
        await expect(page).to_have_url(re.compile("/login$"), timeout=WITHIN_MS)
        await page.goto(f"{address}/")
        assert page.url.startswith(f"{address}/login")
        await context.close()


async def test_every_role_signs_in_and_out_in_firefox(address: str, fox: Firefox) -> None:
    for role in ROLES:
        await asyncio.to_thread(sign_in_and_out, fox, address, role)


def sign_in_and_out(fox: Firefox, address: str, role: Role) -> None:
    fox.open(f"{address}/patient/bay-1")
    assert fox.address() == f"{address}/login?next=/patient/bay-1"
    fox.type("[name=name]", f"{role}-1")
    fox.type("[name=password]", PASSWORD)
    fox.click("button[type=submit]")
    fox.wait(lambda: f"{role}-1 ({role})" in fox.text() and "Cadence" in fox.text())
    assert fox.address() == f"{address}/patient/bay-1"
    fox.click("form.session button")
    fox.wait(lambda: fox.address() == f"{address}/login")
    fox.open(f"{address}/")
    assert fox.address().startswith(f"{address}/login")
    fox.forget()
