"""Real servers for tests: broker, stores and dashboard as child processes on loopback ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.broker.embedded import find_mosquitto

READY_S = 30.0
POSTGRESQL = Path("/usr/lib/postgresql")
"""Where Debian's packages put each version's programs."""
PASSWORD = "of-the-tests"  # noqa: S105 - of a server that lives for a test
INFLUXD = shutil.which("influxd") or "/usr/bin/influxd"
PROMETHEUS = str(Path(shutil.which("promtool") or "/usr/bin/promtool").with_name("prometheus"))
"""Of Debian's package of that name, as promtool."""
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


def retained(port: int, *filters: str) -> dict[str, bytes]:
    """Return what a broker on loopback keeps of some topics."""
    found: dict[str, bytes] = {}
    ended = threading.Event()

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        if message.retain:
            found[message.topic] = bytes(message.payload)

    def subscribed(*_: Any) -> None:
        client.publish("tests/end", b"x", qos=1)

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = note
    client.on_subscribe = subscribed
    client.on_publish = lambda *_: ended.set()  # what is retained came with the subscription, before this
    client.connect("127.0.0.1", port)
    client.subscribe([(topic, 1) for topic in filters])
    client.loop_start()
    assert ended.wait(READY_S)
    leave_broker(client)
    client.on_subscribe = client.on_publish = None
    return found


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

    def __init__(self, port: int, command: list[str], *, user: str | None = None) -> None:
        self.port = port
        self.command = command
        self.user = user
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.user
        )
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
def dashboard_of(config: Path, port: int) -> Iterator[Child]:
    """A dashboard of a ward's file, which names the port."""
    child = Child(port, [sys.executable, "-m", "gateway", "dashboard", str(config)])
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


class PostgreSql(Child):
    """A real PostgreSQL with one database, ``rehab``, of a user of that name."""

    def __init__(self, folder: Path, *, user: str | None, tls: tuple[Path, Path] | None) -> None:
        programs = max(POSTGRESQL.glob("*/bin"))
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD)
        data = folder / "data"
        self._psql = [str(programs / "psql"), "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"]
        files = [Path(shutil.copy(path, folder)) for path in tls or ()]
        if user is not None:
            for path in (folder, self.password_file, *files):
                shutil.chown(path, user)
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "rehab", "-A", "scram-sha-256", "--pwfile", self.password_file,
             "--no-sync", "-E", "UTF8", "--locale=C"],
            check=True, capture_output=True, user=user,
        )  # fmt: skip
        port = free_port()
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                   "-c", f"unix_socket_directories={folder}", "-c", "shared_buffers=16MB"]  # fmt: skip
        if tls is not None:
            command += ["-c", "ssl=on", "-c", f"ssl_cert_file={files[0]}", "-c", f"ssl_key_file={files[1]}"]
        super().__init__(port, command, user=user)

    def start(self) -> None:
        """Start it and wait until it answers: while it mends what a crash left, it only listens."""
        super().start()
        wait_until(lambda: self._run("SELECT 1", "postgres").returncode == 0, READY_S)

    def sql(self, text: str, database: str = "rehab") -> list[list[str]]:
        """Have it done by psql, and return the rows as texts."""
        done = self._run(text, database)
        assert done.returncode == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines()]

    def _run(self, text: str, database: str) -> subprocess.CompletedProcess[str]:
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "rehab", "-d", database, "-c", text]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        return subprocess.run([*self._psql, *where], capture_output=True, text=True, check=False, env=environment)


@contextmanager
def postgresql(*, tls: tuple[Path, Path] | None = None) -> Iterator[PostgreSql]:
    """A real PostgreSQL with an empty database. It refuses to be root: there it runs as the user of Debian's package.

    Args:
        tls: Its certificate and key.
    """
    if not list(POSTGRESQL.glob("*/bin/postgres")):
        missing("postgresql")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:  # where its user may go in
        server = PostgreSql(Path(name), user="postgres" if os.geteuid() == 0 else None, tls=tls)
        try:
            server.sql("CREATE DATABASE rehab", "postgres")
            yield server
        finally:
            server.end(signal.SIGQUIT)  # at once


@contextmanager
def influxdb_in(folder: Path) -> Iterator[Child]:
    """A real InfluxDB 1 with a database ``rehab``."""
    if not Path(INFLUXD).exists():
        missing("influxdb")
    folder.mkdir()
    port, other = free_port(), free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{other}"\n'
        f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\n[monitor]\nstore-enabled = false\n'
    )
    child = Child(port, [INFLUXD, "run", "-config", str(config)])
    try:
        query = urllib.parse.urlencode({"q": "CREATE DATABASE rehab"})
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/query", query.encode(), timeout=READY_S):
            yield child
    finally:
        child.end()
