"""``make screens``: pictures of the screens of a running demo for ``docs/images``, taken by the system's Chromium.

A demo has no users: what needs somebody's name (guided tests, what a patient is shown, changes) is not offered in it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import QUIET, chromium
from tests.servers import free_port, wait_until

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


def take(page: Page, address: str, screen: Screen) -> Path:
    """Take one picture; return it."""
    page.set_viewport_size(screen.size)  # type: ignore[arg-type] # a size
    page.emulate_media(color_scheme="dark" if screen.dark else "light")
    page.goto(f"{address}{screen.address}")
    expect(page.locator(screen.there).first).to_be_visible(timeout=WALKED_MS)
    page.wait_for_timeout(DRAWN_MS)
    path = FOLDER / f"{screen.name}.png"
    page.screenshot(path=path)
    return path


def main(names: list[str]) -> int:
    """Take the pictures of these screens, or of all; 1 where the demo did not start."""
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
