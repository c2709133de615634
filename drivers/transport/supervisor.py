"""One supervised task a device: search, connect, start, watch, and begin again for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from drivers.driver import Driver
from drivers.errors import (
    DialogueError,
    DriverError,
    LinkError,
    LinkLostError,
    NotFoundError,
    OtherDeviceError,
    SilentStreamError,
)
from drivers.identity import Identity
from drivers.packet import Frame
from drivers.transport.ble import BleTransport
from drivers.transport.link_quality import LinkQuality
from drivers.transport.policy import STABLE_S, Action, decide, delay_s, longest_s
from drivers.transport.radios import Radios
from drivers.transport.serial_port import SerialTransport
from drivers.transport.silence import Silence
from drivers.transport.transport import Clock, Connection, Transport
from drivers.transport.udp import UdpTransport

log = logging.getLogger(__name__)

STOP_S = 3.0  # a stop dialogue that takes longer is given up: the next start dialogue begins with a stop anyway
NONSENSE_S = 15.0  # bytes that mean nothing for so long: the device sends at another rate now, or is another one
START_S = 60.0  # every step of a dialogue has its own limit; this one is for a device that answers for ever
MOMENT_S = 0.2  # between the answer that a link has ended under, and the word that it has

T = TypeVar("T")

NOBODY = Identity()  # nothing was connected yet

NONSENSE_ADVICE = (
    "Its baud rate is found anew; if this repeats, see that no other program sets it, and that the cable is whole."
)
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
        problem: A word for programs where the way to the device is not what is wrong: `drivers.errors`.
        identity: Serial number, tag and address of the device that is connected, or was last.
        doubt: Why it is not certain that it is the device that was met under this id before; empty if it is.
    """

    id: str
    state: State
    since_ns: int
    attempts: int = 0
    error: str = ""
    advice: str = ""
    problem: str = ""
    identity: Identity = NOBODY
    doubt: str = ""


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
        listen: For a UDP device: address and port of this computer.
        sender: For a UDP device: its address.
        known: Bluetooth address under which the device was met before; preferred among several of its name.
        judge: Says whether what a device tells of itself is right for this id: raises OtherDeviceError before any of
            its data is taken, and returns what doubt is left. Called on a thread, since it may read a file.
        chance: Source of the jitter.

    Attributes:
        link: How good the way to the device is.
    """

    def __init__(
        self,
        device_id: str,
        driver: Driver,
        *,
        sink: Callable[[str, Frame], None],
        on_state: Callable[[DeviceState], None],
        clock_ns: Clock,
        radio: Radios | None = None,
        address: str | None = None,
        name: str | None = None,
        port: Path | None = None,
        listen: tuple[str, int] | None = None,
        sender: str | None = None,
        known: str | None = None,
        judge: Callable[[Identity], str] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._id = device_id
        self._driver = driver
        self._sink = sink
        self._on_state = on_state
        self._clock_ns = clock_ns
        if driver.transport == "udp":
            self._transport: Transport = _network(driver, listen, sender)
        else:
            self._transport = _transport(driver, radio, address, name, port, known)
        self._judge = judge
        self._identity, self._doubt = NOBODY, ""
        self._chance = chance or random.Random()
        self._failures = 0
        self._short_streams = 0  # in a row
        self._error: Exception | None = None
        self._state: State | None = None
        self._live_from_s: float | None = None  # first and last live frame of this connection, on the loop's clock
        self._live_to_s = 0.0
        self._live_to_ns = 0  # the last one's stamp
        self._meant_s, self._meant_ns = 0.0, 0  # likewise of the last live frame that may have meant something
        self.link = LinkQuality()
        self._connection: Connection | None = None

    async def run(self) -> None:
        """Run until cancelled (state ``stopped``), or until what no time will heal (state ``failed``)."""
        self._transport.begin()
        try:
            while True:
                self._error = await self._attempt()
                self._count_failure()
                action = decide(self._error, self._failures)
                if action is Action.GIVE_UP:
                    self._report("failed")
                    return
                await self._recover(action, self._error)
        finally:
            self._transport.end()
            if self._state != "failed":
                self._report("stopped")

    async def blink(self) -> None:
        """Make the device show itself while its stream goes on; raises LinkError."""
        if self._connection is None or self._state != "streaming":
            raise NotFoundError(f"'{self._id}' is not connected at present")
        await self._driver.blink(self._connection)

    async def _attempt(self) -> Exception:
        """Go from searching to streaming; return what ended it."""
        self._live_from_s = None
        try:
            self._report("searching")
            await self._transport.search()
            self._report("connecting")
            connection = await self._transport.connect(self._driver, self._on_frame, self._clock_ns)
            self.link.connected(connection.radio, connection.signal_dbm)
            try:
                await self._identify(connection)
                self._connection = connection
                await self._stream(connection)
            finally:
                self._connection = None
                await self._leave(connection)
        except DriverError as error:
            return self._transport.explain(error)
        except Exception as error:  # a defect of one driver or library must not take the other devices down
            log.exception("%s: unexpected failure", self._id)
            return error
        finally:
            self._transport.release()

    async def _identify(self, connection: Connection) -> None:
        """Ask the device which one it is, and take it only if it is the right one. Raises LinkError."""
        identity = await self._hold(connection, self._driver.identify(connection), "the device was asked who it is")
        self._identity = replace(identity, address=connection.address)
        if self._judge is not None:
            self._doubt = await asyncio.to_thread(self._judge, self._identity)
        self._transport.confirm()

    async def _stream(self, connection: Connection) -> NoReturn:
        """Start the stream and watch it until it ends. Raises LinkError."""
        self._report("starting")
        await self._hold(connection, self._driver.start(connection), "the stream was being started")
        connection.begin_stream()
        asking = asyncio.create_task(self._ask_again(connection), name=f"refresh:{self._id}")
        try:
            await self._watch(connection)
        finally:
            asking.cancel()
            await asyncio.wait([asking])

    async def _watch(self, connection: Connection) -> NoReturn:
        """Wait until the stream ends. Raises LinkError."""
        loop = asyncio.get_running_loop()
        silence = Silence(self._driver.silence_s, self._clock_ns, loop.time())
        nonsense = Silence(max(NONSENSE_S, self._driver.silence_s), self._clock_ns, loop.time())
        while True:
            if self._live_from_s is not None:
                silence.heard(self._live_to_s, self._live_to_ns)
                nonsense.heard(self._meant_s, self._meant_ns)
            left_s = min(silence.left_s(loop.time()), nonsense.left_s(loop.time()))
            if not left_s:
                self._error = _nonsense() if silence.left_s(loop.time()) else _silent(self._driver.silence_s)
                self._report("silent")
                raise self._error
            until_s = loop.time() + left_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until_s):
                    await connection.lost.wait()
                raise LinkLostError("the link was lost")
            silence.woke(loop.time() - until_s)
            nonsense.woke(loop.time() - until_s)

    async def _ask_again(self, connection: Connection) -> None:
        """Ask now and then for what the device does not tell by itself."""
        every_s = self._driver.refresh_s
        while every_s is not None:
            await asyncio.sleep(every_s)
            try:
                await self._driver.refresh(connection)
            except LinkError as problem:
                log.debug("%s: asked again: %s", self._id, problem)

    async def _hold(self, connection: Connection, dialogue: Coroutine[Any, Any, T], when: str) -> T:
        """Hold a dialogue as long as the link is up. Raises LinkError."""
        talking = asyncio.create_task(dialogue, name=f"start:{self._id}")
        lost = asyncio.create_task(connection.lost.wait(), name=f"lost:{self._id}")
        tasks: tuple[asyncio.Task[Any], ...] = (talking, lost)
        try:
            await asyncio.wait(tasks, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_done = talking.done()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if was_done and not (isinstance(talking.exception(), DialogueError) and await _is_lost(connection)):
            return talking.result()
        if connection.lost.is_set():
            raise LinkLostError(f"the link was lost while {when}", at_start=True)
        raise DialogueError(f"no end within {START_S:g} s while {when}")

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
        self._report("failed" if isinstance(error, OtherDeviceError) else "waiting")
        if action is Action.RESET and isinstance(error, LinkError):
            try:
                await self._transport.reset(error)
            except LinkError as problem:
                log.debug("%s: reset: %s", self._id, problem)
                if problem.problem:  # it says more than what it was to help against
                    self._error = problem
                    self._report("waiting")
        longest = longest_s(error, streamed=self._live_from_s is not None)
        await asyncio.sleep(min(longest, delay_s(self._failures, self._chance.random())))

    def _on_frame(self, frame: Frame) -> None:
        self.link.arrived(frame.arrival_ns)
        if frame.channel in self._driver.live:
            self._live_to_s, self._live_to_ns = asyncio.get_running_loop().time(), frame.arrival_ns
            if self._driver.means(frame):
                self._meant_s, self._meant_ns = self._live_to_s, self._live_to_ns
            if self._live_from_s is None:
                self._live_from_s = self._live_to_s
                self._error = None
                self._report("streaming")
        self._sink(self._id, frame)

    def _count_failure(self) -> None:
        """Count on; from 1 after a stream, and from the short streams before it where it was short itself."""
        if self._live_from_s is None:
            self._failures += 1
            return
        self._short_streams = 0 if self._live_to_s - self._live_from_s >= STABLE_S else self._short_streams + 1
        self._failures = max(1, self._short_streams)

    def _report(self, state: State) -> None:
        self._state = state
        error, advice, problem = "", "", ""
        if self._error is not None:
            error = str(self._error) or type(self._error).__name__
            advice = self._error.advice if isinstance(self._error, DriverError) else DEFECT_ADVICE
            problem = self._error.problem if isinstance(self._error, DriverError) else ""
        self._on_state(
            DeviceState(
                self._id, state, self._clock_ns(), self._failures, error, advice, problem, self._identity, self._doubt
            )
        )


async def _is_lost(connection: Connection) -> bool:
    """Whether the link is lost, or said to be within a moment: what was asked may be said to have failed before."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MOMENT_S):
            await connection.lost.wait()
    return connection.lost.is_set()


def _silent(longest_s: float) -> SilentStreamError:
    return SilentStreamError(f"no sample for {longest_s:g} s")


def _nonsense() -> SilentStreamError:
    return SilentStreamError(f"nothing but bytes that mean nothing for {NONSENSE_S:g} s", advice=NONSENSE_ADVICE)


def _network(driver: Driver, listen: tuple[str, int] | None, sender: str | None) -> Transport:
    if listen is None or sender is None:
        raise ValueError(f"driver '{driver.name}' needs an address to listen on, and a sender")
    return UdpTransport(listen, sender)


def _transport(  # noqa: PLR0917 - the ways to a device, as they are configured
    driver: Driver, radio: Radios | None, address: str | None, name: str | None, port: Path | None, known: str | None
) -> Transport:
    if driver.transport == "serial":
        if port is None:
            raise ValueError(f"driver '{driver.name}' needs a port")
        return SerialTransport(port)
    if radio is None:
        raise ValueError(f"driver '{driver.name}' needs a radio")
    return BleTransport(radio, address=address, name=name, service=driver.service, known=known)
