"""Log lines to a hospital's collector: a real rsyslog with the file that we ship, over TLS to one of the test."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.servers import READY_S, missing, wait_until

SHIPPED = Path(__file__).parents[2] / "config/deploy/rsyslog.conf"
FRAME = re.compile(rb"(\d+) <(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) ")
"""Of RFC 5425 a length, of RFC 5424 the header: priority, version, time, host, program, process, message id, data."""
DAEMON = 3
"""Facility of a service (RFC 5424, table 1)."""


class Collector:
    """Hears one connection after the other over TLS.

    Attributes:
        heard: What came.
        ended: Connections that are over: ended in good order, or for want of trust.
    """

    def __init__(self, authority: Authority) -> None:
        certificate, key = authority.issue("localhost", server=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        # As "localhost" is here: rsyslog from 8.2504 on tries the first of its addresses alone.
        family, *_, (host, *_) = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)[0]
        self._server = socket.create_server((host, 0), family=family)
        self.port = self._server.getsockname()[1]
        self.heard = b""
        self.ended = 0
        self._thread = threading.Thread(target=self._serve, name="collector", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._server.accept()
            except OSError:
                return
            with (
                contextlib.closing(plain), contextlib.suppress(OSError),
                self._context.wrap_socket(plain, server_side=True) as connection,
            ):  # fmt: skip
                while data := connection.recv(4096):
                    self.heard += data
            self.ended += 1

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    made = Collector(Authority(tmp_path / "authority"))
    yield made
    made.close()


@contextlib.contextmanager
def rsyslog(folder: Path, collector: Collector, authority: Path) -> Iterator[Path]:
    """A real rsyslog on a socket of its own, with our file but for the collector's name, port and authority."""
    program = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or not list(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so")):
        missing("rsyslog with rsyslog-gnutls")
    log, config = folder / "log", folder / "rsyslog.conf"
    text = SHIPPED.read_text("utf-8").replace("logs.hospital.example", "localhost").replace("6514", str(collector.port))
    config.write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{log}")\n' + text.replace("/etc/ssl/certs/ca-certificates.crt", str(authority))
    )
    child = subprocess.Popen([str(program), "-n", "-f", config, "-i", folder / "pid"], stderr=subprocess.DEVNULL)
    try:
        wait_until(log.exists, READY_S)
        yield log
    finally:
        child.terminate()
        child.wait(READY_S)


def say(log: Path, program: str, priority: int, text: str) -> None:
    """Send a line as journald hands it on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        stamp = time.strftime("%b %e %H:%M:%S")
        sender.sendto(f"<{DAEMON * 8 + priority}>{stamp} {program}[12]: {text}".encode(), str(log))


def test_our_lines_arrive_with_their_level_and_nobody_else_s(tmp_path: Path, collector: Collector) -> None:
    with rsyslog(tmp_path, collector, tmp_path / "authority" / "ca.pem") as log:
        say(log, "another-program", 4, "not for the collector")
        say(log, "rehab-gateway", 4, "gateway.run.work: notice raised: dot-1 is not connected")
        say(log, "rehab-gateway", 6, "gateway.run.run: ready")
        wait_until(lambda: b"ready" in collector.heard, READY_S)
    found = [(int(of[2]), of[5].decode()) for of in FRAME.finditer(collector.heard)]
    assert found == [(DAEMON * 8 + 4, "rehab-gateway"), (DAEMON * 8 + 6, "rehab-gateway")]
    assert b"not for the collector" not in collector.heard


def test_a_collector_that_is_not_who_it_says_hears_nothing(tmp_path: Path, collector: Collector) -> None:
    with rsyslog(tmp_path, collector, Authority(tmp_path / "other").path) as log:
        say(log, "rehab-gateway", 4, "gateway.run.work: notice raised")
        wait_until(lambda: collector.ended, READY_S)
    assert b"notice" not in collector.heard
