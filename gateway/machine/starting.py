"""A start that takes long: who waits sees what it is at, and the service manager gives it time while it gets on."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.machine.watchdog import MICRO, ServiceManager

log = logging.getLogger(__name__)

TELL_EVERY_S = 5.0
MORE_S = 60.0
"""Time that is asked for at each look at which the start has got on: a slow disk stands still for less."""
MOST_S = 900.0
"""In all: a large outbox on a slow card is checked in less; what takes longer turns round, and does not get on."""
SLOW_S = 10.0
"""From then on a start is slow enough to be in the log."""


class Starting:
    """Tells the service manager what a start is at, until it is ready or this is closed.

    Args:
        manager: Whom to tell.
        work: Returns something that grows while this process computes, reads or writes.
        tell_every_s: How often.
        most_s: Beyond this no more time is asked for.
    """

    def __init__(
        self,
        manager: ServiceManager,
        *,
        work: Callable[[], float] | None = None,
        tell_every_s: float = TELL_EVERY_S,
        most_s: float = MOST_S,
    ) -> None:
        self._manager, self._work = manager, work or work_done
        self._tell_every_s, self._most_s = tell_every_s, most_s
        self._step = "starting"
        self._began_s = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="starting", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def at(self, step: str) -> None:
        """Note what is done next, and tell it."""
        self._step = step
        self._manager.notify(STATUS=f"starting: {step}")

    def _tell(self) -> None:
        before = self._work()
        while not self._done.wait(self._tell_every_s) and not self._manager.ready:
            now, took_s = self._work(), time.monotonic() - self._began_s
            words = f"starting: {self._step}, {took_s:.0f} s"
            if now > before and took_s < self._most_s:
                self._manager.notify(STATUS=words, EXTEND_TIMEOUT_USEC=round(MORE_S * MICRO))
            else:
                self._manager.notify(STATUS=f"{words}; it does not get on")
            if took_s - self._tell_every_s < SLOW_S <= took_s:
                log.info("%s so far; 'systemctl status' shows how it goes", words)
            before = now


def work_done() -> float:
    """Return what this process has computed, in seconds, and read and written, in MB: it stands still with the process.

    The little that looking takes itself is left out by rounding.
    """
    taken = os.times()
    moved = 0
    with suppress(OSError):
        for line in Path("/proc/self/io").read_text("ascii").splitlines():
            name, _, number = line.partition(": ")
            if name in ("read_bytes", "write_bytes"):
                moved += int(number)
    return round(taken.user + taken.system + moved / 1e6, 1)
