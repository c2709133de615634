"""Simulated prototypes through a pseudo-terminal and the radio, read as a configuration declares them."""

from __future__ import annotations

import os
import termios
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.loader import load
from drivers.declared.reading import NO_MATCH, OTHER_COUNT
from drivers.fixed_frames import STRAY
from drivers.packet import Frame, Packet
from drivers.registry import make_driver
from drivers.transport.ble import BleTransport
from drivers.transport.serial_port import SerialTransport
from gateway.cli.options import known_drivers
from simulators.devices.declared_ble import DeclaredBle
from simulators.devices.declared_serial import DeclaredSerial
from simulators.devices.prototype import BANNER, Encode, cobs_struct, marked_struct, plain_struct, text_line
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.scenes.prototypes import STRUCT, TEXT
from simulators.scenes.single import single
from tests.simulators.helpers import Counting, count, decoded, on_air, size, streaming, until, vectors

ADDRESS = "02:45:58:0A:1B:2C"
RATE_HZ = 100.0
WAIT_S = 30.0
SAMPLES = 60
STEPS = {"text": (1e-4, 1e-4), "struct": (9.80665 / 4096, np.pi / 180 / 16.4)}  # of acceleration and angular rate

SERIAL: list[tuple[Encode, dict[str, Any]]] = [
    (text_line, TEXT),
    (text_line, {**TEXT, "pattern": "{time},{acc_x},{acc_y},{acc_z},{gyr_x},{gyr_y},{gyr_z}"}),
    (marked_struct, {**STRUCT, "start": "aa55", "checksum": "crc16-ccitt"}),
    (cobs_struct, {**STRUCT, "framing": "cobs", "checksum": "crc16-ccitt"}),
]


def check_values(packet: Packet, tick_hz: float, steps: tuple[float, float]) -> None:
    """Compare samples with those of the source, by the device's time of each."""
    k = np.rint(packet.ticks / tick_hz * RATE_HZ).astype(np.int64)
    np.testing.assert_array_equal(np.diff(k), 1)
    acc, gyr, _ = vectors(k)
    assert np.abs(packet.samples[:, :3] - acc).max() <= 0.51 * steps[0]
    assert np.abs(packet.samples[:, 3:] - gyr).max() <= 0.51 * steps[1]
    assert not packet.flags.any()


@pytest.mark.parametrize(("encoder", "options"), SERIAL)
async def test_what_a_port_gives_comes_back_as_declared(
    tmp_path: Path, encoder: Encode, options: dict[str, Any]
) -> None:
    device = DeclaredSerial(
        name="imu", timeline=Timeline(speed=4), path=tmp_path / "port", source=Counting(RATE_HZ), encoder=encoder,
        banner=BANNER if encoder is text_line else b"",
    )  # fmt: skip
    driver = make_driver("declared_serial", options)
    await device.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: device.counts.sent >= SAMPLES and size(frames, "data") >= 18 * SAMPLES, within_s=WAIT_S)
    await device.stop()
    text = encoder is text_line
    packet = decoded(driver, frames, "imu", forgiven=(OTHER_COUNT, NO_MATCH))  # of the banner
    assert len(packet) >= SAMPLES // 2
    check_values(packet, 1e3 if text else 1e6, STEPS["text" if text else "struct"])
    assert device.received == b"", "nothing was written to it"


@pytest.mark.parametrize(("encoder", "options", "split"), [(plain_struct, STRUCT, False), (text_line, TEXT, True)])
async def test_what_is_notified_comes_back_as_declared(
    tmp_path: Path, encoder: Encode, options: dict[str, Any], *, split: bool
) -> None:
    hub, driver = Hub(), make_driver("declared_ble", options)
    device = DeclaredBle(
        name="imu", timeline=Timeline(speed=4), hub=hub, address=ADDRESS, source=Counting(RATE_HZ), encoder=encoder,
        split=split,
    )  # fmt: skip
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= SAMPLES * (3 if split else 1), within_s=WAIT_S)
    packet = decoded(driver, frames, "imu")
    assert len(packet) >= SAMPLES // 2
    check_values(packet, 1e3 if split else 1e6, STEPS["text" if split else "struct"])
    assert device.received == [], "nothing was written to it"


@pytest.mark.parametrize(("options", "rate"), [({}, termios.B115200), ({"baud": 9600}, termios.B9600)])
async def test_the_port_has_the_rate_that_is_declared(tmp_path: Path, options: dict[str, Any], rate: int) -> None:
    device = DeclaredSerial(
        name="imu", timeline=Timeline(), path=tmp_path / "port", source=Counting(RATE_HZ), encoder=text_line
    )
    await device.start()
    async with streaming(SerialTransport(tmp_path / "port"), make_driver("declared_serial", {**TEXT, **options})):
        other = os.open(tmp_path / "port", os.O_RDWR | os.O_NOCTTY)
        assert termios.tcgetattr(other)[4:6] == [rate, rate]
        os.close(other)
    await device.stop()


async def test_after_garbage_and_a_drop_the_samples_come_again_and_the_garbage_is_counted(tmp_path: Path) -> None:
    timeline = Timeline(speed=4)
    device = DeclaredSerial(
        name="imu", timeline=timeline, path=tmp_path / "port", source=Counting(RATE_HZ), encoder=marked_struct
    )
    driver = make_driver("declared_serial", {**STRUCT, "start": "aa55", "checksum": "crc16-ccitt"})
    await device.start()
    frames: list[Frame]
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: device.counts.sent >= SAMPLES, within_s=WAIT_S)
        await device.misbehave("garbage", 0.5)
        sent = device.counts.sent
        await until(lambda: device.counts.sent >= sent + SAMPLES, within_s=WAIT_S)
        await until(lambda: size(frames, "data") >= 20 * device.counts.sent - 400, within_s=WAIT_S)
    decoder = driver.decoder()
    (packet,) = decoder.decode(frames)
    assert decoder.faults[STRAY] > 100
    acc, _, _ = vectors(np.rint(packet.ticks / 1e6 * RATE_HZ).astype(np.int64))
    assert np.abs(packet.samples[:, :3] - acc).max() <= 0.51 * STEPS["struct"][0], "nothing invented"
    async with streaming(SerialTransport(tmp_path / "port"), driver) as again:
        await until(lambda: size(again, "data") >= 20 * SAMPLES, within_s=WAIT_S)
    await device.stop()
    assert len(decoded(driver, again, "imu", forgiven=(STRAY,))) >= SAMPLES - 2


def test_a_simulated_scene_writes_the_declaration_that_reads_its_devices(tmp_path: Path) -> None:
    scene = single(["declared_serial", "declared_ble"], ports=tmp_path)
    path = tmp_path / "lab.toml"
    path.write_text(scene.configuration(tmp_path / "radio"), "utf-8")
    serial, ble = load(path, known_drivers()).slot[0].device
    assert serial.options == TEXT
    assert ble.options == STRUCT
