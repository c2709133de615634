"""The simulated exoskeletons over Bluetooth and UDP, through the product's transports and the one decoder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drivers.driver import Driver
from drivers.exo_frame_ble.driver import ExoFrameBle as BleDriver
from drivers.exo_frame_udp.driver import ExoFrameUdp as UdpDriver
from drivers.packet import Frame
from drivers.transport.ble import BleTransport
from drivers.transport.udp import UdpTransport
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import ExoMotion, Joint, WornExoskeleton
from simulators.devices.exo_frame import ExoTelemetry
from simulators.devices.exo_frame_ble import ExoFrameBle
from simulators.devices.exo_frame_udp import ExoFrameUdp
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.drivers.test_udp import free_port
from tests.simulators.helpers import count, decoded, on_air, streaming, until

ADDRESS, HERE = "02:45:58:0A:1B:2D", "127.0.0.1"
FOUR: tuple[Joint, ...] = ("hip", "knee", "ankle")  # six joints: the largest parts that a pair of legs has
ENOUGH = 120
WAIT_S = 30.0


def source(joints: tuple[Joint, ...] = FOUR) -> WornExoskeleton:
    return WornExoskeleton(WalkingBody(3).figure(), joints=joints)


def truth() -> ExoMotion:
    pieces = source().read_until(120.0)
    assert pieces
    return ExoMotion(
        *(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ExoMotion.__dataclass_fields__)
    )


def check(driver: Driver, frames: Sequence[Frame]) -> None:
    """See that what came is what was, to the step of each unit."""
    packet, decoder = decoded(driver, list(frames), "exoskeleton"), driver.decoder()
    decoder.decode(frames)
    channels, known = decoder.streams["exoskeleton"].channels, truth()
    rows = np.searchsorted(known.time_s, packet.ticks / 1e6 - 1e-4)
    for at, side in enumerate(("left", "right")):
        for j, joint in enumerate(FOUR):
            for what, step in (("angle", 0.01), ("velocity", 0.1), ("torque", 0.01)):
                got = packet.samples[:, channels.index(f"{side}_{joint}_{what}")]
                assert np.abs(got - getattr(known, what)[rows, at, j]).max() <= 0.51 * step


def stops(driver: Driver, frames: Sequence[Frame]) -> list[float]:
    packets = {packet.stream: packet for packet in driver.decoder().decode(list(frames))}
    return packets["exoskeleton_fault"].samples[:, 2].tolist() if "exoskeleton_fault" in packets else []


async def pressed(device: ExoTelemetry, driver: Driver, frames: Sequence[Frame]) -> None:
    """See an emergency stop as soon as it is pressed."""
    assert 1.0 not in stops(driver, frames)
    device.press_stop()
    await until(lambda: 1.0 in stops(driver, frames), within_s=WAIT_S)


async def test_over_bluetooth(tmp_path: Path) -> None:
    hub, driver = Hub(), BleDriver()
    device = ExoFrameBle(name="exo", timeline=Timeline(speed=2), hub=hub, address=ADDRESS, source=source())
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: count(frames, "measurement") >= ENOUGH, within_s=WAIT_S)
        await pressed(device, driver, frames)
    check(driver, frames)
    assert max(len(frame.data) for frame in frames) == 46, "never cut"


async def test_its_number_over_bluetooth_is_that_of_the_frame(tmp_path: Path) -> None:
    hub, driver = Hub(), BleDriver()
    device = ExoFrameBle(name="exo", timeline=Timeline(), hub=hub, address=ADDRESS, source=source(), serial=1234)
    async with on_air(hub, tmp_path / "r", device) as radio:
        transport = BleTransport(radio, name="EXO 0A1B2D")
        await transport.search()
        connection = await transport.connect(driver, lambda _: None, time.monotonic_ns)
        identity = await driver.identify(connection)
        await connection.close()
    assert identity.serial == "1234"


async def test_over_udp() -> None:
    there, driver = free_port(), UdpDriver()
    device = ExoFrameUdp(name="exo", timeline=Timeline(speed=2), target=there, sender=HERE, source=source())
    await device.start()
    async with streaming(UdpTransport(there, HERE), driver) as frames:
        await until(lambda: count(frames, "measurement") >= ENOUGH, within_s=WAIT_S)
        await until(lambda: len(stops(driver, frames)) > 0, within_s=WAIT_S)
        begun = next(k for k, frame in enumerate(frames) if frame.data[0] == 0x12)
        await pressed(device, driver, frames)
    await device.stop()
    check(driver, frames[begun:])


async def test_over_udp_what_is_lost_shows_in_the_counter() -> None:
    there, driver = free_port(), UdpDriver()
    device = ExoFrameUdp(name="exo", timeline=Timeline(speed=2), target=there, sender=HERE, source=source())
    await device.start()
    async with streaming(UdpTransport(there, HERE), driver) as frames:
        await until(lambda: len(stops(driver, frames)) > 0, within_s=WAIT_S)
        await device.silence(0.5)
        before = count(frames, "measurement")
        await until(lambda: count(frames, "measurement") >= before + ENOUGH, within_s=WAIT_S)
    await device.stop()
    begun = next(k for k, frame in enumerate(frames) if frame.data[0] == 0x12)
    packet = decoded(driver, frames[begun:], "exoskeleton")
    steps = np.rint(np.diff(packet.ticks) / 10_000)
    assert packet.flags[1:].tolist() == np.where(steps > 1, 1, 0).tolist()
    assert steps.max() >= 30, "half a second, that is"


async def test_over_udp_it_goes_on_whether_or_not_anybody_listens() -> None:
    there = free_port()
    device = ExoFrameUdp(name="exo", timeline=Timeline(speed=10), target=there, sender=HERE, source=source())
    await device.start()
    await until(lambda: device.counts.lost > 20, within_s=WAIT_S)
    assert not device.streaming
    transport = UdpTransport(there, HERE)
    await asyncio.wait_for(transport.search(), WAIT_S)
    await until(lambda: device.streaming, within_s=WAIT_S)
    transport.release()
    await device.stop()
