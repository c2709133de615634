"""Electrodes, probes and a Shimmer3R, simulated, through a real pseudo-terminal, the product's dialogue and decoder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from drivers.packet import Flag, Frame, Packet
from drivers.shimmer3.driver import Shimmer3 as Driver
from drivers.transport.serial_port import SerialTransport
from simulators.body.electrodes import Electrodes
from simulators.devices.shimmer3 import SHIMMER3R, Shimmer3
from simulators.devices.shimmer3_sensors import Exg
from simulators.motion.timeline import Timeline
from tests.drivers.watching import watching
from tests.simulators.helpers import Counting, count, size, streaming, until, vectors

RATE_HZ = 128.0
TICKS = 32768
WORN = Electrodes(3)
TOP_24 = 2**23 - 1


def shimmer(tmp_path: Path, *, exg: Exg = "ecg", hardware: int = 3, first_magnetometer: bool = False) -> Shimmer3:
    return Shimmer3(
        name="arm", timeline=Timeline(speed=4.0), path=tmp_path / "port", source=Counting(RATE_HZ), worn=WORN, exg=exg,
        hardware=hardware, first_magnetometer=first_magnetometer,
    )  # fmt: skip


async def streamed(sensor: Shimmer3, driver: Driver, samples: int = 150) -> list[Frame]:
    await sensor.start()
    async with streaming(SerialTransport(sensor.port.path), driver) as frames:
        await until(lambda: size(frames, "data") >= 8 * samples)
    await sensor.stop()
    return frames


def taken(driver: Driver, frames: list[Frame]) -> dict[str, Packet]:
    decoder = driver.decoder()
    packets = {packet.stream: packet for packet in decoder.decode(frames)}
    assert not {fault for fault in decoder.faults if "calibration" not in fault}, decoder.faults
    return packets


def times(packet: Packet) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return packet.ticks / TICKS


@pytest.mark.parametrize("sensors", ["exg_24_bit", "exg_16_bit"])
async def test_an_ecg_comes_back_within_quantisation(tmp_path: Path, sensors: str) -> None:
    driver = Driver(sensors=[sensors])
    got = taken(driver, await streamed(shimmer(tmp_path), driver))["ecg"]
    step = 2420 / 4 / (TOP_24 if sensors == "exg_24_bit" else 2 * (2**15 - 1))
    slope = 40.0 / TICKS  # mV: the steepest the heart is, for the rounding of the stamp
    np.testing.assert_allclose(got.samples, WORN.ecg_mv(times(got)), atol=1.1 * step + slope)
    assert len(got) > 50
    assert not got.flags.any()


async def test_an_emg_has_two_channels(tmp_path: Path) -> None:
    driver = Driver(sensors=["exg_24_bit", "gyroscope"])
    got = taken(driver, await streamed(shimmer(tmp_path, exg="emg"), driver))
    np.testing.assert_allclose(got["emg"].samples, WORN.emg_mv(times(got["emg"])), atol=0.02)
    assert got["emg"].samples.shape[1] == 2
    assert got["emg"].ticks.tolist() == got["imu"].ticks.tolist()


async def test_a_lead_that_falls_off_is_told(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path), Driver(sensors=["exg_24_bit"])
    await sensor.start()
    async with streaming(SerialTransport(sensor.port.path), driver) as frames:
        await until(lambda: size(frames, "data") >= 500)
        sensor.parts.leads_off[0] = 0x01
        await until(lambda: size(frames, "data") >= 3000)
    await sensor.stop()
    flags = taken(driver, frames)["ecg"].flags
    assert (flags[0], flags[-1]) == (Flag.NONE, Flag.NO_CONTACT)
    assert np.count_nonzero(np.diff(flags.astype(int))) == 1


async def test_skin_pulse_and_air_come_back(tmp_path: Path) -> None:
    driver = Driver(sensors=["gsr", "internal_a1", "pressure"])
    got = taken(driver, await streamed(shimmer(tmp_path), driver))
    skin, pulse = got["skin_conductance"], got["ppg"]
    np.testing.assert_allclose(skin.samples[:, 0], WORN.conductance_us(times(skin)), rtol=0.01)
    assert np.corrcoef(pulse.samples[:, 0], WORN.pulse(times(pulse)))[0, 1] > 0.999
    assert got["sensor_temperature"].samples[:, 0] == pytest.approx(33.4321651817299)
    assert got["air_pressure"].samples[:, 0] == pytest.approx(100805.386352170)


async def test_open_electrodes_are_no_contact(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path), Driver(sensors=["gsr"])
    sensor.parts.electrodes_open = True
    got = taken(driver, await streamed(sensor, driver))["skin_conductance"]
    assert set(got.flags.tolist()) == {int(Flag.NO_CONTACT)}
    assert not got.samples.any()


@pytest.mark.parametrize(("accelerometer", "step"), [("wide_range", 1 / 418), ("low_noise", 1 / 418), ("high_g", 1.0)])
async def test_a_shimmer3r_comes_back_within_quantisation(tmp_path: Path, accelerometer: str, step: float) -> None:
    driver = Driver(sensors=[accelerometer, "gyroscope", "magnetometer", "pressure"], accelerometer=accelerometer)
    got = taken(driver, await streamed(shimmer(tmp_path, hardware=SHIMMER3R), driver))
    imu = got["imu"]
    k = np.rint(imu.ticks / TICKS * RATE_HZ).astype(np.int64)
    acc, gyr, mag = vectors(k)
    assert np.abs(imu.samples[:, :3] - acc).max() <= 0.51 * step
    assert np.abs(imu.samples[:, 3:6] - gyr).max() <= 0.51 * np.pi / 180 / 57
    assert np.abs(imu.samples[:, 6:9] - mag).max() <= 0.51 / 667
    assert got["air_pressure"].samples[:, 0] == pytest.approx(100_805.0)
    assert got["sensor_temperature"].samples[:, 0] == pytest.approx(31.25)


async def test_the_first_magnetometer_is_read_by_its_own_order(tmp_path: Path) -> None:
    driver = Driver(sensors=["magnetometer"])
    got = taken(driver, await streamed(shimmer(tmp_path, first_magnetometer=True), driver))["magnetic_field"]
    _, _, mag = vectors(np.rint(got.ticks / TICKS * RATE_HZ).astype(np.int64))
    assert np.abs(got.samples - 100 * mag).max() <= 51 / 1100


@pytest.mark.parametrize("hardware", [3, SHIMMER3R])
async def test_the_battery_is_read_while_it_streams(tmp_path: Path, hardware: int) -> None:
    """The answers come between the packets and cost none."""
    sensor, driver = shimmer(tmp_path, hardware=hardware), Driver()
    await sensor.start()
    frames: list[Frame] = []
    transport = SerialTransport(sensor.port.path)
    await transport.search()
    connection = await transport.connect(driver, frames.append, lambda: 0)
    await driver.start(connection)
    connection.begin_stream()
    for wanted in (1000, 2000, 3000):
        await driver.refresh(connection)
        await until(partial(_arrived, frames, wanted))
    connection.begin_dialogue()
    await driver.stop(connection)
    await connection.close()
    await sensor.stop()
    got = taken(driver, frames)
    assert count(frames, "battery") == 1
    assert len(got["battery"]) == 4
    assert (got["battery"].samples[:, 0] > 50).all()
    assert (np.diff(got["imu"].ticks) == 256).all()


def _arrived(frames: list[Frame], wanted: int) -> bool:
    return size(frames, "data") >= wanted


async def test_its_number_and_model_are_told(tmp_path: Path) -> None:
    for hardware, model, digits in ((3, "Shimmer3", 16), (SHIMMER3R, "Shimmer3R", 24)):
        sensor = shimmer(tmp_path, hardware=hardware)
        await sensor.start()
        async with watching(Driver(), port=sensor.port.path) as watched:
            identity = (await watched.until_state("streaming")).identity
        await sensor.stop()
        assert (identity.model, identity.tag, len(identity.serial)) == (model, "arm", digits)
