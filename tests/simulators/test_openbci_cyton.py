"""The simulated Cyton through a pseudo-terminal: told to begin and to end, electrodes and acceleration, its banner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.openbci_cyton.driver import OpenBciCyton as Driver
from drivers.openbci_cyton.packet import parse_packet
from drivers.transport.serial_port import SerialTransport
from simulators.devices.openbci_cyton import BANNER, EACH, OpenBciCyton, electrodes_v, encode_packet
from simulators.motion.timeline import Timeline
from tests.simulators.helpers import Counting, decoded, size, streaming, until, vectors

RATE_HZ = 250.0
BYTES = 33
WAIT_S = 30.0
MV_A_COUNT = 4.5 / 24 / 8388607 * 1e3


def cyton(tmp_path: Path) -> OpenBciCyton:
    return OpenBciCyton(name="emg", timeline=Timeline(speed=4), path=tmp_path / "port", source=Counting(RATE_HZ))


def test_the_encoder_makes_a_packet_that_others_published() -> None:
    made = encode_packet(0x45, [n * 4.5 / 24 / 8388607 for n in range(1, 9)], bytes.fromhex("000000010002"))
    assert made.hex() == "a045000001000002000003000004000005000006000007000008000000010002c0"
    assert parse_packet(made)["sample_number"] == 69


@pytest.mark.parametrize("stamped", [False, True])
async def test_electrodes_and_acceleration_come_back(tmp_path: Path, *, stamped: bool) -> None:
    device, driver = cyton(tmp_path), Driver()
    device.stamped = stamped
    await device.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 400 * BYTES, within_s=WAIT_S)
    await device.stop()
    emg = decoded(driver, frames, "emg")
    np.testing.assert_array_equal(np.diff(emg.ticks) % 256, 1)
    first = _number_of_first(emg.samples[0], int(emg.ticks[0]))
    k = first + np.arange(len(emg))
    _, gyr, _ = vectors(k)
    truth = [electrodes_v(n / RATE_HZ, tuple(rate)) for n, rate in zip(k.tolist(), gyr.tolist(), strict=True)]
    assert np.abs(emg.samples - 1e3 * np.array(truth)).max() <= 0.51 * MV_A_COUNT
    acceleration = decoded(driver, frames, "acceleration")
    turns = k[(k % EACH == (5 if stamped else 0))]
    acc, _, _ = vectors(turns[turns >= first + 5] // EACH * EACH if stamped else turns)
    assert np.abs(acceleration.samples - acc[: len(acceleration)]).max() <= 0.51 * 0.000125 * 9.80665
    assert device.commands == b"sbs"
    assert device.received == b""


def _number_of_first(row: np.ndarray, tick: int) -> int:
    """Return which sample has this counter and these voltages: the counter alone begins again after 256."""
    candidates = [tick + 256 * wrap for wrap in range(40)]
    _, gyr, _ = vectors(np.array(candidates))
    truth = [electrodes_v(n / RATE_HZ, tuple(rate)) for n, rate in zip(candidates, gyr.tolist(), strict=True)]
    return candidates[int(np.abs(1e3 * np.array(truth) - row).max(axis=1).argmin())]


async def test_a_board_that_is_reset_says_who_it_is_and_is_started_again(tmp_path: Path) -> None:
    device, driver = cyton(tmp_path), Driver()
    await device.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= 50 * BYTES, within_s=WAIT_S)
        device.receive(b"v")
        await until(lambda: BANNER in b"".join(frame.data for frame in frames), within_s=WAIT_S)
    async with streaming(SerialTransport(tmp_path / "port"), driver) as again:
        await until(lambda: size(again, "data") >= 50 * BYTES, within_s=WAIT_S)
    await device.stop()
    assert len(decoded(driver, again, "emg")) >= 49
