"""The door of the dashboard: accepts connections, and goes on when there are more than the machine can hold."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from gateway.dashboard.connections import HEADERS_WITHIN_S, Connection, Connections

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that the kernel keeps for us, at most what it allows (net.core.somaxconn): what does not fit tries again
after a second by itself (TCP), and a flood of a thousand would have a nurse wait for that second."""
SILENT_S = 10
"""The kernel keeps to itself who has connected and says nothing, so long at least (TCP_DEFER_ACCEPT, tcp(7)): a browser
speaks first, with TLS and without it. A storm of such connections costs nobody a place, whatever their address."""
AT_ONCE = 16
"""Connections accepted before others have a turn."""
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
BACK_OFF_S = 0.25
REPORT_EVERY_S = 60.0
GOODBYE_S = 2.0
"""What the end of a TLS connection may take."""
MOST_DESCRIPTORS = 16384
"""More is of no use to us, and a limit in the millions costs each child process."""
UNSENT_BYTES = 64 << 10
"""That the kernel takes ahead of a connection: it would take megabytes, and tell nothing until a third of them is sent.
Who reads slowly would pass for one who reads nothing, and a live page would get states of a while ago."""
FOR_THE_REST = 200
"""File descriptors that connections leave: the history, the log, static files, the broker."""


def raise_descriptor_limit() -> int:
    """Allow ourselves as many file descriptors as we may have; return how many connections that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    free = MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(free - FOR_THE_REST, free // 2)


class Door:
    """Listens, and gives each connection its place or none.

    Args:
        connections: Who gives the places.
        speak: Makes what speaks HTTP on a connection.
        tls: What TLS needs; None is plain.
    """

    def __init__(
        self, connections: Connections, speak: Callable[[], asyncio.Protocol], *, tls: ssl.SSLContext | None
    ) -> None:
        self._connections = connections
        self._speak = speak
        self._tls = tls
        self._sockets: list[socket.socket] = []
        self._greeting: dict[asyncio.Task[None], socket.socket] = {}
        self._reported_at = -REPORT_EVERY_S

    async def listen(self, host: str, port: int) -> None:
        """Listen on every address that a host name has; raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
                self._sockets.append(_listening(family, address))
        except OSError:
            self.close()
            raise

    async def run(self) -> None:
        """Accept until cancelled."""
        async with asyncio.TaskGroup() as group:
            for listening in self._sockets:
                group.create_task(self._accept(listening), name="dashboard accept")

    def close(self) -> None:
        """Let nobody in any more."""
        for listening in self._sockets:
            listening.close()
        for accepted in self._greeting.values():
            _hang_up(accepted)
        self._sockets.clear()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(AT_ONCE):
                try:
                    accepted, address = await loop.sock_accept(listening)
                except OSError as error:
                    if error.errno in OUT_OF_RESOURCES:
                        await self._back_off(error)
                    continue  # anything else is the end of one who was still in the queue (accept(2))
                self._greet(accepted, str(address[0]))
            await asyncio.sleep(0)  # accepting from a full queue never waits by itself

    async def _back_off(self, error: OSError) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._reported_at + REPORT_EVERY_S:
            self._reported_at = now
            log.error("cannot accept connections: %s (%d are open)", error.strerror, len(self._connections))
        self._connections.make_room()
        await asyncio.sleep(BACK_OFF_S)

    def _greet(self, accepted: socket.socket, peer: str) -> None:
        connection = self._connections.open(peer, end=partial(_hang_up, accepted), speak=self._speak)
        if connection is None:
            accepted.close()
            return
        task = asyncio.create_task(self._hand_over(accepted, connection), name="dashboard connection")
        self._greeting[task] = accepted
        task.add_done_callback(partial(self._greeted, connection))

    async def _hand_over(self, accepted: socket.socket, connection: Connection) -> None:
        if connection.ended:  # it gave way before its turn came
            accepted.close()
            return
        loop = asyncio.get_running_loop()
        patience = {"ssl_handshake_timeout": HEADERS_WITHIN_S, "ssl_shutdown_timeout": GOODBYE_S} if self._tls else {}
        await loop.connect_accepted_socket(lambda: connection, accepted, ssl=self._tls, **patience)

    def _greeted(self, connection: Connection, task: asyncio.Task[None]) -> None:
        """Forget what was not handed over: no TLS, or gone."""
        del self._greeting[task]
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self._connections.closed(connection)
        if error is not None and not isinstance(error, OSError):
            log.error("a connection failed", exc_info=error)


def _hang_up(accepted: socket.socket) -> None:
    """End a connection that has no transport yet, and leave its socket to the transport that is being made of it.

    Closed here, its number would be the next connection's, which the loop would then take for this one: nothing that
    came on it was heard.
    """
    with suppress(OSError):
        accepted.shutdown(socket.SHUT_RDWR)


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)  # of each that is accepted
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_S)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made
