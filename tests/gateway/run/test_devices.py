"""The tasks of the devices: one that nothing can read is left alone, in words."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from config.settings import Device, Settings, Site
from drivers.transport.supervisor import DeviceState
from gateway.intake.intake import Intake
from gateway.intake.steps import Ticker
from gateway.machine.supervision import Supervision
from gateway.run.devices import Devices


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
