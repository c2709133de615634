"""``rehab-gateway run`` with its own broker in trouble: what is measured is on disk, and it says what is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import orjson
import pytest

from config.loader import load
from gateway.analysis.warm_up import warm_up
from gateway.broker.embedded import find_mosquitto
from gateway.cli.status import Listener, concerns
from simulators.devices.heart_rate import HeartRateStrap
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.servers import free_port, missing, wait_until
from tests.simulators.helpers import Metronome, on_air

COLD_S = 600.0
START_S = 120.0  # a process that loads all kernels, on a busy machine
pytestmark = [pytest.mark.broker, pytest.mark.timeout(COLD_S)]
STRAP = "02:48:52:00:01:00"


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    warm_up()


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """Return a program named mosquitto that a test may replace; at first it cannot be loaded."""
    if find_mosquitto() is None:
        missing("mosquitto")
    program = tmp_path / "bin" / "mosquitto"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'error while loading shared libraries: libx.so' >&2\nexit 127\n")
    program.chmod(0o755)
    return program


def configuration(folder: Path, port: int, metrics: int) -> Path:
    path = folder / "ward.toml"
    path.write_text(
        f"simulated = true\n[radio]\nname = 'simulated'\nsocket = '{folder}/radio'\n[broker]\nport = {port}\n"
        f"[prometheus]\nport = {metrics}\n[[slot]]\nid = 'bay-1'\nsubject = 'p-1'\n"
        f"[[slot.device]]\nid = 'strap'\ndriver = 'heart_rate'\nplacement = 'chest'\naddress = '{STRAP}'\n",
        "utf-8",
    )
    return path


@asynccontextmanager
async def measuring(path: Path, fake: Path | None) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run a gateway with a strap on the air, and end it in order."""
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome(0.5))
    found = os.environ["PATH"]
    async with on_air(hub, path.parent / "radio", strap):
        with (path.parent / "run.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - it is only started here
                [sys.executable, "-m", "gateway", "run", str(path)],
                stdout=log, stderr=log, env=os.environ | {"PATH": f"{fake.parent}:{found}" if fake else found},
            )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


async def until(condition: Callable[[], object]) -> None:
    import asyncio

    await asyncio.to_thread(wait_until, condition, START_S)


def on_disk(folder: Path) -> int:
    """Return how many numbers the outbox has given."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/var/outbox.db?mode=ro", uri=True)) as db, db:
            return int(db.execute("SELECT last_seq FROM state").fetchone()[0])
    except sqlite3.Error:
        return 0


def scrape(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


async def test_a_broker_that_cannot_start_costs_no_measurement(tmp_path: Path, fake: Path) -> None:
    metrics = free_port()
    path = configuration(tmp_path, free_port(), metrics)
    async with measuring(path, fake) as process:
        await until(lambda: on_disk(tmp_path) > 20)
        await until(lambda: "rehab_gateway_up 1.0" in scrape(metrics))
        await until(
            lambda: "notice raised: The message broker cannot be reached: mosquitto ended at once" in log_of(path)
        )
        assert "libx.so" in log_of(path)
        settings = load(path)
        listener = Listener(settings)
        listener.start()
        assert (
            "The embedded broker cannot be reached: mosquitto ended at once" in concerns(listener.wait(), settings)[0]
        )
        # It is mended while it runs: everything goes out.
        real = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        mended = fake.with_suffix(".new")
        mended.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
        mended.chmod(0o755)
        mended.replace(fake)
        await until(lambda: listener.heard.status.get("publisher", {}).get("connected"))
        await until(lambda: "notice cleared: The message broker cannot be reached" in log_of(path))
        listener.stop()
        assert process.poll() is None


async def test_taken_ports_are_nobodys_end(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        missing("mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as broker, socket.create_server(("127.0.0.1", 0)) as metrics:
        path = configuration(tmp_path, broker.getsockname()[1], metrics.getsockname()[1])
        async with measuring(path, None) as process:
            listener = Listener(load(path))
            listener.start()
            await until(lambda: listener.heard.status.get("publisher", {}).get("sent", 0) > 20)
            assert process.poll() is None
            # The broker is killed, and comes again.
            door = orjson.loads((tmp_path / "var/broker/door.json").read_bytes())
            os.kill(door["pid"], signal.SIGKILL)
            before = on_disk(tmp_path)
            await until(lambda: on_disk(tmp_path) > before + 10)
            sent = listener.heard.status["publisher"]["sent"]
            await until(lambda: listener.heard.status["publisher"]["sent"] > sent + 10)
            listener.stop()
            port = metrics.getsockname()[1]
            assert f"no metrics on port {port}" in log_of(path)
            metrics.close()
            await until(lambda: "rehab_gateway_up 1.0" in scrape(port))


def log_of(path: Path) -> str:
    return (path.parent / "run.log").read_text("utf-8", "replace")
