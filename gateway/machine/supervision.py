"""The tasks of a process under supervision: each has a name, a budget of restarts, and an end that is said."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

log = logging.getLogger(__name__)

RESTARTS = 5
"""Restarts of one task within `WITHIN_S`: what fails more often is not mended by the next."""
WITHIN_S = 300.0
"""Failures further back than this are forgotten."""
FIRST_DELAY_S = 0.1
"""Wait before the first restart: the radios go on meanwhile, and a step of data waits for it."""
LONGEST_DELAY_S = 10.0
"""Longest wait before a restart: frames of so long fit into the ticker."""
PATIENCE_S = 12.0
"""What a cancelled task gets to end (a device: stop dialogue and disconnect); a longer one is left, and said."""


class TaskFailedError(Exception):
    """A part that the process cannot be without has failed too often."""

    advice: ClassVar[str] = "This is a defect of the gateway: report it with the log. A service is started again."


@dataclass(slots=True)
class Budget:
    """How often a task may fail; a pure policy.

    Attributes:
        restarts: Most restarts within ``within_s``.
        within_s: Length of memory, seconds.
    """

    restarts: int = RESTARTS
    within_s: float = WITHIN_S
    _failures: deque[float] = field(default_factory=deque)

    def failed(self, now_s: float) -> float | None:
        """Note a failure; return the wait before the restart in seconds, or None when the budget is spent."""
        self._failures.append(now_s)
        while self._failures[0] <= now_s - self.within_s:
            self._failures.popleft()
        if len(self._failures) > self.restarts:
            return None
        return min(LONGEST_DELAY_S, FIRST_DELAY_S * 4.0 ** (len(self._failures) - 1))


@dataclass(slots=True)
class Part:
    """A supervised task.

    Attributes:
        name: What it is called in the log, in the status and as a task.
        essential: Whether the process ends when its budget is spent; any other part just stays away.
        failures: How often it failed since the start.
        error: How it failed last; empty if it never did.
        stuck: Why its work is being cancelled; empty if it is not.
        given_up: Whether it stays away.
    """

    name: str
    essential: bool
    failures: int = 0
    error: str = ""
    stuck: str = ""
    given_up: bool = False
    work: asyncio.Task[None] | None = None
    keeper: asyncio.Task[None] | None = None


class Supervision:
    """Starts tasks, starts them again when they fail, and says when one has failed for good.

    Attributes:
        parts: Every part by its name.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.parts: dict[str, Part] = {}
        self._clock = clock
        self._failed: asyncio.Future[None] | None = None

    def start(
        self, name: str, work: Callable[[], Awaitable[None]], *, essential: bool = True, budget: Budget | None = None
    ) -> None:
        """Begin a part; ``work`` is called anew for each restart. An essential one must not return."""
        part = self.parts[name] = Part(name, essential)
        part.keeper = asyncio.create_task(self._keep(part, work, budget or Budget()), name=f"keeper:{name}")

    async def once(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Carry something out that may fail, and must not keep what follows from happening."""
        self.start(name, work, essential=False, budget=Budget(restarts=0))
        keeper = self.parts[name].keeper
        assert keeper is not None
        await asyncio.wait({keeper})

    def dismiss(self, name: str) -> asyncio.Task[None] | None:
        """End a part and forget it; return what ends in its own time, if there is anything."""
        part = self.parts.pop(name, None)
        if part is None or part.keeper is None or part.keeper.done():
            return None
        part.keeper.cancel()
        return part.keeper

    def restart(self, name: str, why: str) -> None:
        """End the work of a part that is stuck; it begins again, at the cost of its budget."""
        part = self.parts[name]
        if part.work is not None and not part.work.done():
            part.stuck = why
            part.work.cancel()

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when ``stop`` is set; raises TaskFailedError when an essential part has failed for good."""
        self._failed = asyncio.get_running_loop().create_future()
        stopping = asyncio.create_task(_until(stop), name="stop")
        for part in self.parts.values():
            self._judge(part)
        try:
            await asyncio.wait([stopping, self._failed], return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        finally:
            stopping.cancel()
            self._failed.cancel()

    async def end(self, names: Iterable[str] | None = None) -> None:
        """Cancel these parts, or all, and wait until they have ended."""
        chosen = list(self.parts) if names is None else list(names)
        keepers = [keeper for name in chosen if (keeper := self.parts[name].keeper) is not None]
        for keeper in keepers:
            keeper.cancel()
        if keepers:
            _, left = await asyncio.wait(keepers, timeout=PATIENCE_S)
            for task in left:
                log.error("%s did not end within %g s", task.get_name(), PATIENCE_S)

    async def _keep(self, part: Part, work: Callable[[], Awaitable[None]], budget: Budget) -> None:
        while error := await self._once(part, work):
            part.error = error
            part.failures += 1
            wait_s = budget.failed(self._clock())
            if wait_s is None:
                part.given_up = True
                self._judge(part)
                return
            log.warning("%s begins again in %.1f s", part.name, wait_s)
            await asyncio.sleep(wait_s)

    async def _once(self, part: Part, work: Callable[[], Awaitable[None]]) -> str:
        """Let a part run until it ends; return how it failed, or nothing if it was done."""
        part.stuck = ""

        async def run() -> None:
            await work()

        part.work = asyncio.create_task(run(), name=part.name)
        try:
            await asyncio.wait({part.work})
        except asyncio.CancelledError:  # this keeper is told to end: so does the work
            part.work.cancel()
            await asyncio.wait({part.work})
            raise
        if part.work.cancelled():
            error = part.stuck or "it was cancelled"
            log.error("%s: %s", part.name, error)
            return error
        try:
            part.work.result()
        except Exception as failure:  # the one place where a defect of a part is kept from its neighbours
            log.exception("%s failed", part.name)
            return f"{type(failure).__name__}: {failure}"
        return "it ended by itself" if part.essential else ""

    def _judge(self, part: Part) -> None:
        if part.given_up and part.essential and self._failed is not None and not self._failed.done():
            self._failed.set_exception(
                TaskFailedError(
                    f"the task '{part.name}' failed {part.failures} times, {RESTARTS + 1} of them within"
                    f" {WITHIN_S / 60:g} minutes; the last time with {part.error}"
                )
            )


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
