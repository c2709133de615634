"""Several adapters on one air, over a real Bluetooth stack without an antenna: shared out, and full."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from drivers.errors import ConnectError
from drivers.registry import make_driver
from drivers.transport.radio_kinds import open_radios
from drivers.transport.search import Wanted
from simulators.devices.heart_rate import HeartRateStrap
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.drivers.watching import watching
from tests.simulators.helpers import Metronome, on_air


def straps(hub: Hub, count: int) -> list[HeartRateStrap]:
    return [
        HeartRateStrap(
            name=f"strap-{n}", timeline=Timeline(), hub=hub, address=f"02:48:52:00:00:{n:02X}", source=Metronome()
        )
        for n in range(count)
    ]


async def test_simulated_devices_are_shared_out_among_two_adapters(tmp_path: Path) -> None:
    hub = Hub()
    worn = straps(hub, 4)
    async with on_air(hub, tmp_path / "radio", *worn), contextlib.AsyncExitStack() as stack:
        radios = open_radios(name="simulated", socket=tmp_path / "radio", adapters=["left", "right"], links=3)
        await radios.start()
        stack.push_async_callback(radios.stop)
        watched = [
            await stack.enter_async_context(watching(make_driver("heart_rate"), radio=radios, address=each.address))
            for each in worn
        ]
        for each in watched:
            await each.until_state("streaming")
        assert {state.name: (state.links, state.limit) for state in radios.states()} == {
            "left": (2, 3),
            "right": (2, 3),
        }
        assert {each.supervisor.link.state().radio for each in watched} == {"left", "right"}
        await worn[0].drop()
        await watched[0].until_state("streaming", count=2)
        assert radios.steps()["reconnect"] == 1


async def test_what_finds_no_room_is_told_so_and_taken_once_there_is_some(tmp_path: Path) -> None:
    hub = Hub()
    worn = straps(hub, 3)
    async with on_air(hub, tmp_path / "radio", *worn):
        radios = open_radios(name="simulated", socket=tmp_path / "radio", adapters=["left", "right"], links=1)
        await radios.start()
        owners = [object() for _ in worn]
        try:
            async with asyncio.timeout(30):
                for each, owner in zip(worn[:2], owners, strict=False):
                    await radios.place(Wanted(address=each.address), timeout_s=20.0, owner=owner)
                last = Wanted(address=worn[2].address)
                with pytest.raises(ConnectError, match="no radio has room") as problem:
                    await radios.place(last, timeout_s=20.0, owner=owners[2])
                assert problem.value.problem == "no-room"
                radios.searches.release(owners[0])
                assert (await radios.place(last, timeout_s=20.0, owner=owners[2])).device.address == worn[2].address
        finally:
            await radios.stop()
