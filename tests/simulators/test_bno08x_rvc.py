"""The simulated BNO08x through a pseudo-terminal: angles, acceleration, counter, and nothing that it is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drivers.bno08x_rvc.driver import Bno08xRvc as Driver
from drivers.bno08x_rvc.message import parse_message
from drivers.transport.serial_port import SerialTransport
from simulators.devices.bno08x_rvc import Bno08xRvc, encode_message
from simulators.motion.timeline import Timeline
from tests.simulators.helpers import Counting, decoded, size, streaming, until, vectors

RATE_HZ = 100.0
BYTES = 19
WAIT_S = 30.0


def test_the_encoder_makes_the_published_message() -> None:
    made = encode_message(0xDE, yaw_deg=0.01, pitch_deg=-1.10, roll_deg=20.85, acc_g=(-0.371, -0.020, 0.977))
    assert made.hex() == "aaaade010092ff25088dfeecffd103000000e7"
    assert parse_message(made).index == 0xDE


async def test_messages_come_back_with_their_counter_over_its_end(tmp_path: Path) -> None:
    device = Bno08xRvc(name="bno", timeline=Timeline(speed=8), path=tmp_path / "port", source=Counting(RATE_HZ))
    await device.start()
    driver = Driver()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 300 * BYTES, within_s=WAIT_S)
    await device.stop()
    acceleration = decoded(driver, frames, "acceleration")
    first = int(acceleration.ticks[0])
    k = first + np.cumsum(np.concatenate([[0], np.diff(acceleration.ticks) % 256]))
    np.testing.assert_array_equal(np.diff(k), 1)
    acc, _, _ = vectors(k)
    assert np.abs(acceleration.samples - acc).max() <= 0.51e-3 * 9.80665
    orientation = decoded(driver, frames, "orientation").samples
    assert np.isfinite(orientation).all()
    assert np.abs(orientation).max() <= np.pi + 1e-3
    assert device.received == b"", "nothing was written to it"


async def test_a_loss_is_a_gap_of_the_counter(tmp_path: Path) -> None:
    device = Bno08xRvc(name="bno", timeline=Timeline(speed=8), path=tmp_path / "port", source=Counting(RATE_HZ, lose=5))
    await device.start()
    driver = Driver()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 100 * BYTES, within_s=WAIT_S)
    await device.stop()
    steps = np.diff(decoded(driver, frames, "orientation").ticks) % 256
    assert set(steps.tolist()) == {1, 2}
