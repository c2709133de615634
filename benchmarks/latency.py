"""How late a ward of twenty is: from the sample that decided an event to the broker, and to a page that is open.

``python -m benchmarks.latency [--beds N] [--seconds S] [--busy N] [--json FILE]``: real processes (simulated devices on
the simulated radio, gateway, mosquitto, historian, dashboard: what ``rehab-gateway demo`` starts), and a client that
keeps the page of every patient open, and those of the ward and of the devices. Beside them other processes, one unless
told otherwise, each keep a core busy. The simulators and this client run on the same cores; nothing is subtracted for
them. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions

from benchmarks.entry import Entry, show
from config.loader import load
from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.connection import Incoming, Limits
from gateway.broker.link import Link
from gateway.cli.demo import COMPILE_S
from gateway.wire.topics import Topics
from tests.servers import free_port

BEDS, SECONDS = 20, 120.0
BUSY = 1  # cores that others keep busy
KEEP_BUSY = "while True: pass"
SETTLE_S = 20.0  # after the last device streams: caches fill, the walkers walk
TO_BROKER_MS, TO_PAGE_MS = 100.0, 150.0  # goals, 95 of 100, beyond the algorithm's own decision
EVENTS = ("initial_contact", "final_contact")
LONGEST_LINE = 1 << 20  # bytes: the whole state of a page
MICRO = 1_000_000
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Instant = tuple[str, str, str, int]
"""Slot, metric, side, UTC microseconds of an event: what a page shows of it."""


@dataclass
class Seen:
    """When what came by; UTC microseconds of this machine, which has one clock.

    Attributes:
        status: The newest status.
        arrived: When the newest sample of an event had arrived, by number: what the gateway says.
        heard: When the broker's message with it came, by number.
        shown: When a page showed it first, by instant.
        numbers: The number of each instant.
        health: The delays that the devices page shows.
    """

    status: dict[str, Any] = field(default_factory=dict)
    arrived: dict[int, int] = field(default_factory=dict)
    heard: dict[int, int] = field(default_factory=dict)
    shown: dict[Instant, int] = field(default_factory=dict)
    numbers: dict[Instant, int] = field(default_factory=dict)
    health: dict[str, dict[str, float | None]] = field(default_factory=dict)

    def message(self, topics: Topics, topic: str, payload: bytes) -> None:
        """Take a message of the broker."""
        now_us, said = time.time_ns() // 1000, orjson.loads(payload)
        if topic == topics.status:
            self.status = said
            self.arrived.update(said.get("events", {}).get("arrived_us", []))
            return
        for m in said["measurements"]:
            if m["start_us"] == m["end_us"]:
                self.heard.setdefault(m["seq"], now_us)
                self.numbers.setdefault((said["slot"], m["metric"], m["side"], m["end_us"]), m["seq"])

    def page(self, said: dict[str, Any], now_us: int) -> None:
        """Take the state of a page."""
        self.health = said.get("delays", self.health)
        slot = said.get("slot") or {"values": []}
        for value in slot["values"]:
            if value and value["metric"] in EVENTS:
                self.shown.setdefault((slot["id"], value["metric"], value["side"], value["end_us"]), now_us)

    def to_message_ms(self) -> list[float]:
        """Return the delays from sample to message."""
        return [(self.heard[seq] - at) / 1000 for seq, at in self.arrived.items() if seq in self.heard]

    def to_page_ms(self) -> list[float]:
        """Return the delays from sample to page."""
        times = ((at, self.arrived.get(self.numbers.get(instant, 0))) for instant, at in self.shown.items())
        return [(shown - arrived) / 1000 for shown, arrived in times if arrived is not None]

    def forget(self) -> None:
        """Begin anew."""
        for kept in (self.arrived, self.heard, self.shown, self.numbers):
            kept.clear()


async def follow(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    """Keep a page open."""
    async with session.get(url) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                seen.page(orjson.loads(line[6:]), time.time_ns() // 1000)


class Listener:
    """Hands what the gateway says to what was seen, on the link's thread."""

    def __init__(self, topics: Topics, seen: Seen) -> None:
        self._topics, self._seen = topics, seen

    def connected(self, connection: int, limits: Limits) -> None:
        """Nothing is to be done."""

    def lost(self, connection: int, reason: str) -> None:
        """The link connects again by itself."""

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Nothing is sent here."""

    def arrived(self, message: Incoming) -> None:
        """Take a message."""
        self._seen.message(self._topics, message.topic, message.payload)


def listen(settings: Settings, seen: Seen) -> Link:
    """Subscribe to what the gateway says, by the door that the demo's broker has."""
    topics = Topics(settings.site.site, settings.site.gateway)
    link = Link(
        broker_for(settings, "dashboard"), client_id="latency", handler=Listener(topics, seen),
        subscriptions=[(topic, SubscribeOptions(qos=1)) for topic in (topics.status, topics.measurements())],
    )  # fmt: skip
    link.start()
    return link


async def until(condition: Callable[[], bool], limit_s: float) -> None:
    """Wait for a condition; raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - conditions come from other threads
            await asyncio.sleep(0.1)


def streaming(seen: Seen) -> bool:
    """Whether all devices stream, and their movement is analysed."""
    devices = seen.status.get("devices") or []
    return bool(devices) and not seen.status.get("preparing") and all(each["state"] == "streaming" for each in devices)


def processes(parent: int) -> dict[str, int]:
    """Return what a process started, children's children included: name and process number."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid, words = int(folder.name), (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parents[pid] = int(fields_of(pid)[1])
        except (OSError, ValueError):
            continue
        names[pid] = words[3] if words[1:3] == ["-m", "gateway"] else Path(words[0]).name
    found = {"demo": parent}
    for pid, above in parents.items():
        if above == parent or parents.get(above) == parent:
            found[{"run": "gateway", "simulate": "simulators"}.get(names[pid], names[pid])] = pid
    return found


def fields_of(pid: int) -> list[str]:
    """Return what the kernel says of a process, after its name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process."""
    try:
        fields = fields_of(pid)
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def machine_s() -> float:
    """Return the processor seconds of everything on this machine that was not idle."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return (sum(map(int, words[:8])) - int(words[3]) - int(words[4])) / CLOCK_TICKS


@dataclass
class Spent:
    """Share of a core by process, and of the whole machine."""

    parts: dict[str, float]
    machine: float


async def watch(parts: dict[str, int], seconds: float) -> Spent:
    """Wait, and return what processes took meanwhile."""
    before = {name: cpu_s(pid) for name, pid in parts.items()}
    machine, begun = machine_s(), time.monotonic()
    await asyncio.sleep(seconds)
    span = time.monotonic() - begun
    return Spent({n: (cpu_s(pid) - before[n]) / span for n, pid in parts.items()}, (machine_s() - machine) / span)


@contextmanager
def busy_neighbours(cores: int) -> Iterator[None]:
    """Have other processes keep so many cores busy, with the same right to them as everybody else."""
    others = [subprocess.Popen([sys.executable, "-S", "-c", KEEP_BUSY]) for _ in range(cores)]  # noqa: S603 - ours
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


async def measure(demo: int, port: int, folder: Path, *, beds: int, seconds: float, busy: int) -> tuple[Seen, Spent]:
    """Open the pages, let the ward settle, and watch it for a while."""
    config = folder / "demo.toml"
    await until(lambda: config.exists() and "[dashboard]" in config.read_text(), COMPILE_S)
    seen, settings = Seen(), load(config)
    link = listen(settings, seen)
    try:
        await until(lambda: streaming(seen), COMPILE_S)
        base = f"http://127.0.0.1:{port}/events"
        urls = [base, f"{base}?view=devices", *(f"{base}?slot=bed-{n}" for n in range(1, beds + 1))]
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=LONGEST_LINE) as session,
            asyncio.TaskGroup() as group,
        ):
            pages = [group.create_task(follow(session, url, seen)) for url in urls]
            with busy_neighbours(busy):
                await asyncio.sleep(SETTLE_S)
                seen.forget()
                spent = await watch({**processes(demo), "this client": os.getpid()}, seconds)
            for page in pages:
                page.cancel()
    finally:
        link.stop()
    return seen, spent


def run(beds: int, seconds: float, busy: int = BUSY) -> tuple[Seen, Spent]:
    """Start everything, measure, stop everything."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        command = [sys.executable, "-m", "gateway", "demo", "--beds", str(beds), "--port", str(port), "--data", folder]
        with (Path(folder) / "demo.log").open("wb") as log:
            demo = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own module
        try:
            return asyncio.run(measure(demo.pid, port, Path(folder), beds=beds, seconds=seconds, busy=busy))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait()


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """Return median and 95th percentile."""
    if not values:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(np.array(values), [50, 95]).tolist()
    return {"p50": p50, "p95": p95}


def entries(beds: int = BEDS, seconds: float = SECONDS, busy: int = BUSY) -> list[Entry]:
    """Measure; the goals are those of the 95th percentiles at the client, while others keep so many cores busy."""
    seen, spent = run(beds, seconds, busy)
    messages, pages = seen.to_message_ms(), seen.to_page_ms()
    pipeline, health = seen.status["pipeline"], seen.health
    rows = [
        ("a step ready, as the status says", pipeline["latency_ms"], None),
        ("acknowledged by the broker, as the status says", pipeline["to_broker_ms"], None),
        (f"sample to MQTT, {len(messages)} events", quantiles(messages), TO_BROKER_MS),
        ("sample to MQTT, as the devices page says", health.get("to_message_ms", {}), TO_BROKER_MS),
        (f"event to page, {len(pages)} events", quantiles(pages), TO_PAGE_MS),
        ("event to page, as the devices page says", health.get("to_page_ms", {}), TO_PAGE_MS),
    ]
    found = [Entry("cores that others keep busy", busy, "")]
    for name, said, goal in rows:
        found.append(Entry(f"{name}, p50", float(said.get("p50") or "nan"), "ms"))
        found.append(Entry(f"{name}, p95", float(said.get("p95") or "nan"), "ms", goal))
    found += [Entry(f"processor: {name}", 100 * share, "% of one") for name, share in sorted(spent.parts.items())]
    found.append(Entry(f"processor: the whole machine of {os.cpu_count()} cores", 100 * spent.machine, "% of one"))
    lost = sum(device["lost"] for device in seen.status["devices"])
    found.append(Entry("devices that stream", sum(d["state"] == "streaming" for d in seen.status["devices"]), ""))
    found.append(Entry("samples a second", pipeline["samples_per_s"], "1/s"))
    found.append(Entry("samples lost on the radio, simulated", lost, ""))
    found.append(Entry("measurements a second", pipeline["measurements_per_s"], "1/s"))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--beds", type=int, default=BEDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--busy", type=int, default=BUSY, help="cores that other processes keep busy meanwhile")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    load_now = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"{options.beds} beds, {options.seconds:g} s, {os.cpu_count()} cores, {options.busy} kept busy by others, load"
        f" before {load_now}", flush=True,
    )  # fmt: skip
    found = entries(options.beds, options.seconds, options.busy)
    show(found)
    if options.json:
        rows = {e.name: {"value": e.value, "unit": e.unit, "goal": e.goal, "ok": e.ok} for e in found}
        options.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    raise SystemExit(not all(entry.ok for entry in found))


if __name__ == "__main__":
    main()
