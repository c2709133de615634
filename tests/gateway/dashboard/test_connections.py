"""Places and deadlines of connections: by the clock of a test, and on real sockets of a real dashboard."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.dashboard.connections import (
    ANSWER_WITHIN_S,
    HEADERS_WITHIN_S,
    IDLE_S,
    OF_ONE_ADDRESS,
    OF_ONE_BROWSER,
    OF_ONE_USER,
    OF_STRANGERS,
    READ_WITHIN_S,
    Connection,
    Connections,
    Owner,
)
from gateway.dashboard.door import Door, raise_descriptor_limit
from gateway.dashboard.server import serve
from gateway.dashboard.users import User, save
from tests.certificates import Authority
from tests.gateway.dashboard.conftest import free_port

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
PROXY = "192.0.2.1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """Connections with a clock of ours, and which of them were ended."""

    def __init__(self, most: int = 2000) -> None:
        self.clock = Clock()
        self.ended: list[int] = []
        self.all = Connections(most=most, is_proxy=lambda peer: peer == PROXY, clock=self.clock)
        self._number = 0

    def open(self, peer: str = "203.0.113.1") -> Connection | None:
        number, self._number = self._number, self._number + 1
        return self.all.open(peer, end=lambda: self.ended.append(number), speak=asyncio.Protocol)

    def sure(self, peer: str = "203.0.113.1") -> Connection:
        made = self.open(peer)
        assert made is not None
        return made


def test_a_crowd_of_one_address_takes_its_own_places_only() -> None:
    place = Place()
    mine = place.sure("203.0.113.99")
    for _ in range(1012):
        place.sure("203.0.113.1")
    assert len(place.all) == OF_ONE_ADDRESS + 1
    assert 0 not in place.ended  # mine
    assert place.ended == list(range(1, 1013 - OF_ONE_ADDRESS))  # who has waited longest goes first
    assert mine.owner is None


def test_a_network_of_one_subscriber_is_one_address() -> None:
    place = Place()
    for n in range(OF_ONE_ADDRESS + 10):
        place.sure(f"2001:db8::{n:x}")
    assert len(place.all) == OF_ONE_ADDRESS


def test_a_crowd_of_many_addresses_never_ends_who_is_signed_in() -> None:
    place = Place()
    nurse = place.sure("203.0.113.1")
    assert place.all.own(nurse, Owner(1, "anna"))
    for n in range(3 * OF_STRANGERS):
        place.sure(f"198.51.{n // 250}.{n % 250}")
    assert place.all.strangers == OF_STRANGERS
    assert 0 not in place.ended


def test_who_asks_goes_after_who_only_waits() -> None:
    place = Place()
    asks = place.sure()
    asks.begin_request(EMPTY_PAYLOAD)
    for _ in range(OF_ONE_ADDRESS):
        place.sure()
    assert place.ended == [1]


def test_who_has_just_come_goes_after_whose_request_takes_long() -> None:
    """Three hundred whose answers take long, and one behind the same address who wants a page."""
    place = Place()
    for _ in range(OF_ONE_ADDRESS):
        place.sure().begin_request(EMPTY_PAYLOAD)
    place.clock.now += 2.0
    for _ in range(OF_ONE_ADDRESS // 2):
        place.sure()
    assert place.ended == list(range(OF_ONE_ADDRESS // 2))


def test_who_has_just_come_goes_after_who_has_had_his_answer() -> None:
    """Two hundred that come again as soon as they were answered, and one behind the same address who wants a page."""
    place = Place()
    wants_a_page = place.sure()
    for _ in range(2 * OF_ONE_ADDRESS):
        answered = place.sure()
        answered.begin_request(EMPTY_PAYLOAD)
        answered.end_request()
    assert not wants_a_page.ended
    assert place.ended == list(range(1, OF_ONE_ADDRESS + 2))


async def test_whose_body_is_not_whole_has_not_asked_yet() -> None:
    """Three hundred that come again as soon as they are ended, and send a body a byte at a time."""
    place = Place()
    wants_a_page = place.sure()
    wants_a_page.begin_request(EMPTY_PAYLOAD)
    for _ in range(2 * OF_ONE_ADDRESS):
        body = StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**16)
        place.sure().begin_request(body)
    assert not wants_a_page.ended
    assert len(place.ended) == OF_ONE_ADDRESS + 1
    body.feed_eof()
    for _ in range(OF_ONE_ADDRESS - 1):
        place.sure()
    assert 2 * OF_ONE_ADDRESS not in place.ended


def test_one_browser_and_one_user_have_so_many_and_others_have_theirs() -> None:
    place = Place()
    owned = [place.all.own(place.sure(f"203.0.113.{n % 200}"), Owner(n // 80, "anna")) for n in range(800)]
    assert [sum(owned[at : at + 80]) for at in range(0, 800, 80)] == [OF_ONE_BROWSER] * 4 + [0] * 6
    assert sum(owned) == OF_ONE_USER
    assert place.all.own(place.sure("203.0.113.201"), Owner("x", "bert"))


def test_a_small_machine_keeps_half_of_its_places_for_who_is_signed_in() -> None:
    place = Place(most=100)
    for n in range(200):
        place.sure(f"198.51.100.{n}")
    assert place.all.strangers == 50


def test_places_come_back() -> None:
    place = Place()
    for _ in range(3):
        made = [place.sure() for _ in range(OF_ONE_ADDRESS)]
        for connection in made:
            place.all.own(connection, Owner(1, "anna"))
            place.all.closed(connection)
            place.all.closed(connection)
    assert (len(place.all), place.all.strangers, place.ended) == (0, 0, [])


def test_what_a_named_proxy_carries_is_not_one_address() -> None:
    place = Place()
    for _ in range(3 * OF_ONE_ADDRESS):
        place.sure(PROXY)
    assert place.ended == []


@pytest.mark.parametrize("trickle", [False, True])
def test_headers_have_one_deadline_however_slowly_they_trickle(trickle: bool) -> None:
    place = Place()
    connection = place.sure()
    for _ in range(int(HEADERS_WITHIN_S)):
        place.all.end_overdue()
        assert place.ended == []
        if trickle:
            connection.data_received(b"X")
        place.clock.now += 1.001
    place.all.end_overdue()
    assert place.ended == [0]


def test_an_answer_an_idle_connection_and_the_next_request_have_theirs() -> None:
    place = Place()
    slow, idle, again, stream = (place.sure() for _ in range(4))
    for connection in (slow, idle, again, stream):
        connection.begin_request(EMPTY_PAYLOAD)
    stream.stream()
    idle.end_request()
    again.end_request()
    place.clock.now += IDLE_S - HEADERS_WITHIN_S - 1
    place.all.end_overdue()
    assert place.ended == [0]
    assert ANSWER_WITHIN_S < IDLE_S
    again.data_received(b"G")
    place.clock.now += HEADERS_WITHIN_S + 0.5
    place.all.end_overdue()
    assert place.ended == [0, 2]
    place.clock.now += 1
    place.all.end_overdue()
    assert place.ended == [0, 2, 1]
    place.clock.now += 1e6
    place.all.end_overdue()
    assert len(place.all) == 1  # a stream has no end


def test_who_reads_nothing_is_gone_and_who_reads_slowly_is_not() -> None:
    place = Place()
    stuck, slow = place.sure(), place.sure()
    for connection in (stuck, slow):
        connection.begin_request(EMPTY_PAYLOAD)
        connection.stream()
    stuck.pause_writing()
    for _ in range(int(READ_WITHIN_S) + 1):
        slow.pause_writing()
        place.clock.now += 1
        slow.resume_writing()
    place.all.end_overdue()
    assert place.ended == [0]


def test_for_want_of_descriptors_those_go_who_have_asked_nothing() -> None:
    place = Place()
    waits, asks, known = (place.sure() for _ in range(3))
    asks.begin_request(EMPTY_PAYLOAD)
    place.all.own(known, Owner(1, "anna"))
    place.clock.now += 2
    fresh = place.sure()
    place.all.make_room()
    assert place.ended == [0]
    assert len({waits, asks, known, fresh}) == 4


def test_a_flood_is_reported_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()
    for second in range(120):
        for _ in range(1000):
            place.sure()
        place.clock.now = 1000.0 + second
        place.all.end_overdue()
    assert len(caplog.records) == 2
    assert "too many of one address" in caplog.text


def test_as_many_descriptors_as_we_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    assert raise_descriptor_limit() == 4096 - 200
    assert limits[-1] == (4096, 4096)


@pytest.fixture(params=["plain", "tls"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[int]:
    """Serve a dashboard with users; return its port."""
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(tmp_path / "users.jsonl", [User("anna", "clinician", digest)])
    files: dict[str, Any] = {"users_file": tmp_path / "users.jsonl", "port": free_port()}
    if request.param == "tls":
        cert, key = Authority(tmp_path / "ca").issue("localhost", server=True)
        files |= {"cert_file": cert, "key_file": key}
    broker = Broker(embedded=False, port=free_port())
    settings = Settings(site=Site(data=tmp_path), broker=broker, dashboard=Dashboard(**files))
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(settings, stop=stop, ready=ready.set_result))
    await asyncio.wait_for(ready, 10)
    yield files["port"]
    stop.set()
    await running


async def test_half_open_connections_shut_nobody_out(port: int, request: pytest.FixtureRequest) -> None:
    """Not even somebody at the address that they come from."""
    scheme, trust = speaks(request)
    flood = []
    for _ in range(400):
        half = socket.socket()
        half.setblocking(False)
        half.connect_ex(("127.0.0.1", port))
        flood.append(half)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust or True)) as client:
            for _ in range(3):
                async with asyncio.timeout(5), client.get(f"{scheme}://127.0.0.1:{port}/login") as answer:
                    assert answer.status == 200
    finally:
        for half in flood:
            half.close()


async def test_who_says_nothing_takes_no_place_and_is_served_when_he_speaks(tmp_path: Path) -> None:
    """Such as a browser that connects ahead of a click."""
    connections, listens_at = Connections(), free_port()
    door = Door(connections, lambda: Answering(lambda: None), tls=None)
    await door.listen("127.0.0.1", listens_at)
    accepting = asyncio.create_task(door.run())
    try:
        silent = [await asyncio.open_connection("127.0.0.1", listens_at) for _ in range(3)]
        last = await asyncio.open_connection("127.0.0.1", listens_at)
        for waiting, (reader, writer) in enumerate([last, *silent]):  # who came after them was accepted: they were not
            writer.write(b"here\n")
            async with asyncio.timeout(5):
                assert await reader.readline() == b"here\n"
            assert len(connections) == waiting + 1
        for _, writer in [last, *silent]:
            writer.transport.abort()
    finally:
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        door.close()


async def test_a_slow_form_and_a_slow_header_end_and_others_go_on(
    port: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.dashboard.signin.FORM_WITHIN_S", 0.3)
    monkeypatch.setattr("gateway.dashboard.connections.HEADERS_WITHIN_S", 0.3)
    scheme, trust = speaks(request)
    opened = [await asyncio.open_connection("127.0.0.1", port, ssl=trust) for _ in range(2)]
    head = f"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {scheme}://127.0.0.1\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\nname="
    opened[0][1].write((head + form).encode())
    opened[1][1].write(head.encode())
    async with asyncio.timeout(8):
        assert (await opened[0][0].readline()).startswith(b"HTTP/1.1 408")
        with contextlib.suppress(ConnectionError):
            assert await opened[1][0].read() == b""
    for _, writer in opened:
        writer.transport.abort()


async def test_without_descriptors_it_waits_tells_it_once_and_goes_on(
    port: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scheme, trust = speaks(request)
    loop = asyncio.get_running_loop()
    tries: list[socket.socket] = []
    accept = loop.sock_accept

    async def none_left(listening: socket.socket) -> tuple[socket.socket, Any]:
        if len(tries) < 4:
            tries.append(listening)
            raise OSError(errno.EMFILE, "Too many open files")
        return await accept(listening)

    async def ask() -> int:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust or True)) as client,
            client.get(f"{scheme}://127.0.0.1:{port}/login") as answer,
        ):
            return answer.status

    monkeypatch.setattr("gateway.dashboard.door.BACK_OFF_S", 0.01)
    monkeypatch.setattr(loop, "sock_accept", none_left)
    async with asyncio.timeout(10):
        assert [await ask() for _ in range(2)] == [200, 200]
    assert len(tries) == 4
    assert caplog.text.count("cannot accept connections") == 1


class Answering(asyncio.Protocol):
    """Says back what it hears, and tells that it was connected."""

    def __init__(self, connected: Callable[[], object]) -> None:
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connected()

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def test_who_gives_way_while_tls_is_made_takes_nobody_with_it(tmp_path: Path) -> None:
    """The next connection got the number of the socket that was closed, and the loop took it for the old one."""
    ends: list[Callable[[], object]] = []

    def tell_the_first() -> None:
        if len(ends) == 1:  # in the moment in which it is ready
            ends[0]()

    class Telling(Connections):
        def open(
            self, peer: str, *, end: Callable[[], object], speak: Callable[[], asyncio.Protocol]
        ) -> Connection | None:
            ends.append(end)
            return super().open(peer, end=end, speak=speak)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(tmp_path / "ca").issue("localhost", server=True))
    trust, listens_at = any_certificate(), free_port()
    door = Door(Telling(), lambda: Answering(tell_the_first), tls=context)
    await door.listen("127.0.0.1", listens_at)
    accepting = asyncio.create_task(door.run())
    try:
        first = await asyncio.to_thread(_connect_and_read_nothing, listens_at, trust)
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", listens_at, ssl=trust)
            writer.write(b"here\n")
            async with asyncio.timeout(5):
                assert await reader.readline() == b"here\n"
            writer.transport.abort()
        first.close()
    finally:
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        door.close()


def _connect_and_read_nothing(listens_at: int, trust: ssl.SSLContext) -> ssl.SSLSocket:
    return trust.wrap_socket(socket.create_connection(("127.0.0.1", listens_at)), server_hostname="localhost")


def speaks(request: pytest.FixtureRequest) -> tuple[str, ssl.SSLContext | None]:
    """Return how the dashboard of a test is spoken to."""
    if "plain" in request.node.name:
        return "http", None
    return "https", any_certificate()


def any_certificate() -> ssl.SSLContext:
    """Return what trusts every server."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return trust
