"""Others in the places that the gateway wants: the ports of its broker, of its metrics and of the pages."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.broker.door import FOLDER, SOCKET, Door, DoorError, read_door
from gateway.broker.embedded import find_mosquitto
from tests.faults.beds import START_S, Beds
from tests.faults.chain import Process, count, module, wait_for
from tests.faults.devices import APART_S
from tests.faults.hands import rows_in
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.servers import free_port

OF_MOSQUITTO = "Mosquitto should not be run as root"
"""What it says to who runs the row as root, and we with it when it was killed."""
HELD_S = 1.5
"""How long a place is taken."""
TAKEN_PAGES = "Port {port} of 127.0.0.1 is taken"
"""What a dashboard without its port says before it ends."""


@contextlib.contextmanager
def squat(port: int) -> Iterator[None]:
    """Listen on a port of loopback and answer nobody; waits until it is free."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    assert wait_for(partial(bound, server, port), QUIET_WITHIN_S, poll_s=0.002)
    server.listen()
    try:
        yield
    finally:
        server.close()


def bound(server: socket.socket, port: int) -> bool:
    """Whether a port could be taken."""
    try:
        server.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def squatted_ports(folder: Path, *, kinds: list[str], times: int, seed: int, progress: Progress) -> Outcome:
    """Take the ports before the start, and the broker's place again and again while measurements flow."""
    outcome = Outcome(f"ports taken by others ({', '.join(kinds)})")
    if "mosquitto" in kinds and find_mosquitto() is None:
        pytest.skip("needs mosquitto: apt install mosquitto")
    folder.mkdir()
    for part, kind in enumerate(kinds, 1):
        one = Outcome(outcome.fault)
        done = partial(part_done, progress, part, len(kinds))
        squat_under(folder / kind, kind, one, times=times // len(kinds), seed=seed, progress=done)
        for name in ("times", "made", "stored", "lost", "twice", "silent"):
            setattr(outcome, name, getattr(outcome, name) + getattr(one, name))
        outcome.gap_s = max(outcome.gap_s or 0.0, one.gap_s or 0.0)
        outcome.recovery_s = max(outcome.recovery_s or 0.0, one.recovery_s or 0.0)
        outcome.notes += one.notes
    return outcome


def part_done(progress: Progress, part: int, parts: int, done: float) -> None:
    """Tell how far a row is of which one part after another is done."""
    progress((part - 1 + done) / parts)


def squat_under(folder: Path, kind: str, outcome: Outcome, *, times: int, seed: int, progress: Progress) -> None:
    """Run a bed with a broker of its own whose place is taken."""
    folder.mkdir()
    broker, metrics, pages = free_port(), free_port(), free_port()
    more = f"[broker]\nport = {broker}\n[prometheus]\nport = {metrics}\n[dashboard]\nport = {pages}\n"
    run = (
        module("gateway", "run") if kind == "mosquitto" else module("tests.faults.without_mosquitto", "gateway", "run")
    )
    with contextlib.ExitStack() as stack:
        squatted = {port: stack.enter_context(contextlib.ExitStack()) for port in (broker, metrics, pages)}
        for port, place in squatted.items():
            place.enter_context(squat(port))
        ward = stack.enter_context(Beds(folder, None, beds=1, seed=seed, more=more, run=run))
        dashboard = Process("dashboard", folder, module("gateway", "dashboard", ward.config))
        dashboard.start()
        while outcome.times < times:
            occupy(ward, kind)
            before = count(ward.history)
            again = partial(wait_for, partial(more_than, ward.history, before), QUIET_WITHIN_S)
            outcome.end_round(again, of=times, progress=progress)
        judge(ward, dashboard, {port: squatted[port] for port in (metrics, pages)}, outcome)
        ward.air.off()
        # With the gateway its broker ends: what is not stored by then waits in the outbox.
        if not wait_for(lambda: not rows_in(folder / "outbox.db"), QUIET_WITHIN_S):
            outcome.notes.append(f"{rows_in(folder / 'outbox.db')} rows were never stored")
        time.sleep(APART_S)
        ward.finish(outcome)
    outcome.notes = [note for note in outcome.notes if OF_MOSQUITTO not in note]


def more_than(history: Path, before: int) -> bool:
    """Whether something new is stored."""
    return count(history) > before


def occupy(ward: Beds, kind: str) -> None:
    """Kill the broker and take its place for a while: the port of iotcore, the name of mosquitto's socket."""
    assert wait_for(lambda: door_of(ward).pid, START_S)
    door = door_of(ward)
    os.kill(door.pid, signal.SIGKILL)
    if kind == "iotcore":
        with squat(door.port):
            time.sleep(HELD_S)
        return
    path = ward.folder / FOLDER / SOCKET
    path.unlink(missing_ok=True)
    path.mkdir()
    time.sleep(HELD_S)
    path.rmdir()


def door_of(ward: Beds) -> Door:
    """Return how the broker is reached; nowhere if there is none."""
    try:
        return read_door(ward.folder / FOLDER)
    except DoorError:
        return Door()


def judge(ward: Beds, dashboard: Process, squatted: dict[int, contextlib.ExitStack], outcome: Outcome) -> None:
    """See that who has no port says so and harms nobody, and that the metrics come when their port is free."""
    metrics, pages = squatted
    if f"no metrics on port {metrics}" not in ward.gateway.text():
        outcome.notes.append("nobody said that the port of the metrics is taken")
    assert dashboard.process
    if not wait_for(lambda: TAKEN_PAGES.format(port=pages) in dashboard.text(), QUIET_WITHIN_S):
        outcome.notes.append(f"nobody said that the port of the pages is taken: {dashboard.text()[-200:]!r}")
    if "Traceback" in dashboard.text():
        outcome.notes.append("the dashboard ends with a traceback")
    for place in squatted.values():
        place.close()
    if not wait_for(partial(serves, metrics), QUIET_WITHIN_S):
        outcome.notes.append("no metrics when their port was free again")
    dashboard.end()


def serves(port: int) -> bool:
    """Whether the metrics of a gateway are there."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return b"rehab_gateway_up 1.0" in answer.read()
    return False
