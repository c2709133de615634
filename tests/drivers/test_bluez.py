"""BlueZ asked over a real D-Bus: who is connected now, who is in use, whose keys are not ours to remove."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.errors import AdapterError, ConnectError
from drivers.transport.bluez import CHARACTERISTIC, DEVICE, Objects, held
from drivers.transport.radio import Radio
from drivers.transport.radio_kinds import open_radio
from drivers.transport.radios import Radios
from drivers.transport.search import Wanted

LEFT, RIGHT, STRAP = "D4:22:CD:00:00:01", "D4:22:CD:00:00:02", "C0:FF:EE:00:00:03"
DOT = "Movella DOT"

Interfaces = dict[str, dict[str, dict[str, Any]]]

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="needs dbus-daemon")


def device(
    address: str, *, alias: str = DOT, connected: bool = True, adapter: str = "hci0", paired: str = ""
) -> Interfaces:
    path = f"/org/bluez/{adapter}/dev_{address.replace(':', '_')}"
    props: dict[str, Any] = {
        "Address": address,
        "Alias": alias,
        "Connected": connected,
        "Adapter": f"/org/bluez/{adapter}",
    }
    if paired:
        props[paired] = True
    return {path: {DEVICE: props}}


def characteristic(address: str, *, notifying: bool) -> Interfaces:
    path = f"/org/bluez/hci0/dev_{address.replace(':', '_')}/service0010/char0011"
    return {path: {CHARACTERISTIC: {"Notifying": notifying}}}


class Daemon:
    """A bluetoothd of few words on a bus of its own.

    Attributes:
        objects: What it says that there is.
        calls: Methods that it was called with.
    """

    def __init__(self) -> None:
        self.objects: Objects = {}
        self.calls: list[str] = []

    def answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL or message.destination != "org.bluez":
            return None
        self.calls.append(str(message.member))
        if message.member != "GetManagedObjects":
            return None
        body = {
            path: {name: {key: _variant(value) for key, value in props.items()} for name, props in interfaces.items()}
            for path, interfaces in self.objects.items()
        }
        return Message.new_method_return(message, "a{oa{sa{sv}}}", [body])


def _variant(value: object) -> Variant:
    return Variant("b" if isinstance(value, bool) else "s", value)


@pytest.fixture
async def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Daemon]:
    config = tmp_path / "bus.conf"
    config.write_text(
        f"<busconfig><type>system</type><listen>unix:path={tmp_path / 'bus'}</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>'
        '<allow user="*"/></policy></busconfig>'
    )
    process = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={config}", "--nofork", "--print-address", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", (await process.stdout.readline()).decode().strip())
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bluez = Daemon()
    bus.add_message_handler(bluez.answer)
    await bus.request_name("org.bluez")
    yield bluez
    bus.disconnect()
    process.terminate()
    await process.wait()


@pytest.fixture
def radio() -> Radio:
    return open_radio(name="bluez", adapter="hci0")


def addresses(found: Any) -> list[str]:
    return [each.address for each in found]


async def test_a_held_device_is_found_by_name_or_address_whatever_its_services(daemon: Daemon, radio: Radio) -> None:
    """A process that was killed leaves it so: connected, silent, and not advertising."""
    daemon.objects = device(LEFT) | device(RIGHT, connected=False) | device(STRAP, alias="HR Strap 1", adapter="hci1")
    assert addresses(await radio.held(Wanted(name=DOT), ())) == [LEFT]
    assert addresses(await radio.held(Wanted(address=LEFT.lower()), ())) == [LEFT]
    assert addresses(await radio.held(Wanted(name="HR Strap 1"), ())) == [], "another adapter's"
    assert addresses(await radio.held(Wanted(service="180d"), ())) == []


async def test_a_held_device_is_taken_without_a_scan_and_given_to_one(daemon: Daemon, radio: Radio) -> None:
    daemon.objects = device(LEFT)
    one, radios = object(), Radios([radio])
    assert (await radios.place(Wanted(address=LEFT), timeout_s=5.0, owner=one)).device.address == LEFT
    assert addresses(await radio.held(Wanted(name=DOT), radios.searches.taken())) == [], "this gateway reads it already"
    radios.searches.release(one)
    assert addresses(await radio.held(Wanted(name=DOT), radios.searches.taken())) == [LEFT]


async def test_what_another_program_reads_is_not_taken_from_it(daemon: Daemon, radio: Radio) -> None:
    daemon.objects = device(LEFT) | characteristic(LEFT, notifying=True)
    with pytest.raises(ConnectError, match=f"{LEFT} is in use by another program on this computer") as problem:
        await Radios([radio]).place(Wanted(address=LEFT), timeout_s=5.0)
    assert problem.value.advice.startswith("End the other program")
    daemon.objects = device(LEFT) | characteristic(LEFT, notifying=False)
    assert (await Radios([radio]).place(Wanted(address=LEFT), timeout_s=5.0)).device.address == LEFT


async def test_who_is_connected_is_asked_anew_each_time(daemon: Daemon, radio: Radio) -> None:
    daemon.objects = device(LEFT)
    assert addresses(await radio.held(Wanted(name=DOT), ())) == [LEFT]
    daemon.objects = {}
    assert addresses(await radio.held(Wanted(name=DOT), ())) == []


@pytest.mark.parametrize("key", ["Paired", "Bonded"])
async def test_a_device_that_a_person_paired_is_not_removed(daemon: Daemon, radio: Radio, key: str) -> None:
    daemon.objects = device(LEFT, paired=key)
    (each,) = held(daemon.objects, "hci0")
    assert each.paired
    await radio.forget(each.device)
    assert daemon.calls == []


def test_a_name_that_bluez_made_up_is_none() -> None:
    (each,) = held(device(LEFT, alias=LEFT.replace(":", "-")), None)
    assert each.device.name is None
    assert isinstance(each.device, BLEDevice)


async def test_without_bluez_on_the_bus_the_adapter_is_reported_missing(
    radio: Radio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    with pytest.raises(AdapterError, match="the Bluetooth service does not answer"):
        await radio.held(Wanted(name=DOT), ())
