"""BLE devices over a real Bluetooth stack without an antenna, supervised."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from drivers.errors import AdapterError, DialogueError, LinkLostError, NotFoundError
from drivers.movella_dot.driver import MovellaDot
from drivers.registry import make_driver
from drivers.transport.ble import BleTransport
from drivers.transport.radio_kinds import open_radio, open_radios
from drivers.transport.radios import Radios
from drivers.transport.search import Wanted
from drivers.transport.troubles import UNPAIRED
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot as SimulatedDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.drivers.watching import watching
from tests.simulators.helpers import Counting, Metronome, on_air

DOT, OTHER_DOT, STRAP = "D4:22:CD:00:01:00", "D4:22:CD:00:01:01", "02:48:52:00:01:00"


class QuickDot(MovellaDot):
    """The real driver, sooner impatient."""

    silence_s: ClassVar[float] = 0.5


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "radio.sock"


def dot(hub: Hub, address: str = DOT) -> SimulatedDot:
    return SimulatedDot(name=f"dot-{address[-1]}", timeline=Timeline(), hub=hub, address=address, source=Counting())


async def test_heart_rate_and_two_dots_at_once(socket: Path) -> None:
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(speed=5), hub=hub, address=STRAP, source=Metronome(0.8))
    sensors = dot(hub), dot(hub, OTHER_DOT)
    async with (
        on_air(hub, socket, strap, *sensors) as radio,
        watching(make_driver("heart_rate"), radio=radio) as heart,  # by its service
        watching(make_driver("movella_dot"), radio=radio, address=DOT.lower()) as left,
        watching(make_driver("movella_dot", {"mode": "custom5"}), radio=radio, address=OTHER_DOT) as right,
    ):
        for foot in (left, right):
            await foot.until(lambda foot=foot: foot.samples("imu") >= 60)  # type: ignore[misc]
            assert foot.names == ["searching", "connecting", "starting", "streaming"]
        await heart.until(lambda: heart.samples("rr") >= 5)
    assert {packet.samples[0, 0] for packet in heart.packets if packet.stream == "rr"} == {819 / 1024}
    assert heart.samples("battery") == left.samples("battery") == 1
    assert right.samples("orientation") == right.samples("imu")
    ticks = [int(tick) for packet in left.packets if packet.stream == "imu" for tick in packet.ticks]
    steps = {b - a for a, b in pairwise(ticks)}
    assert steps <= {16666, 16667}, "nothing lost"
    assert not (heart.faults + left.faults + right.faults)
    assert [sensor.streaming for sensor in sensors] == [False, False], "the stop dialogue reached them"


async def test_a_dropped_link_comes_back(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with (
        on_air(hub, socket, sensor) as radio,
        watching(make_driver("movella_dot"), radio=radio, address=DOT) as foot,
    ):
        await foot.until_state("streaming")
        await sensor.drop()
        lost = await foot.until_state("searching", count=2)
        assert (lost.error, lost.attempts) == ("the link was lost", 1)
        await foot.until_state("streaming", count=2)
        assert foot.states[-1].error == ""


async def test_a_silent_stream_is_noticed_and_started_again(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio, watching(QuickDot(), radio=radio, address=DOT) as foot:
        await foot.until_state("streaming")
        begin = time.monotonic()
        quiet = asyncio.create_task(sensor.silence(1.0))
        await foot.until_state("silent")
        assert time.monotonic() - begin < 5.0
        await foot.until_state("streaming", count=2)
        await quiet


async def test_a_device_out_of_range_is_waited_for(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with (
        on_air(hub, socket, sensor) as radio,
        watching(make_driver("movella_dot"), radio=radio, address=DOT) as foot,
    ):
        await foot.until_state("streaming")
        away = asyncio.create_task(sensor.leave(1.0))
        await foot.until_state("searching", count=2)
        await foot.until_state("streaming", count=2)
        await away


async def test_searches_share_a_scan_and_end_alone(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio:
        missing = asyncio.create_task(radio.find(address=OTHER_DOT, timeout_s=1.0))
        by_name = await radio.find(name="Movella DOT", timeout_s=5.0)
        assert by_name.address == DOT
        with pytest.raises(NotFoundError, match=f"no advertisement of '{OTHER_DOT}' within 1 s"):
            await missing


async def test_a_search_goes_on_after_others_connect(socket: Path) -> None:
    hub = Hub()
    late = dot(hub, OTHER_DOT)
    async with on_air(hub, socket, dot(hub)) as radio:
        search = asyncio.create_task(radio.find(address=OTHER_DOT, timeout_s=10.0))
        async with watching(make_driver("movella_dot"), radio=radio, address=DOT) as foot:
            await foot.until_state("streaming")
            assert not search.done()
            await late.start()
            assert (await search).address == OTHER_DOT
    await late.stop()


async def test_a_search_does_not_end_while_others_connect(socket: Path) -> None:
    """Three hundred devices connect one after the other for minutes, and meanwhile nobody listens."""
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio:
        async with radio.one.quiet():
            search = asyncio.create_task(radio.find(address=DOT, timeout_s=0.5))
            await asyncio.sleep(1.0)
            assert not search.done()
        assert (await search).address == DOT


async def test_three_hundred_searches_cost_little(socket: Path) -> None:
    """Each advertisement was held against each search, and each search against each other: 0.2 s a device."""
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio:
        others = [f"02:00:00:00:{n >> 8:02X}:{n & 255:02X}" for n in range(300)]
        for n, address in enumerate(others):
            radio.searches.register(Wanted(address), n)
        missing = [asyncio.create_task(radio.find(address=each, timeout_s=3.0, owner=each)) for each in others]
        await asyncio.sleep(0)
        began = time.process_time()
        assert (await radio.find(address=DOT, timeout_s=20.0)).address == DOT
        assert time.process_time() - began < 0.5
        for search in missing:
            search.cancel()
        await asyncio.wait(missing)


async def test_a_wrong_device_is_reported_and_left(socket: Path) -> None:
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome())
    async with (
        on_air(hub, socket, strap) as radio,
        watching(make_driver("movella_dot"), radio=radio, address=STRAP) as foot,
    ):
        waiting = await foot.until_state("waiting")
        assert waiting.error.startswith("could not read 15171002")
        assert waiting.advice == DialogueError.advice


async def test_a_radio_without_its_adapter_says_so(socket: Path) -> None:
    radio = open_radios(name="simulated", socket=socket)
    await radio.start()
    try:
        async with watching(make_driver("movella_dot"), radio=radio, address=DOT) as foot:
            waiting = await foot.until_state("waiting")
            assert waiting.advice == AdapterError.advice
    finally:
        await radio.stop()


def test_radios_are_named() -> None:
    with pytest.raises(ValueError, match=r"no radio 'carrier-pigeon': known are bluez, simulated"):
        open_radio(name="carrier-pigeon")


def test_what_is_looked_for_can_be_named() -> None:
    assert str(Wanted(address=DOT, name="x")) == f"'{DOT}'"


@pytest.mark.parametrize("address", [DOT, None])
async def test_a_machine_without_bluetooth_says_so(
    address: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    radio = open_radio(name="bluez", adapter="hci0")
    await radio.start()
    try:
        with pytest.raises(AdapterError):
            await Radios([radio]).place(Wanted(address, service="0000180d-0000-1000-8000-00805f9b34fb"), timeout_s=5.0)
        with pytest.raises(AdapterError, match="adapter hci0 cannot be reset"):
            await radio.reset()
    finally:
        await radio.stop()


async def test_stopping_the_radio_ends_a_search_with_a_reason(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket) as radio:
        search = asyncio.create_task(radio.find(address=DOT, timeout_s=10.0))
        await asyncio.sleep(0)
        await radio.stop()
        with pytest.raises(AdapterError, match="the radio was stopped"):
            await search


async def test_lost_starts_of_two_devices_of_one_name_are_not_counted_together() -> None:
    """Which of them is unpaired is what nobody knows then; three of the same are told."""

    class InRange:
        def __init__(self, *addresses: str) -> None:
            self.addresses = iter(addresses)

        async def place(self, *_: object, **__: object) -> Any:
            radio = SimpleNamespace(has_no_keys=lambda _device: True)
            return SimpleNamespace(device=SimpleNamespace(address=next(self.addresses)), radio=radio)

    radio: Any = InRange("AA", "AA", "BB", "BB", "BB")
    transport = BleTransport(radio, name="strap")
    problems = []
    for _ in range(5):
        await transport.search()
        told = transport.explain(LinkLostError("the link was lost", at_start=True))
        problems.append(getattr(told, "problem", ""))
    assert problems == ["", "", "", "", UNPAIRED]
