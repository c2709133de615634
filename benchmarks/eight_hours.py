"""A shift of a wall of seventy beds, compressed: what ten screens hear in eight hours, as fast as it goes.

``python -m benchmarks.eight_hours [--hours 8] [--beds 70] [--viewers 10]``. Broker, dashboard and whoever publishes are
processes; the viewers are WebSockets, and a Chromium shows the wall. Each bed's two messages a second come as fast as
the dashboard takes them: of the last of each lot it is waited until a viewer has heard it. Memory of the server and of
the page, after a collection, is told at an eighth, a half and the end; more at the end than at the half, beyond a
bound, is growth. What is of time and not of events (a state twice a second to each viewer) is not compressed by this.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import orjson
from playwright.async_api import Page, async_playwright

from benchmarks.entry import Entry, show
from benchmarks.wall import GATEWAY, SITE, START_S, TILES_HZ, Still, heap, look, start
from gateway.wire.topics import Topics
from tests.browser import QUIET, chromium
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker
from tests.servers import accepts, free_port, wait_until

HOURS, BEDS, VIEWERS = 8.0, 70, 10
HOUR_S = 3600.0
LOT = 20  # of every bed, before it is seen that the dashboard has kept up
LOOKS = (1 / 8, 1 / 2, 1.0)
GROWN = 1.15  # of the memory at the half: more is growth
PROGRESS_S = 30.0


def resident(pid: int) -> float:
    """Return the bytes of a process in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


async def keep_up(heard: aiohttp.ClientWebSocketResponse, mark: float) -> None:
    """Wait until the dashboard tells a heart rate that was the last of a lot."""
    async with asyncio.timeout(START_S):
        async for message in heard:
            values = orjson.loads(message.data)["slot"]["values"]
            if any(one["metric"] == "heart_rate" and one["value"] == mark for one in values):
                return


async def shift(gateway: SimulatedGateway, people: list[Walker], address: str, hours: float) -> AsyncIterator[float]:
    """Publish what comes in so many hours; yield the share that is done, after each lot."""
    rounds = max(LOT, round(hours * HOUR_S * TILES_HZ))
    bed = f"{address}/events?slot={people[-1].slot}"
    async with aiohttp.ClientSession() as session, session.ws_connect(bed, max_msg_size=0) as heard:
        for done in range(LOT, rounds + 1, LOT):
            mark = 60.0 + done / rounds
            for n in range(LOT):
                now = time.time()
                for person in people:
                    found = person.means(now)
                    if n == LOT - 1:
                        found[-1]["value"] = mark
                    gateway.publish(person, found)
            await keep_up(heard, mark)
            yield done / rounds


@asynccontextmanager
async def wall(address: str) -> AsyncIterator[Page]:
    """Open the wall in a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        await page.goto(f"{address}/?kiosk&turn=5")
        await page.locator(".tile").first.wait_for()
        yield page
        await browser.close()


async def measure(pid: int, broker: int, address: str, options: argparse.Namespace) -> list[Entry]:
    """Let the shift pass; return the memory at each look."""
    people: list[Walker] = [Still(n) for n in range(1, options.beds + 1)]
    for person in people:
        person.stride_s = HOUR_S  # what comes is published here, and not by its clock
    found: list[Entry] = []
    told: list[tuple[float, float]] = []
    seen: list[int] = []
    due = time.monotonic() + PROGRESS_S
    with SimulatedGateway(broker, people, topics=Topics(SITE, GATEWAY)) as gateway:
        gateway.silent = {person.slot for person in people}  # its own clock says the status alone
        async with aiohttp.ClientSession() as session, wall(address) as page, asyncio.TaskGroup() as group:
            screens = [group.create_task(look(session, f"{address}/events", seen)) for _ in range(options.viewers)]
            async for share in shift(gateway, people, address, options.hours):
                if time.monotonic() > due:
                    due += PROGRESS_S
                    print(f"{share:.1%} of {options.hours:g} h", file=sys.stderr, flush=True)
                if len(told) < len(LOOKS) and share >= LOOKS[len(told)]:
                    told.append((resident(pid), await heap(page)))
                    at = f"at {LOOKS[len(told) - 1]:.3g} of {options.hours:g} h"
                    found.append(Entry(f"shift: server {at}", told[-1][0] / 1e6, "MB"))
                    found.append(Entry(f"shift: heap of the page {at}", told[-1][1] / 1e6, "MB"))
            for screen in screens:
                screen.cancel()
    (_, (half, half_page), (end, end_page)) = told
    return [
        *found,
        Entry("shift: states that a screen heard", len(seen) / options.viewers, ""),
        Entry("shift: server, the end beside the half", end / half, "ratio", GROWN),
        Entry("shift: page, the end beside the half", end_page / half_page, "ratio", GROWN),
    ]


def entries(options: argparse.Namespace) -> list[Entry]:
    """Start everything, let the shift pass, stop everything."""
    broker, port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="shift-") as folder, ExitStack() as parts:
        place = Path(folder)
        said = f"listener {broker} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"  # a lot is no loss
        (place / "mosquitto.conf").write_text(said)
        (place / "ward.toml").write_text(
            f'simulated = true\n[site]\nsite = "{SITE}"\ngateway = "{GATEWAY}"\ndata = "{folder}"\n'
            f"[broker]\nembedded = false\nport = {broker}\n[dashboard]\nport = {port}\n"
        )
        start(parts, place, ["/usr/sbin/mosquitto", "-c", str(place / "mosquitto.conf")])
        wait_until(partial(accepts, broker), START_S)
        server = start(parts, place, [sys.executable, "-m", "gateway", "dashboard", str(place / "ward.toml")])
        wait_until(partial(accepts, port), START_S)
        return asyncio.run(measure(server.pid, broker, f"http://127.0.0.1:{port}", options))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eight_hours", description=__doc__)
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--beds", type=int, default=BEDS)
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    options = parser.parse_args()
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{options.hours:g} h of {options.beds} beds, {options.viewers} viewers, load before {load}", flush=True)
    found = entries(options)
    show(found)
    raise SystemExit(not all(entry.ok for entry in found))


if __name__ == "__main__":
    main()
