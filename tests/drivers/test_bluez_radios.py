"""The adapters of a computer, through bleak's own BlueZ backend and a real D-Bus: shared out, lost, off, in use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.errors import AdapterError, ConnectError
from drivers.registry import make_driver
from drivers.transport import bluez_radio
from drivers.transport.bluez_radios import BluezRadios
from drivers.transport.search import Wanted
from tests.drivers.fake_bluez import ADAPTER, DEVICE, FakeDevice, fake_bluez, needs_dbus
from tests.drivers.watching import Watched, watching

pytestmark = needs_dbus


def straps(count: int, **signals: int) -> list[FakeDevice]:
    """Return straps that the named adapters hear."""
    heard = signals or {"hci0": -60}
    return [FakeDevice(f"C0:FF:EE:00:00:{n:02X}", f"HR Strap {n}", dict(heard)) for n in range(1, count + 1)]


@asynccontextmanager
async def radios(*adapters: str, limit: int = 5) -> AsyncIterator[BluezRadios]:
    used = BluezRadios(adapters, limit=limit)
    await used.start()
    try:
        yield used
    finally:
        await used.stop()


@asynccontextmanager
async def streaming(used: BluezRadios, *devices: FakeDevice) -> AsyncIterator[list[Watched]]:
    async with contextlib.AsyncExitStack() as stack:
        watched = [
            await stack.enter_async_context(watching(make_driver("heart_rate"), radio=used, address=each.address))
            for each in devices
        ]
        yield watched


async def test_devices_are_shared_out_among_the_adapters(tmp_path: Path) -> None:
    worn = straps(4, hci0=-60, hci1=-64)
    async with (
        fake_bluez(tmp_path, *worn, adapters=("hci0", "hci1")) as bluez,
        radios() as used,
        streaming(used, *worn) as watched,
    ):
        for each in watched:
            await each.until_state("streaming")
        assert sorted(device.connected for device in worn) == ["hci0", "hci0", "hci1", "hci1"]
        assert [(of.name, of.links, of.limit, of.trouble) for of in used.states()] == [
            ("hci0", 2, 5, ""), ("hci1", 2, 5, ""),
        ]  # fmt: skip
        assert set(bluez.called("StartDiscovery")) == {"/org/bluez/hci0", "/org/bluez/hci1"}


async def test_the_adapter_that_hears_a_device_much_better_takes_it(tmp_path: Path) -> None:
    worn = straps(3, hci0=-85, hci1=-55)
    async with (
        fake_bluez(tmp_path, *worn, adapters=("hci0", "hci1")),
        radios() as used,
        streaming(used, *worn) as watched,
    ):
        for each in watched:
            await each.until_state("streaming")
        assert {device.connected for device in worn} == {"hci1"}
        assert watched[0].supervisor.link.state().signal_dbm == -55
        assert watched[0].supervisor.link.state().radio == "hci1"


async def test_no_adapter_is_given_more_than_it_holds(tmp_path: Path) -> None:
    worn = straps(3)
    async with (
        fake_bluez(tmp_path, *worn) as bluez,
        radios(limit=2) as used,
        streaming(used, *worn) as watched,
    ):
        waiting = await _first_with_error(watched)
        assert waiting.last.problem == "no-room"
        assert "no radio has room" in waiting.last.error
        assert "Plug in another Bluetooth adapter" in waiting.last.advice
        scans = len(bluez.called("StartDiscovery"))
        await asyncio.sleep(1.0)
        assert len(bluez.called("StartDiscovery")) == scans, "a full adapter does not scan: its links need the air"
        first = next(device for device in worn if device.connected)
        first.streams = False
        bluez.devices.remove(first)
        bluez.disconnect(first)
        await waiting.until_state("streaming")


async def test_how_many_links_an_adapter_holds_is_measured(tmp_path: Path) -> None:
    worn = straps(3)
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used, streaming(used, *worn) as watched:
        bluez.limit = 2
        waiting = await _first_with_error(watched)
        assert waiting.last.problem == "no-room"
        assert [of.limit for of in used.states()] == [2]
        assert not bluez.called("RemoveDevice")


async def _first_with_error(watched: list[Watched]) -> Watched:
    async with asyncio.timeout(30):
        while not (found := [each for each in watched if each.last.error]):  # noqa: ASYNC110 - several are watched
            await asyncio.sleep(0.02)
    return found[0]


async def test_all_come_back_after_bluetoothd_was_killed(tmp_path: Path) -> None:
    """bleak's copy of BlueZ's objects says "connected" for ever; nobody tells it that the daemon is gone."""
    worn = straps(2)
    worn[1].rssi = {"hci0": -60}
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used, streaming(used, *worn) as watched:
        for each in watched:
            await each.until_state("streaming")
        bluez.kill()
        for each in watched:
            lost = await each.until_state("searching", count=2)
            assert lost.error == "the link was lost"
        worn[1].address = "7A:00:00:00:00:99"  # a private one, which has changed meanwhile
        await bluez.restart()
        await watched[0].until_state("streaming", count=2)
        assert (await used.place(Wanted(name="HR Strap 2"), timeout_s=10.0)).device.address == worn[1].address


async def test_an_adapter_that_a_person_switched_off_is_left_off_and_said_so(tmp_path: Path) -> None:
    worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used, streaming(used, *worn) as watched:
        await watched[0].until_state("streaming")
        bluez.power("hci0", on=False)
        await watched[0].until(lambda: watched[0].last.problem == "adapter-off")
        assert watched[0].last.error == "Bluetooth adapter hci0 is switched off"
        assert "bluetoothctl power on" in watched[0].last.advice
        await watched[0].until(lambda: watched[0].last.attempts >= 4)
        assert not bluez.called("Set"), "nothing was switched"
        assert [of.trouble for of in used.states()] == ["is switched off"]
        with pytest.raises(AdapterError, match="switched off"):
            await bluez_radio.BluezRadio(adapter="hci0").reset()
        bluez.power("hci0", on=True)
        await watched[0].until_state("streaming", count=2)
        assert [of.trouble for of in used.states()] == [""]


async def test_an_adapter_may_come_late_go_and_come_back(tmp_path: Path) -> None:
    worn = straps(1, hci1=-60)
    async with fake_bluez(tmp_path, *worn, adapters=()) as bluez, radios() as used, streaming(used, *worn) as watched:
        waiting = await watched[0].until_state("waiting")
        assert waiting.error == "no Bluetooth adapter is there"
        assert [(of.name, of.trouble) for of in used.states()] == [("bluetooth", "is not there")]
        bluez.plug("hci1")
        await watched[0].until_state("streaming")
        bluez.unplug("hci1")
        await watched[0].until(lambda: watched[0].last.error == "no Bluetooth adapter is there")
        bluez.plug("hci1")
        await watched[0].until_state("streaming", count=2)


async def test_an_adapter_that_is_gone_leaves_its_devices_to_the_other(tmp_path: Path) -> None:
    worn = straps(2, hci0=-60, hci1=-60)
    async with (
        fake_bluez(tmp_path, *worn, adapters=("hci0", "hci1")) as bluez,
        radios() as used,
        streaming(used, *worn) as watched,
    ):
        for each in watched:
            await each.until_state("streaming")
        bluez.unplug("hci1")
        async with asyncio.timeout(30):
            while [device.connected for device in worn] != ["hci0", "hci0"]:  # noqa: ASYNC110 - the daemon tells nobody
                await asyncio.sleep(0.02)


async def test_adapters_are_chosen_by_name_or_address(tmp_path: Path) -> None:
    """An adapter's number changes when it is plugged in again; its address does not."""
    async with fake_bluez(tmp_path, adapters=("hci0", "hci1")):
        for chosen in ("hci1", "00:00:00:00:00:01"):
            assert [radio.adapter for radio in await BluezRadios([chosen]).usable()] == ["hci1"]
        missing = BluezRadios(["hci0", "hci7"])
        assert [radio.adapter for radio in await missing.usable()] == ["hci0"]
        assert {of.name: of.trouble for of in missing.states()} == {"hci0": "", "hci7": "is not there"}
        with pytest.raises(AdapterError, match="no Bluetooth adapter hci7 is there"):
            await BluezRadios(["hci7"]).usable()


async def test_what_another_program_has_is_left_to_it(tmp_path: Path) -> None:
    (strap,) = worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez:
        bluez.hold(strap, notifying=True)
        async with radios() as used, streaming(used, *worn) as watched:
            await watched[0].until(lambda: watched[0].last.problem == "in-use")
            assert watched[0].last.error.startswith(strap.address)
            assert watched[0].last.error.endswith("is in use by another program on this computer")
        assert strap.connected == "hci0"
        assert not {"Connect", "Disconnect", "StartNotify", "StopNotify", "RemoveDevice"} & {n for n, _ in bluez.calls}


async def test_what_another_program_has_only_just_connected_is_left_to_it(tmp_path: Path) -> None:
    """It subscribes a moment after it has connected: until then it looks like a device of a program that was killed."""
    (strap,) = worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used:
        bluez.hold(strap)
        search = asyncio.create_task(used.place(Wanted(address=strap.address), timeout_s=10.0))
        await asyncio.sleep(0.5)
        bluez.hold(strap, notifying=True)
        with pytest.raises(ConnectError, match="in use by another program"):
            await search


async def test_what_a_killed_program_left_connected_is_taken_by_service_too(tmp_path: Path) -> None:
    (strap,) = worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez:
        bluez.hold(strap)
        async with radios() as used, watching(make_driver("heart_rate"), radio=used) as watched:
            await watched.until_state("streaming")
        assert not strap.connected


async def test_a_device_that_wants_to_be_paired_is_paired_and_streams(tmp_path: Path) -> None:
    (strap,) = worn = straps(1)
    strap.needs_keys, strap.asks = True, "passkey"
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used, streaming(used, *worn) as watched:
        await watched[0].until(lambda: watched[0].last.problem == "unpaired")
        assert f"{strap.address} must be paired first" in watched[0].last.error
        assert "pairing mode" in watched[0].last.advice
        await watched[0].until(lambda: "it asks for a passkey" in watched[0].last.error)
        used.passkeys[strap.address] = 123456
        await watched[0].until_state("streaming")
        assert bluez.objects[strap.path("hci0")][DEVICE]["Paired"]
        assert not bluez.called("RemoveDevice")


@pytest.mark.parametrize("early", [False, True])
async def test_a_device_whose_link_ends_at_each_start_for_want_of_keys_is_said_to_be_unpaired(
    tmp_path: Path, early: bool
) -> None:
    """The real bluetoothd begins to pair by itself where a device asks for keys, and ends the link where that fails."""
    (strap,) = worn = straps(1)
    strap.needs_keys, strap.hangs_up, strap.hangs_up_early, strap.asks = True, not early, early, "passkey"
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used, streaming(used, *worn) as watched:
        await watched[0].until(lambda: watched[0].last.problem == "unpaired")
        assert "3 times in a row, as with one that must be paired first" in watched[0].last.error
        assert "pairing mode" in watched[0].last.advice
        used.passkeys[strap.address] = 123456
        await watched[0].until_state("streaming")
        assert bluez.objects[strap.path("hci0")][DEVICE]["Paired"]


async def test_a_device_that_has_keys_is_not_told_to_be_paired_where_its_link_ends(tmp_path: Path) -> None:
    (strap,) = worn = straps(1)
    strap.hangs_up = True
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used:
        bluez.hold(strap, Paired=True)
        bluez.disconnect(strap)
        async with streaming(used, *worn) as watched:
            await watched[0].until(lambda: watched[0].last.attempts >= 4)
            assert {state.problem for state in watched[0].states} == {""}
        assert not bluez.called("Pair")


async def test_a_bond_outlives_connections_that_fail(tmp_path: Path) -> None:
    (strap,) = worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used:
        bluez.hold(strap, Paired=True)
        bluez.disconnect(strap)
        strap.connects = "le-connection-abort-by-peer\nsecond line"
        async with streaming(used, *worn) as watched:
            await watched[0].until(lambda: watched[0].last.attempts >= 4)
            assert not any("\n" in state.error for state in watched[0].states)
        assert not bluez.called("RemoveDevice")
        assert bluez.objects[strap.path("hci0")][DEVICE]["Paired"]


async def test_a_device_with_a_changing_address_is_found_by_its_identity(tmp_path: Path) -> None:
    """BlueZ resolves the private address of a bonded device, and tells its identity from then on."""
    (strap,) = worn = straps(1)
    strap.private = "D0:00:00:00:00:01"
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used:
        placed = await used.place(Wanted(address=strap.address), timeout_s=10.0)
        await used.keep(placed)
        assert bluez.objects[strap.path("hci0")][DEVICE]["Address"] == strap.private
        async with watching(make_driver("heart_rate"), radio=used, address=strap.private) as watched:
            await watched.until_state("streaming")


async def test_an_agent_is_offered_again_to_a_bluetoothd_that_has_begun_again(tmp_path: Path) -> None:
    async with fake_bluez(tmp_path) as bluez, radios():
        async with asyncio.timeout(30):
            while len(bluez.called("RequestDefaultAgent")) < 1:  # noqa: ASYNC110 - the daemon tells nobody
                await asyncio.sleep(0.02)
            bluez.kill()
            await bluez.restart()
            while len(bluez.called("RequestDefaultAgent")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert [capability for _, capability in bluez.agents.values()] == ["NoInputNoOutput"]


async def test_an_adapter_that_cannot_scan_is_reset_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluez_radio, "RESET_PAUSE_S", 0.05)
    worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used:
        bluez.refuses["StartDiscovery"] = "org.bluez.Error.InProgress"
        async with streaming(used, *worn) as watched:
            await watched[0].until(lambda: len(bluez.called("Set")) == 2)
            assert "adapter hci0 cannot scan" in watched[0].last.error
            assert used.states()[0].trouble == watched[0].last.error
            assert used.steps()["reset"] == 1
            assert used.steps()["rescan"] >= 3
            assert bluez.objects["/org/bluez/hci0"][ADAPTER]["Powered"]
            del bluez.refuses["StartDiscovery"]
            await watched[0].until_state("streaming")
        assert used.states()[0].trouble == ""


async def test_bluetoothd_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    worn = straps(1)
    async with fake_bluez(tmp_path, *worn) as bluez, radios() as used:
        bluez.mute.add("GetManagedObjects")
        with pytest.raises(AdapterError, match="the Bluetooth service does not answer: no answer"):
            await used.place(Wanted(address=worn[0].address), timeout_s=10.0)
        assert next(of.trouble for of in used.states()).startswith("the Bluetooth service does not answer")


async def test_one_adapter_that_fails_is_told_and_the_other_goes_on(tmp_path: Path) -> None:
    worn = straps(2, hci1=-60)
    async with fake_bluez(tmp_path, *worn, adapters=("hci0", "hci1")) as bluez, radios() as used:
        bluez.fails.add("/org/bluez/hci0")
        async with streaming(used, *worn) as watched:
            for each in watched:
                await each.until_state("streaming")
            assert {of.name: bool(of.trouble) for of in used.states()} == {"hci0": True, "hci1": False}
            assert "adapter hci0 cannot scan" in used.states()[0].trouble
