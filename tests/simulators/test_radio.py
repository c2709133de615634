"""Unmodified bleak calls over the simulated radio, in one process and across two."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from bumble import hci

from drivers.errors import AdapterError, NotFoundError
from drivers.transport.radio_kinds import open_radio
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot, uuid
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.radio import SimulatedRadio
from tests.simulators.helpers import Counting, Metronome, on_air, until

DOT = "D4:22:CD:00:01:00"
STRAP = "02:48:52:00:01:00"
START, STOP = bytes([1, 1, 21]), bytes([1, 0, 21])
MEDIUM, MEASURING, INFORMATION = uuid(0x2003), uuid(0x2001), uuid(0x1001)


def dot(hub: Hub, address: str = DOT) -> MovellaDot:
    return MovellaDot(name=f"dot-{address}", timeline=Timeline(), hub=hub, address=address, source=Counting())


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "radio.sock"


async def test_a_scan_finds_what_advertises_and_says_what_it_says(socket: Path) -> None:
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome())
    async with on_air(hub, socket, dot(hub), strap) as radio:
        found = {}
        async with BleakScanner(backend=radio.one.scanner_type) as scanner:
            async for device, data in scanner.advertisement_data():
                found[device.address] = device, data
                if len(found) == 2:
                    break
    device, data = found[DOT]
    assert device.name == data.local_name == "Movella DOT"
    assert data.manufacturer_data == {0x0886: b""}
    assert found[STRAP][1].service_uuids == ["0000180d-0000-1000-8000-00805f9b34fb"]


async def test_a_scan_for_a_service_passes_over_others(socket: Path) -> None:
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome())
    async with on_air(hub, socket, dot(hub), strap) as radio:
        seen = []
        scanner = BleakScanner(
            lambda device, _: seen.append(device.address),
            service_uuids=["0000180D-0000-1000-8000-00805F9B34FB"],
            backend=radio.one.scanner_type,
        )
        async with scanner:
            await until(lambda: len(seen) >= 3)
        assert set(seen) == {STRAP}


async def test_connect_discover_read_write_notify_disconnect(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio:
        device = await radio.find(address=DOT.lower(), timeout_s=5.0)
        lost: list[BleakClient] = []
        client = radio.one.client(device, lost.append)
        await client.connect()
        assert client.is_connected
        assert client.name == "Movella DOT"
        assert client.mtu_size > 63 + 3  # the longest payload is not cut
        assert {uuid(0x1000).lower(), uuid(0x2000).lower(), uuid(0x3000).lower()} <= {s.uuid for s in client.services}
        medium = client.services.get_characteristic(MEDIUM)
        assert medium is not None
        assert medium.properties == ["notify"]
        assert (await client.read_gatt_char(INFORMATION))[-6:] == b"XS-T02"
        payloads: list[bytearray] = []
        await client.start_notify(MEDIUM, lambda _, data: payloads.append(data))
        await client.write_gatt_char(MEASURING, START)
        await until(lambda: len(payloads) >= 5)
        assert {len(payload) for payload in payloads} == {40}
        await client.write_gatt_char(MEASURING, STOP)
        assert await client.read_gatt_char(MEASURING) == STOP
        await client.stop_notify(MEDIUM)
        await client.disconnect()
        await until(lambda: not sensor.connected)
        assert not client.is_connected
        assert lost == [client]
        with pytest.raises(BleakError):
            await client.read_gatt_char(INFORMATION)


async def test_what_the_device_refuses_is_an_att_error(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio, BleakClient(DOT, backend=radio.one.client_type) as client:
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char(MEASURING, bytes([1, 1, 99]))
        assert client.is_connected


async def test_a_link_that_the_device_drops_is_seen_and_can_be_made_again(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio:
        device = await radio.find(address=DOT, timeout_s=5.0)
        for _ in range(3):
            lost: list[BleakClient] = []
            client = radio.one.client(device, lost.append)
            await client.connect()
            await sensor.drop()
            await until(lost.__len__)
            assert not client.is_connected


async def test_a_request_that_the_lost_link_cuts_off_fails_rather_than_hangs(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio, BleakClient(DOT, backend=radio.one.client_type) as client:
        controller = hub.air.by_address[hci.Address(DOT, hci.Address.PUBLIC_DEVICE_ADDRESS)]
        controller.host = None  # the device hangs: it hears no request
        reading = asyncio.create_task(client.read_gatt_char(INFORMATION))
        await asyncio.sleep(0)
        controller.remove()
        with pytest.raises(BleakError, match="lost"):
            await asyncio.wait_for(reading, 2.0)
        assert not client.is_connected


async def test_a_silent_device_times_out_without_holding_up_another_and_connects_later(socket: Path) -> None:
    hub = Hub()
    first, second = dot(hub), dot(hub, "D4:22:CD:00:01:01")
    async with on_air(hub, socket, first, second) as radio:
        device = await radio.find(address=DOT, timeout_s=5.0)
        first_left = asyncio.create_task(first.leave(3600.0))
        await until(lambda: not hub.air.by_address[device.details].is_advertising)
        begin = time.monotonic()
        silent = asyncio.create_task(BleakClient(device, timeout=1.0, backend=radio.one.client_type).connect())
        async with BleakClient(second.address, backend=radio.one.client_type) as client:
            assert client.is_connected
            assert not silent.done()
        with pytest.raises(TimeoutError):
            await silent
        assert time.monotonic() - begin < 3.0
        first_left.cancel()
        await first.start()
        async with BleakClient(device, timeout=5.0, backend=radio.one.client_type) as client:
            assert client.is_connected


async def test_an_unknown_address_is_not_found(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio:
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient("00:11:22:33:44:55", timeout=0.3, backend=radio.one.client_type).connect()
        with pytest.raises(NotFoundError):
            await radio.find(address="00:11:22:33:44:55", timeout_s=0.3)


async def test_a_connect_that_is_given_up_leaves_the_radio_usable(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio:
        for patience_s in (0.0, 0.05, 0.15, 0.2, 0.25):
            connecting = asyncio.create_task(BleakClient(DOT, backend=radio.one.client_type).connect())
            await asyncio.wait([connecting], timeout=patience_s)
            connecting.cancel()
            await asyncio.wait([connecting])
            if sensor.connected:
                await sensor.drop()
        async with BleakClient(DOT, timeout=5.0, backend=radio.one.client_type) as client:
            assert client.is_connected


async def test_the_radio_comes_back_with_the_simulator(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio:
        device = await radio.find(address=DOT, timeout_s=5.0)
        lost: list[BleakClient] = []
        client = radio.one.client(device, lost.append)
        await client.connect()
        await hub.stop()
        await until(lambda: lost and not radio.one.attached)
        await until(lambda: not sensor.connected)
        with pytest.raises(BleakBluetoothNotAvailableError):
            await BleakClient(device, timeout=0.2, backend=radio.one.client_type).connect()
        await hub.serve(socket)
        await until(lambda: radio.one.attached)
        async with radio.one.client(device, lost.append) as again:
            assert again.is_connected


async def test_a_search_that_goes_on_while_the_simulator_restarts_finds(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio:
        seen: list[str] = []
        async with BleakScanner(lambda device, _: seen.append(device.address), backend=radio.one.scanner_type):
            await until(lambda: seen)
            await hub.stop()
            await until(lambda: not radio.one.attached)
            seen.clear()
            await hub.serve(socket)
            await until(lambda: seen)


async def test_a_gateway_that_vanishes_frees_its_devices_for_the_next(socket: Path) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor) as radio:
        first = SimulatedRadio(socket=socket)
        await first.start()
        client = BleakClient(DOT, backend=first.client_type)
        await client.connect()
        assert hub.attached == 2
        await first.stop()
        await until(lambda: not sensor.connected)
        assert not client.is_connected
        assert hub.attached == 1
        async with BleakClient(DOT, backend=radio.one.client_type) as again:
            assert again.is_connected


async def test_bytes_that_are_no_hci_are_cut_off_and_hurt_nobody(socket: Path) -> None:
    hub = Hub()
    async with on_air(hub, socket, dot(hub)) as radio:
        reader, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        await until(lambda: hub.attached == 1)
        assert await radio.find(address=DOT, timeout_s=5.0)


async def test_without_a_simulator_the_radio_says_so(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.radio.radio.FIRST_ATTACH_S", 0.1)
    radio = SimulatedRadio(socket=socket)
    await radio.start()
    with pytest.raises(BleakBluetoothNotAvailableError, match="simulate"):
        await BleakClient(DOT, timeout=0.1, backend=radio.client_type).connect()
    await radio.stop()
    with pytest.raises(AdapterError, match="socket"):
        SimulatedRadio()


def test_the_configuration_finds_it_by_name(socket: Path) -> None:
    assert isinstance(open_radio(name="simulated", socket=socket), SimulatedRadio)


PROGRAM = """
import asyncio, sys
from pathlib import Path
from bleak import BleakClient
from simulators.devices.movella_dot import uuid
from simulators.radio.radio import SimulatedRadio

async def main():
    radio = SimulatedRadio(socket=Path(sys.argv[1]))
    await radio.start()
    payloads = []
    async with BleakClient(sys.argv[2], backend=radio.client_type) as client:
        enough = asyncio.Event()
        def on_payload(_, data):
            payloads.append(data)
            if len(payloads) == 20:
                enough.set()
        await client.start_notify(uuid(0x2003), on_payload)
        await client.write_gatt_char(uuid(0x2001), bytes([1, 1, 21]))
        await enough.wait()
        print("enough", flush=True)
        if sys.argv[3] == "hang":
            await asyncio.Event().wait()
    await radio.stop()

asyncio.run(main())
"""


@pytest.mark.parametrize("ending", ["leave", "hang"])
async def test_a_second_process_attaches_and_may_be_killed(socket: Path, ending: str) -> None:
    hub = Hub()
    sensor = dot(hub)
    async with on_air(hub, socket, sensor):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, str(socket), DOT, ending, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"enough\n"
        if ending == "hang":
            assert sensor.streaming
            process.kill()
        await process.wait()
        await until(lambda: not sensor.connected)
        assert not sensor.streaming
        assert sensor.counts.sent >= 20
