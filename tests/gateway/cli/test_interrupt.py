"""Ctrl-C in a terminal goes to the whole process group: everything ends, in order, quickly, without an error line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import free_port, wait_until

LONG_S = 120.0  # where kernels have to be compiled first
ENDS_S = 20.0
ORDERLY, INTERRUPTED = 0, 130
WRONG = re.compile(r"Traceback|ERROR|CRITICAL|defect|Exception|KeyboardInterrupt|Aborted")
WARD = """\
[site]
data = "{folder}/data"
[broker]
port = {port}
[dashboard]
port = {dashboard}
[[slot]]
id = "bay-1"
subject = "p-1"
[[slot.device]]
id = "strap"
driver = "heart_rate"
placement = "chest"
address = "02:48:52:00:02:00"
"""


@contextmanager
def command(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A command as a shell starts it: leader of a process group, its words in a file."""
    log = folder / "said"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments], stdout=output, stderr=output, process_group=0,
            cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        yield process, log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def of(folder: Path) -> list[str]:
    """Return the command lines of the processes that still have to do with a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def child_of(folder: Path, command: str) -> int:
    """Return the process of a command of the demo; 0 where it has not begun."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[2:5] == [b"gateway", command.encode(), bytes(folder / "data" / "demo.toml")]:
            return int(path.parent.name)
    return 0


def end(process: subprocess.Popen[bytes], log: Path) -> str:
    """Press Ctrl-C; return what was said after it."""
    before = log.stat().st_size
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    assert process.wait(LONG_S) in {ORDERLY, INTERRUPTED}
    assert time.monotonic() - began < ENDS_S
    wait_until(lambda: not of(log.parent), ENDS_S)
    return log.read_bytes()[before:].decode("utf-8")


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text(WARD.format(folder=tmp_path, port=free_port(), dashboard=free_port()), "utf-8")
    return path


@pytest.mark.timeout(2 * LONG_S)
@pytest.mark.parametrize(
    ("name", "ready"),
    [("run", "strap searching"), ("historian", "no MQTT connection"), ("dashboard", "The dashboard is at")],
)
def test_a_part_ends(ward: Path, name: str, ready: str) -> None:
    with command(ward.parent, name, str(ward)) as (process, log):
        wait_until(lambda: ready in log.read_text("utf-8"), LONG_S)
        assert not WRONG.search(end(process, log))


def test_simulators_end(tmp_path: Path) -> None:
    where = ("--beds", "1", "--socket", str(tmp_path / "radio"), "--ports", str(tmp_path / "ports"))
    with command(tmp_path, "simulate", "ward", *where) as (process, log):
        wait_until(lambda: '"ready"' in log.read_text("utf-8"), LONG_S)
        assert not WRONG.search(end(process, log))


@pytest.mark.slow
@pytest.mark.timeout(3 * LONG_S)
@pytest.mark.parametrize("ready", ["Preparing", "  1 s  devices"])
def test_the_demo_ends_with_all_its_children(tmp_path: Path, ready: str) -> None:
    """While it starts, and while it runs: neither a broker started again, nor a child that is left, nor a wait."""
    data = str(tmp_path / "data")
    with command(tmp_path, "demo", "--beds", "1", "--port", str(free_port()), "--data", data) as (process, log):
        wait_until(lambda: ready in log.read_text("utf-8"), 2 * LONG_S)
        after = end(process, log)
    assert not WRONG.search(after)
    assert "Stopping" in after
    for log in (tmp_path / "data").glob("*.log"):
        assert not WRONG.search(log.read_text("utf-8")), log.name


@pytest.mark.slow
@pytest.mark.timeout(3 * LONG_S)
def test_a_child_that_the_same_key_ended_is_no_failure_of_the_demo(tmp_path: Path) -> None:
    """Between fork and exec a child is in the terminal's group still: nine of sixty Ctrl-C there were "run ended"."""
    data = str(tmp_path / "data")
    with command(tmp_path, "demo", "--beds", "1", "--port", str(free_port()), "--data", data) as (process, log):
        wait_until(lambda: child_of(tmp_path, "run"), 2 * LONG_S)
        process.send_signal(signal.SIGSTOP)
        os.kill(child_of(tmp_path, "run"), signal.SIGKILL)
        os.killpg(process.pid, signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        assert process.wait(ENDS_S) == INTERRUPTED
        assert "ended with status" not in log.read_text("utf-8")
