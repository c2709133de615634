"""Simulated motion sensors and insoles through the product: what went in comes out, by radio and by serial port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from drivers.metamotion.driver import MetaMotion as MetaMotionDriver
from drivers.orphe.driver import Orphe as OrpheDriver
from drivers.orphe.sensor import TICK_HZ
from drivers.packet import Flag, Frame, Packet
from drivers.transport.ble import BleTransport
from drivers.transport.serial_port import SerialTransport
from drivers.witmotion.driver import WitMotion as WitMotionDriver
from drivers.witmotion_serial.driver import WitMotionSerial as WitMotionSerialDriver
from simulators.devices.metamotion import MetaMotion
from simulators.devices.orphe import Orphe
from simulators.devices.witmotion import WitMotion
from simulators.devices.witmotion_serial import ACC, ANGLE, FIELD, GYR, QUATERNION, WitMotionSerial
from simulators.motion.source import G
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import Counting, count, decoded, on_air, size, streaming, until, vectors

ADDRESS = "D0:5F:B8:00:01:00"
WAIT_S = 30.0
ACC_STEP = 16 * G / 32768
GYR_STEP = np.radians(2000) / 32768


def numbers(packet: Packet, *, first: int = 2, scale: float = 1000.0, offset: float = 9.0) -> np.ndarray:
    """Return which sample of `Counting` each is, by its vertical acceleration; modulo a thousand."""
    return np.rint((packet.samples[:, first] - offset) * scale).astype(np.int64)


def in_order(acc: Packet, step: float) -> None:
    """See that the samples are those of `Counting`, one after another and none twice."""
    ramp = numbers(acc)
    error = int(np.ceil(1000 * step))
    wrapped = np.diff(ramp)
    assert len(ramp) >= 90
    assert np.abs(np.where(wrapped < -500, wrapped + 1000, wrapped) - 1).max() <= 2 * error
    for k, row in zip(ramp, acc.samples, strict=True):
        known, _, _ = vectors(np.arange(k - error, k + error + 1) % 1000)
        assert np.abs(known - row[:3]).max(axis=1).min() <= 2.1 * step + 2e-3


@asynccontextmanager
async def introduced(transport: BleTransport, driver: MetaMotionDriver) -> AsyncIterator[list[Frame]]:
    """Stream as `streaming` does, from a device that was asked what it is: it is told other things for it."""
    frames: list[Frame] = []
    await transport.search()
    connection = await transport.connect(driver, frames.append, time.monotonic_ns)
    await driver.identify(connection)
    await driver.start(connection)
    yield frames
    await driver.stop(connection)
    await connection.close()


def witmotion(hub: Hub, source: Counting) -> WitMotion:
    return WitMotion(name="foot", timeline=Timeline(speed=2.0), hub=hub, address=ADDRESS, source=source)


async def test_witmotion_over_bluetooth(tmp_path: Path) -> None:
    hub, driver = Hub(), WitMotionDriver()
    sensor = witmotion(hub, Counting(100.0))
    async with (
        on_air(hub, tmp_path / "r", sensor) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: size(frames, "measurement") >= 160 * 20, within_s=WAIT_S)
    imu = decoded(driver, frames, "imu")
    in_order(imu, ACC_STEP)
    ramp = numbers(imu) / 1000
    assert np.abs(imu.samples[:, 3] - 0.5 * ramp).max() <= 2 * GYR_STEP + 2e-3
    assert set(imu.flags.tolist()) == {Flag.LOSS_UNKNOWN}
    assert decoded(driver, frames, "battery").samples[0, 0] in {60.0, 75.0, 90.0, 100.0}
    assert decoded(driver, frames, "sensor_temperature").samples[0, 0] == pytest.approx(30.25)
    assert len(decoded(driver, frames, "magnetic_field")) >= 1
    assert len(decoded(driver, frames, "orientation")) == len(imu)
    assert sensor.others == []
    assert any(len(frame.data) > 20 for frame in frames), "several frames in a notification"


@pytest.mark.parametrize("kinds", [(ACC, GYR), (ACC, GYR, ANGLE), (ACC, GYR, ANGLE, FIELD, QUATERNION)])
async def test_witmotion_on_a_serial_port(tmp_path: Path, kinds: tuple[int, ...]) -> None:
    driver = WitMotionSerialDriver(rate_hz=100)
    sensor = WitMotionSerial(
        name="back", timeline=Timeline(), path=tmp_path / "port", source=Counting(100.0), kinds=kinds
    )
    await sensor.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 120 * 11 * len(kinds), within_s=WAIT_S)
    await sensor.stop()
    decoder = driver.decoder()
    packets = {packet.stream: packet for packet in decoder.decode(frames)}
    assert sum(decoder.faults.values()) <= 11 * len(kinds), "the stream may be joined within a cycle"
    assert decoder.streams["imu"].rate_hz == 100.0
    in_order(packets["imu"], ACC_STEP)
    assert packets["sensor_temperature"].samples[0, 0] == pytest.approx(30.25)
    assert (ANGLE in kinds) == ("orientation" in packets)
    if QUATERNION in kinds:
        norm = np.linalg.norm(packets["orientation"].samples[:, 3:], axis=1)
        np.testing.assert_allclose(norm, 1.0, atol=1e-3)
    assert sensor.others == b""


@pytest.mark.parametrize("model", ["5", "8"])
async def test_metamotion(tmp_path: Path, model: str) -> None:
    hub, driver = Hub(), MetaMotionDriver(range_g=4, range_dps=500)
    sensor = MetaMotion(
        name="shank", timeline=Timeline(speed=2.0), hub=hub, address=ADDRESS, source=Counting(50.0), model=model
    )
    async with on_air(hub, tmp_path / "r", sensor) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        async with introduced(transport, driver) as frames:
            await until(lambda: count(frames, "measurement") >= 90, within_s=WAIT_S)
    acc = decoded(driver, frames, "acceleration")
    in_order(acc, 4 * G / 32768)
    rotation = decoded(driver, frames, "rotation")
    assert abs(len(rotation) - len(acc)) <= 3
    assert np.abs(rotation.samples[:, 0] + 0.5 * rotation.samples[:, 1]).max() <= 2 * np.radians(1 / 65.6)
    decoder = driver.decoder()
    decoder.decode(frames)
    assert decoder.streams["acceleration"].rate_hz == decoder.streams["rotation"].rate_hz == 50.0, "as it says itself"
    assert decoded(driver, frames, "battery").samples[0, 0] == 90.0
    assert sensor.others == []
    assert not sensor.streaming, "it was stopped"


async def test_metamotion_s_own_orientation(tmp_path: Path) -> None:
    hub, driver = Hub(), MetaMotionDriver(mode="orientation")
    sensor = MetaMotion(name="shank", timeline=Timeline(speed=2.0), hub=hub, address=ADDRESS, source=Counting(100.0))
    async with on_air(hub, tmp_path / "r", sensor) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        async with introduced(transport, driver) as frames:
            await until(lambda: count(frames, "measurement") >= 60, within_s=WAIT_S)
    turned = decoded(driver, frames, "orientation").samples
    np.testing.assert_allclose(np.linalg.norm(turned[:, :4], axis=1), 1.0, atol=1e-5)
    assert sensor.others == []


@pytest.mark.parametrize(("mode", "rate_hz"), [("orientation", 208.0), ("pressure", 208.0), ("all", 104.0)])
async def test_orphe_in_each_mode_over_midnight(tmp_path: Path, mode: str, rate_hz: float) -> None:
    hub, driver = Hub(), OrpheDriver(mode=mode)
    insole = Orphe(
        name="foot", timeline=Timeline(), hub=hub, address=ADDRESS, source=Counting(208.0),
        began_ms=86_400_000 - 700,
    )  # fmt: skip
    async with (
        on_air(hub, tmp_path / "r", insole) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 90, within_s=WAIT_S)
    imu = decoded(driver, frames, "imu")
    steps = np.diff(imu.ticks) % 2**32 / TICK_HZ * rate_hz
    assert np.abs(steps - 1).max() < 0.45
    assert not imu.flags.any()
    every = np.diff(numbers(imu)) % 1000
    assert np.abs(every - 208 / rate_hz).max() <= 12
    assert np.abs(imu.samples[:, 0] + 0.5 * imu.samples[:, 1]).max() <= 1.1 * ACC_STEP
    assert insole.others == []
    if mode != "orientation":
        assert set(np.unique(decoded(driver, frames, "insole").samples)) <= {40, 300, 400, 500, 700, 800, 900}


async def test_frames_that_the_radio_loses_are_counted_by_the_insole_s_counter(tmp_path: Path) -> None:
    hub, driver = Hub(), OrpheDriver()
    insole = Orphe(name="foot", timeline=Timeline(), hub=hub, address=ADDRESS, source=Counting(208.0, lose=40))
    async with (
        on_air(hub, tmp_path / "r", insole) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 60, within_s=WAIT_S)
    imu = decoded(driver, frames, "imu")
    steps = np.rint(np.diff(imu.ticks) % 2**32 / TICK_HZ * 208.0).astype(int)
    assert set(steps.tolist()) == {1, 5}
    assert (steps == 5).sum() == np.count_nonzero(imu.flags & Flag.MISSING) > 3
