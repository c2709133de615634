"""Serial ports: RFCOMM ttys, USB adapters and pseudo-terminals, over pyserial and asyncio.

One port carries answers and samples. While a dialogue runs, what arrives waits for `receive`; afterwards it goes to
the sink as frames of the channel ``"data"``, stamped when it was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

import serial
from serial_asyncio_fast import SerialTransport as PortTransport

from drivers.driver import Driver
from drivers.errors import AdapterError, ConnectError, DialogueError, LinkError, NotFoundError
from drivers.packet import Frame
from drivers.transport.transport import IN_USE_ADVICE, Clock, Connection, Sink, Transport

log = logging.getLogger(__name__)

OPEN_S = 30.0  # opening an RFCOMM tty pages the device, which the kernel gives up after about 20 s
SEARCH_S = 15.0
LOOK_S = 0.5  # how often to look for a tty that is not there
CLOSE_S = 2.0
MOST_WAITING_BYTES = 1 << 20  # of a dialogue: a device that sends more does not answer, it floods

LOCKED = (errno.EWOULDBLOCK, errno.EACCES)  # somebody else has the lock; other errors: there are no locks

DATA_CHANNEL = "data"


_open_ttys: set[Path] = set()
"""Ttys that this process has open, by their one true path: by two names, two devices would get half of it each."""


class SerialTransport(Transport):
    """The way to the device behind one tty."""

    def __init__(self, port: Path) -> None:
        self._port = port

    async def search(self) -> None:
        """Wait until the tty exists."""
        deadline = asyncio.get_running_loop().time() + SEARCH_S
        while not self._port.exists():
            if asyncio.get_running_loop().time() > deadline:
                raise NotFoundError(f"there is no {self._port}")
            await asyncio.sleep(LOOK_S)

    async def connect(self, driver: Driver, sink: Sink, clock_ns: Clock) -> Connection:
        """Open the tty, in a thread because that can block for as long as the radio pages."""
        path = self._port.resolve()
        if path in _open_ttys:
            raise ConnectError(f"{self._port} is the tty of another device of this gateway", advice=IN_USE_ADVICE)
        _open_ttys.add(path)
        try:
            port = await self._opened(driver.rates[0])
        except BaseException:
            _open_ttys.discard(path)
            raise
        connection = SerialConnection(driver, sink, clock_ns, closed=lambda: _open_ttys.discard(path))
        connection.open(port)
        return connection

    async def reset(self, error: LinkError) -> None:
        """Nothing helps a tty but opening it again."""

    async def _opened(self, rate: int) -> serial.Serial:
        """Open the tty. Raises LinkError."""
        opening = asyncio.ensure_future(asyncio.to_thread(_open, self._port, rate))
        try:
            async with asyncio.timeout(OPEN_S):
                return await asyncio.shield(opening)
        except (TimeoutError, asyncio.CancelledError) as problem:
            opening.add_done_callback(_close_late)
            if isinstance(problem, TimeoutError):
                raise ConnectError(f"{self._port} did not open within {OPEN_S:g} s") from problem
            raise
        except PermissionError as problem:
            raise AdapterError(f"no permission to open {self._port} (group 'dialout'?)") from problem
        except (serial.SerialException, OSError) as problem:
            raise ConnectError(f"could not open {self._port}: {problem}") from problem


def _open(path: Path, rate: int) -> serial.Serial:
    """Open for us alone where the system can lock a tty; network mounts may not. Raises ConnectError."""
    try:
        port = serial.Serial(str(path), rate, exclusive=True)
    except serial.SerialException as problem:
        if "lock" not in str(problem):
            raise
        if problem.errno in LOCKED:
            raise ConnectError(
                f"{path} is in use by another program on this computer", advice=IN_USE_ADVICE
            ) from problem
        log.warning("%s cannot be locked: nothing keeps another program from reading it too", path)
        port = serial.Serial(str(path), rate)
    with contextlib.suppress(OSError, ValueError, NotImplementedError):  # only real UARTs have the mode
        port.set_low_latency_mode(True)
    return port


def _close_late(opening: asyncio.Future[serial.Serial]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class SerialConnection(Connection, asyncio.Protocol):
    """An open tty."""

    _transport: PortTransport

    def __init__(
        self, driver: Driver, sink: Sink, clock_ns: Clock, *, closed: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(driver, sink, clock_ns)
        self._closed = closed
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._streaming = False

    def open(self, port: serial.Serial) -> None:
        """Take over an open port."""
        self._transport = PortTransport(asyncio.get_running_loop(), self, port)

    def data_received(self, data: bytes) -> None:
        """Asyncio's callback: stamp at once."""
        arrival_ns = self._clock_ns()
        if self._streaming:
            self._sink(Frame(arrival_ns, DATA_CHANNEL, data))
            return
        self._waiting.append((arrival_ns, data))
        self._waiting_bytes += len(data)
        self._arrived.set()
        if self._waiting_bytes > MOST_WAITING_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's callback: the port was closed, by us or by the other end."""
        log.debug("port closed: %s", exc)
        self._closed()
        self.lost.set()

    def begin_stream(self) -> None:
        """What still waits was behind the last answer: it is the beginning of the stream."""
        self._streaming = True
        while self._waiting:
            arrival_ns, data = self._waiting.popleft()
            self._sink(Frame(arrival_ns, DATA_CHANNEL, data))
        self._waiting_bytes = 0

    def begin_dialogue(self) -> None:
        """Keep what arrives for `receive`."""
        self._streaming = False

    async def subscribe(self, channel: str, characteristic: str) -> None:
        """A port has no characteristics."""
        raise DialogueError(f"a serial port has no characteristic {characteristic} for {channel}")

    async def read(self, characteristic: str) -> bytes:
        """A port has no characteristics."""
        raise DialogueError(f"a serial port has no characteristic {characteristic}")

    async def write(self, characteristic: str, data: bytes) -> None:
        """Write to the port, if the driver may."""
        self._check_write(characteristic, data)
        if self._transport.is_closing():
            raise DialogueError("the port is closed")
        self._transport.write(data)

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        """Take exactly ``count`` bytes; what came before a time-out stays for the next call."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._waiting_bytes < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as problem:
            raise DialogueError(f"no answer of {count} bytes within {timeout_s:g} s") from problem
        return self._consume(count)

    def _consume(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            arrival_ns, data = self._waiting.popleft()
            missing = count - len(taken)
            taken += data[:missing]
            if len(data) > missing:
                self._waiting.appendleft((arrival_ns, data[missing:]))
        self._waiting_bytes -= count
        return taken

    async def close(self) -> None:
        """Close the port."""
        if self.lost.is_set():
            return  # the transport is gone, and does not bear to be ended twice
        self._transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.lost.wait()
