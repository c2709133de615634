"""Pages over three years of a ward of twenty, in a browser: from the address to what one came for, milliseconds.

``python -m benchmarks.year_pages [--file history.db]``. A dashboard of its own reads a history of
``benchmarks.ward_years`` (made first, in two minutes, unless a file is given; it is only read), a simulated ward
publishes for twenty beds, and a Chromium opens each page again and again in one tab, each time of another bed: with a
new tab it loads windows of its own, which are no page's. What counts is when the page shows it: the tiles with their
age, a patient's curve of the last minutes, the plot of a trend, the results of a report. Beside it stand the seconds of
a fixed piece of Python, before and after: on a machine that is busy all of it takes longer.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Browser, async_playwright

from benchmarks.entry import Entry
from benchmarks.latency import cpu_s
from benchmarks.wall import yardstick_s
from benchmarks.ward_years import DAY_US, GATEWAY, Ward, write
from gateway.wire.topics import Topics
from tests.browser import QUIET, chromium
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker
from tests.servers import dashboard_of, free_port, mosquitto_in

BEDS, DAYS, RAW_DAYS, ROUNDS = 20, 1095, 10, 12
SITE = "years"
BETWEEN = "static/icon.svg"
"""Of the dashboard too: whoever opens a page comes from another of its pages, and the browser keeps its process."""
IDLE_S = 10.0
"""Of a dashboard that hears its ward and that nobody looks at: what it takes then is no page's."""
WARD_MS, PATIENT_MS = 200.0, 300.0
WATCH = """window.shown = new Promise((done) => {
  const look = () => { if (%s) requestAnimationFrame(() => { watcher.disconnect(); done(performance.now()); }); };
  const watcher = new MutationObserver(look);
  watcher.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
})"""
"""Tells when a page shows what is looked for: the frame after it was there. It is looked for when the page changes: a
look at each frame takes as much of the processor as a page."""


class Opened(NamedTuple):
    """A page: its name, where it is of a bed, what is true once it shows what one came for; days chosen on it."""

    name: str
    address: str
    there: str
    goal_ms: float
    chosen: str = ""


PAGES = (
    Opened("ward", "", "document.querySelector('.tile .age')?.textContent.startsWith('Data')", WARD_MS),
    Opened(
        "patient, with the curve of the last minutes", "patient/bay-{n}",
        "document.querySelector('#trend-heart canvas') && document.querySelector('.number-card b')", PATIENT_MS,
    ),
    Opened("trend of three months", "trend/p-{n}", "document.querySelector('#plot canvas')", PATIENT_MS),
    Opened(
        "trend of three years, from choosing it", "trend/p-{n}",
        "document.querySelector('#measure-table tbody')?.rows.length > 100", PATIENT_MS, "1096",
    ),
    Opened("report of a session", f"report/bay-{{n}}-{DAYS - 1}", "document.querySelector('.results')", PATIENT_MS),
)  # fmt: skip


class Old(Walker):
    """Somebody who is in the history for years."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.subject = f"p-{number}"


async def times(browser: Browser, root: str, page: Opened) -> list[float]:
    """Open a page of one bed after the other; return when each showed what one came for, milliseconds."""
    found = []
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, bypass_csp=True
    )  # to look with scripts
    if not page.chosen:
        await context.add_init_script(WATCH % page.there)
    tab = await context.new_page()
    for each in range(ROUNDS):
        begun = 0.0
        await tab.goto(f"{root}{BETWEEN}")  # the end of what was open before is not to count
        await tab.goto(f"{root}{page.address.format(n=each % (BEDS - 1) + 1)}", wait_until="load")
        if page.chosen:
            await tab.wait_for_function("document.querySelector('#plot canvas') !== null")
            begun = await tab.evaluate(f"() => {{ {WATCH % page.there}; return performance.now(); }}")
            await tab.select_option("#days", page.chosen)
        found.append(float(await tab.evaluate("window.shown")) - begun)
    await context.close()
    return found[1:]  # the first finds nothing in the browser's cache


async def measure(root: str, pid: int) -> list[Entry]:
    """Open all pages; beside the time of each stands the server's processor time, which says most on a busy machine."""
    found = []
    before, begun = cpu_s(pid), time.monotonic()
    await asyncio.sleep(IDLE_S)
    idle = (cpu_s(pid) - before) / (time.monotonic() - begun)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        for page in PAGES:
            before, begun = cpu_s(pid), time.monotonic()
            took = await times(browser, root, page)
            spent = cpu_s(pid) - before - idle * (time.monotonic() - begun)
            found += [
                Entry(f"page: {page.name}, median of {len(took)}", statistics.median(took), "ms", page.goal_ms),
                Entry(f"page: {page.name}, worst", max(took), "ms"),
                Entry(f"page: {page.name}, processor time of the server", 1000 * spent / ROUNDS, "ms"),
            ]
        await browser.close()
    return found


def run(folder: Path) -> list[Entry]:
    """Run broker, ward and dashboard on the history of a folder, and measure."""
    port = free_port()
    with ExitStack() as parts:
        broker = parts.enter_context(mosquitto_in(folder / "broker"))
        config = folder / "ward.toml"
        config.write_text(
            f'simulated = true\n[site]\nsite = "{SITE}"\ngateway = "{GATEWAY}"\ndata = "{folder}"\n[broker]\n'
            f"embedded = false\nport = {broker.port}\n[dashboard]\nport = {port}\n"
        )
        people: list[Walker] = [Old(n) for n in range(1, BEDS + 1)]
        parts.enter_context(SimulatedGateway(broker.port, people, topics=Topics(SITE, GATEWAY)))
        begun = time.monotonic()
        server = parts.enter_context(dashboard_of(config, port)).process
        assert server
        start = Entry("page: start of the dashboard, imports and all", time.monotonic() - begun, "s", 2.0)
        before = yardstick_s()
        found = asyncio.run(measure(f"http://127.0.0.1:{port}/", server.pid))
        return [start, *found, Entry("page: a fixed million turns of Python", (before + yardstick_s()) / 2, "s")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year_pages", description=__doc__)
    parser.add_argument("--file", type=Path, help="a history of benchmarks.ward_years")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="pages-") as made:
        folder = Path(made)
        if options.file:
            (folder / "history.db").symlink_to(options.file.resolve())
        else:
            write(folder / "history.db", Ward(BEDS, DAYS, RAW_DAYS, time.time_ns() // 1000 // DAY_US * DAY_US))
        found = run(folder)
    for entry in found:
        goal = "" if entry.goal is None else f"<= {entry.goal:g}"
        print(f"{entry.name:62} {entry.value:10,.2f} {entry.unit:4} {goal:8} {'' if entry.ok else 'MISSED'}")
    return 0 if all(entry.ok for entry in found) else 1


if __name__ == "__main__":
    sys.exit(main())
