"""Makes kernels ready while the gateway runs: other processes compile, and nobody waits but who needs them.

What a ward wears and nobody has compiled on this computer before is compiled by processes of its own at low priority,
as many at a time as there are processors, two at most: the interpreter's lock stays with the radios. They fill the
cache that `dsp.kernel` keeps, and here it is only loaded, once the radios have had time to connect: loading holds the
interpreter's lock for most of a second. Until then the pipeline keeps what it cannot analyse.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from gateway.analysis import warm_up
from gateway.model.status import PreparingStatus

log = logging.getLogger(__name__)

MOST_COMPILERS: Final = 2
"""A compiler takes 250 MB, and the longest part takes as long as all others together."""
SECONDS: Final = {
    "joints": 57.0, "lower back": 18.0, "feet": 14.0, "device clocks": 12.0, "shanks": 6.0, "smoothness": 3.0,
    "posture": 3.0, "axes": 1.0,
}  # fmt: skip
"""What each part takes on one processor of 2020, cold: for the order, the longest first, and for how far it is."""
NEARLY: Final = 0.95  # of a part that takes longer than it should: done is what is done
REPORTED_EVERY_S: Final = 5.0
GIVE_WAY_S: Final = 1.0
"""From the start of a run: its devices are asked to connect meanwhile. No walk has told a stride sooner."""

Unready = Callable[[Collection[str]], None]


class Preparation:
    """Makes kernels ready. Called on any thread.

    Args:
        put_in: Puts into the step stream which kernels are not ready; called on several threads, one at a time, the
            newest last.
        give_way_s: Nothing is loaded before so many seconds from now.
    """

    def __init__(self, put_in: Unready, *, give_way_s: float = GIVE_WAY_S) -> None:
        self._put_in = put_in
        self._load_from = time.monotonic() + give_way_s
        self._turn = threading.RLock()
        self._missing: set[str] = set()
        self._given_up: set[str] = set()
        self._begun: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._shown = 0
        self._closed = threading.Event()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._worker = ThreadPoolExecutor(1, "kernels")

    def need(self, names: Collection[str]) -> None:
        """Have kernels made ready; returns at once, and who needs them waits from the next step on."""
        with self._turn:
            new = set(names) - warm_up.ready_here() - self._given_up - self._missing
            if not new or self._closed.is_set():
                return
            if not self._missing:
                self._begun, self._took, self._shown = {}, {}, 0
            self._missing |= new
            self._put_in(self._missing)
            self._worker.submit(self._make_ready, sorted(new, key=lambda name: -SECONDS.get(name, 0.0)))

    def state(self) -> PreparingStatus:
        """Return how far it is, in percent, and what is missing; empty where nothing is."""
        with self._turn:
            if not self._missing:
                return {}
            self._shown = max(self._shown, int(100 * self._share()))
            return {"percent": self._shown, "parts": sorted(self._missing)}

    def close(self) -> None:
        """End the compilers: what they have not finished is begun again at the next start."""
        with self._turn:
            self._closed.set()
            for child in self._children:
                child.terminate()
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _share(self) -> float:
        parts = self._missing | self._took.keys()
        done = sum(SECONDS.get(name, 1.0) for name in self._took)
        pace = done / max(sum(self._took.values()), done / 10) if done else 1.0
        now = time.monotonic()
        for name, begun in self._begun.items():
            if name not in self._took:
                whole = SECONDS.get(name, 1.0)
                done += min(NEARLY * whole, pace * (now - begun))
        return done / sum(SECONDS.get(name, 1.0) for name in parts)

    def _make_ready(self, names: list[str]) -> None:
        """Compile in other processes what is not kept, then load all; whoever waited goes on."""
        cold = [name for name in names if not warm_up.is_kept(name)]
        if cold and warm_up.can_keep():
            compilers = min(MOST_COMPILERS, len(os.sched_getaffinity(0)))
            with ThreadPoolExecutor(compilers, "compiler") as pool:
                self._report_until_done([pool.submit(self._compile, name) for name in cold])
        self._closed.wait(max(0.0, self._load_from - time.monotonic()))
        for name in names:
            if self._closed.is_set():
                return
            try:
                warm_up.make_ready(name)
            except Exception:
                log.exception("the kernels of '%s' could not be made ready: the pipeline has to", name)
                self._given_up.add(name)
        if cold:
            log.info("movement analysis is ready")
        with self._turn:
            self._missing -= set(names)
            if not self._closed.is_set():
                self._put_in(self._missing)

    def _report_until_done(self, compiling: list[Future[None]]) -> None:
        while wait(compiling, REPORTED_EVERY_S).not_done:
            log.info("%s", sentence(self.state()))
        for each in compiling:
            each.result()

    def _compile(self, name: str) -> None:
        """Compile one part in a process of its own, which keeps it."""
        with self._turn:
            if self._closed.is_set():
                return
            self._begun[name] = time.monotonic()
            try:
                child = subprocess.Popen(  # noqa: S603 - this very program
                    [sys.executable, "-P", "-m", "gateway", "warm-up", "--only", name, "--gently"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
                )  # fmt: skip
            except OSError as error:  # no memory for it, or no place: this process does it, and nobody waits for ever
                log.warning("'%s' was not compiled by a process of its own: %s", name, error)
                return
            self._children.add(child)
        output = child.communicate()[1]
        with self._turn:
            self._children.discard(child)
            self._took[name] = time.monotonic() - self._begun[name]
        if child.returncode and not self._closed.is_set():
            log.warning("'%s' was not compiled by a process of its own (%d): %s",
                        name, child.returncode, output.decode(errors="replace").strip()[-400:])  # fmt: skip


def sentence(state: PreparingStatus) -> str:
    """Return what to say of a state of `Preparation`; empty where everything is ready."""
    return f"preparing movement analysis, {state['percent']} %" if state else ""
