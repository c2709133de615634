"""The simulated MTi through a pseudo-terminal, set up and read by the product's driver."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from drivers.packet import Flag
from drivers.transport.serial_port import SerialTransport
from drivers.xsens_mti.driver import XsensMti as Driver
from simulators.devices.xsens_mti import XsensMti
from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from tests.drivers.watching import watching
from tests.simulators.helpers import Counting, decoded, size, streaming, until, vectors

ALL = ("orientation", "magnetic_field", "air_pressure", "temperature")
RATE_HZ = 100.0
WAIT_S = 30.0  # on a busy machine


def device(folder: Path, *, lose: int = 0, clock_s: float = 0.0, rate: int | None = None, lacks: int = 0) -> XsensMti:
    source = Counting(RATE_HZ, lose=lose, clock_s=clock_s)
    made = XsensMti(
        name="back", timeline=Timeline(), path=folder / "port", source=source, rate=rate, lacks=frozenset({lacks})
    )
    made.wearer = Wearer()  # the samples begin with the stream, however long the dialogue takes before
    return made


async def test_it_is_set_up_and_every_sample_arrives(tmp_path: Path) -> None:
    sensor, driver = device(tmp_path, clock_s=429_496.0), Driver(outputs=ALL)  # the clock wraps after 0.7 s
    await sensor.start()
    try:
        async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
            begun = sensor.counts.sent
            await until(lambda: sensor.counts.sent >= begun + 150, within_s=WAIT_S)
        packet = decoded(driver, frames, "imu")
    finally:
        await sensor.stop()
    assert len(packet) >= 100
    rows = packet.samples
    k = np.rint(rows[:, 0] * 1000).astype(int)
    acc, gyr, mag = vectors(k)
    assert np.abs(rows - np.concatenate([acc, gyr, mag], axis=1)).max() < 1e-5
    assert {(b - a) % 2**32 for a, b in pairwise(packet.ticks.tolist())} == {100}
    assert any(b < a for a, b in pairwise(packet.ticks.tolist())), "wrapped"
    assert not packet.flags.any()
    assert sensor.writes == 1
    for stream, every in (("orientation", 1), ("air_pressure", 2)):
        assert len(decoded(driver, frames, stream)) == pytest.approx(len(packet) / every, abs=2)


async def test_a_configuration_that_is_as_wanted_is_not_written_again(tmp_path: Path) -> None:
    sensor = device(tmp_path)
    await sensor.start()
    try:
        for _ in range(3):
            async with streaming(SerialTransport(tmp_path / "port"), Driver(outputs=ALL)) as frames:
                await until(lambda: size(frames, "data") > 2000, within_s=WAIT_S)
    finally:
        await sensor.stop()
    assert sensor.writes == 1, "its memory bears so many"


async def test_a_rate_that_it_cannot_make_is_asked_for_once(tmp_path: Path) -> None:
    sensor = device(tmp_path)
    await sensor.start()
    try:
        async with watching(Driver(rate_hz=400), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 10)
            await sensor.drop()
            await watched.until_state("streaming", count=2)
            assert sensor.writes == 1
            sensor.outputs = [(0x2010, 100)]  # somebody else set it up meanwhile
            await sensor.drop()
            await watched.until_state("streaming", count=3)
            before = watched.samples("imu")
            await watched.until(lambda: watched.samples("imu") > before + 10)
    finally:
        await sensor.stop()
    assert sensor.writes == 2


async def test_an_output_that_it_has_not_is_said_and_asked_for_once(tmp_path: Path) -> None:
    sensor = device(tmp_path, lacks=0x2010)
    await sensor.start()
    try:
        async with watching(Driver(outputs=ALL), port=tmp_path / "port") as watched:
            waiting = await watched.until_state("waiting", count=2)
    finally:
        await sensor.stop()
    assert waiting.error == "the device has no output 2010"
    assert "Ask for less with 'outputs'" in waiting.advice
    assert sensor.writes == 1


async def test_a_device_that_may_not_be_set_up_is_read_as_it_is(tmp_path: Path) -> None:
    sensor = device(tmp_path)
    await sensor.start()
    try:
        driver = Driver(configure=False)
        async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
            await until(lambda: size(frames, "data") > 3000, within_s=WAIT_S)
    finally:
        await sensor.stop()
    assert sensor.writes == 0
    assert len(decoded(driver, frames, "orientation")) > 30, "what it is delivered with"


async def test_losses_are_told_and_it_says_who_it_is(tmp_path: Path) -> None:
    sensor = device(tmp_path, lose=7)
    await sensor.start()
    try:
        async with watching(Driver(), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 150)
            identity = watched.states[-1].identity
    finally:
        await sensor.stop()
    assert (identity.serial, identity.maker, identity.model, identity.firmware) == (
        "03700001", "Xsens", "MTi-30-2A5G4", "1.8.2",
    )  # fmt: skip
    packets = [packet for packet in watched.packets if packet.stream == "imu"]
    missing = sum(int((packet.flags == Flag.MISSING).sum()) for packet in packets)
    assert missing == pytest.approx(watched.samples("imu") / 6, abs=2)


async def test_its_rate_is_found_whatever_it_is_set_to(tmp_path: Path) -> None:
    sensor = device(tmp_path, rate=460_800)
    await sensor.start()
    try:
        async with watching(Driver(), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 20)
    finally:
        await sensor.stop()
    assert watched.names.count("failed") == 0


async def test_it_comes_back_after_each_fault(tmp_path: Path) -> None:
    sensor = device(tmp_path)
    await sensor.start()
    try:
        async with watching(Driver(), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 10)
            await sensor.drop()
            await watched.until_state("streaming", count=2)
            await sensor.power_cycle(0.2)
            await watched.until_state("streaming", count=3)
            before = watched.samples("imu")
            await sensor.misbehave("garbage", 0.3)
            await watched.until(lambda: watched.samples("imu") > before + 40)
    finally:
        await sensor.stop()
    assert watched.names.count("failed") == 0
