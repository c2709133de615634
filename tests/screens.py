"""``make screens``: pictures of the screens of a running demo for ``docs/images``, taken by the system's Chromium.

A demo has no users, so what needs somebody's name is not offered in it: a guided test, and what a patient is shown of
their own movement, are taken from a simulated patient of a ward that has users.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import QUIET, chromium
from tests.gateway.dashboard.bedside import PASSWORD
from tests.gateway.dashboard.clinic import clinic
from tests.servers import accepts, free_port, mosquitto_in, wait_until

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
BEDS = 3
READY_S = 240.0  # where the kernels are not compiled yet
DRAWN_MS = 10_500  # a strip shows ten seconds
WALKED_MS = 90_000  # of a demo: cadence, joints and curves are there
DESK, WALL = {"width": 1280, "height": 800}, {"width": 1920, "height": 1080}


class Screen(NamedTuple):
    """One picture: its name, the page, what has to be there before it is taken, and how large the window is."""

    name: str
    address: str
    there: str
    size: dict[str, int] = DESK
    dark: bool = False


SCREENS = (
    Screen("ward", "", ".tile .number"),
    Screen("kiosk", "?kiosk", ".tile .number", WALL, dark=True),
    Screen("patient", "patient/bed-2", ".joint canvas"),
    Screen("exoskeleton", "patient/bed-3", "#exoskeleton-joints"),
    Screen("beds", "beds", ".bed"),
    Screen("bed", "bed/bed-1", "#card"),
    Screen("devices", "devices", ".devices tbody tr"),
    Screen("dock", "dock", ".sensor"),
)


SIGNED_IN = (
    Screen("test", "test/bed-1", "#choose"),
    Screen("feedback", "feedback/bed-1", "#shown", dark=True),
)
SEES = {"what": "Lean of the lower back", "low": "0", "high": "25", "shape": "bar"}
"""What the patient is shown."""


def sign_in(page: Page, address: str) -> None:
    """Sign the clinician in, choose what the patient sees, and which test comes."""
    page.goto(f"{address}feedback/bed-1")
    page.fill("[name=name]", "clinician-1")
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.get_by_role("button", name="Choose").click()
    page.locator("#ask-what").select_option(label=SEES["what"])
    page.fill("#ask-low", SEES["low"])
    page.fill("#ask-high", SEES["high"])
    page.locator("#ask-shape").select_option(SEES["shape"])
    page.locator("#ask-send").click()
    expect(page.locator("#shown")).to_be_visible(timeout=WALKED_MS)


def take_signed_in(names: list[str]) -> None:
    """Take those pictures for which somebody has to be signed in."""
    screens = [screen for screen in SIGNED_IN if not names or screen.name in names]
    if not screens:
        return
    with tempfile.TemporaryDirectory(prefix="screens-") as made, ExitStack() as parts:
        folder = Path(made)
        broker = parts.enter_context(mosquitto_in(folder / "broker"))
        ward = parts.enter_context(clinic(folder, broker.port, site="screens", speed=1.0, only=("10mwt",)))
        command = [sys.executable, "-m", "gateway", "dashboard", str(folder / "ward.toml")]
        dashboard = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        parts.callback(dashboard.wait, 60)
        parts.callback(dashboard.terminate)
        port = ward.settings.dashboard.port
        wait_until(partial(accepts, port), READY_S)
        playwright = parts.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        parts.callback(browser.close)
        page = browser.new_page(viewport=DESK)  # type: ignore[arg-type] # a size
        sign_in(page, f"http://127.0.0.1:{port}/")
        for screen in screens:
            page.goto(f"http://127.0.0.1:{port}/{screen.address}")
            if screen.name == "test":
                page.get_by_role("radio", name="10 m walk, comfortable").check()
            print(shoot(page, screen), flush=True)


def take(page: Page, address: str, screen: Screen) -> Path:
    """Take one picture; return it."""
    page.goto(f"{address}{screen.address}")
    return shoot(page, screen)


def shoot(page: Page, screen: Screen) -> Path:
    """Take a picture of a page that is open; return it."""
    page.set_viewport_size(screen.size)  # type: ignore[arg-type] # a size
    page.emulate_media(color_scheme="dark" if screen.dark else "light")
    expect(page.locator(screen.there).first).to_be_visible(timeout=WALKED_MS)
    page.wait_for_timeout(DRAWN_MS)
    path = FOLDER / f"{screen.name}.png"
    page.screenshot(path=path)
    return path


def main(names: list[str]) -> int:
    """Take the pictures of these screens, or of all; 1 where the demo did not start."""
    take_signed_in(names)
    if names and not {screen.name for screen in SCREENS} & set(names):
        return 0
    port = free_port()
    with tempfile.NamedTemporaryFile() as printed:
        command = [sys.executable, "-m", "gateway", "demo", "--beds", str(BEDS), "--port", str(port)]
        demo = subprocess.Popen(command, stdout=printed, stderr=printed)
        try:
            said = Path(printed.name)
            wait_until(lambda: b"Open http" in said.read_bytes() or demo.poll() is not None, READY_S)
            if demo.poll() is not None:
                print(said.read_text("utf-8"), file=sys.stderr)
                return 1
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
                page = browser.new_page()
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_timeout(WALKED_MS)
                for screen in SCREENS:
                    if not names or screen.name in names:
                        print(take(page, f"http://127.0.0.1:{port}/", screen), flush=True)
                browser.close()
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
