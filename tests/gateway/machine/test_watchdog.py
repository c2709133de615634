"""The watchdog over a real socket: fed while all get on, and not a moment longer."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.machine.watchdog import FEEDS_A_LIMIT, IDLE, ServiceManager, Watchdog, Worker

WITHIN_S = 5.0


class Listener:
    """A service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(WITHIN_S)

    def heard(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def waiting(self) -> list[dict[str, str]]:
        self.socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self.heard())
            except BlockingIOError:
                return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.socket.close()


@pytest.fixture
def manager(tmp_path: Path, listener: Listener) -> ServiceManager:
    return ServiceManager(str(tmp_path / "notify"), 0.2)


class Hands:
    """Two workers and a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.radio: object = 0
        self.outbox: object = IDLE

    def watchdog(self, manager: ServiceManager) -> Watchdog:
        workers = [Worker("radio", 10.0, lambda: self.radio), Worker("outbox", 5.0, lambda: self.outbox)]
        return Watchdog(workers, manager, clock=lambda: self.now)


def test_the_manager_hears_what_is_reported(manager: ServiceManager, listener: Listener) -> None:
    manager.notify(READY=1, STATUS="8 of 8\ndevices")
    assert listener.heard() == {"READY": "1", "STATUS": "8 of 8 devices"}


def test_an_abstract_socket_is_one_too() -> None:
    listener = Listener(f"\0rehab-test-{os.getpid()}")
    ServiceManager(f"@rehab-test-{os.getpid()}").notify(STOPPING=1)
    assert listener.heard() == {"STOPPING": "1"}
    listener.socket.close()


def test_nobody_to_notify_and_nobody_who_listens_are_no_errors(tmp_path: Path) -> None:
    ServiceManager("").notify(READY=1)
    ServiceManager(str(tmp_path / "nobody")).notify(READY=1)


def test_what_systemd_asks_for_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert ServiceManager("").watchdog_s == 30.0
    monkeypatch.setenv("WATCHDOG_PID", "1")  # it was meant for another process
    assert ServiceManager("").watchdog_s == 0.0


def test_a_stuck_worker_stops_the_feeding_and_a_recovered_one_resumes_it(
    manager: ServiceManager, listener: Listener
) -> None:
    hands = Hands()
    watchdog = hands.watchdog(manager)
    assert watchdog.look()
    hands.now = 10.0
    assert watchdog.look()  # at the limit, not beyond it
    hands.now = 10.1
    assert not watchdog.look()
    assert not watchdog.look()
    assert listener.waiting() == [{"WATCHDOG": "1"}] * 2 + [{"STATUS": "no progress: radio"}]
    hands.radio = 1
    assert watchdog.look()
    assert listener.waiting() == [{"WATCHDOG": "1"}]


def test_having_nothing_to_do_is_not_being_stuck(manager: ServiceManager) -> None:
    hands = Hands()
    watchdog = hands.watchdog(manager)
    for turn in range(100):
        hands.now, hands.radio = float(turn), turn
        assert watchdog.look()
    hands.outbox = 17  # rows wait, and nothing moves from now on
    for turn in range(100, 106):
        hands.now, hands.radio = float(turn), turn
        assert watchdog.look()
    hands.now, hands.radio = 106.0, 106
    assert watchdog.stuck() == ["outbox"]


async def test_it_is_fed_often_enough_and_from_the_loop(manager: ServiceManager, listener: Listener) -> None:
    turns = iter(range(1_000_000))
    running = asyncio.create_task(Watchdog([Worker("radio", 1.0, lambda: next(turns))], manager).run())
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(FEEDS_A_LIMIT):
        assert await asyncio.to_thread(listener.heard) == {"WATCHDOG": "1"}
    assert loop.time() - begun < WITHIN_S
    running.cancel()
    await asyncio.wait({running})
