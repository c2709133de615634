"""The pseudo-terminal behind a stable name."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from simulators.radio.serial_port import MOST_WAITING, SerialPort
from tests.simulators.helpers import until


class Device:
    """A port that keeps what it is told."""

    def __init__(self, path: Path) -> None:
        self.received = bytearray()
        self.hang_ups = 0
        self.port = SerialPort(path, received=self.received.extend, hung_up=self._hung_up)

    def _hung_up(self) -> None:
        self.hang_ups += 1


async def hung_up(device: Device, times: int) -> None:
    await until(lambda: device.hang_ups == times)


@pytest.fixture
async def device(tmp_path: Path) -> Device:
    device = Device(tmp_path / "deep" / "port")
    device.port.plug_in()
    return device


async def read(fd: int, count: int) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.to_thread(lambda: b"".join(os.read(fd, 1) for _ in range(count)))


async def test_bytes_go_both_ways_unchanged(device: Device) -> None:
    fd = os.open(device.port.path, os.O_RDWR | os.O_NOCTTY)
    await until(lambda: device.port.opened)
    everything = bytes(range(256))
    os.write(fd, everything)
    await until(lambda: device.received == everything)
    assert device.port.write(everything)
    assert await read(fd, 256) == everything
    os.close(fd)
    device.port.unplug()


async def test_nobody_there_is_no_error(device: Device) -> None:
    assert not device.port.write(b"lost")
    device.port.unplug()
    device.port.unplug()
    assert not device.port.path.is_symlink()


async def test_closing_is_noticed_and_the_next_reader_gets_nothing_old(device: Device) -> None:
    for _ in range(3):
        before = device.hang_ups
        fd = os.open(device.port.path, os.O_RDWR | os.O_NOCTTY)
        await until(lambda: device.port.opened)
        device.port.write(b"old news")
        os.close(fd)
        await hung_up(device, before + 1)
    fd = os.open(device.port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    await until(lambda: device.port.opened)
    with pytest.raises(BlockingIOError):
        os.read(fd, 1)
    os.close(fd)
    device.port.unplug()


async def test_a_reader_that_does_not_keep_up_loses_whole_writes(device: Device) -> None:
    fd = os.open(device.port.path, os.O_RDWR | os.O_NOCTTY)
    await until(lambda: device.port.opened)
    record = bytes(range(64))
    taken = sum(device.port.write(record) for _ in range(2000))
    assert device.port.dropped == 2000 - taken > 0
    assert taken * 64 >= MOST_WAITING
    assert await read(fd, taken * 64) == record * taken
    await asyncio.wait_for(device.port.drained(), 5)
    os.close(fd)
    device.port.unplug()


async def test_a_port_that_is_plugged_in_again_keeps_its_name(device: Device) -> None:
    before = device.port.path.resolve()
    fd = os.open(device.port.path, os.O_RDWR | os.O_NOCTTY)
    await until(lambda: device.port.opened)
    device.port.unplug()
    assert os.read(fd, 1) == b""
    device.port.plug_in()
    assert device.port.path.exists()
    assert before.exists() or device.port.path.resolve() != before
    os.close(fd)
    device.port.unplug()
