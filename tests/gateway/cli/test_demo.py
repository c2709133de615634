"""A demo of a middling ward: every device of it streams, and its measurements reach the history."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.demo import Flow, demo
from gateway.cli.pace import SLOWEST, slower
from gateway.history.reader import HistoryReader
from gateway.wire.topics import Topics
from tests.servers import free_port, wait_until

BEDS, DEVICES = 12, 61
READY_S = 120.0  # a machine under load, on which the kernels were never compiled
STREAMING_S = 240.0


@pytest.mark.parametrize(("p95", "speed"), [(None, 1.0), (90, 1.0), (900, 0.1)])
def test_a_step_of_slow_time_takes_longer_and_is_not_behind(p95: float | None, speed: float) -> None:
    flow = Flow(Topics("demo", "demo"), status={"pipeline": {"latency_ms": {"p95": p95}}})
    assert not flow.is_behind(speed)


@pytest.mark.parametrize(("p95", "speed"), [(300, 1.0), (900, 0.35), (2500, 0.1)])
def test_a_computer_that_does_not_keep_up_is_reported(p95: float, speed: float) -> None:
    flow = Flow(Topics("demo", "demo"), status={"pipeline": {"latency_ms": {"p95": p95}}})
    assert flow.is_behind(speed)
    assert slower(speed) < speed or speed == SLOWEST


def test_a_configuration_that_no_demo_wrote_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.toml").write_text("[site]\n")
    assert demo(for_s=1, beds=1, port=free_port(), data=tmp_path) == 2
    assert "no demo wrote it: name another folder with --data" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "demo.toml").read_text() == "[site]\n"


@pytest.mark.broker
@pytest.mark.timeout(READY_S + STREAMING_S + 60)
def test_all_of_twelve_beds_stream_and_are_stored(tmp_path: Path) -> None:
    printed, data = tmp_path / "printed", tmp_path / "data"
    command = [
        sys.executable,
        "-m",
        "gateway",
        "demo",
        "--beds",
        str(BEDS),
        "--port",
        str(free_port()),
        "--data",
        str(data),
    ]
    with printed.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "COLUMNS": "200"})
    try:
        wait_until(lambda: b"Open http" in printed.read_bytes() or child.poll() is not None, READY_S)
        wait_until(
            lambda: f"devices {DEVICES}/{DEVICES}" in printed.read_text() or child.poll() is not None, STREAMING_S
        )
        assert child.poll() is None, printed.read_text()[-500:]
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)
    assert re.search(rf"{DEVICES} devices, [1-9]\d* samples received", printed.read_text())
    with closing(HistoryReader(data / "history.db")) as history:
        assert len({row.measurement.slot for row in history.stored()}) == BEDS
