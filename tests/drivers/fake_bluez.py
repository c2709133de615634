"""A bluetoothd of the few words that the gateway uses, on a real D-Bus of its own, with devices that answer over it.

bleak's own BlueZ backend talks to it, as it does to the real one; what the real one does was observed on BlueZ 5.66.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
PROPERTIES = "org.freedesktop.DBus.Properties"
HEART_RATE = "0000180d-0000-1000-8000-00805f9b34fb"
MEASUREMENT = "00002a37-0000-1000-8000-00805f9b34fb"
BEAT = bytes([0x00, 72])
ADVERTISES_S = 0.1

needs_dbus = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="needs dbus-daemon")
SIGNATURES = {"RSSI": "n", "UUIDs": "as", "Roles": "as", "Flags": "as", "MTU": "q", "Device": "o", "Service": "o"}


class RefusedError(Exception):
    """What a method answers with: name and text."""


def variant(key: str, value: object) -> Variant:
    """Return a property as D-Bus has it."""
    kind = "ay" if key == "Value" else "o" if key == "Adapter" else SIGNATURES.get(key)
    return Variant(kind or ("b" if isinstance(value, bool) else "s"), value)


@dataclass
class FakeDevice:
    """A heart rate strap.

    Attributes:
        address: Its address.
        name: Its name.
        rssi: Signal, dBm, by adapter; it is heard by those only.
        asks: What it wants of a pairing: ``""`` nothing, ``"passkey"`` 123456, ``"refuse"``, ``"lie"`` (says done and
            leaves no keys), ``"never"``.
        private: Its identity address, told once it is paired.
        needs_keys: Whether it lets nobody subscribe who is not paired.
        hangs_up: Whether the link ends where somebody subscribes: as where a pairing that it asked for has failed.
        hangs_up_early: Whether it ends already before its services are known, unless there are keys.
        connects: What a connection attempt ends with: ``""`` for success, or the error text.
        streams: Whether it sends a beat ten times a second once subscribed.
        connected: The adapter that it is connected to.
    """

    address: str
    name: str = "HR Strap 1"
    rssi: dict[str, int] = field(default_factory=lambda: {"hci0": -60})
    asks: str = ""
    private: str = ""
    needs_keys: bool = False
    hangs_up: bool = False
    hangs_up_early: bool = False
    connects: str = ""
    streams: bool = True
    connected: str = ""

    def path(self, adapter: str) -> str:
        return f"/org/bluez/{adapter}/dev_{self.address.replace(':', '_')}"


class FakeBluez:
    """The daemon.

    Attributes:
        objects: What it says that there is: properties by interface by path.
        devices: Who is in the air.
        calls: Member names that it was called with, each with its path.
        limit: Connections that an adapter holds at most.
        deaf: Adapters that hear nothing.
        agents: Registered agents: sender and capability, by path.
        refuses: Error names by member: what fails at once.
        mute: Members that are never answered.
        fails: Adapters, by path, that cannot scan.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.devices: list[FakeDevice] = []
        self.calls: list[tuple[str, str]] = []
        self.limit = 7
        self.deaf: set[str] = set()
        self.agents: dict[str, tuple[str, str]] = {}
        self.refuses: dict[str, str] = {}
        self.mute: set[str] = set()
        self.fails: set[str] = set()
        self.scanning: dict[str, set[str]] = {}
        self._bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def called(self, member: str) -> list[str]:
        return [path for name, path in self.calls if name == member]

    async def start(self) -> None:
        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.request_name("org.bluez")
        self._begin(self._advertise())

    def kill(self) -> None:
        """End without a word, as SIGKILL does; what it knew of unpaired devices is gone, and their links with it."""
        for task in self._tasks:
            task.cancel()
        assert self._bus is not None
        self._bus.disconnect()
        self._bus = None
        self.scanning.clear()
        self.agents.clear()
        for device in self.devices:
            device.connected = ""
        self.objects = {path: of for path, of in self.objects.items() if ADAPTER in of}

    async def restart(self) -> None:
        """Be there again, with the adapters, and say so of each."""
        await self.start()
        for path, interfaces in self.objects.items():
            self.tell_added(path, interfaces)

    def plug(self, adapter: str, *, powered: bool = True, address: str = "") -> None:
        path = f"/org/bluez/{adapter}"
        props = {
            "Address": address or f"00:00:00:00:00:0{adapter[-1]}", "Powered": powered, "Roles": ["central"],
            "Name": adapter,
        }  # fmt: skip
        self.objects[path] = {ADAPTER: props}
        self.tell_added(path, self.objects[path])

    def unplug(self, adapter: str) -> None:
        for device in self.devices:
            if device.connected == adapter:
                self.disconnect(device)
        for path in [each for each in self.objects if f"{each}/".startswith(f"/org/bluez/{adapter}/")][::-1]:
            gone = self.objects.pop(path)
            self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", [path, list(gone)])

    def change(self, path: str, interface: str, **changed: Any) -> None:
        if path in self.objects:
            self.objects[path].setdefault(interface, {}).update(changed)
            body = [interface, {key: variant(key, value) for key, value in changed.items()}, []]
            self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def power(self, adapter: str, on: bool) -> None:
        """Switch an adapter, as a person does."""
        for device in self.devices:
            if device.connected == adapter and not on:
                self.disconnect(device)
        self.change(f"/org/bluez/{adapter}", ADAPTER, Powered=on)

    def disconnect(self, device: FakeDevice) -> None:
        path, device.connected = device.path(device.connected), ""
        self.change(f"{path}/service0010/char0011", CHARACTERISTIC, Notifying=False)
        self.change(path, DEVICE, Connected=False, ServicesResolved=False)

    def hold(self, device: FakeDevice, adapter: str = "hci0", *, notifying: bool = False, **props: Any) -> None:
        """Have a device connected already, as another program or a killed one leaves it."""
        self._appear(device, adapter)
        self._connect(device, adapter)
        path = device.path(adapter)
        self.objects[path][DEVICE].update(props)
        self.change(f"{path}/service0010/char0011", CHARACTERISTIC, Notifying=notifying)

    def tell_added(self, path: str, interfaces: dict[str, dict[str, Any]]) -> None:
        body = [path, {name: {k: variant(k, v) for k, v in of.items()} for name, of in interfaces.items()}]
        self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", body)

    async def ask_agent(self, member: str, signature: str, body: list[Any], *, path: str | None = None) -> list[Any]:
        """Ask an agent; raises RefusedError where it refuses."""
        assert self._bus is not None
        where = path or next(reversed(self.agents), "")
        if not where:
            raise RefusedError("org.bluez.Error.AuthenticationFailed", "No agent available")
        sender = self.agents[where][0]
        reply = await self._bus.call(
            Message(destination=sender, path="/" + where.split("/", 1)[1], interface="org.bluez.Agent1", member=member,
                    signature=signature, body=body)
        )  # fmt: skip
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            raise RefusedError(reply.error_name, str(reply.body))
        return list(reply.body)

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.destination != "org.bluez":
            return None
        self._begin(self._answer(message))
        return True

    async def _answer(self, message: Message) -> None:
        member, path = str(message.member), str(message.path)
        self.calls.append((member, path))
        if member in self.mute:
            return
        try:
            self._check(member, path)
            signature, body = await self._do(member, path, message)
            reply = Message.new_method_return(message, signature, body)
        except RefusedError as refused:
            name, text = refused.args
            reply = Message.new_error(message, name, text)
        if self._bus is not None:
            await self._bus.send(reply)

    def _check(self, member: str, path: str) -> None:
        if member in self.refuses:
            raise RefusedError(self.refuses[member], f"{member} failed")
        if path not in self.objects and path not in {"/", "/org/bluez"}:
            raise RefusedError("org.freedesktop.DBus.Error.UnknownObject", f"no {path}")

    async def _do(self, member: str, path: str, message: Message) -> tuple[str, list[Any]]:
        actions: dict[str, Callable[..., Any]] = {
            "Set": self._set, "StartDiscovery": self._scan, "StopDiscovery": self._stop_scan,
            "RegisterAgent": self._register, "Connect": self._may_connect, "Disconnect": self._let_go,
            "Pair": self._pair, "StartNotify": self._subscribe, "StopNotify": self._unsubscribe,
            "RemoveDevice": self._remove,
        }  # fmt: skip
        if member == "GetManagedObjects":
            every = {
                where: {name: {k: variant(k, v) for k, v in of.items()} for name, of in interfaces.items()}
                for where, interfaces in self.objects.items()
            }
            return "a{oa{sa{sv}}}", [every]
        if member == "ReadValue":
            return "ay", [bytes([55])]
        if member in actions:
            done = actions[member](path, message)
            if asyncio.iscoroutine(done):
                await done
        return "", []

    def _set(self, path: str, message: Message) -> None:
        interface, key, value = message.body
        if key == "Powered":
            self.power(path.rsplit("/", 1)[1], value.value)
        else:
            self.change(path, interface, **{key: value.value})

    def _scan(self, path: str, message: Message) -> None:
        if path in self.fails:
            raise RefusedError("org.bluez.Error.InProgress", "Operation already in progress")
        if not self.objects[path][ADAPTER]["Powered"]:
            raise RefusedError("org.bluez.Error.NotReady", "Resource Not Ready\nadapter is off")
        self.scanning.setdefault(path.rsplit("/", 1)[1], set()).add(str(message.sender))

    def _stop_scan(self, path: str, message: Message) -> None:
        self.scanning.get(path.rsplit("/", 1)[1], set()).discard(str(message.sender))

    def _register(self, _: str, message: Message) -> None:
        where, capability = message.body
        self.agents[f"{message.sender}{where}"] = (str(message.sender), capability)

    def _of(self, path: str) -> tuple[FakeDevice, str]:
        adapter = path.split("/")[3]
        return next(d for d in self.devices if path.startswith(d.path(adapter))), adapter

    def _remove(self, _: str, message: Message) -> None:
        for path in [each for each in self.objects if each.startswith(message.body[0])]:
            gone = self.objects.pop(path)
            self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", [path, list(gone)])

    def _may_connect(self, path: str, _: Message) -> None:
        device, adapter = self._of(path)
        if device.connects:
            raise RefusedError("org.bluez.Error.Failed", device.connects)
        if sum(each.connected == adapter for each in self.devices) >= self.limit:
            raise RefusedError("org.bluez.Error.Failed", "le-connection-concurrent-connection-limit")
        self._connect(device, adapter)

    def _connect(self, device: FakeDevice, adapter: str) -> None:
        path = device.path(adapter)
        device.connected = adapter
        self.change(path, DEVICE, Connected=True)
        if device.hangs_up_early and not self.objects[path][DEVICE].get("Paired"):
            asyncio.get_running_loop().call_later(ADVERTISES_S, self.disconnect, device)
            return
        for where, interface, props in (
            (f"{path}/service0010", SERVICE, {"UUID": HEART_RATE, "Primary": True, "Device": path}),
            (
                f"{path}/service0010/char0011", CHARACTERISTIC,
                {"UUID": MEASUREMENT, "Service": f"{path}/service0010", "Flags": ["notify"], "Notifying": False,
                 "MTU": 247, "Value": b""},
            ),
        ):  # fmt: skip
            self.objects[where] = {interface: dict(props)}
            self.tell_added(where, self.objects[where])
        self.change(path, DEVICE, ServicesResolved=True)

    def _let_go(self, path: str, _: Message) -> None:
        device, _adapter = self._of(path)
        if device.connected:
            self.disconnect(device)

    async def _pair(self, path: str, message: Message) -> None:
        device, _ = self._of(path)
        own = [where for where, (sender, _) in self.agents.items() if sender == message.sender]
        if device.asks == "never":
            await asyncio.Event().wait()
        if device.asks == "refuse":
            raise RefusedError("org.bluez.Error.AuthenticationFailed", "Authentication\nFailed")
        if device.asks == "passkey":
            try:
                (typed,) = await self.ask_agent("RequestPasskey", "o", [path], path=own[-1] if own else None)
            except RefusedError:
                typed = -1
            if typed != 123456:
                raise RefusedError("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
        else:
            await self.ask_agent("RequestAuthorization", "o", [path], path=own[-1] if own else None)
        if device.asks != "lie":
            self.change(path, DEVICE, Paired=True, Bonded=True)
            if device.private:
                self.change(path, DEVICE, Address=device.private)

    def _subscribe(self, path: str, message: Message) -> None:
        device, adapter = self._of(path)
        has_keys = self.objects[device.path(adapter)][DEVICE].get("Paired")
        if device.hangs_up and not (device.needs_keys and has_keys):
            self.disconnect(device)
            raise RefusedError("org.bluez.Error.Failed", "Not connected")
        if device.needs_keys and not has_keys:
            raise RefusedError("org.bluez.Error.Failed", "Operation failed with ATT error: 0x05")
        self.change(path, CHARACTERISTIC, Notifying=True)
        if device.streams:
            self._begin(self._stream(device, path))

    def _unsubscribe(self, path: str, _: Message) -> None:
        self.change(path, CHARACTERISTIC, Notifying=False)

    async def _stream(self, device: FakeDevice, path: str) -> None:
        def wanted() -> bool:
            return bool(self.objects.get(path, {}).get(CHARACTERISTIC, {}).get("Notifying"))

        while device.streams and device.connected and wanted():
            self.change(path, CHARACTERISTIC, Value=BEAT)
            await asyncio.sleep(0.1)

    def _appear(self, device: FakeDevice, adapter: str) -> None:
        path = device.path(adapter)
        known = self.objects.get(path, {}).get(DEVICE)
        if known is None:
            props = {
                "Address": device.address, "Alias": device.name, "Name": device.name, "Connected": False,
                "Adapter": f"/org/bluez/{adapter}", "Paired": False, "ServicesResolved": False, "UUIDs": [HEART_RATE],
                "RSSI": device.rssi.get(adapter, -60),
            }  # fmt: skip
            self.objects[path] = {DEVICE: props}
            self.tell_added(path, self.objects[path])
        else:
            self.change(path, DEVICE, RSSI=device.rssi.get(adapter, -60))

    async def _advertise(self) -> None:
        while True:
            for adapter, who in self.scanning.items():
                if who and adapter not in self.deaf and f"/org/bluez/{adapter}" in self.objects:
                    for device in self.devices:
                        if adapter in device.rssi and not device.connected:
                            self._appear(device, adapter)
            await asyncio.sleep(ADVERTISES_S)


@asynccontextmanager
async def private_bus(folder: Path) -> AsyncIterator[str]:
    """Run a system bus of our own; yields its address, which is in the environment meanwhile."""
    config = folder / "bus.conf"
    config.write_text(
        f"<busconfig><type>system</type><listen>unix:path={folder / 'bus'}</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>'
        '<allow user="*"/></policy></busconfig>'
    )
    process = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={config}", "--nofork", "--print-address", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    before = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
    address = os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = (await process.stdout.readline()).decode().strip()
    try:
        yield address
    finally:
        if before is None:
            os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS")
        else:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = before
        process.terminate()
        await process.wait()


@asynccontextmanager
async def fake_bluez(
    folder: Path, *devices: FakeDevice, adapters: tuple[str, ...] = ("hci0",)
) -> AsyncIterator[FakeBluez]:
    """Run a bus with the daemon on it."""
    async with private_bus(folder):
        bluez = FakeBluez()
        bluez.devices = list(devices)
        for adapter in adapters:
            bluez.plug(adapter)
        await bluez.start()
        try:
            yield bluez
        finally:
            if bluez._bus is not None:
                bluez.kill()
