"""Too little of something: a slow disk, too little memory."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.chain import Chain, Process, chain_in, wait_for
from tests.faults.files import fill, small_disk, works
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.faults.proxy import Proxy
from tests.servers import mosquitto_in

FLUSH_S = (0.2, 1.5)
"""What each flush of the disk takes while it is slow; a worn memory card is known for such seconds."""
SLOW_S = 4.0
GROUPS = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
"""Where control groups for memory are: version 1, version 2."""
TOO_MANY = 60_000
"""Measurements made with neither broker nor disk: more than memory may hold."""


@contextlib.contextmanager
def slow_disk(process: Process, flush_s: float) -> Iterator[None]:
    """Let each flush of a running process take longer."""
    assert process.process
    slow = f"inject=fsync,fdatasync:delay_enter={flush_s * 1e6:.0f}"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", slow]
    tracer = subprocess.Popen([*command, "-p", str(process.process.pid)], stderr=subprocess.PIPE)
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGTERM)
        _, output = tracer.communicate()
        if output:
            raise RuntimeError(f"strace: {output.decode().strip()}")


def slow_flushes(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Let every flush of outbox and history take up to a second and a half, for seconds; then quick again."""
    outcome = Outcome("slow disk: flushes of up to 1.5 s")
    if shutil.which("strace") is None:
        pytest.skip("needs strace: apt install strace")
    rng = random.Random(seed)
    with chain_in(folder, resend_after_s=5.0) as chain:
        while outcome.times < times:
            works(chain)
            flush_s = rng.uniform(*FLUSH_S)
            victims = rng.choice(([chain.gateway], [chain.historian], [chain.gateway, chain.historian]))
            with contextlib.ExitStack() as stack:
                for victim in victims:
                    stack.enter_context(slow_disk(victim, flush_s))
                before = chain.promised()
                time.sleep(SLOW_S)
                if not works(chain):
                    outcome.notes.append(f"stood still at {flush_s:.1f} s a flush")
                made = chain.promised() - before
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    outcome.remark = f"{made} stored meanwhile, the last time"
    return outcome


@contextlib.contextmanager
def memory_group(megabytes: int) -> Iterator[Path]:
    """A control group whose processes together get so much memory; it needs the administrator."""
    for root, limit in zip(GROUPS, ("memory.limit_in_bytes", "memory.max"), strict=True):
        group = root / f"faults-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if not (group / limit).exists():
                continue
            (group / limit).write_text(str(megabytes << 20))
            yield group
            return
        finally:
            wait_for(partial(empty, group), QUIET_WITHIN_S)
            group.rmdir()
    pytest.skip("needs the right to make a control group with a memory limit")


def empty(group: Path) -> bool:
    """Whether no process is in a control group any more."""
    return not (group / "cgroup.procs").read_text()


def little_memory(folder: Path, *, times: int, megabytes: int, rate: float, seed: int, progress: Progress) -> Outcome:
    """Take broker and disk away from a gateway under a memory limit until it has to drop; then give both back.

    It must not die, what it drops must be told as a gap with its reason, and the rest must be stored.
    """
    outcome = Outcome(f"memory limit of {megabytes} MB, no broker, no disk")
    rng = random.Random(seed)
    folder.mkdir()
    most = 0
    with (
        memory_group(megabytes) as group,
        small_disk(folder / "disk", 400_000) as disk,
        mosquitto_in(folder / "broker") as broker,
        Proxy(broker.port) as proxy,
        Chain(disk, broker, port=proxy.port, journal=folder / "journal", rate=rate, outbox_mb=8) as chain,
    ):
        while outcome.times < times:
            assert chain.gateway.process
            (group / "cgroup.procs").write_text(str(chain.gateway.process.pid))
            works(chain)
            proxy.refuse(True)
            time.sleep(rng.random())
            ballast = disk / "ballast"
            fill(ballast)
            time.sleep(TOO_MANY / rate)
            most = max(most, resident_mb(chain.gateway))
            ballast.unlink()
            proxy.refuse(False)
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        found = chain.result(outcome, gaps_allowed=True)
    if not found.declared:
        outcome.notes.append("nothing had to go: the memory was never short")
    outcome.remark = f"resident at most {most} MB, {found.declared} told as a gap with the reason"
    return outcome


def resident_mb(process: Process) -> int:
    """Return the largest resident memory that a process has had, megabytes."""
    assert process.process
    lines = Path(f"/proc/{process.process.pid}/status").read_text("ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024
