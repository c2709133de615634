"""The simulated Movesense through the product's transport, dialogue and decoder: what went in comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.contract import decoded as contract_decoded
from drivers.movesense.driver import Movesense as Driver
from drivers.movesense.streams import TICK_BITS, TICK_HZ
from drivers.packet import Frame, Packet
from drivers.transport.ble import BleTransport
from simulators.devices.movesense import Movesense
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import Counting, Metronome, count, on_air, streaming, until, vectors

ADDRESS = "0C:8C:DC:00:01:00"
WAIT_S = 30.0
RR_S = 0.75
UP_MS = 5_000


def sensor(hub: Hub, *, running: bool = True, **more: int) -> Movesense:
    timeline = Timeline(speed=8.0, running=running)
    return Movesense(
        name="sensor", timeline=timeline, hub=hub, address=ADDRESS, heart=Metronome(RR_S), movement=Counting, **more
    )


async def collected(tmp_path: Path, device: Movesense, hub: Hub, driver: Driver, enough: int) -> dict[str, Packet]:
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= enough, within_s=WAIT_S)
        assert count(frames, "battery") == 1
    assert device.running == {}, "nothing is left running"
    return packets(driver, frames)


def packets(driver: Driver, frames: list[Frame]) -> dict[str, Packet]:
    decoder = driver.decoder()
    got = contract_decoded(decoder, [frames])
    assert not decoder.faults, decoder.faults
    return got


def numbers(packet: Packet, rate_hz: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return which samples of the source these are."""
    return np.rint((packet.ticks / TICK_HZ - UP_MS / 1000) * rate_hz).astype(np.int64)


@pytest.mark.parametrize(
    ("stream", "rate_hz", "room"), [("imu", 104, 244), ("imu", 104, 156), ("imu9", 104, 244), ("imu9", 26, 42)]
)
async def test_motion_in_one_part_and_in_two(tmp_path: Path, stream: str, rate_hz: int, room: int) -> None:
    """A room of 42 bytes has a first part as long as a payload of one sample of nine."""
    hub, driver = Hub(), Driver(streams=[stream, "heart_rate"], rates={stream: rate_hz})
    got = await collected(tmp_path, sensor(hub, room=room), hub, driver, 60)
    k = numbers(got["imu"], rate_hz)
    np.testing.assert_array_equal(np.diff(k), 1)
    acc, gyr, mag = vectors(k)
    np.testing.assert_allclose(got["imu"].samples[:, :3], acc, atol=1e-5)
    np.testing.assert_allclose(got["imu"].samples[:, 3:6], gyr, atol=1e-5)
    if stream == "imu9":
        np.testing.assert_allclose(got["imu"].samples[:, 6:9], 50 * mag, atol=1e-4)
    assert got["rr"].samples[:, 0] == pytest.approx(RR_S)
    assert got["heart_rate"].samples[:, 0] == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("stream", "ecg"), [("acceleration", "ecg"), ("rotation", "ecg_mv"), ("magnetic_field", "ecg")]
)
async def test_the_other_resources(tmp_path: Path, stream: str, ecg: str) -> None:
    hub, driver = Hub(), Driver(streams=[stream, ecg, "sensor_temperature"], rates={stream: 52, ecg: 250})
    got = await collected(tmp_path, sensor(hub), hub, driver, 120)
    k = numbers(got[stream], 52)
    np.testing.assert_array_equal(np.diff(k), 1)
    at = ("acceleration", "rotation", "magnetic_field").index(stream)
    np.testing.assert_allclose(got[stream].samples, vectors(k)[at] * (50 if at == 2 else 1), atol=1e-4)
    np.testing.assert_allclose(np.diff(got["ecg"].ticks), TICK_HZ / 250, rtol=0.3)
    assert got["ecg"].samples.max() == pytest.approx(1.2, rel=0.05)
    assert got["sensor_temperature"].samples[:, 0] == pytest.approx(31.5, abs=1e-4)


async def test_the_clock_goes_round_after_49_days(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["imu"])
    device = sensor(hub, up_ms=2**32 - 2_500, running=False)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        device.timeline.start()
        await until(lambda: count(frames, "measurement") >= 60, within_s=WAIT_S)
    got = packets(driver, frames)["imu"]
    assert got.ticks[0] > got.ticks[-1]
    steps = np.diff(got.ticks) % 2**TICK_BITS
    np.testing.assert_allclose(steps, TICK_HZ / 104, rtol=0.2)


async def test_a_lost_payload_is_a_gap_of_as_many_samples(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["imu"])
    got = (await collected(tmp_path, sensor(hub, lose_every=6), hub, driver, 60))["imu"]
    steps = np.diff(numbers(got, 104))
    assert set(steps.tolist()) == {1, 9}


async def test_garbage_is_counted_and_what_comes_behind_it_lies_where_it_was(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["imu"])
    device = sensor(hub)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= 20, within_s=WAIT_S)
        await device.misbehave("garbage", 2.0)
        before = count(frames, "measurement")
        await until(lambda: count(frames, "measurement") >= before + 20, within_s=WAIT_S)
    decoder = driver.decoder()
    got = contract_decoded(decoder, [frames])["imu"]
    assert decoder.faults
    k = numbers(got, 104)
    assert (np.diff(k) == 1).sum() == len(k) - 2, "one gap"
    np.testing.assert_allclose(got.samples[:, :3], vectors(k)[0], atol=1e-5)


async def test_a_dropped_link_is_begun_anew(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    device = sensor(hub)
    async with on_air(hub, tmp_path / "r", device) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        for _ in range(2):
            async with streaming(transport, driver) as frames:
                await until(lambda: count(frames, "measurement") >= 20, within_s=WAIT_S)
                kept = list(frames)
                await device.drop()
                await until(lambda: not device.connected, within_s=WAIT_S)
            assert len(packets(driver, kept)["imu"]) > 8
