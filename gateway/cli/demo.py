"""The whole thing on one machine with nothing configured: broker, simulated ward, gateway, historian, dashboard."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt.subscribeoptions import SubscribeOptions
from rich.text import Text

from config.loader import load
from config.plain_file import SIMULATED, may_replace
from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.door import FOLDER
from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.link import Incoming, Limits, Link
from gateway.cli.pace import affordable_speed, free_processors, is_much, slower
from gateway.cli.terminal import Terminal
from gateway.history.reader import HistoryReader
from gateway.machine.file_lock import FileLock
from gateway.machine.ownership import become_owner_of
from gateway.machine.plain_text import visible
from gateway.model.wall_correction import SLOT as CLOCK
from gateway.wire.topics import Topics

START_S = 60.0  # processes that only have to load
COMPILE_S = 900.0  # the gateway, where the kernels are compiled for the first time on a slow machine
PATIENCE_S = 5.0  # how often somebody who waits is told that it goes on
EXOSKELETONS = 1  # worn in a demo: enough to see one beside the others
EVERY_THIRD = 3  # bed has sensors on the shanks alone, and may wear one
BEHIND_S = 0.2  # of simulated time from a sample to its step, in one of twenty steps: a step has 0.05 s
BEHIND_FOR = 10  # lines of it, before it is said
STOP_S = 15.0  # what a child gets to stop in order
EXIT_NOTHING_STORED = 1
EXIT_INTERRUPTED = 130  # Ctrl-C before there was anything to store


class DemoError(Exception):
    """A part of the demo did not start or ended by itself; the message says which and why."""


class _StoppedError(Exception):
    """Somebody ended it while it was starting."""


@dataclass
class Flow:
    """What passes on the broker, as seen by a third party; a handler of ``gateway.broker.link.Link``."""

    topics: Topics
    status: dict[str, Any] = field(default_factory=dict)
    measurements: int = 0
    stored: int = 0

    def connected(self, connection: int, limits: Limits) -> None:
        """Nothing is sent."""

    def lost(self, connection: int, reason: str) -> None:
        """It connects again by itself."""

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Nothing is sent."""

    def arrived(self, message: Incoming) -> None:
        """Note one message."""
        decoded = json.loads(message.payload)
        if message.topic == self.topics.status:
            self.status = decoded
        elif message.topic == self.topics.stored:
            self.stored = decoded["stored"]
        elif message.topic != self.topics.measurements(CLOCK):  # words about the wall clock are nobody's measurements
            self.measurements += len(decoded["measurements"])

    @property
    def streaming(self) -> int:
        """Devices that stream now."""
        return sum(device["state"] == "streaming" for device in self.status.get("devices", []))

    def is_behind(self, speed: float) -> bool:
        """Return whether the gateway takes its samples late, by simulated time at this speed."""
        p95 = self.status.get("pipeline", {}).get("latency_ms", {}).get("p95")
        return p95 is not None and p95 / 1000 * speed > BEHIND_S

    def line(self, second: int, measured: int) -> str:
        """Return one line about the last second."""
        devices = self.status.get("devices", [])
        pipeline = self.status.get("pipeline", {})
        samples = sum(d["samples"] for d in devices)
        lost = sum(d["lost"] for d in devices)
        p95 = pipeline.get("latency_ms", {}).get("p95")
        return (
            f"{second:4d} s  devices {self.streaming}/{len(devices)}  "
            f"{pipeline.get('samples_per_s', 0):7.0f} samples/s  "
            f"{measured:4d} measurements/s  lost {lost} of {samples + lost}  "
            f"stored {self.stored}  latency p95 {'-' if p95 is None else f'{p95:.0f} ms'}"
        )


def demo(*, for_s: float | None, beds: int, port: int, speed: float | None = None, data: Path | None = None) -> int:
    """Run the demonstration; return the exit status.

    Args:
        for_s: Stop after so many seconds; None for "until Ctrl-C".
        beds: Simulated beds; what is worn differs (`simulators.scenes.ward`).
        port: Dashboard port on loopback.
        speed: Simulated time runs this many times as fast; None for real time, or what the computer can do of it.
        data: Folder to keep the data in; a temporary one by default.
    """
    console = Terminal()
    with tempfile.TemporaryDirectory(prefix="rehab-demo-") as temporary:
        folder = (data or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            become_owner_of(folder)
            # Before its configuration is written: a demo that runs there reads that one.
            with FileLock(folder / "demo.toml", gateway="demo"):
                return asyncio.run(_demo(console, folder, for_s=for_s, beds=beds, port=port, speed=speed))
        except _StoppedError:
            return EXIT_INTERRUPTED
        except DemoError as problem:
            console.print(Text(f"The demo stopped: {visible(problem)}", "red"))
            return 2


def _choose_speed(console: Terminal, beds: int) -> float:
    """Return the speed that this computer can do, and say so where that is not real time."""
    if not is_much(beds):
        return 1.0
    processors = free_processors()
    speed = affordable_speed(beds, processors)
    if speed < 1:
        console.print(
            f"This computer has {processors:.1f} processors free: {beds} beds are simulated at {speed:g} of real time, "
            "so measurements come that much more slowly (--speed 1 for all of it)."
        )
    return speed


async def _demo(
    console: Terminal, folder: Path, *, for_s: float | None, beds: int, port: int, speed: float | None
) -> int:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    _port_free(port)
    config = _configuration(folder)
    async with AsyncExitStack() as stack:
        console.print(f"Starting {beds} simulated beds …")
        speed = _choose_speed(console, beds) if speed is None else speed
        broker = EmbeddedBroker(folder / FOLDER)
        broker.start()
        stack.push_async_callback(broker.stop)
        ward = ["simulate", "ward", "--beds", str(beds), "--speed", str(speed), "--socket", str(folder / "radio.sock"),
                "--ports", str(folder / "ports"), "--write-config", str(config),
                "--exoskeletons", str(min(EXOSKELETONS, beds // EVERY_THIRD))]  # fmt: skip
        simulators = await stack.enter_async_context(_child("simulators", ward, folder))
        await _until(console, stop, lambda: config.exists() and (folder / "radio.sock").exists(), simulators)
        _complete(config, folder, port)
        settings = load(config)
        flow = await stack.enter_async_context(_listen(settings))
        console.print("Preparing the signal processing (the first time, the kernels are compiled) …")
        children = [simulators, *[
            await stack.enter_async_context(_child(name, [name, str(config)], folder))
            for name in ("historian", "dashboard", "run")
        ]]  # fmt: skip
        outbox = settings.site.data / "outbox.db"
        await _until(
            console, stop, lambda: flow.status or (broker.problem and outbox.exists()), children[-1], COMPILE_S
        )
        if broker.problem:
            console.print(Text(f"No broker: {broker.problem}. What is measured waits on disk."))
        address = Text.assemble("Open ", (f"http://127.0.0.1:{port}/", "bold"), "  (Ctrl-C stops everything)")
        console.print(address)
        # The minute of a demo is one with movement.
        await _until(console, stop, lambda: not flow.status.get("preparing"), children[-1], COMPILE_S)
        await _show(console, flow, children, stop, for_s=for_s, speed=settings.speed)
        status = await _summary(console, settings, flow, children)
        return EXIT_INTERRUPTED if status and stop.is_set() else status


async def _show(
    console: Terminal, flow: Flow, children: list[_Child], stop: asyncio.Event, *, for_s: float | None, speed: float
) -> None:
    second, before, behind = 0, 0, 0
    while not stop.is_set() and (for_s is None or second < for_s):
        try:
            await asyncio.wait_for(stop.wait(), 1.0)
        except TimeoutError:
            second += 1
            console.print(flow.line(second, flow.measurements - before), soft_wrap=True)
            before = flow.measurements
            behind = behind + 1 if flow.is_behind(speed) else 0
            if behind == BEHIND_FOR:
                console.print(
                    f"This computer does not keep up: data come late, and devices may be lost. Fewer beds, or --speed "
                    f"{slower(speed):g} instead of {speed:g}, are what it can do."
                )
        for child in children if not stop.is_set() else ():
            child.check()


async def _summary(console: Terminal, settings: Settings, flow: Flow, children: list[_Child]) -> int:
    """Stop the sources first, let the historian store what is under way, and count what it has."""
    console.print("Stopping …")
    status = flow.status
    simulators, historian, dashboard, gateway = children
    await asyncio.gather(gateway.stop(), dashboard.stop())  # the gateway finishes and sends what it has
    await asyncio.gather(historian.stop(), simulators.stop())  # the historian stores what it got
    history = HistoryReader(settings.history_file)
    stored = history.count()
    history.close()
    devices = status.get("devices", [])
    console.print(
        f"\n{len(devices)} devices, {sum(d['samples'] for d in devices)} samples received, "
        f"{sum(d['lost'] for d in devices)} lost on the radio and said so; "
        f"{flow.measurements} measurements published, {stored} in the history."
    )
    return 0 if stored else EXIT_NOTHING_STORED


class _Child:
    """One process of the demo; its output goes to a log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def check(self) -> None:
        """Raise DemoError if it has ended by itself."""
        if self.process.returncode is not None:
            raise DemoError(f"{self.name} ended with status {self.process.returncode}: {_last_line(self.log)}")

    async def stop(self) -> None:
        """Ask it to stop; kill it if it does not."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def _child(name: str, arguments: list[str], folder: Path) -> AsyncIterator[_Child]:
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    child = _Child(name, process, log)
    try:
        yield child
    finally:
        await child.stop()


@asynccontextmanager
async def _listen(settings: Settings) -> AsyncIterator[Flow]:
    topics = Topics(settings.site.site, settings.site.gateway)
    flow = Flow(topics)
    wanted = [(topic, SubscribeOptions()) for topic in (topics.status, topics.measurements(), topics.stored)]
    link = Link(broker_for(settings, "dashboard"), client_id="rehab-demo", handler=flow, subscriptions=wanted)
    link.start()
    try:
        yield flow
    finally:
        await asyncio.to_thread(link.stop)


async def _until(
    console: Terminal, stop: asyncio.Event, condition: Callable[[], object], child: _Child, limit_s: float = START_S
) -> None:
    began = shown = time.monotonic()
    while not condition():
        if stop.is_set():
            console.print("Stopping …")
            raise _StoppedError
        child.check()  # after it: Ctrl-C also ends a child that has not left the group of the terminal yet
        await asyncio.sleep(0.05)
        now = time.monotonic()
        if now - began > limit_s:
            raise DemoError(f"{child.name} did not start within {limit_s:g} s: {_last_line(child.log)}")
        if now - shown > PATIENCE_S:
            shown = now
            console.print(f"  … {now - began:.0f} s  {_last_words(child.log)}", soft_wrap=True)


def _configuration(folder: Path) -> Path:
    """Return where the simulators write theirs; raises DemoError where something else would be lost."""
    config = folder / "demo.toml"
    if not may_replace(config, SIMULATED):
        raise DemoError(f"{config} is there, and no demo wrote it: name another folder with --data")
    return config


def _complete(config: Path, folder: Path, dashboard_port: int) -> None:
    """Add to the simulators' configuration what the other processes need."""
    with config.open("a", encoding="utf-8") as file:
        file.write(
            f'\n[site]\nsite = "demo"\ngateway = "demo"\ndata = {json.dumps(str(folder), ensure_ascii=False)}\n'
            f"\n[dashboard]\nport = {dashboard_port}\n"
        )


def _port_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as problem:
        raise DemoError(f"port {port} is taken ({problem.strerror}); choose another with --port") from None


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return visible(lines[-1]) if lines else "it said nothing"


def _last_words(log: Path) -> str:
    """Return what a child said last, without the time and the name before it."""
    return re.sub(r"^.* INFO +[\w.]+: ", "", _last_line(log)) if log.stat().st_size else ""
