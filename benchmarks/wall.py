"""What a wall of seventy beds costs the dashboard: tiles that change twice a second, ten screens that look at them.

``python -m benchmarks.wall [--beds 70] [--viewers 10] [--seconds 30]``. Broker, dashboard and whoever publishes are
processes; the viewers are WebSockets of this one, as browsers open them. Processor time says least on a machine that is
busy, so the table has a ratio too: the server's seconds beside those that a fixed piece of Python took meanwhile. With
``--browser`` a Chromium opens the page: how soon its first meaningful paint is, and whether its memory stays flat.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.entry import Entry, show
from benchmarks.latency import cpu_s
from gateway.wire.topics import Topics
from tests.browser import QUIET, chromium
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.simulated_gateway import Walker, walking

BEDS, VIEWERS, SECONDS = 70, 10, 30.0
SETTLE_S, START_S = 5.0, 60.0
TILES_HZ = 2.0
GOAL_PERCENT = 5.0  # of a core
FIRST_PAINT_MS = 1000.0
GROWN = 1.15  # of a heap after a collection: more is growth
TURNS = 1_000_000
SITE, GATEWAY = "wall", "gateway-1"
LATENCY_MS, PER_S = 40, 5_000_000 / 8
"""A tablet in the far corner of a ward's radio: a way there and back, and bytes a second."""
LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
FIRST_TILE = """() => new Promise((done) => {
  const there = () => document.querySelector(".tile .age")?.textContent.startsWith("Data");
  const look = () => requestAnimationFrame(there() ? () => done(performance.now()) : look);
  look();
})"""


class Still(Walker):
    """Somebody of whom two numbers come twice a second, and no strides."""

    def stride(self, side: str, end_s: float) -> list[dict[str, Any]]:
        """Return what a tile shows; asked once a stride of each side, beside the once a second that everybody has."""
        del side
        return self.means(end_s)


def yardstick_s() -> float:
    """Return the processor seconds of a fixed piece of Python."""
    begun, total = time.process_time(), 0
    for n in range(TURNS):
        total += n & 7
    return time.process_time() - begun


def publish(port: int, beds: int) -> None:
    """Publish for a ward until standard input ends."""
    people: list[Walker] = []
    for n in range(1, beds + 1):
        person: Walker = Still(n)
        person.stride_s = 2.0 / (TILES_HZ - 1.0)
        people.append(person)
    with walking(port, beds, topics=Topics(SITE, GATEWAY)) as gateway:
        for person in people:
            gateway.seat(person)
        sys.stdin.read()


async def look(session: aiohttp.ClientSession, url: str, seen: list[int]) -> None:
    """Keep a page open; count the bytes of its states."""
    async with session.ws_connect(url, max_msg_size=0) as socket:
        async for message in socket:
            seen.append(len(message.data))  # noqa: PERF401 - it never ends


async def measure(pid: int, address: str, viewers: int, seconds: float) -> list[Entry]:
    """Open the pages and see what the server takes meanwhile."""
    seen: list[int] = []
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        pages = [group.create_task(look(session, f"{address}/events", seen)) for _ in range(viewers)]
        await asyncio.sleep(SETTLE_S)
        seen.clear()
        before, begun, unit = cpu_s(pid), time.monotonic(), yardstick_s()
        await asyncio.sleep(seconds)
        span, spent = time.monotonic() - begun, cpu_s(pid) - before
        unit = (unit + yardstick_s()) / 2
        for page in pages:
            page.cancel()
    states = len(seen) / span / viewers
    return [
        Entry("wall: dashboard, share of a core", 100 * spent / span, "%", GOAL_PERCENT),
        Entry("wall: its seconds a minute, beside a fixed million turns of Python", spent / span * 60 / unit, "ratio"),
        Entry("wall: states a second at each screen", states, "1/s"),
        Entry("wall: bytes of a state", sum(seen) / max(1, len(seen)), "B"),
    ]


async def open_page(address: str, seconds: float) -> list[Entry]:
    """Open the page in a browser: its first tile with a number, and its memory over a while."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        paints = []
        for _ in range(5):
            await page.goto(f"{address}/?kiosk&turn=5", wait_until="commit")
            paints.append(await page.evaluate(FIRST_TILE))
        await asyncio.sleep(seconds / 2)
        early = await heap(page)
        await asyncio.sleep(seconds)
        late = await heap(page)
        slow, loaded = await far_away(browser, address)
        await browser.close()
    return [
        Entry("wall: first tile painted, median of five", sorted(paints)[2], "ms", FIRST_PAINT_MS),
        Entry(f"wall: that of a new tablet, {LATENCY_MS} ms and 5 Mbit/s away", slow, "ms"),
        Entry("wall: what it fetches for that, as it is sent", loaded / 1e3, "kB"),
        Entry("wall: heap of the page, after a collection", late / 1e6, "MB"),
        Entry(f"wall: that beside {seconds:g} s before", late / early, "ratio", GROWN),
    ]


async def far_away(browser: Browser, address: str) -> tuple[float, float]:
    """Return how soon a first tile is there over a slow link with nothing kept, in ms, and the bytes that it takes."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    client = await page.context.new_cdp_session(page)
    link = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": PER_S, "uploadThroughput": PER_S}
    await client.send("Network.enable")
    await client.send("Network.emulateNetworkConditions", link)
    await page.goto(f"{address}/", wait_until="commit")
    painted: float = await page.evaluate(FIRST_TILE)
    loaded: float = await page.evaluate(LOADED)
    await page.context.close()
    return painted, loaded


async def heap(page: Page) -> float:
    """Return the bytes of a page's heap after a collection."""
    client = await page.context.new_cdp_session(page)
    await client.send("HeapProfiler.collectGarbage")
    used: float = (await client.send("Runtime.getHeapUsage"))["usedSize"]
    return used


def entries(
    beds: int = BEDS, viewers: int = VIEWERS, seconds: float = SECONDS, *, browser: bool = False
) -> list[Entry]:
    """Start everything, measure, stop everything."""
    broker, port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="wall-") as folder, ExitStack() as parts:
        place = Path(folder)
        (place / "mosquitto.conf").write_text(f"listener {broker} 127.0.0.1\nallow_anonymous true\n")
        (place / "ward.toml").write_text(
            f'simulated = true\n[site]\nsite = "{SITE}"\ngateway = "{GATEWAY}"\ndata = "{folder}"\n'
            f"[broker]\nembedded = false\nport = {broker}\n[dashboard]\nport = {port}\n"
        )
        start(parts, place, ["/usr/sbin/mosquitto", "-c", str(place / "mosquitto.conf")])
        server = start(parts, place, [sys.executable, "-m", "gateway", "dashboard", str(place / "ward.toml")])
        time.sleep(1.0)  # of the broker, which has no sign of life of its own
        start(parts, place, [sys.executable, "-m", "benchmarks.wall", "--publish", str(broker), "--beds", str(beds)])
        return asyncio.run(_measured(server.pid, f"http://127.0.0.1:{port}", viewers, seconds, browser=browser))


async def _measured(pid: int, address: str, viewers: int, seconds: float, *, browser: bool) -> list[Entry]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(f"{address}/api/status") as answer:
                    if (await answer.json())["slots"]:
                        break
            await asyncio.sleep(0.2)
    found = await measure(pid, address, viewers, seconds)
    return [*found, *(await open_page(address, seconds))] if browser else found


def start(parts: ExitStack, folder: Path, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one."""
    log = parts.enter_context((folder / f"{len(list(folder.iterdir()))}.log").open("wb"))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)  # noqa: S603 - ours
    parts.callback(process.wait)
    parts.callback(process.terminate)
    return process


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wall", description=__doc__)
    parser.add_argument("--beds", type=int, default=BEDS)
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(options.publish, options.beds)
        return
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{options.beds} beds, {options.viewers} viewers, {options.seconds:g} s, load before {load}", flush=True)
    found = entries(options.beds, options.viewers, options.seconds, browser=options.browser)
    show(found)
    raise SystemExit(not all(entry.ok for entry in found))


if __name__ == "__main__":
    main()
