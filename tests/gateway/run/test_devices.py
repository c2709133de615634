"""The tasks of the devices: one that nothing can read is left alone, in words."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from config.settings import Device, Placement, Radio, Settings, Site
from drivers.transport.supervisor import DeviceState
from gateway.intake.intake import Intake
from gateway.intake.steps import Ticker
from gateway.machine.supervision import Supervision
from gateway.run.devices import Devices
from simulators.devices.orphe import Orphe
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.simulators.helpers import Counting, until


async def test_a_device_without_its_driver_fails_in_words_and_is_not_searched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device = Device(id="gone", driver="uninstalled", placement="wrist", address="00:00:00:00:00:02")
    states: dict[str, DeviceState] = {}
    supervision = Supervision()
    ticker = Ticker(0, time.monotonic_ns)
    devices = Devices(
        Settings(site=Site(data=tmp_path)), [Intake(device, "bed-1")], supervision, ticker,
        clock_ns=time.monotonic_ns, states=states,
    )  # fmt: skip
    devices.follow()
    async with asyncio.timeout(30):
        while "gone" not in states:  # noqa: ASYNC110 - what tells of it is a dictionary
            await asyncio.sleep(0)
    assert (states["gone"].state, states["gone"].attempts) == ("failed", 0)
    assert states["gone"].error.startswith("no driver 'uninstalled': known are ")
    assert states["gone"].advice.startswith("Install the package")
    assert [part.failures for part in supervision.parts.values()] == [0]
    assert "gone failed no driver 'uninstalled'" in caplog.text
    await devices.end()
    await devices.close()


INSOLE = "D0:5F:B8:00:01:00"
WAIT_S = 30.0


async def test_an_insole_is_read_on_its_own_foot_alone_wherever_it_is_moved_while_it_streams(tmp_path: Path) -> None:
    """A left insole in a right shoe would make the left leg's steps the right one's."""

    def worn(placement: Placement) -> Device:
        return Device(id="insole", driver="orphe", placement=placement, address=INSOLE)

    hub, timeline, socket = Hub(), Timeline(), tmp_path / "radio.sock"
    insole = Orphe(name="insole", timeline=timeline, hub=hub, address=INSOLE, source=Counting(208.0), side="left")
    await insole.start()
    await hub.serve(socket)
    states: dict[str, DeviceState] = {}
    intake, supervision = Intake(worn("right_foot"), "bed-1"), Supervision()
    devices = Devices(
        Settings(site=Site(data=tmp_path), radio=Radio(name="simulated", socket=socket)), [intake], supervision,
        Ticker(0, time.monotonic_ns), clock_ns=time.monotonic_ns, states=states,
    )  # fmt: skip

    def state() -> str:
        return states["insole"].state if "insole" in states else ""

    devices.follow()
    await until(lambda: state() == "failed", within_s=WAIT_S)
    assert "is for the left side, and is to be worn on the right foot: nothing is read" in states["insole"].error
    assert (states["insole"].problem, insole.counts.sent) == ("other-device", 0)
    intake.device = worn("left_foot")  # the configuration is mended: it comes by itself
    devices.follow()
    await until(lambda: state() == "streaming" and insole.counts.sent > 0, within_s=WAIT_S)
    intake.device = worn("left_shank")  # the same side: its connection is kept
    devices.follow()
    assert state() == "streaming"
    intake.device = worn("right_foot")
    devices.follow()
    await until(lambda: state() == "failed", within_s=WAIT_S)
    assert "worn on the right foot" in states["insole"].error
    sent = insole.counts.sent
    intake.device = worn("left_foot")
    devices.follow()
    await until(lambda: state() == "streaming" and insole.counts.sent > sent, within_s=WAIT_S)
    await devices.end()
    await devices.close()
    await insole.stop()
    await hub.stop()
