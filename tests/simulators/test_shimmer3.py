"""The simulated Shimmer3 through a real pseudo-terminal, the product's transport, dialogue and decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.packet import Flag
from drivers.shimmer3.driver import Shimmer3 as Driver
from drivers.transport.serial_port import SerialTransport
from simulators.devices.shimmer3 import Shimmer3, crc16
from simulators.motion.source import Floats, Motion, MotionSource
from simulators.motion.timeline import Timeline
from tests.simulators.helpers import Counting, decoded, size, streaming, until, vectors

RATE_HZ = 51.2
PACKET_BYTES = 16  # acceleration and angular rate
ACC_STEP = 1 / 408  # m/s^2 a count at 8 g
GYR_STEP = np.pi / 180 / 65.5  # rad/s a count at 500 deg/s


def shimmer(tmp_path: Path, source: MotionSource, *, speed: float = 4.0) -> Shimmer3:
    return Shimmer3(name="back", timeline=Timeline(speed=speed), path=tmp_path / "port", source=source)


@pytest.mark.parametrize("crc_bytes", [0, 1, 2])
async def test_samples_come_back_within_quantisation(tmp_path: Path, crc_bytes: int) -> None:
    sensor, driver = shimmer(tmp_path, Counting(RATE_HZ)), Driver(crc_bytes=crc_bytes)
    await sensor.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 150 * PACKET_BYTES)
    await sensor.stop()
    # with check sums on, that of the last acknowledgement comes before the first packet
    forgiven = ("lost sync", "bytes skipped while out of sync") if crc_bytes else ()
    packet = decoded(driver, frames, "imu", forgiven=forgiven)
    k = np.rint(packet.ticks / 32768 * RATE_HZ).astype(np.int64)
    assert len(k) >= 120
    np.testing.assert_array_equal(np.diff(k), 1)
    acc, gyr, _ = vectors(k)
    assert np.abs(packet.samples[:, :3] - acc).max() <= 0.51 * ACC_STEP
    assert np.abs(packet.samples[:, 3:6] - gyr).max() <= 0.51 * GYR_STEP
    assert not packet.flags.any()


async def test_the_magnetometer_can_be_switched_on(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path, Counting(RATE_HZ)), Driver()
    await sensor.start()
    sensor.receive(bytes([0x08]) + (0x001060).to_bytes(3, "little"))
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 50 * PACKET_BYTES)
    await sensor.stop()
    packet = decoded(driver, frames, "imu")
    _, _, mag = vectors(np.rint(packet.ticks / 32768 * RATE_HZ).astype(np.int64))
    assert np.abs(packet.samples[:, 6:9] - mag).max() <= 0.51 / 1100


async def test_lost_samples_leave_a_gap_in_the_ticks(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path, Counting(RATE_HZ, lose=5)), Driver()
    await sensor.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 150 * PACKET_BYTES)
    await sensor.stop()
    k = np.rint(decoded(driver, frames, "imu").ticks / 32768 * RATE_HZ).astype(np.int64)
    np.testing.assert_array_equal(k, [i for i in range(k[0], k[-1] + 1) if i % 5])


async def test_the_clock_wraps_every_512_seconds(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path, Counting(RATE_HZ, clock_s=511.0), speed=1.0), Driver()
    await sensor.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 1.5 * RATE_HZ * PACKET_BYTES)
    await sensor.stop()
    ticks = decoded(driver, frames, "imu").ticks
    assert ticks.max() > 2**24 - 20000
    assert ticks[-1] < 2**23
    np.testing.assert_allclose(np.diff(ticks) % 2**24, 640, atol=1)


class Hit(MotionSource):
    """Far beyond the range, for ever."""

    def __init__(self) -> None:
        self.rate_hz = RATE_HZ
        self._counting = Counting(RATE_HZ)

    def read_until(self, until_s: float) -> Motion | None:
        """Return samples at 20 g and 3000 deg/s."""
        motion = self._counting.read_until(until_s)
        assert motion is not None
        much: Floats = np.ones((len(motion.time_s), 3))
        return Motion(motion.time_s, 20 * 9.81 * much, 52.0 * much, motion.mag, motion.sent)


async def test_what_is_beyond_the_range_is_cut_and_the_decoder_knows(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path, Hit()), Driver()
    await sensor.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 20 * PACKET_BYTES)
    await sensor.stop()
    packet = decoded(driver, frames, "imu")
    assert (packet.flags == Flag.CLIPPED).all()
    np.testing.assert_allclose(np.abs(packet.samples[:, :3]), 32767.5 / 408, rtol=1e-4)


async def test_closing_the_port_stops_the_stream_and_the_next_gateway_starts_clean(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path, Counting(RATE_HZ)), Driver(crc_bytes=2)
    await sensor.start()
    for _ in range(3):
        transport = SerialTransport(tmp_path / "port")
        await transport.search()
        connection = await transport.connect(driver, lambda _: None, lambda: 0)
        await driver.start(connection)
        await until(lambda: sensor.streaming)
        await connection.close()  # without a word, as a killed program does
        await until(lambda: not sensor.streaming)
    async with streaming(SerialTransport(tmp_path / "port"), Driver()) as frames:
        await until(lambda: size(frames, "data") >= 20 * PACKET_BYTES)
    await sensor.stop()
    assert len(decoded(Driver(), frames, "imu")) >= 10  # the rest was on its way when the stop came
    assert not (tmp_path / "port").exists()


async def test_bytes_that_are_no_command_are_passed_over(tmp_path: Path) -> None:
    sensor, driver = shimmer(tmp_path, Counting(RATE_HZ)), Driver()
    await sensor.start()
    sensor.receive(bytes(byte for byte in range(256) if byte not in (0x05, 0x08, 0x09, 0x49, 0x8B, 0x8F, 0xA3)))
    sensor.receive(b"\x20")
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 10 * PACKET_BYTES)
    await sensor.stop()
    assert len(decoded(driver, frames, "imu")) >= 8


@pytest.mark.parametrize(
    ("data", "low_byte"),
    [("00efbe1be7093c083f09", 0x7A), ("ff8a94560a80", 0x38), ("ff02800201ff01080301000102", 0x0F)],
)
def test_the_check_sum_is_the_vendors(data: str, low_byte: int) -> None:
    assert crc16(bytes.fromhex(data)) & 0xFF == low_byte
