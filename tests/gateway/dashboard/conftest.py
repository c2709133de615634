"""A real broker, a ward that walks, and a dashboard that shows it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from config.settings import Broker, Dashboard, Settings, Site
from gateway.wire.topics import Topics
from tests.browser import QUIET, WITHIN_MS, chromium
from tests.gateway.dashboard.served import served

STARTS_WITHIN_S = 10.0


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Return when somebody listens."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def mosquitto_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a mosquitto of our own."""
    binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs mosquitto (apt install mosquitto)")
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("mosquitto")
    configuration = folder / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, "-c", configuration], stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(5)


@pytest.fixture
def settings(mosquitto_port: int, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Return settings of a site of its own for each test: what one test retains, the next does not see."""
    site = Site(site=f"s{abs(hash(request.node.nodeid)) % 10**8}", data=tmp_path)
    broker = Broker(embedded=False, port=mosquitto_port)
    return Settings(site=site, broker=broker, dashboard=Dashboard(port=free_port()), simulated=True)


@pytest.fixture
def topics(settings: Settings) -> Topics:
    """Return the topics of those settings."""
    return Topics(settings.site.site, settings.site.gateway)


@pytest_asyncio.fixture(loop_scope="module")
async def address(settings: Settings) -> AsyncIterator[str]:
    """Serve the dashboard."""
    async with served(settings, within_s=10) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Start the system's Chromium."""
    program = chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Return one browser's windows."""
    made = await browser.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(WITHIN_MS)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext) -> Page:
    """Open a tab."""
    return await context.new_page()
