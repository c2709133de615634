"""A start that takes long: what the manager hears while it gets on, and when it does not."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from gateway.machine.starting import Starting, work_done
from gateway.machine.watchdog import ServiceManager
from tests.servers import wait_until

OFTEN_S = 0.02


class Listener:
    """A service manager's end of the socket, and what it has heard."""

    def __init__(self, folder: Path) -> None:
        self.manager = ServiceManager(str(folder / "notify"), 0.0)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.setblocking(False)
        self.heard: list[dict[str, str]] = []

    def listen(self) -> list[dict[str, str]]:
        while True:
            try:
                text = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in text.splitlines()))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(tmp_path: Path) -> Listener:
    return Listener(tmp_path)


def test_while_it_gets_on_it_asks_for_time_and_says_what_it_is_at(listener: Listener) -> None:
    done = iter(range(10**9))
    with Starting(listener.manager, work=lambda: float(next(done)), tell_every_s=OFTEN_S) as starting:
        starting.at("opening the outbox")
        wait_until(lambda: [words for words in listener.listen() if "EXTEND_TIMEOUT_USEC" in words])
        assert listener.heard[0] == {"STATUS": "starting: opening the outbox"}
        listener.manager.notify(READY=1)
        wait_until(lambda: {"READY": "1"} in listener.listen())
    heard = listener.listen()
    more = [words for words in heard if "EXTEND_TIMEOUT_USEC" in words]
    assert more[0] == {"STATUS": "starting: opening the outbox, 0 s", "EXTEND_TIMEOUT_USEC": "60000000"}
    assert len(heard) - heard.index({"READY": "1"}) <= 2  # one may have been on its way
    listener.close()


def test_one_that_stands_still_gets_no_time_and_says_so(listener: Listener) -> None:
    with Starting(listener.manager, work=lambda: 7.0, tell_every_s=OFTEN_S) as starting:
        starting.at("opening the ward")
        wait_until(lambda: len(listener.listen()) > 3)
    assert not [words for words in listener.listen() if "EXTEND_TIMEOUT_USEC" in words]
    assert listener.heard[1]["STATUS"] == "starting: opening the ward, 0 s; it does not get on"
    listener.close()


def test_there_is_an_end_to_the_time_that_it_asks_for(listener: Listener) -> None:
    done = iter(range(10**9))
    with Starting(listener.manager, work=lambda: float(next(done)), tell_every_s=OFTEN_S, most_s=0.0):
        wait_until(lambda: len(listener.listen()) > 3)
    assert not [words for words in listener.listen() if "EXTEND_TIMEOUT_USEC" in words]
    listener.close()


def test_work_is_what_a_process_computes_and_writes(tmp_path: Path) -> None:
    before = work_done()
    time.sleep(0.1)
    assert work_done() == before  # a process that waits
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    assert work_done() > before
    before = work_done()
    with (tmp_path / "written").open("wb") as file:
        file.write(bytes(4 << 20))
        os.fsync(file.fileno())
    assert work_done() >= before
