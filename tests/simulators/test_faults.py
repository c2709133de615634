"""Faults on purpose: what each does to the link, the stream and the clock."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from bleak import BleakClient

from simulators.devices.movella_dot import MovellaDot, uuid
from simulators.devices.shimmer3 import Shimmer3
from simulators.faults import KINDS, Fault, Kind, play
from simulators.motion.timeline import Timeline
from simulators.radio.device import FLOOD
from simulators.radio.hub import Hub
from tests.simulators.helpers import Counting, on_air, until

ADDRESS = "D4:22:CD:00:01:00"
SPEED = 5.0


class Foot:
    """A DOT on the air and a client that streams from it."""

    def __init__(self, socket: Path) -> None:
        self.hub, self.socket = Hub(), socket
        self.timeline = Timeline(speed=SPEED)
        self.sensor = MovellaDot(
            name="foot", timeline=self.timeline, hub=self.hub, address=ADDRESS, source=Counting(clock_s=1000.0)
        )
        self.payloads: list[bytearray] = []

    async def stream(self, client: BleakClient) -> None:
        await client.start_notify(uuid(0x2003), lambda _, data: self.payloads.append(data))
        await client.write_gatt_char(uuid(0x2001), bytes([1, 1, 21]))
        seen = len(self.payloads)
        await until(lambda: len(self.payloads) > seen)

    async def suffer(self, kind: Kind, for_s: float = 0.0) -> None:
        fault = Fault("foot", kind, self.timeline.now_s, for_s)
        await play([fault], {"foot": self.sensor}, self.timeline)

    @property
    def repeats(self) -> list[int]:
        """How often each packet came."""
        return [len(list(same)) for _, same in groupby(bytes(data) for data in self.payloads)]

    @property
    def clocks_s(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([int.from_bytes(data[:4], "little") / 1e6 for data in self.payloads])


@pytest.fixture
async def foot(tmp_path: Path) -> Foot:
    return Foot(tmp_path / "radio")


async def test_a_drop_loses_the_link_and_the_clock_goes_on(foot: Foot) -> None:
    async with on_air(foot.hub, foot.socket, foot.sensor) as radio:
        lost = asyncio.Event()
        client = BleakClient(ADDRESS, disconnected_callback=lambda _: lost.set(), backend=radio.one.client_type)
        await client.connect()
        await foot.stream(client)
        await foot.suffer("drop")
        await asyncio.wait_for(lost.wait(), 5)
        before = foot.clocks_s[-1]
        async with BleakClient(ADDRESS, backend=radio.one.client_type) as again:
            await foot.stream(again)
        assert 1000.0 < before < foot.clocks_s[-1]


async def test_silence_keeps_the_link_and_loses_the_samples(foot: Foot) -> None:
    async with (
        on_air(foot.hub, foot.socket, foot.sensor) as radio,
        BleakClient(ADDRESS, backend=radio.one.client_type) as client,
    ):
        await foot.stream(client)
        await foot.suffer("silence", 2.0)
        seen = len(foot.payloads)
        await until(lambda: len(foot.payloads) > seen)
        assert client.is_connected
    gap_s = np.diff(foot.clocks_s).max()
    assert 1.8 < gap_s < 4.0
    assert foot.sensor.counts.lost >= 100


@pytest.mark.parametrize(("kind", "times"), [("repeat", 2), ("flood", FLOOD)])
async def test_a_device_can_send_each_packet_too_often(foot: Foot, kind: Kind, times: int) -> None:
    async with (
        on_air(foot.hub, foot.socket, foot.sensor) as radio,
        BleakClient(ADDRESS, backend=radio.one.client_type) as client,
    ):
        await foot.stream(client)
        await foot.suffer(kind, 1.0)
        sent = foot.sensor.counts.sent
        await until(lambda: len(foot.repeats) > sent)  # on a busy machine the last are still on their way
        repeats = foot.repeats
    assert {1, times} <= set(repeats)
    assert len(repeats) <= foot.sensor.counts.sent


async def test_garbage_has_the_length_of_what_it_replaces(foot: Foot) -> None:
    async with (
        on_air(foot.hub, foot.socket, foot.sensor) as radio,
        BleakClient(ADDRESS, backend=radio.one.client_type) as client,
    ):
        await foot.stream(client)
        before_s = foot.clocks_s[-1]
        await foot.suffer("garbage", 1.0)
        seen = len(foot.payloads)
        await until(lambda: len(foot.payloads) > seen)
    assert len({len(data) for data in foot.payloads}) == 1
    assert sum(not before_s <= clock_s < before_s + 60.0 for clock_s in foot.clocks_s) > 20


async def test_out_of_range_it_cannot_be_found_and_then_it_can(foot: Foot) -> None:
    async with on_air(foot.hub, foot.socket, foot.sensor) as radio:
        lost = asyncio.Event()
        client = BleakClient(ADDRESS, disconnected_callback=lambda _: lost.set(), backend=radio.one.client_type)
        await client.connect()
        away = asyncio.create_task(foot.suffer("leave", 5.0))
        await asyncio.wait_for(lost.wait(), 5)
        with pytest.raises(Exception, match="nothing advertises"):
            await BleakClient(ADDRESS, timeout=0.3, backend=radio.one.client_type).connect()
        await away
        async with BleakClient(ADDRESS, timeout=5.0, backend=radio.one.client_type) as again:
            assert again.is_connected


async def test_a_power_cycle_starts_the_clock_again(foot: Foot) -> None:
    async with on_air(foot.hub, foot.socket, foot.sensor) as radio:
        async with BleakClient(ADDRESS, backend=radio.one.client_type) as client:
            await foot.stream(client)
        await foot.suffer("power_cycle")
        async with BleakClient(ADDRESS, timeout=5.0, backend=radio.one.client_type) as again:
            await foot.stream(again)
    assert foot.clocks_s[0] > 1000.0
    assert 0.0 <= foot.clocks_s[-1] < 60.0


@pytest.mark.parametrize("kind", ["drop", "leave"])
async def test_a_serial_device_vanishes_and_comes_back(tmp_path: Path, kind: Kind) -> None:
    timeline = Timeline(speed=SPEED)
    sensor = Shimmer3(name="back", timeline=timeline, path=tmp_path / "port", source=Counting())
    await sensor.start()
    opened = (tmp_path / "port").open("rb", buffering=0)
    await until(lambda: sensor.port.opened)
    gone = asyncio.create_task(play([Fault("back", kind, timeline.now_s, 2.0)], {"back": sensor}, timeline))
    with contextlib.suppress(OSError):  # an end of file or an error, as the kernel likes
        assert await asyncio.wait_for(asyncio.to_thread(opened.read, 1), 5) == b""
    opened.close()
    await gone
    assert (tmp_path / "port").exists()
    await sensor.stop()


async def test_faults_come_in_their_time() -> None:
    timeline = Timeline(speed=50.0)
    happened: list[tuple[str, float]] = []

    class Reporting(Shimmer3):
        async def _drop(self) -> None:
            happened.append((self.name, timeline.now_s))

    devices = {n: Reporting(name=n, timeline=timeline, path=Path("unused"), source=Counting()) for n in ("a", "b")}
    await play([Fault("a", "drop", 8.0), Fault("b", "drop", 3.0)], devices, timeline)
    assert [name for name, _ in happened] == ["b", "a"]
    assert happened[0][1] >= 3.0
    assert happened[1][1] >= 8.0


def test_faults_are_read_as_they_are_written() -> None:
    assert Fault.parse("bed-1-left-foot:silence@30+10") == Fault("bed-1-left-foot", "silence", 30.0, 10.0)
    assert Fault.parse("a:drop@1.5") == Fault("a", "drop", 1.5)


@pytest.mark.parametrize(
    "text", ["", "a:drop", "a:explode@3", "a:drop@x", "drop@3", "A:drop@3", "a:drop@3+", "a:drop@.", "a:drop@3x4"]
)
def test_what_is_no_fault_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="silence@30") as error:
        Fault.parse(text)
    assert all(kind in str(error.value) for kind in KINDS)
