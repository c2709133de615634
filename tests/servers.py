"""Real servers for tests: a broker and a time-series store as child processes on free loopback ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client

from gateway.broker.embedded import find_mosquitto

READY_S = 30.0
VICTORIA_METRICS = shutil.which("victoria-metrics") or "/usr/bin/victoria-metrics"


def free_port() -> int:
    """Return a loopback port that nobody listens on at present."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Poll a condition of another process or thread; fail the test if it does not come true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def leave_broker(client: Client) -> None:
    """Disconnect a client for good, and have it hold nobody: of a circle its sockets may be collected before it.

    Python tells that as sockets left open, and counts it against whichever test runs then.
    """
    client.disconnect()
    client.loop_stop()
    client.on_message = None


def missing(what: str) -> None:
    """Skip a test for want of a program, or fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"needs {what}, which is not installed")


def accepts(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Child:
    """A server of another program; it can be killed and started again."""

    def __init__(self, port: int, command: list[str]) -> None:
        self.port = port
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: accepts(self.port), READY_S)

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal and wait for its end."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(READY_S)


@contextmanager
def mosquitto_in(folder: Path) -> Iterator[Child]:
    """A real mosquitto with Debian's defaults but for the queue length: what a PUBACK promises is lost by a kill."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto")
    assert program
    folder.mkdir()
    port = free_port()
    config = folder / "mosquitto.conf"
    user = Path("/proc/self").owner()
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {user}\npersistence true\n"
        f"persistence_location {folder}/\nmax_queued_messages 0\n"
    )
    child = Child(port, [program, "-c", str(config)])
    try:
        yield child
    finally:
        child.end()


@contextmanager
def victoria_metrics_in(folder: Path) -> Iterator[Child]:
    """A real VictoriaMetrics with an empty store."""
    if not Path(VICTORIA_METRICS).exists():
        missing("victoria-metrics")
    port = free_port()
    child = Child(
        port,
        [VICTORIA_METRICS, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}",
         "-retentionPeriod=100y", "-memory.allowedBytes=128MB"],
    )  # fmt: skip
    try:
        yield child
    finally:
        child.end()
