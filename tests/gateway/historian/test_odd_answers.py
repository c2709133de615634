"""A store that answers oddly, over real connections: nothing is held against a measurement, and nothing grows."""

from __future__ import annotations

import gzip
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic

import pytest

from config.settings import Store
from gateway.historian import store_writer
from gateway.historian.store import LineWriter, RemoteStore, WriteError, line
from gateway.history.schema import Stored
from tests.gateway.historian.test_store import stored
from tests.servers import wait_until

HELLO = b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 2.7\r\n\r\n"
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
ENDLESS_BYTES = 200 << 20

Send = Callable[[bytes], None]


def whole(status: str, body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


class OddStore:
    """Answers a ping as InfluxDB does, and each write as the test says, until it is told to be a store again.

    Attributes:
        sent: Bytes that went out.
        taken: Bodies that it said yes to.
        wrong: A line that it refuses with ``refuses``.
    """

    def __init__(self, odd: Callable[[Send], None]) -> None:
        self.sent, self.taken, self.odd, self.well = 0, list[bytes](), odd, False
        self.wrong = self.refuses = b""
        self._end = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._end.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.2)
        with connection, suppress(OSError):
            buffer = b""
            while not self._end.is_set():
                try:
                    piece = connection.recv(65536)
                except TimeoutError:
                    continue
                if not piece:
                    return
                buffer += piece
                if b"\r\n\r\n" not in buffer:
                    continue
                head, _, body = buffer.partition(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-len")
                    ),
                    0,
                )
                if len(body) < length:
                    continue
                buffer = b""
                connection.settimeout(5)
                if self._answer(connection, head, body):
                    return
                connection.settimeout(0.2)

    def _answer(self, connection: socket.socket, head: bytes, body: bytes) -> bool:
        """Answer; return whether the connection ends with that."""

        def send(data: bytes) -> None:
            connection.sendall(data)
            self.sent += len(data)
            if self._end.is_set():
                raise OSError

        if head.startswith(b"GET /ping"):
            send(HELLO)
        elif self.well and self.wrong and self.wrong in gzip.decompress(body):
            send(self.refuses)
        elif self.well:
            self.taken.append(gzip.decompress(body))
            send(TAKEN)
        else:
            self.odd(send)
            return True
        return False


@pytest.fixture
def odd_store() -> Iterator[Callable[[Callable[[Send], None]], OddStore]]:
    made: list[OddStore] = []

    def make(odd: Callable[[Send], None]) -> OddStore:
        made.append(OddStore(odd))
        return made[-1]

    yield make
    for one in made:
        one.close()


def says(data: bytes) -> Callable[[Send], None]:
    return lambda send: send(data)


def endless(status: str, *headers: str) -> Callable[[Send], None]:
    def odd(send: Send) -> None:
        lines = "".join(f"{header}\r\n" for header in headers)
        send(f"HTTP/1.1 {status}\r\n{lines}Content-Length: {ENDLESS_BYTES}\r\n\r\n".encode())
        for _ in range(ENDLESS_BYTES >> 16):
            send(b"x" * 65536)

    return odd


def dripping(send: Send) -> None:
    send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000000\r\n\r\n")
    pause = threading.Event()
    while not pause.wait(0.05):
        send(b"x")


BOMB = gzip.compress(b"\0" * ENDLESS_BYTES, 1)
ODD: dict[str, tuple[Callable[[Send], None], str]] = {
    "a pause in digits that are none": (says(whole("429 Slow", b"", "Retry-After: \xb2")), "status 429"),
    "a pause until a date": (says(whole("429 Slow", b"", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT")), "status 429"),
    "a huge body of 503": (endless("503 Unavailable"), "status 503"),
    "a huge body of 200": (endless("200 OK"), "store.url"),
    "a body of 503 that drips": (dripping, "status 503"),
    "a gzip bomb of 503": (says(whole("503 Unavailable", BOMB, "Content-Encoding: gzip")), "status 503"),
    "gzip of 503": (
        says(whole("503 Unavailable", gzip.compress(b'{"message":"disk full"}'), "Content-Encoding: gzip")), "disk full"
    ),
    "gzip that is none": (says(whole("503 Unavailable", b"no gzip", "Content-Encoding: gzip")), "status 503"),
    "closed after the headers": (says(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 500\r\n\r\n"), "status 503"),
    "closed without a word": (says(b""), "RemoteDisconnected"),
    "a length that is too long": (says(b"HTTP/1.1 500 Oh\r\nContent-Length: 500\r\n\r\nlock"), "status 500: lock"),
    "a length that is no number": (says(b"HTTP/1.1 500 Oh\r\nContent-Length: much\r\n\r\n"), "status 500"),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "BadStatusLine"),
    "413": (says(whole("413 Too Large", b"")), "small requests only"),
    "308": (says(whole("308 Moved", b"", "Location: https://elsewhere/")), "it sends us to https://elsewhere/"),
}  # fmt: skip


@pytest.mark.parametrize(("odd", "said"), ODD.values(), ids=ODD.keys())
def test_an_odd_answer_is_held_against_no_measurement_and_the_receipt_waits(
    odd_store: Callable[[Callable[[Send], None]], OddStore],
    odd: Callable[[Send], None],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_writer, "ANSWER_WITHIN_S", 1.0)
    server = odd_store(odd)
    refused: list[Stored] = []
    remote = RemoteStore(
        LineWriter(Store(kind="influxdb2", url=server.url, organisation="o", bucket="b")), "s",
        lambda row, _: refused.append(row), rng=random.Random(1),
    )  # fmt: skip
    results: list[bool] = []
    failed: list[BaseException] = []

    def copy() -> None:
        try:
            while not any(results) and len(results) < 100:
                results.append(remote.write(stored(4)))
        except BaseException as error:  # noqa: BLE001 - what ends the copier's thread
            failed.append(error)

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        wait_until(lambda: bool(remote.failures or failed))
        assert failed == []
        assert said in remote.trouble
        assert not any(results)
        assert server.sent < ENDLESS_BYTES // 4
        server.well = True
        wait_until(lambda: any(results))
    finally:
        remote.stop()
        thread.join(10)
        remote.close()
    assert (refused, remote.trouble) == ([], "")
    assert server.taken[-1].count(b"\n") == 3


def test_an_answer_that_says_yes_with_a_body_spoils_nothing_that_follows(
    odd_store: Callable[[Callable[[Send], None]], OddStore],
) -> None:
    server = odd_store(says(b"HTTP/1.1 204 No Content\r\nContent-Length: 20\r\n\r\n<html>all well</html>"))
    writer = LineWriter(Store(kind="influxdb2", url=server.url, organisation="o", bucket="b"))
    remote = RemoteStore(writer, "s", lambda _row, _why: pytest.fail("set apart"), rng=random.Random(1))
    assert remote.write(stored(3))
    server.well = True
    assert remote.write(stored(3))
    assert server.taken[0].count(b"\n") == 2
    remote.close()


def test_a_partial_write_sets_apart_what_is_listed_alone(
    odd_store: Callable[[Callable[[Send], None]], OddStore],
) -> None:
    """As InfluxDB 3 answers: the others are written."""
    listed = b'{"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":2}]}'
    rows, refused = stored(5), list[tuple[int, str]]()
    server = odd_store(lambda _: None)
    server.wrong, server.refuses = line(rows[1], "s").encode(), whole("400 Bad Request", listed)
    writer = LineWriter(Store(kind="influxdb3", url=server.url, bucket="b"))
    remote = RemoteStore(writer, "s", lambda row, why: refused.append((row.id, why)), rng=random.Random(1))
    server.well = True
    assert remote.write(rows)
    assert refused == [(rows[1].id, "status 400: partial write of line protocol occurred")]
    remote.close()


@pytest.mark.parametrize("kind", ["influxdb1", "influxdb2", "victoriametrics"])
def test_a_page_in_place_of_a_store_has_deleted_nothing(
    odd_store: Callable[[Callable[[Send], None]], OddStore], kind: str
) -> None:
    page = b"<html><body>Sign in to the guest network</body></html>"
    server = odd_store(says(whole("200 OK", page, "Content-Type: text/html", "Connection: close")))
    writer = LineWriter(Store(kind=kind, url=server.url, organisation="o", bucket="b"))
    with pytest.raises(WriteError, match="no such store"):
        writer.erase("s", "p-0151")
    if kind == "victoriametrics":
        with pytest.raises(WriteError, match="no such store"):
            writer.has("s", "p-0151")
    writer.close()


def test_a_statement_that_failed_under_status_200_has_deleted_nothing(
    odd_store: Callable[[Callable[[Send], None]], OddStore],
) -> None:
    """As InfluxDB 1 says it."""
    failed = b'{"results":[{"statement_id":0,"error":"database not found: b"}]}'
    server = odd_store(says(whole("200 OK", failed, "Content-Type: application/json")))
    writer = LineWriter(Store(kind="influxdb1", url=server.url, bucket="b"))
    with pytest.raises(WriteError, match="database not found: b"):
        writer.erase("s", "p-0151")
    writer.close()


def test_the_time_of_an_answer_is_bounded_however_it_drips(
    odd_store: Callable[[Callable[[Send], None]], OddStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "ANSWER_WITHIN_S", 0.5)
    server = odd_store(dripping)
    writer = LineWriter(Store(kind="victoriametrics", url=server.url))
    began = monotonic()
    with pytest.raises(WriteError, match="status 503"):
        writer.write_lines(["a v=1 5"])
    assert monotonic() - began < 5
    writer.close()
