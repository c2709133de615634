"""Commands of whoever hands out sensors: each takes seconds on the event loop, and is asked after until it is done."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from typing import Any

from drivers.errors import LinkError
from gateway.pairing.desk import Desk, plain
from gateway.run.ward_commands import person
from gateway.ward.refusals import named, refused, said_of
from gateway.wire.commands import DEVICES, DEVICES_RESULT

log = logging.getLogger(__name__)

RESULTS_KEPT = 8
MOST_BEGUN, WITHIN_S = 200, 600.0
"""Each is in the audit, which nobody should be able to fill; a whole ward is paired with fewer."""

Json = dict[str, Any]
Work = Callable[..., Coroutine[Any, Any, Json]]


class PairingCommands:
    """Begins the work of a desk, one at a time, and tells what became of it. `command` is called on other threads.

    Args:
        desk: Does the work.
        loop: On which it does.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self, desk: Desk, loop: asyncio.AbstractEventLoop, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._work: Mapping[str, Work] = {
            "devices-scan": desk.scan, "devices-blink": desk.blink, "devices-tap": desk.tap,
            "devices-lift": desk.lift, "devices-bond": desk.bond, "devices-unbond": desk.unbond,
        }  # fmt: skip
        assert self._work.keys() == set(DEVICES)
        self._loop = loop
        self._monotonic = monotonic
        self._begun: list[float] = []
        self._jobs: OrderedDict[int, tuple[str, Future[Json]]] = OrderedDict()
        self._numbers = 0
        self._tasks: set[asyncio.Task[Json]] = set()
        self._turn = threading.Lock()

    def command(self, name: str, payload: Mapping[str, Any]) -> Json:
        """Answer a command; raises ValueError for one that cannot be begun."""
        if name == DEVICES_RESULT:
            return self._result(payload.get("job"))
        fields = {key: value for key, value in payload.items() if key != "by"}
        person(payload.get("by", ""))
        work = self._work[name]
        try:
            inspect.signature(work).bind(**fields)
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None
        with self._turn:
            return {"job": self._begin(name, work, fields)}

    async def close(self) -> None:
        """End what is under way, devices that are visited included; on the loop."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, work: Coroutine[Any, Any, Json]) -> Json:
        task = asyncio.create_task(work, name="pairing")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await task

    def _begin(self, name: str, work: Work, fields: Mapping[str, Any]) -> int:
        for under_way, job in self._jobs.values():
            if not job.done():
                raise refused("under_way", what=under_way)
        now = self._monotonic()
        self._begun = [at for at in self._begun if at > now - WITHIN_S]
        if len(self._begun) >= MOST_BEGUN:
            raise refused("asked_too_often", most=MOST_BEGUN, minutes=WITHIN_S / 60)
        self._begun.append(now)
        self._numbers += 1
        self._jobs[self._numbers] = name, asyncio.run_coroutine_threadsafe(self._run(work(**fields)), self._loop)
        while len(self._jobs) > RESULTS_KEPT:
            self._jobs.popitem(last=False)
        return self._numbers

    def _result(self, number: object) -> Json:
        with self._turn:
            found = self._jobs.get(number) if isinstance(number, int) else None
        if found is None:
            raise ValueError(f"there is no job {number}: only the newest {RESULTS_KEPT} are known")
        name, job = found
        if not job.done():
            return {"job": number, "done": False}
        try:
            return {"job": number, "done": True, "result": job.result()}
        except CancelledError:
            return {"job": number, "done": True, "problem": "the gateway was stopped meanwhile"}
        except (LinkError, ValueError) as error:
            return {"job": number, "done": True, "problem": plain(error), **named(said_of(error))}
        except Exception as error:  # a defect of ours, or of one driver, is no reason to leave whoever asked waiting
            log.exception("%s failed", name)
            return {"job": number, "done": True, "problem": f"{type(error).__name__}: {error}"}
