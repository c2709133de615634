"""``make screens``: pictures of every screen for ``docs/images``, taken by the system's Chromium from wards that run.

``ARGS="ward dock"`` takes some of them. ``ARGS="--looks FOLDER"`` takes each at four sizes, light and dark, into a
folder, for whoever changes how a page looks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import QUIET, chromium
from tests.firefox import firefox_in
from tests.gateway.dashboard.bedside import PASSWORD
from tests.gateway.results.clinic import SUBJECT
from tests.screens.places import clinic_with_users, demo, large_ward, set_up_in_browser
from tests.screens.screen import READY_MS, STRIP_MS, WALL, Screen, keep, take

PDF = "report-pdf"
PAPER = (1000, 1400)
"""A window in which a whole page of A4 can be read."""
TALL = (1280, 1600)
"""A window for a page of several tables."""
PIN = "739164"
SEES = {"what": "Lean of the lower back", "low": "0", "high": "25", "shape": "bar"}
"""What the patient is shown."""
WALK = "10 m walk, comfortable"
WALKED_MS = 90_000  # of a demo: cadence, joints and curves are there
MOST_TRIAL_MS = 300_000  # a round of the simulated patient, on a machine that is slow


def sign_in_once(page: Page, root: str, name: str = "clinician-1") -> None:
    """Sign the clinician in, or another, unless somebody is."""
    page.goto(root)
    if not page.locator("[name=password]").count():
        return
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("form.lock")).to_be_visible(timeout=READY_MS)


def choose_feedback(page: Page, root: str) -> None:
    """Choose what the patient sees."""
    sign_in_once(page, root)
    page.goto(f"{root}feedback/bed-1")
    page.get_by_role("button", name="Choose").click()
    page.locator("#ask-what").select_option(label=SEES["what"])
    page.fill("#ask-low", SEES["low"])
    page.fill("#ask-high", SEES["high"])
    page.locator("#ask-shape").select_option(SEES["shape"])
    page.locator("#ask-send").click()


def choose_test(page: Page, root: str) -> None:
    """Choose which test comes."""
    sign_in_once(page, root)
    page.goto(f"{root}test/bed-1")
    page.get_by_role("radio", name=WALK).check()
    page.get_by_label("How it starts").select_option("dynamic")


def start_test(page: Page, root: str) -> None:
    """Press Start, and wait until the sensors have found the walk."""
    choose_test(page, root)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#found")).to_contain_text("found", timeout=MOST_TRIAL_MS)


def stop_test(page: Page, root: str) -> None:
    """Press Stop in the test that runs, and open the correction of its start and end."""
    if not page.locator("#run").is_visible():
        start_test(page, root)
    page.get_by_role("button", name="Stop", exact=True).click()
    first = page.locator(".trials li").first
    first.get_by_role("button", name="Correct start and end").click(timeout=READY_MS)


def set_pin(page: Page, root: str) -> None:
    """Give the clinician a PIN."""
    sign_in_once(page, root)
    page.goto(f"{root}pin")
    page.fill("[name=pin]", PIN)
    page.fill("[name=again]", PIN)
    page.get_by_role("button", name="Keep this PIN").click()


def lock(page: Page, root: str) -> None:
    """Lock the tablet of somebody who has a PIN."""
    set_pin(page, root)
    expect(page.locator("[role=status]")).to_be_visible()
    page.goto(root)
    page.click("form.lock button")


def open_people(page: Page, root: str) -> None:
    """Sign an admin in, in place of whoever was there, and open the page of people."""
    page.context.clear_cookies()
    sign_in_once(page, root, "admin-1")
    page.goto(f"{root}people")


def begin_bed(page: Page, root: str) -> None:
    """Open the bed's card, signed in."""
    sign_in_once(page, root)
    page.goto(f"{root}bed/bed-1")


OF_DEMO = (
    Screen("ward", "/", "", ".tile .number"),
    Screen("patient", "/patient/{slot}", "patient/bed-2", "#activity.walking", wait_ms=STRIP_MS),
    Screen(
        "exoskeleton", "/patient/{slot}", "patient/bed-3", "#exoskeleton-plots canvas", wait_ms=STRIP_MS, whole=True
    ),
    Screen("beds", "/beds", "beds", ".bed"),
    Screen("devices", "/devices", "devices", ".devices tbody tr"),
    Screen("dock", "/dock", "dock", ".sensor"),
)
OF_CLINIC = (
    Screen("sign-in", "/login", "login", "form.login, .login form"),
    Screen("bed", "/bed/{bed}", "bed/bed-1", "#card .actions button", begin_bed),
    Screen("feedback", "/feedback/{slot}", "feedback/bed-1", "#shown", choose_feedback, dark=True),
    Screen("test", "/test/{bed}", "test/bed-1", "#start", choose_test),
    Screen("test-running", "/test/{bed}", "test/bed-1", "#run", start_test),
    Screen("test-result", "/test/{bed}", "test/bed-1", "#plot canvas", stop_test),
    Screen("pin", "/pin", "pin", "[role=status]", set_pin),
    Screen("locked", "/login", "login", ".unlock", lock),
    Screen("people", "/people", "people", "#looks tbody tr", open_people, size=TALL),
)
OF_LARGE_WARD = (
    Screen("kiosk", "/", "?kiosk", ".tile .number", size=WALL, dark=True, wait_ms=5_000),
    Screen("fleet", "/fleet", "fleet", "#gateways tbody tr:nth-child(3)"),
    Screen("trend", "/trend/{subject}", f"trend/{SUBJECT}", "#milestones tbody tr", whole=True),
    Screen("report", "/report/{session}", "report/SESSION", ".results", whole=True),
)
OF_SET_UP = (
    Screen("setup-code", "/", "", "[name=code]"),
    Screen("setup", "/questions", "questions", "fieldset"),
)
SCREENS = (*OF_DEMO, *OF_CLINIC, *OF_LARGE_WARD, *OF_SET_UP)


@contextmanager
def _page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True, locale="en-GB")
    yield context.new_page()
    context.close()


def _take_all(page: Page, root: str, screens: Sequence[Screen], looks: Path | None) -> None:
    for screen in screens:
        for path in take(page, root, screen, looks):
            print(path, flush=True)


def _last_report(page: Page, root: str) -> str:
    """Return where the newest report is to which the trend leads."""
    page.goto(f"{root}trend/{SUBJECT}")
    link = page.locator("#milestones a").first
    expect(link).to_be_visible(timeout=READY_MS)
    return str(link.evaluate("(link) => link.href")).removeprefix(root)


def _take_pdf(address: str, folder: Path, looks: Path | None) -> None:
    """Take the first page of a report's PDF, as the system's Firefox shows it."""
    file = folder / "report.pdf"
    with urlopen(address) as answer:  # noqa: S310 - our own dashboard
        file.write_bytes(answer.read())
    with firefox_in(folder / "firefox") as firefox:
        firefox.resize(*PAPER)
        firefox.open(f"{file.as_uri()}#zoom=page-fit")
        firefox.wait(lambda: firefox.has(".page[data-page-number='1'] .textLayer span"))
        firefox.evaluate("document.querySelector('.toolbar').style.visibility = 'hidden'")
        picture = firefox.picture(".page[data-page-number='1']")
    if looks:
        (looks / f"{PDF}.png").write_bytes(picture)
    else:
        print(keep(PDF, picture), flush=True)


def main(arguments: Sequence[str]) -> int:
    """Take the pictures that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.screens", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all by default")
    parser.add_argument("--looks", type=Path, help="take each at four sizes, light and dark, into this folder")
    options = parser.parse_args(arguments)
    known = [screen.name for screen in SCREENS] + [PDF]
    if wrong := set(options.names) - set(known):
        parser.error(f"there is no picture {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    if options.looks:
        options.looks.mkdir(parents=True, exist_ok=True)
    names = set(options.names) or set(known)
    with tempfile.TemporaryDirectory(prefix="screens-") as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        _take_places(browser, Path(made), names, options.looks)
        browser.close()
    return 0


def _take_places(browser: Browser, folder: Path, names: set[str], looks: Path | None) -> None:
    """Begin each place of which a picture is wanted, and take them."""

    def wanted(screens: Sequence[Screen]) -> list[Screen]:
        return [screen for screen in screens if screen.name in names]

    for part in ("demo", "clinic", "large", "setup"):
        (folder / part).mkdir()
    if screens := wanted(OF_SET_UP):
        with set_up_in_browser(folder / "setup") as (root, code), _page(browser) as page:
            _take_all(page, root, [one for one in screens if one.address == ""], looks)
            page.goto(root)
            page.fill("[name=code]", code)
            page.click("button[type=submit]")
            _take_all(page, root, [one for one in screens if one.address], looks)
    if (screens := wanted(OF_LARGE_WARD)) or PDF in names:
        with large_ward(folder / "large") as root, _page(browser) as page:
            report = _last_report(page, root)
            _take_all(
                page,
                root,
                [one._replace(address=one.address.replace("report/SESSION", report)) for one in screens],
                looks,
            )
            if PDF in names:
                _take_pdf(root + report.replace("?", "/pdf?", 1), folder, looks)
    if screens := wanted(OF_CLINIC):
        with clinic_with_users(folder / "clinic") as root, _page(browser) as page:
            _take_all(page, root, screens, looks)
    if screens := wanted(OF_DEMO):
        with demo(folder / "demo") as root, _page(browser) as page:
            page.goto(root)
            expect(page.locator(".chip.off")).to_have_count(0, timeout=READY_MS)
            page.wait_for_timeout(WALKED_MS)
            _take_all(page, root, screens, looks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
