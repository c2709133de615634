"""What a new user sees: the running demo in a real browser, its summary, and its exit status."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import QUIET, WITHIN_MS, chromium
from tests.gateway.dashboard.test_browser import PICTURE
from tests.servers import free_port, wait_until

READY_S = 100.0  # a machine that compiles the kernels for the first time

pytestmark = [pytest.mark.browser, pytest.mark.broker, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, subprocess.Popen[bytes]]]:
    """A demo of one bed, its address and what it prints."""
    printed = tmp_path_factory.mktemp("demo") / "printed"
    port = free_port()
    with printed.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "gateway", "demo", "--beds", "1", "--port", str(port)], stdout=out, stderr=out
        )
    try:
        wait_until(lambda: b"Open http" in printed.read_bytes() or child.poll() is not None, READY_S)
        yield f"http://127.0.0.1:{port}/", printed, child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            child.wait(60)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(WITHIN_MS)
        yield page
        browser.close()


def test_a_tile_changes_a_patient_opens_and_the_strip_moves(
    demo: tuple[str, Path, subprocess.Popen[bytes]], page: Page
) -> None:
    page.goto(demo[0])
    expect(page.locator("#simulated")).to_have_text("Simulated data")
    tile = page.locator(".tile").first
    expect(tile.locator(".activity")).to_contain_text("Walking")
    cadence = tile.locator(".figure").first.locator("b")
    expect(cadence).to_have_text(re.compile("[0-9]+"))
    expect(cadence).not_to_have_text(cadence.inner_text())
    tile.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bed 1")
    expect(page.locator(".lane")).to_have_count(2)
    expect(page.locator(".lane .said").first).to_be_empty()
    for _ in range(3):
        picture = page.evaluate(PICTURE)
        page.wait_for_function(f"picture => {PICTURE} !== picture", arg=picture)
    expect(page.locator("#strides-chart rect.left").first).to_be_visible()


def test_it_says_each_second_what_flows_and_stops_with_a_summary(
    demo: tuple[str, Path, subprocess.Popen[bytes]],
) -> None:
    _, printed, child = demo
    wait_until(lambda: b"devices 4/4" in printed.read_bytes(), READY_S)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == os.EX_OK, printed.read_text()
    text = " ".join(printed.read_text().split())
    assert re.search(r"\d+ s devices 4/4 +\d+ samples/s +\d+ measurements/s lost \d+ of \d+", text)
    published, stored = map(int, re.search(r"(\d+) measurements published, (\d+) in the history", text).groups())  # type: ignore[union-attr] # no match fails the test
    assert stored >= published > 0
