"""What is asked of systemd: by a program of its name that notes what it was called with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.installation import services
from gateway.installation.services import Systemd, wait_running

SYSTEMCTL = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$1" in
  restart) sleep 600 ;;  # as for a unit of Type=notify that never becomes ready
  show) cat {folder}/show ;;
  list-units) cat {folder}/units ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL.format(folder=tmp_path))
    program.chmod(0o755)
    (tmp_path / "show").write_text(
        "ActiveState=activating\nSubState=start\nResult=success\nNRestarts=2\n"
        "StatusText=starting: opening the outbox, 45 s\n"
    )
    (tmp_path / "units").write_text("rehab-gateway@run.service loaded activating start Rehabilitation gateway: run\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(services, "SYSTEMD", tmp_path)
    monkeypatch.setattr(services, "LOOK_S", 0.05)
    monkeypatch.setattr(services, "SAY_EVERY_S", 0.1)
    return tmp_path


def test_a_version_that_never_gets_ready_holds_nobody_up_and_how_it_is_is_seen(systemctl: Path) -> None:
    began = time.monotonic()
    Systemd().restart(["run", "historian"])
    assert time.monotonic() - began < 20
    units = "rehab-gateway@run.service rehab-gateway@historian.service"
    assert (systemctl / "calls").read_text().splitlines() == [
        f"stop {units}", f"reset-failed {units}", f"start --no-block {units}"
    ]  # fmt: skip
    said: list[str] = []
    why = wait_running(Systemd(), ["run"], 1.0, said.append)
    assert why == (
        'run does not run: activating (start), started again 2 times, it says "starting: opening the outbox, 45 s"'
    )
    assert said[0].endswith(f"of 1 s: {why}")
    (systemctl / "units").write_text("rehab-gateway@run.service loaded active running Rehabilitation gateway: run\n")
    assert wait_running(Systemd(), ["run"], 1.0, said.append) == ""
