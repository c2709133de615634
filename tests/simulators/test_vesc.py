"""The simulated VESC through a pseudo-terminal, asked by the product's driver."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from drivers.packet import Frame
from drivers.transport.serial_port import SerialTransport
from drivers.vesc.driver import Vesc as Driver
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.vesc import GEAR, NM_PER_AMPERE, POLE_PAIRS, Vesc
from simulators.motion.timeline import Timeline
from tests.simulators.helpers import count, decoded, until

ANSWERS = 30
WAIT_S = 30.0


def source() -> WornExoskeleton:
    return WornExoskeleton(WalkingBody(3).figure(), joints=("knee",))


async def test_it_is_asked_for_its_values_and_sent_nothing_else(tmp_path: Path) -> None:
    device = Vesc(name="knee", timeline=Timeline(), path=tmp_path / "port", source=source())
    driver = Driver(joint="left_knee", pole_pairs=POLE_PAIRS, gear_ratio=GEAR, nm_per_ampere=NM_PER_AMPERE)
    await device.start()
    transport = SerialTransport(tmp_path / "port")
    await transport.search()
    frames: list[Frame] = []
    connection = await transport.connect(driver, frames.append, time.monotonic_ns)
    await driver.start(connection)
    connection.begin_stream()
    asked = 0
    while count(frames, "data") < ANSWERS:
        asked += 1
        assert asked < 100 * ANSWERS
        before = count(frames, "data")
        await driver.refresh(connection)
        answered = device.counts.sent
        await until(lambda: device.counts.sent + device.counts.lost >= asked, within_s=WAIT_S)  # noqa: B023
        if device.counts.sent > answered:
            await until(lambda: count(frames, "data") > before, within_s=WAIT_S)  # noqa: B023
    await connection.close()
    await device.stop()
    assert bytes(device.others) == b"", "nothing but the question"
    packet = decoded(driver, frames, "exoskeleton")
    spec = driver.decoder().streams["exoskeleton"]
    truth = source().read_until(120.0)
    assert truth
    for what, step in (("velocity", 6.0 / GEAR / POLE_PAIRS), ("torque", 0.01 * NM_PER_AMPERE)):
        got = packet.samples[:, spec.channels.index(f"left_knee_{what}")]
        known = np.sort(np.concatenate([getattr(piece, what)[:, 0, 0] for piece in truth]))
        near = np.abs(known[np.clip(np.searchsorted(known, got), 1, len(known) - 1)] - got)
        also = np.abs(known[np.clip(np.searchsorted(known, got), 1, len(known) - 1) - 1] - got)
        assert np.minimum(near, also).max() <= 0.51 * step + 1e-9, what
