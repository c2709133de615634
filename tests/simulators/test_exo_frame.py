"""The simulated exoskeleton with the open frame, through a pseudo-terminal, the product's transport and decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drivers.exo_frame.driver import ExoFrame as Driver
from drivers.packet import Flag, Frame, Packet
from drivers.transport.serial_port import SerialTransport
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import ExoMotion, Joint, WornExoskeleton
from simulators.devices.exo_frame import ExoFrame
from simulators.motion.timeline import Timeline
from simulators.sensing.clock import Clock
from tests.simulators.helpers import decoded, size, streaming, until

JOINTS: tuple[Joint, ...] = ("hip", "knee")
ENOUGH_BYTES = 80 * 2 * 38
WAIT_S = 30.0


def source() -> WornExoskeleton:
    return WornExoskeleton(WalkingBody(3).figure(), joints=JOINTS, clock=Clock(offset_s=4000.0, drift_ppm=30.0))


def exo(tmp_path: Path) -> ExoFrame:
    return ExoFrame(name="exo", timeline=Timeline(speed=2), path=tmp_path / "port", source=source())


def truth() -> ExoMotion:
    pieces = source().read_until(120.0)
    assert pieces
    return ExoMotion(
        *(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ExoMotion.__dataclass_fields__)
    )


def check_loss(packet: Packet, device: ExoFrame) -> None:
    """Each gap of the clock is of samples that the device counted as lost, and the sample after it says so."""
    steps = np.rint(np.diff(packet.ticks) / 10_000)
    assert packet.flags.tolist() == [0, *np.where(steps > 1, Flag.MISSING, 0).tolist()]
    assert (steps - 1).sum() <= device.counts.lost


async def test_what_its_joints_do_comes_back_within_a_step_of_each_unit(tmp_path: Path) -> None:
    device, driver = exo(tmp_path), Driver()
    await device.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= ENOUGH_BYTES, within_s=WAIT_S)
    await device.stop()
    packet = decoded(driver, frames, "exoskeleton", forgiven=("check sum", "malformed frame"))
    decoder = driver.decoder()
    decoder.decode(frames)
    spec, known = decoder.streams["exoskeleton"], truth()
    assert spec.rate_hz == 100.0
    rows = np.searchsorted(known.time_s, packet.ticks / 1e6 - 0.002)
    check_loss(packet, device)
    for at, side in enumerate(("left", "right")):
        for j, joint in enumerate(JOINTS):
            for what, name, step in (
                ("angle", "angle", 0.01), ("velocity", "velocity", 0.1), ("torque", "torque", 0.01),
                ("command", "command", 0.01), ("interaction", "interaction", 0.01),
            ):  # fmt: skip
                got = packet.samples[:, spec.channels.index(f"{side}_{joint}_{what}")]
                assert np.abs(got - getattr(known, name)[rows, at, j]).max() <= 0.51 * step
    assert bytes(device.received) == b"", "nothing was written to it"


async def test_an_emergency_stop_and_a_fault_are_sent_at_once(tmp_path: Path) -> None:
    device, driver = exo(tmp_path), Driver()
    await device.start()

    def faults(frames: list[Frame]) -> list[list[float]]:
        packets = {packet.stream: packet for packet in driver.decoder().decode(list(frames))}
        return packets["exoskeleton_fault"].samples[:, ::2].tolist() if "exoskeleton_fault" in packets else []

    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: [0.0, 0.0] in faults(frames), within_s=WAIT_S)
        device.press_stop()
        await until(lambda: [0.0, 1.0] in faults(frames), within_s=WAIT_S)
        device.fail(1 << 7)
        await until(lambda: [128.0, 1.0] in faults(frames), within_s=WAIT_S)
        device.press_stop(pressed=False)
        await until(lambda: [128.0, 0.0] in faults(frames), within_s=WAIT_S)
    await device.stop()


async def test_what_is_lost_shows_in_the_counter_and_the_clock(tmp_path: Path) -> None:
    device, driver = exo(tmp_path), Driver()
    await device.start()
    async with streaming(SerialTransport(tmp_path / "port"), driver) as frames:
        await until(lambda: size(frames, "data") >= ENOUGH_BYTES // 4, within_s=WAIT_S)
        await device.silence(0.5)
        before = size(frames, "data")
        await until(lambda: size(frames, "data") >= before + ENOUGH_BYTES // 4, within_s=WAIT_S)
    await device.stop()
    packet = decoded(driver, frames, "exoskeleton", forgiven=("check sum", "malformed frame"))
    check_loss(packet, device)
    assert (np.diff(packet.ticks) > 300_000).any(), "half a second, that is"


async def test_it_says_which_one_it_is(tmp_path: Path) -> None:
    device, driver = exo(tmp_path), Driver()
    await device.start()
    transport = SerialTransport(tmp_path / "port")
    await transport.search()
    heard: list[Frame] = []
    connection = await transport.connect(driver, heard.append, lambda: 0)
    packet = await driver.identify(connection)
    await driver.start(connection)
    await connection.close()
    await device.stop()
    assert packet.serial == "1001"
    assert heard, "what was heard meanwhile is not lost"
