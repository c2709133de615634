"""Who is connected, how long anybody may take, and who gives way when there is no place left.

A connection is a stranger's until it brings a request of somebody who is signed in. Strangers have a few places an
address and a part of all; when these are taken, the one that has waited longest gives way to the newest, so that
whoever asks at once gets through a crowd that does not. Who is signed in gives way to nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from aiohttp import StreamReader, web

from gateway.dashboard.proxies import neighbourhood

log = logging.getLogger(__name__)

HEADERS_WITHIN_S = 10.0
"""From the connection, or from the first byte after an answer, to the end of a request's headers; TLS counts."""
IDLE_S = 75.0
"""A connection on which nothing is asked is kept so long: what browsers and nginx expect."""
ANSWER_WITHIN_S = 30.0
"""From the headers to the answer, of what is no stream."""
READ_WITHIN_S = 20.0
"""Who does not read what we send for so long is gone: a live page has had forty newer states by then."""
AHEAD_BYTES = 64 << 10
"""That we take ahead of whoever reads, after which there is nothing more until most of it is read. With TLS it would be
half a megabyte: whoever reads 20 kB a second would pass for one who reads nothing, and a live page get old states."""
FRESH_S = 1.0
"""Whoever has just come will ask at once, if at all."""
SWEEP_S = 0.5
REPORT_S = 60.0
"""A flood is told once in so long, with its numbers."""
MOST = 2000
"""Connections of everybody: ten times the pages that may be open."""
OF_STRANGERS = 500
"""Of them those of nobody who is signed in."""
OF_ONE_ADDRESS = 64
"""Of these those of one address; a browser opens six."""
OF_A_PROXY = 400
"""A named proxy carries everybody's; it has limits and deadlines of its own."""
OF_ONE_BROWSER = 64
OF_ONE_USER = 256
"""Of a browser that is signed in, and of an account that many screens may share."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is signed in on a connection: a browser, and the user in it."""

    browser: object
    user: str


HERE = Owner("", "")
"""Whoever asks a dashboard without users: all of them are on this machine, and none can be told from the other."""


class Connection(asyncio.Protocol):
    """Passes on between the transport and aiohttp's protocol, and notes since when what is waited for.

    Args:
        address: Where it comes from, as limits count it.
        is_proxy: Whether that is a proxy, so that the next request on it may be anybody's.
        end: Ends it, as long as there is no transport.
        gone: Is told when it is closed.
        clock: Monotonic seconds.

    Attributes:
        owner: Who is signed in on it; None is a stranger.
        since: When it came, or its last request, monotonic seconds.
        idle: Whether it was answered, and has asked nothing since.
        ended: Whether it had to go.
        inner: What speaks HTTP on it.
    """

    def __init__(
        self,
        address: str,
        *,
        is_proxy: bool,
        end: Callable[[], object],
        gone: Callable[[Connection], None],
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self.is_proxy = is_proxy
        self.owner: Owner | None = None
        self.idle = False
        self.ended = False
        self.inner: asyncio.Protocol | None = None
        self._end = end
        self._gone = gone
        self._clock = clock
        self.since = clock()
        self._due = self.since + HEADERS_WITHIN_S
        self._body: StreamReader | None = None
        self._unread_since: float | None = None

    @property
    def asking(self) -> bool:
        """Whether a request has come whole and is being answered."""
        return self._body is not None and self._body.is_eof()

    def begin_request(self, body: StreamReader) -> None:
        """Note that headers have come, and what is to come after them."""
        self._body, self.idle = body, False
        self.since = self._clock()
        self._due = self.since + ANSWER_WITHIN_S

    def stream(self) -> None:
        """Note that the answer is a stream, which has no end."""
        self._due = NEVER

    def end_request(self) -> None:
        """Note that it was answered."""
        self._body, self.idle = None, True
        self._due = self._clock() + IDLE_S

    def is_overdue(self) -> bool:
        """Whether it takes longer than anybody may."""
        now = self._clock()
        return now > self._due or (self._unread_since is not None and now > self._unread_since + READ_WITHIN_S)

    def end(self) -> None:
        """End it at once."""
        self.ended = True
        self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass on."""
        assert isinstance(transport, asyncio.Transport)
        assert self.inner is not None
        self._end = transport.abort
        transport.set_write_buffer_limits(high=AHEAD_BYTES)
        self.inner.connection_made(transport)
        if self.ended:  # while TLS was made
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on; the first byte after an answer begins a request."""
        if self.idle:
            self.idle = False
            self._due = self._clock() + HEADERS_WITHIN_S
        assert self.inner is not None
        self.inner.data_received(data)

    def eof_received(self) -> None:
        """Pass on."""
        assert self.inner is not None
        self.inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on; from now on nobody reads."""
        assert self.inner is not None
        self._unread_since = self._clock()
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        assert self.inner is not None
        self._unread_since = None
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on."""
        assert self.inner is not None
        self.inner.connection_lost(exc)
        self._gone(self)


class Connections:
    """Every connection there is.

    Args:
        most: How many there may be: `MOST`, or what the machine can give.
        is_proxy: Whether an address is a named proxy's.
        clock: Monotonic seconds.

    Attributes:
        ended: Connections that had to go, or got no place, by reason.
    """

    def __init__(
        self,
        *,
        most: int = MOST,
        is_proxy: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.ended: Counter[str] = Counter()
        self._most = most
        self._of_strangers = min(OF_STRANGERS, most // 2)
        self._is_proxy = is_proxy
        self._clock = clock
        self._open: dict[Connection, None] = {}  # in the order in which they came
        self._speaking: dict[object, Connection] = {}
        self._strangers: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()
        self._report_due = 0.0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def strangers(self) -> int:
        """How many are of nobody who is signed in."""
        return self._strangers.total()

    def open(self, peer: str, *, end: Callable[[], object], speak: Callable[[], asyncio.Protocol]) -> Connection | None:
        """Give a new connection a place, for which a stranger's may have to go; None if there is none.

        Args:
            peer: The address it comes from.
            end: Ends it, before it has a transport.
            speak: Makes what speaks HTTP on it.
        """
        address, is_proxy = neighbourhood(peer), self._is_proxy(peer)
        most_here = OF_A_PROXY if is_proxy else OF_ONE_ADDRESS
        if self._strangers[address] >= most_here and not self._give_way("too many of one address", address):
            return None
        full = self.strangers >= self._of_strangers or len(self) >= self._most
        if full and not self._give_way("too many that are not signed in"):
            self.ended["no place left"] += 1
            return None
        connection = Connection(address, is_proxy=is_proxy, end=end, gone=self.closed, clock=self._clock)
        connection.inner = speak()
        self._open[connection] = None
        self._speaking[connection.inner] = connection
        self._strangers[address] += 1
        return connection

    def closed(self, connection: Connection) -> None:
        """Note that a connection is gone; safe to repeat."""
        if connection not in self._open:
            return
        del self._open[connection]
        del self._speaking[connection.inner]
        if connection.owner is None:
            self._forget_stranger(connection.address)

    def speaking(self, inner: object) -> Connection | None:
        """Return the connection on which a protocol of aiohttp speaks; None in tests that have another server."""
        return self._speaking.get(inner)

    def own(self, connection: Connection, owner: Owner | None) -> bool:
        """Say who is signed in on a connection; False if that browser or user has too many."""
        if owner == connection.owner or connection not in self._open:
            return True
        if owner is not None and owner is not HERE and not self._has_place(owner):
            self.ended["too many of one user"] += 1
            return False
        if connection.owner is None:
            self._forget_stranger(connection.address)
        if owner is None:
            self._strangers[connection.address] += 1
        connection.owner = owner
        return True

    def make_room(self) -> None:
        """End the connections of strangers that have asked nothing yet, for want of file descriptors."""
        before = self._clock() - FRESH_S
        for waits in [one for one in self._open if one.owner is None and not one.asking and one.since < before]:
            self._end(waits, "no file descriptors left")

    def end_overdue(self) -> None:
        """End what takes too long, and tell of what was ended."""
        for connection in [one for one in self._open if one.is_overdue()]:
            self._end(connection, "too slow")
        now = self._clock()
        if self.ended != self._reported and now >= self._report_due:
            self._report_due = now + REPORT_S
            since = ", ".join(f"{why} {n}" for why, n in (self.ended - self._reported).items())
            self._reported = self.ended.copy()
            log.warning("connections ended or refused: %s; %d are open", since, len(self))

    async def sweep(self) -> None:
        """End what takes too long, until cancelled."""
        while True:
            self.end_overdue()
            await asyncio.sleep(SWEEP_S)

    def _has_place(self, owner: Owner) -> bool:
        owners = [one.owner for one in self._open if one.owner is not None]
        of_user = sum(one.user == owner.user for one in owners)
        return sum(one == owner for one in owners) < OF_ONE_BROWSER and of_user < OF_ONE_USER

    def _give_way(self, why: str, address: str | None = None) -> bool:
        """End the oldest connection of a stranger, of an address or any.

        First one that has been here for a while and has asked nothing whole, such as one that sends its body a byte at
        a time, then one that has had its answer, then one whose answer takes long; who has just come and was not yet
        answered goes last, for he had no time to ask.
        """
        before = self._clock() - FRESH_S
        ranks: dict[tuple[bool, bool, bool], Connection] = {}
        for one in self._open:  # the oldest of each rank
            if one.owner is None and (address is None or one.address == address):
                fresh = one.since >= before
                ranks.setdefault((fresh and not one.idle, one.asking, fresh), one)
        if not ranks:
            return False
        self._end(ranks[min(ranks)], why)
        return True

    def _end(self, connection: Connection, why: str) -> None:
        self.ended[why] += 1
        self.closed(connection)
        connection.end()

    def _forget_stranger(self, address: str) -> None:
        self._strangers[address] -= 1
        if not self._strangers[address]:
            del self._strangers[address]


CONNECTIONS = web.AppKey("connections", Connections)


@web.middleware
async def time_requests(request: web.Request, handler: Callable[[web.Request], object]) -> web.StreamResponse:
    """Note on a request's connection that it is being answered."""
    connections = request.app[CONNECTIONS]
    connection = connections.speaking(request.protocol)
    if connection is None:
        return await handler(request)  # type: ignore[misc, no-any-return]
    connection.begin_request(request.content)
    try:
        return await handler(request)  # type: ignore[misc, no-any-return]
    finally:
        connection.end_request()
        if connection.is_proxy or connection.owner is HERE:
            connections.own(connection, None)


def own(request: web.Request, owner: Owner | None) -> None:
    """Say whose request it is; raises HTTPTooManyRequests when that browser or user has too many connections."""
    connections = request.app[CONNECTIONS]
    connection = connections.speaking(request.protocol)
    if connection is not None and not connections.own(connection, owner):
        raise web.HTTPTooManyRequests(text="Too many connections of one user.\n", headers={"Retry-After": "10"})


async def note_streams(request: web.Request, response: web.StreamResponse) -> None:
    """Let an answer without an end take its time."""
    if not isinstance(response, web.Response | web.FileResponse):
        connection = request.app[CONNECTIONS].speaking(request.protocol)
        if connection is not None:
            connection.stream()
