"""The service manager's watchdog: fed only while every part of the gateway gets on with its work.

The protocol is sd_notify(3): datagrams of ``NAME=value`` lines to the socket that systemd names in NOTIFY_SOCKET.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.machine.plain_text import visible

log = logging.getLogger(__name__)

FEEDS_A_LIMIT = 4
"""Words within one WATCHDOG_USEC: systemd advises two, and a busy machine may be late with one."""
LOOK_S = 1.0
"""Time between two looks where nobody asked to be fed: the log still says what is stuck."""

MICRO = 1_000_000


class ServiceManager:
    """Tells systemd how the service is doing; does nothing where no systemd asks.

    Args:
        address: Path of the socket, ``@`` first for an abstract one; by default NOTIFY_SOCKET.
        watchdog_s: How often the watchdog must be fed at least, seconds; by default WATCHDOG_USEC.

    Attributes:
        ready: Whether it was told that the service is.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self.ready = False
        self.watchdog_s = _asked_s() if watchdog_s is None else watchdog_s

    def notify(self, **words: str | int) -> None:
        """Send one datagram, such as ``notify(READY=1, STATUS="8 of 8 devices")``."""
        self.ready = self.ready or "READY" in words
        if not self._address:
            return
        text = "\n".join(f"{name}={visible(str(word).replace(chr(10), ' '))}" for name, word in words.items())
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that does not read must not hold up the radios
                sender.sendto(text.encode(), address)
        except OSError as error:
            log.debug("the service manager was not told: %s", error)


@dataclass(frozen=True, slots=True)
class Worker:
    """A part that has to get on.

    Attributes:
        name: What the log calls it.
        limit_s: Longest time without progress, seconds.
        progress: Returns something that changes as the work goes on; `IDLE` when there is nothing to do.
    """

    name: str
    limit_s: float
    progress: Callable[[], object]


IDLE = object()
"""A worker without work is not stuck."""


class Watchdog:
    """Looks whether every worker gets on, and feeds the service manager's watchdog only then.

    Args:
        workers: Who has to.
        manager: Whom to tell.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        manager: ServiceManager,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._manager = manager
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}
        self._stuck: list[str] = []

    def stuck(self) -> list[str]:
        """Return the names of the workers that have not got on within their limits."""
        now = self._clock()
        found = []
        for worker in self._workers:
            token = worker.progress()
            before, since = self._seen.get(worker.name, (IDLE, now))
            if token is IDLE or token != before:
                self._seen[worker.name] = (token, now)
            elif now - since > worker.limit_s:
                found.append(worker.name)
        return found

    def look(self) -> bool:
        """Feed the watchdog unless somebody is stuck; return whether it was fed."""
        stuck = self.stuck()
        if stuck:
            if stuck != self._stuck:
                log.error("no progress: %s; the watchdog is not fed", ", ".join(stuck))
                self._manager.notify(STATUS=f"no progress: {', '.join(stuck)}")
        else:
            self._manager.notify(WATCHDOG=1)
        self._stuck = stuck
        return not stuck

    async def run(self) -> None:
        """Look again and again, from the loop that serves the radios: a loop that hangs does not feed."""
        asked_s = self._manager.watchdog_s
        pause_s = asked_s / FEEDS_A_LIMIT if asked_s else LOOK_S
        while True:
            self.look()
            await asyncio.sleep(pause_s)


def _asked_s() -> float:
    """Return how often systemd wants to hear from this process, seconds; 0 if it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    asked = os.environ.get("WATCHDOG_USEC", "")
    return int(asked) / MICRO if asked.isdigit() else 0.0
