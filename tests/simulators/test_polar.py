"""The simulated Polar sensors through the product's transport, dialogue and decoder: what went in comes out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from drivers.contract import decoded as contract_decoded
from drivers.packet import Frame, Packet
from drivers.polar.driver import Polar as Driver
from drivers.transport.ble import BleTransport
from simulators.devices import pmd
from simulators.devices.pmd import ACC, ECG, PPI
from simulators.devices.polar import CLOCK_STARTS_NS, MODELS, Model, Polar
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import Counting, Metronome, count, decoded, on_air, streaming, until, vectors

ADDRESS = "A0:9E:1A:00:01:00"
WAIT_S = 30.0
RR_S = 0.75


def sensor(hub: Hub, model: Model = "H10", *, speed: float = 8.0, **more: object) -> Polar:
    return Polar(
        name="strap", timeline=Timeline(speed=speed), hub=hub, address=ADDRESS, model=model, heart=Metronome(RR_S),
        movement=Counting, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def packets(driver: Driver, frames: Sequence[Frame]) -> dict[str, Packet]:
    decoder = driver.decoder()
    got = contract_decoded(decoder, [frames])
    assert not decoder.faults, decoder.faults
    return got


def seconds(packet: Packet) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return when samples were taken, in seconds of the device's clock since it was switched on."""
    return (packet.ticks - CLOCK_STARTS_NS) / 1e9


async def collected(tmp_path: Path, device: Polar, hub: Hub, driver: Driver, enough: int) -> list[Frame]:
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "data") >= enough, within_s=WAIT_S)
    return frames


async def test_an_h10_sends_its_ecg_and_acceleration_with_the_heart_rate_beside_it(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["ecg", "acceleration"], rates={"acceleration": 100})
    device = sensor(hub)
    frames = await collected(tmp_path, device, hub, driver, 40)
    got = packets(driver, frames)
    np.testing.assert_allclose(np.diff(got["ecg"].ticks), 1e9 / 130, rtol=1e-4)
    k = np.rint(seconds(got["acceleration"]) * 100).astype(np.int64)
    np.testing.assert_array_equal(np.diff(k), 1)
    np.testing.assert_allclose(got["acceleration"].samples, vectors(k)[0], atol=0.005)
    peaks = np.flatnonzero(got["ecg"].samples[:, 0] > 1.1)
    assert len(peaks) >= 3
    apart = np.diff(peaks)[np.diff(peaks) > 20]
    assert np.abs(apart / 130 - RR_S).max() < 0.02, "a beat each"
    assert got["rr"].samples[:, 0] == pytest.approx(RR_S, abs=1e-3)
    assert np.nanmedian(got["heart_rate"].samples[:, 0]) == 80.0
    assert device.running == {}, "nothing is left running"


async def test_each_stream_of_a_verity_sense(tmp_path: Path) -> None:
    hub = Hub()
    driver = Driver(streams=["ppg", "acceleration", "rotation", "magnetic_field"], rates={"magnetic_field": 50})
    frames = await collected(tmp_path, sensor(hub, "Verity Sense"), hub, driver, 60)
    got = packets(driver, frames)
    for name, rate_hz, at, atol in (
        ("acceleration", 52, 0, 0.005),
        ("rotation", 52, 1, 0.0007),
        ("magnetic_field", 50, 2, 0),
    ):
        k = np.rint(seconds(got[name]) * rate_hz).astype(np.int64)
        np.testing.assert_array_equal(np.diff(k), 1)
        truth = vectors(k)[at]
        if name == "magnetic_field":  # a unit of the source is half a gauss
            np.testing.assert_allclose(got[name].samples[:, :3], np.round(500 * truth) / 10, atol=0.11)
            assert (got[name].samples[:, 3] == 3.0).all()
        else:
            np.testing.assert_allclose(got[name].samples, truth, atol=atol)
    np.testing.assert_allclose(np.diff(got["ppg"].ticks), 1e9 / 55, rtol=1e-4)
    assert np.ptp(got["ppg"].samples[:, 0]) > 5000, "there is a pulse in it"
    assert np.ptp(got["ppg"].samples[:, 3]) == 0.0


async def test_a_360_in_g_with_a_factor_and_floats(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["acceleration", "sensor_temperature", "air_pressure"])
    got = packets(driver, await collected(tmp_path, sensor(hub, "360"), hub, driver, 30))
    k = np.rint(seconds(got["acceleration"]) * 50).astype(np.int64)
    np.testing.assert_allclose(got["acceleration"].samples, vectors(k)[0], atol=0.002)
    assert (got["sensor_temperature"].samples == 31.25).all()
    np.testing.assert_allclose(got["air_pressure"].samples, 100_450.0)
    np.testing.assert_allclose(np.diff(got["air_pressure"].ticks), 1e9, rtol=1e-4)


async def test_the_light_of_old_firmware_is_placed_at_the_rate_that_it_has(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    device = sensor(hub, "Verity Sense", old_firmware=True)
    frames = await collected(tmp_path, device, hub, driver, 20)
    got = packets(driver, frames)["ppg"]
    assert any(command.startswith(bytes.fromhex("0201000187 00".replace(" ", ""))) for command in device.written)
    np.testing.assert_allclose(np.diff(got.ticks), 1e9 / 55, rtol=1e-3)


async def test_pulse_intervals_come_late_and_their_stream_stays_alive(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["ppi"])
    frames = await collected(tmp_path, sensor(hub, "Verity Sense", speed=30.0), hub, driver, 3)
    got = packets(driver, frames)
    assert got["rr"].samples[:, 0] == pytest.approx(RR_S)
    assert got["rr"].samples[:, 1] == pytest.approx(0.008)
    assert len(got["rr"]) == pytest.approx((25 + 2 * 5) / RR_S, abs=3), "each beat once"
    assert len(got["heart_rate"]) >= 4


async def test_a_lost_notification_is_a_gap_of_as_many_samples(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["acceleration"], rates={"acceleration": 50})
    device = sensor(hub, lose_every=5)
    frames = await collected(tmp_path, device, hub, driver, 20)
    got = packets(driver, frames)["acceleration"]
    steps = np.rint(np.diff(got.ticks) / (1e9 / 50)).astype(np.int64)
    assert set(steps.tolist()) == {1, 37}
    assert (steps == 37).sum() >= 3


async def test_a_power_cycle_starts_the_clock_in_2019_and_the_stream_goes_on(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    device = sensor(hub)
    first: list[Frame] = []
    async with on_air(hub, tmp_path / "r", device) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        async with streaming(transport, driver) as frames:
            await until(lambda: count(frames, "data") >= 6, within_s=WAIT_S)
            first, off_s = list(frames), device.timeline.now_s
            await device.power_cycle()
            await until(lambda: not device.connected, within_s=WAIT_S)
        async with streaming(transport, driver) as frames:
            await until(lambda: count(frames, "data") >= 6, within_s=WAIT_S)
            second, end_s = list(frames), device.timeline.now_s
    before, after = packets(driver, first)["ecg"], packets(driver, second)["ecg"]
    assert 3.0 < seconds(before)[-1] <= off_s
    assert seconds(after)[-1] <= end_s - off_s + 0.1, "counted from the power cycle on"


async def test_a_strap_that_is_taken_off_is_told_to_rest_before_it_leaves(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["ecg", "acceleration"])
    device = sensor(hub, speed=20.0, off=(8.0, 1e9))
    frames: list[Frame] = []
    async with on_air(hub, tmp_path / "r", device) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        await transport.search()
        connection = await transport.connect(driver, frames.append, time.monotonic_ns)
        await driver.start(connection)
        assert set(device.running) == {ECG, ACC}
        await until(lambda: device.timeline.now_s > 15.0, within_s=WAIT_S)
        while device.running:  # the supervisor looks each five seconds
            assert not connection.lost.is_set()
            at_s = device.timeline.now_s
            await driver.refresh(connection)
            await until(lambda: device.timeline.now_s >= at_s + 1.0 or connection.lost.is_set(), within_s=WAIT_S)  # noqa: B023
        await until(connection.lost.is_set, within_s=WAIT_S)
        await connection.close()
    assert device.running == {}


async def test_what_a_lost_link_left_running_is_ended_by_the_next(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["acceleration"])
    device = sensor(hub)
    async with on_air(hub, tmp_path / "r", device) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        async with streaming(transport, Driver(streams=["ecg"])) as frames:
            await until(lambda: count(frames, "data") >= 2, within_s=WAIT_S)
            await device.drop()
            await until(lambda: not device.connected, within_s=WAIT_S)
        assert set(device.running) == {ECG}
        async with streaming(transport, driver) as frames:
            await until(lambda: count(frames, "data") >= 2, within_s=WAIT_S)
            assert set(device.running) == {ACC}
    assert "acceleration" in packets(driver, frames)


async def test_garbage_is_counted_and_what_comes_behind_it_lies_where_it_was(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=["acceleration"])
    device = sensor(hub)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "data") >= 5, within_s=WAIT_S)
        await device.misbehave("garbage", 4.0)
        before = count(frames, "data")
        await until(lambda: count(frames, "data") >= before + 8, within_s=WAIT_S)
    decoder = driver.decoder()
    got = contract_decoded(decoder, [frames])["acceleration"]
    assert sum(decoder.faults.values()) >= 4
    k = np.rint(seconds(got) * 50).astype(np.int64)
    assert (np.diff(k) == 1).sum() == len(k) - 2, "one gap"
    np.testing.assert_allclose(got.samples, vectors(k)[0], atol=0.005)


async def test_identity_and_battery(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(streams=[])
    async with on_air(hub, tmp_path / "r", sensor(hub)) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        frames: list[Frame] = []
        await transport.search()
        connection = await transport.connect(driver, frames.append, time.monotonic_ns)
        identity = await driver.identify(connection)
        await driver.start(connection)
        await until(lambda: count(frames, "battery"), within_s=WAIT_S)
        await connection.close()
    assert (identity.serial, identity.model) == ("1A000100", "Polar H10")
    assert decoded(driver, frames, "battery").samples[0, 0] == 90.0


@pytest.mark.parametrize("model", list(MODELS))
def test_settings_are_listed_and_judged_as_they_are_chosen(model: Model) -> None:
    for kind, measurement in MODELS[model].items():
        if kind == PPI:
            continue
        offered = measurement.offered()
        assert len(offered) > 3
        assert measurement.chosen(b"")[0] == pmd.BAD_RATE
        assert measurement.chosen(b"\x00\x02\x01\x00\x02\x00")[0] == pmd.BAD_PARAMETER
    h10 = MODELS["H10"][ACC]
    assert h10.chosen(bytes.fromhex("0001c800010110000201 0800".replace(" ", ""))) == (0, {0: 200, 1: 16, 2: 8})
    assert h10.chosen(bytes.fromhex("00013400010110000201 0800".replace(" ", "")))[0] == pmd.BAD_RATE
    assert pmd.answer(1, 6, 7).hex() == "f0010607"
    assert pmd.features([0, 2])[:3].hex() == "0f0500"
