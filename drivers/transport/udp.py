"""Datagrams over the network: one address and port of this computer a device, and one address that may send to it.

One datagram is one frame of the channel ``"measurement"``, stamped when it was read; an oversized one is cut, and so no
frame to its decoder. Nothing is ever sent. A datagram
of any other address is not looked into: it is counted, and how many there were is told in frames of the channel
``"foreign"``. That the sender is the configured one is as good as the network: an address can be forged.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections import deque
from collections.abc import Callable

from drivers.driver import Driver
from drivers.errors import AdapterError, ConnectError, DialogueError, LinkError, NotFoundError
from drivers.packet import Frame
from drivers.transport.transport import IN_USE_ADVICE, Clock, Connection, Sink, Transport

log = logging.getLogger(__name__)

SEARCH_S = 15.0
MOST_WAITING = 4096  # datagrams of a dialogue; what comes beyond them is lost, as on the network
MOST_BYTES = 2048  # of a datagram: no device sends as many, and what waits must not fill the memory
FOREIGN_EVERY_NS = 1_000_000_000  # whoever floods the port makes no flood of frames
FOREIGN_BYTES = 4
CLOSE_S = 2.0

DATAGRAM_CHANNEL = "measurement"
FOREIGN_CHANNEL = "foreign"

ADVICE = "Is it switched on and in the network, and told to send to this address and port? Does a firewall let it in?"

Received = Callable[[bytes], None]


class Port(asyncio.DatagramProtocol):
    """A port of this computer that hears one sender.

    Args:
        sender: The address that may send.

    Attributes:
        heard: Set once the sender was heard.
        closed: Set once the port is closed.
        strangers: Datagrams of other addresses, all together.
        stranger: The address of the newest of them.
        received: Told of each datagram of the sender; until somebody takes it, they wait in `waiting`.
        refused: Told of each datagram of another address.
    """

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self.heard = asyncio.Event()
        self.closed = asyncio.Event()
        self.strangers = 0
        self.stranger = ""
        self.waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self.received: Received = self.waiting.append
        self.refused: Callable[[], None] = lambda: None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio's callback."""
        if addr[0] != self._sender:
            self.strangers += 1
            self.stranger = addr[0]
            self.refused()
            return
        self.heard.set()
        self.received(data[:MOST_BYTES])

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's callback: the port is closed."""
        log.debug("port closed: %s", exc)
        self.closed.set()


class UdpTransport(Transport):
    """The way to a device that sends datagrams.

    Args:
        listen: Address and port of this computer.
        sender: Address of the device.
    """

    def __init__(self, listen: tuple[str, int], sender: str) -> None:
        self._listen = listen
        self._sender = sender
        self._open: tuple[asyncio.DatagramTransport, Port] | None = None

    async def search(self) -> None:
        """Listen until the device is heard."""
        self.release()
        transport, port = self._open = await self._opened()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEARCH_S):
                await port.heard.wait()
                return
        transport.abort()
        others = f"; {port.strangers} datagrams of others, the last of {port.stranger}" if port.strangers else ""
        raise NotFoundError(f"nothing of {self._sender} came to {self._where()}{others}", advice=ADVICE)

    async def connect(self, driver: Driver, sink: Sink, clock_ns: Clock) -> Connection:
        """Take over the port on which the device was heard."""
        if self._open is None or self._open[1].closed.is_set():
            raise NotFoundError("the device has not been searched for")
        found, self._open = self._open, None
        return UdpConnection(driver, sink, clock_ns, *found)

    def release(self) -> None:
        """Close a port that nobody took over."""
        if self._open is not None:
            self._open[0].abort()
            self._open = None

    async def reset(self, error: LinkError) -> None:
        """Nothing helps a port but opening it again."""

    def _where(self) -> str:
        host, port = self._listen
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def _opened(self) -> tuple[asyncio.DatagramTransport, Port]:
        """Open the port. Raises LinkError."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_datagram_endpoint(lambda: Port(self._sender), local_addr=self._listen)
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                text = f"{self._where()} is in use by another program on this computer"
                raise ConnectError(text, advice=IN_USE_ADVICE) from problem
            if problem.errno == errno.EADDRNOTAVAIL:
                text = f"this computer has no address {self._listen[0]} at present"
                raise AdapterError(text, advice="Is the network plugged in? Check 'listen' of the device.") from problem
            raise AdapterError(f"{self._where()} cannot be listened on: {problem.strerror or problem}") from problem


class UdpConnection(Connection):
    """A port on which a device is heard."""

    def __init__(
        self, driver: Driver, sink: Sink, clock_ns: Clock, transport: asyncio.DatagramTransport, port: Port
    ) -> None:
        super().__init__(driver, sink, clock_ns)
        self._transport = transport
        self._port = port
        self._arrived = asyncio.Event()
        self._told, self._told_ns = 0, clock_ns() - FOREIGN_EVERY_NS
        port.received = self._kept
        port.refused = self._tell_of_strangers
        self._watching = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        await self._port.closed.wait()
        self.lost.set()

    def begin_stream(self) -> None:
        """What still waits was behind what the dialogue took: it is the beginning of the stream."""
        self._port.received = self._streamed
        while self._port.waiting:
            self._streamed(self._port.waiting.popleft())
        self._tell_of_strangers()

    def begin_dialogue(self) -> None:
        """Nobody listens any more."""
        self._port.received = self._kept

    async def datagram(self, *, timeout_s: float = 2.0) -> bytes:
        """Take the next datagram."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._port.waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as problem:
            raise DialogueError(f"no datagram within {timeout_s:g} s") from problem
        return self._port.waiting.popleft()

    async def subscribe(self, channel: str, characteristic: str) -> None:
        """Datagrams have no characteristics."""
        raise DialogueError(f"a UDP port has no characteristic {characteristic} for {channel}")

    async def read(self, characteristic: str) -> bytes:
        """Datagrams have no characteristics."""
        raise DialogueError(f"a UDP port has no characteristic {characteristic}")

    async def write(self, characteristic: str, data: bytes) -> None:
        """Nothing is ever sent."""
        self._check_write(characteristic, data)
        raise DialogueError("nothing is sent over UDP")

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        """There is no stream of bytes."""
        raise DialogueError(f"a UDP port has no {count} bytes to receive within {timeout_s:g} s: it has datagrams")

    async def close(self) -> None:
        """Close the port."""
        self._port.received = self._port.waiting.append
        self._port.refused = lambda: None
        self._transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._watching

    def _streamed(self, data: bytes) -> None:
        self._sink(Frame(self._clock_ns(), DATAGRAM_CHANNEL, data))

    def _kept(self, data: bytes) -> None:
        self._port.waiting.append(data)
        self._arrived.set()

    def _tell_of_strangers(self) -> None:
        """Tell how many datagrams of others came since the last time, if that is a while ago."""
        new, now_ns = self._port.strangers - self._told, self._clock_ns()
        if new and now_ns >= self._told_ns + FOREIGN_EVERY_NS:
            self._told, self._told_ns = self._port.strangers, now_ns
            count = min(new, (1 << 8 * FOREIGN_BYTES) - 1)
            self._sink(Frame(now_ns, FOREIGN_CHANNEL, count.to_bytes(FOREIGN_BYTES, "big")))
