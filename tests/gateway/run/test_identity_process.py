"""A whole gateway and sensors that look alike: said in the status, and nothing of them written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.settings import Broker, Device, Radio, Settings, Site, Slot
from gateway.analysis.warm_up import warm_up
from gateway.cli.accept import accept
from gateway.model.status import DeviceStatus
from gateway.run.run import Gateway
from simulators.devices.movella_dot import LOCAL_NAME
from simulators.devices.movella_dot import MovellaDot as SimulatedDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.servers import free_port
from tests.simulators.helpers import Counting, on_air

MINE, THEIRS = "D4:22:CD:00:01:00", "D4:22:CD:00:02:00"
WITHIN_S = 30.0

pytestmark = pytest.mark.timeout(600.0)  # where nothing has been compiled yet


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile first, as the process does: the loop serves the simulators too."""
    warm_up()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    dot = Device(id="dot", driver="movella_dot", placement="left_foot", name=LOCAL_NAME)
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=free_port()), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"),
        slot=[Slot(id="bay-1", subject="p-1", device=[dot])],
    )  # fmt: skip


@asynccontextmanager
async def running(settings: Settings, *addresses: str) -> AsyncIterator[tuple[Gateway, list[SimulatedDot]]]:
    hub = Hub()
    dots = [
        SimulatedDot(name=f"dot-{address[-4]}", timeline=Timeline(), hub=hub, address=address, source=Counting())
        for address in addresses
    ]
    assert settings.radio.socket
    async with on_air(hub, settings.radio.socket, *dots):
        gateway, stop = Gateway(settings), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        try:
            yield gateway, dots
        finally:
            stop.set()
            await asyncio.wait({task})


async def until(gateway: Gateway, condition: Callable[[DeviceStatus], object]) -> DeviceStatus:
    """Wait until the newest status says so of the one device, and return what it says."""
    async with asyncio.timeout(WITHIN_S):
        while not (gateway.status and condition(gateway.status["devices"][0])):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.02)
    return gateway.status["devices"][0]


def active(gateway: Gateway) -> list[str]:
    return [notice["id"] for notice in gateway.status["notices"]["active"] if notice["device"]]


async def test_two_of_the_name_are_reported_and_left(settings: Settings) -> None:
    async with running(settings, MINE, THEIRS) as (gateway, dots):
        device = await until(gateway, lambda device: device["problem"] == "ambiguous")
        assert MINE in device["error"]
        assert THEIRS in device["error"]
        assert active(gateway) == ["device-ambiguous/dot"]
        assert not any(dot.connected for dot in dots)
        await dots[1].stop()
        device = await until(gateway, lambda device: device["state"] == "streaming")
        assert device["told"]["address"] == MINE


async def test_another_patients_sensor_in_a_later_run_is_not_measured(settings: Settings) -> None:
    async with running(settings, MINE) as (gateway, _):
        await until(gateway, lambda device: device["samples"])
    async with running(settings, THEIRS) as (gateway, _):
        device = await until(gateway, lambda device: device["problem"] == "other-device")
        assert (device["samples"], device["battery"]) == (0, None)
        assert active(gateway) == ["device-other/dot"]
        accept(settings, "dot")
        device = await until(gateway, lambda device: device["samples"])
        assert device["told"]["address"] == THEIRS
