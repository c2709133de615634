"""Commands that are typed on a gateway of a fleet ask 'run', and do not take its connection from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.broker.certificates import COMMAND_FILE, common_name
from gateway.fleet.member_folder import FOLDER
from tests.gateway.fleet.hospital import Hospital
from tests.gateway.fleet.real_gateway import RealGateway
from tests.servers import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

WITHIN_S = 60.0


def typed(config: Path, *words: str) -> tuple[int, str]:
    """Type a command on a gateway; return its exit status and what it said."""
    command = [sys.executable, "-m", "gateway", words[0], *words[1:2], str(config), *words[2:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    return done.returncode, done.stdout + done.stderr


def asked(gateway: RealGateway) -> dict[str, Any]:
    """Return what 'status --json' says."""
    command = [sys.executable, "-m", "gateway", "status", "--json", str(gateway.config)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=WITHIN_S)
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def test_run_stays_connected_while_commands_ask_it(hospital: Hospital) -> None:
    gateway = RealGateway(hospital.folder / "a", "a", hospital.enrol_broker())
    gateway.join(hospital.code("a"))
    assert common_name(gateway.folder / "data" / FOLDER / COMMAND_FILE) == "a.command"
    gateway.start()
    hospital.gateways["a"] = gateway
    wait_until(lambda: asked(gateway)["fresh"], WITHIN_S)
    status, said = typed(gateway.config, "session", "start", "p-1", "free_walk")
    assert status == 0, said
    status, said = typed(gateway.config, "session", "end", "p-1")
    assert status == 0, said
    after = asked(gateway)
    assert after["fresh"]
    assert after["status"]["publisher"]["errors"].get("connection", 0) == 0
