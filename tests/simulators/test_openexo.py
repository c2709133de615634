"""The simulated OpenExo through the product's transport and decoder, and what it was sent: nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.openexo.driver import OpenExo as Driver
from drivers.openexo.message import parse_message
from drivers.transport.ble import BleTransport
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import Joint, WornExoskeleton
from simulators.devices.openexo import OpenExo, encode_message
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import decoded, on_air, streaming, until

ADDRESS = "02:45:58:0A:1B:2C"
SAMPLES = 150


def exo(hub: Hub, *, joint: Joint = "ankle", names: bool = True, up_s: float = 0.0) -> OpenExo:
    source = WornExoskeleton(WalkingBody(3).figure(), joints=(joint,))
    timeline = Timeline(speed=10)
    return OpenExo(name="exo", timeline=timeline, hub=hub, address=ADDRESS, source=source, names=names, up_s=up_s)


@pytest.mark.parametrize("joint", ["ankle", "hip"])
async def test_torques_come_back_by_the_names_that_it_tells(tmp_path: Path, joint: Joint) -> None:
    hub, driver = Hub(), Driver()
    device = exo(hub, joint=joint)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, name="EXOBLE_0A1B2C"), driver) as frames,
    ):
        await until(lambda: len(frames) >= SAMPLES, within_s=30)
    packet = decoded(driver, frames, "exoskeleton")
    decoder = driver.decoder()
    decoder.decode(frames)
    channels = decoder.streams["exoskeleton"].channels
    truth = WornExoskeleton(WalkingBody(3).figure(), joints=(joint,)).read_until(60.0)
    assert truth is not None
    for at, side in enumerate(("left", "right")):
        for what in ("torque", "command"):
            got = packet.samples[:, channels.index(f"{side}_{joint}_{what}")]
            known = {
                np.trunc(100 * v) / 100 for part in truth for v in getattr(part, what)[:, at, 0].astype(np.float32)
            }
            assert set(np.round(got, 2)) <= {round(float(v), 2) for v in known}, (side, what)
    volts = packet.samples[:, channels.index("battery_voltage")]
    assert ((volts > 10.4) & (volts < 12.7)).all()
    assert device.commands == [], "nothing was written to it"


async def test_without_names_the_option_decides_and_the_uptime_that_is_too_long_is_missing(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver(joints="ankle")
    device = exo(hub, names=False, up_s=9_999.0)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: len(frames) >= SAMPLES, within_s=30)
    packet = decoded(driver, frames, "exoskeleton")
    uptime = packet.samples[:, driver.decoder().streams["exoskeleton"].channels.index("uptime")]
    assert np.isnan(uptime[-1]), "2 h 47 min after it was switched on"
    assert not np.isnan(np.delete(packet.samples, 8, axis=1)).any()
    assert device.commands == []


async def test_errors_come_with_their_joint(tmp_path: Path) -> None:
    hub, driver = Hub(), Driver()
    device = exo(hub)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: device.notify_error(7, "ankle", "L"), within_s=30)
        await until(lambda: any(frame.channel == "error" for frame in frames), within_s=30)
    assert decoded(driver, frames, "exoskeleton_fault").samples[0, :2].tolist() == [7.0, 3.0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1.23000002, 1.19000006, -0.5, -0.469999999, 8.0, 11.8999996), b"S?6c123n119n-50n-46n800n1189n"),
        ((10000.0, -10000.0, 9999.99), b"S?3cnn999999n"),
        ((), b"S?0c"),
    ],
)
def test_bytes_are_those_that_its_own_parser_packs(values: tuple[float, ...], text: bytes) -> None:
    assert encode_message("?", values) == text
    assert len(parse_message(text).values) == len(values)
