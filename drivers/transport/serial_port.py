"""Serial ports: RFCOMM ttys, USB adapters and pseudo-terminals, over pyserial and asyncio.

One port carries answers and samples. While a dialogue runs, what arrives waits for `receive`; afterwards it goes to
the sink as frames of the channel ``"data"``, stamped when it was read.

A port is looked for by its name each time (`drivers.transport.ports`), opened for this gateway alone, and set to the
rate at which its driver hears the device.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import serial
from serial_asyncio_fast import SerialTransport as PortTransport

from drivers.driver import Driver
from drivers.errors import ConnectError, DialogueError, LinkError, LinkLostError, NotFoundError
from drivers.packet import Frame
from drivers.transport.port_errors import in_use, not_opened
from drivers.transport.ports import ROOT, find_port, holders, usb_name
from drivers.transport.transport import IN_USE_ADVICE, Clock, Connection, Sink, Transport

log = logging.getLogger(__name__)

OPEN_S = 30.0  # opening an RFCOMM tty pages the device, which the kernel gives up after about 20 s
SEARCH_S = 15.0
LOOK_S = 0.5  # how often to look for a tty that is not there
CLOSE_S = 2.0
LOOK_AGAIN_S = 0.1  # a program that only looks at a port has let go of it by then
ROUNDS = 2  # through the rates of a device: a computer that is busy, or a device that is, may miss an answer
SETTLE_S = 0.05  # after a change of rate: what was on the way at the old one is thrown away
MOST_WAITING_BYTES = 1 << 20  # of a dialogue: a device that sends more does not answer, it floods

LOCKED = (errno.EWOULDBLOCK, errno.EACCES)  # somebody else has the lock; other errors: there are no locks
TIOCEXCL = 0x540C  # of ioctl: nobody else may open this tty (ioctl_tty(2))
PSEUDO_TERMINALS = Path("/dev/pts")  # of simulators, who look into theirs

ABSENT_ADVICE = "Is it plugged in and switched on? 'rehab-gateway doctor' lists the ports that this computer has."
RATE_ADVICE = "Is it switched on, and the kind of device that the configuration says?"

DATA_CHANNEL = "data"


_open_ttys: set[Path] = set()
"""Ttys that this process has open, by their one true path: by two names, two devices would get half of it each."""


class SerialTransport(Transport):
    """The way to the device behind one tty.

    Args:
        port: Path of the tty, or ``usb:vendor:product:serial`` of its adapter.
        root: Where the files of this computer are.
    """

    def __init__(self, port: Path, *, root: Path = ROOT) -> None:
        self._port = port
        self._root = root
        self._rate: int | None = None  # at which the device was heard last

    async def search(self) -> None:
        """Wait until the port is there. Raises NotFoundError, AmbiguousDeviceError."""
        deadline = asyncio.get_running_loop().time() + SEARCH_S
        while find_port(self._port, self._root) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise NotFoundError(f"there is no {self._port}", advice=ABSENT_ADVICE)
            await asyncio.sleep(LOOK_S)

    async def connect(self, driver: Driver, sink: Sink, clock_ns: Clock) -> Connection:
        """Open the tty, in a thread because that can block for as long as the radio pages; find its rate."""
        tty = find_port(self._port, self._root)
        if tty is None:
            raise NotFoundError(f"there is no {self._port}", advice=ABSENT_ADVICE)
        path = tty.resolve()
        if path in _open_ttys:
            raise ConnectError(f"{self._port} is the tty of another device of this gateway", advice=IN_USE_ADVICE)
        _open_ttys.add(path)
        try:
            port = await self._opened(tty, driver.rates[0])
        except BaseException:
            _open_ttys.discard(path)
            raise
        connection = SerialConnection(driver, sink, clock_ns, closed=lambda: _open_ttys.discard(path))
        connection.address = usb_name(tty, self._root)
        connection.open(port)
        if len(driver.rates) > 1:
            try:
                await self._find_rate(driver, connection)
            except BaseException:
                await connection.close()
                raise
        return connection

    async def reset(self, error: LinkError) -> None:
        """Nothing helps a tty but opening it again."""

    async def _opened(self, tty: Path, rate: int) -> serial.Serial:
        """Open the tty. Raises LinkError."""
        opening = asyncio.ensure_future(asyncio.to_thread(_open, tty, rate))
        try:
            async with asyncio.timeout(OPEN_S):
                return await asyncio.shield(opening)
        except (TimeoutError, asyncio.CancelledError) as problem:
            opening.add_done_callback(_close_late)
            if isinstance(problem, TimeoutError):
                raise ConnectError(f"{tty} did not open within {OPEN_S:g} s") from problem
            raise
        except (serial.SerialException, OSError) as problem:
            raise not_opened(tty, problem) from problem

    async def _find_rate(self, driver: Driver, connection: SerialConnection) -> None:
        """Set the rate at which the driver hears the device, the last one first. Raises LinkError."""
        known = [] if self._rate is None else [self._rate]
        for rate in ROUNDS * [*known, *(rate for rate in driver.rates if rate not in known)]:
            if await connection.set_rate(rate) and await driver.probe(connection):
                self._rate = rate
                return
            if connection.lost.is_set():
                raise LinkLostError(f"{self._port} went away while it was asked at {rate} baud")
        rates = ", ".join(map(str, driver.rates))
        raise DialogueError(f"no answer on {self._port} at any of its rates ({rates} baud)", advice=RATE_ADVICE)


def _open(path: Path, rate: int) -> serial.Serial:
    """Open for us alone where the system can lock a tty; network mounts may not. Raises ConnectError."""
    if holders(path):
        time.sleep(LOOK_AGAIN_S)
        if others := holders(path):
            raise in_use(path, others)
    try:
        port = serial.Serial(str(path), rate, exclusive=True)
    except serial.SerialException as problem:
        if "lock" not in str(problem):
            raise
        if problem.errno in LOCKED:
            raise in_use(path, holders(path)) from problem
        log.warning("%s cannot be locked: nothing keeps another program from reading it too", path)
        port = serial.Serial(str(path), rate)
    if PSEUDO_TERMINALS not in path.resolve().parents:
        keep_others_out(port.fileno())
    with contextlib.suppress(OSError, ValueError, NotImplementedError):  # only real UARTs have the mode
        port.set_low_latency_mode(True)
    return port


def keep_others_out(fd: int) -> None:
    """Have the kernel refuse an open tty to programs that know no locks; until it is closed."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, TIOCEXCL)


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

    async def set_rate(self, rate: int) -> bool:
        """Set the baud rate, and forget what was heard at another; False if the port does not know it."""
        port = self._transport.serial
        if port is None or self._transport.is_closing():
            return False
        try:
            port.baudrate = rate
            await asyncio.sleep(SETTLE_S)
            port.reset_input_buffer()
        except (serial.SerialException, OSError, ValueError):
            return False
        self._waiting.clear()
        self._waiting_bytes = 0
        return True

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
