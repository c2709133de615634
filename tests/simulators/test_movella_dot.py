"""The simulated DOT through the product's transport and decoder: what went in comes out."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from bleak import BleakClient

from drivers.movella_dot.driver import MovellaDot as Driver
from drivers.movella_dot.driver import parse_control
from drivers.movella_dot.layout import MODES as DRIVER_MODES
from drivers.transport.ble import BleTransport
from simulators.devices.movella_dot import MODES, MovellaDot, Sample, uuid
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.sensing.fusion import GRAVITY, Fusion
from tests.simulators.helpers import Counting, count, decoded, on_air, streaming, until, vectors

ADDRESS = "D4:22:CD:00:01:00"
RATE_HZ = 60.0


def dot(hub: Hub, source: Counting, *, speed: float = 4.0) -> MovellaDot:
    return MovellaDot(name="foot", timeline=Timeline(speed=speed), hub=hub, address=ADDRESS, source=source)


@pytest.mark.parametrize("mode", DRIVER_MODES)
async def test_every_mode_comes_back_through_the_drivers_decoder(tmp_path: Path, mode: str) -> None:
    hub, driver = Hub(), Driver(mode=mode)
    sensor = dot(hub, Counting(RATE_HZ))
    async with (
        on_air(hub, tmp_path / "r", sensor) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 100)
    inertial = "acc" in DRIVER_MODES[mode].fields
    packet = decoded(driver, frames, "imu" if inertial else "orientation")
    k = np.rint(packet.ticks / 1e6 * RATE_HZ).astype(np.int64)
    assert len(k) >= 90
    np.testing.assert_array_equal(np.diff(k), 1)
    np.testing.assert_array_equal(packet.ticks, np.rint(k / RATE_HZ * 1e6))
    if inertial:
        acc, gyr, mag = vectors(k)
        np.testing.assert_allclose(packet.samples[:, :3], acc, atol=1e-5)
        np.testing.assert_allclose(packet.samples[:, 3:6], gyr, atol=1e-5)
        if mode == "rate_mag":
            np.testing.assert_allclose(packet.samples[:, 6:9], mag, atol=1 / 8192 + 1e-6)
    elif {"q", "dq"} & set(DRIVER_MODES[mode].fields):
        np.testing.assert_allclose(np.linalg.norm(packet.samples[:, :4], axis=1), 1.0, atol=1e-5)
    elif "eul" in DRIVER_MODES[mode].fields:
        assert np.abs(packet.samples[:, :3]).max() <= np.pi + 1e-6


async def test_lost_samples_leave_a_gap_in_the_ticks_and_nothing_else(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(mode="rate")
    sensor = dot(hub, Counting(RATE_HZ, lose=4))
    async with (
        on_air(hub, tmp_path / "r", sensor) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 90)
    packet = decoded(driver, frames, "imu")
    k = np.rint(packet.ticks / 1e6 * RATE_HZ).astype(np.int64)
    assert not (k % 4 == 0).any()
    np.testing.assert_array_equal(k, [i for i in range(k[0], k[-1] + 1) if i % 4])
    assert sensor.counts.lost >= sensor.counts.sent // 3 - 1


async def test_the_clock_wraps_as_the_wire_does(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(mode="rate")
    almost_s = 2**32 / 1e6 - 1.5
    sensor = dot(hub, Counting(RATE_HZ, clock_s=almost_s), speed=1.0)
    async with (
        on_air(hub, tmp_path / "r", sensor) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 2 * RATE_HZ)
    ticks = decoded(driver, frames, "imu").ticks
    assert ticks[0] > 2**32 - 2_000_000
    assert ticks[-1] < 1_000_000
    np.testing.assert_allclose(np.diff(ticks) % 2**32, 1e6 / RATE_HZ, atol=1.0)


async def test_a_sensor_at_the_rate_of_a_recording_says_so(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    sensor = dot(hub, Counting(100.0))
    async with on_air(hub, tmp_path / "r", sensor) as radio:
        async with streaming(BleTransport(radio, address=ADDRESS), driver) as frames:
            await until(lambda: count(frames, "measurement") >= 3)
        async with BleakClient(ADDRESS, backend=radio.one.client_type) as client:
            control = await client.read_gatt_char(uuid(0x1002))
    decoder = driver.decoder()
    decoder.decode(frames)
    assert decoder.streams["imu"].rate_hz == 100.0
    assert parse_control(bytes(control)).rate_hz == 100


async def test_samples_before_the_start_are_taken_but_not_kept(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    sensor = dot(hub, Counting(RATE_HZ))
    async with on_air(hub, tmp_path / "r", sensor) as radio:
        await until(lambda: sensor.counts.unsent >= 60)
        async with streaming(BleTransport(radio, address=ADDRESS), driver) as frames:
            await until(lambda: count(frames, "measurement") >= 3)
    assert decoded(driver, frames, "imu").ticks[0] >= 1_000_000


async def test_a_source_that_ends_takes_the_device_off_the_air(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(mode="rate")
    sensor = MovellaDot(
        name="foot", timeline=Timeline(speed=4, running=False), hub=hub, address=ADDRESS, source=Counting(count=50)
    )
    async with on_air(hub, tmp_path / "r", sensor) as radio:
        async with streaming(BleTransport(radio, address=ADDRESS), driver) as frames:
            sensor.timeline.start()
            await sensor.finished.wait()
            await until(lambda: not sensor.connected)
            await until(lambda: count(frames, "measurement") == 50)
        await until(lambda: not any(controller.is_advertising for controller in hub.air.controllers))
    np.testing.assert_array_equal(decoded(driver, frames, "imu").ticks, np.rint(np.arange(50) / RATE_HZ * 1e6))
    assert (sensor.counts.sent, sensor.counts.lost, sensor.counts.unsent) == (50, 0, 0)


def test_payloads_are_laid_out_as_published() -> None:
    fusion = Fusion()
    fusion.update(0.0, (0.0, 0.0, GRAVITY), (0.0, 0.0, 0.0))
    sample = Sample(0x01020304, (1.0, 2.0, 3.0), (np.pi / 180, 0.0, -np.pi / 90), (1.0, -0.5, 99.0), fusion)
    assert MODES[21].encode(sample) == struct.pack("<I", 0x01020304) + struct.pack("<6f", 1, 2, 3, 1, 0, -2)
    assert MODES[20].encode(sample)[28:] == struct.pack("<3h", 4096, -2048, 32767)
    assert {number: len(mode.encode(sample)) for number, mode in MODES.items()} == {
        2: 36, 3: 32, 4: 16, 5: 20, 6: 16, 7: 32, 16: 28, 18: 38, 19: 32, 20: 34, 21: 28, 22: 40, 23: 34, 24: 32, 26: 44
    }  # fmt: skip
    assert [MODES[number].length for number in (2, 5, 20, 21, 26)] == ["medium", "short", "medium", "medium", "long"]


def test_uuids_are_the_vendors() -> None:
    assert uuid(0x2001) == "15172001-4947-11E9-8646-D663BD873D93"
