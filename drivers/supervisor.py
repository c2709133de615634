"""One supervised task a device: search, connect, start, watch, and begin again for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from drivers.ble import BleTransport
from drivers.driver import Driver
from drivers.errors import DialogueError, DriverError, LinkError, LinkLostError, SilentStreamError
from drivers.packet import Frame
from drivers.policy import STABLE_S, Action, decide, delay_s
from drivers.radio import Radio
from drivers.serial_port import SerialTransport
from drivers.transport import Clock, Connection, Transport

log = logging.getLogger(__name__)

STOP_S = 3.0  # a stop dialogue that takes longer is given up: the next start dialogue begins with a stop anyway
START_S = 60.0  # every step of a dialogue has its own limit; this one is for a device that answers for ever

DEFECT_ADVICE = "This is a defect of the gateway: report it."

State = Literal["searching", "connecting", "starting", "streaming", "silent", "waiting", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What a device is doing.

    Attributes:
        id: Device.
        state: One of `State`.
        since_ns: Gateway monotonic time at which it began.
        attempts: Failures in a row so far.
        error: What went wrong last; empty while all is well.
        advice: What can be done about it.
    """

    id: str
    state: State
    since_ns: int
    attempts: int = 0
    error: str = ""
    advice: str = ""


class DeviceSupervisor:
    """Keeps one device streaming.

    Args:
        device_id: Its id, handed through to ``sink`` and ``on_state``.
        driver: Its driver.
        sink: Takes each frame as it arrives; called on the event loop, must not block.
        on_state: Told of each change. ``starting`` comes once for each new connection, before its first frame.
        clock_ns: The gateway's monotonic clock.
        radio: For a BLE device; with ``address`` or ``name``, or neither to take any that the driver can read.
        address: Bluetooth address.
        name: Bluetooth name.
        port: For a serial device: its tty.
        chance: Source of the jitter.
    """

    def __init__(
        self,
        device_id: str,
        driver: Driver,
        *,
        sink: Callable[[str, Frame], None],
        on_state: Callable[[DeviceState], None],
        clock_ns: Clock,
        radio: Radio | None = None,
        address: str | None = None,
        name: str | None = None,
        port: Path | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._id = device_id
        self._driver = driver
        self._sink = sink
        self._on_state = on_state
        self._clock_ns = clock_ns
        self._transport = _transport(driver, radio, address, name, port)
        self._chance = chance or random.Random()
        self._failures = 0
        self._error: Exception | None = None
        self._state: State | None = None
        self._live_from_s: float | None = None  # first and last live frame of this connection, on the loop's clock
        self._live_to_s = 0.0

    async def run(self) -> None:
        """Run until cancelled (state ``stopped``), or until what no time will heal (state ``failed``)."""
        try:
            while True:
                self._error = await self._attempt()
                self._failures = 1 if self._was_stable() else self._failures + 1
                action = decide(self._error, self._failures)
                if action is Action.GIVE_UP:
                    self._tell("failed")
                    return
                await self._recover(action, self._error)
        finally:
            if self._state != "failed":
                self._tell("stopped")

    async def _attempt(self) -> Exception:
        """Go from searching to streaming; return what ended it."""
        self._live_from_s = None
        try:
            self._tell("searching")
            await self._transport.search()
            self._tell("connecting")
            connection = await self._transport.connect(self._driver, self._take, self._clock_ns)
            try:
                await self._stream(connection)
            finally:
                await self._leave(connection)
        except DriverError as error:
            return error
        except Exception as error:  # a defect of one driver or library must not take the other devices down
            log.exception("%s: unexpected failure", self._id)
            return error

    async def _stream(self, connection: Connection) -> NoReturn:
        """Start the stream and watch it until it ends. Raises LinkError."""
        self._tell("starting")
        await self._start(connection)
        connection.begin_stream()
        loop = asyncio.get_running_loop()
        started_s, silence_s = loop.time(), self._driver.silence_s
        while True:
            heard_s = started_s if self._live_from_s is None else max(started_s, self._live_to_s)
            if loop.time() - heard_s >= silence_s:
                self._error = SilentStreamError(f"no sample for {silence_s:g} s")
                self._tell("silent")
                raise self._error
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(heard_s + silence_s):
                    await connection.lost.wait()
                raise LinkLostError("the link was lost")

    async def _start(self, connection: Connection) -> None:
        """Hold the start dialogue as long as the link is up."""
        dialogue = asyncio.create_task(self._driver.start(connection), name=f"start:{self._id}")
        lost = asyncio.create_task(connection.lost.wait(), name=f"lost:{self._id}")
        tasks = (dialogue, lost)
        try:
            await asyncio.wait(tasks, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_done = dialogue.done()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if was_done:
            dialogue.result()
        elif connection.lost.is_set():
            raise LinkLostError("the link was lost while the stream was being started")
        else:
            raise DialogueError(f"the stream was not started within {START_S:g} s")

    async def _leave(self, connection: Connection) -> None:
        """Stop the stream if the device is still there, and let go of it."""
        try:
            if not connection.lost.is_set():
                connection.begin_dialogue()
                async with asyncio.timeout(STOP_S):
                    await self._driver.stop(connection)
        except (LinkError, TimeoutError) as problem:
            log.debug("%s: stop dialogue: %s", self._id, problem)
        finally:
            await connection.close()

    async def _recover(self, action: Action, error: Exception) -> None:
        if action is Action.RETRY:
            return
        self._tell("waiting")
        if action is Action.RESET and isinstance(error, LinkError):
            try:
                await self._transport.reset(error)
            except LinkError as problem:
                log.debug("%s: reset: %s", self._id, problem)
        await asyncio.sleep(delay_s(self._failures, self._chance.random()))

    def _take(self, frame: Frame) -> None:
        if frame.channel in self._driver.live:
            self._live_to_s = asyncio.get_running_loop().time()
            if self._live_from_s is None:
                self._live_from_s = self._live_to_s
                self._error = None
                self._tell("streaming")
        self._sink(self._id, frame)

    def _was_stable(self) -> bool:
        return self._live_from_s is not None and self._live_to_s - self._live_from_s >= STABLE_S

    def _tell(self, state: State) -> None:
        self._state = state
        error, advice = "", ""
        if self._error is not None:
            error = str(self._error) or type(self._error).__name__
            advice = self._error.advice if isinstance(self._error, DriverError) else DEFECT_ADVICE
        self._on_state(DeviceState(self._id, state, self._clock_ns(), self._failures, error, advice))


def _transport(
    driver: Driver, radio: Radio | None, address: str | None, name: str | None, port: Path | None
) -> Transport:
    if driver.transport == "serial":
        if port is None:
            raise ValueError(f"driver '{driver.name}' needs a port")
        return SerialTransport(port)
    if radio is None:
        raise ValueError(f"driver '{driver.name}' needs a radio")
    return BleTransport(radio, address=address, name=name, service=driver.service)
