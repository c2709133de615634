"""Where the pictures are taken: a demo, a clinic with users, a ward of years and many beds, and a set-up."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import orjson

from config.loader import load
from gateway.fleet.topics import FleetTopics
from gateway.installation.setup import set_up
from gateway.installation.setup_files import Place
from gateway.installation.setup_web import serve_setup
from gateway.wire.topics import Topics
from tests.gateway.dashboard.clinic import clinic
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Strapped, Walker, notice
from tests.gateway.results.clinic import DAY_S, FULL, SUBJECT, Clinic
from tests.gateway.samples import START_US
from tests.servers import dashboard_of, free_port, mosquitto_in, wait_until

BEDS, MANY_BEDS = 3, 70
READY_S = 240.0  # where the kernels are not compiled yet
WEEKS = 10
SITE = "screens"


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """Run a demo of three beds; nobody is signed in."""
    port, said = free_port(), folder / "demo.txt"
    with said.open("wb") as printed:
        command = [sys.executable, "-m", "gateway", "demo", "--beds", str(BEDS), "--port", str(port)]
        child = subprocess.Popen(command, stdout=printed, stderr=printed)
        try:
            wait_until(lambda: b"Open http" in said.read_bytes() or child.poll() is not None, READY_S)
            if child.poll() is not None:
                raise RuntimeError(said.read_text("utf-8"))
            yield f"http://127.0.0.1:{port}/"
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(60)


@contextmanager
def clinic_with_users(folder: Path) -> Iterator[str]:
    """Run a simulated patient who walks ten metres again and again, in a ward that has users of every role."""
    with ExitStack() as parts:
        broker = parts.enter_context(mosquitto_in(folder / "broker"))
        ward = parts.enter_context(clinic(folder, broker.port, site=SITE, speed=1.0, only=("10mwt",)))
        server = parts.enter_context(dashboard_of(folder / "ward.toml", ward.settings.dashboard.port))
        yield f"http://127.0.0.1:{server.port}/"


@contextmanager
def large_ward(folder: Path) -> Iterator[str]:
    """Run a dashboard of seventy beds in a fleet, with a history of ten weeks of one patient."""
    port = free_port()
    write_weeks(folder / "data")
    with ExitStack() as parts:
        broker = parts.enter_context(mosquitto_in(folder / "broker"))
        config = folder / "ward.toml"
        config.write_text(
            f'simulated = true\n[site]\nsite = "{SITE}"\ndata = "{folder}/data"\n[broker]\nembedded = false\n'
            f'port = {broker.port}\n[dashboard]\nport = {port}\ngateways = ["*"]\nfleet = true\n'
        )
        settings = load(config)
        people = [Strapped(n) if n == 1 else Walker(n) for n in range(1, MANY_BEDS + 1)]
        topics = Topics(SITE, settings.site.gateway)
        ward = parts.enter_context(SimulatedGateway(broker.port, people, topics=topics))
        ward.silent = {"bay-12", "bay-40"}
        ward.notices = [
            notice("battery-low/bay-3-chest", "The battery of bay-3-chest is at 12 %", slot="bay-3",
                   device="bay-3-chest", advice="Charge it, or put on another.", since_us=time.time_ns() // 1000)
        ]  # fmt: skip
        parts.enter_context(dashboard_of(config, port))
        stop = threading.Event()
        telling = threading.Thread(target=_tell_of_fleet, args=(ward, stop))
        telling.start()
        parts.callback(telling.join)
        parts.callback(stop.set)
        yield f"http://127.0.0.1:{port}/"


def _tell_of_fleet(ward: SimulatedGateway, stop: threading.Event) -> None:
    """Say every second, as a fleet's desk does, who is in the fleet and how its roll-out goes."""
    topics, now_us = FleetTopics(SITE), time.time_ns() // 1000
    member = {"ring": "first", "joined_us": now_us - 30 * 86_400 * 10**6, "revoked_us": None, "why": ""}
    members = [
        {"gateway": "gateway-1", **member}, {"gateway": "ward-7", **member, "ring": "all"},
        {"gateway": "ward-9", **member, "revoked_us": now_us, "why": "stolen"},
    ]  # fmt: skip
    roll_out = {"id": 1, "kind": "upgrade", "version": "1.1.0", "state": "open", "why": "", "open": 1,
                "rings": [{"name": "first"}, {"name": "all"}]}  # fmt: skip
    done = {"bundle": "1.1.0", "outcome": "committed", "why": "", "last_refusal": ""}
    while not stop.wait(1.0):
        ward.shout(topics.overview, orjson.dumps({"members": members, "invitations": [], "roll_out": roll_out}))
        ward.shout(topics.state("gateway-1"), orjson.dumps(done))


def write_weeks(folder: Path) -> str:
    """Write a history of ten weeks in which somebody walks faster each week; return the last test's session."""
    folder.mkdir()
    ward = Clinic(folder, simulated=True)
    last = int((time.time() - START_US / 1e6) / DAY_S) - 1
    first = last - 7 * WEEKS
    ward.gateway.do(first * DAY_S, "plan", subject=SUBJECT, bands="stroke-chronic", sessions_a_week=2)
    for week in range(WEEKS):
        day = first + 7 * week
        ward.test(day, 0.52 + 0.04 * week - 0.03 * (week % 3 == 2))
        if week not in {4, 5}:
            ward.walk(day + 2, 84.0 + 1.6 * week, minutes=6)
    for day, quarters in ((last - 9, FULL), (last - 8, FULL), (last - 2, 6)):
        ward.wear(day, quarters)
    session = ward.begin(last)
    for trial, speed in enumerate((0.91, 0.94, 0.93)):
        ward.give(last, "tmwt10_speed", speed, second=30 + 40 * trial)
        ward.give(last, "tmwt10_time", 10.0 / speed, second=30 + 40 * trial, unit="s")
    for second in range(10, 300, 10):
        ward.give(last, "cadence", 98.0 + second % 70 / 10, side="both", second=second, unit="{steps}/min",
                  algorithm="gait/3", quality="degraded" if second == 150 else "ok")  # fmt: skip
    ward.end(last)
    ward.store()
    return session


@contextmanager
def set_up_in_browser(folder: Path) -> Iterator[tuple[str, str]]:
    """Serve the set-up of a new ward; yield its address and the code that opens it."""
    place, port, said = Place(folder / "etc", folder / "data", None), free_port(), list[str]()

    loop = asyncio.new_event_loop()
    carry_out = partial(set_up, place=place, load=load, say=said.append)
    serving = loop.create_task(serve_setup("127.0.0.1", port, carry_out=carry_out, say=said.append))

    def serve() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        wait_until(lambda: any("The code" in words for words in said), READY_S)
        code = next(found[1] for words in said if (found := re.search(r"The code.*: (\S+)$", words)))
        yield f"https://127.0.0.1:{port}/", code
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()
