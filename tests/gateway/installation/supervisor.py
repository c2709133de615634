"""A small supervisor of services, in systemd's place: starts what the link names, and starts it again when it ends.

    python supervisor.py SOCKET serve HOME CONFIG NAME...      stays, until SIGTERM
    python supervisor.py SOCKET wanted | running | restart NAME... | stop NAME...

It imports nothing of ours: like systemd it is there before, and outlives every version.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

GIVEN_UP = (2, 3)
"""Exit statuses after which a unit stays down (RestartPreventExitStatus)."""
AGAIN_S = 0.3
STOP_S = 30.0
LISTEN_S = 60.0


class Service:
    """One service: a process, started again until it is to stop."""

    def __init__(self, name: str, home: Path, config: str) -> None:
        self.name, self._home, self._config = name, home, config
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = False
        self._failed_after_s = 0.0  # how long it ran the last time that it ended with an error
        self.start()

    def start(self, *, again: bool = False) -> None:
        """Start what the link names at this moment."""
        with self._lock:
            self._given_up = False
            if not again:
                self._failed_after_s = 0.0
            self._started = time.monotonic()
            with (self._home / f"{self.name}.log").open("ab") as log:
                command: list[str | Path] = [self._home / "current/bin/rehab-gateway", self.name, self._config]
                try:
                    self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
                except OSError as error:
                    log.write(f"{error}\n".encode())

    def running(self) -> bool:
        """Whether it runs now; after an error, only once it has run for twice as long as the last time.

        A service that fails again and again runs at nearly every look on a busy machine; systemd knows by its word.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return False
            return time.monotonic() - self._started >= 2 * self._failed_after_s

    def stop(self) -> None:
        """End it in good order."""
        with self._lock:
            self._given_up = True
            if self._process is None or self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def look(self) -> None:
        """Start it again if it has ended, unless its status says that this is no use."""
        with self._lock:
            process = self._process
            ended = process is None or process.poll() is not None
            if process is not None and process.poll() in GIVEN_UP:
                self._given_up = True
            if process is not None and (process.poll() or 0) > 0:  # killed by a test is no error of its own
                self._failed_after_s = time.monotonic() - self._started
            again = ended and not self._given_up
        if again:
            self.start(again=True)


def serve(path: Path, home: Path, config: str, names: list[str]) -> None:
    """Run services until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    services = {name: Service(name, home, config) for name in names}
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    server.settimeout(AGAIN_S)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            connection, _ = server.accept()
            with connection:
                connection.settimeout(LISTEN_S)
                connection.sendall(answer(services, connection.recv(4096).decode().split()).encode())
        for service in services.values():
            service.look()
    for service in services.values():
        service.stop()
    server.close()


def answer(services: dict[str, Service], words: list[str]) -> str:
    """Do what is asked; return what is said."""
    if words[0] == "wanted":
        return "\n".join(services)
    if words[0] == "running":
        return "\n".join(name for name, service in services.items() if service.running())
    for name in words[1:]:
        services[name].stop()
    for name in words[1:] if words[0] == "restart" else ():
        services[name].start()
    return "\n"


def ask(path: Path, words: list[str]) -> int:
    """Ask the one that serves; return the exit status."""
    deadline = time.monotonic() + LISTEN_S
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(LISTEN_S)
                connection.connect(str(path))
                connection.sendall(" ".join(words).encode())
                said = connection.recv(4096).decode()
        except OSError as error:
            if time.monotonic() > deadline:
                sys.stderr.write(f"{path}: {error}\n")
                return 1
            time.sleep(AGAIN_S)
            continue
        sys.stdout.write(said + "\n")
        return 0


if __name__ == "__main__":
    where, what, *rest = sys.argv[1:]
    if what == "serve":
        serve(Path(where), Path(rest[0]), rest[1], rest[2:])
    else:
        sys.exit(ask(Path(where), [what, *rest]))
