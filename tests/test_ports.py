"""What listens while the three processes run: what the configuration says, and nothing else."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import free_port, wait_until
from tests.test_end_to_end import process

LISTENING = "0A"  # TCP_LISTEN of the kernel's table (include/net/tcp_states.h)
STARTED_WITHIN_S = 120.0


def family(pid: int) -> list[int]:
    """Return a process with all that it started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(one for path in children for child in path.read_text().split() for one in family(int(child)))]


def open_ports(*pids: int) -> set[tuple[str, int]]:
    """Return protocol and port of every socket of these processes that takes what comes from elsewhere."""
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:  # closed meanwhile
                continue
    found = set()
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/net/{protocol}").read_text("ascii").splitlines()[1:]:
            fields = row.split()
            listens = fields[3] == LISTENING or (protocol.startswith("udp") and fields[2].endswith(":0000"))
            if listens and fields[9] in inodes:
                found.add((protocol.removesuffix("6"), int(fields[1].rpartition(":")[2], 16)))
    return found


@pytest.fixture
def ward(tmp_path: Path) -> tuple[Path, int, int]:
    """Write a configuration as a ward has it: an embedded broker, a dashboard, metrics, simulated sensors."""
    page, metrics = free_port(), free_port()
    path = tmp_path / "ward.toml"
    path.write_text(
        f"""simulated = true
[site]
site = "test"
gateway = "one"
data = "{tmp_path}/data"
[broker]
embedded = true
[dashboard]
port = {page}
[prometheus]
port = {metrics}
[radio]
name = "simulated"
socket = "{tmp_path}/radio"
[[slot]]
id = "bay-a"
label = "Bay A"
subject = "p-1"
[[slot.device]]
id = "strap-1"
driver = "heart_rate"
placement = "chest"
address = "00:11:22:33:44:55"
""",
        "utf-8",
    )
    return path, page, metrics


@pytest.mark.broker
def test_what_listens_is_what_the_configuration_says(ward: tuple[Path, int, int]) -> None:
    path, page, metrics = ward
    with ExitStack() as stack:
        parts: list[subprocess.Popen[bytes]] = [
            stack.enter_context(process(path.parent, part, str(path))) for part in ("run", "historian", "dashboard")
        ]
        expected = {("tcp", page), ("tcp", metrics)}
        seen: set[tuple[str, int]] = set()

        def all_there() -> bool:
            seen.update(open_ports(*(pid for part in parts for pid in family(part.pid))))
            return expected <= seen and (path.parent / "data/history.db").exists()

        wait_until(all_there, STARTED_WITHIN_S)
        assert all(part.poll() is None for part in parts)
        assert seen == expected
