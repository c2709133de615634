"""The simulated MicroStrain sensor through a pseudo-terminal, set up and read by the product's driver."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from drivers.microstrain.driver import MicroStrain as Driver
from drivers.packet import Flag
from drivers.transport.serial_port import SerialTransport
from simulators.devices.microstrain import MicroStrain
from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from tests.drivers.watching import watching
from tests.simulators.helpers import Counting, decoded, streaming, until, vectors

ALL = ("orientation", "magnetic_field", "air_pressure", "temperature")
RATE_HZ = 100.0
WAIT_S = 30.0  # on a busy machine
PERIOD_NS = 10_000_000


def device(folder: Path, *, lose: int = 0, rate: int | None = None, modern: bool = True) -> MicroStrain:
    made = MicroStrain(
        name="back",
        timeline=Timeline(),
        path=folder / "port",
        source=Counting(RATE_HZ, lose=lose),
        rate=rate,
        modern=modern,
    )
    made.wearer = Wearer()
    return made


@pytest.mark.parametrize(("modern", "orientation"), [(True, "filter"), (True, "sensor"), (False, "filter")])
async def test_it_is_set_up_and_every_sample_arrives(tmp_path: Path, modern: bool, orientation: str) -> None:
    sensor, driver = device(tmp_path, modern=modern), Driver(outputs=ALL, orientation=orientation)
    await sensor.start()
    try:
        async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
            begun = sensor.counts.sent
            await until(lambda: sensor.counts.sent >= begun + 150, within_s=WAIT_S)
        imu, field = decoded(driver, frames, "imu"), decoded(driver, frames, "magnetic_field")
        oriented = decoded(driver, frames, "orientation")
    finally:
        await sensor.stop()
    assert len(imu) >= 100
    k = np.rint(imu.samples[:, 0] * 1000).astype(int)
    acc, gyr, mag = vectors(k)
    assert np.abs(imu.samples - np.concatenate([acc, gyr], axis=1)).max() < 1e-5
    assert np.abs(field.samples - mag).max() < 1e-5
    assert {b - a for a, b in pairwise(imu.ticks.tolist())} == {PERIOD_NS}
    assert not imu.flags.any()
    assert len(oriented) == pytest.approx(len(imu), abs=2)
    turns = np.linalg.norm(oriented.samples[:, :4], axis=1)
    assert np.abs(turns - 1).max() < 1e-5
    assert decoded(driver, frames, "air_pressure").samples[0, 0] == pytest.approx(101_325)
    assert bool(sensor.refused) != modern


async def test_another_rate_is_a_part_of_what_it_makes(tmp_path: Path) -> None:
    sensor, driver = device(tmp_path), Driver(rate_hz=25)
    await sensor.start()
    try:
        async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
            begun = sensor.counts.sent
            await until(lambda: sensor.counts.sent >= begun + 150, within_s=WAIT_S)
        imu = decoded(driver, frames, "imu")
    finally:
        await sensor.stop()
    assert {b - a for a, b in pairwise(imu.ticks.tolist())} == {4 * PERIOD_NS}
    decoder = driver.decoder()
    decoder.decode(frames)
    assert decoder.streams["imu"].rate_hz == 25.0


async def test_losses_are_told_and_it_says_who_it_is(tmp_path: Path) -> None:
    sensor = device(tmp_path, lose=7)
    await sensor.start()
    try:
        async with watching(Driver(), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 150)
            identity = watched.states[-1].identity
    finally:
        await sensor.stop()
    assert (identity.serial, identity.model, identity.firmware) == ("6284.100001", "3DM-CV7-AHRS", "1.1.02")
    packets = [packet for packet in watched.packets if packet.stream == "imu"]
    missing = sum(int((packet.flags == Flag.MISSING).sum()) for packet in packets)
    assert missing == pytest.approx(watched.samples("imu") / 6, abs=2)


async def test_its_rate_is_found_whatever_it_is_set_to(tmp_path: Path) -> None:
    sensor = device(tmp_path, rate=921_600)
    await sensor.start()
    try:
        async with watching(Driver(), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 20)
    finally:
        await sensor.stop()
    assert watched.names.count("failed") == 0


async def test_it_comes_back_after_each_fault_set_up_anew(tmp_path: Path) -> None:
    sensor = device(tmp_path)
    await sensor.start()
    try:
        async with watching(Driver(outputs=("magnetic_field",)), port=tmp_path / "port") as watched:
            await watched.until(lambda: watched.samples("imu") > 10)
            await sensor.drop()
            await watched.until_state("streaming", count=2)
            await sensor.power_cycle(0.2)
            await watched.until_state("streaming", count=3)
            before = watched.samples("magnetic_field")
            await sensor.misbehave("garbage", 0.3)
            await watched.until(lambda: watched.samples("magnetic_field") > before + 40)
    finally:
        await sensor.stop()
    assert watched.names.count("failed") == 0
