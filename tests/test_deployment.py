"""The files of config/deploy as systemd and the kernel's packet filter read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import missing

DEPLOY = Path(__file__).parents[1] / "config/deploy"
MOST_EXPOSED = {"run": 3.5, "historian": 2.0, "dashboard": 2.0}
"""By the score of `systemd-analyze security`: below 3.5 with radio and ports, below 2 without."""


OF_THE_SYSTEM = {"target": "[Unit]\n", "service": "[Service]\nExecStart=/opt/rehab-gateway/.venv/bin/rehab-gateway\n"}
"""Units that a Debian has, and a root that a test made has not."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lay the units out as an installation does, with a program to start."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
    units = tmp_path / "etc/systemd/system"
    shutil.copytree(DEPLOY, units)
    program = tmp_path / "opt/rehab-gateway/.venv/bin/rehab-gateway"
    for path in (program, tmp_path / "usr/bin/rfcomm"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    for name in ("multi-user.target", "sysinit.target", "shutdown.target", "basic.target", "bluetooth.service"):
        (units / name).write_text(OF_THE_SYSTEM.get(name.partition(".")[2], ""))
    (units / "tmp.mount").write_text("[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n")
    return tmp_path


@pytest.mark.parametrize("service", [*(f"rehab-gateway@{of}" for of in MOST_EXPOSED), "rehab-gateway-rfcomm@0"])
def test_systemd_finds_nothing_wrong(root: Path, service: str) -> None:
    words = ["systemd-analyze", "verify", "--man=no", "--generators=no", f"--root={root}"]
    done = subprocess.run([*words, f"{service}.service"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("service", "most"), MOST_EXPOSED.items())
def test_a_service_is_closed_as_far_as_it_can_be(root: Path, service: str, most: float) -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--root={root}"]
    done = subprocess.run([*words, f"rehab-gateway@{service}.service"], capture_output=True, text=True, check=False)
    said = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert said is not None, done.stdout + done.stderr
    assert float(said[1]) < most


def test_the_users_that_services_name_are_made(tmp_path: Path) -> None:
    if shutil.which("systemd-sysusers") is None:
        missing("systemd-sysusers")
    (tmp_path / "etc").mkdir()
    users = DEPLOY.parents[1] / "installer/debian/sysusers.conf"
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(users)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = {line.partition(":")[0] for line in (tmp_path / "etc/passwd").read_text("utf-8").splitlines()}
    units = "".join(path.read_text("utf-8") for path in DEPLOY.rglob("*.service"))
    assert set(re.findall(r"^User=(\S+)", units, re.MULTILINE)) <= made


def test_only_what_reads_devices_may_open_them() -> None:
    base = (DEPLOY / "rehab-gateway@.service").read_text("utf-8")
    assert "PrivateDevices=yes" in base
    opened = [path.parent.name for path in DEPLOY.rglob("*.conf") if "DeviceAllow" in path.read_text("utf-8")]
    assert opened == ["rehab-gateway@run.service.d"]


@pytest.fixture
def neighbours() -> Iterator[tuple[str, str]]:
    """Two computers on one cable: a gateway with the rules, and a tablet of the ward."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for network namespaces of its own")
    if shutil.which("nft") is None:
        missing("nft")
    names = (f"gateway-{os.getpid()}", f"tablet-{os.getpid()}")
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        cable = ["ip", "link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0"]
        subprocess.run([*cable, "netns", names[1]], check=True)
        for name, address in zip(names, ("10.7.0.1/24", "10.7.0.2/24"), strict=True):
            for words in (("link", "set", "lo", "up"), ("addr", "add", address, "dev", "eth0"),
                          ("link", "set", "eth0", "up")):  # fmt: skip
                subprocess.run(["ip", "-n", name, *words], check=True)
        subprocess.run(["ip", "netns", "exec", names[0], "nft", "-f", str(DEPLOY / "nftables.conf")], check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=True)


LISTEN = """
import socket, sys
listening = [socket.create_server(("", port)) for port in map(int, sys.argv[1:])]
print("listening", flush=True)
sys.stdin.read()
"""
KNOCK = """
import socket, sys
for port in map(int, sys.argv[2:]):
    try:
        socket.create_connection((sys.argv[1], port), 0.5).close()
        print(port)
    except OSError:
        pass
"""


def test_the_ward_reaches_the_dashboard_and_nothing_else_of_what_listens(neighbours: tuple[str, str]) -> None:
    gateway, tablet = (["ip", "netns", "exec", name, sys.executable, "-c"] for name in neighbours)
    ports = ["22", "1883", "5555", "8443"]
    with subprocess.Popen([*gateway, LISTEN, *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as there:
        assert there.stdout is not None
        assert there.stdout.readline() == b"listening\n"
        knocks = [
            subprocess.run([*who, KNOCK, address, *ports], capture_output=True, text=True, check=True).stdout.split()
            for who, address in ((tablet, "10.7.0.1"), (gateway, "127.0.0.1"))
        ]
        there.communicate()
    # 10.0.0.0/8 is the administrators' network too, as the file comes: ssh is theirs.
    assert knocks == [["22", "8443"], ports]
