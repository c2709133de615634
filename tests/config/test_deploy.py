"""The deployment files fit the programs that they start."""

from __future__ import annotations

import configparser
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from gateway.cli.ending import USAGE
from gateway.cli.main import app
from gateway.machine.newer_file import NEWER

DEPLOY = Path(__file__).parents[2] / "config/deploy"


class Unit(configparser.RawConfigParser):
    """A file of systemd, whose keys have capitals."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def test_the_service_starts_commands_that_exist_and_gives_up_on_a_wrong_configuration() -> None:
    unit = Unit(strict=False)
    unit.read(DEPLOY / "rehab-gateway@.service", "utf-8")
    program, instance, configuration = unit["Service"]["ExecStart"].split()
    assert (Path(program).name, instance, Path(configuration).suffix) == ("rehab-gateway", "%i", ".toml")
    assert unit["Service"]["RestartPreventExitStatus"] == f"{USAGE} {NEWER}"
    assert int(unit["Service"]["Nice"]) < 0  # nothing else of this computer keeps a step or a page waiting
    commands = {info.name or getattr(info.callback, "__name__", "") for info in app.registered_commands}
    readme = (DEPLOY / "README.md").read_text("utf-8")
    enabled = set(re.findall(r"rehab-gateway@([a-z]+)", readme))
    assert enabled == {"run", "historian", "dashboard"}
    assert enabled <= commands


def test_systemd_takes_the_unit_with_its_watchdog(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    unit = (DEPLOY / "rehab-gateway@.service").read_text("utf-8")
    for name in ("run", "historian"):  # systemd checks that the program is there, which it is on a target
        text = re.sub(r"ExecStart=\S+ %i", f"ExecStart=/bin/true {name}", unit).replace("file:/opt", "file:/usr")
        (tmp_path / f"rehab-gateway@{name}.service").write_text(text, "utf-8")
    finishing = (DEPLOY / "rehab-gateway-upgrade.service").read_text("utf-8")
    text = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", finishing).replace("file:/opt", "file:/usr")
    (tmp_path / "rehab-gateway-upgrade.service").write_text(text, "utf-8")
    shutil.copytree(DEPLOY / "rehab-gateway@run.service.d", tmp_path / "rehab-gateway@run.service.d")
    units = [str(tmp_path / f"rehab-gateway{name}.service") for name in ("@run", "-upgrade")]
    done = subprocess.run(
        [analyze, "verify", "--man=no", *units],
        capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "rehab-gateway" not in done.stderr, done.stderr
    watchdog = Unit(strict=False)
    watchdog.read(DEPLOY / "rehab-gateway@run.service.d/watchdog.conf", "utf-8")
    assert (watchdog["Service"]["Type"], watchdog["Service"]["WatchdogSec"]) == ("notify", "30")


@pytest.mark.broker
def test_a_real_mosquitto_takes_our_settings(tmp_path: Path) -> None:
    mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if mosquitto is None:
        pytest.skip("needs mosquitto: apt install mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    written = (DEPLOY / "mosquitto.conf").read_text("utf-8")
    assert "listener 1883 127.0.0.1\n" in written
    path = tmp_path / "mosquitto.conf"
    path.write_text(written.replace("listener 1883 ", f"listener {port} "), "utf-8")
    broker = subprocess.Popen([mosquitto, "-c", str(path)], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not _accepts(port):
            assert broker.poll() is None, broker.communicate()[1]
            assert time.monotonic() < deadline
    finally:
        broker.terminate()
        log = broker.communicate(timeout=30)[1]
    assert "Error" not in log
    assert "recommended" not in log  # no setting that this version calls old


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
