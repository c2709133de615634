"""Datagrams over loopback: heard of one sender, whatever others send; supervised, and found again by itself."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest

from config.hardware import address_and_port, network_address, udp_port
from drivers.errors import (
    AdapterError,
    ConnectError,
    DialogueError,
    ForbiddenWriteError,
    NotFoundError,
    OtherDeviceError,
)
from drivers.exo_frame.driver import FOREIGN
from drivers.exo_frame.framing import checked_part
from drivers.exo_frame_udp.driver import ExoFrameUdp
from drivers.identity import Identity
from drivers.packet import Frame
from drivers.transport import udp
from drivers.transport.udp import UdpTransport
from tests.drivers.exo_frames import LEFT_ANKLE, device, limb
from tests.drivers.watching import watching

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> tuple[str, int]:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HERE, 0))
        return HERE, int(taken.getsockname()[1])


def part(wire: bytes) -> bytes:
    return checked_part(wire[:-1])


class Sender:
    """An exoskeleton with its own address that goes on sending."""

    def __init__(self, to: tuple[str, int], address: str = HERE) -> None:
        self._to = to
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.counter = 0

    def send(self, *data: bytes) -> None:
        for each in data:
            self._socket.sendto(each, self._to)

    def walk(self, *, serial: int = 7) -> None:
        self.counter += 1
        self.send(part(device(replace(LEFT_ANKLE, serial=serial), self.counter)), part(limb(self.counter)))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def there() -> tuple[str, int]:
    return free_port()


@pytest.fixture
def exo(there: tuple[str, int]) -> Iterator[Sender]:
    sender = Sender(there)
    yield sender
    sender.close()


@pytest.fixture
def stranger(there: tuple[str, int]) -> Iterator[Sender]:
    sender = Sender(there, ELSEWHERE)
    yield sender
    sender.close()


async def repeated(send: Callable[[], None], every_s: float = 0.01) -> None:
    while True:
        send()
        await asyncio.sleep(every_s)


async def test_it_is_heard_and_identified_and_every_datagram_is_a_frame(there: tuple[str, int], exo: Sender) -> None:
    async with asyncio.TaskGroup() as group, watching(ExoFrameUdp(), listen=there, sender=HERE) as watched:
        walking = group.create_task(repeated(exo.walk))
        await watched.until(lambda: watched.samples("exoskeleton") >= 20)
        walking.cancel()
    assert watched.names[:4] == ["searching", "connecting", "starting", "streaming"]
    assert watched.states[3].identity.serial == "7"
    assert {frame.channel for frame in watched.frames} == {"measurement"}
    assert not watched.faults, "what was heard while it was asked who it is, is handed on in order"


async def test_what_others_send_is_counted_and_left_alone(
    there: tuple[str, int], exo: Sender, stranger: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "FOREIGN_EVERY_NS", 50_000_000)
    async with asyncio.TaskGroup() as group, watching(ExoFrameUdp(), listen=there, sender=HERE) as watched:
        walking = group.create_task(repeated(exo.walk))
        await watched.until_state("streaming")
        for _ in range(5):
            stranger.walk(serial=8)
        liar = group.create_task(repeated(lambda: stranger.send(b"x")))
        await watched.until(lambda: watched.faults[FOREIGN] >= 10)
        walking.cancel()
        liar.cancel()
    assert set(watched.faults) == {FOREIGN}
    foreign = [frame for frame in watched.frames if frame.channel == "foreign"]
    assert all(len(frame.data) == 4 for frame in foreign), "nothing of what they sent"
    assert min(b.arrival_ns - a.arrival_ns for a, b in pairwise(foreign)) >= 50_000_000


async def test_a_flood_of_others_is_no_flood_of_frames(there: tuple[str, int], exo: Sender, stranger: Sender) -> None:
    transport, frames, last = UdpTransport(there, HERE), list[Frame](), asyncio.Event()

    def sink(frame: Frame) -> None:
        frames.append(frame)
        if frame.data == b"last":
            last.set()

    sending = asyncio.create_task(repeated(exo.walk))
    await transport.search()
    sending.cancel()
    connection = await transport.connect(ExoFrameUdp(), sink, time.monotonic_ns)
    connection.begin_stream()
    for _ in range(100):
        stranger.send(b"flood")
    exo.send(b"last")
    async with asyncio.timeout(30):
        await last.wait()
    await connection.close()
    assert [frame.channel for frame in frames].count("foreign") <= 3


async def test_malformed_datagrams_are_counted_and_their_neighbours_live(there: tuple[str, int], exo: Sender) -> None:
    chance = random.Random(3)

    def walk() -> None:
        exo.walk()
        exo.send(b"", b"\x11", chance.randbytes(9000), part(limb(exo.counter))[:-1])

    async with asyncio.TaskGroup() as group, watching(ExoFrameUdp(), listen=there, sender=HERE) as watched:
        walking = group.create_task(repeated(walk))
        await watched.until(lambda: watched.samples("exoskeleton") >= 20)
        walking.cancel()
    assert watched.faults["truncated part"] >= 20
    assert watched.faults["oversized part"] >= 20


async def test_silence_is_noticed_and_the_device_is_heard_again(there: tuple[str, int], exo: Sender) -> None:
    driver = ExoFrameUdp()
    driver.silence_s = 0.3  # type: ignore[misc]
    async with asyncio.TaskGroup() as group, watching(driver, listen=there, sender=HERE) as watched:
        walking = group.create_task(repeated(exo.walk))
        await watched.until_state("streaming")
        walking.cancel()
        await watched.until_state("silent")
        walking = group.create_task(repeated(exo.walk))
        await watched.until_state("streaming", count=2)
        walking.cancel()


async def test_another_exoskeleton_at_that_address_is_refused(there: tuple[str, int], exo: Sender) -> None:
    def judge(identity: Identity) -> str:
        if identity.serial != "7":
            raise OtherDeviceError(f"it is {identity.serial}")
        return ""

    async with (
        asyncio.TaskGroup() as group,
        watching(ExoFrameUdp(), listen=there, sender=HERE, judge=judge) as watched,
    ):
        walking = group.create_task(repeated(lambda: exo.walk(serial=8)))
        state = await watched.until_state("failed")
        walking.cancel()
    assert state.error == "it is 8"
    assert not watched.frames


async def test_nothing_heard_says_who_is_heard_instead(
    there: tuple[str, int], stranger: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "SEARCH_S", 0.5)
    searching = asyncio.create_task(UdpTransport(there, HERE).search())
    sending = asyncio.create_task(repeated(lambda: stranger.send(b"x")))
    with pytest.raises(NotFoundError, match=rf"nothing of {HERE} came to {HERE}:\d+; \d+ datagrams of others"):
        await searching
    sending.cancel()


async def test_a_port_in_use_and_an_address_that_is_not_ours_are_named(there: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(there)
        with pytest.raises(ConnectError, match="in use by another program on this computer"):
            await UdpTransport(there, HERE).search()
    with pytest.raises(AdapterError, match=r"this computer has no address 192\.0\.2\.1 at present"):
        await UdpTransport(("192.0.2.1", there[1]), HERE).search()


async def test_a_port_is_free_again_however_its_connection_ends(there: tuple[str, int], exo: Sender) -> None:
    transport = UdpTransport(there, HERE)
    for taken in (True, False):
        sending = asyncio.create_task(repeated(exo.walk))
        await transport.search()
        if taken:
            connection = await transport.connect(ExoFrameUdp(), lambda _: None, time.monotonic_ns)
            await connection.close()
            assert connection.lost.is_set()
        else:
            transport.release()
            with pytest.raises(NotFoundError):
                await transport.connect(ExoFrameUdp(), lambda _: None, time.monotonic_ns)
        sending.cancel()
    await asyncio.sleep(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(there)


async def test_nothing_is_ever_sent(there: tuple[str, int], exo: Sender) -> None:
    transport = UdpTransport(there, HERE)
    sending = asyncio.create_task(repeated(exo.walk))
    await transport.search()
    sending.cancel()
    connection = await transport.connect(ExoFrameUdp(), lambda _: None, time.monotonic_ns)
    with pytest.raises(ForbiddenWriteError):
        await connection.write("", b"\x01")
    for dialogue in (connection.read("2a25"), connection.subscribe("data", "2a25"), connection.receive(1)):
        with pytest.raises(DialogueError):
            await dialogue
    await connection.close()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.10:5005", "192.0.2.10:5005"), (" 127.0.0.1:05005", "127.0.0.1:5005"),
        ("[2001:DB8::0:1]:5005", "[2001:db8::1]:5005"),
        ("192.0.2.10", None), ("192.0.2.10:0", None), ("192.0.2.10:65536", None), ("exo:5005", None), (":5005", None),
        ("0.0.0.0:5005", None), ("[::]:5005", None), ("239.1.2.3:5005", None), ("2001:db8::1:5005", None),
        ("[192.0.2.10]:5005", None), ("192.0.2.10:50_5", None), ("192.0.2.10:-5", None), ("", None),
    ],
)  # fmt: skip
def test_where_to_listen_is_one_address_and_a_port(written: str, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(ValueError, match="must be"):
            udp_port(written)
        return
    assert udp_port(written) == meant
    host, port = address_and_port(meant)
    assert (ip_address(host).version, port) == (6 if "[" in meant else 4, 5005)


@pytest.mark.parametrize("written", ["exo.local", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.0/24", ""])  # noqa: S104 - refused
def test_a_sender_is_one_address(written: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        network_address(written)


async def test_what_waits_of_oversized_datagrams_is_small() -> None:
    port = udp.Port(HERE)
    for _ in range(8):
        port.datagram_received(bytes(65_000), (HERE, 5005))
    assert sum(map(len, port.waiting)) <= 8 * udp.MOST_BYTES
